/**
 * `kill -9` at random moments, fifty times: no tick is run twice, and each is run or told.
 *
 * Every job writes its tick and its run's id down as the first thing it does. These witnesses are held against the record.
 * Here and there the clock goes on for more than a minute while no rcrond is there (libfaketime, for the daemon alone), so
 * that `missed` has something to decide; what is late by less is simply run.
 *
 *     SEED=7 npx bun test/run.ts test/daemon/system/kill.test.ts      the moments of an earlier run, which its failure names
 */
import { expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunEvent } from "../../../src/model/run-event.ts";
import { describeWith } from "../../support/debian.ts";
import { clockAhead, clockLibrary, doubled, type Scheduler, scheduler, until } from "./scheduler.ts";

const lives = 50;
const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

/** Each says its tick first. `long` outlives most daemons. */
const jobs: Readonly<Record<string, { readonly periodMs: number; readonly text: string }>> = {
  skip: { periodMs: 1000, text: "at * * * * * *\nmissed skip" },
  latest: { periodMs: 1000, text: "at * * * * * *\nmissed latest" },
  all: { periodMs: 1000, text: "at * * * * * *\nmissed all" },
  every: { periodMs: 2000, text: "every 2s\nmissed all" },
  long: { periodMs: 3000, text: "at */3 * * * * *\nmissed latest" },
};

describeWith(`kill -9, ${lives} times`, [clockLibrary], () => {
  test("no tick is run twice, each is run or told, and what went on is found again", async () => {
    const random = numbersFrom(seed);
    await using it = scheduler({}, { daemon: ["stop_timeout = 20s"] });
    for (const [name, { text }] of Object.entries(jobs)) {
      const sleep = name === "long" ? "; sleep 4; echo $RCRON_RUN_ID >> ended" : "";
      it.job(
        name,
        `${text}\ncwd ${it.at(".")}\noutput none\nrun echo $RCRON_TICK $RCRON_RUN_ID >> ${name}${sleep}\n`,
      );
    }
    let aheadS = 0;
    for (let life = 0; life < lives; life++) {
      const daemon = await it.start({ env: clockAhead(aheadS), waitFor: "nothing" });
      await Bun.sleep(200 + 2800 * random() ** 3);
      await daemon.kill();
      if (life % 9 === 4) aheadS += 65 + Math.floor(random() * 40);
    }
    const last = await it.start({ env: clockAhead(aheadS) });
    await until("all that waited has had its turn", async () => {
      return (await it.ask<{ waiting: number }>("status")).waiting === 0;
    });
    const untilMs = Date.now() + aheadS * 1000;
    await until("a later tick", () => it.lines("all").some((line) => tickOf(line) > untilMs));
    expect(await last.end()).toBe(0);

    const wrong = Object.entries(jobs).flatMap(([name, { periodMs }]) =>
      complaints(it, name, periodMs, untilMs),
    );
    const told = await it.ask<readonly { run: string; job: string; state: string }[]>(
      "runs",
      "--all",
      "--limit",
      "100000",
    );
    const stillGoing = told.filter(({ state }) => state === "running");
    if (wrong.length + stillGoing.length > 0) {
      const kept = join(mkdtempSync(join(tmpdir(), "rcrond-kill-")), "log"); // the scheduler's folder goes with the test
      writeFileSync(kept, it.log());
      console.error(`rcrond's log: ${kept}`);
    }
    expect({ seed, wrong, stillGoing }).toEqual({ seed, wrong: [], stillGoing: [] });

    // What outlived its daemon was found again, and has its end in the record; what ended while no daemon was there is told.
    const ids = (kind: RunEvent["kind"]) =>
      new Set(
        it.events().flatMap((event) => (event.kind === kind && event.run !== undefined ? [event.run] : [])),
      );
    const ends = ids("end");
    expect([...ids("adopt")].filter((id) => ends.has(id)).length).toBeGreaterThan(5);
    const skipped = ids("skip");
    const log = it.log();
    const open = [...ids("start")].filter((id) => !ends.has(id) && !skipped.has(id));
    expect(open.filter((id) => !log.includes(`the run ${id} was interrupted`))).toEqual([]);
  }, 200_000);
});

/** What is wrong with a job's account. */
function complaints(it: Scheduler, name: string, periodMs: number, untilMs: number): string[] {
  const witnesses = it.lines(name);
  const events = it.events(name);
  const ticks = witnesses.map((line) => line.split(" ")[0] ?? "");
  const ids = witnesses.map((line) => line.split(" ")[1] ?? "");
  const run = new Set(ticks.map((tick) => Date.parse(tick)));
  const started = new Set(events.flatMap((event) => (event.kind === "start" ? [event.run] : [])));
  const firstMs = Math.min(...run);
  const lost: string[] = [];
  const excused = events.flatMap(excusesOf);
  for (let atMs = firstMs; atMs <= untilMs; atMs += periodMs) {
    if (run.has(atMs)) continue;
    if (!excused.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs)) {
      lost.push(`${name}: ${new Date(atMs).toISOString()} is neither run nor told`);
    }
  }
  return [
    ...doubled(ticks).map((tick) => `${name}: ${tick} was run twice`),
    ...doubled(ids).map((id) => `${name}: the run ${id} was started twice`),
    ...ids.filter((id) => !started.has(id)).map((id) => `${name}: the run ${id} is not in the record`),
    ...lost,
  ];
}

/** The stretch of ticks that an event accounts for: what was passed over, or was about to be started at a kill. */
function excusesOf(event: RunEvent): { fromMs: number; toMs: number }[] {
  if (event.kind !== "skip" && event.kind !== "start") return [];
  const [, from, to] = (event.kind === "skip" && / from (\S+Z) to (\S+Z) /.exec(event.sentence ?? "")) || [];
  if (from !== undefined && to !== undefined) return [{ fromMs: Date.parse(from), toMs: Date.parse(to) }];
  return [{ fromMs: event.tick, toMs: event.tick }];
}

function tickOf(line: string): number {
  return Date.parse(line.split(" ")[0] ?? "");
}

/** 0 ≤ x < 1, always the same ones for a seed (mulberry32). */
function numbersFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

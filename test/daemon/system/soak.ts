/**
 * A week of the scheduler in a few minutes: its clock goes on minute by minute as fast as the jobs are done, over the night in which
 * Berlin's hour from two to three is shown twice. Then each run against the engine's own list of ticks, and what the daemon has
 * taken of memory, descriptors and processes.
 *
 *     npm run soak:rcrond [DAYS]      7
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseAcronFile } from "../../../src/jobs/jobs.ts";
import { findZone, ticksBetween } from "../../../src/schedule/schedule.ts";
import { readHostName } from "../../../src/system/host-name.ts";
import { clockLibrary, onOneProcessor, type Scheduler, scheduler, until } from "./scheduler.ts";

const minuteMs = 60_000;
const zoneName = "Europe/Berlin";
/** Thursday evening before the last Sunday of October; a second after a minute. */
const fromMs = Date.UTC(2026, 9, 22, 18) + 1000;
/** A daemon that has run for a day has all that it ever needs; what comes on top of that is lost. */
const settledMinutes = 24 * 60;

/** When each is due, and how it ends. */
const jobs: Readonly<Record<string, readonly [when: string, line: string]>> = {
  minutely: ["at * * * * *", "true"],
  quarter: ["at */15 * * * *", "echo said; echo more >&2"],
  hourly: ["at @hourly", "false"],
  night: ["at 30 2 * * *", "true"],
  shown: ["at */20 2 * * *", "seq 2000"],
  office: ["at 5,35 8-18 * * mon-fri", "cat"],
  days: ["at 0 0 */2 * sun", "true"],
  weekly: ["at @weekly", "true"],
  york: ["at 0 4 * * *\ntimezone America/New_York", "true"],
  seven: ["every 7m", "true"],
  ninety: ["every 90m\nsplay", "kill -9 $$"],
  retried: ["every 6h\nretry 1\nretry_delay 1s", "exit 4"],
  guarded: ["every 20m\nif test -e gate", "true"],
};

interface Taken {
  readonly residentKb: number;
  readonly descriptors: number;
  readonly children: number;
}

async function main(): Promise<void> {
  const days = Number(process.argv[2] ?? 7);
  await using it = scheduler({}, { daemon: ["stop_timeout = 1m"] });
  for (const [name, [when, line]] of Object.entries(jobs)) {
    it.job(
      name,
      `${when}\noutput none\ncwd ${it.at(".")}\nrun echo "$RCRON_TICK ${name}" >> ticks; ${line}\n`,
    );
  }
  let nowMs = fromMs;
  const aheadMs = Date.now() - fromMs;
  const set = () => {
    writeFileSync(it.at(".clock"), `${nowMs / 1000}\n`);
    renameSync(it.at(".clock"), it.at("clock"));
  };
  set();
  const env = {
    TZ: zoneName,
    LD_PRELOAD: clockLibrary,
    FAKETIME_TIMESTAMP_FILE: it.at("clock"),
    FAKETIME_FMT: "%s",
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  const life = await it.start({ env, before: onOneProcessor() });
  const beganMs = performance.now();
  let settled: Taken | undefined;
  let last: Taken | undefined;
  for (let minute = 1; minute <= days * 24 * 60; minute++) {
    nowMs = fromMs + minute * minuteMs;
    set();
    // A file that changes is the reason to look at the clock: timers are not sped up.
    it.job("nudge", `every 1000d\noutput none\nrun true ${minute}\n`);
    life.signal("SIGHUP");
    const tick = `${new Date(nowMs - 1000).toISOString().slice(0, 19)}Z minutely`;
    await until(`${tick} is run, and nothing is at work`, () => {
      return tailOf(it).includes(tick) && takenBy(life.pid).children === 0;
    });
    if (minute % 60 !== 0) continue;
    last = takenBy(life.pid);
    if (minute === settledMinutes) settled = last;
    if (minute % (6 * 60) === 0) {
      const seconds = Math.round((performance.now() - beganMs) / 1000);
      console.log(`${minute / 60} h in ${seconds} s: ${last.residentKb} kB, ${last.descriptors} descriptors`);
    }
  }
  const untilMs = nowMs;
  const status = await life.end();

  const wrong = [
    ...ticksAgainst(it, untilMs),
    ...(status === 0 ? [] : [`rcrond ended with ${status}`]),
    ...it
      .log()
      .split("\n")
      .filter((text) => text.includes("warning: ") && !text.includes(" status=retry "))
      .slice(0, 5),
  ];
  if (settled !== undefined && last !== undefined) {
    if (last.descriptors > settled.descriptors + 2) wrong.push("descriptors are lost");
    if (last.residentKb > settled.residentKb * 1.3) wrong.push("memory is lost");
  }
  console.log(
    `${it.lines("ticks").length} runs, clock ${Math.round(aheadMs / 86_400_000)} days from the machine's`,
  );
  for (const each of wrong) console.log(`wrong: ${each}`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

/** The runs of each job against the engine's list. */
function ticksAgainst(it: Scheduler, untilMs: number): string[] {
  const zone = findZone(zoneName);
  if ("code" in zone) throw zone;
  return Object.entries(jobs).flatMap(([name, [when, line]]) => {
    if (name === "guarded") return []; // its condition says no
    const terms = { hostName: readHostName(), mailTo: "root@localhost" };
    const file = parseAcronFile(`${when}\nrun ${line}\n`, name, name, terms);
    const schedule = file.jobs[0]?.schedule;
    if (schedule === undefined) throw new Error(`${name} is no job`);
    const due = ticksBetween(schedule, { afterMs: fromMs, untilMs, limit: 100_000 }, zone);
    const expected = due.map(({ atMs }) => `${new Date(atMs).toISOString().slice(0, 19)}Z`);
    const repeats = name === "retried" ? 2 : 1;
    const run = it
      .lines("ticks")
      .filter((text) => text.endsWith(` ${name}`))
      .map((text) => text.split(" ")[0] ?? "");
    const wanted = expected.flatMap((text) => Array.from({ length: repeats }, () => text)).sort();
    return Bun.deepEquals(run.sort(), wanted) ? [] : [`${name}: ${run.length} runs of ${wanted.length}`];
  });
}

function tailOf(it: Scheduler): string {
  return it.lines("ticks").slice(-30).join("\n");
}

function takenBy(pid: number): Taken {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return {
    residentKb: Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    children: children.split(" ").filter((child) => child !== "").length,
  };
}

await main();

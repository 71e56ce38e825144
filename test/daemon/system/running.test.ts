/**
 * How the scheduler's runs get along: with their earlier ones, with each other, with what can't be started, as whom they run,
 * and with the state of the machine.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import type { RunEvent } from "../../../src/model/run-event.ts";
import { describeWith } from "../../support/debian.ts";
import { doubled, type Scheduler, scheduler, until } from "./scheduler.ts";

setDefaultTimeout(60_000);

const eachSecond = "at * * * * * *\noutput none";

/** A job that says when it begins and when it ends. */
const between = (it: Scheduler, line: string, ...words: string[]) =>
  [eachSecond, ...words, `cwd ${it.at(".")}`, `run echo begin >> marks; ${line}; echo end >> marks\n`].join(
    "\n",
  );

/** How many were at work at once, at most. */
function mostAtOnce(it: Scheduler): number {
  let [now, most] = [0, 0];
  for (const mark of it.lines("marks")) {
    now += mark === "begin" ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}

const kinds = (events: readonly RunEvent[]) =>
  events.map((event) =>
    event.kind === "skip" ? event.why : event.kind === "end" ? event.cause : event.kind,
  );
const howMany = (it: Scheduler, job: string, what: string) =>
  kinds(it.events(job)).filter((kind) => kind === what).length;

describe.concurrent("a job whose earlier run goes on", () => {
  test.each([
    [
      "skip",
      "sleep 1.4",
      (it: Scheduler) => howMany(it, "one", "overlap") >= 2 && howMany(it, "one", "exit") >= 2,
    ],
    ["wait", "sleep 1.2", (it: Scheduler) => howMany(it, "one", "exit") >= 3],
  ])("overlap %s: never two at once", async (overlap, line, isEnough) => {
    await using it = scheduler({}, { daemon: ["stop_timeout = 10s"] });
    it.job("one", between(it, line, `overlap ${overlap}`));
    const life = await it.start();
    await until("enough runs", () => isEnough(it));
    expect(await life.end()).toBe(0);
    expect(mostAtOnce(it)).toBe(1);
  });

  test("overlap clobber: the earlier one ends, and the record says for what", async () => {
    await using it = scheduler({}, { daemon: ["stop_timeout = 1s"] });
    it.job("one", between(it, "sleep 600", "overlap clobber", "grace 5s"));
    const life = await it.start();
    // Each was ended for the next one, which began then.
    await until("enough runs", () => howMany(it, "one", "clobbered") >= 2 && howMany(it, "one", "start") > 2);
    expect(await life.end()).toBe(0);
    expect(it.lines("marks").filter((mark) => mark === "end")).toEqual([]);
  });

  test("overlap allow: they go on side by side", async () => {
    await using it = scheduler({}, { daemon: ["stop_timeout = 1s"] });
    it.job("one", between(it, "sleep 600"));
    const life = await it.start();
    await until("enough runs", () => mostAtOnce(it) >= 3);
    expect(await life.end()).toBe(0);
  });
});

test.concurrent("concurrency 2 with five jobs: never three at once, each has its turns, and no tick is doubled", async () => {
  const names = ["a", "b", "c", "d", "e"];
  await using it = scheduler({}, { daemon: ["concurrency = 2", "stop_timeout = 10s"] });
  for (const name of names) it.job(name, between(it, `echo ${name} $RCRON_TICK >> turns; sleep 0.3`));
  const life = await it.start();
  await until("each has had three turns", () =>
    names.every((name) => it.lines("turns").filter((line) => line.startsWith(name)).length >= 3),
  );
  const status = await it.ask<{ concurrency: number; running: unknown[] }>("status");
  expect(status.concurrency).toBe(2);
  expect(status.running.length).toBeLessThanOrEqual(2);
  expect(await life.end()).toBe(0);
  expect(mostAtOnce(it)).toBe(2);
  expect(doubled(it.lines("turns"))).toEqual([]);
});

describe.concurrent("what can't be run", () => {
  test("is a recorded failure, tick by tick, and harms no other job", async () => {
    await using it = scheduler({});
    it.job("missing", `${eachSecond}\nrun /nowhere/program --all\n`);
    it.job("nowhere", `${eachSecond}\ncwd /nowhere\nrun true\n`);
    it.job("no-file", `${eachSecond}\nenv_file /nowhere/env\nrun true\n`);
    it.job(
      "no-shell.crontab",
      `SHELL=/nowhere/sh\nMAILTO=""\n* * * * * ${process.getuid?.() === 0 ? "root " : ""}true\n`,
    );
    it.job("fine", `${eachSecond}\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ticks\n`);
    const life = await it.start();
    await it.ctl("run", "no-shell:true", "--follow");
    await until(
      "several ticks",
      () =>
        ["missing", "nowhere", "no-file"].every((job) => it.events(job).length > 5) ||
        it.lines("ticks").length > 8,
    );
    expect(await life.end()).toBe(0);
    expect(it.events("missing").find(({ kind }) => kind === "end")).toMatchObject({ ok: false, exit: 127 });
    for (const job of ["nowhere", "no-file", "no-shell:true"]) {
      expect({ job, last: it.events(job).at(-1) }).toMatchObject({
        job,
        last: expect.objectContaining({ sentence: expect.stringMatching(/nowhere/) }),
      });
    }
    const failed = await it.ctl("runs", "--failed", "--json");
    expect(failed.stdout).toContain('"missing"');
    expect(it.lines("ticks").length).toBeGreaterThan(2);
    expect(doubled(it.lines("ticks"))).toEqual([]);
  });
});

describeWith("a job of another user", ["root"], () => {
  test("has his uid, his groups and no others, his name and home, and a folder that he may be in", async () => {
    await using it = scheduler({});
    mkdirSync(it.at("out"));
    Bun.spawnSync(["chmod", "777", it.at("out")]);
    const tell = `{ id -u; id -g; id -G; echo $HOME $LOGNAME $USER; pwd; umask; grep -E '^(CapEff|Uid|Gid)' /proc/self/status | tr '\\t' ' '; }`;
    const never = "every 1000d\noutput none";
    it.job("nobody", `${never}\nuser nobody\numask 027\nrun ${tell} > ${it.at("out")}/nobody\n`);
    it.job("other.crontab", `MAILTO=""\n0 0 1 1 * nobody ${tell} > ${it.at("out")}/line; echo $0\n`);
    const life = await it.start();
    await it.ctl("run", "nobody", "--follow");
    const [line = ""] = (await it.ask<{ job: string }[]>("next"))
      .map(({ job }) => job)
      .filter((job) => job.startsWith("other"));
    expect(await it.ctl("run", line, "--follow")).toMatchObject({ exitCode: 0, stdout: "/bin/sh\n" });
    expect(await life.end()).toBe(0);
    const told = (umask: string) =>
      `65534\n65534\n65534\n/nonexistent nobody nobody\n/\n${umask}\nUid: 65534 65534 65534 65534\nGid: 65534 65534 65534 65534\nCapEff: 0000000000000000\n`;
    expect(readFileSync(it.at("out/nobody"), "utf8")).toBe(told("0027"));
    expect(readFileSync(it.at("out/line"), "utf8")).toStartWith("65534\n65534\n65534\n");
    expect(it.events("nobody")[0]).toMatchObject({ kind: "start", user: "nobody" });
  });
});

describe.concurrent("jobs with `cluster`", () => {
  test("run while the state file says active; what passed shortly before that is made up for as `missed` says", async () => {
    await using it = scheduler({}, { daemon: ["look_back = 1h"] });
    for (const missed of ["skip", "latest", "all"]) {
      it.job(
        missed,
        `${eachSecond}\ncluster\nmissed ${missed}\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ${missed}\n`,
      );
    }
    it.job("here", `${eachSecond}\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> here\n`);
    await it.say("passive");
    const life = await it.start();
    const passive = (job: string) =>
      it
        .events(job)
        .flatMap((event) => (event.kind === "skip" && event.why === "passive" ? [event.tick] : []));
    await until("some ticks pass", () => passive("all").length >= 3 && it.lines("here").length >= 3);
    expect(it.lines("all")).toEqual([]);
    expect((await it.ctl("run", "all")).stderr).toContain("on the active machine only");
    await it.say("active");
    await until("it takes over", () => it.log().includes("active now") && it.lines("skip").length >= 2);
    await until("what passed is made up for", async () => {
      const { waiting } = await it.ask<{ waiting: number }>("status");
      return waiting === 0 && passive("all").every((tick) => hasRun(it, "all", tick));
    });
    await it.say("passive");
    await until("it stands by again", () => it.log().includes("no longer active"));
    expect(await life.end()).toBe(0);

    const madeUp = (job: string) =>
      passive(job)
        .slice(0, 3)
        .filter((tick) => hasRun(it, job, tick)).length;
    expect([madeUp("skip"), madeUp("all")]).toEqual([0, 3]);
    expect(passive("latest").filter((tick) => hasRun(it, "latest", tick))).toHaveLength(1);
    for (const job of ["skip", "latest", "all", "here"]) expect(doubled(it.lines(job))).toEqual([]);
    expect(passive("here")).toEqual([]);
  });

  test("on_passive = stop: the end of this machine's turn is theirs, and nobody else's", async () => {
    await using it = scheduler({}, { top: ["on_passive = stop"], daemon: ["stop_timeout = 1s"] });
    for (const [name, word] of [
      ["bound", "cluster"],
      ["free", "cluster no"],
    ]) {
      it.job(
        `${name}`,
        `every 1000d\noutput none\n${word}\ncwd ${it.at(".")}\nrun echo $$ >> ${name}; exec sleep 600\n`,
      );
    }
    const life = await it.start();
    for (const name of ["bound", "free"]) {
      await it.ctl("run", name);
      await until(`${name} runs`, () => it.lines(name).length === 1);
    }
    await Bun.sleep(1100); // the gate is asked each second, and must have been asked
    await it.say("passive");
    await until("bound has ended", () => howMany(it, "bound", "stopped") === 1);
    expect(it.events("bound").at(-1)).toMatchObject({
      sentence: expect.stringContaining("no longer active"),
    });
    expect(kinds(it.events("free"))).toEqual(["start"]);
    expect(await life.end()).toBe(0);
  });
});

function hasRun(it: Scheduler, job: string, tickMs: number): boolean {
  return it.lines(job).some((line) => Date.parse(line) === tickMs);
}

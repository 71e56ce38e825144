/** What has gone wrong once in the daemon, each by name. */
import { describe, expect, test } from "bun:test";
import type { RunResult } from "../../src/daemon/daemon.ts";
import { at, bedMaker, jobsOf, minuteMs, noonMs } from "./fake-parts.ts";

const newBed = bedMaker();

const ticksOf = (started: readonly string[]) => started.map((each) => each.replace(/ at .*/, ""));

describe("jobs with `cluster`", () => {
  test("a run that is found again ends when the machine has become passive meanwhile, as on_passive says", async () => {
    const texts = { one: "every 5m\ncluster" };
    const it = newBed(texts);
    it.executor.isQuick = false;
    it.gate.endsJobs = true;
    await it.clock.go(5 * minuteMs);
    const runId = it.executor.runs[0]?.due.runId ?? "";
    it.kill();
    it.executor.isQuick = false;
    it.executor.alive.add(`mark-${runId}`);
    it.gate.state = "passive";
    it.daemon.start(jobsOf(texts));
    await it.clock.go(1000);
    expect(it.executor.runs[0]?.watch.stopSentence()).toBe("no longer active: the test says passive");
    expect(it.daemon.runs.size).toBe(0);
  });

  test.each([
    ["skip", []],
    ["latest", ["one 12:00"]],
  ])(
    "a tick of the moments before the change is not merely late after a restart: missed %s",
    async (missed, started) => {
      const texts = { one: `every 1m\ncluster\nmissed ${missed}` };
      const it = newBed(texts, {}, noonMs - 30_000);
      it.gate.state = "passive";
      await it.clock.go(20_000); // 11:59:50
      it.kill();
      await it.clock.go(15_000);
      it.gate.state = "active";
      it.gate.sinceMs = noonMs + 4000;
      it.daemon.start(jobsOf(texts)); // 12:00:05
      await it.clock.go(5000);
      expect(ticksOf(it.started)).toEqual([...started]);
    },
  );

  test("go on when the clock of the active machine is set back behind the moment in which it became active", async () => {
    const it = newBed({ one: "every 1m\ncluster" });
    it.gate.sinceMs = noonMs - minuteMs;
    await it.clock.go(minuteMs);
    it.clock.set(noonMs - 90 * minuteMs);
    await it.clock.go(3 * minuteMs);
    expect(it.passedOver).toEqual([]);
    expect(it.started.length).toBeGreaterThan(2);
  });

  test("a doubt that no look has seen loses no tick that is made up for", async () => {
    const it = newBed({ one: "every 1m\ncluster\nmissed all" });
    await it.clock.go(minuteMs - 300);
    it.gate.state = "passive";
    it.gate.isDoubt = true;
    await it.clock.go(500);
    it.gate.state = "active";
    it.gate.isDoubt = false;
    await it.clock.go(2000);
    expect(it.passedOver).toEqual(["one 12:01 passive"]);
    expect(ticksOf(it.started)).toEqual(["one 12:01"]);
  });
});

describe("the queue", () => {
  test("what is made up for after a stop keeps no ordinary tick from its turn", async () => {
    const texts = { each: "* * * * *".replace(/^/, "at ").concat("\nmissed all") };
    const it = newBed(texts, { concurrency: 1 });
    await it.clock.go(minuteMs);
    it.kill();
    await it.clock.go(24 * 60 * minuteMs);
    it.daemon.start(jobsOf(texts));
    await it.clock.go(12 * minuteMs);
    expect(it.passedOver.filter((each) => each.endsWith(" queue"))).toEqual([]);
    const own = ticksOf(it.started).slice(-11);
    expect(own.at(-1)).toBe(`each ${at(it.clock.nowMs())}`);
  });

  test("ticks of each second that come four minutes late are all run", async () => {
    const it = newBed({ each: "at * * * * * *" });
    await it.clock.go(1000);
    const before = it.started.length;
    it.clock.set(it.clock.nowMs() + 240_000);
    await it.clock.go(1000);
    for (let turn = 0; turn < 10; turn++) await it.clock.go(0); // a few starts a turn
    expect(it.started.length - before).toBe(241);
    expect(it.passedOver).toEqual([]);
  });

  test("a start that is put off stays put off by as long when the clock is set back", async () => {
    const it = newBed({ late: "at 5 12 * * *\njitter 4m" }, { random: () => 0.5 });
    await it.clock.go(5 * minuteMs + 30_000);
    it.clock.set(it.clock.nowMs() - 86_400_000 - 120 * minuteMs);
    await it.clock.go(3 * minuteMs);
    expect(ticksOf(it.started)).toEqual(["late 12:05"]);
  });

  test("runs that are refused when they are found again are over", async () => {
    const it = newBed({ a: "every 1s\njitter 30s" }, { random: () => 0.99, concurrency: 1 });
    it.executor.isQuick = false;
    await it.clock.go(20_000);
    it.kill();
    it.executor.isQuick = false;
    await it.clock.go(40_000);
    it.daemon.start(jobsOf({ a: "every 1s\njitter 30s" }));
    await it.clock.go(1000);
    const told = it.passedOver.length;
    it.kill();
    it.daemon.start(jobsOf({ a: "every 1s\njitter 30s" }));
    await it.clock.go(0);
    expect(it.passedOver.slice(0, told).filter((each) => it.passedOver.slice(told).includes(each))).toEqual(
      [],
    );
  });

  test("that there are too many at once is said once in an hour", async () => {
    const it = newBed({ a: "every 1s", b: "every 1s" }, { concurrency: 1 });
    await it.clock.go(60_000);
    expect(it.log.filter((line) => line.includes("as concurrency allows")).length).toBe(1);
  });
});

describe("a restart", () => {
  test("right after a job was edited runs no tick of before that", async () => {
    const it = newBed({ a: "at 0 0 * * *" }, {}, noonMs + 10_000);
    await it.clock.go(57_000); // 12:01:07
    it.daemon.setJobs(jobsOf({ a: "at 1 12 * * *" }));
    await it.clock.go(1000);
    it.kill();
    it.daemon.start(jobsOf({ a: "at 1 12 * * *" }));
    await it.clock.go(5000);
    expect(it.started).toEqual([]);
  });

  test("`latest` makes up for one tick, though an earlier one was left in the book", async () => {
    const texts = { a: "at 0 12,13,14,15 * * *\njitter 4m\nmissed latest" };
    const it = newBed(texts, { random: () => 0.9 }, noonMs - minuteMs);
    await it.clock.go(2 * minuteMs);
    it.kill();
    await it.clock.go(3 * 60 * minuteMs + 4 * minuteMs);
    it.daemon.start(jobsOf(texts));
    await it.clock.go(10 * minuteMs);
    expect(ticksOf(it.started)).toEqual(["a 15:00"]);
  });

  test("of a daemon that was ended before it began leaves the book as it is", async () => {
    const texts = { a: "every 5m\nmissed all" };
    const it = newBed(texts);
    await it.clock.go(minuteMs);
    it.kill();
    await it.daemon.drain("rcrond was ended", () => {});
    it.kill();
    await it.clock.go(11 * minuteMs);
    it.daemon.start(jobsOf(texts));
    await it.clock.go(minuteMs);
    expect(ticksOf(it.started)).toEqual(["a 12:05", "a 12:10"]);
  });

  test("drain leaves runs that wait for their lock to the next daemon, and starts none of them", async () => {
    const it = newBed({ a: "every 5m" });
    // As a run with `overlap wait`: it is not started before it is let, and ends when it is stopped.
    it.executor.run = (_, watch) =>
      new Promise<RunResult>((resolve) => {
        watch.stop.addEventListener("abort", () =>
          resolve({ isOk: false, exitStatus: 125, sentence: watch.isLeft() ? "left" : "stopped" }),
        );
      });
    await it.clock.go(5 * minuteMs);
    const [run] = it.daemon.runs.all;
    await it.daemon.drain("rcrond was ended", () => {});
    expect((await run?.ended)?.sentence).toBe("left");
    it.kill();
    it.daemon.start(jobsOf({ a: "every 5m" }));
    await it.clock.go(0);
    expect(ticksOf(it.started)).toEqual(["a 12:05"]);
  });
});

test("a pause holds when the clock is set back behind its beginning", async () => {
  const it = newBed({ a: "every 5m" });
  it.daemon.setPauses([
    { job: undefined, sinceMs: noonMs, untilMs: noonMs + 30 * minuteMs, why: "", by: "root" },
  ]);
  it.clock.set(noonMs - 60 * minuteMs);
  await it.clock.go(12 * minuteMs);
  expect(it.started).toEqual([]);
  expect(it.passedOver).toEqual(["a 11:05 paused", "a 11:10 paused"]);
});

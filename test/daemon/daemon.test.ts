/** The daemon's loop, among fakes: what it starts when, and what it records of the rest. */
import { describe, expect, test } from "bun:test";
import { Problem } from "../../src/model/problem.ts";
import { at, bedMaker, jobsOf, minuteMs, noonMs } from "./fake-parts.ts";

const newBed = bedMaker();

describe("a daemon", () => {
  test("starts each job at its ticks, and no other time", async () => {
    const { clock, started } = newBed({ five: "at */5 * * * *", six: "every 6m" });
    await clock.go(12 * minuteMs);
    expect(started).toEqual([
      "five 12:05 at 12:05",
      "six 12:06 at 12:06",
      "five 12:10 at 12:10",
      "five 12:12 at 12:12".replace("five", "six"),
    ]);
  });

  test("puts starts off for splay, and starts them in their time", async () => {
    const { clock, executor, daemon } = newBed({ late: "at */5 * * * *\nsplay 1m" });
    await clock.go(5 * minuteMs);
    expect([executor.startedAt, daemon.queue.waiting]).toEqual([[], 1]);
    await clock.go(minuteMs);
    expect(executor.startedAt).toHaveLength(1);
    expect(executor.startedAt[0]).toStartWith("late 12:05 at 12:05:");
  });

  test("takes up changed jobs: new ones, other times, gone ones", async () => {
    const { clock, daemon, started } = newBed({ a: "every 5m", b: "every 5m", c: "every 5m" });
    await clock.go(5 * minuteMs);
    daemon.setJobs(jobsOf({ a: "every 5m", b: "every 7m", d: "at 8 12 * * *" }));
    await clock.go(5 * minuteMs);
    expect(started).toEqual([
      "a 12:05 at 12:05",
      "b 12:05 at 12:05",
      "c 12:05 at 12:05",
      "d 12:08 at 12:08",
      "a 12:10 at 12:10",
    ]);
  });

  test("doesn't start what is due when its file is gone meanwhile", async () => {
    const { clock, daemon, started, log } = newBed({ late: "at */5 * * * *\nsplay 1m" });
    await clock.go(5 * minuteMs);
    daemon.setJobs(jobsOf({}));
    await clock.go(minuteMs);
    expect(started).toEqual([]);
    expect(log).toContain("late: not started: its file is gone");
  });

  test("lets no more runs go on than concurrency allows, and starts the rest as they end", async () => {
    const { clock, executor, started, log } = newBed(
      { a: "every 5m", b: "every 5m", c: "every 5m" },
      { concurrency: 2 },
    );
    executor.isQuick = false;
    await clock.go(5 * minuteMs);
    expect(started).toHaveLength(2);
    expect(log).toContain("2 runs go on, as many as concurrency allows; 1 wait");
    executor.runs[0]?.end();
    await clock.go(0);
    expect(started).toEqual(["a 12:05 at 12:05", "b 12:05 at 12:05", "c 12:05 at 12:05"]);
  });

  test("goes on when an executor fails as none may", async () => {
    const { clock, executor, log, daemon } = newBed({ a: "every 5m" });
    executor.run = () => Promise.reject(new Error("a defect"));
    await clock.go(5 * minuteMs);
    expect(log.join()).toContain("a: internal error: Error: a defect");
    expect([daemon.runs.size, daemon.queue.going]).toEqual([0, 0]);
  });

  test("starts @reboot jobs once a boot", async () => {
    const files = { boot: "at @reboot" };
    const it = newBed(files);
    await it.clock.go(0);
    expect(it.started).toEqual(["boot 12:00 at 12:00"]);
    it.kill();
    it.daemon.start(jobsOf(files));
    await it.clock.go(minuteMs);
    expect(it.started).toEqual([]);
  });
});

describe("pauses", () => {
  test("keep a job from being started, each tick recorded, and end by themselves", async () => {
    const bed = newBed({ a: "every 5m", b: "every 5m" });
    const { clock, daemon, started, skipped } = bed;
    const untilMs = noonMs + 8 * minuteMs;
    daemon.setPauses([{ job: "a", sinceMs: noonMs, untilMs, why: "new disks", by: "root" }]);
    await clock.go(10 * minuteMs);
    expect(started).toEqual(["b 12:05 at 12:05", "a 12:10 at 12:10", "b 12:10 at 12:10"]);
    expect(bed.passedOver).toEqual(["a 12:05 paused"]);
    expect(skipped[0]?.sentence).toBe("paused until 2026-11-21T12:08:00Z by root: new disks");
  });

  test("of all jobs, and outlive the daemon", async () => {
    const it = newBed({ a: "every 5m" });
    const untilMs = noonMs + 8 * minuteMs;
    it.daemon.setPauses([{ job: undefined, sinceMs: noonMs, untilMs, why: "", by: "root" }]);
    it.kill();
    it.daemon.start(jobsOf({ a: "every 5m" }));
    expect(it.daemon.pauses).toHaveLength(1);
    await it.clock.go(10 * minuteMs);
    expect(it.started).toEqual(["a 12:10 at 12:10"]);
    expect(it.passedOver).toEqual(["a 12:05 paused"]);
    expect(it.daemon.pauses).toEqual([]);
  });

  test("hold for what was missed in them, though they are over when that is found", async () => {
    const it = newBed({ a: "every 5m\nmissed all" });
    const untilMs = noonMs + 12 * minuteMs;
    it.daemon.setPauses([{ job: "a", sinceMs: noonMs, untilMs, why: "", by: "root" }]);
    it.kill();
    await it.clock.go(20 * minuteMs);
    it.daemon.start(jobsOf({ a: "every 5m\nmissed all" }));
    await it.clock.go(minuteMs);
    expect(it.passedOver).toEqual(["a 12:05 paused", "a 12:10 paused"]);
    expect(it.started.map((each) => each.slice(0, 7)).sort()).toEqual(["a 12:15", "a 12:20"]);
    expect(it.daemon.pauses).toEqual([]);
  });

  test("hold for starts that were put off into them, and for ticks in them whose start comes later", async () => {
    const bed = newBed({ late: "at */5 * * * *\nsplay 1m" });
    const { clock, daemon, executor } = bed;
    await clock.go(5 * minuteMs);
    daemon.setPauses([
      {
        job: "late",
        sinceMs: clock.nowMs(),
        untilMs: clock.nowMs() + 5 * minuteMs + 1000,
        why: "",
        by: "root",
      },
    ]);
    await clock.go(7 * minuteMs);
    expect(executor.startedAt).toEqual([]);
    expect(bed.passedOver).toEqual(["late 12:05 paused", "late 12:10 paused"]);
  });
});

describe("after kill -9", () => {
  const files = { a: "at */5 * * * *\nsplay 2m" };

  test("what was due and not started is started, once, if it is less than a minute late", async () => {
    const it = newBed(files);
    await it.clock.go(5 * minuteMs + 1000);
    it.kill();
    await it.clock.go(20_000);
    it.daemon.start(jobsOf(files));
    await it.clock.go(3 * minuteMs);
    expect(it.started).toHaveLength(1);
    expect(it.started[0]).toStartWith("a 12:05 at 12:0");
  });

  test.each([
    ["skip", [], ["a 12:05 missed"]],
    ["latest", ["a 12:05"], []],
    ["all", ["a 12:05"], []],
  ] as const)("what is later than that is a matter of `missed`: %s", async (missed, started, passedOver) => {
    const texts = { a: `at 5 12 * * *\nsplay 2m\nmissed ${missed}` };
    const it = newBed(texts);
    await it.clock.go(5 * minuteMs + 1000);
    it.kill();
    await it.clock.go(20 * minuteMs);
    it.daemon.start(jobsOf(texts));
    await it.clock.go(minuteMs);
    expect(it.started.map((each) => each.slice(0, 7))).toEqual([...started]);
    expect(it.passedOver).toEqual([...passedOver]);
  });

  test("ticks of the time without a daemon are a matter of `missed`, too, and none comes twice", async () => {
    const texts = { none: "every 5m", last: "every 5m\nmissed latest", each: "every 5m\nmissed all" };
    const it = newBed(texts);
    await it.clock.go(5 * minuteMs);
    expect(it.started).toHaveLength(3);
    it.kill();
    await it.clock.go(17 * minuteMs); // 12:22
    it.daemon.start(jobsOf(texts));
    await it.clock.go(minuteMs);
    expect(it.started.map((each) => each.replace(/ at .*/, "")).sort()).toEqual([
      "each 12:10",
      "each 12:15",
      "each 12:20",
      "last 12:20",
    ]);
    expect(it.skipped.map(({ job, sentence }) => `${job.name}: ${sentence?.split(" ", 1)[0]}`)).toEqual([
      "none: 3",
      "last: 2",
    ]);
  });

  test("a run that goes on is found again and not started twice", async () => {
    const it = newBed({ a: "every 5m" });
    it.executor.isQuick = false;
    await it.clock.go(5 * minuteMs);
    const runId = it.executor.runs[0]?.due.runId ?? "";
    it.kill();
    it.executor.alive.add(`mark-${runId}`);
    it.executor.isQuick = false;
    it.daemon.start(jobsOf({ a: "every 5m" }));
    await it.clock.go(0);
    expect(it.executor.runs.map(({ due }) => due.runId)).toEqual([runId]);
    expect([it.daemon.runs.size, it.daemon.queue.goingOf("a")]).toEqual([1, 1]);
    // It is in the book until its end: a third daemon finds it, too.
    it.kill();
    it.executor.alive.add(`mark-${runId}`);
    it.daemon.start(jobsOf({}));
    await it.clock.go(0);
    expect(it.executor.runs.map(({ due }) => [due.runId, due.job])).toEqual([[runId, undefined]]);
    expect(it.daemon.runs.size).toBe(0);
    it.kill();
    it.daemon.start(jobsOf({}));
    expect(it.executor.runs).toEqual([]);
  });

  test("a run whose process is gone is told, and not started again", async () => {
    const it = newBed({ a: "every 5m\nmissed all" });
    it.executor.isQuick = false;
    await it.clock.go(5 * minuteMs);
    const runId = it.executor.runs[0]?.due.runId;
    it.kill();
    it.daemon.start(jobsOf({ a: "every 5m\nmissed all" }));
    await it.clock.go(minuteMs);
    expect(it.started).toEqual([]);
    expect(it.log.join()).toContain(`a: the run ${runId} was interrupted`);
  });

  test("in the moment of a start: found by the run's id, or recorded as not started", async () => {
    for (const isThere of [true, false]) {
      const it = newBed({ a: "every 5m" });
      it.executor.run = (due, watch) => {
        watch.onStarting();
        it.executor.found.set("id", due.runId);
        return new Promise(() => {});
      };
      await it.clock.go(5 * minuteMs);
      const runId = it.executor.found.get("id") ?? "";
      it.kill();
      if (isThere) {
        it.executor.found.set(runId, "m");
        it.executor.alive.add("m");
      }
      it.daemon.start(jobsOf({ a: "every 5m" }));
      await it.clock.go(0);
      expect(it.started).toEqual(isThere ? ["a 12:05 at 12:05"] : []);
      expect(it.passedOver).toEqual(isThere ? [] : ["a 12:05 failed-before-start"]);
      it.close();
    }
  });
});

describe("jobs with `cluster`", () => {
  test("follow the gate, tick by tick", async () => {
    const it = newBed({ here: "every 1m", one: "every 1m\ncluster" });
    it.gate.state = "passive";
    await it.clock.go(2 * minuteMs);
    expect(it.started).toEqual(["here 12:01 at 12:01", "here 12:02 at 12:02"]);
    expect(it.passedOver).toEqual(["one 12:01 passive", "one 12:02 passive"]);
  });

  test.each([
    ["skip", []],
    ["latest", ["one 12:01 at 12:01:01"]],
    ["all", ["one 12:01 at 12:01:01"]],
  ])("whose tick passed moments before this machine became active: missed %s", async (missed, started) => {
    const it = newBed({ one: `every 1m\ncluster\nmissed ${missed}` });
    it.gate.state = "passive";
    await it.clock.go(minuteMs + 500);
    expect(it.passedOver).toEqual(["one 12:01 passive"]);
    it.gate.state = "active";
    it.gate.sinceMs = it.clock.nowMs();
    await it.clock.go(2000);
    expect(it.started).toEqual(started);
  });

  test("ticks of long before the change were the other machine's", async () => {
    const it = newBed({ one: "every 1m\ncluster\nmissed all" });
    it.gate.state = "passive";
    await it.clock.go(minuteMs + 30_000);
    it.gate.state = "active";
    it.gate.sinceMs = it.clock.nowMs();
    await it.clock.go(2000);
    expect(it.started).toEqual([]);
  });

  test("ticks of a time of doubt were perhaps nobody's, however long it lasted", async () => {
    const it = newBed({ one: "every 1m\ncluster\nmissed all" });
    it.gate.state = "passive";
    await it.clock.go(minuteMs + 30_000); // 12:01 was the other machine's
    it.gate.isDoubt = true;
    await it.clock.go(2 * minuteMs);
    it.gate.isDoubt = false;
    it.gate.state = "active";
    it.gate.sinceMs = it.clock.nowMs();
    await it.clock.go(2000);
    expect(it.started.map((each) => each.slice(0, 9))).toEqual(["one 12:02", "one 12:03"]);
  });

  test("a new daemon makes up for ticks of its own time as the active one, and for none of the other's", async () => {
    const texts = { one: "every 5m\ncluster\nmissed all" };
    const it = newBed(texts);
    await it.clock.go(minuteMs);
    it.kill();
    await it.clock.go(20 * minuteMs); // 12:21
    it.gate.sinceMs = noonMs + 12 * minuteMs;
    it.daemon.start(jobsOf(texts));
    await it.clock.go(minuteMs);
    expect(it.started.map((each) => each.slice(0, 9))).toEqual(["one 12:15", "one 12:20"]);
    expect(it.passedOver).toEqual(["one 12:05 passive", "one 12:10 passive"]);
  });

  test("end with the machine's turn where on_passive says so; a doubt counts when it lasts", async () => {
    const it = newBed({ here: "every 1m", one: "every 1m\ncluster" });
    it.executor.isQuick = false;
    it.gate.endsJobs = true;
    await it.clock.go(minuteMs);
    it.gate.state = "passive";
    it.gate.isDoubt = true;
    await it.clock.go(1000);
    expect(it.daemon.runs.size).toBe(2);
    await it.clock.go(1000);
    expect([...it.daemon.runs.all].map(({ run }) => run.jobName)).toEqual(["here"]);
  });
});

describe("what an operator asks", () => {
  test("run: at once, outside the schedule, whatever is paused", async () => {
    const { clock, daemon, started } = newBed({ a: "every 1h" });
    daemon.setPauses([{ job: "a", sinceMs: noonMs, untilMs: noonMs + 1000, why: "", by: "root" }]);
    const run = daemon.runNow("a", "mona");
    if (run instanceof Problem) throw run;
    expect(await run.ended).toMatchObject({ exitStatus: 0 });
    await clock.go(0);
    expect(started).toEqual(["a 12:00 at 12:00"]);
  });

  test("run: not on a passive machine where the job is bound to the active one", () => {
    const { daemon, gate } = newBed({ a: "every 1h\ncluster" });
    gate.state = "passive";
    expect(daemon.runNow("a", "mona")).toMatchObject({ code: "conflict" });
    expect(daemon.runNow("b", "mona")).toMatchObject({ code: "not-found" });
  });

  test("stop: by id, by its beginning, by the job's name", async () => {
    const { clock, daemon, executor } = newBed({ a: "every 5m", b: "every 5m" });
    executor.isQuick = false;
    await clock.go(10 * minuteMs);
    expect(daemon.runs.size).toBe(4);
    const id = executor.runs[1]?.due.runId ?? "";
    for (const text of [id, id.slice(0, 8)]) {
      expect(daemon.runs.find(text)).toMatchObject({ run: { runId: id, jobName: "b" } });
    }
    expect(daemon.runs.find("a")).toMatchObject({ code: "conflict" });
    expect(daemon.runs.find("")).toMatchObject({ code: "not-found" });
    expect(daemon.runs.find(id.slice(0, 5))).toMatchObject({ code: "not-found" });
    expect(daemon.runs.find("c")).toMatchObject({ code: "not-found" });
    expect([daemon.runs.stop(id, "stopped by mona"), daemon.runs.stop(id, "again")]).toEqual([true, false]);
    await clock.go(0);
    expect(daemon.runs.find("b")).toMatchObject({ run: { jobName: "b" } });
    expect(executor.runs[1]?.watch.stopSentence()).toBe("stopped by mona");
  });
});

describe("the end", () => {
  test("waits for what goes on, starts nothing more, and leaves what is due to the next daemon", async () => {
    const it = newBed({ a: "every 5m", late: "at */5 * * * *\nsplay 2m" });
    it.executor.isQuick = false;
    await it.clock.go(5 * minuteMs);
    let isOver = false;
    const drained = it.daemon
      .drain("rcrond was stopped", () => {})
      .then(() => {
        isOver = true;
      });
    await it.clock.go(5000);
    expect(isOver).toBe(false);
    it.executor.runs[0]?.end();
    await drained;
    await it.clock.go(10 * minuteMs);
    expect(it.started).toHaveLength(1);
    it.kill();
    it.daemon.start(jobsOf({ late: "at */5 * * * *\nsplay 2m" }));
    expect(it.passedOver[0]).toBe("late 12:05 missed");
  });

  test("ends what has not ended in time", async () => {
    const it = newBed({ a: "every 5m" });
    it.executor.isQuick = false;
    await it.clock.go(5 * minuteMs);
    let waited = 0;
    const drained = it.daemon.drain("rcrond was stopped", (count) => {
      waited = count;
    });
    await it.clock.go(10_001);
    await drained;
    expect(waited).toBe(1);
    expect(it.executor.runs[0]?.watch.stopSentence()).toBe("rcrond was stopped");
  });
});

test("at() shows what is needed", () => {
  expect([at(noonMs), at(noonMs + 1000)]).toEqual(["12:00", "12:00:01"]);
});

/**
 * What the planner plans: looks at any moment, and clocks that are set. Its rules for what was missed have a table of their
 * own in missed.test.ts.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { scheduleKey } from "../../src/daemon/planner.ts";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import {
  anyCron,
  anyEvery,
  anyPolicy,
  at,
  day,
  droppedCountOf,
  hour,
  jobAt,
  minute,
  moment,
  namesOf,
  newPlanner,
  plannedOf,
  scheduleOf,
  second,
  setOf,
  ticksOf,
  told,
} from "./scheduled.ts";

const lateLooks = fc.array(fc.integer({ min: 1, max: 5 * minute }), { minLength: 1, maxLength: 60 });

describe("look()", () => {
  test("gives each tick of cron jobs once, whenever it looks, at most 5 minutes late", () => {
    fc.assert(
      fc.property(
        fc.array(anyCron, { minLength: 1, maxLength: 5 }),
        moment,
        lateLooks,
        anyPolicy,
        (texts, startMs, steps, missed) => {
          const jobs = setOf(...texts.map((text, n) => jobAt(`job${n}`, text, { missed })));
          const planner = newPlanner();
          let nowMs = startMs;
          const plans = [planner.start(jobs, nowMs, undefined, false)];
          for (const by of steps) {
            nowMs += by;
            plans.push(planner.look(nowMs));
            expect(planner.horizonMs).toBe(nowMs);
          }
          expect(plannedOf(plans)).toEqual(
            [...jobs.values()].flatMap((job) => ticksOf(job, startMs, nowMs)).sort(),
          );
          expect(plans.flatMap(({ dropped }) => dropped)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
  test("gives of intervals the latest tick, and tells of the others or makes up for them", () => {
    fc.assert(
      fc.property(anyEvery, moment, lateLooks, anyPolicy, (text, startMs, steps, missed) => {
        const job = jobAt("job", text, { missed });
        const planner = newPlanner();
        let nowMs = startMs;
        const plans = [planner.start(setOf(job), nowMs, undefined, false)];
        for (const by of steps) {
          nowMs += by;
          plans.push(planner.look(nowMs));
        }
        const expected = ticksOf(job, startMs, nowMs);
        const planned = plannedOf(plans);
        expect(new Set(planned).size).toBe(planned.length);
        expect(planned.length + droppedCountOf(plans, "job")).toBe(expected.length);
        if (missed === "all") expect(planned).toEqual(expected);
        else expect(expected).toEqual(expect.arrayContaining(planned));
      }),
      { numRuns: 300 },
    );
  });
  test("looked at when it asks to be, is never late and never wakes for nothing twice in a minute", () => {
    const jobs = setOf(
      jobAt("cron", "*/3 * * * *"),
      jobAt("zone", "17 * * * * in Australia/Lord_Howe"),
      jobAt("seconds", "*/20 0 * * * *"),
      jobAt("every", { kind: "every", periodMs: 90 * second, offsetMs: 13 * second }),
    );
    const planner = newPlanner();
    let nowMs = at("2026-06-10 11:59:12") + 345;
    const plans = [planner.start(jobs, nowMs, undefined, false)];
    const startMs = nowMs;
    while (nowMs < startMs + hour) {
      const nextMs = planner.nextLookMs(nowMs);
      expect(nextMs).toBeGreaterThan(nowMs);
      expect(nextMs - nowMs).toBeLessThanOrEqual(minute);
      nowMs = nextMs;
      const plan = planner.look(nowMs);
      for (const { tick } of plan.planned) expect(tick.atMs).toBe(nowMs);
      plans.push(plan);
      expect(planner.look(nowMs)).toEqual({ planned: [], dropped: [] });
    }
    expect(plannedOf(plans)).toEqual(
      [...jobs.values()].flatMap((job) => ticksOf(job, startMs, nowMs)).sort(),
    );
  });
  test("orders by instant, then as the jobs stand", () => {
    const jobs = setOf(
      jobAt("z", "*/2 * * * *"),
      jobAt("m", "every 1m"),
      jobAt("a", "* * * * *"),
      jobAt("s", "0 * * * * *"),
    );
    const planner = newPlanner();
    planner.start(jobs, at("2026-06-10 12:00:30"), undefined, false);
    const plan = planner.look(at("2026-06-10 12:02:30"));
    expect(namesOf(plan)).toEqual(["a", "s", "z", "m", "a", "s"]);
    expect(told([plan])).toBe("12:01 12:01 12:02 12:02 12:02 12:02, 1 missed");
  });
  test("drops what is older than start_deadline, and not what is just as old", () => {
    const jobs = setOf(jobAt("job", "* * * * *", { startDeadlineMs: 90 * second, missed: "all" }));
    const planner = newPlanner();
    planner.start(jobs, at("2026-06-10 12:00:01"), undefined, false);
    const plan = planner.look(at("2026-06-10 12:04:30"));
    expect(told([plan])).toBe("12:03 12:04, 2 too old");
    const [job] = jobs.values();
    expect(plan.dropped).toEqual([
      {
        job: job as ScheduledJob,
        count: 2,
        isAtLeast: false,
        firstMs: at("2026-06-10 12:01"),
        lastMs: at("2026-06-10 12:02"),
        why: "deadline",
      },
    ]);
  });
  test("tells one entry a job and reason, in the order of the jobs", () => {
    const policies = { startDeadlineMs: 3 * hour, missed: "all" } as const;
    const jobs = setOf(jobAt("b", "* * * * *", policies), jobAt("e", "every 10m"), jobAt("a", "0 * * * *"));
    const planner = newPlanner();
    planner.start(jobs, at("2026-06-10 00:05"), undefined, false);
    const plan = planner.look(at("2026-06-10 12:05"));
    const shown = plan.dropped.map(({ job, count, firstMs, lastMs, why }) => {
      const time = (ms: number) => new Date(ms).toISOString().slice(11, 16);
      return `${job.name} ${count} ${why} ${time(firstMs)}-${time(lastMs)}`;
    });
    expect(shown).toEqual([
      "b 539 deadline 00:06-09:04",
      "b 80 limit 09:05-10:24",
      "e 71 missed 00:10-11:50",
      "a 12 missed 01:00-12:00",
    ]);
  });
});

describe("a clock that is set to and fro", () => {
  test("gives fixed times once, as long as it stays within 3 hours of what it has shown", () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: -178 * 60, max: 8 * 3600 }), fc.nat(90)), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        steps,
        moment,
        anyPolicy,
        fc.constantFrom("0-59/7 0-23 * * *", "0 0-59/7 0-23 * * *"),
        fc.constantFrom("", " in Europe/Berlin"),
        (seconds, startMs, missed, text, zone) => {
          const job = jobAt("job", `${text}${zone}`, { missed });
          const planner = newPlanner();
          let nowMs = startMs;
          let highestMs = startMs;
          const plans = [planner.start(setOf(job), nowMs, undefined, false)];
          for (const by of seconds) {
            // A repeated hour is an hour back as well.
            nowMs = Math.max(nowMs + by * second, highestMs - 118 * minute);
            highestMs = Math.max(highestMs, nowMs);
            plans.push(planner.look(nowMs));
          }
          // Until nothing is held back any more.
          const endMs = highestMs + 2 * hour;
          for (nowMs = highestMs; nowMs < endMs; nowMs += 4 * minute) plans.push(planner.look(nowMs));
          plans.push(planner.look(nowMs));
          const planned = plannedOf(plans);
          const expected = ticksOf(job, startMs, nowMs);
          expect(new Set(planned).size).toBe(planned.length);
          expect(planned.length + droppedCountOf(plans, "job")).toBe(expected.length);
          expect(expected).toEqual(expect.arrayContaining(planned));
        },
      ),
      { numRuns: 500 },
    );
  });
  test("leaves out nothing with missed all, as long as it stays within 2 hours of what it has shown", () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: -118 * 60, max: 3 * 3600 }), fc.nat(90)), {
      maxLength: 40,
    });
    const schedules = fc.constantFrom(
      "*/7 * * * *",
      "*/7 * * * * in Asia/Kolkata",
      "every 5m",
      "17 * * * * *",
    );
    fc.assert(
      fc.property(steps, moment, schedules, (seconds, startMs, text) => {
        const job = jobAt("job", text, { missed: "all" });
        const planner = newPlanner();
        let nowMs = startMs;
        let highestMs = startMs;
        const plans = [planner.start(setOf(job), nowMs, undefined, false)];
        for (const by of seconds) {
          nowMs = Math.max(nowMs + by * second, highestMs - 118 * minute, startMs);
          highestMs = Math.max(highestMs, nowMs);
          plans.push(planner.look(nowMs));
        }
        plans.push(planner.look(highestMs + 2 * minute));
        if (plans.some(({ dropped }) => dropped.length > 0)) return;
        const expected = ticksOf(job, startMs, highestMs + 2 * minute);
        expect(plannedOf(plans)).toEqual(expect.arrayContaining(expected));
      }),
      { numRuns: 500 },
    );
  });
  test("never throws, and always looks ahead", () => {
    const steps = fc.array(fc.integer({ min: -3 * day, max: 3 * day }), { maxLength: 30 });
    fc.assert(
      fc.property(
        steps,
        moment,
        fc.array(fc.oneof(anyCron, anyEvery), { maxLength: 4 }),
        anyPolicy,
        (moves, startMs, texts, missed) => {
          const jobs = setOf(...texts.map((text, n) => jobAt(`job${n}`, text, { missed })));
          const planner = newPlanner();
          let nowMs = startMs;
          planner.start(jobs, nowMs, undefined, false);
          for (const by of moves) {
            nowMs += by;
            const { planned } = planner.look(nowMs);
            const instants = planned.map(({ tick }) => tick.atMs);
            expect(instants).toEqual(instants.toSorted((a, b) => a - b));
            expect(planner.look(nowMs)).toEqual({ planned: [], dropped: [] });
            expect(planner.nextLookMs(nowMs)).toBeWithin(nowMs + 1, nowMs + minute + 1);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("nextLookMs()", () => {
  const now = at("2026-06-10 12:00:12") + 345;
  test.each([
    ["nothing", [], 60_000],
    ["five fields", ["0 3 * * *"], 47_655],
    ["six fields", ["0 0 3 * * *"], 655],
    ["an interval that is far", ["every 1h"], 60_000],
    ["an interval that is near", ["every 5s"], 2655],
    ["several", ["0 3 * * *", "every 30s", "@reboot"], 17_655],
  ])("for %s", (_, schedules, inMs) => {
    const planner = newPlanner();
    planner.start(setOf(...schedules.map((text, n) => jobAt(`job${n}`, text))), now, undefined, false);
    expect(planner.nextLookMs(now) - now).toBe(inMs);
  });
  test("of an interval that is due, and was not looked at: now", () => {
    const planner = newPlanner();
    planner.start(setOf(jobAt("job", "every 5s")), now, undefined, false);
    expect(planner.nextLookMs(now + hour)).toBe(now + hour);
  });
  test("at most a minute ahead when the clock has gone back", () => {
    const planner = newPlanner();
    planner.start(setOf(jobAt("job", "every 5s")), now, undefined, false);
    expect(planner.nextLookMs(now - day)).toBe(now - day + minute);
    planner.look(now - day);
    expect(planner.nextLookMs(now - day) - (now - day)).toBe(2655);
  });
});

describe("horizonMs", () => {
  test.each([
    ["stays while the clock catches up", [0, -hour], 0],
    ["goes back with a correction", [0, -3 * hour], -3 * hour],
    ["goes back when small steps add up to one", [0, -2 * hour, -4 * hour], -4 * hour],
    ["goes on from where it stayed", [0, -hour, minute], minute],
  ])("%s", (_, looks, expectedMs) => {
    const nowMs = at("2026-06-10 12:00:30");
    const planner = newPlanner();
    planner.start(setOf(), nowMs, undefined, false);
    for (const byMs of looks) planner.look(nowMs + byMs);
    expect(planner.horizonMs - nowMs).toBe(expectedMs);
  });
});

describe("scheduleKey()", () => {
  test("differs where ticks may differ, and nowhere else", () => {
    const schedules = [
      "* * * * *",
      "0 * * * * *",
      "* * * * * in Europe/Berlin",
      "*/2 * * * *",
      "every 1m",
      "every 2m",
      "@reboot",
    ];
    const keys = schedules.map((text) => scheduleKey(jobAt("a", text)));
    expect(new Set(keys).size).toBe(schedules.length);
    const again = schedules.map((text) =>
      scheduleKey(jobAt("b", text, { missed: "all", description: "other" })),
    );
    expect(again).toEqual(keys);
    const offset = { ...scheduleOf("every 1m"), offsetMs: 5000 } as ScheduledJob["schedule"];
    expect(keys).not.toContain(scheduleKey(jobAt("a", offset)));
  });
});

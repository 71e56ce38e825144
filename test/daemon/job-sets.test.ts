/**
 * Job sets that change, and daemons that end and begin: no tick is lost, and none doubled.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import { zoneNamed } from "../schedule/expressions.ts";
import {
  anyCron,
  anyEvery,
  anyPolicy,
  at,
  droppedCountOf,
  hour,
  jobAt,
  memoryOf,
  minute,
  moment,
  namesOf,
  newPlanner,
  plannedOf,
  setOf,
  ticksOf,
  told,
} from "./scheduled.ts";

describe("setJobs()", () => {
  /** A few jobs, edited at any moment: taken away, put back, given other times, or the very same. */
  const edits = fc.array(
    fc.record({
      afterMs: fc.oneof(
        fc.integer({ min: 1, max: 4 * minute }),
        fc.constant(minute),
        fc.constantFrom(1, 1000),
      ),
      name: fc.constantFrom("a", "b", "c"),
      schedule: fc.oneof(
        fc.constantFrom(
          "* * * * *",
          "*/2 * * * *",
          "* * * * * *",
          "0-59 0-23 * * * in Europe/Berlin",
          "every 30s",
          "every 1m",
        ),
        fc.constant(undefined),
      ),
      isLookedAt: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  );
  const evenMoment = moment.map((ms) => Math.floor(ms / minute) * minute);
  test("loses and doubles no tick, at whatever moment", () => {
    fc.assert(
      fc.property(fc.oneof(moment, evenMoment), edits, (startMs, steps) => {
        const planner = newPlanner();
        let nowMs = startMs;
        let jobs: ReadonlyMap<string, ScheduledJob> = new Map();
        const plans = [planner.start(jobs, nowMs, undefined, false)];
        const expected: string[] = [];
        const since = new Map<string, number>();
        const leave = (name: string) => {
          const [job, fromMs] = [jobs.get(name), since.get(name)];
          if (job !== undefined && fromMs !== undefined) expected.push(...ticksOf(job, fromMs, nowMs));
        };
        for (const { afterMs, name, schedule, isLookedAt } of steps) {
          nowMs += afterMs;
          if (isLookedAt) {
            plans.push(planner.look(nowMs));
            continue;
          }
          leave(name);
          const next = new Map(jobs);
          next.delete(name);
          if (schedule !== undefined) {
            next.set(name, jobAt(name, schedule, { missed: "all" }));
            since.set(name, nowMs);
          }
          plans.push(planner.setJobs(next, nowMs));
          jobs = next;
        }
        plans.push(planner.look(nowMs));
        for (const name of jobs.keys()) leave(name);
        expect(plannedOf(plans)).toEqual(expected.sort());
      }),
      { numRuns: 500 },
    );
  });
  test("plans what is due until now as the jobs were, and not again", () => {
    const planner = newPlanner();
    const before = jobAt("job", "* * * * *", { description: "before" });
    const after = jobAt("job", "* * * * *", { description: "after" });
    planner.start(setOf(before), at("2026-06-10 12:00:30"), undefined, false);
    const plan = planner.setJobs(setOf(after), at("2026-06-10 12:01:00"));
    expect(plan.planned.map(({ job }) => job.description)).toEqual(["before"]);
    expect(planner.look(at("2026-06-10 12:01:00")).planned).toEqual([]);
    const next = planner.look(at("2026-06-10 12:02:00"));
    expect(next.planned.map(({ job }) => job.description)).toEqual(["after"]);
  });
  test("lets an interval go on that has not changed, and begins one that has", () => {
    const planner = newPlanner();
    planner.start(
      setOf(jobAt("same", "every 10m"), jobAt("changed", "every 10m")),
      at("2026-06-10 12:09"),
      undefined,
      false,
    );
    // Ten seconds back: the tick of 12:10 has been run for both, and 12:10 is still to come on the clock.
    expect(told([planner.look(at("2026-06-10 12:10:05"))])).toBe("12:10 12:10");
    planner.look(at("2026-06-10 12:09:55"));
    planner.setJobs(
      setOf(jobAt("same", "every 10m"), jobAt("changed", "every 5m")),
      at("2026-06-10 12:09:56"),
    );
    expect(namesOf(planner.look(at("2026-06-10 12:10:01")))).toEqual(["changed"]);
  });
  test("keeps a clock that waits, for the jobs that come to it", () => {
    const planner = newPlanner();
    planner.start(setOf(jobAt("a", "0-59 0-23 * * *")), at("2026-06-10 12:00:30"), undefined, false);
    expect(told([planner.look(at("2026-06-10 11:30:30"))])).toBe("–");
    planner.setJobs(setOf(jobAt("b", "0-59 0-23 * * *")), at("2026-06-10 11:40:30"));
    expect(told([planner.look(at("2026-06-10 11:41:30")), planner.look(at("2026-06-10 12:01:00"))])).toBe(
      "12:01",
    );
  });
  test("begins a clock anew where a zone had no jobs meanwhile", () => {
    const planner = newPlanner();
    const jobs = setOf(jobAt("a", "* * * * * in Europe/Berlin"));
    planner.start(jobs, at("2026-06-10 12:00:30"), undefined, false);
    planner.setJobs(setOf(), at("2026-06-10 12:00:40"));
    expect(told([planner.setJobs(jobs, at("2026-06-10 13:00:40"))])).toBe("–");
    expect(told([planner.look(at("2026-06-10 13:01:00"))])).toBe("15:01");
  });
  test("does not start @reboot jobs that come later", () => {
    const planner = newPlanner();
    planner.start(setOf(), at("2026-06-10 12:00"), undefined, true);
    planner.setJobs(setOf(jobAt("boot", "@reboot")), at("2026-06-10 12:01"));
    expect(planner.look(at("2026-06-10 12:02")).planned).toEqual([]);
  });
});

describe("start()", () => {
  test.each([
    ["of the machine: @reboot jobs are due", true, undefined, ["boot"]],
    ["of the daemon alone: they are not", false, undefined, []],
    ["of the machine, after a daemon before", true, at("2026-06-10 11:59:59"), ["boot", "job"]],
    ["of the daemon alone, after a daemon before", false, at("2026-06-10 11:59:59"), ["job"]],
  ])("%s", (_, isNewBoot, horizonMs, names) => {
    const jobs = setOf(jobAt("boot", "@reboot"), jobAt("job", "* * * * *"));
    const memory = horizonMs === undefined ? undefined : memoryOf(jobs, horizonMs);
    const planner = newPlanner({ zone: zoneNamed("Europe/Berlin") });
    const nowMs = at("2026-06-10 12:00");
    const plan = planner.start(jobs, nowMs, memory, isNewBoot);
    expect(namesOf(plan)).toEqual(names);
    const boot = plan.planned.find(({ job }) => job.name === "boot");
    if (boot !== undefined) expect(boot.tick).toEqual({ atMs: nowMs, localMs: nowMs + 2 * hour });
    expect(namesOf(planner.look(nowMs + 1))).toEqual([]);
  });
  test.each([
    ["behind", -10 * minute, 0],
    ["less than 3 hours ahead", 3 * hour - 1, 3 * hour - 1],
    ["3 hours ahead", 3 * hour, 0],
  ])("takes a horizon that is %s to be %i ms from now", (_, byMs, expectedMs) => {
    const nowMs = at("2026-06-10 12:00:30");
    const jobs = setOf(jobAt("job", "0-59 0-23 * * *"));
    const planner = newPlanner();
    planner.start(jobs, nowMs, memoryOf(jobs, nowMs + byMs), false);
    expect(planner.horizonMs - nowMs).toBe(expectedMs);
  });
  test("over and over at any moment: no tick is lost, and none doubled", () => {
    const lives = fc.array(
      fc.record({
        stopMs: fc.integer({ min: 0, max: 20 * minute }),
        looks: fc.array(fc.integer({ min: 1, max: minute }), { maxLength: 5 }),
      }),
      { minLength: 1, maxLength: 8 },
    );
    const schedules = fc.array(
      fc.oneof(
        fc.constantFrom("*/2 * * * *", "0-59 0-23 * * *", "*/30 * * * * * in Europe/Berlin"),
        anyCron,
        anyEvery,
      ),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(schedules, moment, lives, anyPolicy, (texts, startMs, daemons, missed) => {
        const jobs = setOf(...texts.map((text, n) => jobAt(`job${n}`, text, { missed })));
        let planner = newPlanner();
        let nowMs = startMs;
        const plans = [planner.start(jobs, nowMs, undefined, false)];
        for (const { stopMs, looks } of daemons) {
          const memory = memoryOf(jobs, planner.horizonMs);
          nowMs += stopMs;
          planner = newPlanner();
          plans.push(planner.start(jobs, nowMs, memory, false));
          for (const by of looks) {
            nowMs += by;
            plans.push(planner.look(nowMs));
          }
        }
        const planned = plannedOf(plans);
        expect(new Set(planned).size).toBe(planned.length);
        for (const job of jobs.values()) {
          const expected = ticksOf(job, startMs, nowMs);
          const own = planned.filter((tick) => tick.startsWith(`${job.name} `));
          expect(expected).toEqual(expect.arrayContaining(own));
          if (plans.some(({ dropped }) => dropped.some(({ isAtLeast }) => isAtLeast))) continue;
          expect(own.length + droppedCountOf(plans, job.name)).toBe(expected.length);
        }
      }),
      { numRuns: 500 },
    );
  });
});

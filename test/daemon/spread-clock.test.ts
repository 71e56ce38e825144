/** Jobs that are spread over a period, whose places change while the daemon is at work: each period has one tick. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { scheduleKey } from "../../src/daemon/planner.ts";
import type { Schedule } from "../../src/model/schedule.ts";
import { referenceTimes } from "../../src/schedule/schedule.ts";
import { at, day, hour, jobAt, memoryOf, minute, newPlanner, setOf, told } from "./scheduled.ts";

const spread = (offsetMs: number): Schedule => ({ kind: "every", periodMs: day, offsetMs, isSpread: true });
const jobsAt = (offsetMs: number) => setOf(jobAt("job", spread(offsetMs)));
const startMs = at("2026-06-10 00:00");

describe("a spread job's place that changes", () => {
  test.each([
    ["to an earlier time that is over: it runs at once", "10:00", "09:30", "09:00", "09:00"],
    ["to a later time: it runs then", "10:00", "09:30", "11:00", "11:00"],
    ["after it has run, to a later time: not again today", "10:00", "10:30", "11:00", "10:00"],
    ["after it has run, to an earlier time: not again today", "10:00", "10:30", "09:00", "10:00"],
  ])("%s", (_, before, nowText, after, expected) => {
    const ofDay = (text: string) => at(`2026-06-10 ${text}`) - startMs;
    const planner = newPlanner();
    const plans = [planner.start(jobsAt(ofDay(before)), startMs, undefined, false)];
    const changeMs = startMs + ofDay(nowText);
    for (let nowMs = startMs; nowMs <= changeMs; nowMs += minute) plans.push(planner.look(nowMs));
    plans.push(planner.setJobs(jobsAt(ofDay(after)), changeMs));
    for (let nowMs = changeMs; nowMs < startMs + day; nowMs += minute) plans.push(planner.look(nowMs));
    expect(told(plans)).toBe(expected);
  });

  test("each day has one tick, however often it changes", () => {
    const change = fc.record({
      afterMs: fc.integer({ min: 0, max: day }),
      place: fc.integer({ min: 0, max: 86_399 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 86_399 }),
        fc.array(change, { maxLength: 8 }),
        (place, changes) => {
          const planner = newPlanner();
          const plans = [planner.start(jobsAt(place * 1000), startMs, undefined, false)];
          let nowMs = startMs;
          const walkTo = (untilMs: number) => {
            for (; nowMs < untilMs; nowMs += minute) plans.push(planner.look(nowMs));
          };
          for (const { afterMs, place: next } of changes) {
            walkTo(nowMs + afterMs);
            plans.push(planner.setJobs(jobsAt(next * 1000), nowMs));
          }
          const endMs = Math.ceil((nowMs + day) / day) * day;
          walkTo(endMs + minute);
          const days = plans.flatMap(({ planned }) => planned.map(({ tick }) => Math.floor(tick.atMs / day)));
          // The day of the start counts as run where its place was over, or is that very instant.
          const all = Array.from({ length: (endMs - startMs) / day }, (_, n) => startMs / day + n);
          const meant = all.filter((each) => each > startMs / day);
          expect(days.filter((each) => each > startMs / day && each < endMs / day)).toEqual(meant);
          expect(new Set(days).size).toBe(days.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("is no other schedule after a restart, whose missed ticks would be forgotten", () => {
    const key = (offsetMs: number) => scheduleKey(jobAt("job", spread(offsetMs)));
    expect(key(hour)).toBe(key(2 * hour));
    const planner = newPlanner();
    const missedAll = setOf(jobAt("job", spread(10 * hour), { missed: "latest" }));
    const memory = memoryOf(jobsAt(9 * hour + minute), at("2026-06-10 09:00"));
    expect(told([planner.start(missedAll, at("2026-06-10 12:00"), memory, false)])).toBe("10:00+");
  });
});

describe("an interval with a time of day", () => {
  test("is planned by the clocks, and made up for like fixed times", () => {
    const expression = referenceTimes(6 * hour, 3 * hour + 10 * minute);
    if (expression === undefined) throw new Error("no times");
    const jobs = setOf(jobAt("job", { kind: "cron", expression, zone: undefined }, { missed: "all" }));
    const planner = newPlanner();
    const memory = memoryOf(jobs, at("2026-06-10 00:00"));
    const plans = [planner.start(jobs, at("2026-06-10 12:00"), memory, false)];
    for (let nowMs = at("2026-06-10 12:00"); nowMs < at("2026-06-11 04:00"); nowMs += minute)
      plans.push(planner.look(nowMs));
    expect(told(plans)).toBe("03:10+ 09:10+ 15:10 21:10 03:10");
    expect(scheduleKey([...jobs.values()][0] ?? jobAt("x", "@reboot"))).toBe(
      "cron local every 6h from 03:10",
    );
  });
});

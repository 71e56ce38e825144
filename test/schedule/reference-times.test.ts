/** Intervals that are counted from a time of day: which times are meant, and that the clocks treat them as cron's. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Schedule } from "../../src/model/schedule.ts";
import { allowsLocal, referenceTimes } from "../../src/schedule/reference-times.ts";
import {
  advanceSince,
  nextLocalMatch,
  nextTicks,
  startCronClock,
  ticksIn,
} from "../../src/schedule/schedule.ts";
import { parsed, zoneNamed } from "./expressions.ts";

const second = 1000;
const minute = 60_000;
const hour = 3_600_000;
const day = 86_400_000;
const berlin = zoneNamed("Europe/Berlin");

function times(intervalMs: number, referenceMs: number) {
  const found = referenceTimes(intervalMs, referenceMs);
  if (found === undefined) throw new Error(`no times: ${intervalMs} from ${referenceMs}`);
  return found;
}

function scheduleOf(intervalMs: number, referenceMs: number): Schedule {
  return { kind: "cron", expression: times(intervalMs, referenceMs), zone: undefined };
}

/** What the clocks of Berlin are meant to show. */
function shown(schedule: Schedule, from: string, count: number): string[] {
  return nextTicks(schedule, Date.parse(from), berlin, count).map(({ localMs }) =>
    new Date(localMs).toISOString().slice(5, 19).replace("T", " ").replace(/:00$/, ""),
  );
}

describe("referenceTimes()", () => {
  test.each([
    ["every 10m from 03:10", 10 * minute, 190 * minute, minute, "wildcard"],
    ["every 1h from 00:30", hour, 30 * minute, minute, "wildcard"],
    ["every 90m from 00:00", 90 * minute, 0, minute, "fixed"],
    ["every 1d from 03:10", day, 190 * minute, minute, "fixed"],
    ["every 10s from 03:10", 10 * second, 190 * minute, second, "wildcard"],
    ["every 1h from 03:10:05", hour, 190 * minute + 5 * second, second, "wildcard"],
    ["every 3d from 03:10", 3 * day, 190 * minute, minute, "fixed"],
  ] as const)("%s", (text, intervalMs, referenceMs, unitMs, kind) => {
    expect(times(intervalMs, referenceMs)).toMatchObject({ text, unitMs, kind });
  });

  test("more than a day must be whole days", () => {
    expect(referenceTimes(36 * hour, 0)).toBeUndefined();
    expect(referenceTimes(day + second, 0)).toBeUndefined();
  });
});

describe("the times that are meant", () => {
  test.each([
    [
      "a step that parts the day evenly",
      6 * hour,
      190 * minute,
      ["06-10 15:10", "06-10 21:10", "06-11 03:10"],
    ],
    [
      "one that doesn't is counted anew each day",
      7 * hour,
      190 * minute,
      ["06-10 17:10", "06-11 00:10", "06-11 03:10", "06-11 10:10"],
    ],
    ["a reference late in the day", 5 * hour, 22 * hour, ["06-10 18:00", "06-10 22:00", "06-11 03:00"]],
    ["a day", day, 190 * minute, ["06-11 03:10", "06-12 03:10"]],
    ["seconds", 13 * second, 14 * hour + 10 * second, ["06-10 14:00:08", "06-10 14:00:10", "06-10 14:00:23"]],
    [
      "every third day, counted from 1970",
      3 * day,
      190 * minute,
      ["06-12 03:10", "06-15 03:10", "06-18 03:10"],
    ],
  ] as const)("%s", (_, intervalMs, referenceMs, expected) => {
    // It is 14:00 in Berlin. The 13 s counted since 14:00:10 yesterday end two seconds before they begin anew.
    expect(shown(scheduleOf(intervalMs, referenceMs), "2026-06-10T12:00:00Z", expected.length)).toEqual([
      ...expected,
    ]);
  });

  test("every third day is the same whenever it is asked", () => {
    const schedule = scheduleOf(3 * day, 190 * minute);
    const all = nextTicks(schedule, Date.parse("2026-01-01T00:00:00Z"), berlin, 100);
    for (const { atMs, localMs } of all) {
      expect(nextTicks(schedule, atMs - 1, berlin, 1)).toEqual([{ atMs, localMs }]);
      expect(Math.floor(localMs / day) % 3).toBe(0);
    }
  });

  test("are those of the cron expression that says the same", () => {
    const same = [
      [10 * minute, 0, "*/10 * * * *"],
      [hour, 30 * minute, "30 * * * *"],
      [6 * hour, 190 * minute, "10 3,9,15,21 * * *"],
      [day, 150 * minute, "30 2 * * *"],
      [15 * second, 0, "*/15 * * * * *"],
    ] as const;
    for (const [intervalMs, referenceMs, text] of same) {
      const expression = parsed(text);
      for (const from of ["2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z", "2026-06-10T12:00:00Z"]) {
        const cron = nextTicks({ kind: "cron", expression, zone: undefined }, Date.parse(from), berlin, 300);
        const counted = nextTicks(scheduleOf(intervalMs, referenceMs), Date.parse(from), berlin, 300);
        expect([text, counted.slice(0, 50)]).toEqual([text, cron.slice(0, 50)]);
        expect(counted).toEqual(cron);
      }
    }
  });

  test("are found by a step as by looking at each second", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 1, max: 86_400 }),
          fc.integer({ min: 2, max: 9 }).map((days) => days * 86_400),
        ),
        fc.integer({ min: 0, max: 86_399 }),
        fc.integer({ min: -100_000_000, max: 2_000_000_000 }),
        (interval, reference, from) => {
          const meant = times(interval * second, reference * second);
          const found = nextLocalMatch(meant, from * second) ?? Number.NaN;
          expect(found).toBeGreaterThanOrEqual(from * second);
          expect(allowsLocal(meant, found)).toBe(true);
          expect(nextLocalMatch(meant, found)).toBe(found);
          // By its definition, without a search.
          const since = found - reference * second;
          const ofDay = since - Math.floor(since / day) * day;
          expect(ofDay % (Math.min(interval, 86_400) * second)).toBe(0);
          // Nothing before it: the one behind the last that was found before `from` is this one.
          const before =
            nextLocalMatch(meant, found - Math.max(interval, 86_400) * second - second) ?? Number.NaN;
          let last = before;
          for (let steps = 0; last < from * second && steps < 100_000; steps++) {
            last = nextLocalMatch(meant, last + second) ?? Number.NaN;
          }
          expect(last).toBe(found);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("are run by the clock as they are predicted, over both changes of the clocks", () => {
    for (const [intervalMs, referenceMs] of [
      [20 * minute, 190 * minute],
      [7 * hour, 150 * minute],
      [day, 150 * minute],
    ] as const) {
      const expression = times(intervalMs, referenceMs);
      for (const from of ["2026-03-28T20:30:20Z", "2026-10-24T20:30:20Z"]) {
        const startMs = Date.parse(from);
        let clock = startCronClock(expression.unitMs, startMs, berlin);
        const run: number[] = [];
        for (let nowMs = startMs; nowMs < startMs + 30 * hour; nowMs += minute) {
          const looked = advanceSince(clock, { lookedMs: nowMs - minute, nowMs }, berlin);
          clock = looked.clock;
          run.push(...ticksIn(expression, looked.due, berlin).map(({ atMs }) => atMs));
        }
        const predicted = nextTicks(
          { kind: "cron", expression, zone: undefined },
          startMs,
          berlin,
          run.length,
        );
        expect(predicted.map(({ atMs }) => atMs)).toEqual(run);
        expect(run.length).toBeGreaterThan(0);
      }
    }
  });
});

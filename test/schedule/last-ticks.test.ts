/**
 * The last ticks of long stretches, beside a walk through all of them.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { countTicks, lastTicks, ticksBetween, utc } from "../../src/schedule/schedule.ts";
import { cron, expressionText, zoneNamed, zoneWithChange } from "./expressions.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const from = Date.UTC(2026, 0, 1);

const zones = [
  utc,
  zoneNamed("Europe/Berlin"),
  zoneNamed("America/New_York"),
  zoneWithChange(from + 5 * hour, 0, 2 * hour),
  zoneWithChange(from + 5 * hour, 0, -hour),
];

describe("lastTicks()", () => {
  test("gives what a walk through the stretch ends with", () => {
    fc.assert(
      fc.property(
        expressionText,
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 300 * 24 * 60 }),
        fc.integer({ min: 0, max: 600 }),
        fc.integer({ min: 1, max: 40 }),
        (text, zone, beginMinute, minutes, count) => {
          const schedule = cron(text);
          const afterMs = from + beginMinute * minute;
          const stretch = { afterMs, untilMs: afterMs + minutes * minute };
          const all = ticksBetween(schedule, { ...stretch, limit: 1e6 }, zone);
          expect(lastTicks(schedule, stretch, count, zone)).toEqual(all.slice(-count));
          expect(countTicks(schedule, stretch, 1e6, zone)).toEqual({ count: all.length, isAtLeast: false });
        },
      ),
      { numRuns: 1000 },
    );
  });
  test.each([
    ["every minute", "* * * * *", ["2026-12-31T23:58", "2026-12-31T23:59", "2027-01-01T00:00"]],
    ["once a day", "30 4 * * *", ["2026-12-29T04:30", "2026-12-30T04:30", "2026-12-31T04:30"]],
    ["once a year", "0 0 24 12 *", ["2026-12-24T00:00"]],
    ["a month of seconds", "* * * * 1 *", ["2026-01-31T23:59:58", "2026-01-31T23:59:59", "2027-01-01T00:00"]],
    [
      "a minute of seconds",
      "* 0 0 1 7 *",
      ["2026-07-01T00:00:57", "2026-07-01T00:00:58", "2026-07-01T00:00:59"],
    ],
    ["never", "0 0 31 2 *", []],
  ])("of a year with %s", (_, text, expected) => {
    const stretch = { afterMs: from, untilMs: Date.UTC(2027, 0, 1) };
    const ticks = lastTicks(cron(text), stretch, 3, utc);
    expect(ticks.map(({ atMs }) => atMs)).toEqual(expected.map((time) => Date.parse(`${time}Z`)));
  });
  test("does not part the ticks of an hour that the clocks skip", () => {
    const changeMs = Date.UTC(2026, 2, 29, 1);
    const schedule = cron("0-59 0-59 2 * * *", zoneNamed("Europe/Berlin"));
    const ticks = lastTicks(schedule, { afterMs: changeMs - day, untilMs: changeMs + hour }, 3, utc);
    expect(ticks.map(({ localMs }) => new Date(localMs).toISOString().slice(11, 19))).toEqual([
      "02:59:57",
      "02:59:58",
      "02:59:59",
    ]);
    expect(ticks.every(({ atMs }) => atMs === changeMs)).toBe(true);
  });
  test("counts and finds intervals by arithmetic alone", () => {
    const every = { kind: "every", periodMs: 1000, offsetMs: 0 } as const;
    const stretch = { afterMs: 500, untilMs: 1000 * day };
    expect(lastTicks(every, stretch, 2, utc).map(({ atMs }) => atMs)).toEqual([
      1000 * day - 1000,
      1000 * day,
    ]);
    expect(countTicks(every, stretch, 5, utc)).toEqual({ count: day, isAtLeast: false });
    const offset = { kind: "every", periodMs: hour, offsetMs: 17_000 } as const;
    for (const [afterMs, untilMs] of [
      [0, 17_000],
      [17_000, hour + 16_999],
      [16_999, hour + 17_000],
    ] as const) {
      const ticks = ticksBetween(offset, { afterMs, untilMs, limit: 100 }, utc);
      expect(lastTicks(offset, { afterMs, untilMs }, 10, utc)).toEqual(ticks);
      expect(countTicks(offset, { afterMs, untilMs }, 0, utc).count).toBe(ticks.length);
    }
  });
  test("has none of an empty stretch, of none asked for, and of @reboot", () => {
    const stretch = { afterMs: from, untilMs: from + hour };
    expect(lastTicks(cron("* * * * *"), { afterMs: from, untilMs: from }, 3, utc)).toEqual([]);
    expect(lastTicks(cron("* * * * *"), { afterMs: from, untilMs: from - hour }, 3, utc)).toEqual([]);
    expect(lastTicks(cron("* * * * *"), stretch, 0, utc)).toEqual([]);
    expect(lastTicks({ kind: "reboot" }, stretch, 3, utc)).toEqual([]);
  });
});

describe("countTicks()", () => {
  test("ends at its limit, and says so", () => {
    const stretch = { afterMs: from, untilMs: from + hour };
    const schedule = cron("* * * * *");
    expect(countTicks(schedule, stretch, 59, utc)).toEqual({ count: 59, isAtLeast: true });
    expect(countTicks(schedule, stretch, 60, utc)).toEqual({ count: 60, isAtLeast: false });
    expect(countTicks({ kind: "reboot" }, stretch, 60, utc)).toEqual({ count: 0, isAtLeast: false });
  });
});

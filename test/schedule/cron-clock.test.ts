/**
 * Clocks that go wrong: the table of docs/schedule.md, a test a row, for jobs at fixed times, jobs with a star and intervals.
 *
 * A row's clock is looked at a second after each minute of its stretches, in UTC; `>` is a step between two looks.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { CronExpression, Tick, Zone } from "../../src/model/schedule.ts";
import {
  advance,
  advanceEvery,
  advanceSince,
  startCronClock,
  startEveryClock,
  ticksBetween,
  ticksIn,
  utc,
} from "../../src/schedule/schedule.ts";
import { project } from "../support/program.ts";
import { expressionText, local, parsed, zoneNamed, zoneWithChange } from "./expressions.ts";
import { looksOf } from "./looks.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** All ticks of an expression for a clock that is looked at at these times; the first look starts it. */
function ticksOf(expression: CronExpression, zone: Zone, looks: readonly number[]): Tick[] {
  let clock = startCronClock(expression.unitMs, looks[0] ?? 0, zone);
  return looks.slice(1).flatMap((nowMs) => {
    const step = advance(clock, nowMs, zone.stretchAt(nowMs).offsetMs);
    clock = step.clock;
    return ticksIn(expression, step.due, zone);
  });
}

const shown = (ticks: readonly Tick[]) =>
  ticks.map(({ localMs }) => new Date(localMs).toISOString().slice(11, 16)).join(" ");

interface Row {
  readonly event: string;
  readonly looks: string;
  readonly day?: string;
  readonly zone?: string;
  /** `0,30 0-23 * * *`, what the clocks are meant to show. */
  readonly fixed: string;
  /** `0,30 * * * *` */
  readonly wildcard: string;
  /** `every 30m`, in UTC. */
  readonly every: string;
}

const none = "";
const rows: readonly Row[] = [
  {
    event: "nothing",
    looks: "12:00-13:00",
    fixed: "12:30 13:00",
    wildcard: "12:30 13:00",
    every: "12:30 13:00",
  },
  {
    event: "forward by a second",
    looks: "12:29-12:29 > 12:30:00.2 > 12:30:02 > 12:31-12:40",
    fixed: "12:30",
    wildcard: "12:30",
    every: "12:30",
  },
  {
    event: "back by a second, over the minute",
    looks: "12:29-12:29 > 12:30:00.2 > 12:29:59.4 > 12:30:01-12:40:01",
    fixed: "12:30",
    wildcard: "12:30",
    every: "12:30",
  },
  {
    event: "back by a minute",
    looks: "12:29-12:30 > 12:30-12:40",
    fixed: "12:30",
    wildcard: "12:30",
    every: "12:30",
  },
  {
    event: "looked at 5 minutes late",
    looks: "12:27-12:27 > 12:32-12:40",
    fixed: "12:30",
    wildcard: "12:30",
    every: "12:30",
  },
  {
    event: "looked at 6 minutes late",
    looks: "12:27-12:27 > 12:33-12:40",
    fixed: "12:30",
    wildcard: none,
    every: "12:30",
  },
  {
    event: "forward by an hour",
    looks: "12:10-12:20 > 13:21-14:00",
    fixed: "12:30 13:00 13:30 14:00",
    wildcard: "13:30 14:00",
    every: "13:00 13:30 14:00",
  },
  {
    event: "suspended for an hour, to a full one",
    looks: "12:10-12:20 > 13:30-14:00",
    fixed: "12:30 13:00 13:30 14:00",
    wildcard: "13:30 14:00",
    every: "13:30 14:00",
  },
  {
    event: "forward by 3 hours",
    looks: "12:10-12:20 > 15:20-15:30",
    fixed: "12:30 13:00 13:30 14:00 14:30 15:00 15:30",
    wildcard: "15:30",
    every: "15:00 15:30",
  },
  {
    event: "forward by 3 hours and a minute",
    looks: "12:10-12:20 > 15:21-15:30",
    fixed: "15:30",
    wildcard: "15:30",
    every: "15:00 15:30",
  },
  {
    event: "forward by a day",
    looks: "12:10-12:20 > +1d 12:21-12:30",
    fixed: "12:30",
    wildcard: "12:30",
    every: "12:00 12:30",
  },
  {
    event: "suspended for a night",
    looks: "22:10-22:20 > +1d 06:30-06:40",
    fixed: "06:30",
    wildcard: "06:30",
    every: "06:30",
  },
  {
    event: "back by 5 minutes",
    looks: "12:25-12:31 > 12:27-12:40",
    fixed: "12:30",
    wildcard: "12:30 12:30",
    every: "12:30",
  },
  {
    event: "back by an hour",
    looks: "12:25-12:40 > 11:41-13:00",
    fixed: "12:30 13:00",
    wildcard: "12:30 12:00 12:30 13:00",
    every: "12:30 12:00 12:30 13:00",
  },
  {
    event: "back by 2 hours and 59 minutes",
    looks: "12:25-12:40 > 09:41-10:10",
    fixed: "12:30",
    wildcard: "12:30 10:00",
    every: "12:30 10:00",
  },
  {
    event: "back by 3 hours",
    looks: "12:25-12:40 > 09:40-10:10",
    fixed: "12:30 10:00",
    wildcard: "12:30 10:00",
    every: "12:30 10:00",
  },
  {
    event: "back by a day",
    looks: "12:25-12:40 > -1d 12:41-13:10",
    fixed: "12:30 13:00",
    wildcard: "12:30 13:00",
    every: "12:30 13:00",
  },
  {
    event: "daylight saving begins",
    day: "2026-03-29",
    zone: "Europe/Berlin",
    looks: "00:25-01:35",
    fixed: "01:30 02:00 02:30 03:00 03:30",
    wildcard: "01:30 03:00 03:30",
    every: "00:30 01:00 01:30",
  },
  {
    event: "daylight saving ends",
    day: "2026-10-25",
    zone: "Europe/Berlin",
    looks: "00:25-02:05",
    fixed: "02:30 03:00",
    wildcard: "02:30 02:00 02:30 03:00",
    every: "00:30 01:00 01:30 02:00",
  },
  {
    event: "started in the repeated hour",
    day: "2026-10-25",
    zone: "Europe/Berlin",
    looks: "01:10-02:05",
    fixed: "03:00",
    wildcard: "02:30 03:00",
    every: "01:30 02:00",
  },
];

describe("a clock that goes wrong", () => {
  test.each(rows.map((row) => [row.event, row] as const))("%s", (_, row) => {
    const zone = row.zone === undefined ? utc : zoneNamed(row.zone);
    const looks = looksOf(row.looks, row.day ?? "2026-06-10");
    const every = { kind: "every", periodMs: 30 * minute, offsetMs: 0 } as const;
    let clock = startEveryClock(every, looks[0] ?? 0);
    const intervals = looks.slice(1).flatMap((nowMs) => {
      const step = advanceEvery(every, clock, nowMs);
      clock = step.clock;
      return step.due ?? [];
    });
    expect({
      fixed: shown(ticksOf(parsed("0,30 0-23 * * *"), zone, looks)),
      wildcard: shown(ticksOf(parsed("0,30 * * * *"), zone, looks)),
      every: shown(intervals),
    }).toEqual({ fixed: row.fixed, wildcard: row.wildcard, every: row.every });
  });
  test("every row stands in docs/schedule.md", () => {
    const text = readFileSync(join(project, "docs/schedule.md"), "utf8");
    for (const { event, fixed, wildcard, every } of rows)
      expect(text).toContain(
        `| ${event} | ${[fixed, wildcard, every].map((ticks) => ticks || "–").join(" | ")} |`,
      );
  });
});

describe("advanceEvery()", () => {
  const every = (periodMs: number, offsetMs = 0) => ({ kind: "every", periodMs, offsetMs }) as const;
  function atTimes(schedule: ReturnType<typeof every>, ...looks: number[]): number[] {
    let clock = startEveryClock(schedule, looks[0] ?? 0);
    return looks.slice(1).flatMap((now) => {
      const step = advanceEvery(schedule, clock, now);
      clock = step.clock;
      return step.due === undefined ? [] : [step.due.atMs];
    });
  }
  test.each([
    [
      "is aligned to the epoch, and counts the period that is under way",
      every(7000),
      [6999, 7000, 13_999, 14_001],
      [7000, 14_000],
    ],
    ["has its offset", every(60_000, 17_000), [0, 16_999, 17_000, 76_999, 77_500], [17_000, 77_000]],
    ["gives the latest of many", every(1000), [0, 5500], [5000]],
    ["waits out one period back", every(1000), [5000, 6000, 5000, 5999, 6500, 7000], [6000, 7000]],
    [
      "goes on at the next boundary after more",
      every(1000),
      [5000, 6000, 4500, 5000, 6000],
      [6000, 5000, 6000],
    ],
  ])("%s", (_, schedule, looks, expected) => {
    expect(atTimes(schedule, ...looks)).toEqual(expected);
  });
});

const zones: readonly (readonly [name: string, zone: Zone, changeMs: number])[] = [
  ["Berlin, forward", zoneNamed("Europe/Berlin"), Date.UTC(2026, 2, 29, 1)],
  ["Berlin, back", zoneNamed("Europe/Berlin"), Date.UTC(2026, 9, 25, 1)],
  ["New York, forward", zoneNamed("America/New_York"), Date.UTC(2026, 2, 8, 7)],
  ["New York, back", zoneNamed("America/New_York"), Date.UTC(2026, 10, 1, 6)],
  ["Lord Howe, half an hour back", zoneNamed("Australia/Lord_Howe"), Date.UTC(2026, 3, 4, 15)],
  ["Casablanca, back for Ramadan", zoneNamed("Africa/Casablanca"), Date.UTC(2026, 1, 15, 2)],
  ["Apia, over the date line", zoneNamed("Pacific/Apia"), Date.UTC(2011, 11, 30, 10)],
  ...[3, 5, 6, 180, 181, -1, -2, -179, -180, -1440].map((by): [string, Zone, number] => {
    const changeMs = Date.UTC(2026, 1, 28, 23);
    return [`imaginary, by ${by} minutes`, zoneWithChange(changeMs, hour, hour + by * minute), changeMs];
  }),
];

describe("what is predicted is what is run", () => {
  test.each(zones)("%s", (_, zone, changeMs) => {
    fc.assert(
      fc.property(expressionText, fc.integer({ min: -250, max: 30 }), (text, startMinute) => {
        const expression = parsed(text);
        const isFine = expression.unitMs === second;
        const startMs = changeMs + (isFine ? Math.min(1, startMinute) * minute : startMinute * minute) + 1;
        const endMs = changeMs + (isFine ? 10 * minute : 5 * hour);
        const looks: number[] = [];
        for (let now = startMs; now <= endMs; now += expression.unitMs) looks.push(now);
        const schedule = { kind: "cron", expression, zone } as const;
        const predicted = ticksBetween(
          schedule,
          { afterMs: startMs, untilMs: looks.at(-1) ?? endMs, limit: 1e6 },
          utc,
        );
        expect(ticksOf(expression, zone, looks)).toEqual(predicted);
      }),
      { numRuns: 40 },
    );
  });
});

describe("advanceSince()", () => {
  test.each(zones)("gives the same however late it looks, up to 5 minutes: %s", (_, zone, changeMs) => {
    const gaps = fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 50, maxLength: 150 });
    fc.assert(
      fc.property(expressionText, fc.integer({ min: -250, max: 30 }), gaps, (text, startMinute, steps) => {
        const expression = parsed(text);
        const startMs = changeMs + startMinute * minute + 1;
        let clock = startCronClock(expression.unitMs, startMs, zone);
        let lookedMs = startMs;
        const ticks = steps.flatMap((by) => {
          const nowMs = lookedMs + by;
          const step = advanceSince(clock, { lookedMs, nowMs }, zone);
          lookedMs = nowMs;
          clock = step.clock;
          return ticksIn(expression, step.due, zone);
        });
        const schedule = { kind: "cron", expression, zone } as const;
        const stretch = { afterMs: startMs, untilMs: lookedMs, limit: 1e6 };
        expect(ticks).toEqual(ticksBetween(schedule, stretch, utc));
      }),
      { numRuns: 40 },
    );
  });
});

describe("advance()", () => {
  test("never gives a fixed time twice while the clock stays within 3 hours of what it has shown", () => {
    const looks = fc.array(fc.integer({ min: -178 * 60, max: 600 }), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(looks, (steps) => {
        let now = local("2026-06-10 12:00");
        let highest = now;
        const times = steps.map((by) => {
          now = Math.max(now + by * second, highest - 178 * minute);
          highest = Math.max(highest, now);
          return now;
        });
        const ticks = ticksOf(parsed("0-59 0-23 * * *"), utc, times).map(({ atMs }) => atMs);
        expect(new Set(ticks).size).toBe(ticks.length);
        // And loses none: one a minute from the start to the highest time shown.
        const [first = 0] = times;
        const count = Math.floor(Math.max(...times) / minute) - Math.floor(first / minute);
        expect(ticks.length).toBe(Math.max(0, count));
      }),
      { numRuns: 500 },
    );
  });
  test("gives a tick the same instant in a prediction, late, and after a restart", () => {
    const berlin = zoneNamed("Europe/Berlin");
    const changeMs = Date.UTC(2026, 2, 29, 1);
    const expected = [{ atMs: changeMs, localMs: local("2026-03-29 02:30") }];
    const looks = (...minutesAround: number[]) => minutesAround.map((m) => changeMs + m * minute);
    expect(ticksOf(parsed("30 2 * * *"), berlin, looks(-1, 0))).toEqual(expected);
    expect(ticksOf(parsed("30 2 * * *"), berlin, looks(-40, 50))).toEqual(expected);
    const autumnMs = Date.UTC(2026, 9, 25, 1);
    const first = [{ atMs: autumnMs - 30 * minute, localMs: local("2026-10-25 02:30") }];
    expect(ticksOf(parsed("30 2 * * *"), berlin, [autumnMs - 40 * minute, autumnMs - 30 * minute])).toEqual(
      first,
    );
    expect(ticksOf(parsed("30 2 * * *"), berlin, [autumnMs - 33 * minute, autumnMs - 29 * minute])).toEqual(
      first,
    );
    expect(ticksOf(parsed("30 2 * * *"), berlin, [autumnMs + 10 * minute, autumnMs + 30 * minute])).toEqual(
      [],
    );
  });
});

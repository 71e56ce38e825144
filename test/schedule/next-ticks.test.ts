/**
 * The coming ticks, over both changes of the clocks.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nextTicks, utc } from "../../src/schedule/schedule.ts";
import { cron, expressionText, local, parsed, zoneNamed, zoneWithChange } from "./expressions.ts";

const hour = 3_600_000;
const berlin = "Europe/Berlin";
const newYork = "America/New_York";

/** Instants as the zone's clocks show them, offset and all: `29 03:00+2`. */
function told(text: string, zoneName: string, after: string, count: number): string {
  const zone = zoneNamed(zoneName);
  return nextTicks(cron(text), Date.parse(`${after}Z`), zone, count)
    .map(({ atMs }) => {
      const { offsetMs } = zone.stretchAt(atMs);
      const clock = new Date(atMs + offsetMs).toISOString();
      const time = clock.slice(17, 19) === "00" ? clock.slice(11, 16) : clock.slice(11, 19);
      return `${clock.slice(8, 10)} ${time}${offsetMs < 0 ? "" : "+"}${offsetMs / hour}`;
    })
    .join(", ");
}

/** Over the change of each zone, which is at 2 o'clock in spring, and at 3 or 2 in autumn. */
const changes: readonly (readonly [text: string, zone: string, after: string, ticks: string])[] = [
  // Forward: fixed times of the gap run right after it, once each
  ["30 2 * * *", berlin, "2026-03-27T12:00", "28 02:30+1, 29 03:00+2, 30 02:30+2"],
  ["0,30 2 * * *", berlin, "2026-03-28T12:00", "29 03:00+2, 29 03:00+2, 30 02:00+2"],
  ["0 2,3 * * *", berlin, "2026-03-28T12:00", "29 03:00+2, 29 03:00+2, 30 02:00+2"],
  ["0 3 * * *", berlin, "2026-03-28T12:00", "29 03:00+2, 30 03:00+2"],
  ["30 2 * * *", newYork, "2026-03-07T12:00", "08 03:00-4, 09 02:30-4"],
  ["59 1 * * *", newYork, "2026-03-07T12:00", "08 01:59-5, 09 01:59-4"],
  ["0 30 2 * * *", berlin, "2026-03-28T12:00", "29 03:00+2, 30 02:30+2"],
  ["0,20 30 2 * * *", berlin, "2026-03-28T12:00", "29 03:00+2, 29 03:00+2, 30 02:30+2"],
  // Forward: with a star, the gap isn't there
  ["*/15 2 * * *", berlin, "2026-03-28T12:00", "30 02:00+2, 30 02:15+2"],
  ["*/30 * * * *", berlin, "2026-03-29T00:15", "29 01:30+1, 29 03:00+2, 29 03:30+2"],
  ["0 * * * *", berlin, "2026-03-28T23:30", "29 01:00+1, 29 03:00+2"],
  ["@hourly", newYork, "2026-03-08T05:30", "08 01:00-5, 08 03:00-4"],
  ["*/30 30 2 * * *", berlin, "2026-03-28T12:00", "30 02:30+2, 30 02:30:30+2"],
  // Back: fixed times run once, the first time
  ["30 2 * * *", berlin, "2026-10-24T12:00", "25 02:30+2, 26 02:30+1"],
  ["30 2 * * *", berlin, "2026-10-25T00:30", "26 02:30+1"],
  ["0 3 * * *", berlin, "2026-10-24T12:00", "25 03:00+1, 26 03:00+1"],
  ["30 1 * * *", newYork, "2026-10-31T12:00", "01 01:30-4, 02 01:30-5"],
  ["0 30 2 * * *", berlin, "2026-10-24T12:00", "25 02:30+2, 26 02:30+1"],
  // Back: with a star, both
  ["0 * * * *", berlin, "2026-10-24T23:30", "25 02:00+2, 25 02:00+1, 25 03:00+1"],
  ["*/30 2 * * *", berlin, "2026-10-24T12:00", "25 02:00+2, 25 02:30+2, 25 02:00+1, 25 02:30+1, 26 02:00+1"],
  ["30 * * * *", newYork, "2026-11-01T05:00", "01 01:30-4, 01 01:30-5, 01 02:30-5"],
  ["*/30 30 2 * * *", berlin, "2026-10-25T00:30:10", "25 02:30:30+2, 25 02:30+1, 25 02:30:30+1"],
  // Half an hour, and a day that isn't there: more than 3 hours are a correction, and nothing is made up for
  ["15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "04 02:30+11, 05 02:15+11"],
  ["45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "05 01:45+11, 06 01:45+10.5"],
  ["0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", "29 12:00-10, 31 12:00+14"],
  // The days of the week and the month are those of the zone
  ["0 0 1 * *", "Pacific/Auckland", "2026-06-29T00:00", "01 00:00+12, 01 00:00+12"],
  ["0 1 * * mon", newYork, "2026-06-07T00:00", "08 01:00-4, 15 01:00-4"],
];

describe("nextTicks()", () => {
  test.each(changes)("%j in %s after %s: %s", (text, zone, after, ticks) => {
    expect(told(text, zone, after, ticks.split(", ").length)).toBe(ticks);
  });
  test("takes the schedule's own zone before the machine's", () => {
    const [tick] = nextTicks(
      cron("0 12 * * *", zoneNamed(berlin)),
      Date.UTC(2026, 0, 1),
      zoneNamed(newYork),
      1,
    );
    expect(tick?.atMs).toBe(Date.UTC(2026, 0, 1, 11));
  });
  test.each([
    ["0 0 31 2 *", 0],
    ["22-2 * * * *", 0],
    ["0 0 29 2 */7", 3],
  ])("%j gives what there is, in good time", (text, count) => {
    expect(nextTicks(cron(text), Date.UTC(2026, 0, 1), zoneNamed(berlin), 3).length).toBe(count);
  });
  test("knows nothing to come of @reboot, and nothing at all when nothing is asked", () => {
    expect(nextTicks({ kind: "reboot" }, 0, utc, 5)).toEqual([]);
    expect(nextTicks(cron("* * * * *"), 0, utc, 0)).toEqual([]);
  });
  test.each([
    [600_000, 0, 599_999, [600_000, 1_200_000]],
    [600_000, 0, 600_000, [1_200_000, 1_800_000]],
    [600_000, 17_000, 600_000, [617_000, 1_217_000]],
    [86_400_000, 3_000, -1, [3_000, 86_403_000]],
  ])("every %i ms with offset %i after %i: %p", (periodMs, offsetMs, after, expected) => {
    const ticks = nextTicks({ kind: "every", periodMs, offsetMs }, after, utc, 2);
    expect(ticks.map(({ atMs }) => atMs)).toEqual(expected);
  });

  const zones = [
    utc,
    ...["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"].map(zoneNamed),
  ];
  const instant = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2030, 0) });
  test("gives ticks that come after, rise, and match in local time but for the gap", () => {
    fc.assert(
      fc.property(expressionText, fc.constantFrom(...zones), instant, (text, zone, after) => {
        let before = after + 1;
        for (const { atMs, localMs } of nextTicks(cron(text), after, zone, 5)) {
          expect(atMs).toBeGreaterThanOrEqual(before);
          before = atMs;
          const { fromMs, offsetMs } = zone.stretchAt(atMs);
          if (localMs - offsetMs === atMs) continue;
          // A fixed time that was skipped: due at the change, and shown by no clock.
          expect(parsed(text).kind).toBe("fixed");
          expect(atMs).toBe(fromMs);
          expect(localMs).toBeLessThan(fromMs + offsetMs);
          expect(localMs).toBeGreaterThanOrEqual(fromMs + zone.stretchAt(fromMs - 1).offsetMs);
        }
      }),
      { numRuns: 1500 },
    );
  });
  test("goes on from any tick as it would have gone on", () => {
    fc.assert(
      fc.property(expressionText, fc.constantFrom(...zones), instant, (text, zone, after) => {
        const ticks = nextTicks(cron(text), after, zone, 6);
        for (const { atMs } of ticks) {
          const later = ticks.filter((tick) => tick.atMs > atMs);
          expect(nextTicks(cron(text), atMs, zone, later.length)).toEqual(later);
        }
      }),
      { numRuns: 500 },
    );
  });
  test("follows a zone of any kind", () => {
    const changeMs = local("2026-06-10 02:00");
    const zone = zoneWithChange(changeMs, 0, -30 * 60_000);
    const ticks = nextTicks(cron("45 1 * * *"), changeMs - hour, zone, 2);
    expect(ticks.map(({ atMs }) => atMs)).toEqual([local("2026-06-10 01:45"), local("2026-06-11 02:15")]);
  });
});

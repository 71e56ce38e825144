/** Moments to come, as an operator types them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseComing } from "../../src/cli/moment.ts";

const before = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterAll(() => {
  if (before === undefined) delete process.env["TZ"];
  else process.env["TZ"] = before;
});

describe("parseComing()", () => {
  test.each([
    // text, now, the moment; all in Europe/Berlin
    ["06:00", "2026-11-21T05:00:00+01:00", "2026-11-21T06:00:00+01:00"],
    ["06:00", "2026-11-21T06:00:00+01:00", "2026-11-22T06:00:00+01:00"],
    ["06:00", "2026-11-21T23:59:59+01:00", "2026-11-22T06:00:00+01:00"],
    ["06:00:30", "2026-11-21T06:00:00+01:00", "2026-11-21T06:00:30+01:00"],
    ["00:00", "2026-12-31T12:00:00+01:00", "2027-01-01T00:00:00+01:00"],
    ["tomorrow 06:00", "2026-11-21T05:00:00+01:00", "2026-11-22T06:00:00+01:00"],
    ["tomorrow 06:00", "2026-11-30T07:00:00+01:00", "2026-12-01T06:00:00+01:00"],
    ["2026-11-22", "2026-11-21T05:00:00+01:00", "2026-11-22T00:00:00+01:00"],
    ["2026-11-22T06:00", "2026-11-21T05:00:00+01:00", "2026-11-22T06:00:00+01:00"],
    ["2026-11-22 06:00", "2026-11-21T05:00:00+01:00", "2026-11-22T06:00:00+01:00"],
    ["2026-11-22T06:00Z", "2026-11-21T05:00:00+01:00", "2026-11-22T06:00:00+00:00"],
    // The clocks go forward at 2:00 on March 29, and back at 3:00 on October 25.
    ["06:00", "2026-03-28T20:00:00+01:00", "2026-03-29T06:00:00+02:00"],
    ["06:00", "2026-10-24T20:00:00+02:00", "2026-10-25T06:00:00+01:00"],
    ["02:30", "2026-03-29T01:00:00+01:00", "2026-03-29T03:30:00+02:00"],
    ["02:30", "2026-03-29T04:00:00+02:00", "2026-03-30T02:30:00+02:00"],
    ["tomorrow 02:30", "2026-03-29T04:00:00+02:00", "2026-03-30T02:30:00+02:00"],
  ])("%s at %s is %s", (text, now, moment) => {
    expect(new Date(parseComing(text, Date.parse(now)) ?? 0).toISOString()).toBe(
      new Date(moment).toISOString(),
    );
  });

  test.each([
    "",
    "6:00",
    "24:00",
    "tomorrow",
    "tomorrow 2026-11-22",
    "today 06:00",
    "tomorrow tomorrow 06:00",
    "2h",
    "2026-11-20",
    "2026-11-21T05:00",
    "2026-02-30",
    "2026-13-01",
    "06:00 ",
  ])("is nothing to come: '%s'", (text) => {
    expect(parseComing(text, Date.parse("2026-11-21T05:00:00+01:00"))).toBeUndefined();
  });

  test("a time of day comes within a day and an hour, whenever it is asked for", () => {
    const time = fc
      .tuple(fc.nat(23), fc.nat(59))
      .map((parts) => parts.map((each) => String(each).padStart(2, "0")).join(":"));
    const now = fc.integer({ min: Date.parse("2026-01-01Z"), max: Date.parse("2027-01-01Z") });
    fc.assert(
      fc.property(time, now, (text, nowMs) => {
        const ms = parseComing(text, nowMs) ?? 0;
        expect(ms).toBeGreaterThan(nowMs);
        expect(ms).toBeLessThanOrEqual(nowMs + 25 * 3_600_000);
      }),
      { numRuns: 1000 },
    );
  });
});

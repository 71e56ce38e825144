import { describe, expect, test } from "bun:test";
import { parseGoDuration } from "../../src/jobs/distcrond-schedule.ts";

describe("parseGoDuration()", () => {
  test.each([
    ["1s", 1],
    ["10m", 600],
    ["1h30m", 5400],
    ["1h30m10s", 5410],
    ["1.5h", 5400],
    ["0.1h", 360],
    [".5m", 30],
    ["1000ms", 1],
    ["+5s", 5],
    ["1500ms500ms", 2],
    ["1000000µs", 1],
    ["2d", 172_800],
    ["1000d", 86_400_000],
    ["day", 86_400],
    ["24h", 86_400],
  ])("%s", (text, seconds) => expect(parseGoDuration(text)).toBe(seconds * 1000));

  test.each([
    ...[
      "",
      "0",
      "0s",
      "10",
      "5ns",
      "999ms",
      "1.5s",
      "-5s",
      "1h-30m",
      "m",
      ".s",
      "1 h",
      "1h 30m",
      "1001d",
      "1h1ns",
    ],
    ...["1e3s", "999999999999h", "1.5.5s", "∞s", `${"1h".repeat(10)}`],
  ])("%j is none", (text) => expect(parseGoDuration(text)).toBeUndefined());
});

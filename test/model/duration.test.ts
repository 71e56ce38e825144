import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { durationInWords, formatDuration, parseDuration } from "../../src/model/duration.ts";

const day = 86_400_000;

describe("parseDuration()", () => {
  test.each([
    ["1s", 1000],
    ["90s", 90_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", day],
    ["007s", 7000],
    ["1000d", 1000 * day],
    ["86400000s", 1000 * day],
    ["minute", 60_000],
    ["hour", 3_600_000],
    ["day", day],
  ])("%p is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    ["", "nothing"],
    ["s", "no number"],
    ["90", "no unit"],
    ["90 s", "a blank"],
    [" 90s", "a blank"],
    ["90s\n", "a line's end"],
    ["1.5m", "a fraction"],
    ["-5m", "less than nothing"],
    ["+5m", "a sign"],
    ["0s", "less than a second"],
    ["1001d", "more than 1000 days"],
    ["86400001s", "more than 1000 days"],
    ["99999999999999s", "more than a number can be trusted with"],
    ["5M", "a unit in capitals: months?"],
    ["10ms", "no unit of ours"],
    ["5min", "no unit of ours"],
    ["1w", "no unit of ours"],
    ["1h30m", "two units"],
    ["0x1s", "hexadecimal"],
    ["1e3s", "an exponent"],
    ["١s", "a digit of another script"],
    ["hours", "no word of acron's"],
    ["Hour", "no word of acron's"],
    ["1hour", "a number before a word"],
    ["constructor", "a name that every object has"],
    ["1constructor", "a name that every object has"],
    ["1__proto__", "a name that every object has"],
  ])("refuses %p: %s", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test("is total, and gives nothing but 1 s to 1000 days", () => {
    const near = fc
      .tuple(fc.integer(), fc.constantFrom("s", "m", "h", "d", "w", "", "minute", "hour", "day"))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), near), (text) => {
        const ms = parseDuration(text);
        if (ms !== undefined) expect(Number.isInteger(ms) && ms >= 1000 && ms <= 1000 * day).toBe(true);
      }),
    );
  });
});

describe("formatDuration()", () => {
  test("is read back as the same length", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 * 86_400 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds * 1000))).toBe(seconds * 1000);
      }),
    );
  });

  test.each([
    [90_000, "90s"],
    [120_000, "2m"],
    [7_200_000, "2h"],
    [day, "1d"],
  ])("%d ms is written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("durationInWords()", () => {
  test.each([
    [0, "0 s"],
    [499, "0 s"],
    [500, "1 s"],
    [59_499, "59 s"],
    [59_500, "1 min"],
    [61_000, "1 min 1 s"],
    [3_600_000, "1 h"],
    [3_601_000, "1 h 1 s"],
    [11_520_000, "3 h 12 min"],
    [day + 3_661_000, "1 d 1 h"],
    [400 * day, "400 d"],
    [-5000, "0 s"],
  ])("%d ms: %s", (ms, words) => {
    expect(durationInWords(ms)).toBe(words);
  });
});

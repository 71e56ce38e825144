/**
 * What is a cron expression, and which days and times it means. The tables were filled by asking Debian's cron, and are asked
 * again where it is installed.
 */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { Problem } from "../../src/model/problem.ts";
import type { CronExpression } from "../../src/model/schedule.ts";
import { allowsLocal } from "../../src/schedule/cron-expression.ts";
import { nextLocalMatch, parseCronExpression } from "../../src/schedule/schedule.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { temporaryFolder } from "../support/program.ts";
import { expressionText, parsed } from "./expressions.ts";

const accepted = [
  // values, lists, ranges, steps
  "* * * * *",
  "59 * * * *",
  "5-5 * * * *",
  "0-59/15 * * * *",
  "*/15,7 * * * *",
  "7,*/15 * * * *",
  "*,5 * * * *",
  "1-5,7-9,20-30/5 * * * *",
  "*/60 * * * *",
  "*/100 * * * *",
  "1-10/100 * * * *",
  "10-10/5 * * * *",
  "007 * * * *",
  "000 000 01 01 00",
  `${"0".repeat(98)}5 * * * *`,
  // names
  "* * * jan *",
  "* * * JAN *",
  "* * * jan-mar *",
  "* * * jan,mar *",
  "* * * jan-3 *",
  "* * * 1-mar/2 *",
  "* * * * mon",
  "* * * * MON-fri",
  "* * * * sun-sat",
  "* * * * fri-7",
  "* * * * sun-sun",
  // days of the week
  "* * * * 7",
  "* * * * 0-7",
  "* * * * 5-7",
  "* * * * 7-7",
  "* * * * */7",
  "* * * * */9",
  "* * 1-31 * 1-7",
  // days that never come
  "* * 31 2 *",
  "* * 30 feb *",
  // ranges that run backwards: accepted, and empty
  "22-2 * * * *",
  "30-5/5 * * * *",
  "* * * * sat-sun",
  "* * * * 7-1",
  "* * * * thu-tue",
  "* * * feb-1 *",
  // what follows a finished item counts for nothing
  "*5 * * * *",
  "** * * * *",
  "*x * * * *",
  "*-5 * * * *",
  "5.5 * * * *",
  "5.5,7 * * * *",
  "1-2-3 * * * *",
  "1-10/2/3 * * * *",
  "*/5/2 * * * *",
  "*/5. * * * *",
  "0~30 * * * *",
  "* * * * 1#2",
  "* * * * mon.",
  "5_ * * * *",
  "5é * * * *",
  "1\\,2 * * * *",
  // blanks and tabs
  "\t*\t*\t*\t*\t*\t",
  "*    *  * * *",
  // words
  "@hourly",
  "@daily",
  "@midnight",
  "@weekly",
  "@monthly",
  "@yearly",
  "@annually",
  "@reboot",
];

const minute = "minute must be 0-59: got";
const refused: readonly (readonly [text: string, message: string, hint?: string])[] = [
  ["60 * * * *", `${minute} "60"`],
  ["* 24 * * *", 'hour must be 0-23: got "24"'],
  ["* * 0 * *", 'day of month must be 1-31: got "0"'],
  ["* * 0-5 * *", 'day of month must be 1-31: got "0" in "0-5"'],
  ["* * 31-32 * *", 'day of month must be 1-31: got "32" in "31-32"'],
  ["* * * 0 *", 'month must be 1-12 or jan-dec: got "0"'],
  ["* * * 13 *", 'month must be 1-12 or jan-dec: got "13"'],
  ["* * * * 8", 'day of week must be 0-7 or sun-sat: got "8"'],
  ["* * * * 6-8", 'day of week must be 0-7 or sun-sat: got "8" in "6-8"'],
  ["99-5 * * * *", `${minute} "99" in "99-5"`],
  ["5-99 * * * *", `${minute} "99" in "5-99"`],
  [
    "5/15 * * * *",
    'the step of the minute must stand behind * or a range: got "5/15"',
    'write "5-59/…" for every so many from 5 on',
  ],
  [
    "* * * * mon/2",
    'the step of the day of week must stand behind * or a range: got "mon/2"',
    'write "mon-7/…" for every so many from mon on',
  ],
  ["*/0 * * * *", 'the step of the minute must be a whole number from 1 up: got "0" in "*/0"'],
  ["1-10/00 * * * *", 'the step of the minute must be a whole number from 1 up: got "00" in "1-10/00"'],
  ["*/ * * * *", 'the step of the minute must be a whole number from 1 up: got "" in "*/"'],
  ["*/-5 * * * *", 'the step of the minute must be a whole number from 1 up: got "" in "*/-5"'],
  ["*/5x * * * *", 'the step of the minute must be a whole number from 1 up: got "5x" in "*/5x"'],
  ["*/* * * * *", 'the step of the minute must be a whole number from 1 up: got "" in "*/*"'],
  ["* * * */jan *", 'the step of the month must be a whole number from 1 up: got "jan" in "*/jan"'],
  ["5x * * * *", `${minute} "5x"`],
  ["1-5x * * * *", `${minute} "5x" in "1-5x"`],
  ["0x5 * * * *", `${minute} "0x5"`],
  ["+5 * * * *", `${minute} "+5"`],
  ["-1 * * * *", `${minute} "-1"`],
  ["1- * * * *", `${minute} "1-"`],
  ["1-* * * * *", `${minute} "1-*"`],
  ["1, * * * *", `${minute} "1,"`],
  [",1 * * * *", `${minute} ",1"`],
  ["1,,2 * * * *", `${minute} ",2" in "1,,2"`],
  ["*, * * * *", `${minute} "*,"`],
  ["? * * * *", `${minute} "?"`],
  ["~ * * * *", `${minute} "~"`],
  ["mon * * * *", `${minute} "mon"`],
  ["* * L * *", 'day of month must be 1-31: got "L"'],
  ["* * 15W * *", 'day of month must be 1-31: got "15W"'],
  ["* * jan * *", 'day of month must be 1-31: got "jan"'],
  ["* * * january *", 'month must be 1-12 or jan-dec: got "january"', 'did you mean "jan"?'],
  ["* * * ja *", 'month must be 1-12 or jan-dec: got "ja"', 'did you mean "jan"?'],
  ["* * * * Sunday", 'day of week must be 0-7 or sun-sat: got "Sunday"', 'did you mean "sun"?'],
  ["* * * * mno", 'day of week must be 0-7 or sun-sat: got "mno"', 'did you mean "mon"?'],
  ["* * * * 1mon", 'day of week must be 0-7 or sun-sat: got "1mon"'],
  ["* * * * mon-", 'day of week must be 0-7 or sun-sat: got "mon-"'],
];

const words = "@yearly @annually @monthly @weekly @daily @midnight @hourly @reboot";
const refusedWords: typeof refused = [
  [
    "@Hourly",
    `a word in place of the fields must be one of ${words}: got "@Hourly"`,
    'did you mean "@hourly"?',
  ],
  ["@dayly", `a word in place of the fields must be one of ${words}: got "@dayly"`, 'did you mean "@daily"?'],
  ["@every_minute", `a word in place of the fields must be one of ${words}: got "@every_minute"`],
  ["@", `a word in place of the fields must be one of ${words}: got "@"`],
];

const rowsWithHint = [...refused, ...refusedWords].map(
  ([text, message, hint = ""]) => [text, message, hint] as const,
);

describe("parseCronExpression()", () => {
  test.each(accepted)("takes %j", (text) => {
    expect(parseCronExpression(text)).not.toBeInstanceOf(Problem);
  });
  test.each(rowsWithHint)("refuses %j: %s", (text, message, hint) => {
    const problem = parseCronExpression(text);
    if (!(problem instanceof Problem)) throw new Error("accepted");
    expect([problem.code, problem.message, problem.hint ?? ""]).toEqual(["invalid", message, hint]);
  });
  test.each([
    ["", "five fields"],
    ["* * * *", "five fields"],
    ["* * * * * * *", "five fields"],
    ["4294967301 * * * *", 'minute must be 0-59: got "4294967301"'], // wraps round to 5 in Debian's cron
    ["60 * * * * *", 'second must be 0-59: got "60"'],
    ["* 60 * * * *", 'minute must be 0-59: got "60"'],
    [`${"1,".repeat(600)}1 * * * *`, "at most 1000 characters"],
  ])("refuses %j, of which Debian's cron knows nothing: %s", (text, words) => {
    expect(parseCronExpression(text)).toMatchObject({ message: expect.stringContaining(words) });
  });
  test("reads a sixth field in front as seconds", () => {
    expect(parsed("*/20 0 3 * * *")).toMatchObject({ unitMs: 1000, kind: "wildcard" });
    expect(parsed("30 0 3 * * *")).toMatchObject({ unitMs: 1000, kind: "fixed" });
    expect(parsed("0 3 * * *")).toMatchObject({ unitMs: 60_000, kind: "fixed" });
  });
  test.each([
    ["* 3 * * *", "wildcard"],
    ["*/15 3 * * *", "wildcard"],
    ["0 * * * *", "wildcard"],
    ["0 */2 * * *", "wildcard"],
    ["@hourly", "wildcard"],
    ["0-59 3 * * *", "fixed"], // the same times as a star; the first character counts
    ["0 0-23 * * *", "fixed"],
    ["5,* 3 * * *", "fixed"],
    ["@daily", "fixed"],
  ])("%j is %s", (text, kind) => {
    expect(parsed(text).kind).toBe(kind as CronExpression["kind"]);
  });
  test("is total: any text gives an expression or a Problem with one line", () => {
    const likely = fc.stringMatching(/^[0-9*/,\-@a-zLW#? \t]{0,30}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), likely), (text) => {
        const result = parseCronExpression(text);
        if (result instanceof Problem) expect(result.message).not.toContain("\n");
      }),
      { numRuns: 3000 },
    );
  });
  test("takes every expression that is built by the rules, in good time", () => {
    fc.assert(
      fc.property(expressionText, (text) => parsed(text).text === text),
      { numRuns: 500 },
    );
  });
});

/** The dates of January to mid-March 2028 (which begins on a Saturday), as the program ran them at midnight. */
const days: readonly (readonly [text: string, dates: string])[] = [
  ["0 0 1 * 1", "01-01 01-03 01-10 01-17 01-24 01-31 02-01 02-07 02-14 02-21 02-28 03-01 03-06 03-13"], // either
  ["0 0 */2 * 1", "01-03 01-17 01-31 02-07 02-21 03-13"], // both: the day begins with a star
  ["0 0 1 * */2", "01-01 02-01"], // both: the weekday does
  ["0 0 *,5 * 1", "01-03 01-10 01-17 01-24 01-31 02-07 02-14 02-21 02-28 03-06 03-13"],
  ["0 0 *-5 * 1", "01-03 01-10 01-17 01-24 01-31 02-07 02-14 02-21 02-28 03-06 03-13"],
  ["0 0 1 * 0,7", "01-01 01-02 01-09 01-16 01-23 01-30 02-01 02-06 02-13 02-20 02-27 03-01 03-05 03-12"],
  ["0 0 1 * *,1", "01-01 02-01 03-01"],
  ["0 0 1 * */7", ""], // no first of the month is a Sunday
  ["0 0 * * */9", "01-02 01-09 01-16 01-23 01-30 02-06 02-13 02-20 02-27 03-05 03-12"],
  ["0 0 */40 * *", "01-01 02-01 03-01"],
  ["0 0 1-9/3 * *", "01-01 01-04 01-07 02-01 02-04 02-07 03-01 03-04 03-07"],
  ["0 0 1 */5 *", "01-01"],
  ["0 0 30-5/5 * *", ""],
  ["0 0 * * sat-sun", ""],
  ["0 0 1 * thu-tue", "01-01 02-01 03-01"], // the weekday is empty, and the day alone is enough
  ["0 0 29 2 *", "02-29"],
  [
    "0 0 1,*/10 * 2",
    "01-01 01-04 01-11 01-18 01-21 01-25 01-31 02-01 02-08 02-11 02-15 02-21 02-22 02-29 03-01 03-07 03-11 03-14",
  ],
  ["@weekly", "01-02 01-09 01-16 01-23 01-30 02-06 02-13 02-20 02-27 03-05 03-12"],
  ["@monthly", "01-01 02-01 03-01"],
  ["@yearly", "01-01"],
];

describe("nextLocalMatch()", () => {
  test.each(days)("%j means the days of Debian's cron", (text, dates) => {
    const found: string[] = [];
    let at = nextLocalMatch(parsed(text), Date.UTC(2028, 0, 1));
    while (at !== undefined && at < Date.UTC(2028, 2, 15)) {
      found.push(new Date(at).toISOString().slice(5, 10));
      at = nextLocalMatch(parsed(text), at + 1);
    }
    expect(found.join(" ")).toBe(dates);
  });
  test.each([
    ["0 0 29 2 */7", "2026-01-01T00:00:00", "2032-02-29T00:00:00"],
    ["0 0 29 2 */7", "2088-03-01T00:00:00", "2128-02-29T00:00:00"], // 40 years, for 2100 has no such day
    ["30 59 23 31 12 *", "2026-12-31T23:59:30", "2026-12-31T23:59:30"], // the time itself counts
    ["30 59 23 31 12 *", "2026-12-31T23:59:31", "2027-12-31T23:59:30"],
    ["0 0 1 1 *", "1969-06-01T00:00:00", "1970-01-01T00:00:00"],
    ["5 * * * *", "2026-01-01T00:05:00.001", "2026-01-01T01:05:00"],
  ])("%j from %s is %s", (text, from, expected) => {
    const found = nextLocalMatch(parsed(text), Date.parse(`${from}Z`));
    expect(new Date(found ?? 0).toISOString().slice(0, 19)).toBe(expected);
  });
  test.each([
    "0 0 31 2 *",
    "0 0 30 feb *",
    "0 0 31 4,6,9,11 *",
    "22-2 * * * *",
    "0 5-4 * * *",
    "* * * feb-1 *",
    "9-8 * * * * *",
  ])("%j never comes", (text) => {
    expect(nextLocalMatch(parsed(text), Date.UTC(2026, 0, 1))).toBeUndefined();
  });
  test("finds what counting finds", () => {
    const from = fc.integer({ min: Date.UTC(2024, 0) / 60_000, max: Date.UTC(2030, 0) / 60_000 });
    fc.assert(
      fc.property(expressionText, from, (text, fromMinute) => {
        const expression = parsed(text);
        const found = nextLocalMatch(expression, fromMinute * 60_000);
        // All matches that counting finds in two days are found, and what is found before that, counting finds.
        for (
          let at = fromMinute * 60_000;
          at < (fromMinute + 2880) * 60_000;
          at += expression.unitMs * (expression.unitMs === 1000 ? 7 : 1)
        ) {
          const isFound = found !== undefined && at >= found;
          if (matches(expression, isFound ? found : at) !== isFound) throw new Error(`${text} at ${at}`);
          if (isFound) return;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("allowsLocal()", () => {
  test("is the definition", () => {
    const near = Date.UTC(2026, 0);
    fc.assert(
      fc.property(expressionText, fc.integer({ min: 0, max: 366 * 86_400 }), (text, seconds) => {
        const expression = parsed(text);
        const any = near + seconds * 1000;
        const next = nextLocalMatch(expression, any);
        for (const at of [any, any - (any % 60_000), ...(next === undefined ? [] : [next, next + 60_000])])
          expect(allowsLocal(expression, at)).toBe(matches(expression, at));
      }),
      { numRuns: 1000 },
    );
  });
});

/** The definition, by the runtime's own calendar. */
function matches(expression: CronExpression, localMs: number): boolean {
  const at = new Date(localMs);
  const has = ({ low, high }: { low: number; high: number }, value: number) =>
    ((value < 32 ? low >> value : high >> (value - 32)) & 1) === 1;
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = expression;
  const [isDate, isDay] = [has(dayOfMonth, at.getUTCDate()), has(dayOfWeek, at.getUTCDay())];
  const needsBoth = /^\*/.test(dayOfMonth.text) || /^\*/.test(dayOfWeek.text);
  return (
    has(second, at.getUTCSeconds()) &&
    has(minute, at.getUTCMinutes()) &&
    has(hour, at.getUTCHours()) &&
    has(month, at.getUTCMonth() + 1) &&
    (needsBoth ? isDate && isDay : isDate || isDay)
  );
}

describeOnPrivateHost("Debian's crontab(1)", ["cron"], () => {
  test("accepts and refuses the same", async () => {
    using folder = temporaryFolder();
    const all = [...accepted, ...[...refused, ...refusedWords].map(([text]) => text)];
    for (const [index, text] of all.entries()) writeFileSync(`${folder.path}/${index}`, `${text} true\n`);
    const { stdout } = await onPrivateHost(
      `cd ${folder.path}; n=0; while [ -e $n ]; do crontab $n 2>/dev/null && echo yes || echo no; n=$((n + 1)); done`,
    );
    const answers = stdout.trim().split("\n");
    expect(all.map((text, index) => [text, answers[index]])).toEqual([
      ...accepted.map((text) => [text, "yes"]),
      ...[...refused, ...refusedWords].map(([text]) => [text, "no"]),
    ]);
  }, 30_000);
});

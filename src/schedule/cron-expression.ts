/**
 * Cron expressions: five fields as Debian's cron reads them, six with seconds in front, or a word such as `@daily`; and
 * the search for the next time that one of them allows.
 */

import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { CronExpression, CronField } from "../model/schedule.ts";
import {
  dayMs,
  dayNumberOf,
  dayOf,
  dayOfWeekOf,
  daysInMonth,
  hourMs,
  minuteMs,
  secondMs,
} from "./calendar.ts";
import { allows, type FieldRule, fieldOf, fieldRules, nextValue, parseCronField } from "./cron-field.ts";

/**
 * What the @words stand for. `@hourly` follows the wall clock in Debian's cron though its minute is fixed, which the star
 * in its hour says here.
 */
const nicknames: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const words = [...Object.keys(nicknames), "@reboot"];
/** No crontab line is longer in Debian's cron, whose lines end at 1,000 characters. */
const longest = 1000;

/**
 * Reads a cron expression.
 * @param text five or six fields with blanks or tabs between, or one of the @words in small letters
 * @returns the expression; `reboot` for `@reboot`; or a Problem that names the field, the rule and the value
 * @see crontab(5), and docs/schedule.md for what it leaves open
 */
export function parseCronExpression(text: string): CronExpression | "reboot" | Problem {
  if (text.length > longest) {
    return new Problem(
      "invalid",
      `a cron expression must have at most ${longest} characters: got ${quoted(text, 40)}`,
    );
  }
  const trimmed = text.replace(/^[ \t]+|[ \t]+$/g, "");
  if (trimmed.startsWith("@")) {
    if (trimmed === "@reboot") return "reboot";
    const meaning = Object.hasOwn(nicknames, trimmed) ? nicknames[trimmed] : undefined;
    return meaning === undefined ? unknownWord(trimmed) : parseFields(trimmed, meaning.split(" "));
  }
  const fields = trimmed.split(/[ \t]+/);
  return parseFields(fields.join(" "), fields);
}

function parseFields(text: string, fields: readonly string[]): CronExpression | Problem {
  if (fields.length !== 5 && fields.length !== 6) {
    return new Problem(
      "invalid",
      `a cron expression must be five fields, six with seconds in front, or a word such as @daily: got ${quoted(text)}`,
      { hint: "the fields are minute, hour, day of month, month, day of week" },
    );
  }
  const hasSeconds = fields.length === 6;
  const rules: readonly FieldRule[] = Object.values(fieldRules).slice(hasSeconds ? 0 : 1);
  const parsed: CronField[] = hasSeconds ? [] : [fieldOf(0)];
  for (const [index, rule] of rules.entries()) {
    const field = parseCronField(fields[index] ?? "", rule);
    if (field instanceof Problem) return field;
    parsed.push(field);
  }
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = parsed as [
    CronField,
    CronField,
    CronField,
    CronField,
    CronField,
    CronField, // six: the loop above has filled them
  ];
  const isWild = second.beginsWithStar || minute.beginsWithStar || hour.beginsWithStar;
  return {
    text,
    unitMs: hasSeconds ? 1000 : 60_000,
    kind: isWild ? "wildcard" : "fixed",
    second,
    minute,
    hour,
    dayOfMonth,
    month,
    dayOfWeek,
  };
}

/**
 * Whether both day fields must agree, or one of them is enough: both, where either begins with a star. So `* * 1 * 1` is the
 * first and every Monday, and the second-daily star with step, `1`, is a Monday with an odd date.
 */
export function needsBothDays({ dayOfMonth, dayOfWeek }: CronExpression): boolean {
  return dayOfMonth.beginsWithStar || dayOfWeek.beginsWithStar;
}

/**
 * The first local time, from one on, that an expression allows.
 *
 * From the largest unit down: a year at a time the months that are allowed, in them the days, and in the first such day
 * the time, which is cut from the given time only when it is the same day; when that day has none left, the next day is
 * sought, with midnight to begin with.
 * @param fromLocalMs what the clocks show, as if it were UTC; that time itself counts
 * @returns undefined when there is none in the next 40 years: there never is one
 */
export function nextLocalMatch(expression: CronExpression, fromLocalMs: number): number | undefined {
  const from = Math.ceil(fromLocalMs / secondMs) * secondMs;
  const today = Math.floor(from / dayMs);
  const firstDay = nextDay(expression, today);
  if (firstDay === undefined) return undefined;
  const timeMs = nextTime(expression, firstDay === today ? from - today * dayMs : 0);
  if (timeMs !== undefined) return firstDay * dayMs + timeMs;
  const day = nextDay(expression, firstDay + 1);
  const earliest = nextTime(expression, 0);
  return day === undefined || earliest === undefined ? undefined : day * dayMs + earliest;
}

/**
 * Whether an expression allows a local time: what {@link nextLocalMatch} would find there, without the search. The time of day
 * is asked first, for that is what most jobs fail at, and a daemon asks for each of them every minute.
 * @param localMs in whole seconds
 */
export function allowsLocal(expression: CronExpression, localMs: number): boolean {
  const dayNumber = Math.floor(localMs / dayMs);
  const ofDayMs = localMs - dayNumber * dayMs;
  if (!allows(expression.minute, Math.floor((ofDayMs % hourMs) / minuteMs))) return false;
  if (!allows(expression.hour, Math.floor(ofDayMs / hourMs))) return false;
  if (!allows(expression.second, Math.floor((ofDayMs % minuteMs) / secondMs))) return false;
  const { day, month } = dayOf(dayNumber);
  if (!allows(expression.month, month)) return false;
  const isDate = allows(expression.dayOfMonth, day);
  const isWeekday = allows(expression.dayOfWeek, dayOfWeekOf(dayNumber));
  return needsBothDays(expression) ? isDate && isWeekday : isDate || isWeekday;
}

/** 29 February on one day of the week comes back after 28 years, after 40 where 2100 lies between. */
const patienceYears = 41;

function nextDay(expression: CronExpression, fromDay: number): number | undefined {
  const { dayOfMonth, dayOfWeek, month: months } = expression;
  const needsBoth = needsBothDays(expression);
  const start = dayOf(fromDay);
  let firstDay = start.day;
  for (let { year, month } = start; year <= start.year + patienceYears; ) {
    const found = nextValue(months, month);
    if (found !== month) {
      firstDay = 1;
      if (found < 0) {
        year += 1;
        month = 1;
        if (months.low === 0) return undefined;
        continue;
      }
      month = found;
    }
    const firstOfMonth = dayNumberOf(year, month, 1);
    const last = daysInMonth(year, month);
    for (let day = firstDay; day <= last; day++) {
      const number = firstOfMonth + day - 1;
      const isDate = allows(dayOfMonth, day);
      const isWeekday = allows(dayOfWeek, dayOfWeekOf(number));
      if (needsBoth ? isDate && isWeekday : isDate || isWeekday) return number;
    }
    month += 1;
    firstDay = 1;
  }
  return undefined;
}

/** The first time of day, from one on, that is allowed. */
function nextTime({ second, minute, hour }: CronExpression, fromMs: number): number | undefined {
  let h = Math.floor(fromMs / hourMs);
  let m = Math.floor((fromMs % hourMs) / minuteMs);
  let s = Math.floor((fromMs % minuteMs) / secondMs);
  for (;;) {
    const foundHour = nextValue(hour, h);
    if (foundHour < 0) return undefined;
    if (foundHour > h) [h, m, s] = [foundHour, 0, 0];
    const foundMinute = nextValue(minute, m);
    if (foundMinute > m) [m, s] = [foundMinute, 0];
    const foundSecond = foundMinute < 0 ? -1 : nextValue(second, s);
    if (foundSecond >= 0) return h * hourMs + m * minuteMs + foundSecond * secondMs;
    // Nothing left in this minute, or in this hour: on with the next.
    if (foundMinute >= 0 && m < 59) [m, s] = [m + 1, 0];
    else [h, m, s] = [h + 1, 0, 0];
    if (second.low === 0 && second.high === 0) return undefined;
    if (minute.low === 0 && minute.high === 0) return undefined;
  }
}

function unknownWord(word: string): Problem {
  const near = nearestWord(word, words);
  return new Problem(
    "invalid",
    `a word in place of the fields must be one of ${words.join(" ")}: got ${quoted(word)}`,
    {
      ...(near !== undefined && { hint: `did you mean "${near}"?` }),
    },
  );
}

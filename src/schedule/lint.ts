/**
 * What is allowed in a cron expression and hardly meant: said by `rcrond --check`, never refused, since Debian's cron
 * accepts it too.
 */

import { quoted } from "../model/printable.ts";
import type { CronExpression, CronField, Zone } from "../model/schedule.ts";
import { formatLocal } from "./calendar.ts";
import { stepKind } from "./cron-clock.ts";
import { needsBothDays, nextLocalMatch } from "./cron-expression.ts";
import { allowsAll, type FieldRule, fieldRules, valuesOf } from "./cron-field.ts";

/** What is odd about an expression. */
export type LintKind =
  | "never"
  | "ignored"
  | "empty"
  | "every-unit"
  | "uneven"
  | "either-day"
  | "clock-change";

/** One oddity, in words for the operator. */
export interface Lint {
  readonly kind: LintKind;
  readonly message: string;
  readonly hint?: string;
}

type FieldName = keyof typeof fieldRules;
const fieldNames = Object.keys(fieldRules) as FieldName[]; // the keys of a constant

/**
 * Looks for likely mistakes.
 * @param nowMs from when on changes of the clocks are looked at, for two years
 * @returns empty when there is nothing to say
 */
export function lint(expression: CronExpression, zone: Zone, nowMs: number): Lint[] {
  const found = [...ignoredParts(expression), ...emptyRanges(expression)];
  if (nextLocalMatch(expression, nowMs) === undefined) return [...found, neverFires(expression)];
  return [
    ...found,
    ...everyUnit(expression),
    ...unevenSteps(expression),
    ...eitherDay(expression),
    ...clockChange(expression, zone, nowMs),
  ];
}

function ignoredParts(expression: CronExpression): Lint[] {
  return fieldNames.flatMap((name) => {
    const { text, ignored } = expression[name];
    if (ignored === "") return [];
    const read = text.slice(0, text.length - ignored.length);
    const message = `${fieldRules[name].name} ${quoted(text)} is read as ${quoted(read)}: as in Debian's cron, ${quoted(ignored)} counts for nothing`;
    return [{ kind: "ignored", message }];
  });
}

function emptyRanges(expression: CronExpression): Lint[] {
  return fieldNames.flatMap((name) => {
    const { text, low, high } = expression[name];
    if (low !== 0 || high !== 0) return [];
    const { name: title, first, last } = fieldRules[name];
    const [from, to] = text.split(/[-,/]/);
    return [
      {
        kind: "empty",
        message: `${title} ${quoted(text)} runs backwards and allows nothing`,
        hint: `write "${from}-${last},${first}-${to}" for a range across the end`,
      },
    ];
  });
}

function neverFires({ text, dayOfMonth, month }: CronExpression): Lint {
  return {
    kind: "never",
    message: `${quoted(text)} can never fire: there is no day with day of month ${quoted(dayOfMonth.text)} and month ${quoted(month.text)} at such a time`,
  };
}

/** `* 3 * * *`: whoever wants three o'clock writes 0 for the minute. A plain range of hours (`* 8-18 * * *`) is meant. */
function everyUnit(expression: CronExpression): Lint[] {
  const { text, unitMs, second, minute, hour, dayOfMonth } = expression;
  const all = (name: FieldName) => allowsAll(expression[name], fieldRules[name]);
  const isNarrow = (name: FieldName) => !all(name) && !/^\d+-\d+$/.test(expression[name].text);
  if (unitMs === 1000 && all("second") && (isNarrow("minute") || (all("minute") && isNarrow("hour")))) {
    const where = all("minute") ? `hour ${hour.text}` : `minute ${minute.text}`;
    return [
      {
        kind: "every-unit",
        message: `${quoted(text)} fires every second of the ${where}`,
        hint: `write 0 in place of "${second.text}" for once a minute`,
      },
    ];
  }
  if (!all("minute")) return [];
  if (isNarrow("hour")) {
    const message = `${quoted(text)} fires every minute of the hour ${hour.text}`;
    return [{ kind: "every-unit", message, hint: `write 0 in place of "${minute.text}" for once an hour` }];
  }
  if (all("hour") && isNarrow("dayOfMonth") && !dayOfMonth.beginsWithStar) {
    const message = `${quoted(text)} fires every minute of the day ${dayOfMonth.text}`;
    return [{ kind: "every-unit", message, hint: 'begin with "0 0" for once a day' }];
  }
  return [];
}

/** A star with step 45 is :00 and :45, a distance of 45 minutes and one of 15. */
function unevenSteps(expression: CronExpression): Lint[] {
  return (["second", "minute", "hour"] as const).flatMap((name) => {
    const { text } = expression[name];
    const rule: FieldRule = fieldRules[name];
    const step = Number(/^\*\/(\d+)$/.exec(text)?.[1] ?? 1);
    if ((rule.last + 1) % step === 0) return [];
    const values = valuesOf(expression[name]);
    const shown = values.length > 6 ? [...values.slice(0, 2), "…", values.at(-1)] : values;
    const message = `${rule.name} ${quoted(text)} is not every ${step} ${rule.name}s: it is ${shown.join(", ")}, and then 0 again`;
    return [{ kind: "uneven", message }];
  });
}

function eitherDay(expression: CronExpression): Lint[] {
  const { text, dayOfMonth, dayOfWeek } = expression;
  const isLimited = (field: CronField, rule: FieldRule) => !allowsAll(field, rule);
  if (!isLimited(dayOfMonth, fieldRules.dayOfMonth) || !isLimited(dayOfWeek, fieldRules.dayOfWeek)) return [];
  const [day, weekday] = [quoted(dayOfMonth.text), quoted(dayOfWeek.text)];
  const message = needsBothDays(expression)
    ? `${quoted(text)} needs day of month ${day} and day of week ${weekday} together, since one of them begins with *`
    : `${quoted(text)} fires on day of month ${day} and also on each day of week ${weekday}`;
  return [{ kind: "either-day", message }];
}

const lookAheadMs = 2 * 366 * 86_400_000;

/** Only what names hours: a job of every hour has nothing to lose by one more or less. */
function clockChange(expression: CronExpression, zone: Zone, nowMs: number): Lint[] {
  if (allowsAll(expression.hour, fieldRules.hour)) return [];
  const everyDay = { ...expression, dayOfMonth: anyDay, month: anyDay, dayOfWeek: anyDay };
  const found = new Map<string, Lint>();
  let before = zone.stretchAt(nowMs);
  while (before.untilMs < nowMs + lookAheadMs) {
    const changeMs = before.untilMs;
    const after = zone.stretchAt(changeMs);
    const [left, shown] = [changeMs + before.offsetMs, changeMs + after.offsetMs];
    const [first, end] = [Math.min(left, shown), Math.max(left, shown)];
    const match = nextLocalMatch(everyDay, first);
    if (match !== undefined && match < end) {
      const isSkip = shown > left;
      const isCorrection = stepKind(shown - left + expression.unitMs, expression.unitMs) === "correction";
      const message = `${formatLocal(match).slice(11)} in ${zone.name} ${effectOf(expression, isSkip, isCorrection)} when the clocks go ${isSkip ? "forward" : "back"}, next on ${formatLocal(left).slice(0, 10)}`;
      if (!found.has(String(isSkip))) found.set(String(isSkip), { kind: "clock-change", message });
    }
    before = after;
  }
  return [...found.values()];
}

const anyDay: CronField = { text: "*", low: 0xffffffff, high: 0, beginsWithStar: true, ignored: "" };

function effectOf({ kind }: CronExpression, isSkip: boolean, isCorrection: boolean): string {
  if (kind === "wildcard" || isCorrection) return isSkip ? "is left out" : "comes twice";
  return isSkip ? "runs right after the change" : "runs at its first occurrence only";
}

/**
 * One field of a cron expression, read as Debian's cron reads it.
 *
 * Its rules, found by asking the program (test/schedule/cron-expression.test.ts asks it again):
 * - a field is a list of items with commas between; an item is `*`, a value, or a range `1-5`; behind a star or a range, but
 *   not behind a single value, there may be a step `/2`; values are numbers or, for months and weekdays, names;
 * - a word is all letters and digits up to the next other character, so `5x` is no number;
 * - what then follows and is neither a comma nor a blank is passed over, to the end of the field: `5.5` is 5, and `*5` is
 *   `*`. Read so here as well, for a crontab must mean the same; `ignored` keeps it, and lint() tells of it;
 * - a range that runs backwards (`22-2`) is accepted and empty.
 * The one exception: a number too large for a machine word wraps round in Debian's cron; here it is out of range.
 */

import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { CronField } from "../model/schedule.ts";

/** What may stand in a field. */
export interface FieldRule {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** The first stands for the field's first value. */
  readonly names: readonly string[];
}

const monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** The fields in the order in which they are written; five fields begin with the minute. */
export const fieldRules = {
  second: { name: "second", first: 0, last: 59, names: [] },
  minute: { name: "minute", first: 0, last: 59, names: [] },
  hour: { name: "hour", first: 0, last: 23, names: [] },
  dayOfMonth: { name: "day of month", first: 1, last: 31, names: [] },
  month: { name: "month", first: 1, last: 12, names: monthNames },
  dayOfWeek: { name: "day of week", first: 0, last: 7, names: dayNames },
} as const satisfies Record<string, FieldRule>;

/**
 * Reads a field.
 * @param text without blanks
 * @returns its values, or a Problem that names the field, the rule and the value
 */
export function parseCronField(text: string, rule: FieldRule): CronField | Problem {
  let rest = text;
  let low = 0;
  let high = 0;
  for (;;) {
    const item = /^(?:(\*)|([A-Za-z0-9]+)(?:(-)([A-Za-z0-9]*))?)/.exec(rest);
    if (item === null) return broken(text, rule, rest);
    const [whole, star, word = "", dash, endWord = ""] = item;
    rest = rest.slice(whole.length);
    const from = star === undefined ? readValue(word, rule) : rule.first;
    let to = star === undefined ? from : rule.last;
    if (dash !== undefined) to = readValue(endWord, rule);
    if (from === undefined) return broken(text, rule, word);
    if (to === undefined) return broken(text, rule, endWord);
    let step = 1;
    if (rest.startsWith("/")) {
      if (star === undefined && dash === undefined) return stepBehindValue(text, rule, whole);
      const digits = /^\/([A-Za-z0-9]*)/.exec(rest)?.[1] ?? "";
      rest = rest.slice(1 + digits.length);
      step = /^\d+$/.test(digits) ? Number(digits) : 0;
      if (step === 0) return badStep(text, rule, digits);
    }
    for (let value = from; value <= to; value += step) {
      if (value < 32) low |= 1 << value;
      else high |= 1 << (value - 32);
    }
    if (!rest.startsWith(",")) break;
    rest = rest.slice(1);
  }
  if (rule === fieldRules.dayOfWeek && (low & 0x80) !== 0) low = (low & 0x7f) | 1; // 7 is Sunday too
  return { text, low: low >>> 0, high: high >>> 0, beginsWithStar: text.startsWith("*"), ignored: rest };
}

/** A field that one value fills. */
export function fieldOf(value: number): CronField {
  const low = value < 32 ? (1 << value) >>> 0 : 0;
  const high = value < 32 ? 0 : (1 << (value - 32)) >>> 0;
  return { text: String(value), low, high, beginsWithStar: false, ignored: "" };
}

export function allows(field: CronField, value: number): boolean {
  return ((value < 32 ? field.low >>> value : field.high >>> (value - 32)) & 1) === 1;
}

/** The least value from `from` on that the field allows; -1 where there is none. */
export function nextValue(field: CronField, from: number): number {
  if (from < 32) {
    const low = ((field.low >>> from) << from) >>> 0;
    if (low !== 0) return lowestBit(low);
    return field.high === 0 ? -1 : 32 + lowestBit(field.high);
  }
  if (from > 63) return -1;
  const high = ((field.high >>> (from - 32)) << (from - 32)) >>> 0;
  return high === 0 ? -1 : 32 + lowestBit(high);
}

/** All values that the field allows, rising. */
export function valuesOf(field: CronField): number[] {
  const values: number[] = [];
  for (let value = nextValue(field, 0); value >= 0; value = nextValue(field, value + 1)) values.push(value);
  return values;
}

/** Whether the field allows every value that there is. */
export function allowsAll(field: CronField, rule: FieldRule): boolean {
  const last = rule === fieldRules.dayOfWeek ? 6 : rule.last;
  for (let value = rule.first; value <= last; value++) if (!allows(field, value)) return false;
  return true;
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function readValue(word: string, { first, last, names }: FieldRule): number | undefined {
  const index = names.indexOf(word.toLowerCase());
  const value = index >= 0 ? first + index : /^\d+$/.test(word) ? Number(word) : Number.NaN;
  return value >= first && value <= last ? value : undefined;
}

/** `minute must be 0-59: got "61"`, and for a name the nearest one. */
function broken(text: string, rule: FieldRule, part: string): Problem {
  const { name, first, last, names } = rule;
  const [firstName, lastName] = [names[0], names.at(-1)];
  const range = `${first}-${last}${firstName === undefined ? "" : ` or ${firstName}-${lastName}`}`;
  const near = /^[A-Za-z]/.test(part) ? nearestName(part, names) : undefined;
  const seen =
    text.length === part.length || part === "" ? quoted(text) : `${quoted(part)} in ${quoted(text)}`;
  return new Problem("invalid", `${name} must be ${range}: got ${seen}`, {
    ...(near !== undefined && { hint: `did you mean "${near}"?` }),
  });
}

/** `january` and `Sunday` are the first three letters too long; `mno` is a slip. */
function nearestName(word: string, names: readonly string[]): string | undefined {
  return names.find((name) => word.toLowerCase().startsWith(name)) ?? nearestWord(word, names);
}

function badStep(text: string, { name }: FieldRule, step: string): Problem {
  return new Problem(
    "invalid",
    `the step of the ${name} must be a whole number from 1 up: got ${quoted(step)} in ${quoted(text)}`,
  );
}

/** Other programs read `5/15` as `5-59/15`; Debian's cron refuses it. */
function stepBehindValue(text: string, rule: FieldRule, item: string): Problem {
  return new Problem(
    "invalid",
    `the step of the ${rule.name} must stand behind * or a range: got ${quoted(text)}`,
    { hint: `write "${item}-${rule.last}/…" for every so many from ${item} on` },
  );
}

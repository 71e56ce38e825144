/**
 * `schedule` in distcrond's job files. Its README writes an interval with a time of day to count from, its program reads a cron
 * expression with seconds; both count here, and what it had planned as well:
 *
 *     "schedule": "0 45 20 * * *"
 *     "schedule": {"interval": "10m", "reference": "03:10"}
 *     "schedule": {"spread": "1d"}
 */
import { parseDuration } from "../model/duration.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Schedule } from "../model/schedule.ts";
import { referenceRule, referenceTimes } from "../schedule/schedule.ts";
import { type Found, type JsonFile, keysOf, shown } from "./distcrond-keys.ts";
import { readExpression } from "./file-reading.ts";

/** What an interval must look like, for messages. */
export const intervalRule = "a length of time such as 10m, 1h30m or 2d, from 1s to 1000d in whole seconds";
const longestMs = 1000 * 86_400_000;
const nanosecondsOf: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

/**
 * Reads a length of time as Go writes it (`1h30m`, `1.5h`, `90s`), and as rcron does (`2d`, `day`).
 * @returns milliseconds, whole seconds from 1 second to 1000 days; undefined for anything else
 */
export function parseGoDuration(text: string): number | undefined {
  const plain = parseDuration(text);
  if (plain !== undefined) return plain;
  if (!/^\+?(?:(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:ns|us|µs|μs|ms|[smhd])){1,9}$/.test(text))
    return undefined;
  // Whole numbers, since tenths of an hour are no exact fractions of two.
  let sum = 0n;
  for (const [, number = "", unit = ""] of text.matchAll(/([\d.]+)([^\d.]+)/g)) {
    const [whole = "", fraction = ""] = number.split(".");
    const billionths = BigInt(`${whole}${fraction.padEnd(9, "0")}`);
    sum += (billionths * (nanosecondsOf[unit] ?? 0n)) / 1_000_000_000n;
  }
  if (sum % 1_000_000_000n !== 0n) return undefined;
  const ms = Number(sum / 1_000_000n);
  return ms >= 1000 && ms <= longestMs ? ms : undefined;
}

/** Reads a schedule. @returns undefined where something in it is a problem, which is told */
export function scheduleOf(found: Found, file: JsonFile): Schedule | undefined {
  const { path, value } = found;
  if (value.kind === "text") return timesOf(value.text, found, file);
  if (value.kind !== "object") {
    const rule = `${path} must be a cron expression with seconds, or an object with interval or spread`;
    return file.refuse(found, `${rule}: got ${shown(value)}`);
  }
  const keys = keysOf(found, ["interval", "reference", "spread"], file);
  const interval = keys?.text("interval", 100);
  const reference = keys?.text("reference", 100);
  const spread = keys?.text("spread", 100);
  if (spread !== undefined) {
    const other = interval ?? reference;
    if (other !== undefined) return file.refuse(other, `${other.path} must not stand beside ${path}.spread`);
    const periodMs = lengthOf(spread, file);
    return periodMs === undefined ? undefined : { kind: "every", periodMs, offsetMs: 0, isSpread: true };
  }
  if (interval === undefined) {
    // What is there and no text is told already.
    if (keys?.get("interval") === undefined && keys?.get("spread") === undefined) {
      file.refuse(found, `${path} must have an interval or a spread: got neither`);
    }
    return undefined;
  }
  const periodMs = lengthOf(interval, file);
  // Where there is one that is no text, that is told, and the file is not used.
  if (reference === undefined)
    return periodMs === undefined ? undefined : { kind: "every", periodMs, offsetMs: 0 };
  const referenceMs = timeOfDay(reference.text);
  if (referenceMs === undefined) {
    return file.refuse(
      reference,
      `${reference.path} must be a time of day such as 03:10: got ${quoted(reference.text)}`,
    );
  }
  if (periodMs === undefined) return undefined;
  const times = referenceTimes(periodMs, referenceMs);
  if (times !== undefined) return { kind: "cron", expression: times, zone: undefined };
  const rule = `${interval.path} must be ${referenceRule}, beside a reference`;
  return file.refuse(interval, `${rule}: got ${quoted(interval.text)}`);
}

function lengthOf(found: Found & { readonly text: string }, file: JsonFile): number | undefined {
  const ms = parseGoDuration(found.text);
  return ms ?? file.refuse(found, `${found.path} must be ${intervalRule}: got ${quoted(found.text)}`);
}

/** @returns milliseconds from midnight */
function timeOfDay(text: string): number | undefined {
  const [, hour, minute, second = "0"] = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  if (hour === undefined || minute === undefined) return undefined;
  const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  return isTime ? (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000 : undefined;
}

/** The last values of the six fields, for a step behind a single value. */
const lastValues = [59, 59, 23, 31, 12, 6];

/** A cron expression of distcrond's library, which has `?` for `*`, `5/15` for `5-59/15`, and `@every 10m`. */
function timesOf(text: string, found: Found, file: JsonFile): Schedule | undefined {
  const { path } = found;
  const fields = text.trim().split(/\s+/);
  if (fields[0] === "@every") {
    const periodMs = parseGoDuration(fields.slice(1).join(" "));
    if (periodMs !== undefined) return { kind: "every", periodMs, offsetMs: 0 };
    return file.refuse(found, `${path} must have behind @every ${intervalRule}: got ${quoted(text)}`);
  }
  if (fields.length === 5 && !text.trim().startsWith("@")) {
    // The library takes the first of five for the second and the last one for the month: `0 3 * * *` would run each hour.
    const rule = `${path} must have six fields, the first of them for the second: got ${quoted(text)}`;
    return file.refuse(found, rule, `write "0 ${fields.join(" ")}" for a crontab's five fields`);
  }
  const translated = fields.map((field, index) =>
    field
      .split(",")
      .map((item) => item.replace(/^\?/, "*").replace(/^(\w+)\/(\d+)$/, `$1-${lastValues[index] ?? ""}/$2`))
      .join(","),
  );
  const expression = readExpression(fields.length === 6 ? translated.join(" ") : text);
  if (expression instanceof Problem)
    return file.refuse(found, `${path}: ${expression.message}`, expression.hint);
  return expression === "reboot" ? { kind: "reboot" } : { kind: "cron", expression, zone: undefined };
}

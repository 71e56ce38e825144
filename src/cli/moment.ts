/**
 * Moments as a person types and reads them: in this machine's zone, which is said with each.
 */
import { parseDuration } from "../model/duration.ts";

const clock = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/;
const date = /^\d{4}-\d\d-\d\d$/;
const dateAndClock = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)?$/;

/** What a moment must look like, for messages. */
export const momentRule = "a time such as 03:00, 2026-11-21 or 2026-11-21T03:00";

/**
 * Reads a moment: local unless it names its zone; a time of day is the last one that has been.
 * @returns milliseconds since 1970; undefined for anything else
 */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const [, hours, minutes, seconds] = clock.exec(text) ?? [];
  if (hours !== undefined) {
    const at = new Date(nowMs);
    at.setHours(Number(hours), Number(minutes), Number(seconds ?? 0), 0);
    if (at.getTime() > nowMs) at.setDate(at.getDate() - 1);
    return at.getTime();
  }
  let iso = text.replace(" ", "T");
  if (date.test(text)) iso += "T00:00";
  else if (!dateAndClock.test(text)) return undefined;
  const ms = Date.parse(iso);
  // The runtime takes 30 February for 2 March, where the person meant neither.
  return Number.isNaN(ms) || !isRealDay(text) ? undefined : ms;
}

/** The same, or a length of time that has passed since: `2h`. */
export function parseSince(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text);
  return ago === undefined ? parseMoment(text, nowMs) : nowMs - ago;
}

/** What a moment to come must look like, for messages. */
export const comingRule = 'a time to come such as 06:00, "tomorrow 06:00" or 2026-11-21T06:00';

/**
 * Reads a moment to come: local unless it names its zone; a time of day is the next one that will be.
 * @returns milliseconds since 1970; undefined for anything else, and for what has been
 */
export function parseComing(text: string, nowMs: number): number | undefined {
  const [, day, time = ""] = /^(tomorrow )?(.*)$/s.exec(text) ?? [];
  const [, hours, minutes, seconds] = clock.exec(time) ?? [];
  let ms: number | undefined;
  if (hours !== undefined) {
    const at = new Date(nowMs);
    if (day !== undefined) at.setDate(at.getDate() + 1);
    at.setHours(Number(hours), Number(minutes), Number(seconds ?? 0), 0);
    if (at.getTime() <= nowMs) {
      at.setDate(at.getDate() + 1);
      // Again: what the clocks skip on one day they need not skip on the next.
      at.setHours(Number(hours), Number(minutes), Number(seconds ?? 0), 0);
    }
    ms = at.getTime();
  } else if (day === undefined) {
    ms = parseMoment(text, nowMs);
  }
  return ms !== undefined && ms > nowMs ? ms : undefined;
}

function isRealDay(text: string): boolean {
  const day = text.slice(0, 10);
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** `2026-11-21 03:00:01 +01:00`. */
export function localTime(ms: number): string {
  const at = new Date(ms);
  return `${localDay(at)} ${clockOf(at)} ${zoneOf(at)}`;
}

/** `03:00:01`, with the day before it where that is not today; a full minute has no seconds. */
export function shortTime(ms: number, nowMs: number): string {
  const at = new Date(ms);
  const time = ms % 60_000 === 0 ? clockOf(at).slice(0, 5) : clockOf(at);
  return localDay(at) === localDay(new Date(nowMs)) ? time : `${localDay(at)} ${time}`;
}

const two = (number: number) => String(number).padStart(2, "0");

function localDay(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function clockOf(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function zoneOf(at: Date): string {
  return formatOffset(-at.getTimezoneOffset());
}

/** `+01:00`. @param minutes ahead of UTC */
export function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

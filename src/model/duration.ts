/**
 * Lengths of time as they are written in configuration files, options and job files: `90s`, `5m`, `2h`, `1d`, and
 * `minute`, `hour`, `day` for one of each.
 */

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What a length of time must look like, for messages. */
export const durationRule = "a whole number with s, m, h or d behind it, from 1s to 1000d";
const limitMs = 1000 * unitsMs.d;

/**
 * Reads a length of time.
 * @see acron README "cron definition", for the three words
 * @returns milliseconds, from 1 second to 1000 days; undefined for anything else
 */
export function parseDuration(text: string): number | undefined {
  if (text === "minute") return unitsMs.m;
  if (text === "hour") return unitsMs.h;
  if (text === "day") return unitsMs.d;
  const unit = unitsMs[text.slice(-1) as keyof typeof unitsMs]; // undefined for any other letter
  if (unit === undefined || text.length < 2 || text.length > 10) return undefined;
  let number = 0;
  for (let at = 0; at < text.length - 1; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    number = number * 10 + digit;
  }
  const ms = number * unit;
  return ms >= 1000 && ms <= limitMs ? ms : undefined;
}

/** As it is written in a configuration: `90s`, `5m`; the largest unit that fits without a rest. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m"] as const) {
    if (ms % unitsMs[unit] === 0) return `${ms / unitsMs[unit]}${unit}`;
  }
  return `${ms / 1000}s`;
}

/** `3 h 12 min`, the two largest units; `0 s` for less than half a second. */
export function durationInWords(ms: number): string {
  const units: readonly [string, number][] = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  let rest = Math.max(0, Math.round(ms / 1000));
  const parts: string[] = [];
  for (const [unit, seconds] of units) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.length === 0 ? "0 s" : parts.slice(0, 2).join(" ");
}

/**
 * Time zones by name. The rules are those of the runtime, which brings the IANA database with it: the machine's own
 * files are not asked, and new rules come with a new build.
 */

import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Zone, ZoneStretch } from "../model/schedule.ts";

/** The zone that needs no rules. */
export const utc: Zone = {
  name: "UTC",
  stretchAt: () => ({ fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY, offsetMs: 0 }),
};

const known = new Map<string, Zone>();

/**
 * Finds a time zone.
 * @param name a name of the IANA database, large and small letters alike
 * @returns always the same object for a name; or a Problem with the nearest name
 */
export function findZone(name: string): Zone | Problem {
  const found = known.get(name);
  if (found !== undefined) return found;
  const proper = properName(name);
  if (proper === undefined) return unknownZone(name);
  const zone =
    known.get(proper) ?? (proper === "UTC" ? utc : { name: proper, stretchAt: rememberedStretches(proper) });
  known.set(proper, zone);
  // Only spellings that are right, or there could be as many as there are ways to spell.
  return zone;
}

/** Its spelling in the database; undefined for a name that isn't there, and for offsets such as `+02:00`. */
function properName(name: string): string | undefined {
  if (!/^[A-Za-z]/.test(name) || name.length > 60) return undefined;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined; // a RangeError: no such zone
  }
}

/**
 * The stretches of a zone, each computed once. Asking the runtime costs microseconds, and a daemon asks for every job; so
 * the last answer is tried first, then the others, of which there are two a year.
 */
function rememberedStretches(name: string): (utcMs: number) => ZoneStretch {
  let stretches: ZoneStretch[] = [];
  let last: ZoneStretch | undefined;
  return (utcMs) => {
    if (last !== undefined && utcMs >= last.fromMs && utcMs < last.untilMs) return last;
    last = stretches.find(({ fromMs, untilMs }) => utcMs >= fromMs && utcMs < untilMs);
    if (last === undefined) {
      last = computeStretch(name, utcMs);
      stretches = [last, ...stretches].slice(0, 100);
    }
    return last;
  };
}

/** The runtime may name changes that change nothing but the zone's abbreviation; they are passed over. */
function computeStretch(name: string, utcMs: number): ZoneStretch {
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(utcMs)).toZonedDateTimeISO(name);
  const offset = at.offsetNanoseconds;
  // One millisecond on, for a change at this very instant begins this stretch.
  let from = at.add({ milliseconds: 1 }).getTimeZoneTransition("previous");
  while (from !== null && from.subtract({ milliseconds: 1 }).offsetNanoseconds === offset) {
    from = from.getTimeZoneTransition("previous");
  }
  let until = at.getTimeZoneTransition("next");
  while (until !== null && until.offsetNanoseconds === offset) until = until.getTimeZoneTransition("next");
  return {
    fromMs: from?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
    untilMs: until?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offsetMs: offset / 1e6,
  };
}

function unknownZone(name: string): Problem {
  const names = Intl.supportedValuesOf("timeZone");
  const city = name.split("/").at(-1)?.toLowerCase().replaceAll(" ", "_");
  const near = names.find((one) => one.split("/").at(-1)?.toLowerCase() === city) ?? nearestWord(name, names);
  return new Problem(
    "invalid",
    `a time zone must be a name of the IANA database, such as Europe/Berlin: got ${quoted(name)}`,
    { ...(near !== undefined && { hint: `did you mean "${near}"?` }) },
  );
}

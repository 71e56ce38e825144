/**
 * Intervals that are counted from a time of day: `every 10m from 03:10`, by what the zone's clocks show.
 *
 * They are times on the clock like those of a cron expression, and stand in its place: so daylight saving, steps of the clock, missed
 * ticks and predictions follow the same rules, and there is one more way to say which times are meant, but none to treat them. As with
 * cron, what comes each hour or oftener follows the wall clock (else it would be silent for the hour that is shown
 * twice), and what comes more rarely has fixed times.
 * @see distcrond README "Defining jobs": `"schedule": {"interval": "10m", "reference": "03:10"}`
 */
import { formatDuration } from "../model/duration.ts";
import type { LocalTimes, ReferenceTimes } from "../model/schedule.ts";
import { dayMs, hourMs, minuteMs, secondMs } from "./calendar.ts";
import * as cron from "./cron-expression.ts";

/** What an interval with a time of day must be, for messages. */
export const referenceRule = "at most a day, or whole days";

/**
 * Every so often, counted from a time of day.
 * @param intervalMs whole seconds, from one second up
 * @param referenceMs from midnight; whole seconds, less than a day
 * @returns undefined for an interval that is neither at most a day nor whole days: its times could not be the same each day
 */
export function referenceTimes(intervalMs: number, referenceMs: number): ReferenceTimes | undefined {
  const isLong = intervalMs > dayMs;
  if (isLong && intervalMs % dayMs !== 0) return undefined;
  const isMinutes = intervalMs % minuteMs === 0 && referenceMs % minuteMs === 0;
  const clock = new Date(referenceMs).toISOString().slice(11, referenceMs % minuteMs === 0 ? 16 : 19);
  return {
    text: `every ${formatDuration(intervalMs)} from ${clock}`,
    unitMs: isMinutes ? minuteMs : secondMs,
    kind: intervalMs <= hourMs ? "wildcard" : "fixed",
    referenceMs,
    stepMs: isLong ? dayMs : intervalMs,
    everyDays: isLong ? intervalMs / dayMs : 1,
  };
}

/**
 * The first local time, from one on, that is meant.
 * @param fromLocalMs what the clocks show, as if it were UTC; that time itself counts
 * @returns undefined when there never is one
 */
export function nextLocalMatch(times: LocalTimes, fromLocalMs: number): number | undefined {
  if (!("stepMs" in times)) return cron.nextLocalMatch(times, fromLocalMs);
  const { referenceMs, stepMs, everyDays } = times;
  const sinceMs = Math.ceil(fromLocalMs / secondMs) * secondMs - referenceMs;
  const day = Math.floor(sinceMs / dayMs);
  const meantDay = Math.ceil(day / everyDays) * everyDays;
  if (meantDay > day) return meantDay * dayMs + referenceMs;
  const ofDayMs = Math.ceil((sinceMs - day * dayMs) / stepMs) * stepMs;
  return (ofDayMs < dayMs ? day * dayMs + ofDayMs : (day + everyDays) * dayMs) + referenceMs;
}

/** Whether a local time is meant: what {@link nextLocalMatch} would find there. @param localMs in whole seconds */
export function allowsLocal(times: LocalTimes, localMs: number): boolean {
  return "stepMs" in times ? nextLocalMatch(times, localMs) === localMs : cron.allowsLocal(times, localMs);
}

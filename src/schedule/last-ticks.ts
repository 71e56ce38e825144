/**
 * The last ticks of a stretch of time, and how many there are: what a daemon asks that was away for a year, and has no time to
 * walk through it.
 *
 * The calendar is only walked forward. So the last ticks are sought in a window at the stretch's end, which grows until it
 * holds enough of them. Where it then holds far too many – a month of seconds, once a year – a window between the two is tried,
 * and so on by halves. Each walk is bounded, and there are some dozens at most.
 */
import type { EverySchedule, Schedule, Tick, Zone } from "../model/schedule.ts";
import { latestTick } from "./every.ts";
import { ticksAfter } from "./next-ticks.ts";

/** A stretch of time. */
export interface TickStretch {
  /** This instant doesn't belong to it. */
  readonly afterMs: number;
  /** This one does. */
  readonly untilMs: number;
}

/** How many ticks there are. */
export interface Count {
  readonly count: number;
  /** There are more, which were not counted. */
  readonly isAtLeast: boolean;
}

/** What a window may hold, at most: of regular ticks there is always a window with so few. */
const mostOf = (count: number) => 4 * count + 60;

/**
 * The last ticks of a stretch.
 * @param count how many at most
 * @returns in the order in which they are due; fewer where the stretch has no more
 */
export function lastTicks(schedule: Schedule, stretch: TickStretch, count: number, zone: Zone): Tick[] {
  const { afterMs, untilMs } = stretch;
  if (count < 1 || !(untilMs > afterMs) || schedule.kind === "reboot") return [];
  if (schedule.kind === "every") return lastOfInterval(schedule, stretch, count);
  let widthMs = schedule.expression.unitMs * (count + 1);
  let tooLateMs = untilMs;
  let tooEarlyMs: number | undefined;
  let startMs = untilMs - widthMs;
  for (;;) {
    startMs = Math.max(startMs, afterMs);
    // Ticks at one instant, the hour that the clocks skip, can't be parted.
    const limit = tooLateMs - startMs > 1 ? mostOf(count) : Number.POSITIVE_INFINITY;
    const ticks = walk(schedule, { afterMs: startMs, untilMs }, limit + 1, zone);
    if (ticks.length > limit) tooEarlyMs = startMs;
    else if (ticks.length >= count || startMs <= afterMs) return ticks.slice(-count);
    else tooLateMs = startMs;
    widthMs *= 3;
    startMs = tooEarlyMs === undefined ? untilMs - widthMs : Math.floor((tooEarlyMs + tooLateMs) / 2);
  }
}

/**
 * Counts the ticks of a stretch.
 * @param limit where counting ends; intervals are counted without
 */
export function countTicks(schedule: Schedule, stretch: TickStretch, limit: number, zone: Zone): Count {
  if (schedule.kind === "every") {
    const periods =
      (latestTick(schedule, stretch.untilMs) - latestTick(schedule, stretch.afterMs)) / schedule.periodMs;
    return { count: Math.max(0, Math.round(periods)), isAtLeast: false };
  }
  let count = 0;
  for (const { atMs } of ticksAfter(schedule, stretch.afterMs, zone)) {
    if (atMs > stretch.untilMs) break;
    if (count >= limit) return { count, isAtLeast: true };
    count += 1;
  }
  return { count, isAtLeast: false };
}

function walk(schedule: Schedule, { afterMs, untilMs }: TickStretch, limit: number, zone: Zone): Tick[] {
  const ticks: Tick[] = [];
  for (const tick of ticksAfter(schedule, afterMs, zone)) {
    if (tick.atMs > untilMs || ticks.length >= limit) break;
    ticks.push(tick);
  }
  return ticks;
}

function lastOfInterval(schedule: EverySchedule, { afterMs, untilMs }: TickStretch, count: number): Tick[] {
  const ticks: Tick[] = [];
  for (let atMs = latestTick(schedule, untilMs); atMs > afterMs; atMs -= schedule.periodMs) {
    ticks.push({ atMs, localMs: atMs });
    if (ticks.length >= count) break;
  }
  return ticks.reverse();
}

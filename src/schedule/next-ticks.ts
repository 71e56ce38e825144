/**
 * The coming ticks of a schedule, as an undisturbed clock will bring them.
 *
 * For a cron expression the zone's time is walked stretch by stretch, each with one offset. Within a stretch, local time and
 * UTC move together, and the next match is a matter of the calendar. Where a stretch begins, its clocks have been changed, and
 * the same rule decides as in the running clock (cron-clock.ts): the change is a step from the time that fixed jobs have
 * been run to. So what is predicted is what will be run; a test holds the two together.
 */

import type { EverySchedule, LocalTimes, Schedule, Tick, Zone } from "../model/schedule.ts";
import { hourMs, minuteMs } from "./calendar.ts";
import { stepKind } from "./cron-clock.ts";
import { nextLocalMatch } from "./reference-times.ts";

/**
 * The ticks after an instant, in the order in which they are due. Two ticks of one job can have the same instant: fixed times
 * that were both skipped when the clocks went forward.
 * @param afterMs that instant itself doesn't count
 * @param zone the machine's, for schedules that name none
 * @param count how many at most
 * @returns fewer where there are no more: none for `@reboot`, and for an expression that can never fire
 */
export function nextTicks(schedule: Schedule, afterMs: number, zone: Zone, count: number): Tick[] {
  const ticks: Tick[] = [];
  if (count < 1) return ticks;
  for (const tick of ticksAfter(schedule, afterMs, zone)) {
    ticks.push(tick);
    if (ticks.length >= count) break;
  }
  return ticks;
}

/**
 * The ticks of a stretch of time, its end with them and its beginning not: what a daemon has missed.
 * @param limit how many at most; the first ones are kept
 */
export function ticksBetween(
  schedule: Schedule,
  { afterMs, untilMs, limit }: { readonly afterMs: number; readonly untilMs: number; readonly limit: number },
  zone: Zone,
): Tick[] {
  const ticks: Tick[] = [];
  for (const tick of ticksAfter(schedule, afterMs, zone)) {
    if (tick.atMs > untilMs || ticks.length >= limit) break;
    ticks.push(tick);
  }
  return ticks;
}

/** All ticks after an instant, without end as a rule. */
export function* ticksAfter(schedule: Schedule, afterMs: number, zone: Zone): Generator<Tick, void> {
  if (schedule.kind === "every") yield* intervalTicks(schedule, afterMs);
  else if (schedule.kind === "cron") yield* cronTicks(schedule.expression, afterMs, schedule.zone ?? zone);
}

function* intervalTicks({ periodMs, offsetMs }: EverySchedule, afterMs: number): Generator<Tick, void> {
  let atMs = Math.floor((afterMs - offsetMs) / periodMs) * periodMs + offsetMs;
  for (;;) {
    atMs += periodMs;
    yield { atMs, localMs: atMs };
  }
}

/** A change of the clocks has no effect on fixed jobs after this time. */
const echoMs = 3 * hourMs;

function* cronTicks(expression: LocalTimes, afterMs: number, zone: Zone): Generator<Tick, void> {
  const { kind, unitMs } = expression;
  // Where the walk begins: early enough for a change of the clocks whose effect is not over.
  let stretch = zone.stretchAt(afterMs - echoMs);
  let nowMs = afterMs - echoMs;
  // The first local time that fixed jobs have not been run for.
  let freshMs = nowMs + stretch.offsetMs;
  for (;;) {
    const { offsetMs, untilMs } = stretch;
    const fromMs = Math.max(nowMs, afterMs + 1) + offsetMs;
    let localMs = nextLocalMatch(expression, kind === "fixed" ? Math.max(fromMs, freshMs) : fromMs);
    while (localMs !== undefined && localMs - offsetMs < untilMs) {
      yield { atMs: localMs - offsetMs, localMs };
      localMs = nextLocalMatch(expression, localMs + 1);
    }
    if (localMs === undefined || untilMs === Number.POSITIVE_INFINITY) return;

    freshMs = Math.max(freshMs, untilMs + offsetMs);
    stretch = zone.stretchAt(untilMs);
    nowMs = untilMs;
    const shownMs = Math.floor((untilMs + stretch.offsetMs) / unitMs) * unitMs;
    const step = stepKind(shownMs - freshMs + unitMs, unitMs);
    const isMadeUpFor = step === "late" || (step === "forward" && kind === "fixed");
    if (isMadeUpFor && untilMs > afterMs) yield* skipped(expression, freshMs, shownMs, untilMs);
    if (step === "back") {
      const backMs = freshMs - unitMs - shownMs;
      // Held: the running clock waits for so small a step to be over, with all jobs.
      if (kind === "wildcard" && backMs <= minuteMs) nowMs += backMs + unitMs;
    } else freshMs = shownMs;
  }
}

/** The times that the clocks skip at a change, all of them due then. */
function* skipped(
  expression: LocalTimes,
  fromLocalMs: number,
  endLocalMs: number,
  changeMs: number,
): Generator<Tick, void> {
  let localMs = nextLocalMatch(expression, fromLocalMs);
  while (localMs !== undefined && localMs < endLocalMs) {
    yield { atMs: changeMs, localMs };
    localMs = nextLocalMatch(expression, localMs + 1);
  }
}

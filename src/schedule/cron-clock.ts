/**
 * The clock of Debian's cron, for one zone: what is due when it is looked at again, whatever it has done meanwhile.
 *
 * There are two times. `shown` is what the zone's clocks show, in whole minutes (or seconds, for expressions that have
 * them); it is taken from the machine each time. `ranTo` is how far the jobs at fixed times have been run; it never goes back,
 * unless the clock is corrected by hours. As a rule both move on together, a minute at a time. When they don't, what lies
 * between decides, and nobody needs to know whether it was daylight saving, ntpd, an operator or a laptop's lid:
 *
 * - up to 5 minutes late: as if nothing had happened, each minute is run;
 * - up to 3 hours forward: jobs with a star in their time go on at the new time, those at fixed times in the skipped
 *   stretch are run now, once each;
 * - less than 3 hours back: jobs with a star go on at the new time, those at fixed times wait until the clock shows a time that
 *   they haven't been run for;
 * - a minute or less back: nothing is due until the clock has caught up. Debian's cron doesn't notice such a step, since
 *   it sleeps through it; this clock may be asked at any moment;
 * - anything more is a correction: the new time counts at once, and nothing is made up for.
 *
 * @see cron(8) "NOTES"; docs/schedule.md has the table, test/schedule/debian-cron.test.ts asks the program itself
 */

import type { LocalTimes, Tick, Zone } from "../model/schedule.ts";
import { hourMs, minuteMs } from "./calendar.ts";
import { firstInstantOf } from "./local-time.ts";
import { allowsLocal, nextLocalMatch } from "./reference-times.ts";

/** What a clock must remember between two looks at it. */
export interface CronClock {
  /** How often it wants to be looked at: a minute for expressions with five fields, a second for those with six. */
  readonly unitMs: 60_000 | 1000;
  /** What the zone's clocks showed, in whole units, as if it were UTC. */
  readonly shownMs: number;
  /** Up to here, and with it, the jobs at fixed times have been run. */
  readonly ranToMs: number;
}

/** A stretch of local time whose jobs are due now. Both ends count, and both are whole units. */
export interface DueStretch {
  /** Which expressions are meant, by their `kind`. */
  readonly kind: "fixed" | "wildcard" | "both";
  readonly fromLocalMs: number;
  readonly toLocalMs: number;
  /** Local time minus UTC now. */
  readonly offsetMs: number;
}

/** What kind of step lies between what has been run and what the clock shows. */
export type StepKind = "none" | "regular" | "late" | "forward" | "held" | "back" | "correction";

const lateMs = 5 * minuteMs;
const correctionMs = 3 * hourMs;

/**
 * Classifies a step.
 * @param stepMs from where the fixed jobs have been run to, to what the clock shows, in whole units
 */
export function stepKind(stepMs: number, unitMs: number): StepKind {
  if (stepMs === unitMs) return "regular";
  if (stepMs > correctionMs || stepMs <= -correctionMs) return "correction";
  if (stepMs > lateMs) return "forward";
  return stepMs > 0 ? "late" : "back";
}

/**
 * A clock that begins now. The current minute (second) counts as run, as when Debian's cron starts. When the zone's clocks
 * went back less than 3 hours ago, the repeated time counts as run too, so that a restart then doubles no fixed job; Debian's cron, started
 * anew, would run it again.
 */
export function startCronClock(unitMs: 60_000 | 1000, nowMs: number, zone: Zone): CronClock {
  const { fromMs, offsetMs } = zone.stretchAt(nowMs);
  const shownMs = floorTo(unitMs, nowMs + offsetMs);
  const before = nowMs - fromMs < correctionMs ? zone.stretchAt(fromMs - 1) : undefined;
  if (before === undefined) return { unitMs, shownMs, ranToMs: shownMs };
  const ranToMs = floorTo(unitMs, fromMs - 1 + before.offsetMs);
  const backMs = before.offsetMs - offsetMs - unitMs;
  if (ranToMs <= shownMs || backMs >= correctionMs) return { unitMs, shownMs, ranToMs: shownMs };
  return { unitMs, shownMs: backMs <= minuteMs ? ranToMs : shownMs, ranToMs };
}

/**
 * Looks at the clock. To be called once a unit, soon after it begins; oftener does no harm.
 * @param nowMs the machine's time
 * @param offsetMs of the zone at that time: local time minus UTC
 * @returns the clock to go on with (the same one if its unit hasn't changed), what is due in the order in which to run it, and what
 *   kind of step it was
 */
export function advance(
  clock: CronClock,
  nowMs: number,
  offsetMs: number,
): { readonly clock: CronClock; readonly due: readonly DueStretch[]; readonly step: StepKind } {
  const { unitMs, ranToMs } = clock;
  const shownMs = floorTo(unitMs, nowMs + offsetMs);
  const backMs = clock.shownMs - shownMs;
  if (backMs === 0) return { clock, due: [], step: "none" };
  if (backMs > 0 && backMs <= minuteMs) return { clock, due: [], step: "held" };
  const step = stepKind(shownMs - ranToMs, unitMs);
  const stretch = (kind: DueStretch["kind"], fromLocalMs: number): DueStretch => {
    return { kind, fromLocalMs, toLocalMs: shownMs, offsetMs };
  };
  if (step === "back") {
    return { clock: { ...clock, shownMs }, due: [stretch("wildcard", shownMs)], step };
  }
  const due: DueStretch[] = [];
  if (step === "forward") due.push(stretch("wildcard", shownMs), stretch("fixed", ranToMs + unitMs));
  else due.push(stretch("both", step === "correction" ? shownMs : ranToMs + unitMs));
  return { clock: { unitMs, shownMs, ranToMs: shownMs }, due, step };
}

/**
 * Looks at a clock that was looked at before, maybe a few minutes late. Where the zone's clocks have been changed since, or
 * show a time again, each unit in between is looked at for itself: a look that came late would lose what a punctual one
 * gives. So looks up to 5 minutes apart give the same ticks, however far apart they are.
 * @param lookedMs the machine's time at the look before
 * @param nowMs the machine's time
 */
export function advanceSince(
  clock: CronClock,
  { lookedMs, nowMs }: { readonly lookedMs: number; readonly nowMs: number },
  zone: Zone,
): ReturnType<typeof advance> {
  const { fromMs, offsetMs } = zone.stretchAt(nowMs);
  const isPlain = fromMs <= lookedMs && clock.ranToMs <= clock.shownMs;
  if (isPlain || nowMs <= lookedMs || nowMs - lookedMs > lateMs) return advance(clock, nowMs, offsetMs);
  const due: DueStretch[] = [];
  let going = clock;
  for (let unitAtMs = floorTo(clock.unitMs, lookedMs) + clock.unitMs; ; unitAtMs += clock.unitMs) {
    const lookMs = Math.min(unitAtMs, nowMs);
    const { clock: next, due: more, step } = advance(going, lookMs, zone.stretchAt(lookMs).offsetMs);
    going = next;
    due.push(...more);
    if (lookMs === nowMs) return { clock: going, due, step };
  }
}

/**
 * The ticks of one expression in what is due. Fixed times that the zone's clocks skip have the instant of the change, and those that
 * they show twice the first one, whenever they are run: so a tick is the same in a prediction, on another machine and after a restart.
 * @param expression with the same unit as the clock
 */
export function ticksIn(expression: LocalTimes, due: readonly DueStretch[], zone: Zone): Tick[] {
  const ticks: Tick[] = [];
  for (const { kind, fromLocalMs, toLocalMs, offsetMs } of due) {
    if (kind !== "both" && kind !== expression.kind) continue;
    // As a rule it is one unit, for which nothing needs to be sought.
    if (fromLocalMs === toLocalMs && !allowsLocal(expression, toLocalMs)) continue;
    let localMs = nextLocalMatch(expression, fromLocalMs);
    while (localMs !== undefined && localMs <= toLocalMs) {
      const isNow = expression.kind === "wildcard" && localMs === toLocalMs;
      const atMs = isNow ? localMs - offsetMs : firstInstantOf(localMs, offsetMs, zone);
      ticks.push({ atMs, localMs });
      localMs = nextLocalMatch(expression, localMs + expression.unitMs);
    }
  }
  return ticks;
}

function floorTo(unitMs: number, ms: number): number {
  return Math.floor(ms / unitMs) * unitMs;
}

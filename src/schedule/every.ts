/**
 * The clock of `every`: one tick a period, aligned to the epoch, whatever the machine's clock does.
 *
 * Of periods that went by unseen, only the latest is due; what to do about the others is the daemon's `missed`. A clock that
 * goes back by up to one period is waited out, so that no tick is repeated; when it goes back further, the job goes on
 * at the next boundary by the new time. So a job is never silent for longer than three periods, which a rule like that of fixed
 * cron jobs (three hours without a run of `every 1m`) would not give.
 * @see acron README "splay and timing"
 */
import type { EverySchedule, Tick } from "../model/schedule.ts";

/** What must be remembered of an interval between two looks at the clock. */
export interface EveryClock {
  /** The latest tick that has been due. */
  readonly lastMs: number;
}

/** A clock that begins now: the period that is under way counts as run, as with cron. */
export function startEveryClock(schedule: EverySchedule, nowMs: number): EveryClock {
  return { lastMs: latestTick(schedule, nowMs) };
}

/**
 * Looks at the clock, as often as one likes.
 * @returns the clock to go on with, and the tick that is due, if one is
 */
export function advanceEvery(
  schedule: EverySchedule,
  clock: EveryClock,
  nowMs: number,
): { readonly clock: EveryClock; readonly due: Tick | undefined } {
  const atMs = latestTick(schedule, nowMs);
  if (atMs > clock.lastMs) return { clock: { lastMs: atMs }, due: { atMs, localMs: atMs } };
  if (clock.lastMs - atMs > schedule.periodMs) return { clock: { lastMs: atMs }, due: undefined };
  return { clock, due: undefined };
}

/** The last boundary that is not after an instant. */
export function latestTick({ periodMs, offsetMs }: EverySchedule, nowMs: number): number {
  return Math.floor((nowMs - offsetMs) / periodMs) * periodMs + offsetMs;
}

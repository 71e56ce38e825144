/**
 * Ticks that nobody ran when they were due: which of them are made up for, and which are not, told in sum.
 *
 * A stretch may be a year long, and its ticks are many. So only those are walked through that are made up for, and some
 * more to count; see schedule's `lastTicks()`.
 */
import type { Schedule, Tick, Zone } from "../model/schedule.ts";
import type { Missed } from "../model/scheduled-job.ts";
import { countTicks, lastTicks, type TickStretch, ticksAfter } from "../schedule/schedule.ts";
import type { DroppedTicks, PlanDraft, RankedJob } from "./plan.ts";

/** How much is made up for and counted, for one job. */
export interface MissedLimits {
  /** `missed all` makes up for so many ticks; the latest ones. */
  readonly madeUp: number;
  /** Counting ends here. */
  readonly counted: number;
}

/** So many ticks of one job are made up for at most. */
export const madeUpPerJob = 100;
/** Of all jobs together, though each has one. */
const madeUpAtOnce = 100_000;
const countedPerJob = 1000;
/** Of all jobs together; some tenths of a second. Each is counted a little. */
const countedAtOnce = 200_000;
const countedAtLeast = 20;

/** The limits for a job set: the more jobs, the less for each. */
export function missedLimits(jobs: Iterable<{ readonly missed: Missed }>): MissedLimits {
  let count = 0;
  let allCount = 0;
  for (const { missed } of jobs) {
    count += 1;
    if (missed === "all") allCount += 1;
  }
  return {
    madeUp: Math.max(1, Math.min(madeUpPerJob, Math.floor(madeUpAtOnce / Math.max(1, allCount)))),
    counted: Math.max(
      countedAtLeast,
      Math.min(countedPerJob, Math.floor(countedAtOnce / Math.max(1, count))),
    ),
  };
}

/** What the decisions about one job's missed ticks go by. */
export interface MissedTerms {
  /** Ticks of the stretch that are run anyway. Where there is one, `latest` makes up for none. */
  readonly given: readonly Tick[];
  readonly limits: MissedLimits;
  /** The machine's. */
  readonly zone: Zone;
}

/** Decides about the ticks of a stretch that a job has missed: by its `missed`, within its `start_deadline`. */
export function planMissed(draft: PlanDraft, of: RankedJob, stretch: TickStretch, terms: MissedTerms): void {
  const { missed, startDeadlineMs, schedule } = of.job;
  const { afterMs, untilMs } = stretch;
  const { given, limits, zone } = terms;
  const most = missed === "all" ? limits.madeUp : missed === "latest" && given.length === 0 ? 1 : 0;
  if (most === 0) {
    dropTicks(draft, of, stretch, { ...terms, why: "missed", keptCount: 0 });
    return;
  }
  // Whole milliseconds: a tick that is exactly as old as the deadline is not older.
  const tooOldMs = draft.nowMs - (startDeadlineMs ?? Number.POSITIVE_INFINITY) - 1;
  if (tooOldMs > afterMs) {
    const tooOld = { afterMs, untilMs: Math.min(untilMs, tooOldMs) };
    dropTicks(draft, of, tooOld, { ...terms, why: "deadline", keptCount: 0 });
  }
  const inTime = { afterMs: Math.max(afterMs, tooOldMs), untilMs };
  const open = lastTicks(schedule, inTime, most + given.length, zone).filter((tick) => !isAmong(given, tick));
  const kept = open.slice(-most);
  for (const tick of kept) draft.add(of, tick, true);
  if (kept.length < most) return;
  const why = missed === "all" ? "limit" : "missed";
  dropTicks(draft, of, inTime, { ...terms, why, keptCount: kept.length });
}

/** Drops the ticks of a stretch, but for those that are given and for the last ones of the others. */
function dropTicks(
  draft: PlanDraft,
  of: RankedJob,
  stretch: TickStretch,
  {
    given,
    limits,
    zone,
    why,
    keptCount,
  }: MissedTerms & { readonly why: DroppedTicks["why"]; readonly keptCount: number },
): void {
  const { job } = of;
  // Most stretches have none, and that is known with a question or two.
  const first = firstTick(job.schedule, stretch, given, zone);
  if (first === undefined) return;
  const spared = keptCount + given.length;
  const last = lastTicks(job.schedule, stretch, spared + 1, zone)
    .filter((tick) => !isAmong(given, tick))
    .at(-1 - keptCount);
  if (last === undefined) return;
  const { count, isAtLeast } = countTicks(job.schedule, stretch, limits.counted + spared, zone);
  const givenCount = given.filter(({ atMs }) => atMs > stretch.afterMs && atMs <= stretch.untilMs).length;
  draft.drop(of, {
    job,
    // What is given need not be what an undisturbed clock would have brought.
    count: isAtLeast ? limits.counted : Math.max(1, count - keptCount - givenCount),
    isAtLeast,
    firstMs: first.atMs,
    lastMs: last.atMs,
    why,
  });
}

function firstTick(
  schedule: Schedule,
  { afterMs, untilMs }: TickStretch,
  given: readonly Tick[],
  zone: Zone,
): Tick | undefined {
  for (const tick of ticksAfter(schedule, afterMs, zone)) {
    if (tick.atMs > untilMs) return undefined;
    if (!isAmong(given, tick)) return tick;
  }
  return undefined;
}

function isAmong(ticks: readonly Tick[], { atMs, localMs }: Tick): boolean {
  return ticks.some((tick) => tick.atMs === atMs && tick.localMs === localMs);
}

/**
 * A plan: which ticks are to be run and how long their starts are put off, and which ones are not to be run, in sum.
 */
import type { Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { StartDelay } from "./start-delay.ts";

/** A tick whose job is to be started. */
export interface PlannedTick {
  readonly job: ScheduledJob;
  readonly tick: Tick;
  /** Nobody ran it when it was due, and the job's `missed` makes up for it. */
  readonly isMadeUp: boolean;
  /** From the look that planned it to the start; whole milliseconds. */
  readonly delayMs: number;
}

/** Ticks that are not to be run, told in sum: one entry for each job and reason. */
export interface DroppedTicks {
  readonly job: ScheduledJob;
  readonly count: number;
  /** There are more than `count`; counting had to end. */
  readonly isAtLeast: boolean;
  readonly firstMs: number;
  readonly lastMs: number;
  /**
   * `missed`: the scheduler did not work when they were due, and the job's `missed` leaves it at that. `deadline`: older than the
   * job's `start_deadline`. `limit`: more than are made up for; these are the earliest.
   */
  readonly why: "missed" | "deadline" | "limit";
}

/** What a look at the clock has found. */
export interface Plan {
  /** By their instants; at one instant in the order of the job set. */
  readonly planned: readonly PlannedTick[];
  /** In the order of the job set. */
  readonly dropped: readonly DroppedTicks[];
}

/** A job and its place in the job set. */
export interface RankedJob {
  readonly job: ScheduledJob;
  readonly rank: number;
}

const nothing: Plan = { planned: [], dropped: [] };

/** A plan that is being made. */
export class PlanDraft {
  readonly nowMs: number;
  readonly #ticks: { readonly of: RankedJob; readonly tick: Tick; readonly isMadeUp: boolean }[] = [];
  readonly #dropped = new Map<string, { readonly rank: number; ticks: DroppedTicks }>();

  /** @param nowMs the machine's time at the look */
  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** A tick is due. One that is older than the job's `start_deadline` is dropped. */
  add(of: RankedJob, tick: Tick, isMadeUp: boolean): void {
    const { job } = of;
    if (job.startDeadlineMs === undefined || this.nowMs - tick.atMs <= job.startDeadlineMs) {
      this.#ticks.push({ of, tick, isMadeUp });
      return;
    }
    const { atMs } = tick;
    this.drop(of, { job, count: 1, isAtLeast: false, firstMs: atMs, lastMs: atMs, why: "deadline" });
  }

  /** Ticks are not to be run; they are added to those that were dropped for the same reason. */
  drop({ rank }: RankedJob, ticks: DroppedTicks): void {
    const key = `${ticks.why} ${ticks.job.name}`;
    const before = this.#dropped.get(key)?.ticks;
    const sum = before === undefined ? ticks : sumOf(before, ticks);
    this.#dropped.set(key, { rank, ticks: sum });
  }

  /** The plan. Ticks of one job keep their order: none is put off for longer than the next one. */
  finish(delay: StartDelay): Plan {
    const found = this.#ticks;
    if (found.length === 0 && this.#dropped.size === 0) return nothing;
    found.sort((a, b) => a.tick.atMs - b.tick.atMs || a.of.rank - b.of.rank);
    let madeUpCount = 0;
    for (const { isMadeUp } of found) if (isMadeUp) madeUpCount += 1;
    const longestMs = new Map<string, number>();
    const planned = found.map(({ of: { job }, tick, isMadeUp }) => {
      const ownMs = delay.of(job) + (isMadeUp ? delay.spreadOf(job, madeUpCount) : 0);
      const delayMs = Math.max(ownMs, longestMs.get(job.name) ?? 0);
      if (delayMs > 0) longestMs.set(job.name, delayMs);
      return { job, tick, isMadeUp, delayMs };
    });
    const dropped = [...this.#dropped.values()].sort((a, b) => a.rank - b.rank).map(({ ticks }) => ticks);
    return { planned, dropped };
  }
}

function sumOf(a: DroppedTicks, b: DroppedTicks): DroppedTicks {
  return {
    ...a,
    count: a.count + b.count,
    isAtLeast: a.isAtLeast || b.isAtLeast,
    firstMs: Math.min(a.firstMs, b.firstMs),
    lastMs: Math.max(a.lastMs, b.lastMs),
  };
}

/**
 * The interval jobs, the one that is due next on top: ten thousand of them cost nothing while none is due.
 *
 * A binary heap, whose entries hold no more than the next boundary: the tick before it is a period earlier, and that is all
 * that an interval's clock knows.
 */
import type { EverySchedule, Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { advanceEvery, type EveryClock } from "../schedule/schedule.ts";

/** An interval job and its clock. */
export interface EveryEntry {
  readonly job: ScheduledJob;
  readonly rank: number;
  readonly schedule: EverySchedule;
  /** When it is due next. */
  nextMs: number;
}

/** An entry with a clock. */
export function everyEntry(
  { job, rank }: { readonly job: ScheduledJob; readonly rank: number },
  schedule: EverySchedule,
  clock: EveryClock,
): EveryEntry {
  return { job, rank, schedule, nextMs: clock.lastMs + schedule.periodMs };
}

/** All interval jobs of a set. */
export class EveryHeap {
  readonly #entries: EveryEntry[];

  /** @param entries become the heap's own */
  constructor(entries: EveryEntry[] = []) {
    this.#entries = entries;
    this.#order();
  }

  /** The entries, in no order. */
  get entries(): readonly EveryEntry[] {
    return this.#entries;
  }

  /** When the next one is due; Infinity for an empty heap. */
  get nextMs(): number {
    return this.#entries[0]?.nextMs ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Looks at the clock, which has not gone back since the look before.
   * @param onDue called for each job that is due: with its latest tick, and the first one that was not looked at, mostly the same
   */
  advance(nowMs: number, onDue: (entry: EveryEntry, tick: Tick, firstMs: number) => void): void {
    for (
      let entry = this.#entries[0];
      entry !== undefined && entry.nextMs <= nowMs;
      entry = this.#entries[0]
    ) {
      const firstMs = entry.nextMs;
      const tick = setClock(entry, nowMs);
      this.#sink(0);
      if (tick !== undefined) onDue(entry, tick, firstMs);
    }
  }

  /** Looks at the clock after it has gone back: nothing is due, but what is due next may have changed for each. */
  rewind(nowMs: number): void {
    for (const entry of this.#entries) setClock(entry, nowMs);
    this.#order();
  }

  #order(): void {
    for (let at = (this.#entries.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** Lets an entry that may be due later than those below it sink to its place. */
  #sink(from: number): void {
    const entries = this.#entries;
    const entry = entries[from];
    if (entry === undefined) return;
    let at = from;
    for (;;) {
      const left = entries[2 * at + 1];
      const right = entries[2 * at + 2];
      const isRight = right !== undefined && left !== undefined && right.nextMs < left.nextMs;
      const lesser = isRight ? right : left;
      if (lesser === undefined || lesser.nextMs >= entry.nextMs) break;
      entries[at] = lesser;
      at = 2 * at + (isRight ? 2 : 1);
    }
    entries[at] = entry;
  }
}

function setClock(entry: EveryEntry, nowMs: number): Tick | undefined {
  const { schedule, nextMs } = entry;
  const { clock, due } = advanceEvery(schedule, { lastMs: nextMs - schedule.periodMs }, nowMs);
  entry.nextMs = clock.lastMs + schedule.periodMs;
  return due;
}

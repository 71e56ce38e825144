/**
 * The queue of runs that are due: whose turn it is when not all can go on at once, or their starts are put off.
 *
 * It is fair between jobs and not between runs: each job with something to start has its turn in a circle, so that one
 * job that is due each second can't keep the others waiting. Of one job, the earlier run goes first.
 */

/** What the queue must know of a run. */
export interface QueuedRun {
  readonly runId: string;
  readonly jobName: string;
  /** Not before this instant. */
  readonly startAtMs: number;
  /** Made up for after a stop: these are bounded where they are planned. */
  readonly isMadeUp?: boolean;
}

/** So many runs of one job may wait for their turn, their time having come; what comes on top is not taken. */
export const waitingPerJob = 100;
/** And so many in all: a delay of a day, for a job of each second. */
const waitingInAllPerJob = 10_000;

/** Runs that wait. */
export class RunQueue<Run extends QueuedRun> {
  readonly #limit: number;
  /** By job, in the order in which the jobs have their turns; no list is empty. */
  readonly #ready = new Map<string, Run[]>();
  /** The rest: by start, the next one first (a binary heap). */
  readonly #putOff: Entry<Run>[] = [];
  #order = 0;
  readonly #waitingOf = new Map<string, number>();
  readonly #going = new Map<string, Run>();
  readonly #goingOf = new Map<string, number>();

  /** @param limit how many may go on at once; Infinity: any number */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many wait, for their time or for their turn. */
  get waiting(): number {
    let count = this.#putOff.length;
    for (const runs of this.#ready.values()) count += runs.length;
    return count;
  }

  /** How many have had their turn, and are not done. */
  get going(): number {
    return this.#going.size;
  }

  waitingOf(jobName: string): number {
    return this.#waitingOf.get(jobName) ?? 0;
  }

  goingOf(jobName: string): number {
    return this.#goingOf.get(jobName) ?? 0;
  }

  /** True where all that may go on at once do, and more are ready. */
  get isFull(): boolean {
    return this.#going.size >= this.#limit && this.#ready.size > 0;
  }

  /** @returns false where too many runs of the job wait already */
  add(run: Run): boolean {
    const count = this.waitingOf(run.jobName);
    const ready = this.#ready.get(run.jobName) ?? [];
    // What comes in one moment is never refused for itself: it was late, and all of it is due.
    const isFull = ready.length >= waitingPerJob && ready.filter(isOrdinary).length >= waitingPerJob;
    if (count >= waitingInAllPerJob || (isFull && isOrdinary(run))) return false;
    this.#waitingOf.set(run.jobName, count + 1);
    this.#push(run);
    return true;
  }

  /** The next run that may start; undefined where there is none, or enough go on. It goes on from now, until {@link done}. */
  take(nowMs: number): Run | undefined {
    for (;;) {
      const next = this.#putOff[0];
      if (next === undefined || next.startAtMs > nowMs) break;
      const first = next.run;
      this.#pop();
      const runs = this.#ready.get(first.jobName);
      if (runs === undefined) this.#ready.set(first.jobName, [first]);
      else runs.push(first);
    }
    if (this.#going.size >= this.#limit) return undefined;
    const [turn] = this.#ready;
    if (turn === undefined) return undefined;
    const [jobName, runs] = turn;
    const run = runs.shift();
    this.#ready.delete(jobName);
    if (runs.length > 0) this.#ready.set(jobName, runs); // behind all others
    if (run === undefined) return undefined;
    this.#count(this.#waitingOf, jobName, -1);
    this.#count(this.#goingOf, jobName, 1);
    this.#going.set(run.runId, run);
    return run;
  }

  /** A run that goes on without having waited: it was started by hand, or by a daemon that is gone. */
  goesOn(run: Run): void {
    this.#going.set(run.runId, run);
    this.#count(this.#goingOf, run.jobName, 1);
  }

  /** A run has ended, or was not started after all. */
  done(runId: string): void {
    const run = this.#going.get(runId);
    if (run === undefined) return;
    this.#going.delete(runId);
    this.#count(this.#goingOf, run.jobName, -1);
  }

  /** Those that go on. */
  get allGoing(): Iterable<Run> {
    return this.#going.values();
  }

  /** When the next one that is put off has its time; undefined where none is. */
  get nextStartMs(): number | undefined {
    return this.#putOff[0]?.startAtMs;
  }

  /** The clock was set: what is put off stays put off by as long. @param byMs what has to be added to each start */
  shift(byMs: number): void {
    for (const entry of this.#putOff) entry.startAtMs += byMs;
  }

  #count(counts: Map<string, number>, jobName: string, by: 1 | -1): void {
    const count = (counts.get(jobName) ?? 0) + by;
    if (count <= 0) counts.delete(jobName);
    else counts.set(jobName, count);
  }

  #push(run: Run): void {
    const heap = this.#putOff;
    const entry = { run, startAtMs: run.startAtMs, order: this.#order++ };
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above];
      if (other === undefined || isBefore(other, entry)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#putOff;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let least = 2 * at + 1;
      let other = heap[least];
      const right = heap[least + 1];
      if (other !== undefined && right !== undefined && isBefore(right, other)) {
        least += 1;
        other = right;
      }
      if (other === undefined || isBefore(last, other)) break;
      heap[at] = other;
      at = least;
    }
    heap[at] = last;
  }
}

interface Entry<Run> {
  readonly run: Run;
  startAtMs: number;
  /** Of runs with the same start, the one that came first goes first. */
  readonly order: number;
}

function isOrdinary({ isMadeUp }: QueuedRun): boolean {
  return isMadeUp !== true;
}

function isBefore(one: Entry<QueuedRun>, other: Entry<QueuedRun>): boolean {
  const byStart = one.startAtMs - other.startAtMs;
  return byStart !== 0 ? byStart < 0 : one.order < other.order;
}

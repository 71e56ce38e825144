/**
 * How long a start is put off: by this machine's place in the job's `splay`, by `jitter`, and after a stop by a place in the
 * storm, so that what was missed doesn't start all at once.
 */
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { consistentSplayMs, stablePlaceMs } from "../schedule/schedule.ts";

/** What a storm has for each tick. */
const stormStepMs = 100;
/** However many there are. */
const longestStormMs = 10 * 60_000;

/** The delays of one machine. */
export class StartDelay {
  readonly #hostName: string;
  readonly #random: () => number;
  /** By the splay's length, of which there are few; md5 is not to be asked for each start. */
  readonly #splays = new Map<number, number>();

  /** @param random 0 ≤ x < 1, for jitter */
  constructor({ hostName, random }: { readonly hostName: string; readonly random: () => number }) {
    this.#hostName = hostName;
    this.#random = random;
  }

  /** By splay, always the same for a job, and jitter, each time another. An interval has its splay in its ticks. */
  of({ rules, schedule }: ScheduledJob): number {
    const { splayMs, jitterMs } = rules;
    const splay = splayMs === undefined || schedule.kind === "every" ? 0 : this.#splayOf(splayMs);
    return splay + (jitterMs === undefined ? 0 : Math.floor(this.#random() * jitterMs));
  }

  /**
   * The place in a storm, always the same for a job and a number of ticks.
   * @param count how many ticks are made up for at once
   */
  spreadOf({ name }: ScheduledJob, count: number): number {
    return stablePlaceMs(`${this.#hostName}\0${name}`, Math.min(longestStormMs, count * stormStepMs));
  }

  #splayOf(splayMs: number): number {
    const found = this.#splays.get(splayMs);
    if (found !== undefined) return found;
    if (this.#splays.size >= 1000) this.#splays.clear();
    const delayMs = consistentSplayMs(this.#hostName, splayMs);
    this.#splays.set(splayMs, delayMs);
    return delayMs;
  }
}

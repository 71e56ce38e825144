/**
 * Pauses between questions that come without end: a node that takes each and answers none must not keep us busy.
 */
import { sleepUntilAborted } from "../../system/timers.ts";

/** How long a pause is, in milliseconds. */
export interface PauseTerms {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Who has not asked for so long asks at once. */
  readonly calmMs: number;
}

/** The pauses of one who asks. */
export class GrowingPause {
  readonly #terms: PauseTerms;
  #askedMs = Number.NEGATIVE_INFINITY;
  #ms = 0;

  constructor(terms: PauseTerms) {
    this.#terms = terms;
  }

  /** Waits until it may be asked: not at all at first, then twice as long each time. */
  async end(signal: AbortSignal): Promise<void> {
    const { firstMs, lastMs, calmMs } = this.#terms;
    const isSoon = performance.now() < this.#askedMs + calmMs;
    this.#ms = isSoon ? Math.min(Math.max(firstMs, this.#ms * 2), lastMs) : 0;
    await sleepUntilAborted(this.#ms, signal);
    this.#askedMs = performance.now();
  }
}

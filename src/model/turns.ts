/**
 * So many at once, and no more: the others wait for their turn.
 */

/** Hands out turns. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param limit how many may have a turn at the same time */
  constructor(limit: number) {
    this.#free = limit;
  }

  /** Calls when there is a turn, first come, first served; it is over when what the call returns is settled. */
  async take<Value>(call: () => Promise<Value>): Promise<Value> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

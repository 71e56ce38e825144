/**
 * Where scenarios are played, a few at a time: they mostly sleep, but a machine that is too busy would make failovers
 * of its own.
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary } from "../support/program.ts";
import { advertMs } from "./methods.ts";
import { type Played, play, type Scenario } from "./play.ts";

const atATime = 4;
const attempts = 3;

export class Stage implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "rcron-failover-"));
  readonly #program = join(this.#folder, "rcron");
  #free = atATime;
  #played = 0;
  readonly #queue: (() => void)[] = [];

  constructor() {
    // A copy: it is root's, as keepalived wants it of a script, and stays when the program is built anew meanwhile.
    copyFileSync(binary, this.#program);
  }

  /**
   * Plays a scenario when there is room; anew, up to three times, where the machine itself stood still for longer than
   * an advert interval: what happens then is not the fault's doing.
   */
  async play(scenario: Scenario): Promise<Played> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      for (let left = attempts - 1; ; left--) {
        const played = await play(scenario, join(this.#folder, `${++this.#played}`), this.#program);
        if (played.latenessMs <= advertMs || left === 0) return played;
      }
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

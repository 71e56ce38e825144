/**
 * All runs over nodes: each is driven by itself (placed-run-driver.ts); what they have to do with each other, as runs of one job or
 * as those that wait for the same room, is here.
 */
import type { NodeLink } from "./fleet.ts";
import { PlacedRunDriver, plainVerdict } from "./placed-run-driver.ts";
import type {
  DoneBefore,
  PlacedResult,
  PlacedRun,
  PlacedRunsOptions,
  PlacedSignals,
  PlacedWork,
} from "./placed-work.ts";
import { earlierWaits } from "./placement-words.ts";

export * from "./placed-work.ts";

/** Of all runs that wait, so many ask again in one turn of the event loop. */
const wokenInTurn = 20;

/** All runs over nodes. */
export class PlacedRuns<Link extends NodeLink> {
  readonly #options: PlacedRunsOptions<Link>;
  readonly #going = new Set<PlacedRunDriver<Link>>();
  readonly #waking = new Set<PlacedRunDriver<Link>>();

  constructor(options: PlacedRunsOptions<Link>) {
    this.#options = options;
  }

  /** Runs a job on its nodes. @returns `left` where the daemon ends, and the next one is to go on with it */
  async run(
    run: PlacedRun,
    work: PlacedWork<Link>,
    signals: PlacedSignals,
    before: DoneBefore = { ended: [], going: [] },
  ): Promise<PlacedResult | "left"> {
    const driver = new PlacedRunDriver(run, work, this.#options, {
      endOn: (node) => this.#endOn(node, run),
      isOneBetween: () => this.#othersOf(run).some((other) => other.hasBegun && other.isWaiting),
    });
    const isNew = before.ended.length + before.going.length === 0;
    const waiting = this.#othersOf(run).filter((other) => isNew && other.isWaiting);
    if (run.overlap.mode === "clobber") for (const other of waiting) other.giveUp(run.runId);
    // Else each tick of a job whose nodes are full would wait beside the one before.
    if (run.overlap.mode === "skip" && waiting.length > 0) {
      return { verdict: plainVerdict("skipped", earlierWaits), attempts: [] };
    }
    this.#going.add(driver);
    try {
      return await driver.drive(signals, before);
    } finally {
      this.#going.delete(driver);
      this.#waking.delete(driver);
      // Of one that ended while it waited for its next node, the fleet knows nothing.
      if (driver.hasWaits) this.wake();
    }
  }

  /** The runs of the same job. */
  #othersOf({ jobName, runId }: PlacedRun): PlacedRunDriver<Link>[] {
    return [...this.#going].filter(({ run }) => run.jobName === jobName && run.runId !== runId);
  }

  /** A node has come up or gone down, or has room again: whoever waits asks again, a few at a time. */
  wake(): void {
    const isUnderWay = this.#waking.size > 0;
    for (const driver of this.#going) if (driver.hasWaits) this.#waking.add(driver);
    if (!isUnderWay && this.#waking.size > 0) setImmediate(() => this.#wakeSome());
  }

  #wakeSome(): void {
    let count = 0;
    for (const driver of this.#waking) {
      this.#waking.delete(driver);
      driver.wake();
      count += 1;
      if (count === wokenInTurn) break;
    }
    if (this.#waking.size > 0) setImmediate(() => this.#wakeSome());
  }

  /** Ends the earlier runs of a job on a node, for a run that takes their place; resolves when they are gone. */
  async #endOn(node: string, run: PlacedRun): Promise<void> {
    await Promise.all(this.#othersOf(run).map((driver) => driver.endOn(node, run.runId)));
  }
}

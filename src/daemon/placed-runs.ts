/**
 * Runs over nodes, driven to their end: asks placement-plan.ts what is to be done, has it done, and asks again when something has happened –
 * an attempt has ended, a node has come up, there is room, a wait is over, somebody wants it stopped.
 */
import type { Node } from "../model/node.ts";
import type { Problem } from "../model/problem.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { DaemonClock } from "./daemon-parts.ts";
import type { DueRun, RunResult } from "./executor.ts";
import type { Fleet, NodeLink } from "./fleet.ts";
import {
  type AttemptResult,
  type PlacementLimits,
  type PlacementStart,
  type PlacementVerdict,
  planPlacement,
} from "./placement-plan.ts";

/** A run whose job says on which nodes. */
export interface PlacedDue extends DueRun {
  readonly job: ScheduledJob & Required<Pick<ScheduledJob, "placement">>;
}

/** An attempt that is over. */
export interface PlacedAttempt {
  readonly node: string;
  readonly result: AttemptResult;
  /** From 0; undefined where the job has none. */
  readonly exitStatus: number | undefined;
  readonly durationMs: number;
  /** Why it could not be started, or how it ended; a clause. */
  readonly sentence: string;
  /** Where the node could not be reached. */
  readonly problem: Problem | undefined;
}

/** What does the work on the nodes, and keeps the record. Nothing here throws or rejects. */
export interface PlacedExecutor {
  /** The run begins: its first attempt is about to. */
  begin(due: PlacedDue): void;
  /** Runs the job on a node. @param stop ends it there, with all that it has started */
  attempt(
    due: PlacedDue,
    on: { readonly node: Node; readonly link: NodeLink },
    stop: AbortSignal,
  ): Promise<PlacedAttempt>;
  /** The run is over: record, log, mail. */
  end(due: PlacedDue, verdict: PlacementVerdict, attempts: readonly PlacedAttempt[]): Promise<RunResult>;
}

/** What the runs need. */
export interface PlacedRunsOptions {
  readonly fleet: Fleet;
  readonly executor: PlacedExecutor;
  readonly limits: PlacementLimits;
  readonly clock: DaemonClock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** So long a run waits for room on its nodes. */
const longestWaitMs = 3_600_000;

/** All runs over nodes. */
export class PlacedRuns {
  readonly #options: PlacedRunsOptions;
  readonly #going = new Set<PlacedRun>();

  constructor(options: PlacedRunsOptions) {
    this.#options = options;
  }

  /** Runs a job on its nodes. @param stop ends all of its attempts; what waits is given up */
  async run(due: PlacedDue, stop: AbortSignal): Promise<RunResult> {
    const run = new PlacedRun(due, this.#options, (node) => this.#endOn(node, due));
    this.#going.add(run);
    try {
      return await run.drive(stop);
    } finally {
      this.#going.delete(run);
    }
  }

  /** A node has come up or gone down, or has room again: whoever waits asks again. */
  wake(): void {
    for (const run of this.#going) run.wake();
  }

  /** Ends the earlier runs of a job on a node, for a run that takes their place; resolves when they are gone. */
  async #endOn(node: string, { job, runId }: PlacedDue): Promise<void> {
    const others = [...this.#going].filter(({ due }) => due.job.name === job.name && due.runId !== runId);
    await Promise.all(others.map((run) => run.endOn(node)));
  }
}

interface Going {
  readonly stopping: AbortController;
  readonly ended: Promise<void>;
}

/** One of them. */
class PlacedRun {
  readonly due: PlacedDue;
  readonly #options: PlacedRunsOptions;
  readonly #endOthers: (node: string) => Promise<void>;
  readonly #attempts: PlacedAttempt[] = [];
  readonly #going = new Map<string, Going>();
  #hasBegun = false;
  #isWaitOver = false;
  #wake: () => void = () => {};

  constructor(due: PlacedDue, options: PlacedRunsOptions, endOthers: (node: string) => Promise<void>) {
    this.due = due;
    this.#options = options;
    this.#endOthers = endOthers;
  }

  wake(): void {
    this.#wake();
  }

  /** Ends its attempt on a node, if it has one. */
  async endOn(node: string): Promise<void> {
    const going = this.#going.get(node);
    going?.stopping.abort();
    await going?.ended;
  }

  async drive(stop: AbortSignal): Promise<RunResult> {
    const { clock, executor } = this.#options;
    const { overlap } = this.due.job.rules;
    const waitMs = overlap.mode === "wait" ? Math.min(overlap.waitMs, longestWaitMs) : longestWaitMs;
    const timer = clock.after(waitMs, () => {
      this.#isWaitOver = true;
      this.#wake();
    });
    const onStop = () => {
      for (const { stopping } of this.#going.values()) stopping.abort();
      this.#wake();
    };
    stop.addEventListener("abort", onStop, { once: true });
    try {
      for (;;) {
        const something = this.#nextEvent();
        const verdict = this.#step(stop);
        if (verdict !== undefined) {
          if (!this.#hasBegun) executor.begin(this.due);
          return await executor.end(this.due, verdict, this.#attempts);
        }
        await something;
      }
    } finally {
      timer.cancel();
      stop.removeEventListener("abort", onStop);
    }
  }

  /** Does what is to be done now. @returns the verdict, where it is over */
  #step(stop: AbortSignal): PlacementVerdict | undefined {
    if (stop.aborted) {
      if (this.#going.size > 0) return undefined;
      return { kind: "stopped", sentence: "it was stopped" };
    }
    const { fleet, limits, random } = this.#options;
    const { job, runId } = this.due;
    const { starts, waits, leftOut, verdict } = planPlacement({
      placement: job.placement,
      overlap: job.rules.overlap,
      nodes: fleet.statesFor(job.name, runId),
      limits,
      attempts: [...this.#attempts, ...[...this.#going.keys()].map((node) => ({ node, result: undefined }))],
      isWaitOver: this.#isWaitOver,
      random,
    });
    if (verdict !== undefined) return verdict;
    for (const start of starts) this.#start(start);
    const isStuck = this.#isWaitOver && starts.length === 0 && this.#going.size === 0 && waits.length > 0;
    if (!isStuck) return undefined;
    const nodes = waits.flatMap((wait) => wait.nodes);
    const why = [`no room on ${nodes.join(", ")} for too long`, ...leftOut.map(({ sentence }) => sentence)];
    return { kind: "skipped", sentence: why.join("; ") };
  }

  #start({ node: name, ends }: PlacementStart): void {
    const { fleet, executor } = this.#options;
    const found = fleet.find(name);
    if (found === undefined) return; // it has gone in this very moment; the next plan knows
    const { runId, job } = this.due;
    const stopping = new AbortController();
    fleet.begin(name, runId, job.name);
    if (!this.#hasBegun) executor.begin(this.due);
    this.#hasBegun = true;
    const attempt = async () => {
      await Promise.all(ends.map((node) => this.#endOthers(node)));
      const end = await executor.attempt(this.due, found, stopping.signal).catch((error: unknown) => {
        return lost(name, error);
      });
      this.#attempts.push(end);
      this.#going.delete(name);
      if (end.result === "unreachable" && end.problem !== undefined) fleet.failed(name, end.problem);
      fleet.end(name, runId);
      this.#wake();
    };
    this.#going.set(name, { stopping, ended: attempt() });
  }

  /** Resolves at the next wake, also one that comes before it is awaited. */
  #nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** An executor has failed as none may: what it has started may go on. */
function lost(node: string, error: unknown): PlacedAttempt {
  const sentence = `rcrond failed while it watched it: ${error instanceof Error ? error.message : String(error)}`;
  return { node, result: "unknown", exitStatus: undefined, durationMs: 0, sentence, problem: undefined };
}

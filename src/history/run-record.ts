/**
 * What the record knows, as those see it who ask.
 */
import type { EndCause, NodeEnd, SkipReason } from "../model/run-event.ts";

/** How a run stands. `interrupted`: it began, and nobody was left to see its end; on nodes it may still go on. */
export type RunState = "succeeded" | "failed" | "running" | "interrupted" | "skipped";

/** One run, or one that was due and did not happen. Times are milliseconds since 1970. */
export interface RunRecord {
  /** Its place in the order of arrival. */
  readonly seq: number;
  /** The run's id; `@SEQ` for a skip that has none. */
  readonly id: string;
  readonly job: string;
  readonly cluster: string;
  readonly host: string;
  readonly state: RunState;
  /** Why it was skipped. */
  readonly why?: SkipReason;
  /** Why it ended as it did; none for a run that goes on, was interrupted or skipped. */
  readonly cause?: EndCause;
  readonly command: string;
  /** When it was due. */
  readonly tickMs: number;
  /** When it began, or was skipped. */
  readonly atMs: number;
  /** How long it took. */
  readonly ms?: number;
  readonly exit?: number;
  readonly signal?: number;
  readonly cpuMs?: number;
  /** The process that watched it. */
  readonly pid?: number;
  /** Of the verdict, and what the state file said of it. */
  readonly reason: string;
  readonly epoch?: number;
  readonly instance?: string;
  readonly sinceMs?: number;
  readonly sentence?: string;
  readonly attempts?: number;
  readonly user?: string;
  readonly detached?: boolean;
  readonly survivors?: number;
  /** It has no end, and its job is on nodes, where it outlives the process that watches it. */
  readonly onNodes?: boolean;
  /** What became of it on each node. */
  readonly nodes?: readonly NodeEnd[];
  /** Of an overlap: the run that held the lock. */
  readonly holder?: { readonly run?: string; readonly pid?: number; readonly since?: number };
}

/** What was kept of a run's output, unpacked. */
export interface KeptOutput {
  readonly bytes: number;
  readonly leftOut: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** A job, summed up. */
export interface JobRecord {
  readonly job: string;
  readonly cluster: string;
  /** The last time that it ran, or was skipped for another reason than a passive machine; that, if there is nothing else. */
  readonly last: RunRecord;
  readonly lastRun?: RunRecord;
  readonly lastSuccess?: RunRecord;
  /** The last run that is over. */
  readonly lastEnded?: RunRecord;
  /** How many runs failed or were interrupted since the last success. */
  readonly failureStreak: number;
  /** The median of its last successes. */
  readonly typicalMs?: number;
  readonly runningCount: number;
  /** How often each end was reached since the record began. */
  readonly totals: readonly Total[];
}

/** How often a job came to one end. */
export interface Total {
  readonly state: RunState;
  /** The reason of a skip. */
  readonly why?: SkipReason;
  readonly count: number;
}

/** Which runs are asked for. */
export interface RunFilter {
  readonly job?: string;
  readonly host?: string;
  /** `usual`: all but those that a passive machine skipped. */
  readonly show: "usual" | "failed" | "skipped" | "all";
  readonly sinceMs?: number;
  /** The newest so many. */
  readonly limit: number;
  /** Those alone that came behind it. */
  readonly afterSeq?: number;
}

/**
 * What the daemon needs of others: someone who runs a job, someone who keeps the record, and someone who knows whether
 * this machine is the active one. The wiring hands in the real ones, tests hand in fakes.
 */

import type { SkipReason } from "../model/run-event.ts";
import type { Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { Verdict } from "../model/state.ts";

/** A run whose turn has come. */
export interface DueRun {
  readonly runId: string;
  readonly jobName: string;
  /** Undefined for a run that goes on though its job's file is gone. */
  readonly job: ScheduledJob | undefined;
  readonly tick: Tick;
  /** Its tick was missed when it was due. */
  readonly isMadeUp: boolean;
  /** Who asked for it; undefined: the clock. */
  readonly askedBy: string | undefined;
  /** Why it may run. */
  readonly verdict: Verdict;
}

/** How the daemon steers a run, and what it hears of it. */
export interface RunWatch {
  /** When it is aborted, the job and all that it has started end; one that waits is not started. */
  readonly stop: AbortSignal;
  /** Why; undefined while it is not aborted. */
  readonly stopSentence: () => string | undefined;
  /** True where it was given up before its start, for the next daemon to start it: that is not recorded. */
  readonly isLeft: () => boolean;
  /** Aborted when the daemon is about to end: what goes on without it, and can be found again with its end, is left alone. */
  readonly leave: AbortSignal;
  /** The job is about to be started, for the first time or again. */
  readonly onStarting: () => void;
  /** It was, or is there still. @param mark by which a later daemon finds its process again */
  readonly onLaunched: (mark: string, pid: number) => void;
  /** Of a run on nodes, what a later daemon must know of its part on one of them; the last word about a node counts. */
  readonly onNode: (node: string, note: string) => void;
  /** What it prints, as it comes; undefined where nobody looks on. */
  readonly onOutput: ((bytes: Uint8Array) => void) | undefined;
}

/** How a run went. */
export interface RunResult {
  readonly isOk: boolean;
  /** As the prefix would have ended: the job's own, 128 and the signal, 124 after a timeout, 125 to 127. */
  readonly exitStatus: number;
  /** `succeeded after 3 s`, `skipped: …`: for who looks on. */
  readonly sentence: string;
  /** It is not over: the next daemon goes on with it. */
  readonly isLeft?: boolean;
}

/** Runs jobs; records, logs and tells whoever is to hear of it. Nothing here throws or rejects. */
export interface Executor {
  run(due: DueRun, watch: RunWatch): Promise<RunResult>;
  /**
   * Goes on with a run that another daemon has started, or was about to, and left.
   * @returns undefined where nothing is left of it
   */
  adopt(due: DueRun, left: LeftRun, watch: RunWatch): Promise<RunResult> | undefined;
}

/** What a daemon knew of a run, and a later one knows. */
export interface LeftRun {
  /** As `onLaunched` has told it; undefined: it had not. */
  readonly mark: string | undefined;
  /** As `onNode` has told it, by the node's name. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** Keeps the record of what did not happen. */
export interface Recorder {
  skip(skipped: SkippedRun): void;
}

/** A tick that was not run; or several of one job, told in one sentence. */
export interface SkippedRun {
  readonly job: ScheduledJob;
  readonly runId: string | undefined;
  /** The last one. */
  readonly tickMs: number;
  readonly why: SkipReason;
  readonly sentence: string | undefined;
  readonly verdict: Verdict;
}

/** MAY it run here? */
export interface Gate {
  /** For jobs with `cluster`. */
  judge(): Verdict;
  /** For all others. */
  readonly always: Verdict;
  /** True where running jobs end when the machine is no longer active (`on_passive = stop`). */
  readonly endsJobs: boolean;
}

/**
 * What a run under rules is given, whom it tells, and how it went; who watches it is supervise.ts, and adopt.ts for a run
 * whose first watcher was killed.
 */
import type { Kept } from "../model/head-tail.ts";
import type { Job } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Problem } from "../model/problem.ts";
import { defaultGraceMs, type OutputRule, type Rules } from "../model/rules.ts";
import type { EndCause } from "../model/run-event.ts";
import type { Verdict } from "../model/state.ts";
import type { Inheritance } from "../system/process.ts";
import type { UserTerms } from "./as-user.ts";
import type { LocalRun, RunTerms } from "./local.ts";
import type { RunMark } from "./run-mark.ts";

/** A job with its rules, and what is known of this run of it. */
export interface SupervisedJob {
  readonly job: Job;
  readonly rules: Rules;
  readonly runId: string;
  readonly cluster: string;
  /** The user whose rights the job has, and its condition; undefined: this process's own. */
  readonly user: UserTerms | undefined;
  /** How long the start is put off: splay and jitter. */
  readonly delayMs: number;
}

/** What every run needs of the outside, and whom it tells. */
export interface RunPorts {
  /** For the locks of jobs; made with mode 0700 where it is missing. */
  readonly lockFolder: string;
  /** Where output may be held in a file without a name. */
  readonly holdFolders: readonly string[];
  /** Asks the gate again: after each wait, and before each further attempt. */
  readonly mayRun: () => Verdict;
  /** Aborted when the machine is no longer active, or an operator wants it, and the run shall end for that. */
  readonly lost: AbortSignal | undefined;
  readonly lostGraceMs: number;
  /** The job is about to start for the first time. */
  readonly onStart: () => void;
  readonly onRetry: (attempt: number, delayMs: number, outcome: Outcome) => void;
  /** What could not be done as asked, though the job runs; a sentence. */
  readonly onWarning: (sentence: string) => void;
  readonly logLine: (line: string) => void;
  readonly isLogBusy: () => boolean;
}

/** What the prefix gives to its one run. */
export interface SupervisionPorts extends RunPorts {
  readonly inheritance: Inheritance;
}

/** What a process that has many runs gives to each. */
export interface HostingPorts extends RunPorts {
  /** What starts the job: a `Hosting`. */
  readonly hosting: { prepare(job: Job, terms: RunTerms): LocalRun };
  /** That what it starts is ended when its time is over, is not sure: then it is not started again. */
  readonly isEndUnsure?: boolean;
  /** Asked after a failure: whether nothing was started, and whoever has sent it here may send it elsewhere; then it is not tried again. */
  readonly mayGoElsewhere?: (outcome: Outcome) => boolean;
  /** What it starts goes on already: nothing is waited for or asked any more, and a stop must reach it. */
  readonly isResumed?: boolean;
  /** Where the output goes of a job whose rules name no receiver; undefined: to nobody, but head and tail are kept. */
  readonly usualOutputs?: readonly OutputRule[];
  /** Why it was stopped, when `lost` was aborted; a sentence for the record. */
  readonly stopSentence?: () => string | undefined;
  /** Each attempt's process is there. What must be kept to {@link AdoptionPorts adopt} it, should this process be killed. */
  readonly onLaunched?: (mark: RunMark) => void;
  /** The last attempt has ended; its output may still be on its way. */
  readonly onEnded?: () => void;
  /** All output as it comes; the bytes are valid during the call alone. What it throws is passed over. */
  readonly onOutput?: (bytes: Uint8Array) => void;
}

/** What the adoption of a run needs of the outside. */
export type AdoptionPorts = Pick<
  HostingPorts,
  | "lockFolder"
  | "holdFolders"
  | "lost"
  | "lostGraceMs"
  | "onWarning"
  | "logLine"
  | "isLogBusy"
  | "usualOutputs"
  | "stopSentence"
  | "onOutput"
  | "onEnded"
>;

/** How it went. */
export type Supervised =
  | { readonly kind: "passive"; readonly verdict: Verdict }
  | { readonly kind: "overlap"; readonly sentence: string; readonly holder: HolderFacts }
  | { readonly kind: "condition"; readonly sentence: string }
  /** A signal came before the job was started. */
  | { readonly kind: "interrupted"; readonly signal: number }
  /** A rule could not be kept, so the job was not started. */
  | { readonly kind: "refused"; readonly problem: Problem }
  | ({ readonly kind: "ended" } & RunEnd);

/** How a run of many went. */
export type Hosted = Exclude<Supervised, { kind: "interrupted" }> | Stopped;

/** It was stopped (`lost`), or another run wanted its place, before the job was started. */
export interface Stopped {
  readonly kind: "stopped";
  readonly sentence: string | undefined;
}

/** Who had the lock, as the record has it. */
export interface HolderFacts {
  readonly run?: string;
  readonly pid?: number;
  readonly since?: number;
}

/** A run that was started. */
export interface RunEnd {
  readonly outcome: Outcome;
  readonly isOk: boolean;
  readonly cause: EndCause;
  /** Who ended it, where it was clobbered; why, where it was stopped. */
  readonly sentence: string | undefined;
  /** Where the last attempt was not started: how the last one has ended that was. */
  readonly before?: Pick<RunEnd, "outcome" | "cause">;
  readonly attempts: number;
  readonly durationMs: number;
  /** Undefined where its output was not copied. */
  readonly kept: Kept | undefined;
  readonly isDetached: boolean;
  readonly survivors: number;
  /** Processor time of all attempts, in milliseconds; missing where it is not known. */
  readonly cpuMs?: number;
}

/**
 * An adopted run that is over. Its outcome is `unseen`, and it counts as a failure whatever its job would say; so does its
 * cause, unless it was ended on purpose (`timeout`, `stopped`, `clobbered`).
 */
export interface AdoptedEnd extends RunEnd {
  readonly kind: "ended";
  readonly outcome: { readonly kind: "unseen" };
  readonly isOk: false;
  /** False where it had ended before it could be adopted; then it may have lasted shorter than `durationMs`. */
  readonly wasThere: boolean;
}

/** From TERM to KILL. */
export function graceOf({ graceMs, timeoutMs }: Rules): number {
  return graceMs ?? timeoutMs ?? defaultGraceMs;
}

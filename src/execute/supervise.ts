/**
 * A run under rules: its turn is waited for, its lock taken, its condition asked; then it is started, as often as its rules
 * say, ended when its time is over, and its output brought to whoever shall have it.
 *
 * This is the one way to run a supervised job on this machine, whoever decided that it is due.
 */

import type { Kept } from "../model/head-tail.ts";
import type { Job } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import { Problem } from "../model/problem.ts";
import { defaultGraceMs, type Rules } from "../model/rules.ts";
import type { EndCause } from "../model/run-event.ts";
import type { Verdict } from "../model/state.ts";
import { type ForwardedSignal, forwardedSignals, type Inheritance } from "../system/process.ts";
import { longTimer, sleepUntilAborted } from "../system/timers.ts";
import type { UserTerms } from "./as-user.ts";
import { Capture } from "./capture.ts";
import { clobber, holderInWords, type JobLock, tryJobLock, waitForJobLock } from "./job-lock.ts";
import { type LocalRun, prepareLocal, type Streams } from "./local.ts";

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

/** What a run needs of the outside, and whom it tells. */
export interface SupervisionPorts {
  readonly inheritance: Inheritance;
  /** For the locks of jobs; made with mode 0700 where it is missing. */
  readonly lockFolder: string;
  /** Where output may be held in a file without a name. */
  readonly holdFolders: readonly string[];
  /** Asks the gate again: after each wait, and before each further attempt. */
  readonly mayRun: () => Verdict;
  /** Aborted when the machine is no longer active and the job shall end for that. */
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
  /** Who ended it, where it was clobbered. */
  readonly sentence: string | undefined;
  readonly attempts: number;
  readonly durationMs: number;
  /** Undefined where its output was not copied. */
  readonly kept: Kept | undefined;
  readonly isDetached: boolean;
  readonly survivors: number;
}

const longestRetryDelayMs = 3_600_000;
/** These end a run that is waiting; the others are for a job that is there. */
const endingSignals: readonly ForwardedSignal[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

/** Runs a job under its rules; never throws but for a defect. */
export async function superviseRun(what: SupervisedJob, ports: SupervisionPorts): Promise<Supervised> {
  return new Supervision(what, ports).run();
}

class Supervision {
  readonly #what: SupervisedJob;
  readonly #ports: SupervisionPorts;
  readonly #interrupt = new AbortController();
  readonly #launch: LocalRun;
  #interruptedBy: ForwardedSignal | undefined;
  #isWaiting = true;
  #endedMs = 0;
  #survivors = 0;
  #isDetached = false;
  #lock: JobLock | undefined;

  constructor(what: SupervisedJob, ports: SupervisionPorts) {
    const { rules } = what;
    this.#what = what;
    this.#ports = ports;
    this.#launch = prepareLocal(what.job, {
      inheritance: ports.inheritance,
      isGroup: true,
      workingFolder: rules.workingFolder,
      umask: rules.umask,
      asUser: what.user?.command,
      onSignal: (signal) => this.#onSignal(signal),
    });
    for (const warning of this.#launch.warnings) ports.onWarning(warning);
  }

  async run(): Promise<Supervised> {
    const obstacle = await this.#wait();
    if (obstacle !== undefined) {
      this.#lock?.release();
      return obstacle;
    }
    const end = await this.#attempts();
    this.#lock?.release();
    return end;
  }

  /** @returns true to keep the signal from the job: there is none, and there shall be none */
  #onSignal(signal: ForwardedSignal): boolean {
    if (!endingSignals.includes(signal)) return this.#isWaiting;
    this.#interruptedBy = signal;
    if (this.#isWaiting) this.#interrupt.abort();
    return this.#isWaiting;
  }

  /** All that is between the tick and the start. @returns why the job is not started; undefined where it may */
  async #wait(): Promise<Supervised | undefined> {
    const { rules, delayMs } = this.#what;
    const begunMs = performance.now();
    if (delayMs > 0) await sleepUntilAborted(delayMs, this.#interrupt.signal);
    if (this.#interruptedBy !== undefined) return this.#interrupted(this.#interruptedBy);
    if (rules.overlap.mode !== "allow") {
      const obstacle = await this.#takeLock();
      if (obstacle !== undefined) return obstacle;
      if (this.#interruptedBy !== undefined) return this.#interrupted(this.#interruptedBy);
    }
    if (rules.condition !== undefined) {
      const { askCondition } = await import("./condition.ts");
      // Signals reach the condition's own processes, and end the run with them.
      this.#isWaiting = false;
      const no = await askCondition(
        this.#launch,
        rules.condition,
        rules.conditionTimeoutMs,
        this.#what.runId,
      );
      this.#isWaiting = true;
      if (this.#interruptedBy !== undefined) return this.#interrupted(this.#interruptedBy);
      if (no !== undefined) return { kind: "condition", sentence: no };
    }
    if (performance.now() - begunMs < askAgainMs) return undefined;
    const verdict = this.#ports.mayRun();
    return verdict.state === "active" ? undefined : { kind: "passive", verdict };
  }

  #interrupted(signal: ForwardedSignal): Supervised {
    return { kind: "interrupted", signal: forwardedSignals[signal] };
  }

  async #takeLock(): Promise<Supervised | undefined> {
    const { rules, runId, cluster, job } = this.#what;
    const { overlap, overlapScope: scope } = rules;
    const request = { folder: this.#ports.lockFolder, cluster, job: job.name, runId, scope };
    const { signal } = this.#interrupt;
    const lock =
      overlap.mode === "wait"
        ? await waitForJobLock(request, overlap.waitMs, signal)
        : overlap.mode === "clobber"
          ? await clobber(request, graceOf(rules), signal)
          : tryJobLock(request);
    if (lock instanceof Problem) return { kind: "refused", problem: lock };
    if (!("holder" in lock)) {
      this.#lock = lock;
      return undefined;
    }
    if (this.#interruptedBy !== undefined) return this.#interrupted(this.#interruptedBy);
    const { holder } = lock;
    return {
      kind: "overlap",
      sentence: holderInWords(holder, Date.now()),
      holder:
        holder === undefined
          ? {}
          : { run: holder.runId, pid: (holder.leader ?? holder.watcher).pid, since: holder.sinceMs },
    };
  }

  async #attempts(): Promise<Supervised> {
    const { rules } = this.#what;
    const { outputs, failsWhen, retries, pingUrl } = rules;
    const capture =
      outputs.length > 0 || failsWhen.ifStderr || pingUrl !== undefined
        ? new Capture({
            // Nobody named a receiver: then it is the one that it would have been without us.
            outputs: outputs.length > 0 ? outputs : [{ isIfError: false, sink: { kind: "cron" } }],
            isStderrApart: failsWhen.ifStderr,
            ...this.#ports,
          })
        : undefined;
    this.#ports.onStart();
    const startedMs = performance.now();
    let attempts = 0;
    let end: Pick<RunEnd, "outcome" | "isOk" | "cause" | "sentence">;
    for (let delayMs = rules.retryDelayMs; ; delayMs = Math.min(delayMs * 2, longestRetryDelayMs)) {
      attempts += 1;
      end = await this.#attempt(capture);
      const isFinal = end.isOk || attempts > retries || end.cause === "stopped" || end.cause === "clobbered";
      if (isFinal || this.#interruptedBy !== undefined) break;
      this.#ports.onRetry(attempts + 1, delayMs, end.outcome);
      this.#isWaiting = true;
      await sleepUntilAborted(delayMs, this.#interrupt.signal);
      if (this.#interruptedBy !== undefined || this.#ports.mayRun().state !== "active") break;
    }
    const clobbered = this.#clobbered();
    if (!end.isOk && clobbered !== undefined) end = { ...end, ...clobbered };
    const durationMs = this.#endedMs - startedMs;
    await capture?.finish(!end.isOk);
    for (const warning of capture?.warnings ?? []) this.#ports.onWarning(warning);
    return {
      kind: "ended",
      ...end,
      attempts,
      durationMs,
      kept: capture?.kept(),
      isDetached: this.#isDetached,
      survivors: this.#survivors,
    };
  }

  async #attempt(
    capture: Capture | undefined,
  ): Promise<Pick<RunEnd, "outcome" | "isOk" | "cause" | "sentence">> {
    const { rules, runId } = this.#what;
    const { lost, lostGraceMs } = this.#ports;
    const stopping = new AbortController();
    let stoppedFor: "timeout" | "stopped" | undefined;
    const stopFor = (cause: "timeout" | "stopped") => {
      stoppedFor ??= cause;
      stopping.abort();
    };
    const onLost = () => stopFor("stopped");
    lost?.addEventListener("abort", onLost);
    if (lost?.aborted) onLost();
    const streams = this.#streams(capture);
    let timer: { cancel(): void } | undefined;
    this.#isWaiting = false;
    const outcome = await this.#launch.run({
      streams,
      stop: {
        signal: stopping.signal,
        runId,
        get graceMs() {
          return stoppedFor === "stopped" ? lostGraceMs : graceOf(rules);
        },
        onSurvivors: (count) => {
          this.#survivors += count;
        },
      },
      onStarted: (pid) => {
        capture?.started();
        this.#lock?.setLeader(pid);
        if (rules.timeoutMs !== undefined) timer = longTimer(rules.timeoutMs, () => stopFor("timeout"));
      },
    });
    this.#endedMs = performance.now(); // before its output is brought to whoever is slow
    timer?.cancel();
    lost?.removeEventListener("abort", onLost);
    if (outcome.kind === "not-started") capture?.abandon();
    else if (capture !== undefined) this.#isDetached = (await capture.end()) || this.#isDetached;
    const clobbered = this.#clobbered();
    if (clobbered !== undefined) return { outcome, ...clobbered };
    if (stoppedFor !== undefined) return { outcome, isOk: false, cause: stoppedFor, sentence: undefined };
    const hasStderr = rules.failsWhen.ifStderr && capture?.hasStderr === true;
    return { outcome, ...judge(outcome, rules, hasStderr), sentence: undefined };
  }

  /** A job whose output can't be copied writes where it would without us: better there than nowhere. */
  #streams(capture: Capture | undefined): Streams | undefined {
    const streams = capture?.begin();
    if (streams === undefined || !("code" in streams)) return streams;
    const { ifStderr } = this.#what.rules.failsWhen;
    const besides = ifStderr ? ", and whether it writes to standard error is not known" : "";
    this.#ports.onWarning(
      `the job's output can't be copied: ${streams.text}: all of it goes to standard output and standard error${besides}`,
    );
    return undefined;
  }

  #clobbered(): Pick<RunEnd, "isOk" | "cause" | "sentence"> | undefined {
    const other = this.#lock?.clobberedBy();
    if (other === undefined) return undefined;
    return { isOk: false, cause: "clobbered", sentence: `ended for the run ${other}` };
  }
}

/** A shorter wait than this can't have changed the state that was asked for before it. */
const askAgainMs = 500;

function graceOf({ graceMs, timeoutMs }: Rules): number {
  return graceMs ?? timeoutMs ?? defaultGraceMs;
}

/** What the rules make of an end. */
function judge(outcome: Outcome, { failsWhen }: Rules, hasStderr: boolean): Pick<RunEnd, "isOk" | "cause"> {
  if (outcome.kind === "not-started") return { isOk: false, cause: "not-started" };
  if (outcome.kind === "signalled") return { isOk: false, cause: "signal" };
  if (failsWhen.ifNonzero && !failsWhen.success.includes(outcome.exitCode))
    return { isOk: false, cause: "exit" };
  return hasStderr ? { isOk: false, cause: "stderr" } : { isOk: true, cause: "exit" };
}

/**
 * A run under rules: its turn is waited for, its lock taken, its condition asked; then it is started, as often as its rules
 * say, ended when its time is over, and its output brought to whoever shall have it.
 *
 * This is the one way to run a supervised job on this machine, whoever decided that it is due.
 */

import type { Outcome } from "../model/outcome.ts";
import { Problem } from "../model/problem.ts";
import type { OutputRule, Rules } from "../model/rules.ts";
import { findProcess } from "../system/other-processes.ts";
import { type ForwardedSignal, forwardedSignals } from "../system/process.ts";
import { longTimer, sleepUntilAborted } from "../system/timers.ts";
import { Capture } from "./capture.ts";
import {
  clobber,
  clobbererOf,
  holderInWords,
  type JobLock,
  type LockRequest,
  tryJobLock,
  waitForJobLock,
} from "./job-lock.ts";
import { type LocalRun, prepareLocal, type RunTerms, type Streams } from "./local.ts";
import {
  graceOf,
  type Hosted,
  type HostingPorts,
  type RunEnd,
  type RunPorts,
  type Stopped,
  type Supervised,
  type SupervisedJob,
  type SupervisionPorts,
} from "./supervised-run.ts";

const longestRetryDelayMs = 3_600_000;
/** These end a run that is waiting; the others are for a job that is there. */
const endingSignals: readonly ForwardedSignal[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

/** In a process of many runs: how often is looked whether another run wants this one's place, while it waits. */
const clobberPollMs = 250;
/** Where output goes of which the rules say nothing: to the one receiver that it would have without us. */
const toCron: readonly OutputRule[] = [{ isIfError: false, sink: { kind: "cron" } }];

/** Runs a job under its rules, in its caller's place; never throws but for a defect. */
export async function superviseRun(what: SupervisedJob, ports: SupervisionPorts): Promise<Supervised> {
  const end = await new Supervision(what, ports, undefined, (terms, onSignal) =>
    prepareLocal(what.job, { ...terms, inheritance: ports.inheritance, onSignal }),
  ).run();
  // Nothing but a lost state stops a run here.
  return end.kind === "stopped" ? { kind: "passive", verdict: ports.mayRun() } : end;
}

/**
 * Runs a job under its rules, as one of many runs of this process: its output is copied always, and should this process be
 * killed, the job goes on and its next watcher can adopt it. Never throws but for a defect.
 */
export async function superviseHosted(what: SupervisedJob, ports: HostingPorts): Promise<Hosted> {
  const { hosting } = ports;
  const end = await new Supervision(what, ports, ports, (terms) => hosting.prepare(what.job, terms)).run();
  // No signal to this process is meant for one of its runs.
  return end.kind === "interrupted" ? { kind: "stopped", sentence: undefined } : end;
}

type Prepare = (terms: RunTerms, onSignal: (signal: ForwardedSignal) => boolean) => LocalRun;

class Supervision {
  readonly #what: SupervisedJob;
  readonly #ports: RunPorts;
  /** Undefined where this process has no other run. */
  readonly #hosting: HostingPorts | undefined;
  readonly #interrupt = new AbortController();
  readonly #launch: LocalRun;
  readonly #lockRequest: LockRequest;
  #interruptedBy: ForwardedSignal | undefined;
  #isWaiting = true;
  #startedAtMs = 0;
  #endedMs = 0;
  #survivors = 0;
  #cpuMs: number | undefined;
  #isDetached = false;
  #lock: JobLock | undefined;

  constructor(what: SupervisedJob, ports: RunPorts, hosting: HostingPorts | undefined, prepare: Prepare) {
    const { rules, cluster, job, runId } = what;
    this.#what = what;
    this.#ports = ports;
    this.#hosting = hosting;
    this.#lockRequest = {
      folder: ports.lockFolder,
      cluster,
      job: job.name,
      runId,
      scope: rules.overlapScope,
      isHosted: hosting !== undefined,
    };
    const terms: RunTerms = {
      isGroup: true,
      workingFolder: rules.workingFolder,
      umask: rules.umask,
      asUser: what.user?.command,
    };
    this.#launch = prepare(terms, (signal) => this.#onSignal(signal));
    for (const warning of this.#launch.warnings) ports.onWarning(warning);
  }

  async run(): Promise<Supervised | Stopped> {
    const { lost } = this.#ports;
    const onLost = () => this.#interrupt.abort();
    lost?.addEventListener("abort", onLost);
    if (lost?.aborted) onLost();
    const end = (await this.#wait()) ?? (await this.#attempts());
    lost?.removeEventListener("abort", onLost);
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
  async #wait(): Promise<Supervised | Stopped | undefined> {
    if (this.#hosting?.isResumed === true) return undefined;
    const { rules, delayMs } = this.#what;
    const begunMs = performance.now();
    if (delayMs > 0) await sleepUntilAborted(delayMs, this.#interrupt.signal);
    const atOnce = this.#endedWaiting();
    if (atOnce !== undefined) return atOnce;
    if (rules.overlap.mode !== "allow") {
      const obstacle = (await this.#takeLock()) ?? this.#endedWaiting();
      if (obstacle !== undefined) return obstacle;
    }
    if (rules.condition !== undefined) {
      const obstacle = await this.#askCondition(rules.condition);
      if (obstacle !== undefined) return obstacle;
    }
    if (performance.now() - begunMs < askAgainMs) return undefined;
    const verdict = this.#ports.mayRun();
    return verdict.state === "active" ? undefined : { kind: "passive", verdict };
  }

  async #askCondition(line: string): Promise<Supervised | Stopped | undefined> {
    const { rules, runId } = this.#what;
    const { askCondition } = await import("./condition.ts");
    // Signals reach the condition's own processes, and end the run with them.
    this.#isWaiting = false;
    const watch = this.#watchForClobber();
    const { signal } = this.#interrupt;
    const no = await askCondition(this.#launch, line, rules.conditionTimeoutMs, runId, signal);
    clearInterval(watch);
    this.#isWaiting = true;
    return this.#endedWaiting() ?? (no === undefined ? undefined : { kind: "condition", sentence: no });
  }

  /** @returns why the run shall not go on with what it waits for; undefined where it shall */
  #endedWaiting(): Supervised | Stopped | undefined {
    if (this.#interruptedBy !== undefined) {
      return { kind: "interrupted", signal: forwardedSignals[this.#interruptedBy] };
    }
    if (!this.#interrupt.signal.aborted) return undefined;
    const sentence = this.#ports.lost?.aborted ? this.#stopSentence() : this.#clobbered()?.sentence;
    return { kind: "stopped", sentence };
  }

  #stopSentence(): string | undefined {
    return this.#hosting?.stopSentence?.();
  }

  /**
   * Who wants the place of a run that waits sends it a signal; but not where other runs would be hit, nor to a job that is on
   * another machine.
   */
  #watchForClobber(toEnd = this.#interrupt): Timer | undefined {
    if (this.#hosting === undefined || this.#lock === undefined) return undefined;
    return setInterval(() => {
      if (this.#clobbered() !== undefined) toEnd.abort();
    }, clobberPollMs);
  }

  async #takeLock(): Promise<Supervised | undefined> {
    const { rules } = this.#what;
    const { overlap } = rules;
    const request = this.#lockRequest;
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
    if (signal.aborted) return undefined; // which the caller asks for
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
    const capture = this.#openCapture();
    this.#ports.onStart();
    const startedMs = performance.now();
    this.#startedAtMs = Date.now();
    let attempts = 0;
    let end: Pick<RunEnd, "outcome" | "isOk" | "cause" | "sentence">;
    let before: RunEnd["before"];
    for (let delayMs = rules.retryDelayMs; ; delayMs = Math.min(delayMs * 2, longestRetryDelayMs)) {
      attempts += 1;
      end = await this.#attempt(attempts, capture);
      if (end.outcome.kind !== "not-started") before = { outcome: end.outcome, cause: end.cause };
      const isFinal = end.isOk || attempts > rules.retries || !this.#isRetriedAfter(end);
      if (isFinal || this.#interruptedBy !== undefined) break;
      this.#ports.onRetry(attempts + 1, delayMs, end.outcome);
      this.#isWaiting = true;
      const watch = this.#watchForClobber();
      await sleepUntilAborted(delayMs, this.#interrupt.signal);
      clearInterval(watch);
      if (this.#ports.lost?.aborted) {
        end = { ...end, isOk: false, cause: "stopped", sentence: this.#stopSentence() };
        break;
      }
      if (this.#interrupt.signal.aborted) break;
      if (this.#interruptedBy !== undefined || this.#ports.mayRun().state !== "active") break;
    }
    const clobbered = this.#clobbered();
    if (!end.isOk && clobbered !== undefined) end = { ...end, ...clobbered };
    const durationMs = this.#endedMs - startedMs;
    this.#hosting?.onEnded?.();
    await capture?.finish(!end.isOk);
    for (const warning of capture?.warnings ?? []) this.#ports.onWarning(warning);
    return {
      kind: "ended",
      ...end,
      ...(end.outcome.kind === "not-started" && before !== undefined && { before }),
      attempts,
      durationMs,
      kept: capture?.kept(),
      isDetached: this.#isDetached,
      survivors: this.#survivors,
      ...(this.#cpuMs !== undefined && { cpuMs: this.#cpuMs }),
    };
  }

  /** What was ended on purpose is not started again, nor what may go on, or have run to its end: that would be twice. */
  #isRetriedAfter({ cause, outcome }: Pick<RunEnd, "cause" | "outcome">): boolean {
    if (this.#hosting?.mayGoElsewhere?.(outcome) === true) return false;
    if (cause === "timeout") return this.#hosting?.isEndUnsure !== true;
    return cause !== "stopped" && cause !== "clobbered" && cause !== "unseen";
  }

  /** @returns undefined where nothing is copied: the job has this process's own streams */
  #openCapture(): Capture | undefined {
    const { outputs, failsWhen, pingUrl, webhookUrl, slackUrl } = this.#what.rules;
    const hosting = this.#hosting;
    const isTold = pingUrl !== undefined || webhookUrl !== undefined || slackUrl !== undefined;
    const isWanted = outputs.length > 0 || failsWhen.ifStderr || isTold;
    if (!isWanted && hosting === undefined) return undefined;
    const usual = hosting === undefined ? toCron : (hosting.usualOutputs ?? []);
    return new Capture({
      outputs: outputs.length > 0 ? outputs : usual,
      isStderrApart: failsWhen.ifStderr,
      ...this.#ports,
      ...(hosting !== undefined && { withoutReader: "waits", onOutput: hosting.onOutput }),
    });
  }

  async #attempt(
    attempt: number,
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
    let clobberWatch: Timer | undefined;
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
        if (pid !== undefined) {
          this.#launched(pid, attempt, streams === undefined ? undefined : capture);
          this.#lock?.setLeader(pid);
        } else clobberWatch = this.#watchForClobber(stopping);
        capture?.started();
        if (rules.timeoutMs !== undefined) timer = longTimer(rules.timeoutMs, () => stopFor("timeout"));
      },
      onCpuMs: (ms) => {
        this.#cpuMs = (this.#cpuMs ?? 0) + ms;
      },
      onWarning: this.#ports.onWarning,
    });
    this.#endedMs = performance.now(); // before its output is brought to whoever is slow
    timer?.cancel();
    clearInterval(clobberWatch);
    lost?.removeEventListener("abort", onLost);
    if (outcome.kind === "not-started") capture?.abandon();
    else if (capture !== undefined) this.#isDetached = (await capture.end()) || this.#isDetached;
    const clobbered = this.#clobbered();
    if (clobbered !== undefined) return { outcome, ...clobbered };
    if (stoppedFor !== undefined) {
      const sentence = stoppedFor === "stopped" ? this.#stopSentence() : undefined;
      return { outcome, isOk: false, cause: stoppedFor, sentence };
    }
    const hasStderr = rules.failsWhen.ifStderr && capture?.hasStderr === true;
    return { outcome, ...judge(outcome, rules, hasStderr), sentence: undefined };
  }

  /** Told at once: this process may be killed at any moment, and then nobody else knows. */
  #launched(pid: number, attempt: number, capture: Capture | undefined): void {
    if (this.#hosting?.onLaunched === undefined) return;
    const startTicks = findProcess(pid)?.startTicks;
    if (startTicks === undefined) return; // who can't be found now can't be found later
    const startedAtMs = this.#startedAtMs;
    this.#hosting.onLaunched({ pid, startTicks, startedAtMs, attempt, ...capture?.marks() });
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

  #clobbered(): ReturnType<typeof clobberedEnd> {
    return this.#lock === undefined ? undefined : clobberedEnd(this.#lockRequest);
  }
}

/** A shorter wait than this can't have changed the state that was asked for before it. */
const askAgainMs = 500;

/** How a run ended that another one asked to end; undefined where none did. */
export function clobberedEnd(
  request: LockRequest,
): { readonly isOk: false; readonly cause: "clobbered"; readonly sentence: string } | undefined {
  const other = clobbererOf(request);
  if (other === undefined) return undefined;
  return { isOk: false, cause: "clobbered", sentence: `ended for the run ${other}` };
}

/** What the rules make of an end. */
function judge(outcome: Outcome, { failsWhen }: Rules, hasStderr: boolean): Pick<RunEnd, "isOk" | "cause"> {
  if (outcome.kind === "not-started") return { isOk: false, cause: "not-started" };
  if (outcome.kind === "signalled") return { isOk: false, cause: "signal" };
  if (outcome.kind === "unseen") return { isOk: false, cause: "unseen" };
  if (failsWhen.ifNonzero && !failsWhen.success.includes(outcome.exitCode))
    return { isOk: false, cause: "exit" };
  return hasStderr ? { isOk: false, cause: "stderr" } : { isOk: true, cause: "exit" };
}

/**
 * The scheduler: looks at the clock, plans what is due, and gives each run its turn.
 *
 * One loop: the planner says what is due and when to look again; what is due goes into the book and into the queue; who has
 * its turn is started. Everything else – a changed file, a word of an operator, another state of this machine, the end of a
 * run – is an event that ends in the same two steps, `#take` and `#pump`.
 *
 * Time comes from a clock that is handed in; executor, record, gate and files are ports (executor.ts).
 */
import { newRunId } from "../model/log-line.ts";
import { type Pause, pauseAt, pauseNow } from "../model/pause.ts";
import { Problem } from "../model/problem.ts";
import type { Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { Verdict } from "../model/state.ts";
import { ActiveRuns, bookedFrom, type PlannedRun } from "./active-runs.ts";
import type { DaemonOptions, KnownJobs } from "./daemon-parts.ts";
import type { RunResult } from "./executor.ts";
import { GateWatch } from "./gate-watch.ts";
import { type Plan, Planner, scheduleKey } from "./planner.ts";
import { resumeRuns } from "./resume-runs.ts";
import { RunQueue } from "./run-queue.ts";
import { droppedSentence, pausedSentence } from "./sentences.ts";
import type { BookNews } from "./tick-book.ts";

export { type AnswerContext, answerRequest, brokenInWords } from "./answer.ts";
export type { DaemonClock, DaemonOptions, KnownJobs } from "./daemon-parts.ts";
export type * from "./executor.ts";
export { Fleet, type NodeLink, type NodeReport } from "./fleet.ts";
export * from "./placed-runs.ts";
export { TickBook } from "./tick-book.ts";

/** So many starts in a row, and then whatever else is due has its turn. */
const startsInTurn = 4;

/** A daemon at work, from {@link start} to {@link drain}. */
export class Daemon {
  readonly options: DaemonOptions;
  readonly runs: ActiveRuns;
  readonly queue: RunQueue<PlannedRun>;
  readonly planner: Planner;
  readonly #gateWatch: GateWatch;
  #known: KnownJobs = { jobs: new Map(), fileCount: 0, broken: [] };
  #pauses: readonly Pause[] = [];
  #timer: { cancel(): void } | undefined;
  #hasClusterJobs = false;
  #bookedMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #fullToldMs = Number.NEGATIVE_INFINITY;
  #isPumping = false;
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  constructor(options: DaemonOptions) {
    this.options = options;
    const { clock, executor, book, zone, hostName, random, gate, lookBackMs, log } = options;
    this.planner = new Planner({ zone, hostName, random });
    this.queue = new RunQueue(options.concurrency ?? Infinity);
    this.runs = new ActiveRuns({
      executor,
      book,
      nowMs: () => clock.nowMs(),
      onEnd: (run) => this.#onEnd(run),
      onDefect: ({ jobName }, error) => {
        log("warning", `${jobName}: internal error: ${error instanceof Error ? error.stack : error}`);
      },
    });
    this.#gateWatch = new GateWatch({
      gate,
      lookBackMs,
      clock,
      log,
      hasClusterJobs: () => this.#hasClusterJobs,
      runs: this.runs,
      take: (plan) => this.#take(plan),
    });
  }

  /** What is known of the jobs now. */
  get known(): KnownJobs {
    return this.#known;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  get nowMs(): number {
    return this.options.clock.nowMs();
  }

  /** Begins: finds the runs that an earlier daemon has left, plans what was missed since, and looks on. */
  start(jobs: KnownJobs): void {
    const { book, boot } = this.options;
    const memory = book.read();
    const nowMs = this.nowMs;
    this.#lookedMs = nowMs;
    this.#known = jobs;
    this.#pauses = memory.pauses; // those that are over, too: what was missed may have been missed in them
    const isNewBoot = boot === undefined ? memory.horizonMs === undefined : boot !== memory.boot;
    const before =
      memory.horizonMs === undefined ? undefined : { horizonMs: memory.horizonMs, known: memory.known };
    const plan = this.planner.start(jobs.jobs, nowMs, before, isNewBoot);
    const ofPlan = new Set(plan.planned.map(({ job }) => job.name));
    resumeRuns(this, memory.runs, ofPlan);
    const known = this.#changesSince(memory.known, (job) => memory.known.get(job.name) === scheduleKey(job));
    this.#take(this.#withoutOthers(plan), { boot, known });
    this.#pauses = this.pauses;
    this.#gateWatch.start();
    this.#arm();
  }

  /** Takes up the jobs as they are now. */
  setJobs(known: KnownJobs): void {
    const before = this.#known.jobs;
    const plan = this.planner.setJobs(known.jobs, this.nowMs);
    this.#take(this.#withoutOthers(plan)); // with the jobs of before, whose ticks these are
    this.#known = known;
    const news = this.#changesSince(before, (job) => {
      const old = before.get(job.name);
      return old === job || (old !== undefined && scheduleKey(old) === scheduleKey(job));
    });
    // With the time up to which the old schedules have been looked after, or a new daemon would take theirs for the new ones'.
    if (news !== undefined) this.options.book.plan([], this.planner.horizonMs, { known: news });
    this.#arm();
  }

  /** The verdict for a job. */
  verdictFor(job: ScheduledJob): Verdict {
    const { gate } = this.options;
    return job.isCluster ? gate.judge() : gate.always;
  }

  /** Takes up what is due: what is paused is recorded, the rest goes into the book and the queue. */
  #take({ planned, dropped }: Plan, news: BookNews = {}): void {
    const { book } = this.options;
    const nowMs = this.nowMs;
    const runs: PlannedRun[] = [];
    for (const { job, tick, isMadeUp, delayMs } of planned) {
      const runId = newRunId();
      const pause = pauseAt(this.#pauses, job.name, Math.min(tick.atMs, nowMs)) ?? this.pauseOf(job.name);
      if (pause !== undefined) {
        this.#skip(job, tick, runId, "paused", pausedSentence(pause));
        continue;
      }
      const startAtMs = nowMs + delayMs;
      const run = { runId, jobName: job.name, tick, startAtMs, isMadeUp, askedBy: undefined };
      if (this.enqueue(run)) runs.push(run);
    }
    // Where nothing was due, the next look may begin where this one did, and a busy disk is left alone.
    const isQuiet =
      planned.length + dropped.length === 0 && news.boot === undefined && news.known === undefined;
    if (!isQuiet || nowMs - this.#bookedMs >= bookAgainMs || nowMs < this.#bookedMs) {
      book.plan(runs.map(bookedFrom), this.planner.horizonMs, news);
      this.#bookedMs = nowMs;
    }
    for (const ticks of dropped) this.#tellDropped(ticks);
    this.pump();
  }

  #tellDropped(ticks: Plan["dropped"][number]): void {
    const { recorder, log, gate } = this.options;
    const { job, lastMs } = ticks;
    const sentence = droppedSentence(ticks);
    log("warning", `${job.name}: ${sentence}`);
    recorder.skip({ job, runId: undefined, tickMs: lastMs, why: "missed", sentence, verdict: gate.always });
  }

  /** Puts a run into the queue. @returns false where too many runs of its job wait, which is recorded */
  enqueue(run: PlannedRun): boolean {
    if (this.queue.add(run)) return true;
    const job = this.#known.jobs.get(run.jobName);
    const sentence = "too many ticks of the job were waiting for their turn";
    if (job !== undefined) this.#skip(job, run.tick, run.runId, "queue", sentence);
    this.options.book.over(run.runId);
    return false;
  }

  /** Starts whoever has its turn. */
  pump(): void {
    if (this.#isPumping || this.#isDraining) return;
    for (let count = 0; count < startsInTurn; count++) {
      const run = this.queue.take(this.nowMs);
      if (run === undefined) {
        this.#tellFull();
        this.#arm();
        return;
      }
      this.#begin(run);
    }
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.pump();
    });
  }

  /**
   * Starts a job now, whatever its schedule says; its rules hold.
   * @param askedBy who wants it
   * @param onOutput what it prints, as it comes
   */
  runNow(
    jobName: string,
    askedBy: string,
    onOutput?: (bytes: Uint8Array) => void,
  ): { readonly runId: string; readonly ended: Promise<RunResult> } | Problem {
    const job = this.#known.jobs.get(jobName);
    if (job === undefined) return new Problem("not-found", `there is no job named "${jobName}"`);
    if (this.#isDraining)
      return new Problem("conflict", "rcrond is about to end, and starts nothing any more");
    const verdict = this.verdictFor(job);
    if (verdict.state !== "active") {
      return new Problem("conflict", `${jobName} runs on the active machine only: ${verdict.sentence}`, {
        hint: "run it there",
      });
    }
    const nowMs = this.nowMs;
    const run: PlannedRun = {
      runId: newRunId(),
      jobName,
      tick: { atMs: nowMs, localMs: nowMs },
      startAtMs: nowMs,
      isMadeUp: false,
      askedBy,
    };
    this.options.book.plan([bookedFrom(run)], this.planner.horizonMs);
    this.queue.goesOn(run);
    return { runId: run.runId, ended: this.runs.start(run, job, verdict, onOutput) };
  }

  /** The pauses that hold. */
  get pauses(): readonly Pause[] {
    const nowMs = this.nowMs;
    return this.#pauses.filter(({ untilMs }) => untilMs > nowMs);
  }

  /** The pause that keeps a job from being started now. */
  pauseOf(jobName: string): Pause | undefined {
    return pauseNow(this.#pauses, jobName, this.nowMs);
  }

  /** Replaces the pauses; they outlive the daemon. */
  setPauses(pauses: readonly Pause[]): void {
    this.#pauses = pauses;
    this.options.book.setPauses(pauses);
  }

  /**
   * Ends: nothing is started any more, what goes on is waited for, and ended when the time is over. What waits for its turn
   * stays in the book for the next daemon.
   * @param onWaiting told how many runs are waited for
   */
  async drain(reason: string, onWaiting: (count: number) => void): Promise<void> {
    this.#isDraining = true;
    this.#timer?.cancel();
    this.#gateWatch.stop();
    // One that was ended before it began knows of no time up to which anything was planned.
    if (this.#lookedMs > 0) this.options.book.plan([], this.planner.horizonMs);
    this.runs.leave(reason);
    await new Promise((resolve) => setImmediate(resolve)); // who can be left is so at once
    if (this.runs.size === 0) return;
    onWaiting(this.runs.size);
    const idle = Promise.withResolvers<void>();
    this.#onIdle = idle.resolve;
    const timer = this.options.clock.after(this.options.stopTimeoutMs, () => this.endRuns(reason));
    await idle.promise;
    timer.cancel();
  }

  /** Ends all runs that go on, each with all that it has started. */
  endRuns(reason: string): void {
    for (const { run } of [...this.runs.all]) this.runs.stop(run.runId, reason);
  }

  #begin(run: PlannedRun): void {
    const job = this.#known.jobs.get(run.jobName);
    if (job === undefined) {
      this.options.log("warning", `${run.jobName}: not started: its file is gone`);
      this.#forget(run);
      return;
    }
    const pause = this.pauseOf(run.jobName);
    if (pause !== undefined) {
      this.#skip(job, run.tick, run.runId, "paused", pausedSentence(pause));
      this.#forget(run);
      return;
    }
    const verdict = this.verdictFor(job);
    if (verdict.state !== "active") {
      this.#gateWatch.stoodBy(job, run.tick);
      this.#skip(job, run.tick, run.runId, "passive", undefined, verdict);
      this.#forget(run);
      return;
    }
    this.runs.start(run, job, verdict);
  }

  #forget(run: PlannedRun): void {
    this.queue.done(run.runId);
    this.options.book.over(run.runId);
  }

  #skip(
    job: ScheduledJob,
    tick: Tick,
    runId: string,
    why: "paused" | "queue" | "passive",
    sentence: string | undefined,
    verdict = this.options.gate.always,
  ): void {
    this.options.recorder.skip({ job, runId, tickMs: tick.atMs, why, sentence, verdict });
  }

  #onEnd(run: PlannedRun): void {
    this.queue.done(run.runId);
    if (this.#isDraining && this.runs.size === 0) this.#onIdle?.();
    this.pump();
  }

  #tellFull(): void {
    const nowMs = this.nowMs;
    if (!this.queue.isFull || Math.abs(nowMs - this.#fullToldMs) < fullAgainMs) return;
    this.#fullToldMs = nowMs;
    const { going, waiting } = this.queue;
    this.options.log("warning", `${going} runs go on, as many as concurrency allows; ${waiting} wait`);
  }

  /** Looks at the clock when there is a reason to. */
  #arm(): void {
    this.#timer?.cancel();
    if (this.#isDraining) return;
    const { clock } = this.options;
    const nowMs = clock.nowMs();
    const { isFull, nextStartMs = Infinity } = this.queue;
    const next = Math.min(this.planner.nextLookMs(nowMs), isFull ? Infinity : nextStartMs);
    this.#timer = clock.after(Math.max(0, Math.min(next - nowMs, longestWaitMs)), () => this.#look());
  }

  #look(): void {
    const nowMs = this.nowMs;
    // What is put off stays put off by as long, whatever the clock says.
    if (nowMs < this.#lookedMs) this.queue.shift(nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    this.#take(this.#withoutOthers(this.planner.look(nowMs)));
    this.#arm();
  }

  /** A plan without what was the other machine's to run. */
  #withoutOthers(plan: Plan): Plan {
    if (!plan.planned.some(({ job }) => job.isCluster)) return plan;
    const planned = plan.planned.filter(({ isMadeUp, job, tick, delayMs }) => {
      if (!this.isOthers(job, tick.atMs + (isMadeUp ? 0 : delayMs))) return true;
      this.passOver(job, tick, newRunId());
      return false;
    });
    return { ...plan, planned };
  }

  /**
   * True for a tick of a `cluster` job from before this machine became the active one: whoever was it then has run it. Of the
   * last moments before (`look_back`), when perhaps nobody was, `missed` decides.
   * @param claimMs when it would have been started
   */
  isOthers(job: ScheduledJob, claimMs: number): boolean {
    if (!job.isCluster) return false;
    const { state, provenance } = this.options.gate.judge();
    const { sinceMs } = provenance;
    // A beginning that is still to come was told by a clock that has been set back since: it says nothing.
    if (state !== "active" || sinceMs === undefined || sinceMs > this.nowMs) return false;
    const isNobodys = claimMs >= sinceMs - this.options.lookBackMs && job.missed !== "skip";
    return claimMs < sinceMs && !isNobodys;
  }

  /** Records a tick that was another machine's. */
  passOver(job: ScheduledJob, tick: Tick, runId: string): void {
    this.#skip(job, tick, runId, "passive", "this machine was not the active one then");
  }

  /** @param before by name, what is in the book @param isKept true for a job whose schedule stands there as it is */
  #changesSince(before: ReadonlyMap<string, unknown>, isKept: (job: ScheduledJob) => boolean) {
    const put = new Map<string, string>();
    this.#hasClusterJobs = false;
    for (const [name, job] of this.#known.jobs) {
      if (job.isCluster) this.#hasClusterJobs = true;
      if (!isKept(job)) put.set(name, scheduleKey(job));
    }
    const drop = [...before.keys()].filter((name) => !this.#known.jobs.has(name));
    return put.size > 0 || drop.length > 0 ? { put, drop } : undefined;
  }
}

/** However far the next tick is: the clock may be set meanwhile, and the ticks it skips are then late by so much at most. */
const longestWaitMs = 5000;
/** So far back a new daemon looks at most, where nothing was due. */
const bookAgainMs = 60_000;
/** That there are too many at once is said once in so long. */
const fullAgainMs = 3_600_000;

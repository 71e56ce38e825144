/** A daemon among fakes: a clock that is set by hand, an executor that runs nothing, a record that is a list. */
import { afterEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Daemon,
  type DaemonClock,
  type DaemonOptions,
  type DueRun,
  type Executor,
  type Gate,
  type KnownJobs,
  type LeftRun,
  type Recorder,
  type RunResult,
  type RunWatch,
  type SkippedRun,
  TickBook,
} from "../../src/daemon/daemon.ts";
import { parseAcronFile } from "../../src/jobs/jobs.ts";
import { noProvenance } from "../../src/model/provenance.ts";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import type { State, Verdict } from "../../src/model/state.ts";
import { utc } from "../../src/schedule/schedule.ts";

/** 2026-11-21T12:00:00Z. */
export const noonMs = Date.UTC(2026, 10, 21, 12);
export const minuteMs = 60_000;

/** Time that goes on only when it is told to. */
export class FakeClock implements DaemonClock {
  #nowMs: number;
  /** Of the clock that does not step. */
  #elapsedMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, call: () => void): { cancel(): void } {
    const timer = { atMs: this.#elapsedMs + Math.ceil(ms), call };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Sets the clock, as date(1) does; no timer notices. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Whoever has set them is gone. */
  forgetTimers(): void {
    this.#timers.clear();
  }

  /** Lets time go by; each timer is called in its moment, and what it sets off runs before the next. */
  async go(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#pass(next.atMs - this.#elapsedMs);
      next.call();
    }
    this.#pass(endMs - this.#elapsedMs);
    await settle();
  }

  #pass(ms: number): void {
    this.#nowMs += ms;
    this.#elapsedMs += ms;
  }
}

/** Lets everything that is under way come to rest. */
async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** A run that the fake executor was given. */
export interface FakeRun {
  readonly due: DueRun;
  readonly watch: RunWatch;
  readonly end: (result?: Partial<RunResult>) => void;
}

/** Runs nothing: tests start and end its runs. */
export class FakeExecutor implements Executor {
  readonly runs: FakeRun[] = [];
  /** Marks of processes that are still there for a new daemon. */
  readonly alive = new Set<string>();
  readonly found = new Map<string, string>();
  /** Ends each run as soon as it was started. */
  isQuick = true;
  readonly #clock: FakeClock;
  readonly startedAt: string[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  run(due: DueRun, watch: RunWatch): Promise<RunResult> {
    watch.onStarting();
    watch.onLaunched(`mark-${due.runId}`, 4711);
    return this.#begin(due, watch);
  }

  adopt(due: DueRun, left: LeftRun, watch: RunWatch): Promise<RunResult> | undefined {
    const mark = left.mark ?? this.found.get(due.runId);
    if (mark === undefined || !this.alive.has(mark)) return undefined;
    watch.onLaunched(mark, 4711);
    return this.#begin(due, watch);
  }

  #begin(due: DueRun, watch: RunWatch): Promise<RunResult> {
    this.startedAt.push(`${due.jobName} ${at(due.tick.atMs)} at ${at(this.#clock.nowMs())}`);
    return new Promise((resolve) => {
      const end = (result: Partial<RunResult> = {}) =>
        resolve({ isOk: true, exitStatus: 0, sentence: "succeeded", ...result });
      watch.stop.addEventListener("abort", () => end({ isOk: false, sentence: watch.stopSentence() ?? "" }));
      this.runs.push({ due, watch, end });
      if (this.isQuick) end();
    });
  }
}

/** A gate that is set by hand. */
export class FakeGate implements Gate {
  state: State = "active";
  isDoubt = false;
  sinceMs: number | undefined;
  endsJobs = false;

  judge(): Verdict {
    return this.#verdict(this.state);
  }

  get always(): Verdict {
    return { ...this.#verdict("active"), reason: "every-machine", isDefault: false };
  }

  #verdict(state: State): Verdict {
    return {
      state,
      reason: this.isDoubt ? "state-missing" : "state-file",
      sentence: `the test says ${state}`,
      stateFile: "/run/rcron.state",
      isDefault: this.isDoubt,
      epoch: 0,
      provenance: { ...noProvenance, ...(this.sinceMs !== undefined && { sinceMs: this.sinceMs }) },
    };
  }
}

/** `12:05`, with seconds where there are any. */
export function at(ms: number): string {
  const text = new Date(ms).toISOString();
  return ms % minuteMs === 0 ? text.slice(11, 16) : text.slice(11, 19);
}

/** Jobs by their files' text. */
export function jobsOf(files: Readonly<Record<string, string>>): KnownJobs {
  const jobs = new Map<string, ScheduledJob>();
  for (const [name, text] of Object.entries(files)) {
    const reading = parseAcronFile(`${text}\nrun true\n`, `/jobs/${name}`, name, {
      hostName: "alpha",
      mailTo: "root@localhost",
    });
    if (reading.problems.length > 0) throw reading.problems[0];
    for (const job of reading.jobs) jobs.set(job.name, job);
  }
  return { jobs, fileCount: jobs.size, broken: [] };
}

/** A daemon with all that is around it. */
export class Bed {
  readonly folder = mkdtempSync(join(tmpdir(), "rcron-daemon-"));
  readonly clock: FakeClock;
  readonly gate = new FakeGate();
  readonly log: string[] = [];
  readonly skipped: SkippedRun[] = [];
  executor: FakeExecutor;
  daemon: Daemon;
  #book: TickBook;
  readonly #more: Partial<DaemonOptions>;

  constructor(nowMs = noonMs, more: Partial<DaemonOptions> = {}) {
    this.clock = new FakeClock(nowMs);
    this.#more = more;
    this.executor = new FakeExecutor(this.clock);
    this.#book = this.#openBook();
    this.daemon = this.#newDaemon();
  }

  /** The daemon is gone in the middle of whatever it does, and another one takes its place; it is not started yet. */
  kill(): void {
    this.#book.close();
    this.clock.forgetTimers();
    this.executor = new FakeExecutor(this.clock);
    this.#book = this.#openBook();
    this.daemon = this.#newDaemon();
  }

  /** What was started, as `JOB TICK at START`. */
  get started(): string[] {
    return this.executor.startedAt;
  }

  /** What was not, as `JOB TICK WHY`. */
  get passedOver(): string[] {
    return this.skipped.map(({ job, tickMs, why }) => `${job.name} ${at(tickMs)} ${why}`);
  }

  close(): void {
    this.#book.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #openBook(): TickBook {
    return TickBook.open(join(this.folder, "state"), (sentence) => this.log.push(sentence));
  }

  #newDaemon(): Daemon {
    const recorder: Recorder = { skip: (skipped) => void this.skipped.push(skipped) };
    return new Daemon({
      zone: utc,
      hostName: "alpha",
      boot: "boot-1",
      concurrency: undefined,
      stopTimeoutMs: 10_000,
      lookBackMs: 10_000,
      clock: this.clock,
      executor: this.executor,
      recorder,
      gate: this.gate,
      book: this.#book,
      log: (_, sentence) => void this.log.push(sentence),
      random: () => 0,
      ...this.#more,
    });
  }
}

/** What makes beds for a file of tests: each at work with these job files, and closed after its test. */
export function bedMaker() {
  let bed: Bed | undefined;
  afterEach(() => bed?.close());
  return (
    files: Readonly<Record<string, string>>,
    more: Partial<DaemonOptions> = {},
    nowMs = noonMs,
  ): Bed => {
    bed = new Bed(nowMs, more);
    bed.daemon.start(jobsOf(files));
    return bed;
  };
}

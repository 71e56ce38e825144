/**
 * The runs that go on: started here, or by a daemon that is gone; each in the book until it is recorded.
 */
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { Verdict } from "../model/state.ts";
import type { Executor, RunResult, RunWatch } from "./executor.ts";
import type { QueuedRun } from "./run-queue.ts";
import type { BookedRun, TickBook } from "./tick-book.ts";

/** A run that is due, or was asked for. */
export interface PlannedRun extends QueuedRun {
  readonly tick: Tick;
  readonly isMadeUp: boolean;
  readonly askedBy: string | undefined;
}

/** A run that goes on. */
export interface ActiveRun {
  readonly run: PlannedRun;
  /** As it was when the run began; undefined where that was before this daemon, and its file is gone. */
  readonly job: ScheduledJob | undefined;
  readonly sinceMs: number;
  /** Undefined while it is not there yet. */
  readonly pid: number | undefined;
  /** False while it waits: for a node, an earlier run, its condition. */
  readonly hasStarted: boolean;
  readonly ended: Promise<RunResult>;
}

/** Of an id, to stand for it. */
const shortestBeginning = 6;

/** What the runs need of the daemon. */
export interface ActiveRunsOptions {
  readonly executor: Executor;
  readonly book: TickBook;
  readonly nowMs: () => number;
  readonly onEnd: (run: PlannedRun) => void;
  /** An executor has failed as none may: told, and the run is over. */
  readonly onDefect: (run: PlannedRun, error: unknown) => void;
}

interface Entry {
  readonly run: PlannedRun;
  readonly job: ScheduledJob | undefined;
  readonly stopping: AbortController;
  readonly leaving: AbortController;
  sinceMs: number;
  stopSentence: string | undefined;
  pid: number | undefined;
  /** Its job has been started, or was before this daemon. */
  hasStarted: boolean;
  /** It was given up for the next daemon to start it. */
  isGivenUp: boolean;
  ended: Promise<RunResult>;
}

/** All runs that go on. */
export class ActiveRuns {
  readonly #options: ActiveRunsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ActiveRunsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get all(): Iterable<ActiveRun> {
    return this.#entries.values();
  }

  /** Runs a job; what becomes of it is in the book from here on. */
  start(
    run: PlannedRun,
    job: ScheduledJob,
    verdict: Verdict,
    onOutput?: (bytes: Uint8Array) => void,
  ): Promise<RunResult> {
    const entry = this.#enter(run, job);
    const due = { ...dueOf(run), job, verdict };
    return this.#follow(entry, this.#options.executor.run(due, this.#watch(entry, onOutput)));
  }

  /**
   * Goes on with a run that another daemon has left.
   * @returns false where its process is gone
   */
  adopt(booked: BookedRun, job: ScheduledJob | undefined, verdict: Verdict): boolean {
    const { executor } = this.#options;
    const run = plannedFrom(booked);
    const entry = this.#enter(run, job);
    entry.hasStarted = true;
    entry.sinceMs = booked.startedAtMs ?? booked.startAtMs;
    const ended = executor.adopt({ ...dueOf(run), job, verdict }, booked, this.#watch(entry));
    if (ended === undefined) {
      this.#entries.delete(run.runId);
      return false;
    }
    this.#follow(entry, ended);
    return true;
  }

  /** Ends a run. @param sentence why, for the record @returns false where it is being ended already, or is over */
  stop(runId: string, sentence: string): boolean {
    const entry = this.#entries.get(runId);
    if (entry === undefined || entry.stopping.signal.aborted) return false;
    entry.stopSentence = sentence;
    entry.stopping.abort();
    return true;
  }

  /**
   * The daemon ends: runs that wait for a lock or a condition are given up here, and stay in the book for the next one; as do
   * those that go on without it.
   */
  leave(sentence: string): void {
    for (const entry of [...this.#entries.values()]) {
      entry.leaving.abort();
      if (entry.hasStarted || entry.stopping.signal.aborted) continue;
      entry.isGivenUp = true;
      this.stop(entry.run.runId, sentence);
    }
  }

  /**
   * The run that is meant by an id, by a job's name, or by an id's first characters, six at least.
   * @returns the Problem `not-found`, or `conflict` where several are meant
   */
  find(text: string): ActiveRun | Problem {
    const exact = this.#entries.get(text);
    if (exact !== undefined) return exact;
    const entries = [...this.#entries.values()];
    const byName = entries.filter(({ run }) => run.jobName === text);
    // A short word is more likely the name of a job that does not run.
    const isBeginning = (runId: string) => text.length >= shortestBeginning && runId.startsWith(text);
    const found = byName.length > 0 ? byName : entries.filter(({ run }) => isBeginning(run.runId));
    const [only] = found;
    if (only === undefined) {
      return new Problem("not-found", `no run goes on that is called ${quoted(text)}`, {
        hint: "rcronctl status lists those that do",
      });
    }
    if (found.length > 1) {
      const ids = found.slice(0, 5).map(({ run }) => run.runId);
      return new Problem("conflict", `${found.length} runs go on that are called ${quoted(text)}`, {
        hint: `name one by its id: ${ids.join(", ")}${found.length > 5 ? ", …" : ""}`,
      });
    }
    return only;
  }

  #enter(run: PlannedRun, job: ScheduledJob | undefined): Entry {
    const entry: Entry = {
      run,
      job,
      stopping: new AbortController(),
      leaving: new AbortController(),
      sinceMs: this.#options.nowMs(),
      stopSentence: undefined,
      pid: undefined,
      hasStarted: false,
      isGivenUp: false,
      ended: new Promise(() => {}),
    };
    this.#entries.set(run.runId, entry);
    return entry;
  }

  #watch(entry: Entry, onOutput?: (bytes: Uint8Array) => void): RunWatch {
    const { book, nowMs } = this.#options;
    const { runId } = entry.run;
    return {
      stop: entry.stopping.signal,
      stopSentence: () => entry.stopSentence,
      isLeft: () => isLeft(entry),
      leave: entry.leaving.signal,
      onStarting: () => {
        entry.hasStarted = true;
        entry.sinceMs = nowMs();
        book.starting(runId);
      },
      onLaunched: (mark, pid) => {
        entry.pid = pid;
        book.running(runId, mark, entry.sinceMs);
      },
      onNode: (node, note) => book.onNode(runId, node, note),
      onOutput,
    };
  }

  #follow(entry: Entry, running: Promise<RunResult>): Promise<RunResult> {
    const { book, onEnd, onDefect } = this.#options;
    const told = running.catch((error: unknown): RunResult => {
      onDefect(entry.run, error);
      return { isOk: false, exitStatus: 125, sentence: "rcrond failed; its log has more" };
    });
    entry.ended = told.then((result) => {
      this.#entries.delete(entry.run.runId);
      if (!isLeft(entry) && result.isLeft !== true) book.over(entry.run.runId);
      onEnd(entry.run);
      return result;
    });
    return entry.ended;
  }
}

/** Given up, and not in the moment in which it was started. */
function isLeft({ isGivenUp, hasStarted }: Entry): boolean {
  return isGivenUp && !hasStarted;
}

function dueOf({ runId, jobName, tick, isMadeUp, askedBy }: PlannedRun) {
  return { runId, jobName, tick, isMadeUp, askedBy };
}

/** A run as it comes out of the book. */
export function plannedFrom({
  run,
  job,
  atMs,
  localMs,
  startAtMs,
  isMadeUp,
  askedBy,
}: BookedRun): PlannedRun {
  return { runId: run, jobName: job, tick: { atMs, localMs }, startAtMs, isMadeUp, askedBy };
}

/** A run as it goes into the book when it is due. */
export function bookedFrom({ runId, jobName, tick, startAtMs, isMadeUp, askedBy }: PlannedRun): BookedRun {
  return {
    run: runId,
    job: jobName,
    atMs: tick.atMs,
    localMs: tick.localMs,
    startAtMs,
    isMadeUp,
    askedBy,
    state: "due",
    mark: undefined,
    nodes: new Map(),
    startedAtMs: undefined,
  };
}

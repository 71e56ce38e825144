/**
 * Runs jobs on a node as hosting.ts does it here, so that all rules of a job – its time, its turn, its condition, what counts
 * as failure, who has its output – are the same there.
 *
 * The job has the rights of the user that the node is reached as, and that user's environment with its own on top. Its id on
 * the node is the run's and the number of the start: a condition and each retry are starts of their own.
 */
import { argvOf, type Job } from "../../model/job.ts";
import type { Outcome } from "../../model/outcome.ts";
import { Problem } from "../../model/problem.ts";
import { encodeWord } from "../../model/raw-text.ts";
import { type Header, whyNotThere } from "../job-header.ts";
import type { LocalRun, RunTerms, StartOptions, StopRequest } from "../local.ts";
import type { NodeConnection } from "./node-connection.ts";
import type { StreamName } from "./node-script.ts";
import { notStarted } from "./remote-end.ts";
import { knownEnd, outcomeOfEnd, type RemoteMark } from "./remote-mark.ts";
import { RemoteRun } from "./remote-run.ts";
import { closeWriters, StreamWriter } from "./stream-writer.ts";

/** How often is told how far the output has come, while it comes. */
const markMs = 1000;
/** A start of which the node has proved that it did not come to anything is made anew, so often at most. */
const mostStarts = 3;

/** What a run on a node needs besides what every run needs. */
export interface RemoteHostingOptions {
  readonly connection: NodeConnection;
  /** Undefined: the priority that the node gives. */
  readonly niceLevel?: number | undefined;
  /** The run to be picked up, instead of a first start. Where it is a condition's, what comes is a start of its own. */
  readonly resumed?: RemoteMark | undefined;
  /** Nothing is to be started any more: what is picked up, is all there is. */
  readonly isResumeOnly?: boolean;
  /** How many starts there were before, of the condition too: those that come are counted from there on. */
  readonly startsBefore?: number | undefined;
  /** Told before the start, when the job was started, while output comes, once a second, and when it has ended. */
  readonly onMark?: ((mark: RemoteMark) => void) | undefined;
  /** How long the node may be away while the run's fate is unknown; 24 hours. */
  readonly awayMs?: number | undefined;
  /** As {@link RemotePorts} has it. */
  readonly answerMs?: number | undefined;
}

/** For one run: what `superviseHosted` takes as its `hosting`. */
export class RemoteHosting {
  readonly #options: RemoteHostingOptions;
  readonly #runId: string;
  #starts: number;
  #resumed: RemoteMark | undefined;

  constructor(runId: string, options: RemoteHostingOptions) {
    this.#options = options;
    this.#runId = runId;
    const { resumed, startsBefore = 0 } = options;
    const isJob = resumed !== undefined && resumed.isCondition !== true;
    this.#resumed = isJob ? resumed : undefined;
    this.#starts = resumed === undefined ? startsBefore : resumed.attempt - (isJob ? 1 : 0);
  }

  /** How many starts there have been, of the condition too. */
  get starts(): number {
    return this.#starts;
  }

  /** Makes ready to run a job there. */
  prepare(job: Job, terms: RunTerms): LocalRun {
    return { warnings: [], run: (start = {}) => this.#run(job, terms, start) };
  }

  async #run(job: Job, terms: RunTerms, start: StartOptions): Promise<Outcome> {
    const wrong = whyNotThere(job, terms);
    if (wrong !== undefined) return notStarted(wrong);
    for (let starts = 1; ; starts++) {
      const { outcome, isVoid } = await this.#start(job, terms, start);
      // Lost on its way, or with the process that was about to start it. The node is there: it has just said so.
      const mayStart = starts < mostStarts && this.#options.isResumeOnly !== true;
      if (!isVoid || !mayStart || start.stop?.signal.aborted === true) return outcome;
    }
  }

  async #start(
    job: Job,
    terms: RunTerms,
    start: StartOptions,
  ): Promise<{ readonly outcome: Outcome; readonly isVoid: boolean }> {
    const refused = this.#resumed === undefined ? await this.#options.connection.open() : undefined;
    if (refused !== undefined) return { outcome: notStarted(refused), isVoid: false };
    const resumed = this.#resumed;
    this.#resumed = undefined;
    this.#starts += 1;
    const writers = openWriters(start, () => run.resumeOutput());
    if (writers instanceof Problem) return { outcome: notStarted(writers), isVoid: false };
    const { onMark, connection, awayMs, answerMs } = this.#options;
    const identity = {
      runId: resumed?.runId ?? this.#runId, // its files there have it in their names
      attempt: this.#starts,
      isStderrApart: resumed?.isStderrApart ?? writers.e !== undefined,
    };
    const startedAtMs = resumed?.startedAtMs ?? Date.now();
    const isCondition = start.command !== undefined;
    const tellMark = (ended?: Outcome) => {
      const end = ended && knownEnd(ended);
      onMark?.({
        ...identity,
        ...run.progress,
        startedAtMs,
        ...(isCondition && { isCondition }),
        ...(end !== undefined && { end }),
      });
    };
    let markTimer: Timer | undefined;
    const run = new RemoteRun(
      connection,
      identity,
      {
        awayMs,
        answerMs,
        workingFolder: terms.workingFolder,
        onBytes: (stream, bytes) => {
          markTimer ??= setTimeout(() => {
            markTimer = undefined;
            tellMark();
          }, markMs);
          return (writers[stream] ?? writers.o).write(bytes);
        },
        onStarted: () => {
          tellMark();
          start.onStarted?.(undefined);
        },
        onEnd: (ended) => {
          // What is told of its output later would tell nothing of its end, and its files are gone; a stop may take its time yet.
          clearTimeout(markTimer);
          tellMark(ended);
        },
        onWarning: (sentence) => start.onWarning?.(sentence),
      },
      resumed,
    );
    if (resumed?.end !== undefined) {
      run.forget();
      await closeWriters(Object.values(writers));
      return { outcome: outcomeOfEnd(resumed.end), isVoid: false };
    }
    tellMark(); // before, for afterwards this process may be gone
    const ended =
      resumed === undefined
        ? run.start(this.#headerOf(job, terms, start), inputOf(job, start))
        : run.resume();
    const outcome = await (start.stop === undefined ? ended : endedOrStopped(run, ended, start.stop));
    clearTimeout(markTimer);
    await closeWriters(Object.values(writers));
    return { outcome, isVoid: run.isVoid };
  }

  #headerOf(job: Job, terms: RunTerms, { command = job.command }: StartOptions): Header {
    return {
      words: argvOf(command),
      environment: job.environment,
      workingFolder: terms.workingFolder,
      umask: terms.umask,
      niceLevel: this.#options.niceLevel,
    };
  }
}

type Writers = { readonly o: StreamWriter; readonly e?: StreamWriter } & Partial<
  Record<StreamName, StreamWriter>
>;

function openWriters({ streams }: StartOptions, onRoom: () => void): Writers | Problem {
  const stdoutFd = streams?.stdout ?? 1;
  const stderrFd = streams?.stderr ?? 2;
  const o = StreamWriter.open(stdoutFd, onRoom);
  if ("code" in o) return new Problem("internal", `the job's output can't be had: ${o.text}`);
  if (stderrFd === stdoutFd) return { o };
  const e = StreamWriter.open(stderrFd, onRoom);
  if (!("code" in e)) return { o, e };
  void o.close();
  return new Problem("internal", `the job's standard error can't be had: ${e.text}`);
}

function inputOf(job: Job, { command }: StartOptions): Uint8Array | undefined {
  return command === undefined && job.stdin !== undefined && job.stdin !== ""
    ? encodeWord(job.stdin)
    : undefined;
}

/** As endTreeOnStop does it for a job of this machine. */
async function endedOrStopped(run: RemoteRun, ended: Promise<Outcome>, stop: StopRequest): Promise<Outcome> {
  const stopped = Promise.withResolvers<"stopped">();
  const onAbort = () => stopped.resolve("stopped");
  stop.signal.addEventListener("abort", onAbort);
  if (stop.signal.aborted) onAbort();
  const first = await Promise.race([ended, stopped.promise]);
  stop.signal.removeEventListener("abort", onAbort);
  if (first !== "stopped") return first;
  const survivors = await run.stop(stop.graceMs);
  if (survivors !== undefined && survivors > 0) stop.onSurvivors?.(survivors);
  return ended;
}

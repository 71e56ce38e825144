/**
 * Runs jobs by a program of this machine that takes them on its standard input – `docker exec -i NAME sh`, `kubectl exec -i POD --
 * sh` – so that whatever leads to a shell leads to a node.
 *
 * Nothing is known of the other side but what comes back by the program's standard output. So the job's end is told there, by
 * job-script.ts; who stops a run ends the program here, and what becomes of the job is the program's doing; and what was not told
 * before this process ended, nobody can learn.
 */

import { durationInWords } from "../model/duration.ts";
import { argvOf, type Job } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { encodeWord } from "../model/raw-text.ts";
import { type CommandNode, type ProgramHosting, runCommand } from "./command-run.ts";
import { whyNotThere } from "./job-header.ts";
import { jobScript, newScriptToken } from "./job-script.ts";
import type { LocalRun, RunTerms, StartOptions } from "./local.ts";
import { notStarted } from "./ssh/remote-end.ts";

/** What a run by a program needs besides what every run needs. */
export interface CommandHostingOptions extends CommandNode {
  /** Told at each start, when the shell is there and begins. */
  readonly onBegun?: (() => void) | undefined;
  /** Undefined: the priority that jobs have there. */
  readonly niceLevel?: number | undefined;
}

/** What `superviseHosted` takes as its `hosting`. One may serve any number of runs. */
export class CommandHosting {
  readonly #options: CommandHostingOptions;

  constructor(options: CommandHostingOptions) {
    this.#options = options;
  }

  /**
   * Makes ready to run a job there. Its process that is told of at the start is the program's, here: to end that one is all that
   * can be done. Without a working folder the job starts where the program puts it.
   */
  prepare(job: Job, terms: RunTerms): LocalRun {
    return { warnings: [], run: (start = {}) => this.#run(job, terms, start) };
  }

  async #run(job: Job, terms: RunTerms, start: StartOptions): Promise<Outcome> {
    const wrong = whyNotThere(job, terms);
    if (wrong !== undefined) return notStarted(wrong);
    const { niceLevel, ...options } = this.#options;
    const { command = job.command, streams, stop, onStarted, onWarning } = start;
    const token = newScriptToken();
    const header = {
      words: argvOf(command),
      environment: job.environment,
      workingFolder: terms.workingFolder,
      umask: terms.umask,
      niceLevel,
    };
    // What is started instead of the job, its condition, has no use for the job's input.
    const input = start.command === undefined && job.stdin !== undefined ? encodeWord(job.stdin) : undefined;
    const { outcome, sentence } = await runCommand({
      ...options,
      script: jobScript(token, header, input),
      token,
      workingFolder: terms.workingFolder,
      stop,
      sinks: { stdout: streams?.stdout ?? 1, stderr: streams?.stderr ?? 2 },
      onStarted,
      onWarning,
    });
    if (sentence !== undefined) onWarning?.(sentence);
    return outcome;
  }
}

/** From TERM to KILL, for a program that gives no sign of life. */
const checkGraceMs = 1000;

/** How long a program may take to bring an empty job to its end. */
const checkMs = 20_000;

/**
 * Asks for a sign of life: starts the program with a script that runs nothing.
 * @param host the node's name, for messages
 * @param timeoutMs how long that may take, 1…
 * @returns why there is none, `unreachable`; undefined where the shell answered
 */
export async function checkCommandNode(
  hosting: ProgramHosting,
  words: readonly [program: string, ...args: string[]],
  host: string,
  timeoutMs = checkMs,
): Promise<Problem | undefined> {
  const token = newScriptToken();
  const stopping = new AbortController();
  const timer = setTimeout(() => stopping.abort(), timeoutMs);
  const runId = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
  const { outcome, sentence } = await runCommand({
    hosting,
    words,
    host,
    script: jobScript(token, undefined, undefined),
    token,
    stop: { signal: stopping.signal, graceMs: checkGraceMs, runId },
    sinks: undefined,
  });
  clearTimeout(timer);
  if (outcome.kind === "exited" && outcome.exitCode === 0) return undefined;
  if (outcome.kind === "not-started") return outcome.problem;
  const silent = `${host}: no shell answered by the program ${printable(words[0])} within ${durationInWords(timeoutMs)}`;
  return new Problem("unreachable", stopping.signal.aborted ? silent : (sentence ?? silent));
}

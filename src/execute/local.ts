/**
 * Runs a job on this machine: as a child that has the caller's own standard streams, descriptors, ignored signals,
 * working directory and process group. Nothing is copied or buffered.
 *
 * What is the same for a child that has nothing of the caller's (hosting.ts) is {@link runStarted}: what execvp(3) tries in
 * turn, and the wait for the end.
 */
import { argvOf, type Command, type Job, searchPathOf } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { isRaw } from "../model/raw-text.ts";
import { readFileStart } from "../system/files.ts";
import { type SystemError, thrownSystemError } from "../system/libc.ts";
import {
  type ForwardedSignal,
  type Inheritance,
  ownByLibrary,
  SignalForwarder,
  setPriority,
} from "../system/process.ts";

/** How a run may be ended before its time. */
export interface StopRequest {
  /** When it is aborted, the job's whole process tree gets TERM, and KILL after the grace. */
  readonly signal: AbortSignal;
  readonly graceMs: number;
  /** The run's id, by which what left the group is found again. */
  readonly runId: string;
  /** Told how many processes outlived KILL, where some did. */
  readonly onSurvivors?: (count: number) => void;
}

/** Descriptors of this process that the job shall have as its standard streams. */
export interface Streams {
  /** Undefined: this process's own. */
  readonly stdin?: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** What is asked of every run besides the job. */
export interface RunTerms {
  /** True to give the job a session and process group of its own, so that it can be ended with all that it has started. */
  readonly isGroup: boolean;
  /** Where the job starts; undefined: where this process is. */
  readonly workingFolder?: string | undefined;
  readonly umask?: number | undefined;
  /** Makes of each command one that has another user's rights; undefined: this process's own. */
  readonly asUser?: ((command: Command) => Command) | undefined;
}

/** What is asked of a run in its caller's place. */
export interface LocalOptions extends RunTerms {
  /** What the caller left, read before anything was opened. */
  readonly inheritance: Inheritance;
  /**
   * Told of each signal that is to be passed on, before it is.
   * @returns true to keep it from the job, and from the next one where none is running
   */
  readonly onSignal?: (signal: ForwardedSignal) => boolean;
}

/** What is asked of one start of the job. */
export interface StartOptions {
  /** Undefined: nothing ends the job but itself. Asks for a group. */
  readonly stop?: StopRequest | undefined;
  /** Undefined: this process's own. */
  readonly streams?: Streams | undefined;
  /** What is started instead of the job, on its terms. */
  readonly command?: Command;
  /** @param pid undefined for a job of another machine: a process of that number here is somebody else */
  readonly onStarted?: (pid: number | undefined) => void;
  /** Told, at its end, of the processor time that it took, in milliseconds; where that is known without asking. */
  readonly onCpuMs?: (cpuMs: number) => void;
  /** Told what could not be done as asked, though the job was started; a sentence. */
  readonly onWarning?: (sentence: string) => void;
}

/** A job made ready, by {@link prepareLocal} for instance. */
export interface LocalRun {
  /** Starts the job and waits for its end, however long that takes. May be called again when that has come. */
  run(options?: StartOptions): Promise<Outcome>;
  /** What could not be done as asked, though the job runs; each a sentence. */
  readonly warnings: readonly string[];
}

/** Makes ready to run a job: from here on signals are kept for it, and this process has its priority. */
export function prepareLocal(job: Job, options: LocalOptions): LocalRun {
  const signals = new SignalForwarder(options.inheritance.ignoredSignals, options.onSignal);
  const warnings: string[] = [];
  const refused = setPriority(job.niceLevel);
  if (refused !== undefined) {
    warnings.push(
      `can't set the priority to nice_level ${job.niceLevel}: ${refused.text}: going on at the present priority`,
    );
  }
  return { warnings, run: (start = {}) => run(job, { ...options, ...start }, signals) };
}

/** One way of starting the job; a second one may follow from the reason why the first one failed. */
export interface Attempt {
  readonly words: readonly string[];
  /** The file to run; undefined: the first word, searched for in PATH. */
  readonly file: string | undefined;
}

/** A started job. */
export interface Child {
  readonly pid: number;
  readonly ended: Promise<Outcome>;
}

/** How a job is started, and who is told of its process. */
export interface Starter {
  /** PATH, as the job's program is searched in it. */
  readonly searchPath: string | undefined;
  readonly start: (attempt: Attempt) => Promise<Child | SystemError> | Child | SystemError;
  readonly onStarted: (pid: number) => void;
  readonly onEnded?: () => void;
}

type RunOptions = LocalOptions & StartOptions;

function run(prepared: Job, options: RunOptions, signals: SignalForwarder): Promise<Outcome> {
  const job = jobToStart(prepared, options);
  const words = argvOf(job.command);
  const isExact = needsExactSpawn(job, words, options.inheritance);
  const starter: Starter = {
    searchPath: searchPathOf(job, process.env["PATH"]),
    start: (attempt) => (isExact ? startExactly(job, attempt, options) : startPlainly(job, attempt, options)),
    onStarted: (pid) => {
      signals.to(pid, options);
      options.onStarted?.(pid);
    },
    onEnded: () => signals.stop(),
  };
  return runStarted(words, starter, options);
}

/** The job as it is started: the command that was asked for instead, and its user's rights. */
export function jobToStart(job: Job, { command = job.command, asUser }: RunTerms & StartOptions): Job {
  return { ...job, command: asUser === undefined ? command : asUser(command) };
}

/** Starts words as execvp(3) would, in several ways if need be, and waits for the end. */
export async function runStarted(
  words: readonly string[],
  starter: Starter,
  { stop, workingFolder }: RunTerms & StartOptions,
): Promise<Outcome> {
  let attempt: Attempt = { words, file: undefined };
  for (;;) {
    const started = await starter.start(attempt);
    if (!("code" in started)) {
      starter.onStarted(started.pid);
      const outcome = await (stop === undefined ? started.ended : endedOrStopped(started, stop));
      starter.onEnded?.();
      return outcome;
    }
    const barred = workingFolder && whyNotEntered(workingFolder);
    if (barred) return { kind: "not-started", exitCode: 125, problem: barred };
    const next = await nextAttempt(starter.searchPath, attempt, started, workingFolder);
    if ("kind" in next) return next;
    attempt = next;
  }
}

async function endedOrStopped({ pid, ended }: Child, stop: StopRequest): Promise<Outcome> {
  const { endTreeOnStop } = await import("./process-tree.ts");
  return endTreeOnStop(pid, ended, stop);
}

/** True where the runtime's own spawn would change something; exact-spawn.ts lists what. */
function needsExactSpawn(job: Job, words: readonly string[], inheritance: Inheritance): boolean {
  if (inheritance.ignoredSignals.some((signal) => !ownByLibrary.includes(signal))) return true;
  if (inheritance.hasClosedStream || inheritance.descriptors.length > 0) return true;
  if (words.some(isRaw) || hasOddFolder(searchPathOf(job, process.env["PATH"]))) return true;
  if (job.environment.length === 0) return false;
  for (const { value } of job.environment) if (isRaw(value)) return true;
  for (const name in process.env) {
    if (name.includes("\ufffd") || process.env[name]?.includes("\ufffd")) return true;
  }
  return false;
}

/** True for a PATH with an empty or relative folder, which the runtime's search passes over or makes absolute. */
function hasOddFolder(path: string | undefined): boolean {
  return path?.split(":").some((folder) => !folder.startsWith("/")) ?? false;
}

/** By the runtime's own spawn, which knows no group of its own without a session of its own. */
function startPlainly(
  job: Job,
  { words, file }: Attempt,
  { isGroup, streams, workingFolder, umask }: RunOptions,
): Child | SystemError {
  const [program = "", ...args] = words;
  const umaskBefore = umask === undefined ? undefined : process.umask(umask);
  try {
    const child = Bun.spawn([file ?? program, ...args], {
      argv0: program,
      stdio: [streams?.stdin ?? "inherit", streams?.stdout ?? "inherit", streams?.stderr ?? "inherit"],
      detached: isGroup,
      ...(workingFolder !== undefined && { cwd: workingFolder }),
      // Without assignments the environment is not mentioned, so that values go on in their very bytes.
      ...(job.environment.length > 0 && { env: environmentOf(job) }),
    });
    const ended = child.exited.then((status): Outcome => {
      if (child.signalCode !== null) return { kind: "signalled", signal: status - 128 };
      return { kind: "exited", exitCode: status };
    });
    return { pid: child.pid, ended };
  } catch (error) {
    return thrownSystemError(error);
  } finally {
    if (umaskBefore !== undefined) process.umask(umaskBefore);
  }
}

function environmentOf(job: Job): Record<string, string | undefined> {
  return { ...process.env, ...Object.fromEntries(job.environment.map(({ name, value }) => [name, value])) };
}

/** By posix_spawn, which changes nothing. */
async function startExactly(job: Job, attempt: Attempt, options: RunOptions): Promise<Child | SystemError> {
  const { exactSpawn } = await import("./exact-spawn.ts");
  const { findProgram } = await import("./find-program.ts");
  let file = attempt.file;
  if (file === undefined) {
    const searchPath = searchPathOf(job, process.env["PATH"]);
    const found = findProgram(attempt.words[0] ?? "", searchPath, options.workingFolder);
    if (!("path" in found)) return { code: "ENOENT", text: found.problem.message };
    file = found.path;
  }
  const { words } = attempt;
  const { umask, ...exact } = options;
  const umaskBefore = umask === undefined ? undefined : process.umask(umask);
  const child = exactSpawn({ file, words, environment: job.environment, ...exact });
  if (umaskBefore !== undefined) process.umask(umaskBefore);
  if (child !== "no-libc") {
    if ("code" in child) return child;
    return { pid: child.pid, ended: child.ended.then(({ status }) => fromWaitStatus(status)) };
  }
  if (!words.some(isRaw)) {
    // Where the caller ignores SIGCHLD, children vanish without a status; a listener of ours ends that.
    process.on("SIGCHLD", () => {});
    return startPlainly(job, attempt, options);
  }
  return { code: "ENOSYS", text: "a word is not UTF-8, and without libc its bytes can't be passed on" };
}

/** @param status the word of wait(2) */
export function fromWaitStatus(status: number): Outcome {
  const signal = status & 0x7f;
  return signal === 0 ? { kind: "exited", exitCode: (status >> 8) & 0xff } : { kind: "signalled", signal };
}

/** The system names no folder when it refuses a start for it, and the runtime names the program then. */
function whyNotEntered(folder: string): Problem | undefined {
  const { accessSync, constants, statSync } = process.getBuiltinModule("node:fs");
  const rule = `the working folder must be one that can be entered: got ${quoted(folder)}`;
  try {
    if (!statSync(folder).isDirectory()) return new Problem("invalid", `${rule}: not a directory`);
    accessSync(folder, constants.X_OK);
    return undefined;
  } catch (error) {
    return new Problem("not-found", `${rule}: ${thrownSystemError(error).text}`, { cause: error });
  }
}

/** What execvp(3) would try next, or why the job can't be started. */
async function nextAttempt(
  searchPath: string | undefined,
  { words, file }: Attempt,
  error: SystemError,
  workingFolder: string | undefined,
): Promise<Attempt | Outcome> {
  const { findProgram } = await import("./find-program.ts");
  const [program = "", ...args] = words;
  const found = findProgram(program, searchPath, workingFolder);
  if (!("path" in found)) return { kind: "not-started", ...found };
  // The runtime's search is not quite execvp's: what that one finds is tried by its path.
  if (error.code === "ENOENT" && file === undefined) {
    return { words, file: found.path.includes("/") ? found.path : `./${found.path}` };
  }
  // A script without #!: the shell runs it, as it would behind a crontab line without the prefix.
  if (error.code === "ENOEXEC" && file !== "/bin/sh")
    return { words: ["/bin/sh", found.path, ...args], file: "/bin/sh" };

  const shown = quoted(found.path);
  if (error.code === "ENOENT") {
    const rule = `${shown}: the interpreter that its first line names was not found`;
    return {
      kind: "not-started",
      exitCode: 127,
      problem: new Problem("not-found", rule, { hint: firstLineHint(found.path) }),
    };
  }
  const problem = new Problem("internal", `${shown} can't be started: ${error.text}`, {
    ...(error.code === "E2BIG" && {
      hint: "the words and the environment together are too long for the system",
    }),
  });
  const isCommandsFault = ["E2BIG", "EACCES", "EPERM", "ENOEXEC", "ETXTBSY", "EISDIR"].includes(error.code);
  return { kind: "not-started", exitCode: isCommandsFault ? 126 : 125, problem };
}

/** The usual reason why an interpreter is not found is a file that was written on Windows. */
function firstLineHint(path: string): string {
  const start = readFileStart(path, 256);
  const line = start.error ? "" : (new TextDecoder().decode(start.bytes).split("\n", 1)[0] ?? "");
  if (!line.endsWith("\r")) return `head -n 1 ${printable(path)}`;
  return `its lines end with CR, as Windows has them: sed -i 's/\\r$//' ${printable(path)}`;
}

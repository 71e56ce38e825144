/**
 * Runs a job on this machine: as a child that has the caller's own standard streams, descriptors, ignored signals,
 * working directory and process group. Nothing is copied or buffered.
 */
import { argvOf, type Job, searchPathOf } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { isRaw } from "../model/raw-text.ts";
import { readFileStart } from "../system/files.ts";
import { type SystemError, thrownSystemError } from "../system/libc.ts";
import { type Inheritance, ownByLibrary, SignalForwarder, setPriority } from "../system/process.ts";

/** How a run may be ended before its time. */
export interface StopRequest {
  /** When it is aborted, the job's whole process group gets TERM, and KILL after the grace. */
  readonly signal: AbortSignal;
  readonly graceMs: number;
}

/** What is asked of a run besides the job. */
export interface LocalOptions {
  /** What the caller left, read before anything was opened. */
  readonly inheritance: Inheritance;
  /** Undefined: nothing ends the job but itself; then it stays in the caller's process group. */
  readonly stop: StopRequest | undefined;
}

/** A job made ready by {@link prepareLocal}. */
export interface LocalRun {
  /** Starts the job and waits for its end, however long that takes. */
  run(): Promise<Outcome>;
  /** What could not be done as asked, though the job runs; each a sentence. */
  readonly warnings: readonly string[];
}

/** Makes ready to run a job: from here on signals are kept for it, and this process has its priority. */
export function prepareLocal(job: Job, options: LocalOptions): LocalRun {
  const signals = new SignalForwarder(options.inheritance.ignoredSignals);
  const warnings: string[] = [];
  const refused = setPriority(job.niceLevel);
  if (refused !== undefined) {
    warnings.push(
      `can't set the priority to nice_level ${job.niceLevel}: ${refused.text}: going on at the present priority`,
    );
  }
  return { warnings, run: () => run(job, options, signals) };
}

/** One way of starting the job; a second one may follow from the reason why the first one failed. */
interface Attempt {
  readonly words: readonly string[];
  /** The file to run; undefined: the first word, searched for in PATH. */
  readonly file: string | undefined;
}

interface Child {
  readonly pid: number;
  readonly ended: Promise<Outcome>;
}

async function run(job: Job, options: LocalOptions, signals: SignalForwarder): Promise<Outcome> {
  const { stop } = options;
  const words = argvOf(job.command);
  const isExact = stop !== undefined || needsExactSpawn(job, words, options.inheritance);
  let attempt: Attempt = { words, file: undefined };
  for (;;) {
    const started = isExact ? await startExactly(job, attempt, options) : startPlainly(job, attempt);
    if (!("code" in started)) {
      signals.to(started.pid, { isGroup: stop !== undefined });
      if (stop === undefined) {
        const outcome = await started.ended;
        signals.stop();
        return outcome;
      }
      const { endGroupOnStop } = await import("./process-group.ts");
      const outcome = await endGroupOnStop(started.pid, started.ended, stop);
      signals.stop();
      return outcome;
    }
    const next = await nextAttempt(job, attempt, started);
    if ("kind" in next) return next;
    attempt = next;
  }
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

/** By the runtime's own spawn. */
function startPlainly(job: Job, { words, file }: Attempt, isDetached = false): Child | SystemError {
  const [program = "", ...args] = words;
  try {
    const child = Bun.spawn([file ?? program, ...args], {
      argv0: program,
      stdio: ["inherit", "inherit", "inherit"],
      detached: isDetached,
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
  }
}

function environmentOf(job: Job): Record<string, string | undefined> {
  return { ...process.env, ...Object.fromEntries(job.environment.map(({ name, value }) => [name, value])) };
}

/** By posix_spawn, which changes nothing. */
async function startExactly(
  job: Job,
  attempt: Attempt,
  { inheritance, stop }: LocalOptions,
): Promise<Child | SystemError> {
  const { exactSpawn } = await import("./exact-spawn.ts");
  const { findProgram } = await import("./find-program.ts");
  let file = attempt.file;
  if (file === undefined) {
    const found = findProgram(attempt.words[0] ?? "", searchPathOf(job, process.env["PATH"]));
    if (!("path" in found)) return { code: "ENOENT", text: found.problem.message };
    file = found.path;
  }
  const { words } = attempt;
  const isGroup = stop !== undefined;
  const child = exactSpawn({ file, words, environment: job.environment, inheritance, isGroup });
  if (child !== "no-libc")
    return "code" in child ? child : { pid: child.pid, ended: child.ended.then(fromWaitStatus) };
  if (!words.some(isRaw)) {
    // Where the caller ignores SIGCHLD, children vanish without a status; a listener of ours ends that.
    process.on("SIGCHLD", () => {});
    // A session of its own is more than a group of its own, and all that the runtime has.
    return startPlainly(job, attempt, isGroup);
  }
  return { code: "ENOSYS", text: "a word is not UTF-8, and without libc its bytes can't be passed on" };
}

function fromWaitStatus(status: number): Outcome {
  const signal = status & 0x7f;
  return signal === 0 ? { kind: "exited", exitCode: (status >> 8) & 0xff } : { kind: "signalled", signal };
}

/** What execvp(3) would try next, or why the job can't be started. */
async function nextAttempt(
  job: Job,
  { words, file }: Attempt,
  error: SystemError,
): Promise<Attempt | Outcome> {
  const { findProgram } = await import("./find-program.ts");
  const [program = "", ...args] = words;
  const found = findProgram(program, searchPathOf(job, process.env["PATH"]));
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

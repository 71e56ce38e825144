/**
 * Runs jobs for a process that lives long and runs many at once, and of which no job shall see anything: neither its
 * environment, signals, descriptors, priority nor its limit of open files. local.ts is the same for a process that runs one
 * job in its own caller's place.
 */
import { type Assignment, argvOf, type Job, searchPathOf } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import { encodeWord } from "../model/raw-text.ts";
import { openGivenInput } from "../system/given-input.ts";
import { O_CLOEXEC, type SystemError } from "../system/libc.ts";
import { type OpenFilesLimit, openFilesLimit, setOpenFilesLimit } from "../system/open-files.ts";
import { closeFd } from "../system/pipe.ts";
import { setGroupPriority } from "../system/process.ts";
import { exactSpawn } from "./exact-spawn.ts";
import { findProgram } from "./find-program.ts";
import {
  type Attempt,
  type Child,
  fromWaitStatus,
  jobToStart,
  type LocalRun,
  type RunTerms,
  runStarted,
  type StartOptions,
} from "./local.ts";

/** As many files as a host of a thousand jobs opens, with room. */
const mostOpenFiles = 65_536;
/** Other threads of this process open files too, a few at a time. */
const sparedFiles = 64;

/** What {@link Hosting} is told. */
export interface HostingOptions {
  /** The whole environment that jobs start from; what a job sets comes on top. PATH counts for the search of its program. */
  readonly baseEnvironment: readonly Assignment[];
}

/** Starts jobs as children that have nothing of this process. One of them serves all jobs, for as long as the process lives. */
export class Hosting {
  readonly #base: readonly Assignment[];
  readonly #nullFd: number;
  readonly #ownNiceLevel: number;
  /** What jobs shall have; undefined where the limit was not raised. */
  readonly #jobLimit: OpenFilesLimit | undefined;
  readonly #ownLimit: OpenFilesLimit | undefined;

  /**
   * Raises this process's soft limit of open files as far as it may, to 65,536 at most: each running job takes a few
   * descriptors. Jobs have the limit that was there before.
   * @throws the system's error where /dev/null can't be opened
   */
  constructor({ baseEnvironment }: HostingOptions) {
    this.#base = baseEnvironment;
    const fs = process.getBuiltinModule("node:fs");
    this.#nullFd = fs.openSync("/dev/null", fs.constants.O_RDONLY | O_CLOEXEC);
    this.#ownNiceLevel = process.getBuiltinModule("node:os").getPriority();
    const found = openFilesLimit();
    const soft = found && Math.min(found.hard, mostOpenFiles);
    if (found === undefined || soft === undefined || soft <= found.soft) return;
    const raised = { soft, hard: found.hard };
    if (!setOpenFilesLimit(0, raised)) return;
    this.#jobLimit = found;
    this.#ownLimit = raised;
  }

  /**
   * Makes ready to run a job. As `prepareLocal` does it, but for what is the caller's: its standard input is empty, or holds
   * the job's own text; without streams of its own it writes to this process's standard output and error.
   */
  prepare(job: Job, terms: RunTerms): LocalRun {
    return { warnings: [], run: (start = {}) => this.#run(job, terms, start) };
  }

  /** Gives back what was opened. Jobs that run go on, and their ends are still told. */
  close(): void {
    closeFd(this.#nullFd);
  }

  #run(prepared: Job, terms: RunTerms, start: StartOptions): Promise<Outcome> {
    const options = { ...terms, ...start };
    const job = jobToStart(prepared, options);
    // What is started instead of the job, its condition, has no use for the job's input.
    const input = start.command === undefined && job.stdin !== undefined ? encodeWord(job.stdin) : undefined;
    const inherited = this.#base.findLast(({ name }) => name === "PATH")?.value;
    const searchPath = searchPathOf(job, inherited);
    return runStarted(
      argvOf(job.command),
      {
        searchPath,
        start: (attempt) => this.#start(job, attempt, options, { searchPath, input }),
        onStarted: (pid) => {
          this.#setPriority(pid, job.niceLevel, options);
          options.onStarted?.(pid);
        },
      },
      options,
    );
  }

  #start(
    job: Job,
    { words, file }: Attempt,
    options: RunTerms & StartOptions,
    { searchPath, input }: { searchPath: string | undefined; input: Uint8Array | undefined },
  ): Child | SystemError {
    const found = file ?? findProgram(words[0] ?? "", searchPath, options.workingFolder);
    if (typeof found !== "string" && !("path" in found))
      return { code: "ENOENT", text: found.problem.message };
    const inputFd = input === undefined ? undefined : openGivenInput(input);
    if (typeof inputFd === "object")
      return { ...inputFd, text: `its input can't be given to it: ${inputFd.text}` };
    const { umask, streams } = options;
    const limit = this.#lowerLimit(Math.max(inputFd ?? 0, streams?.stdout ?? 0, streams?.stderr ?? 0));
    const umaskBefore = umask === undefined ? undefined : process.umask(umask);
    const child = exactSpawn({
      file: typeof found === "string" ? found : found.path,
      words,
      environment: job.environment,
      base: this.#base,
      inheritance: undefined,
      isGroup: options.isGroup,
      streams: {
        stdin: inputFd ?? streams?.stdin ?? this.#nullFd,
        stdout: streams?.stdout ?? 1,
        stderr: streams?.stderr ?? 2,
      },
      workingFolder: options.workingFolder,
    });
    if (umaskBefore !== undefined) process.umask(umaskBefore);
    if (inputFd !== undefined) closeFd(inputFd);
    limit.restore();
    if (child === "no-libc") return { code: "ENOSYS", text: "this process can't call the C library" };
    if ("code" in child) return child;
    if (!limit.wasLowered && this.#jobLimit !== undefined) setOpenFilesLimit(child.pid, this.#jobLimit);
    const ended = child.ended.then(({ status, cpuMs }) => {
      options.onCpuMs?.(cpuMs);
      return fromWaitStatus(status);
    });
    return { pid: child.pid, ended };
  }

  /**
   * For the moment of a start this process has the jobs' own limit, so that not even the job's first instruction sees
   * another one. Where it has nearly as many files open, another of its threads could fail to open one meanwhile; then the
   * limit is set on the child, a moment after its start.
   * @param highestFd the highest of the lately opened ones: the system gives the lowest number that is free
   */
  #lowerLimit(highestFd: number): { readonly wasLowered: boolean; restore(): void } {
    const [jobs, own] = [this.#jobLimit, this.#ownLimit];
    const isSafe = jobs !== undefined && highestFd + sparedFiles < jobs.soft;
    if (!isSafe || own === undefined || !setOpenFilesLimit(0, jobs))
      return { wasLowered: false, restore() {} };
    return { wasLowered: true, restore: () => void setOpenFilesLimit(0, own) };
  }

  /**
   * On the child's group, a moment after its start. This process had to lower its own for that moment, could regain it with
   * privilege alone, and would wait until a child of low priority has had its turn: on a busy machine so long that other jobs
   * were late.
   */
  #setPriority(pid: number, niceLevel: number, { isGroup, onWarning }: RunTerms & StartOptions): void {
    if (niceLevel === this.#ownNiceLevel || !isGroup) return;
    const refused = setGroupPriority(pid, niceLevel);
    if (refused !== undefined) {
      onWarning?.(
        `can't set the priority to nice_level ${niceLevel}: ${refused.text}: going on at the present priority`,
      );
    }
  }
}

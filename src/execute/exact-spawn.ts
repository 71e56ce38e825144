/**
 * Starting a job through posix_spawn(3), where the runtime's own spawn would change something:
 *
 * - a word or the environment holds bytes that are not UTF-8: the runtime would replace them;
 * - the caller ignores signals (nohup, a shell's `&`): the runtime would reset them;
 * - the caller closed a standard stream: the runtime would put /dev/null there;
 * - the caller left descriptors open: the runtime hands them on by number, copies each upward for that, past the limit
 *   of open files if need be, and closes every number in between by a call of its own;
 * - PATH has an empty or relative folder: the runtime's search differs from execvp(3)'s.
 *
 * The child has exactly what an exec in this process's place would have left it. The price: its end is learned from
 * SIGCHLD instead of the runtime.
 */
import type { Assignment } from "../model/job.ts";
import { Problem } from "../model/problem.ts";
import { decodeWord, encodeWord } from "../model/raw-text.ts";
import { readFileStart } from "../system/files.ts";
import { addressOf, errno, exactLibc, type SystemError, systemError } from "../system/libc.ts";
import { type Inheritance, ignoredByRuntime, keepAcrossExec, ownByLibrary } from "../system/process.ts";
import type { Streams } from "./local.ts";

const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSID = 0x80;
/** glibc's posix_spawnattr_t has 336 bytes, its sigset_t 128. */
const attributeSize = 512;
const signalSetSize = 128;
/** Its posix_spawn_file_actions_t has 80. */
const fileActionsSize = 128;
const environmentLimit = 8 * 1024 * 1024;
const WNOHANG = 1;
/** SIGCHLD tells of the end at once; this is how often it is looked for besides, should one get lost. */
const pollMs = 5000;

/** What {@link exactSpawn} starts. */
export interface ExactSpawnOptions {
  /** The file to run; nothing is searched. */
  readonly file: string;
  readonly words: readonly string[];
  /** On top of this process's own environment. */
  readonly environment: readonly Assignment[];
  readonly inheritance: Inheritance;
  /** True to make the child the leader of a session of its own, and so of a process group. */
  readonly isGroup: boolean;
  /** Descriptors of this process for its standard streams; undefined: this process's own. */
  readonly streams?: Streams | undefined;
  /** Where it starts; undefined: where this process is. */
  readonly workingFolder?: string | undefined;
}

/** A started program. */
export interface ExactChild {
  readonly pid: number;
  /** The status word of wait(2). */
  readonly ended: Promise<number>;
}

/**
 * Starts a program.
 * @returns the child, or why the system refused, or `no-libc` where no C function can be called
 */
export function exactSpawn(options: ExactSpawnOptions): ExactChild | SystemError | "no-libc" {
  const { file, words, environment, inheritance, isGroup, streams, workingFolder } = options;
  const c = exactLibc();
  if (c === undefined) return "no-libc";
  const argv = new StringArray(words.map(encodeWord));
  const envp = new StringArray(environmentBytes(environment));
  const pidCell = new Int32Array(1);
  const attributes = new Uint8Array(attributeSize);
  c.posix_spawnattr_init(attributes);
  c.posix_spawnattr_setsigdefault(attributes, signalsToReset(inheritance));
  c.posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | (isGroup ? POSIX_SPAWN_SETSID : 0));
  keepAcrossExec(inheritance.descriptors);
  const hasActions = streams !== undefined || workingFolder !== undefined;
  const actions = hasActions ? new Uint8Array(fileActionsSize) : null;
  const folder = terminated(encodeWord(workingFolder ?? ""));
  if (actions !== null) {
    c.posix_spawn_file_actions_init(actions);
    if (streams !== undefined) {
      if (streams.stdin !== undefined) c.posix_spawn_file_actions_adddup2(actions, streams.stdin, 0);
      c.posix_spawn_file_actions_adddup2(actions, streams.stdout, 1);
      c.posix_spawn_file_actions_adddup2(actions, streams.stderr, 2);
    }
    if (workingFolder !== undefined) c.posix_spawn_file_actions_addchdir_np(actions, folder);
  }
  // Installed before the start, so that not even the shortest job's end is missed.
  const reaper = new Reaper();
  const error = c.posix_spawn(
    pidCell,
    terminated(encodeWord(file)),
    actions,
    attributes,
    argv.pointers,
    envp.pointers,
  );
  argv.release();
  envp.release();
  if (actions !== null) c.posix_spawn_file_actions_destroy(actions);
  if (error !== 0) {
    reaper.close();
    return systemError(error);
  }
  const pid = pidCell[0] ?? 0;
  return { pid, ended: reaper.wait(pid) };
}

/**
 * The set of signals that the child shall not ignore though this process, or posix_spawn itself, would have it so.
 * Made by hand: sigaddset(3) refuses the library's own signals.
 */
function signalsToReset({ ignoredSignals }: Inheritance): Uint8Array {
  const set = new Uint8Array(signalSetSize);
  for (const signal of [...ignoredByRuntime, ...ownByLibrary]) {
    if (ignoredSignals.includes(signal)) continue;
    const byte = (signal - 1) >> 3;
    set[byte] = (set[byte] ?? 0) | (1 << ((signal - 1) & 7));
  }
  return set;
}

/** The environment of this process in its own bytes, with the assignments on top. */
function environmentBytes(environment: readonly Assignment[]): Uint8Array[] {
  if (environment.length === 0) return inheritedVariables();
  const replaced = new Map(environment.map(({ name, value }) => [name, value])); // the last of a name counts
  const entries = inheritedVariables().filter((entry) => {
    const text = decodeWord(entry);
    return !replaced.has(text.slice(0, Math.max(0, text.indexOf("="))));
  });
  return [...entries, ...Array.from(replaced, ([name, value]) => encodeWord(`${name}=${value}`))];
}

function inheritedVariables(): Uint8Array[] {
  const file = readFileStart("/proc/self/environ", environmentLimit);
  if (file.error !== undefined) {
    // A program that its user may run but not read has no readable /proc/self/environ: then as the runtime has it.
    return Object.entries(process.env).map(([name, value]) => encodeWord(`${name}=${value}`));
  }
  const entries: Uint8Array[] = [];
  for (let from = 0; from < file.bytes.length; ) {
    const end = file.bytes.indexOf(0, from);
    const entry = file.bytes.slice(from, end < 0 ? undefined : end);
    entries.push(entry);
    from += entry.length + 1;
  }
  return entries;
}

/** A NULL-terminated array of C strings. It holds the memory that its pointers point to until it is released. */
class StringArray {
  readonly pointers: BigUint64Array<ArrayBuffer>;
  #memory: readonly Uint8Array[];

  constructor(strings: readonly Uint8Array[]) {
    this.#memory = strings.map(terminated);
    this.pointers = BigUint64Array.from([...this.#memory.map((string) => BigInt(addressOf(string))), 0n]);
  }

  release(): void {
    this.#memory = [];
  }
}

function terminated(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const string = new Uint8Array(bytes.length + 1);
  string.set(bytes);
  return string;
}

/** Waits for one child. */
class Reaper {
  #onChild: () => void = () => {};
  readonly #listener = () => this.#onChild();
  #poll: Timer | undefined;

  constructor() {
    process.on("SIGCHLD", this.#listener);
  }

  wait(pid: number): Promise<number> {
    const status = new Int32Array(1);
    return new Promise((resolve, reject) => {
      this.#onChild = () => {
        const reaped = exactLibc()?.waitpid(pid, status, WNOHANG);
        if (reaped === 0) return;
        this.close();
        if (reaped === pid) resolve(status[0] ?? 0);
        // Not to be taken for an end with status 0.
        else reject(new Problem("internal", `the job's exit status was lost: ${systemError(errno()).text}`));
      };
      this.#poll = setInterval(this.#onChild, pollMs);
      this.#onChild();
    });
  }

  close(): void {
    clearInterval(this.#poll);
    process.off("SIGCHLD", this.#listener);
  }
}

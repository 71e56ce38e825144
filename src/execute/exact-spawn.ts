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
 * The child has exactly what an exec in this process's place would have left it; or, where the caller is a daemon of which
 * a job shall see nothing, exactly what it is given. The price: its end is learned from SIGCHLD instead of the runtime.
 */
import type { Assignment } from "../model/job.ts";
import { decodeWord, encodeWord } from "../model/raw-text.ts";
import { type ChildEnd, endOfChild, listenForEnds } from "../system/child-ends.ts";
import { readFileStart } from "../system/files.ts";
import { addressOf, closeFromLibc, exactLibc, type SystemError, systemError } from "../system/libc.ts";
import { type Inheritance, ignoredByRuntime, keepAcrossExec, ownByLibrary } from "../system/process.ts";
import type { Streams } from "./local.ts";

const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** glibc's posix_spawnattr_t has 336 bytes, its sigset_t 128. */
const attributeSize = 512;
const signalSetSize = 128;
/** Its posix_spawn_file_actions_t has 80. */
const fileActionsSize = 128;
const environmentLimit = 8 * 1024 * 1024;
const firstOfOthers = 3;

/** What {@link exactSpawn} starts. */
export interface ExactSpawnOptions {
  /** The file to run; nothing is searched. */
  readonly file: string;
  readonly words: readonly string[];
  /** On top of `base`. */
  readonly environment: readonly Assignment[];
  /** Undefined: this process's own environment, in its very bytes. */
  readonly base?: readonly Assignment[];
  /** Undefined: nothing of the caller's; each signal has its default, and no descriptor is open but the standard streams. */
  readonly inheritance: Inheritance | undefined;
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
  readonly ended: Promise<ChildEnd>;
}

/**
 * Starts a program.
 * @returns the child, or why the system refused, or `no-libc` where no C function can be called
 */
export function exactSpawn(options: ExactSpawnOptions): ExactChild | SystemError | "no-libc" {
  const { file, words, environment, base, inheritance, isGroup } = options;
  const c = exactLibc();
  if (c === undefined) return "no-libc";
  const argv = new StringArray(words.map(encodeWord));
  const envp = new StringArray(environmentBytes(environment, base));
  const pidCell = new Int32Array(1);
  const attributes = new Uint8Array(attributeSize);
  c.posix_spawnattr_init(attributes);
  c.posix_spawnattr_setsigdefault(attributes, signalsToReset(inheritance));
  let flags = POSIX_SPAWN_SETSIGDEF | (isGroup ? POSIX_SPAWN_SETSID : 0);
  if (inheritance === undefined) {
    c.posix_spawnattr_setsigmask(attributes, new Uint8Array(signalSetSize));
    flags |= POSIX_SPAWN_SETSIGMASK;
  }
  c.posix_spawnattr_setflags(attributes, flags);
  if (inheritance !== undefined) keepAcrossExec(inheritance.descriptors);
  const folder = terminated(encodeWord(options.workingFolder ?? ""));
  const actions = fileActions(options, folder);
  listenForEnds();
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
  if (error !== 0) return systemError(error);
  const pid = pidCell[0] ?? 0;
  return { pid, ended: endOfChild(pid) };
}

/** @param folder the working folder as C has it; to be kept until the start */
function fileActions(
  { streams, workingFolder, inheritance }: ExactSpawnOptions,
  folder: Uint8Array,
): Uint8Array | null {
  const c = exactLibc();
  if (c === undefined) return null;
  if (streams === undefined && workingFolder === undefined && inheritance !== undefined) return null;
  const actions = new Uint8Array(fileActionsSize);
  c.posix_spawn_file_actions_init(actions);
  if (streams !== undefined) {
    if (streams.stdin !== undefined) c.posix_spawn_file_actions_adddup2(actions, streams.stdin, 0);
    c.posix_spawn_file_actions_adddup2(actions, streams.stdout, 1);
    c.posix_spawn_file_actions_adddup2(actions, streams.stderr, 2);
  }
  if (workingFolder !== undefined) c.posix_spawn_file_actions_addchdir_np(actions, folder);
  // All of ours are close-on-exec; this is for one that whoever started this process left open.
  if (inheritance === undefined) {
    closeFromLibc()?.posix_spawn_file_actions_addclosefrom_np(actions, firstOfOthers);
  }
  return actions;
}

/**
 * The set of signals that the child shall not ignore though this process, or posix_spawn itself, would have it so; all of
 * them where nothing is inherited. Made by hand: sigaddset(3) refuses the library's own signals.
 */
function signalsToReset(inheritance: Inheritance | undefined): Uint8Array {
  const set = new Uint8Array(signalSetSize);
  if (inheritance === undefined) return set.fill(0xff, 0, 8); // 64 signals
  for (const signal of [...ignoredByRuntime, ...ownByLibrary]) {
    if (inheritance.ignoredSignals.includes(signal)) continue;
    const byte = (signal - 1) >> 3;
    set[byte] = (set[byte] ?? 0) | (1 << ((signal - 1) & 7));
  }
  return set;
}

/** The assignments on top of `base`, or of this process's environment in its own bytes. */
function environmentBytes(
  environment: readonly Assignment[],
  base: readonly Assignment[] | undefined,
): Uint8Array[] {
  if (base === undefined && environment.length === 0) return inheritedVariables();
  const given = [...(base ?? []), ...environment];
  const replaced = new Map(given.map(({ name, value }) => [name, value])); // the last of a name counts
  const entries = Array.from(replaced, ([name, value]) => encodeWord(`${name}=${value}`));
  if (base !== undefined) return entries;
  const kept = inheritedVariables().filter((entry) => {
    const text = decodeWord(entry);
    return !replaced.has(text.slice(0, Math.max(0, text.indexOf("="))));
  });
  return [...kept, ...entries];
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

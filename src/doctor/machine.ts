/**
 * The machine that is examined: everything that the checks ask of the outside, so that they can be shown any machine.
 */
import type { WriterProcess } from "../model/provenance.ts";
import type { FileStart } from "../system/files.ts";
import type { SystemError } from "../system/libc.ts";
import type { ProcessLife } from "../system/other-processes.ts";

/** What a path leads to. */
export interface FileFacts {
  readonly kind: "file" | "folder" | "link" | "socket" | "other";
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, set-user-id and sticky ones included. */
  readonly mode: number;
  readonly modifiedAtMs: number;
  /** Device and inode: two paths with the same are the same file. */
  readonly id: string;
}

/** A process of this machine; those of containers on it are not among them. */
export interface RunningProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** At most 15 bytes, as /proc/PID/comm has it. */
  readonly name: string;
  readonly words: readonly string[];
  /** The letter of /proc/PID/stat. */
  readonly state: string;
  /** In clock ticks since boot. */
  readonly startTicks: number;
}

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whatever is asked answers at once or in bounded time, and throws nothing: a question without an answer has the
 * system's reason, or `unknown`.
 */
export interface Machine {
  /** Who looks: not root sees less. */
  readonly uid: number;
  readonly nowMs: number;
  /** The first `limit` bytes of a file. */
  read(path: string, limit: number): FileStart;
  /** Follows links. */
  stat(path: string): FileFacts | SystemError;
  lstat(path: string): FileFacts | SystemError;
  realPath(path: string): string | SystemError;
  /** The names in a folder, sorted. */
  list(folder: string): readonly string[] | SystemError;
  processes(): readonly RunningProcess[];
  /** Whether a process that was seen before still lives. */
  lifeOf(process: WriterProcess): ProcessLife;
  /** By name or uid; undefined where there is none. */
  account(who: string | number): Account | undefined;
  whereIs(address: Uint8Array): "here" | "absent" | "unknown";
  /** Connects to /dev/log, and sends nothing. */
  connectLog(): "reached" | SystemError;
  clock(): "synchronised" | "unsynchronised" | "unknown";
  /** What `PROGRAM --version` says in its first line; undefined where it can't be run. */
  versionOf(program: string): string | undefined;
  /** The program that is running this. */
  readonly ownPath: string | undefined;
}

/** True for the system's reason, as against an answer. */
export function isRefusal(answer: object | string): answer is SystemError {
  return typeof answer === "object" && "code" in answer;
}

/** True where the reason is that there is nothing of that name. */
export function isAbsent(answer: object | string): boolean {
  return isRefusal(answer) && (answer.code === "ENOENT" || answer.code === "ENOTDIR");
}

const decoder = new TextDecoder();

/** A text file's content. Bytes that are not UTF-8 become U+FFFD. */
export function readText(machine: Machine, path: string, limit = 256 * 1024): string | SystemError {
  const start = machine.read(path, limit);
  return start.error ?? decoder.decode(start.bytes);
}

/** How a person calls an account. */
export function nameOf(machine: Machine, uid: number): string {
  return machine.account(uid)?.name ?? `uid ${uid}`;
}

/** `0755` */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/**
 * This process: what its caller handed to it for the job, its priority, and the signals that it passes on.
 */

import { readFileStart } from "./files.ts";
import {
  errno,
  fromCString,
  launchLibc,
  type SystemError,
  scratchString,
  systemError,
  thrownSystemError,
} from "./libc.ts";

/** The signals that are passed on to the job. @see docs/limits.md "Of signals" */
export const forwardedSignals = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGALRM: 14,
  SIGTERM: 15,
} as const;

/** The name of one of them. */
export type ForwardedSignal = keyof typeof forwardedSignals;

/** SIGPIPE and SIGXFSZ: the runtime ignores them from its start, so that what the caller did can't be known. */
export const ignoredByRuntime: readonly number[] = [13, 25];
/** The C library's own signals; whatever was started with posix_spawn(3) ignores them. */
export const ownByLibrary: readonly number[] = [32, 33];

/** What the caller left for the job, and the runtime would not hand on by itself. */
export interface Inheritance {
  /** Signal numbers that the caller ignores, as `nohup` does; a job ignores them too unless it says otherwise. */
  readonly ignoredSignals: readonly number[];
  /** Open descriptors from 3 up. */
  readonly descriptors: readonly number[];
  /** True if the caller closed standard input, output or error. */
  readonly hasClosedStream: boolean;
}

/**
 * Reads what the caller left for the job. To be called before this process opens a descriptor or handles a signal of
 * its own. Where /proc tells nothing, nothing is inherited but the three standard streams.
 */
export function readInheritance(): Inheritance {
  return {
    ignoredSignals: readIgnoredSignals(),
    descriptors: callersDescriptors(),
    hasClosedStream: hasClosedStream(),
  };
}

const decoder = new TextDecoder();

/** Every job pays for this, so it is made of what costs little at its first use. */
function readIgnoredSignals(): number[] {
  const status = readFileStart("/proc/self/status", 8192);
  const text = status.error === undefined ? decoder.decode(status.bytes) : "";
  const label = "\nSigIgn:\t";
  const at = text.indexOf(label);
  if (at < 0) return [];
  // 16 hexadecimal digits, the highest signals first.
  const from = at + label.length;
  const high = Number.parseInt(text.slice(from, from + 8), 16);
  const low = Number.parseInt(text.slice(from + 8, from + 16), 16);
  const ignored: number[] = [];
  for (let signal = 1; signal <= 64; signal++) {
    const bit = signal <= 32 ? (low >>> (signal - 1)) & 1 : (high >>> (signal - 33)) & 1;
    if (bit === 1 && !ignoredByRuntime.includes(signal)) ignored.push(signal);
  }
  return ignored;
}

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/**
 * The runtime puts /dev/null, marked close-on-exec, where a standard stream was closed. No caller can hand over a
 * descriptor with that mark, so the mark tells that the stream was closed.
 */
function hasClosedStream(): boolean {
  const c = launchLibc();
  if (c === undefined) return false;
  return [0, 1, 2].some((fd) => c.fcntl(fd, F_GETFD, 0) === FD_CLOEXEC);
}

/** Takes the close-on-exec mark off descriptors, so that the next process started has them. */
export function keepAcrossExec(descriptors: readonly number[]): void {
  for (const fd of descriptors) launchLibc()?.fcntl(fd, F_SETFD, 0);
}

/**
 * The caller's descriptors from 3 up. The runtime marks those from 4 up close-on-exec at its start, like its own, which are
 * told apart by what they are: an event queue or counter that no caller hands to a job.
 */
function callersDescriptors(): number[] {
  const own = `/proc/${process.pid}/fd`; // the folder was itself open while it was listed
  const links = launchLibc() === undefined ? linksWithoutLibc() : linksByLibc();
  const descriptors: number[] = [];
  for (const { fd, target } of links) {
    if (fd > 2 && target !== own && !runtimesOwn.includes(target)) descriptors.push(fd);
  }
  return descriptors;
}

const runtimesOwn = [
  "anon_inode:[eventpoll]",
  "anon_inode:[eventfd]",
  "anon_inode:[timerfd]",
  "anon_inode:[signalfd]",
  "anon_inode:[io_uring]",
];

interface DescriptorLink {
  readonly fd: number;
  readonly target: string;
}

const descriptorFolder = "/proc/self/fd";
/** Where a directory entry's name begins, in glibc's struct dirent on 64-bit machines. */
const nameOffset = 19;

function linksByLibc(): DescriptorLink[] {
  const c = launchLibc();
  const folder = c?.opendir(scratchString(descriptorFolder));
  if (c === undefined || !folder) return [];
  const links: DescriptorLink[] = [];
  const target = new Uint8Array(256);
  for (let entry = c.readdir(folder); entry; entry = c.readdir(folder)) {
    const name = fromCString(entry, nameOffset);
    const fd = Number(name); // NaN for "." and ".."
    if (!(fd > 2)) continue;
    const length = Number(c.readlink(scratchString(`${descriptorFolder}/${name}`), target, target.length));
    if (length > 0) links.push({ fd, target: decoder.decode(target.subarray(0, length)) });
  }
  c.closedir(folder);
  return links;
}

function linksWithoutLibc(): DescriptorLink[] {
  const fs = process.getBuiltinModule("node:fs");
  const links: DescriptorLink[] = [];
  for (const name of fs.readdirSync(descriptorFolder)) {
    try {
      links.push({ fd: Number(name), target: fs.readlinkSync(`${descriptorFolder}/${name}`) });
    } catch {
      // The descriptor through which the folder was listed: closed by now.
    }
  }
  return links;
}

/**
 * Sets this process's priority, and so that of whatever it starts.
 * @param niceLevel absolute, -20…19
 * @returns the system's reason where it refuses (`EACCES`, `EPERM`: going below the present level needs privilege)
 */
export function setPriority(niceLevel: number): SystemError | undefined {
  const c = launchLibc();
  const PRIO_PROCESS = 0;
  if (c !== undefined)
    return c.setpriority(PRIO_PROCESS, 0, niceLevel) === 0 ? undefined : systemError(errno());
  const os = process.getBuiltinModule("node:os");
  try {
    os.setPriority(niceLevel);
    return undefined;
  } catch (error) {
    return thrownSystemError(error);
  }
}

const ESRCH = 3;

/**
 * Sets the priority of a process group, and so of what its members start from now on; this process keeps its own.
 * @param leaderPid a child of this process; nothing is done where it has ended
 * @param niceLevel absolute, -20…19
 * @returns the system's reason where it refuses (`EACCES`, `EPERM`: going below the present level needs privilege)
 */
export function setGroupPriority(leaderPid: number, niceLevel: number): SystemError | undefined {
  const PRIO_PGRP = 1;
  const c = launchLibc();
  if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
  if (c.setpriority(PRIO_PGRP, leaderPid, niceLevel) === 0) return undefined;
  const error = errno();
  return error === ESRCH ? undefined : systemError(error);
}

/**
 * Passes signals on to a job from now until the program ends. What comes before the job is there is kept for it.
 *
 * Ctrl-C and Ctrl-\ reach every process of a terminal's foreground group by themselves; then they are not passed on,
 * because a second SIGINT means "now, at once" to many programs.
 */
export class SignalForwarder {
  #pid: number | undefined;
  #isGroup = false;
  readonly #early: ForwardedSignal[] = [];

  readonly #onSignal: ((signal: ForwardedSignal) => boolean) | undefined;

  /**
   * @param except signal numbers to leave alone: the caller ignores them, and so shall the job
   * @param onSignal told of each one first; true keeps it from the job
   */
  constructor(except: readonly number[], onSignal?: (signal: ForwardedSignal) => boolean) {
    this.#onSignal = onSignal;
    for (const [name, number] of Object.entries(forwardedSignals)) {
      // Object.entries widens the keys of the table to string.
      if (!except.includes(number)) process.on(name, () => this.#receive(name as ForwardedSignal));
    }
  }

  /**
   * From here on the job is there.
   * @param isGroup true where it leads a process group of its own, and all of that is meant
   */
  to(pid: number, { isGroup }: { readonly isGroup: boolean }): void {
    this.#pid = pid;
    this.#isGroup = isGroup;
    for (const signal of this.#early.splice(0)) this.#forward(signal);
  }

  /** The job has ended: its pid may soon be another process's. */
  stop(): void {
    this.#pid = undefined;
  }

  #receive(signal: ForwardedSignal): void {
    if (this.#onSignal?.(signal) !== true) this.#forward(signal);
  }

  #forward(signal: ForwardedSignal): void {
    if (this.#pid === undefined) this.#early.push(signal);
    else if (this.#isGroup) sendSignal(-this.#pid, signal);
    else if (!(isFromKeyboard(signal) && isForeground())) sendSignal(this.#pid, signal);
  }
}

function isFromKeyboard(signal: ForwardedSignal): boolean {
  return signal === "SIGINT" || signal === "SIGQUIT";
}

/** Sends a signal to a child that has not been waited for, so that the pid is still its own. */
function sendSignal(pid: number, signal: ForwardedSignal): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended, or has become another user's (a setuid program): as a direct kill would find it.
  }
}

/** True if this process is in the foreground group of a terminal. */
function isForeground(): boolean {
  const stat = readFileStart("/proc/self/stat", 4096);
  if (stat.error !== undefined) return false;
  const text = new TextDecoder().decode(stat.bytes);
  // Behind the command's name in parentheses: state ppid pgrp session tty_nr tpgid …
  const [, , pgrp, , tty, foreground] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return tty !== "0" && pgrp !== undefined && pgrp === foreground;
}

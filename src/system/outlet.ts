/**
 * Writing to a descriptor without ever waiting for whoever reads it.
 *
 * The descriptor may be shared with other processes, so it can't be made non-blocking itself. A pipe and a terminal are
 * opened a second time, for this process alone; a socket knows sending without waiting; anything else is asked before each
 * piece.
 */
import {
  addressOf,
  cString,
  errno,
  launchLibc,
  libc,
  O_CLOEXEC,
  O_NONBLOCK,
  pipeLibc,
  type SystemError,
  systemError,
} from "./libc.ts";
import { askForSignals, closeFd } from "./pipe.ts";

const O_WRONLY = 1;
const O_NOCTTY = 0o400;
const POLLOUT = 4;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const SEEK_CUR = 1;
const EINTR = 4;
const EAGAIN = 11;
/** A pipe that is ready takes this much without waiting (PIPE_BUF). */
const atomicSize = 4096;

/** Where bytes can be written to. */
export class Outlet {
  private readonly fd: number;
  private readonly kind: "regular" | "own" | "socket" | "other";
  private isSignalled = false;

  /** @param fd stays open when this is closed */
  constructor(fd: number) {
    const link = linkOf(fd) ?? "";
    const isRegular = isSeekable(fd);
    const own = !isRegular && /^(pipe:|\/dev\/)/.test(link) ? openAgain(fd) : -1;
    this.fd = own < 0 ? fd : own;
    if (own >= 0) this.kind = "own";
    else if (isRegular) this.kind = "regular";
    else this.kind = link.startsWith("socket:") ? "socket" : "other";
  }

  /**
   * Writes as much as can be written at once.
   * @returns how many bytes were taken, or why none can be
   */
  write(bytes: Uint8Array): number | SystemError {
    const c = pipeLibc();
    if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
    let at = 0;
    while (at < bytes.length) {
      if (this.kind === "other" && !hasRoom(this.fd)) return at;
      const length = this.kind === "other" ? Math.min(atomicSize, bytes.length - at) : bytes.length - at;
      const from = addressOf(bytes, at);
      const written = Number(
        this.kind === "socket"
          ? libc()?.send(this.fd, from, length, MSG_DONTWAIT_NOSIGNAL)
          : c.write(this.fd, from, length),
      );
      if (written >= 0) {
        at += written;
        continue;
      }
      const error = errno();
      if (error === EINTR) continue;
      if (error === EAGAIN && this.kind === "own" && !this.isSignalled) {
        this.signal(true); // and then try again: it may have been read meanwhile
        continue;
      }
      // What was taken is told first; the next call has the error again.
      return error === EAGAIN || at > 0 ? at : systemError(error);
    }
    this.signal(false);
    return at;
  }

  /** Gives back what was opened here. */
  close(): void {
    if (this.kind === "own") closeFd(this.fd);
  }

  private signal(isWanted: boolean): void {
    if (this.isSignalled === isWanted) return;
    this.isSignalled = isWanted;
    askForSignals(this.fd, isWanted);
  }
}

function hasRoom(fd: number): boolean {
  const question = new Int32Array([fd, POLLOUT]); // struct pollfd: the descriptor, and what is asked in two halves
  return (pipeLibc()?.poll(question, 1, 0) ?? 0) > 0;
}

/** True for what has a position, a regular file above all: writing there waits for nobody's reading. */
function isSeekable(fd: number): boolean {
  return Number(pipeLibc()?.lseek(fd, 0, SEEK_CUR) ?? -1) >= 0;
}

/** @returns -1 where it is another user's, who made it before this process had its rights */
function openAgain(fd: number): number {
  return libc()?.open(cString(linkPath(fd)), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0) ?? -1;
}

/** True where two descriptors of this process lead to the same file, pipe or terminal. */
export function sameFile(one: number, other: number): boolean {
  const first = linkOf(one);
  return first !== undefined && first === linkOf(other);
}

function linkPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function linkOf(fd: number): string | undefined {
  const buffer = new Uint8Array(4096);
  const length = Number(launchLibc()?.readlink(cString(linkPath(fd)), buffer, buffer.length) ?? 0);
  return length > 0 ? new TextDecoder("latin1").decode(buffer.subarray(0, length)) : undefined;
}

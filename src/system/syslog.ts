/**
 * syslog, in the very bytes of the C library's syslog(3), but never waiting for it.
 *
 * syslog(3) itself blocks for ever when the daemon does not read, and on a refused send opens the socket anew and
 * blocks then (docs/decisions/syslog.md); so the datagrams are sent here, through libc's socket calls. A line that
 * the socket has no room for waits in a short queue and goes out in order as soon as there is room; what is left when
 * the program ends gets {@link Syslog.close}'s bounded wait, and is then given up. With no log socket at all, lines
 * are dropped in silence, as syslog(3) does it.
 */

import { encodeWord, isRaw } from "../model/raw-text.ts";
import { type Facility, facilities, type Level, levels } from "../model/syslog-names.ts";
import { addressOf, errno, libc, scratch, scratchInts, scratchString, waitLibc } from "./libc.ts";
import type { LoggerCommand } from "./logger-command.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const F_SETFL = 4;
const EINTR = 4;
const EAGAIN = 11;
const EPROTOTYPE = 91;

/** A message longer than this is cut: rsyslog's own limit for a whole line is 8 kB by default. */
export const messageLimit = 8000;
/** A run logs a few lines. If more than this many wait, the oldest are lost: the end line tells most. */
const usualQueueLimit = 64;
const logSocket = "/dev/log";
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

interface LogSocket {
  readonly fd: number;
  readonly isStream: boolean;
}

/** Who logs. */
export interface SyslogOptions {
  /** The name that this program was called by. */
  readonly ident: string;
  readonly pid: number;
  /** How many lines may wait; 64 are enough for one run. */
  readonly queueLimit?: number;
}

/*
 * No #private members here: the hot path pays for each at its first use.
 */
export class Syslog {
  private readonly ident: string;
  private readonly pid: number;
  private readonly queueLimit: number;
  private readonly queue: string[] = [];
  /** Where no C function can be called. */
  private fallback: Promise<LoggerCommand> | undefined;
  private socket: LogSocket | undefined;
  private retry: Timer | undefined;

  constructor({ ident, pid, queueLimit = usualQueueLimit }: SyslogOptions) {
    this.ident = ident;
    this.pid = pid;
    this.queueLimit = queueLimit;
  }

  /** True while more lines wait than is good: who has many to log waits as well. */
  get isBusy(): boolean {
    return this.queue.length > this.queueLimit / 2;
  }

  /** Logs one message. Returns at once, whatever becomes of it; never throws. */
  log(facility: Facility, level: Level, message: string): void {
    if (libc() === undefined) {
      this.fallback ??= import("./logger-command.ts").then(
        ({ LoggerCommand }) => new LoggerCommand(this.ident, this.pid),
      );
      this.fallback.then((logger) => logger.log(facility, level, message));
      return;
    }
    const priority = (facilities[facility] << 3) | levels[level];
    if (this.queue.length === this.queueLimit) this.queue.shift();
    this.queue.push(`<${priority}>${timestamp()} ${this.ident}[${this.pid}]: ${message}`);
    this.drain(MSG_DONTWAIT);
    if (this.queue.length > 0) this.retryLater(2);
  }

  /**
   * Sends what is still waiting and closes.
   * @param waitMs how long a daemon that does not read is waited for, in all
   */
  close(waitMs: number): Promise<void> | undefined {
    if (this.retry !== undefined) clearTimeout(this.retry);
    if (this.queue.length > 0) this.drainFor(waitMs);
    if (this.socket !== undefined) libc()?.close(this.socket.fd);
    this.socket = undefined;
    return this.fallback?.then((logger) => logger.close(waitMs));
  }

  /** Sends from the queue's front until the socket has no room. */
  private drain(flags: number): void {
    for (let line = this.queue[0]; line !== undefined; line = this.queue[0]) {
      if (this.send(line, flags) === "full") return;
      this.queue.shift();
    }
  }

  private drainFor(waitMs: number): void {
    const end = performance.now() + waitMs;
    // A stream's socket does not block so far; now it shall, for as long as the time-out lets it.
    if (this.socket !== undefined) waitLibc()?.fcntl(this.socket.fd, F_SETFL, 0);
    while (this.queue.length > 0) {
      const leftUs = Math.floor((end - performance.now()) * 1000);
      if (leftUs <= 0 || this.socket === undefined) return;
      const timeval = BigInt64Array.of(BigInt(Math.floor(leftUs / 1e6)), BigInt(leftUs % 1e6));
      waitLibc()?.setsockopt(this.socket.fd, SOL_SOCKET, SO_SNDTIMEO, timeval, timeval.byteLength);
      this.drain(0);
    }
  }

  /** While the job runs: tries again, at doubling distances, for as long as lines wait. */
  private retryLater(ms: number): void {
    if (this.retry !== undefined) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.drain(MSG_DONTWAIT);
      if (this.queue.length > 0) this.retryLater(Math.min(ms * 2, 1000));
    }, ms);
    this.retry.unref();
  }

  /** One attempt, and a second one over a new connection where the daemon was restarted meanwhile. */
  private send(line: string, flags: number): "sent" | "full" | "lost" {
    const c = libc();
    for (let attempt = 0; attempt < 2 && c !== undefined; attempt++) {
      this.socket ??= connect();
      if (this.socket === undefined) return "lost";
      const { fd, isStream } = this.socket;
      const length = putLine(line);
      scratch[length] = 0; // On a stream the C library ends each message with it.
      if (Number(c.send(fd, scratch, length + (isStream ? 1 : 0), flags | MSG_NOSIGNAL)) >= 0) return "sent";
      const error = errno();
      if (error === EAGAIN || error === EINTR) return "full";
      c.close(fd);
      this.socket = undefined;
    }
    return "lost";
  }
}

/** @returns undefined where there is no daemon; the next line tries again, for one may have come */
function connect(): LogSocket | undefined {
  const c = libc();
  if (c === undefined) return undefined;
  const address = scratchString(`\u0001\0${logSocket}`); // struct sockaddr_un: AF_UNIX, in this machine's byte order
  for (const type of [SOCK_DGRAM, SOCK_STREAM]) {
    // A stream's connect would wait for a daemon that accepts nobody, so a stream does not block at all.
    const flags = SOCK_CLOEXEC | (type === SOCK_STREAM ? SOCK_NONBLOCK : 0);
    const fd = c.socket(AF_UNIX, type | flags, 0);
    if (fd < 0) return undefined;
    if (c.connect(fd, address, 2 + logSocket.length + 1) === 0) return { fd, isStream: type === SOCK_STREAM };
    const error = errno();
    c.close(fd);
    if (error !== EPROTOTYPE) return undefined;
  }
  return undefined;
}

/** `Nov  1 08:05:09`, local time. The runtime's own local time costs 5 ms at its first use, libc's nothing. */
function timestamp(): string {
  const seconds = Math.floor(Date.now() / 1000);
  scratchInts[0] = seconds; // time_t, its lower half and its upper one
  scratchInts[1] = seconds / 2 ** 32;
  const tm = 4; // struct tm, 16 bytes on: sec, min, hour, mday, mon, …
  libc()?.localtime_r(addressOf(scratch), addressOf(scratch, tm * 4));
  const clock = `${twoDigits(scratchInts[tm + 2])}:${twoDigits(scratchInts[tm + 1])}:${twoDigits(scratchInts[tm])}`;
  return `${months[scratchInts[tm + 4] ?? 0]} ${String(scratchInts[tm + 3]).padStart(2, " ")} ${clock}`;
}

function twoDigits(number = 0): string {
  return number < 10 ? `0${number}` : String(number);
}

/**
 * Puts a line into the scratch memory; one that is too long is cut, and says how much was left out.
 * @returns its length in bytes
 */
function putLine(line: string): number {
  if (line.length * 3 <= messageLimit && !isRaw(line)) return encoder.encodeInto(line, scratch).written;
  const bytes = encodeWord(line);
  if (bytes.length <= messageLimit) {
    scratch.set(bytes);
    return bytes.length;
  }
  scratch.set(bytes.subarray(0, messageLimit));
  const note = encodeWord(`... ${bytes.length - messageLimit} bytes left out`);
  scratch.set(note, messageLimit);
  return messageLimit + note.length;
}

const encoder = new TextEncoder();

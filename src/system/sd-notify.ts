/**
 * What a service tells its manager: sd_notify(3), as systemd and Debian's start-stop-daemon listen to it.
 *
 * Each word is one datagram that is sent at once or not at all: a manager that does not read must not stop a scheduler.
 * What is lost is told again, for a watchdog's sign of life comes every few seconds, and a status with the next change.
 */
import { encodeWord } from "../model/raw-text.ts";
import { libc, lockLibc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;

/** Of struct sockaddr_un, without its first two bytes. */
const addressLimit = 108;
/** A status is for one line of `systemctl status`. */
const statusLimit = 500;

/** The variables that are for this process alone: a job that found them could speak in its name. */
const variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** Whoever started this service. Nothing here waits, throws, or tells whether anybody listened. */
export interface ServiceManager {
  /** How often {@link watchdog} is to be called, in milliseconds; undefined where nobody watches. */
  readonly watchdogIntervalMs: number | undefined;
  /** The service serves, for the first time or again after {@link reloading}. @param status one line for people */
  ready(status: string): void;
  /** @param status one line for people */
  status(status: string): void;
  /** The configuration is read again; {@link ready} ends that. */
  reloading(): void;
  /**
   * The service ends.
   * @param withinMs how long it may take: the manager waits so long even if it would give up sooner
   */
  stopping(withinMs: number): void;
  /** A sign of life. */
  watchdog(): void;
}

/**
 * Finds out who started this process, and takes the variables that say so out of the environment, so that no job
 * inherits them.
 * @param environment this process's; changed
 */
export function serviceManager(environment: Record<string, string | undefined>): ServiceManager {
  const [socket, watchdogUs, watchdogPid] = variables.map((name) => environment[name]);
  for (const name of variables) delete environment[name];
  const address = socket === undefined ? undefined : addressOfSocket(socket);
  const tell = (...lines: string[]) => {
    if (address !== undefined) send(address, encodeWord(lines.join("\n")));
  };
  return {
    watchdogIntervalMs: address && watchdogInterval(watchdogUs, watchdogPid),
    ready: (status) => tell("READY=1", statusLine(status)),
    status: (status) => tell(statusLine(status)),
    reloading: () => {
      const usec = monotonicUs();
      tell("RELOADING=1", ...(usec === undefined ? [] : [`MONOTONIC_USEC=${usec}`]));
    },
    stopping: (withinMs) => tell("STOPPING=1", `EXTEND_TIMEOUT_USEC=${Math.ceil(withinMs) * 1000}`),
    watchdog: () => tell("WATCHDOG=1"),
  };
}

/** One line, whatever is in it, for the manager reads a message line by line; and UTF-8, or systemd passes it over. */
function statusLine(status: string): string {
  return `STATUS=${status
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, statusLimit)
    .toWellFormed()}`;
}

/** Half of what the manager waits, as sd_watchdog_enabled(3) advises; only if this process is the one that is watched. */
function watchdogInterval(us: string | undefined, pid: string | undefined): number | undefined {
  if (us === undefined || !/^\d{1,15}$/.test(us) || Number(us) === 0) return undefined;
  if (pid !== undefined && pid !== String(process.pid)) return undefined;
  return Math.max(1, Math.floor(Number(us) / 2000));
}

/** @returns struct sockaddr_un in its length; undefined for an address of another kind (`vsock:`), or none */
function addressOfSocket(socket: string): Uint8Array<ArrayBuffer> | undefined {
  if ((socket[0] !== "/" && socket[0] !== "@") || socket.length < 2) return undefined;
  const path = encodeWord(socket);
  if (path.length > addressLimit) return undefined;
  // An abstract name begins with a NUL and ends with the address's length; a path ends with a NUL where there is room.
  const isAbstract = path[0] === 0x40;
  const address = new Uint8Array(2 + Math.min(addressLimit, path.length + (isAbstract ? 0 : 1)));
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(path, 2);
  if (isAbstract) address[2] = 0;
  return address;
}

/** A socket for each datagram, as sd_notify(3) does it: the manager may have been restarted meanwhile. */
function send(address: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): void {
  const c = libc();
  if (c === undefined) return;
  const fd = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  if (c.connect(fd, address, address.length) === 0) {
    c.send(fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  c.close(fd);
}

/** The clock that systemd compares a reload with. */
function monotonicUs(): bigint | undefined {
  const time = new BigInt64Array(2); // struct timespec
  if (lockLibc()?.clock_gettime(CLOCK_MONOTONIC, time) !== 0) return undefined;
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1000n;
}

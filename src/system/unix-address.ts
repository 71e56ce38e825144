/**
 * Unix sockets that have a path: whether somebody listens there.
 */
import { cString, errno, libc, type SystemError, systemError } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const ENOENT = 2;
const EAGAIN = 11;
const ECONNREFUSED = 111;

/** The longest path that fits struct sockaddr_un, in bytes. */
export const socketPathLimit = 107;

/**
 * Tries to connect, without waiting, and hangs up. The runtime's own connect says ECONNREFUSED also of a daemon that is
 * alive and has too many waiting.
 * @returns `live` where somebody listens; `dead` where nobody does, be the file there or of another kind; or why it could not
 *   be learned
 */
export function probeSocket(path: string): "live" | "dead" | "missing" | SystemError {
  const c = libc();
  if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
  const fd = c.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return systemError(errno());
  const address = cString(`\u0001\0${path}`); // struct sockaddr_un: AF_UNIX, in this machine's byte order
  const isConnected = c.connect(fd, address, address.length) === 0;
  const error = isConnected ? 0 : errno();
  c.close(fd);
  if (isConnected || error === EAGAIN) return "live";
  if (error === ECONNREFUSED) return "dead";
  return error === ENOENT ? "missing" : systemError(error);
}

/** Whether a path fits a socket's address. */
export function fitsSocket(path: string): boolean {
  return path.startsWith("/") && !path.includes("\0") && Buffer.byteLength(path) <= socketPathLimit;
}

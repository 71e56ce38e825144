/**
 * Who is at the other end of a Unix socket, as the kernel knows it: nothing that the other end says itself.
 */
import { errno, peerLibc, systemError } from "./libc.ts";

/** A process, as it was when it connected. */
export interface Peer {
  readonly pid: number;
  /** Its effective user and group. */
  readonly uid: number;
  readonly gid: number;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
/** As many as the kernel allows a process to have. */
const groupLimit = 65_536;

/** @param fd of a connected Unix socket @returns undefined where the kernel does not tell */
export function peerOf(fd: number): Peer | undefined {
  const credentials = readOption(fd, SO_PEERCRED, 3);
  if (credentials === undefined) return undefined;
  const [pid = 0, uid = 0, gid = 0] = credentials;
  // A peer without a process, or outside this machine's users, is told as the number -1.
  return credentials.length === 3 && uid !== 0xffff_ffff ? { pid, uid, gid } : undefined;
}

/**
 * Whether the other end belonged to a group when it connected, be it by its first group or by one of the others.
 * @returns false where the kernel does not tell
 */
export function isPeerInGroup(fd: number, gid: number): boolean {
  if (peerOf(fd)?.gid === gid) return true;
  return readOption(fd, SO_PEERGROUPS, 64)?.includes(gid) ?? false;
}

/** Reads an option that is a list of 32-bit numbers. @param size for how many there is room at first */
function readOption(fd: number, option: number, size: number): Uint32Array | undefined {
  const c = peerLibc();
  if (c === undefined) return undefined;
  const values = new Uint32Array(size);
  const length = new Uint32Array([values.byteLength]);
  if (c.getsockopt(fd, SOL_SOCKET, option, values, length) === 0) {
    return values.subarray(0, (length[0] ?? 0) / values.BYTES_PER_ELEMENT);
  }
  const ERANGE = "E34";
  return systemError(errno()).code === ERANGE && size < groupLimit
    ? readOption(fd, option, groupLimit)
    : undefined;
}

/**
 * Handing open descriptors to another process, through a Unix socket that leads to it.
 */
import { addressOf, errno, passLibc, pipeLibc, type SystemError, systemError } from "./libc.ts";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;

/**
 * Sends bytes, and then each descriptor with a byte of its own, in this order. Nothing is waited for: what does not fit
 * into the socket at once is an error, and the connection of no use any more.
 * @param bytes small enough for a socket that nothing waits in: 100 kB
 * @returns why the system refused; undefined where all is on its way, and the descriptors may be closed here
 */
export function sendWithDescriptors(
  socketFd: number,
  bytes: Uint8Array,
  descriptors: readonly number[],
): SystemError | undefined {
  const c = pipeLibc();
  if (c === undefined || passLibc() === undefined) {
    return { code: "ENOSYS", text: "this process can't call the C library" };
  }
  for (let at = 0; at < bytes.length; ) {
    const count = Number(c.write(socketFd, addressOf(bytes, at), bytes.length - at));
    if (count < 0 && errno() !== EINTR) return systemError(errno());
    at += Math.max(0, count);
  }
  for (const fd of descriptors) {
    const refused = sendDescriptor(socketFd, fd);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

/** With one byte, as every receiver expects: without any, nothing is sent at all. */
function sendDescriptor(socketFd: number, fd: number): SystemError | undefined {
  const c = passLibc();
  const byte = new Uint8Array(1);
  const part = BigUint64Array.of(BigInt(addressOf(byte)), 1n); // struct iovec
  // struct cmsghdr: its length without padding, level and type, and the descriptor behind it; all of it padded to 8.
  const control = new Uint8Array(24);
  const words = new DataView(control.buffer);
  words.setBigUint64(0, 20n, true);
  words.setInt32(8, SOL_SOCKET, true);
  words.setInt32(12, SCM_RIGHTS, true);
  words.setInt32(16, fd, true);
  // struct msghdr: name, its length, iovec, their number, control, its length, flags.
  const message = BigUint64Array.of(
    0n,
    0n,
    BigInt(addressOf(part)),
    1n,
    BigInt(addressOf(control)),
    BigInt(control.length),
    0n,
  );
  for (;;) {
    const count = Number(c?.sendmsg(socketFd, message, MSG_DONTWAIT | MSG_NOSIGNAL) ?? -1);
    if (count === 1) return undefined;
    if (errno() !== EINTR) return systemError(errno());
  }
}

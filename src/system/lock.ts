/**
 * The lock that one process holds at a time, for a moment, on one machine. It is flock(2)'s: the kernel frees it when its
 * holder ends, however that happens, so there is never a stale one to break.
 */
import { lockLibc, thrownSystemError } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const O_CLOEXEC = 0o2000000;
const retryMs = 5;

/** A held lock. */
export interface Lock {
  release(): void;
}

/**
 * Waits for the lock of a file, which is made (mode 0600) if it is missing; a symlink is not followed.
 * @param waitMs for how long, at most
 * @returns the reason in words where it could not be had in time, or not at all
 */
export async function takeLock(path: string, waitMs: number): Promise<Lock | string> {
  const fs = process.getBuiltinModule("node:fs");
  const { O_CREAT, O_NOFOLLOW, O_RDWR } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(path, O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0o600);
  } catch (error) {
    return thrownSystemError(error).text;
  }
  const release = () => fs.closeSync(fd);
  const c = lockLibc();
  if (c === undefined) {
    release();
    return "this process can't call the C library";
  }
  const end = performance.now() + waitMs;
  while (c.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    if (performance.now() >= end) {
      release();
      return `somebody else has held it for ${waitMs} ms`;
    }
    await Bun.sleep(retryMs);
  }
  return { release };
}

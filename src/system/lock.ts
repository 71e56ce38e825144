/**
 * The lock that one process holds at a time, for a moment, on one machine. It is flock(2)'s: the kernel frees it when its
 * holder ends, however that happens, so there is never a stale one to break.
 */
import { encodeWord } from "../model/raw-text.ts";
import { makeFolder } from "./files.ts";
import {
  errno,
  libc,
  lockLibc,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_NONBLOCK,
  type SystemError,
  scratchString,
  systemError,
  thrownSystemError,
} from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const O_RDWR = 2;
const O_CREAT = 0o100;
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

/** A file that this process holds, and what is written in it for those who find it held. */
export interface HeldFile {
  /** Replaces the content. A failure is passed over: the content is for others to read, the lock is the kernel's. */
  write(content: string): void;
  /** Gives it up. The file stays: to remove it would let two hold a file of that name. */
  release(): void;
}

/**
 * Takes a file's lock if it is free. The file and its folder are made (modes 0600 and 0700; folders above it: 0755) if
 * they are missing; a symlink is not followed. Loads nothing that a short job would have to pay for.
 */
export function holdFile(path: string): HeldFile | "taken" | SystemError {
  const c = libc();
  const locks = lockLibc();
  if (c === undefined || locks === undefined) {
    return { code: "ENOSYS", text: "this process can't call the C library" };
  }
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  let fd = c.open(scratchString(path), flags, 0o600);
  if (fd < 0 && systemError(errno()).code === "ENOENT") {
    try {
      const folder = path.slice(0, path.lastIndexOf("/"));
      makeFolder(folder.slice(0, folder.lastIndexOf("/")));
      process.getBuiltinModule("node:fs").mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      return thrownSystemError(error);
    }
    fd = c.open(scratchString(path), flags, 0o600);
  }
  if (fd < 0) return systemError(errno());
  if (locks.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const error = systemError(errno());
    c.close(fd);
    return error.code === "EAGAIN" ? "taken" : error;
  }
  return {
    write: (content) => {
      const bytes = encodeWord(content);
      locks.ftruncate(fd, 0);
      if (bytes.length > 0) locks.pwrite(fd, bytes, bytes.length, 0);
    },
    release: () => c.close(fd),
  };
}

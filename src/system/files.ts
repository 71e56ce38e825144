/**
 * Files: the bounded read that can't hang, and the write that a reader never sees half done.
 */
import { Problem } from "../model/problem.ts";
import {
  addressOf,
  errno,
  libc,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  type SystemError,
  scratch,
  scratchString,
  systemError,
  thrownSystemError,
} from "./libc.ts";

/** What {@link readFileStart} found. */
export type FileStart =
  | { readonly bytes: Uint8Array; readonly isWhole: boolean; readonly error?: never }
  | { readonly error: SystemError };

/**
 * Reads the start of a file without ever waiting: a FIFO, a socket or a terminal is refused (`ESPIPE`, `ENXIO`)
 * even while somebody writes to it, and no more than `limit` bytes are read however long the file is.
 * Uses the scratch memory.
 * @param limit bytes
 * @returns the bytes, and whether they are all there is; or why there are none
 */
export function readFileStart(path: string, limit: number): FileStart {
  if (path.includes("\0")) return { error: systemError(2) };
  const c = libc();
  if (c === undefined) return readFileStartWithoutLibc(path, limit);
  const fd = c.open(scratchString(path), O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
  if (fd < 0) return { error: systemError(errno()) };
  try {
    let buffer = scratch;
    let length = 0;
    for (;;) {
      // pread, because it refuses what has no position, even while there is something to read: FIFO, socket, terminal.
      const count = Number(c.pread(fd, addressOf(buffer, length), buffer.length - length, length));
      if (count < 0) return { error: systemError(errno()) };
      length += count;
      if (count === 0 || length > limit) break;
      if (length === buffer.length) {
        const larger = new Uint8Array(Math.min(limit + 1, length * 4));
        larger.set(buffer);
        buffer = larger;
      }
    }
    return { bytes: buffer.slice(0, Math.min(length, limit)), isWhole: length <= limit };
  } finally {
    c.close(fd);
  }
}

/** The same through `node:fs`, which is slower to load: for where no C call can be made. */
function readFileStartWithoutLibc(path: string, limit: number): FileStart {
  const fs = process.getBuiltinModule("node:fs");
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    const stat = fs.fstatSync(fd);
    if (stat.isFIFO() || stat.isSocket()) return { error: systemError(29) };
    const buffer = new Uint8Array(limit + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < buffer.length; length += count) {
      count = fs.readSync(fd, buffer, length, buffer.length - length, null);
    }
    return { bytes: buffer.subarray(0, Math.min(length, limit)), isWhole: length <= limit };
  } catch (error) {
    return { error: thrownSystemError(error) };
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** When a file's content was last changed, in milliseconds since 1970; undefined where it can't be told. */
export function modifiedAtMs(path: string): number | undefined {
  try {
    return process.getBuiltinModule("node:fs").statSync(path).mtimeMs;
  } catch {
    return undefined; // Gone, or not for us to see: undefined is the answer.
  }
}

/**
 * Makes a folder, and those above it, where they are missing, with mode 0755.
 * Whatever the umask, or others could not read what is in it.
 * @throws the system's error
 */
export function makeFolder(folder: string): void {
  const fs = process.getBuiltinModule("node:fs");
  const missing: string[] = [];
  for (let each = folder; each !== "" && !fs.existsSync(each); each = each.slice(0, each.lastIndexOf("/"))) {
    missing.unshift(each);
  }
  for (const each of missing) {
    // Undefined where somebody else has made it meanwhile; then it is theirs.
    if (fs.mkdirSync(each, { recursive: true }) !== undefined) fs.chmodSync(each, 0o755);
  }
}

/**
 * Replaces a file in one step: whoever reads it sees the old content or the new one, whole, even after a power cut.
 * The content is written to a new file beside it, with a name that can't be guessed, flushed, and renamed.
 * A symlink at `path` is replaced, not followed. The parent folder is made (mode 0755) if it is missing.
 * @param mode permission bits, set whatever the umask
 * @throws {Problem} `denied` or `internal` with the system's reason, `invalid` for a device, FIFO or socket. Then nothing
 *   is left behind, and the old file stands, unless only the last flush of its folder failed
 */
export async function writeFileAtomically(path: string, content: string, mode: number): Promise<void> {
  const fs = process.getBuiltinModule("node:fs");
  const slash = path.lastIndexOf("/");
  const folder = path.slice(0, slash) || "/";
  const name = path.slice(slash + 1);
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
  const temporary = `${folder}/.${name}.${random}`;
  let made = false;
  try {
    const old = fs.lstatSync(path, { throwIfNoEntry: false });
    if (old !== undefined && !old.isFile() && !old.isSymbolicLink() && !old.isDirectory()) {
      throw new Problem("invalid", `${path} must be a regular file: it is a device, a FIFO or a socket`);
    }
    makeFolder(folder);
    const fd = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600);
    made = true;
    try {
      fs.writeFileSync(fd, content);
      fs.fchmodSync(fd, mode);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, path);
    made = false;
    const folderFd = fs.openSync(folder, O_CLOEXEC);
    try {
      fs.fsyncSync(folderFd);
    } finally {
      fs.closeSync(folderFd);
    }
  } catch (error) {
    if (made) fs.rmSync(temporary, { force: true });
    if (error instanceof Problem) throw error;
    const { code, text } = thrownSystemError(error);
    const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
    throw new Problem(denied ? "denied" : "internal", `${path} must be writable: ${text}`, { cause: error });
  }
}

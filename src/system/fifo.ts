/**
 * A FIFO's bytes as they come.
 */
import { Problem } from "../model/problem.ts";
import { O_CLOEXEC, thrownSystemError } from "./libc.ts";

/** For a FIFO that nobody has opened to write yet. */
const firstWriterWaitMs = 5000;
const pollMs = 20;

/** A FIFO to read from. */
export interface Fifo {
  /**
   * What is written to it, until its last writer has closed it, or the signal is aborted. A FIFO that has no writer yet is
   * waited for, 5 s at most. To be read once.
   * @throws {Problem} `not-found`, `denied`, `invalid` where it can't be opened or is no FIFO, at the first read
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /**
   * Puts back what was read, behind what is in it, for whoever reads it next; for when `bytes` is no longer read. It is
   * kept for as long as somebody else has the FIFO open, be it to write alone. Never waits, never throws.
   */
  putBack(text: string): void;
}

/** @param signal ends the reading */
export function openFifo(path: string, signal: AbortSignal): Fifo {
  const opened: { inode?: number } = {};
  return {
    bytes: read(path, signal, opened),
    putBack: (text) => putBack(path, text, opened.inode),
  };
}

async function* read(
  path: string,
  signal: AbortSignal,
  opened: { inode?: number },
): AsyncGenerator<Uint8Array> {
  const fs = process.getBuiltinModule("node:fs");
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | O_CLOEXEC);
  } catch (error) {
    const { code, text } = thrownSystemError(error);
    const kind = code === "ENOENT" ? "not-found" : code === "EACCES" ? "denied" : "internal";
    throw new Problem(kind, `the FIFO must be readable: ${text}`, { where: path, cause: error });
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFIFO()) throw new Problem("invalid", "must be a FIFO", { where: path });
    opened.inode = stat.ino;
    const first = await firstBytes(fd, signal);
    if (first === undefined) return;
    if (first.length > 0) yield first;
    const reader = Bun.file(fd).stream().getReader();
    const cancel = () => reader.cancel().catch(() => {}); // it has ended by itself meanwhile
    signal.addEventListener("abort", cancel);
    try {
      while (!signal.aborted) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      await cancel(); // The stream reads a descriptor of its own, which it closes.
    }
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Waits until somebody has the FIFO open to write: before that, its end and its emptiness look alike.
 * @returns what there is already; undefined where nobody came
 */
async function firstBytes(fd: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const fs = process.getBuiltinModule("node:fs");
  const buffer = new Uint8Array(4096);
  for (let waitedMs = 0; waitedMs < firstWriterWaitMs && !signal.aborted; waitedMs += pollMs) {
    try {
      const count = fs.readSync(fd, buffer, 0, buffer.length, null);
      if (count > 0) return buffer.subarray(0, count);
    } catch (error) {
      if (thrownSystemError(error).code !== "EAGAIN") throw error;
      return new Uint8Array(0); // There is a writer, and nothing to read yet.
    }
    await Bun.sleep(pollMs);
  }
  return undefined;
}

/** @param inode of the FIFO that was read: another one at its path is not its successor */
function putBack(path: string, text: string, inode: number | undefined): void {
  const fs = process.getBuiltinModule("node:fs");
  try {
    const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK | O_CLOEXEC);
    try {
      const stat = fs.fstatSync(fd);
      if (stat.isFIFO() && stat.ino === inode) fs.writeSync(fd, text);
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // Gone, full or another's by now: then nobody waits for it either.
  }
}

/**
 * What brings a remote run's output into a descriptor that somebody reads, without ever waiting for that reader.
 */
import { addressOf, errno, O_NONBLOCK, pipeLibc, type SystemError, systemError } from "../../system/libc.ts";
import { closeFd } from "../../system/pipe.ts";
import { sleepUntilAborted } from "../../system/timers.ts";

const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
const EAGAIN = 11;
const EINTR = 4;
/** How long a reader that takes nothing is waited for at the end. */
export const stallLimitMs = 60_000;
const firstTryMs = 1;
const lastTryMs = 50;

/**
 * Closes writers, each of them once. Waits until all was taken, or nobody has taken all of it for a time; then it is on its way
 * still, for as long as this process is there.
 */
export async function closeWriters(
  writers: Iterable<StreamWriter>,
  limitMs: number = stallLimitMs,
): Promise<void> {
  const waiting = new AbortController();
  const closed = Promise.all([...new Set(writers)].map((writer) => writer.close()));
  await Promise.race([closed, sleepUntilAborted(limitMs, waiting.signal)]);
  waiting.abort();
}

/** A writer with a descriptor of its own. */
export class StreamWriter {
  #fd: number;
  #unwritten: Uint8Array = new Uint8Array(0);
  #onRoom: () => void;
  #onIdle: (() => void) | undefined;

  private constructor(fd: number, onRoom: () => void) {
    this.#fd = fd;
    this.#onRoom = onRoom;
  }

  /**
   * @param fd copied, and made non-blocking; it may be closed here at once
   * @param onRoom called when there is room again, after {@link write} has said that there is none
   */
  static open(fd: number, onRoom: () => void): StreamWriter | SystemError {
    const c = pipeLibc();
    const copy = c?.fcntl(fd, F_DUPFD_CLOEXEC, 3) ?? -1;
    if (c === undefined || copy < 0) return systemError(errno());
    c.fcntl(copy, F_SETFL, O_NONBLOCK);
    return new StreamWriter(copy, onRoom);
  }

  /** Takes all of it. @returns false where no more may be given until there is room */
  write(bytes: Uint8Array): boolean {
    if (this.#unwritten.length > 0) {
      this.#unwritten = Buffer.concat([this.#unwritten, bytes]);
      return false;
    }
    const written = this.#put(bytes);
    if (written === bytes.length) return true;
    this.#unwritten = bytes.slice(written);
    this.#again(firstTryMs);
    return false;
  }

  /** Waits until all was taken, or nobody takes anything any more, and closes. */
  async close(): Promise<void> {
    if (this.#unwritten.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    closeFd(this.#fd);
    this.#fd = -1;
  }

  #again(ms: number): void {
    setTimeout(() => {
      this.#unwritten = this.#unwritten.subarray(this.#put(this.#unwritten));
      if (this.#unwritten.length > 0) {
        this.#again(Math.min(ms * 2, lastTryMs));
        return;
      }
      this.#onRoom();
      this.#onIdle?.();
    }, ms);
  }

  /** @returns how many bytes need not be written any more */
  #put(bytes: Uint8Array): number {
    const c = pipeLibc();
    for (let at = 0; ; ) {
      if (at === bytes.length || c === undefined) return bytes.length;
      const count = Number(c.write(this.#fd, addressOf(bytes, at), bytes.length - at));
      if (count >= 0) at += count;
      else if (errno() === EAGAIN) return at;
      else if (errno() !== EINTR) return bytes.length; // nobody reads it any more
    }
  }
}

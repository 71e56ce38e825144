/**
 * What is kept of a job's output for mail and record: its beginning and its end, in bounded memory however much there is.
 */

/** So many bytes are kept of either end. */
export const keptBytes = 16 * 1024;

/** What was kept. Where nothing is left out, `head` is all there is and `tail` is empty. */
export interface Kept {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** All that came. */
  readonly bytes: number;
  /** Of these, what stood between head and tail. */
  readonly leftOut: number;
}

/** Collects bytes; keeps the first and the last of them. */
export class HeadTail {
  readonly #size: number;
  #head: Uint8Array;
  #headLength = 0;
  /** The last bytes behind the head, once that takes no more; twice as long as is kept, so that it is moved seldom. */
  #tail: Uint8Array | undefined;
  #tailLength = 0;
  #bytes = 0;

  /** @param size bytes that are kept of either end */
  constructor(size = keptBytes) {
    this.#size = size;
    this.#head = new Uint8Array(Math.min(size, 1024));
  }

  /** Everything that has come so far, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a copy of what it keeps. */
  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const room = this.#tail === undefined ? this.#size - this.#headLength : 0;
    if (room > 0) this.#addToHead(bytes.subarray(0, room));
    if (bytes.length > room) this.#addToTail(bytes, Math.max(0, room));
  }

  /** So many bytes have come as well, and nobody has them: head and tail are on either side of them. @param bytes 0 or more */
  skip(bytes: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    this.#tail ??= new Uint8Array(this.#size * 2);
    this.#tailLength = 0;
  }

  /** A copy of what was kept so far. */
  kept(): Kept {
    const tail = this.#tail?.subarray(Math.max(0, this.#tailLength - this.#size), this.#tailLength);
    const leftOut = this.#bytes - this.#headLength - (tail?.length ?? 0);
    const head = this.#head.slice(0, this.#headLength);
    if (tail === undefined || tail.length === 0)
      return { head, tail: new Uint8Array(), bytes: this.#bytes, leftOut };
    if (leftOut > 0) return { head, tail: tail.slice(), bytes: this.#bytes, leftOut };
    const whole = new Uint8Array(head.length + tail.length);
    whole.set(head);
    whole.set(tail, head.length);
    return { head: whole, tail: new Uint8Array(), bytes: this.#bytes, leftOut };
  }

  #addToHead(bytes: Uint8Array): void {
    const length = this.#headLength + bytes.length;
    if (length > this.#head.length) {
      const larger = new Uint8Array(Math.min(this.#size, Math.max(length, this.#head.length * 4)));
      larger.set(this.#head.subarray(0, this.#headLength));
      this.#head = larger;
    }
    this.#head.set(bytes, this.#headLength);
    this.#headLength = length;
  }

  #addToTail(bytes: Uint8Array, from: number): void {
    this.#tail ??= new Uint8Array(this.#size * 2);
    const last = bytes.subarray(Math.max(from, bytes.length - this.#size));
    if (this.#tailLength + last.length > this.#tail.length) {
      const keep = Math.min(this.#tailLength, this.#size);
      this.#tail.copyWithin(0, this.#tailLength - keep, this.#tailLength);
      this.#tailLength = keep;
    }
    this.#tail.set(last, this.#tailLength);
    this.#tailLength += last.length;
  }
}

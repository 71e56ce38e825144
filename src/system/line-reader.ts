/**
 * Lines out of a stream of bytes, with a bound on what is kept of one that has no end.
 */

const lineFeed = 10;

/** Puts lines together. */
export class LineReader {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param limit the bytes of a line, at most, without its end */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes what came. Bytes that are no UTF-8 become U+FFFD.
   * @returns the lines that are whole now, without their ends; `too-long` for one above the limit, and nothing may be
   *   pushed after that
   */
  push(bytes: Uint8Array): string[] | "too-long" {
    const lines: string[] = [];
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, from)) {
      const part = bytes.subarray(from, end);
      from = end + 1;
      if (this.#length + part.length > this.#limit) return "too-long";
      lines.push(this.#length === 0 ? textOf(part) : textOf(Buffer.concat([...this.#parts, part])));
      if (this.#length > 0) this.#parts = [];
      this.#length = 0;
    }
    // A copy: the runtime reads the next bytes into the same memory.
    if (from < bytes.length) this.#keep(bytes.slice(from));
    return this.#length > this.#limit ? "too-long" : lines;
  }

  #keep(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

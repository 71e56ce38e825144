/**
 * The standard output of a program that a job's script was given to: takes the marks out of it (job-script.ts), and whatever
 * stands before the first one, and leaves the job's own bytes as they are.
 *
 * Nothing is held back but what may be the beginning of a mark.
 */
import { readMark, type ScriptMark, type ScriptToken } from "./job-script.ts";

/** Who has what. */
export interface ScriptOutputPorts {
  /** The job's bytes; valid during the call alone. */
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onMark: (mark: ScriptMark) => void;
  /** What was printed before anything began; valid during the call alone. */
  readonly onNoise: (bytes: Uint8Array) => void;
}

const newline = 0x0a;
const carriageReturn = 0x0d;
/** So many bytes of a token are nobody's else. */
const tokenStart = 8;

/** One start's output. */
export class ScriptOutput {
  readonly #token: ScriptToken;
  readonly #ports: ScriptOutputPorts;
  /** Shorter than a mark with its token. */
  #held: Uint8Array = new Uint8Array();
  #hasBegun = false;
  /** The last bytes were a mark; its line's end is no output either. */
  #isBehindMark = false;

  constructor(token: ScriptToken, ports: ScriptOutputPorts) {
    this.#token = token;
    this.#ports = ports;
  }

  /** @param bytes the next ones; valid during the call alone */
  push(bytes: Uint8Array): void {
    let rest = this.#held.length > 0 ? Buffer.concat([this.#held, bytes]) : bytes;
    this.#held = new Uint8Array();
    for (;;) {
      if (this.#isBehindMark) {
        const end = lineEndOf(rest);
        if (end === "more") break;
        this.#isBehindMark = false;
        rest = rest.subarray(end);
      }
      const at = this.#find(rest);
      this.#give(rest.subarray(0, at));
      rest = rest.subarray(at);
      if (rest.length === 0) return;
      const { length } = this.#token.bytes;
      const read = rest.length < length ? "more" : readMark(rest.subarray(length));
      if (read === "more") break;
      if (read === undefined) {
        // The token, and no mark behind it: whoever wrote it, it is output.
        this.#give(rest.subarray(0, length));
        rest = rest.subarray(length);
        continue;
      }
      this.#hasBegun = true;
      this.#ports.onMark(read.mark);
      rest = rest.subarray(length + read.length);
      this.#isBehindMark = true;
    }
    this.#held = rest.slice();
  }

  /** Nothing more will come: what was held back is output after all, unless it can only be half a mark. */
  end(): void {
    const held = this.#held;
    this.#held = new Uint8Array();
    if (held.length < tokenStart) this.#give(held);
  }

  #give(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#hasBegun) this.#ports.onBytes(bytes);
    else this.#ports.onNoise(bytes);
  }

  /** Where the token stands, or what may become one begins; where the bytes end if neither is there. */
  #find(bytes: Uint8Array): number {
    const token = this.#token.bytes;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const whole = view.indexOf(token);
    if (whole >= 0) return whole;
    for (let at = Math.max(0, view.length - token.length + 1); ; at++) {
      at = view.indexOf(token[0] ?? 0, at);
      if (at < 0) return view.length;
      if (view.subarray(at).equals(token.subarray(0, view.length - at))) return at;
    }
  }
}

/** How many bytes of a line's end stand here; a terminal between here and there has made two of one. */
function lineEndOf(bytes: Uint8Array): number | "more" {
  if (bytes.length === 0 || (bytes.length === 1 && bytes[0] === carriageReturn)) return "more";
  if (bytes[0] === newline) return 1;
  return bytes[0] === carriageReturn && bytes[1] === newline ? 2 : 0;
}

/**
 * Output that is wanted only if the run fails, held until that is known: in memory, and what is more in a file without a
 * name, which is gone with this process however it ends.
 */
import { O_CLOEXEC, thrownSystemError } from "../system/libc.ts";
import { Outlet } from "../system/outlet.ts";
import { closeFd } from "../system/pipe.ts";
import type { Receiver } from "./receivers.ts";

const firstMemory = 4 * 1024;
const copyPiece = 64 * 1024;

/** How much is held, in bytes. */
export interface HoldLimits {
  /** In memory; what comes when this is full goes to the file. */
  readonly memory: number;
  /** In the file; what comes when this is full is lost, and said to be. */
  readonly file: number;
}

const usualLimits: HoldLimits = { memory: 256 * 1024, file: 1024 ** 3 };

/** Holds all output of a run, from its beginning. */
export class HeldOutput implements Receiver {
  readonly warnings: string[] = [];
  readonly waiting = 0;
  readonly #folders: readonly string[];
  readonly #limits: HoldLimits;
  #memory = new Uint8Array(firstMemory);
  #inMemory = 0;
  #file: TemporaryFile | "none" | undefined;
  #inFile = 0;
  #lost = 0;

  /** @param folders where the file may be; the first that takes it */
  constructor(folders: readonly string[], limits = usualLimits) {
    this.#folders = folders;
    this.#limits = limits;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#file === undefined && this.#inMemory + bytes.length <= this.#limits.memory)
      this.#addToMemory(bytes);
    else {
      this.#file ??= this.#openFile();
      const kept = this.#addToFile(bytes);
      this.#inFile += kept;
      this.#lost += bytes.length - kept;
    }
    return true;
  }

  giveUp(): void {} // it never stands still

  flush(): boolean {
    return true;
  }

  /** The run has failed: gives all that was held. The bytes are valid until what `receive` returns is settled. */
  async give(receive: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    if (this.#inMemory > 0) await receive(this.#memory.subarray(0, this.#inMemory));
    const buffer = new Uint8Array(Math.min(copyPiece, this.#inFile));
    for (let at = 0; at < this.#inFile; ) {
      const count = this.#readFile(buffer.subarray(0, this.#inFile - at), at);
      if (count === 0) {
        this.#lost += this.#inFile - at;
        break;
      }
      await receive(buffer.subarray(0, count));
      at += count;
    }
    if (this.#lost > 0) await receive(new TextEncoder().encode(`\n[${this.#lost} bytes left out]\n`));
  }

  close(): void {
    this.#memory = new Uint8Array();
    this.#inMemory = 0;
    this.#inFile = 0;
    if (typeof this.#file === "object") closeFd(this.#file.fd);
    this.#file = "none";
  }

  #addToMemory(bytes: Uint8Array): void {
    const length = this.#inMemory + bytes.length;
    if (length > this.#memory.length) {
      const larger = new Uint8Array(Math.min(this.#limits.memory, Math.max(length, this.#memory.length * 2)));
      larger.set(this.#memory.subarray(0, this.#inMemory));
      this.#memory = larger;
    }
    this.#memory.set(bytes, this.#inMemory);
    this.#inMemory = length;
  }

  /** @returns how many bytes were taken; none any more when some were lost: what is given has a gap at its end alone */
  #addToFile(bytes: Uint8Array): number {
    if (typeof this.#file !== "object" || this.#lost > 0) return 0;
    if (this.#inFile + bytes.length > this.#limits.file) return 0;
    const written = this.#file.outlet.write(bytes);
    if (typeof written === "number") return written;
    this.warnings.push(`output can't be held: ${written.text}`);
    return 0;
  }

  #readFile(buffer: Uint8Array, at: number): number {
    if (typeof this.#file !== "object") return 0;
    try {
      return process.getBuiltinModule("node:fs").readSync(this.#file.fd, buffer, 0, buffer.length, at);
    } catch (error) {
      this.warnings.push(`held output can't be read: ${thrownSystemError(error).text}`);
      return 0;
    }
  }

  #openFile(): TemporaryFile | "none" {
    const fs = process.getBuiltinModule("node:fs");
    const O_TMPFILE = 0o20000000 | fs.constants.O_DIRECTORY;
    for (const folder of this.#folders) {
      try {
        const fd = fs.openSync(folder, O_TMPFILE | fs.constants.O_RDWR | O_CLOEXEC, 0o600);
        return { fd, outlet: new Outlet(fd) };
      } catch {
        // Not there, not ours, or a file system that knows no such files: the next one.
      }
    }
    const size = `${this.#limits.memory / 1024} kB`;
    this.warnings.push(`output beyond ${size} can't be held: no folder takes a temporary file`);
    return "none";
  }
}

interface TemporaryFile {
  readonly fd: number;
  readonly outlet: Outlet;
}

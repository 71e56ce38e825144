/**
 * Who receives a job's output at once: a descriptor, a file, the log.
 *
 * None of them waits. One that has no room says so; the job's pipe fills then, and the job itself waits, as it would for
 * a slow reader without us.
 */
import { printable } from "../model/printable.ts";
import { O_CLOEXEC, thrownSystemError } from "../system/libc.ts";
import { Outlet } from "../system/outlet.ts";
import { closeFd } from "../system/pipe.ts";

/** Takes output, in order. */
export interface Receiver {
  /**
   * Takes all of `bytes`; what can't go out at once is kept (a copy).
   * @returns false where nothing more shall come until `flush` says true
   */
  take(bytes: Uint8Array): boolean;
  /** @returns true where nothing is left that was taken, and can go out */
  flush(): boolean;
  /** How much of what was taken waits to go out. */
  readonly waiting: number;
  /** It has stood still for too long: what waits and what comes from now on is lost to it, and is counted. */
  giveUp(): void;
  /** Nothing more comes, and what is still kept is given up. */
  close(): void;
  /** What went wrong, each a sentence. */
  readonly warnings: readonly string[];
  /** True when whoever read it has gone, as `head` does in `job | head`. */
  readonly isGone?: boolean;
}

/** Writes to a descriptor of this process: its own standard output, or a file. */
export class DescriptorReceiver implements Receiver {
  readonly warnings: string[] = [];
  readonly #label: string;
  /** Undefined when it can't be written to any more. */
  #outlet: Outlet | undefined;
  /** What waits stands in it from `#from` to `#to`; made once, and used again. */
  #memory = new Uint8Array();
  #from = 0;
  #to = 0;
  #lost = 0;
  isGone = false;

  constructor(fd: number, label: string) {
    this.#label = label;
    this.#outlet = new Outlet(fd);
  }

  get waiting(): number {
    return this.#to - this.#from;
  }

  take(bytes: Uint8Array): boolean {
    const written = this.waiting > 0 ? 0 : this.#write(bytes);
    if (written < bytes.length) this.#keep(bytes, written);
    return this.waiting === 0;
  }

  flush(): boolean {
    if (this.waiting > 0) this.#from += this.#write(this.#memory.subarray(this.#from, this.#to));
    return this.waiting === 0;
  }

  /** From now on it writes to another descriptor. */
  replace(fd: number): void {
    this.#outlet?.close();
    this.#outlet = new Outlet(fd);
  }

  giveUp(): void {
    this.#lost += this.waiting;
    this.#from = this.#to;
    this.#outlet?.close();
    this.#outlet = undefined;
  }

  close(): void {
    this.giveUp();
    if (this.#lost > 0 && !this.isGone) {
      this.warnings.push(`${this.#label}: ${this.#lost} bytes of output were lost`);
    }
    this.#lost = 0;
  }

  #keep(bytes: Uint8Array, from: number): void {
    const waiting = this.waiting;
    const length = waiting + bytes.length - from;
    const old = this.#memory;
    if (length > old.length) this.#memory = new Uint8Array(length);
    this.#memory.set(old.subarray(this.#from, this.#to));
    this.#memory.set(from === 0 ? bytes : bytes.subarray(from), waiting);
    this.#from = 0;
    this.#to = length;
  }

  /** @returns how many bytes are done with: written, or lost for good */
  #write(bytes: Uint8Array): number {
    const written = this.#outlet?.write(bytes);
    if (typeof written === "number") return written;
    // Nothing is tried again: a reader that has gone does not come back, and a full disk has lost its order.
    this.#outlet?.close();
    this.#outlet = undefined;
    this.#lost += bytes.length;
    if (written?.code === "EPIPE") this.isGone = true;
    else if (written !== undefined) this.warnings.push(`${this.#label}: ${written.text}`);
    return bytes.length;
  }
}

const reopenMs = 1000;

/** Appends to a file by its name; one that was rotated away meanwhile is opened anew. */
export class FileReceiver implements Receiver {
  readonly #path: string;
  readonly #now: () => number;
  readonly #ownWarnings = new Set<string>();
  #fd = -1;
  #receiver: DescriptorReceiver | undefined;
  #lookedMs = 0;

  /** @param now a clock in milliseconds that never goes back */
  constructor(path: string, now: () => number = () => performance.now()) {
    this.#path = path;
    this.#now = now;
    this.#open();
  }

  get warnings(): readonly string[] {
    return [...this.#ownWarnings, ...(this.#receiver?.warnings ?? [])];
  }

  get waiting(): number {
    return this.#receiver?.waiting ?? 0;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#receiver === undefined) return true;
    if (this.#now() - this.#lookedMs >= reopenMs) this.#reopenIfRotated();
    return this.#receiver.take(bytes);
  }

  flush(): boolean {
    return this.#receiver?.flush() ?? true;
  }

  giveUp(): void {
    this.#receiver?.giveUp();
  }

  close(): void {
    this.#receiver?.close();
    if (this.#fd >= 0) closeFd(this.#fd);
    this.#fd = -1;
  }

  #open(): void {
    const fs = process.getBuiltinModule("node:fs");
    const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = fs.constants;
    this.#lookedMs = this.#now();
    try {
      // 0640 at most: output may hold what not everybody shall read. A FIFO without a reader is refused, not waited for.
      const fd = fs.openSync(
        this.#path,
        O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
        0o640,
      );
      const old = this.#fd;
      this.#fd = fd;
      if (this.#receiver === undefined) this.#receiver = new DescriptorReceiver(fd, printable(this.#path));
      else this.#receiver.replace(fd);
      if (old >= 0) closeFd(old);
    } catch (error) {
      this.#ownWarnings.add(
        `can't write output to ${printable(this.#path)}: ${thrownSystemError(error).text}`,
      );
    }
  }

  #reopenIfRotated(): void {
    const fs = process.getBuiltinModule("node:fs");
    this.#lookedMs = this.#now();
    if (!(this.#receiver?.flush() ?? true)) return;
    try {
      const here = fs.fstatSync(this.#fd);
      const there = fs.statSync(this.#path, { throwIfNoEntry: false });
      if (there === undefined || there.ino !== here.ino || there.dev !== here.dev) this.#open();
    } catch {
      // It can't be looked at any more: what is open stays open.
    }
  }
}

/** A line of output longer than this goes to the log in several messages. */
const logLineLimit = 4000;

/** Gives each line to the log. */
export class LogReceiver implements Receiver {
  readonly warnings: string[] = [];
  readonly #log: (line: string) => void;
  readonly #isBusy: () => boolean;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #isGivenUp = false;
  #lost = 0;

  /** @param isBusy true while the log has no room for more */
  constructor(log: (line: string) => void, isBusy: () => boolean) {
    this.#log = log;
    this.#isBusy = isBusy;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#isGivenUp) {
      this.#lost += bytes.length;
      return true;
    }
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    return this.flush();
  }

  get waiting(): number {
    return this.#rest.length;
  }

  flush(): boolean {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end < 0 && this.#rest.length < logLineLimit) return true;
      if (this.#isBusy()) return false;
      const length = end < 0 || end > logLineLimit ? logLineLimit : end;
      const line = this.#rest.slice(0, length);
      this.#rest = this.#rest.slice(length === end ? length + 1 : length);
      this.#say(line);
    }
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#lost += Buffer.byteLength(this.#rest);
    this.#rest = "";
  }

  close(): void {
    if (this.#lost > 0) this.warnings.push(`the log: ${this.#lost} bytes of output were lost`);
    if (this.#isGivenUp) return;
    this.#rest += this.#decoder.decode();
    for (const line of this.#rest.split("\n")) this.#say(line);
    this.#rest = "";
  }

  #say(line: string): void {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (text !== "") this.#log(printable(text));
  }
}

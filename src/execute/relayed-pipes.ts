/**
 * Standard output and error of a program on their way through this process, in bounded memory: who takes something out of them
 * stands between two pipes of ours and the descriptors of whoever has the rest.
 *
 * Where both descriptors are one, what comes is written there in the order in which it comes. What stands in both pipes at the
 * same moment has no order any more; then standard output is first.
 *
 * Should this process be killed, the program gets SIGPIPE with its next word: nobody else can read on, and it would otherwise be
 * halted for ever once the pipes are full.
 */
import { Problem } from "../model/problem.ts";
import type { SystemError } from "../system/libc.ts";
import { closeFd, PipeReader } from "../system/pipe.ts";
import { sleepUntilAborted } from "../system/timers.ts";
import { closeWriters, StreamWriter } from "./ssh/stream-writer.ts";

/** One of the two. */
export type OutputName = "stdout" | "stderr";

/** How long something that the program left behind may go on with its output, when all of its own is read. */
const detachGraceMs = 500;
/** What a pipe holds whose size the system does not tell. */
const usualCapacity = 64 * 1024;

interface Line {
  readonly reader: PipeReader;
  /** When the program has ended: how much of what was there then may be unread. */
  leftBytes: number;
  isEnded: boolean;
}

/** The two pipes of one start. */
export class RelayedPipes {
  readonly #onBytes: (name: OutputName, bytes: Uint8Array) => void;
  readonly #lines = new Map<OutputName, Line>();
  readonly #writers = new Map<OutputName, StreamWriter>();
  readonly #allEnded = new AbortController();
  readonly #restRead = Promise.withResolvers<void>();
  #isProgramOver = false;
  #hasRoom = true;
  #areGiven = false;

  private constructor(onBytes: (name: OutputName, bytes: Uint8Array) => void) {
    this.#onBytes = onBytes;
  }

  /**
   * @param sinks descriptors that {@link write} leads to, copied; undefined: to nobody
   * @param onBytes has what the program writes; the bytes are valid during the call alone
   * @returns the Problem `internal` where the system has no descriptors left
   */
  static open(
    sinks: Readonly<Record<OutputName, number>> | undefined,
    onBytes: (name: OutputName, bytes: Uint8Array) => void,
  ): RelayedPipes | Problem {
    const pipes = new RelayedPipes(onBytes);
    const refused = pipes.#openLine("stdout") ?? pipes.#openLine("stderr") ?? pipes.#openWriters(sinks);
    if (refused === undefined) return pipes;
    pipes.#closeAll();
    return new Problem("internal", `the job's output can't be had: ${refused.text}`);
  }

  /** For the program; to be {@link given} when it has them. */
  get writeFds(): Readonly<Record<OutputName, number>> {
    const fdOf = (name: OutputName) => this.#lines.get(name)?.reader.writeFd ?? -1;
    return { stdout: fdOf("stdout"), stderr: fdOf("stderr") };
  }

  /** True while whoever has the output takes nothing. */
  get isBlocked(): boolean {
    return !this.#hasRoom;
  }

  /** The program has the writing ends, or was not started. */
  given(): void {
    if (this.#areGiven) return;
    this.#areGiven = true;
    for (const { reader } of this.#lines.values()) closeFd(reader.writeFd);
  }

  /** Brings bytes to whoever has that stream. */
  write(name: OutputName, bytes: Uint8Array): void {
    if (this.#writers.get(name)?.write(bytes) === false) this.#hasRoom = false;
  }

  /** The program has ended: takes what stands in the pipes, whoever is slow, and what else comes within a short time. */
  async readRest(): Promise<void> {
    this.#isProgramOver = true;
    for (const line of this.#lines.values()) line.leftBytes = line.reader.capacity || usualCapacity;
    for (const { reader, isEnded } of this.#lines.values()) if (!isEnded) reader.resume();
    this.#look();
    await this.#restRead.promise;
    await sleepUntilAborted(detachGraceMs, this.#allEnded.signal);
  }

  /**
   * Waits until all that was written is had, or nobody has taken all of it for a minute; then it is on its way still. Who writes
   * on does so to nobody.
   */
  async close(): Promise<void> {
    for (const { reader, isEnded } of this.#lines.values()) if (!isEnded) reader.discard();
    await closeWriters(this.#writers.values());
  }

  #openLine(name: OutputName): SystemError | undefined {
    const reader = PipeReader.open({
      onBytes: (bytes) => {
        line.leftBytes -= bytes.length;
        this.#onBytes(name, bytes);
        this.#look();
        return this.#hasRoom || line.leftBytes > 0;
      },
      onEmpty: () => {
        line.leftBytes = 0;
        this.#look();
      },
      onEnd: () => {
        line.isEnded = true;
        if ([...this.#lines.values()].every(({ isEnded }) => isEnded)) this.#allEnded.abort();
        this.#look();
      },
    });
    if ("code" in reader) return reader;
    const line: Line = { reader, leftBytes: 0, isEnded: false };
    this.#lines.set(name, line);
    return undefined;
  }

  #openWriters(sinks: Readonly<Record<OutputName, number>> | undefined): SystemError | undefined {
    if (sinks === undefined) return undefined;
    const onRoom = () => this.#goOn();
    const stdout = StreamWriter.open(sinks.stdout, onRoom);
    if ("code" in stdout) return stdout;
    this.#writers.set("stdout", stdout);
    const stderr = sinks.stderr === sinks.stdout ? stdout : StreamWriter.open(sinks.stderr, onRoom);
    if ("code" in stderr) return stderr;
    this.#writers.set("stderr", stderr);
    return undefined;
  }

  #goOn(): void {
    this.#hasRoom = true;
    for (const { reader, isEnded } of this.#lines.values()) if (!isEnded) reader.resume();
  }

  #look(): void {
    if (!this.#isProgramOver) return;
    const isRead = [...this.#lines.values()].every(({ isEnded, leftBytes }) => isEnded || leftBytes <= 0);
    if (isRead) this.#restRead.resolve();
  }

  #closeAll(): void {
    this.given();
    for (const { reader } of this.#lines.values()) reader.close();
    for (const writer of new Set(this.#writers.values())) void writer.close();
  }
}

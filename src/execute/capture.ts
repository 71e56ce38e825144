/**
 * A job's output on its way: from the pipe to each of its receivers, in order and in bounded memory, with head and tail
 * kept for mail and record.
 *
 * Standard output and error share one pipe, so that their order is the job's own, unless something must tell them apart:
 * `error if-stderr`, or `output cron` where this process's own two streams lead to different places.
 */
import { HeadTail, type Kept } from "../model/head-tail.ts";
import type { OutputRule } from "../model/rules.ts";
import type { SystemError } from "../system/libc.ts";
import { sameFile } from "../system/outlet.ts";
import {
  closeFd,
  type FoundPipe,
  inodeOfPipe,
  type PipeListener,
  PipeReader,
  type WithoutReader,
  whenReady,
} from "../system/pipe.ts";
import { HeldOutput } from "./held-output.ts";
import type { Streams } from "./local.ts";
import { DescriptorReceiver, FileReceiver, LogReceiver, type Receiver } from "./receivers.ts";

/** How long something that the job started may go on with its output when the job has ended, and all of its own is read. */
const detachGraceMs = 500;
/** How long a reader that takes nothing is waited for when the job has ended. */
const defaultStallLimitMs = 60_000;
const firstFlushMs = 2;
const lastFlushMs = 50;

/** What is done with the output. */
export interface CaptureOptions {
  readonly outputs: readonly OutputRule[];
  /** True where it must be known whether the job wrote to standard error. */
  readonly isStderrApart: boolean;
  /** Where output may be held in a file without a name, in order of preference. */
  readonly holdFolders: readonly string[];
  readonly logLine: (line: string) => void;
  /** True while the log has no room. */
  readonly isLogBusy: () => boolean;
  /** `waits` for a job that shall outlive this process unaltered; undefined: `gone`. */
  readonly withoutReader?: WithoutReader;
  /** Told of all that comes, as it comes; the bytes are valid during the call alone. What it throws is passed over. */
  readonly onOutput?: ((bytes: Uint8Array) => void) | undefined;
}

/** Which pipes a job writes to: their inodes. Undefined: none of ours. The same one where its streams are not told apart. */
export interface PipeMarks {
  readonly stdout?: number | undefined;
  readonly stderr?: number | undefined;
}

/** Copies the output of one run, which may have several attempts. */
export class Capture {
  readonly #options: CaptureOptions;
  readonly #stallLimitMs: number;
  readonly #headTail = new HeadTail();
  /** What standard output goes to, and what standard error does where it is apart. */
  readonly #stdout: Receiver[] = [];
  readonly #stderr: Receiver[] = [];
  readonly #all = new Set<Receiver>();
  readonly #held: HeldOutput | undefined;
  readonly #isApart: boolean;
  readonly #warnings: string[] = [];
  /** The pipes of the attempt that may give more, each with how many bytes the job itself may have left in it at its end. */
  readonly #pipes = new Map<PipeReader, number>();
  /** Those that the attempt was started with. */
  #begun: { readonly stdout: PipeReader; readonly stderr: PipeReader } | undefined;
  #onAllEnded: () => void = () => {};
  #stderrBytes = 0;
  #flushTimer: Timer | undefined;
  #forgetReady: (() => void) | undefined;
  #progressMs = 0;

  /** @param stallLimitMs how long a receiver that takes nothing is waited for when the job has ended */
  constructor(options: CaptureOptions, stallLimitMs = defaultStallLimitMs) {
    this.#options = options;
    this.#stallLimitMs = stallLimitMs;
    const live = options.outputs.filter(({ isIfError }) => !isIfError);
    const toCron = live.some(({ sink }) => sink.kind === "cron");
    this.#isApart = options.isStderrApart || (toCron && !sameFile(1, 2));
    for (const rule of live) this.#add(rule);
    const isHeld = options.outputs.some(({ isIfError, sink }) => isIfError && sink.kind !== "mail");
    this.#held = isHeld ? new HeldOutput(options.holdFolders) : undefined;
    if (this.#held !== undefined) this.#addBoth(this.#held);
  }

  /** What went wrong, each a sentence; complete after {@link finish}. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** True where the job wrote to standard error, and that was to be known. */
  get hasStderr(): boolean {
    return this.#stderrBytes > 0;
  }

  /** What was kept so far. */
  kept(): Kept {
    return this.#headTail.kept();
  }

  /** Makes pipes for an attempt. @returns the writing ends, for the job; or why there are none */
  begin(): Streams | SystemError {
    this.#begun = undefined;
    const stdout = this.#openPipe(this.#stdout, false);
    if ("code" in stdout) return stdout;
    const stderr = this.#isApart ? this.#openPipe(this.#stderr, true) : stdout;
    if ("code" in stderr) {
      this.abandon();
      return stderr;
    }
    this.#begun = { stdout, stderr };
    return { stdout: stdout.writeFd, stderr: stderr.writeFd };
  }

  /** The attempt's pipes, for whoever may have to {@link adopt} them; to be asked before it ends. */
  marks(): PipeMarks {
    const [stdout, stderr] = [this.#begun?.stdout.fd, this.#begun?.stderr.fd];
    return {
      stdout: stdout === undefined ? undefined : inodeOfPipe(stdout),
      stderr: stderr === undefined ? undefined : inodeOfPipe(stderr),
    };
  }

  /**
   * Instead of {@link begin}: reads on from the pipes of an attempt whose reader was killed.
   * @param found for a pipe that takes both streams, standard output alone
   * @returns why the system refused one of them
   */
  adopt(found: {
    readonly stdout: FoundPipe | undefined;
    readonly stderr: FoundPipe | undefined;
  }): SystemError | undefined {
    let refused: SystemError | undefined;
    for (const [one, isStderr] of [
      [found.stdout, false],
      [found.stderr, true],
    ] as const) {
      if (one === undefined) continue;
      const receivers = isStderr && this.#isApart ? this.#stderr : this.#stdout;
      const pipe = PipeReader.attach(one, this.#listener(receivers, isStderr));
      if ("code" in pipe) refused ??= pipe;
      else {
        this.#pipes.set(pipe, 0);
        pipe.read();
      }
    }
    return refused;
  }

  /** The job has its ends of the pipes; ours would keep them open for ever. */
  started(): void {
    for (const { writeFd } of this.#pipes.keys()) closeFd(writeFd);
  }

  /** The attempt could not be started. */
  abandon(): void {
    this.started();
    for (const pipe of [...this.#pipes.keys()]) this.#closePipe(pipe);
  }

  /**
   * The job has ended: takes what is still in the pipes, and what else comes within a short time.
   * @returns true where something that the job started holds its output still; from now on it writes to nobody
   */
  async end(): Promise<boolean> {
    const ended = Promise.withResolvers<void>();
    this.#onAllEnded = ended.resolve;
    this.#progressMs = performance.now();
    let readMs: number | undefined;
    for (const pipe of this.#pipes.keys()) this.#pipes.set(pipe, pipe.capacity);
    for (const pipe of [...this.#pipes.keys()]) pipe.read();
    while (this.#pipes.size > 0) {
      if ([...this.#pipes.values()].every((bytes) => bytes <= 0)) readMs ??= performance.now();
      const limitMs = readMs === undefined ? this.#progressMs + this.#stallLimitMs : readMs + detachGraceMs;
      const leftMs = limitMs - performance.now();
      if (leftMs <= 0 && (readMs !== undefined || !this.#giveUpStalled())) break;
      await Promise.race([ended.promise, Bun.sleep(Math.min(leftMs, lastFlushMs))]);
    }
    const isDetached = readMs !== undefined && this.#pipes.size > 0;
    this.#leavePipes();
    return isDetached;
  }

  /** The others shall have what those can't take. @returns false where nobody stands still */
  #giveUpStalled(): boolean {
    const stalled = [...this.#all].filter((receiver) => !receiver.flush());
    for (const receiver of stalled) receiver.giveUp();
    if (stalled.length > 0) this.#tryAgain(firstFlushMs);
    this.#progressMs = performance.now();
    return stalled.length > 0;
  }

  /** The run is over: who wanted output of a failure has it now, and all receivers are closed. */
  async finish(isFailure: boolean): Promise<void> {
    if (this.#held !== undefined && isFailure) await this.#giveHeld(this.#held);
    for (const receiver of this.#all) {
      await this.#flushed(receiver);
      receiver.close();
      this.#warnings.push(...receiver.warnings);
    }
    this.#stopWaitingForRoom();
  }

  #add({ sink }: OutputRule): void {
    if (sink.kind === "cron") {
      this.#addTo(this.#stdout, new DescriptorReceiver(1, "standard output"));
      if (this.#isApart) this.#addTo(this.#stderr, new DescriptorReceiver(2, "standard error"));
    } else if (sink.kind === "syslog" && this.#isApart) {
      // Half a line of one stream and half a line of the other make none.
      for (const list of [this.#stdout, this.#stderr]) {
        this.#addTo(list, new LogReceiver(this.#options.logLine, this.#options.isLogBusy));
      }
    } else {
      const receiver = this.#receiverOf(sink);
      if (receiver !== undefined) this.#addBoth(receiver);
    }
  }

  /** @returns undefined for mail, which has what was kept */
  #receiverOf(sink: OutputRule["sink"]): Receiver | undefined {
    if (sink.kind === "file") return new FileReceiver(sink.path);
    if (sink.kind === "syslog") return new LogReceiver(this.#options.logLine, this.#options.isLogBusy);
    return sink.kind === "cron" ? new DescriptorReceiver(1, "standard output") : undefined;
  }

  #addBoth(receiver: Receiver): void {
    this.#addTo(this.#stdout, receiver);
    if (this.#isApart) this.#addTo(this.#stderr, receiver);
  }

  #addTo(list: Receiver[], receiver: Receiver): void {
    list.push(receiver);
    this.#all.add(receiver);
  }

  #openPipe(receivers: readonly Receiver[], isStderr: boolean): PipeReader | SystemError {
    const pipe = PipeReader.open(this.#listener(receivers, isStderr), this.#options.withoutReader);
    if (!("code" in pipe)) this.#pipes.set(pipe, 0);
    return pipe;
  }

  #listener(receivers: readonly Receiver[], isStderr: boolean): PipeListener {
    return {
      onBytes: (bytes, from) => {
        if (isStderr) this.#stderrBytes += bytes.length;
        this.#pipes.set(from, (this.#pipes.get(from) ?? 0) - bytes.length);
        return this.#give(bytes, receivers, from);
      },
      onEmpty: (of) => this.#pipes.set(of, 0),
      onEnd: (of) => this.#closePipe(of),
    };
  }

  /** @returns true where there is room for more */
  #give(bytes: Uint8Array, receivers: readonly Receiver[], from: PipeReader): boolean {
    this.#progressMs = performance.now();
    this.#headTail.add(bytes);
    this.#tell(bytes);
    let hasRoom = true;
    let isRead = receivers.length === 0 || this.#options.withoutReader === "waits";
    for (const receiver of receivers) {
      hasRoom = receiver.take(bytes) && hasRoom;
      isRead ||= receiver.isGone !== true;
    }
    // Nobody is left who reads: the job shall learn it as it would have, by SIGPIPE.
    if (!isRead) this.#closePipe(from);
    else if (!hasRoom) this.#waitForRoom(firstFlushMs);
    return hasRoom;
  }

  #tell(bytes: Uint8Array): void {
    try {
      this.#options.onOutput?.(bytes);
    } catch {
      // Whoever looks on has no say in the run.
    }
  }

  /** Stops reading, and tries again and again until every receiver has room. */
  #waitForRoom(ms: number): void {
    for (const pipe of this.#pipes.keys()) pipe.pause();
    this.#forgetReady ??= whenReady(() => this.#tryAgain(firstFlushMs));
    clearTimeout(this.#flushTimer);
    this.#flushTimer = setTimeout(() => this.#tryAgain(Math.min(ms * 2, lastFlushMs)), ms);
  }

  #tryAgain(nextMs: number): void {
    let hasRoom = true;
    for (const receiver of this.#all) hasRoom = this.#flush(receiver) && hasRoom;
    if (!hasRoom) {
      this.#waitForRoom(nextMs);
      return;
    }
    this.#stopWaitingForRoom();
    for (const pipe of [...this.#pipes.keys()]) pipe.resume();
  }

  #stopWaitingForRoom(): void {
    clearTimeout(this.#flushTimer);
    this.#forgetReady?.();
    this.#forgetReady = undefined;
  }

  #flush(receiver: Receiver): boolean {
    const before = receiver.waiting;
    const hasRoom = receiver.flush();
    if (receiver.waiting < before) this.#progressMs = performance.now();
    return hasRoom;
  }

  async #giveHeld(held: HeldOutput): Promise<void> {
    const late: Receiver[] = [];
    for (const { isIfError, sink } of this.#options.outputs) {
      const receiver = isIfError ? this.#receiverOf(sink) : undefined;
      if (receiver === undefined) continue;
      late.push(receiver);
      this.#all.add(receiver);
    }
    this.#progressMs = performance.now();
    await held.give(async (bytes) => {
      for (const receiver of late) if (!receiver.take(bytes)) await this.#flushed(receiver);
    });
  }

  /** Waits until a receiver has room, or nobody has taken anything for too long. */
  async #flushed(receiver: Receiver): Promise<void> {
    for (let ms = firstFlushMs; !this.#flush(receiver); ms = Math.min(ms * 2, lastFlushMs)) {
      if (performance.now() - this.#progressMs > this.#stallLimitMs) return;
      const ready = Promise.withResolvers<void>();
      const forget = whenReady(ready.resolve);
      await Promise.race([ready.promise, Bun.sleep(ms)]);
      forget();
    }
  }

  #closePipe(pipe: PipeReader): void {
    pipe.close();
    this.#pipes.delete(pipe);
    if (this.#pipes.size === 0) this.#onAllEnded();
  }

  /** Those who write on shall learn that nobody reads any more, by SIGPIPE; or where they never would, not be halted. */
  #leavePipes(): void {
    for (const pipe of [...this.#pipes.keys()]) {
      if (this.#options.withoutReader !== "waits") this.#closePipe(pipe);
      else {
        this.#pipes.delete(pipe);
        pipe.discard();
      }
    }
  }
}

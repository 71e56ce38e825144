/**
 * One script on a node, and the three pipes between it and us: what it is told, the bytes that it brings, the lines that it
 * tells.
 *
 * Whatever the node's login shell prints before it is passed over: ours begins behind a line with the session's token.
 */
import type { Problem } from "../../model/problem.ts";
import {
  addressOf,
  errno,
  O_CLOEXEC,
  O_NONBLOCK,
  pipeLibc,
  type SystemError,
  systemError,
} from "../../system/libc.ts";
import { LineReader } from "../../system/line-reader.ts";
import { closeFd, PipeReader } from "../../system/pipe.ts";
import { type MuxSession, openSession } from "./mux-session.ts";

const F_SETFL = 4;
const EAGAIN = 11;
const firstWriteMs = 1;
const lastWriteMs = 50;
const dismissMs = 5000;
/** So much may a login shell say before it does what it was asked to. */
const noiseLimit = 4 * 1024 * 1024;
/** A node that tells so much at once may go on a moment later: others have their turn as well. */
const manyBytes = 64 * 1024;
const restMs = 20;
/** None of the scripts' lines is longer. */
const lineLimit = 4096;

/** Who takes what comes. */
export interface SessionListener {
  /** @param bytes valid during the call alone @returns false to be given nothing more until {@link NodeSession.resume} */
  onBytes(bytes: Uint8Array): boolean;
  onLine(line: string): void;
}

/** A script on a node. */
export class NodeSession {
  /** Undefined when it was opened; else why nothing was started (`conflict`: the node opens no more of them now). */
  readonly opened: Promise<Problem | undefined>;
  /** The script is there, and reads what it is told. Pending for ever where it never is. */
  readonly begun: Promise<void>;
  /** All that came has been given, and nothing more will come. */
  readonly ended: Promise<void>;
  readonly #mux: MuxSession;
  readonly #stdout: PipeReader;
  readonly #pipes: readonly PipeReader[];
  readonly #endings: { resolve(): void }[];
  #stdinFd: number;
  #unsent: Uint8Array[] = [];
  #writeTimer: Timer | undefined;
  #isStdinDone = false;

  private constructor(
    mux: MuxSession,
    stdinFd: number,
    pipes: readonly [PipeReader, PipeReader],
    ended: readonly [PromiseWithResolvers<void>, PromiseWithResolvers<void>],
    begun: Promise<void>,
  ) {
    this.begun = begun;
    this.#mux = mux;
    this.#stdinFd = stdinFd;
    this.#pipes = pipes;
    this.#stdout = pipes[0];
    this.#endings = [...ended];
    this.opened = mux.opened;
    this.ended = Promise.all(ended.map(({ promise }) => promise)).then(() => this.#closeStdin());
    // A session that never was leaves nobody who would close the pipes.
    void mux.closed.then(() => this.#closeStdin());
  }

  /** @returns why the system gives no pipes */
  static open(
    socketPath: string,
    command: string,
    token: string,
    listener: SessionListener,
  ): NodeSession | SystemError {
    const c = pipeLibc();
    if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
    const ends = new Int32Array(2);
    if (c.pipe2(ends, O_CLOEXEC) !== 0) return systemError(errno());
    const [stdin = -1, stdinFd = -1] = ends;
    c.fcntl(stdinFd, F_SETFL, O_NONBLOCK);
    const outEnded = Promise.withResolvers<void>();
    const errEnded = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const data = new AfterToken(token);
    const stdout = PipeReader.open({
      onBytes: (bytes) => {
        const ours = data.push(bytes);
        return ours.length === 0 || listener.onBytes(ours);
      },
      onEnd: (pipe) => {
        pipe.close();
        outEnded.resolve();
      },
    });
    const control = new AfterToken(token);
    let lines: LineReader | undefined = new LineReader(lineLimit);
    const stderr = PipeReader.open({
      onBytes: (bytes) => {
        const told = lines?.push(control.push(bytes)) ?? [];
        if (control.isFound) begun.resolve();
        if (told === "too-long") lines = undefined;
        else for (const line of told) listener.onLine(line);
        if (bytes.length < manyBytes) return true;
        setTimeout(() => stderr instanceof PipeReader && stderr.resume(), restMs);
        return false;
      },
      onEnd: (pipe) => {
        pipe.close();
        errEnded.resolve();
      },
    });
    if ("code" in stdout || "code" in stderr) {
      for (const fd of [stdin, stdinFd]) closeFd(fd);
      for (const pipe of [stdout, stderr]) {
        if ("code" in pipe) continue;
        closeFd(pipe.writeFd);
        pipe.close();
      }
      return "code" in stdout ? stdout : "code" in stderr ? stderr : systemError(24);
    }
    const streams = { stdin, stdout: stdout.writeFd, stderr: stderr.writeFd };
    const mux = openSession(socketPath, command, streams);
    return new NodeSession(mux, stdinFd, [stdout, stderr], [outEnded, errEnded], begun.promise);
  }

  /** Tells the script something; it is sent as fast as it is taken. */
  write(bytes: Uint8Array): void {
    if (this.#stdinFd < 0) return;
    this.#unsent.push(bytes);
    if (this.#writeTimer === undefined) this.#send(firstWriteMs);
  }

  /** Tells it that nothing more comes. */
  end(): void {
    this.#isStdinDone = true;
    if (this.#unsent.length === 0) this.#closeStdin();
  }

  /** After `onBytes` has said that there is no room. */
  resume(): void {
    this.#stdout.resume();
  }

  /** Ends it at once, and gives nothing more. */
  close(): void {
    this.#mux.close();
    this.#closeStdin();
    for (const pipe of this.#pipes) pipe.close();
    for (const { resolve } of this.#endings) resolve();
  }

  #send(waitMs: number): void {
    this.#writeTimer = undefined;
    const c = pipeLibc();
    while (this.#stdinFd >= 0) {
      const [bytes] = this.#unsent;
      if (bytes === undefined) {
        if (this.#isStdinDone) this.#closeStdin();
        return;
      }
      const count =
        bytes.length === 0 ? 0 : Number(c?.write(this.#stdinFd, addressOf(bytes), bytes.length) ?? -1);
      if (count === bytes.length) this.#unsent.shift();
      else if (count >= 0) this.#unsent[0] = bytes.subarray(count);
      else if (errno() === EAGAIN) {
        this.#writeTimer = setTimeout(() => this.#send(Math.min(waitMs * 2, lastWriteMs)), waitMs);
        return;
      } else this.#closeStdin(); // nobody reads it any more, which `ended` tells
    }
  }

  #closeStdin(): void {
    clearTimeout(this.#writeTimer);
    if (this.#stdinFd >= 0) closeFd(this.#stdinFd);
    this.#stdinFd = -1;
    this.#unsent = [];
  }
}

/** What was said to the session is sent, and then it is left to end; by force, if it takes too long. */
export function dismiss(session: NodeSession): void {
  session.end();
  session.resume();
  const timer = setTimeout(() => session.close(), dismissMs);
  void session.ended.then(() => clearTimeout(timer));
}

/** Passes over everything up to a line that is the token. */
class AfterToken {
  readonly #mark: Buffer;
  #noise: Buffer = Buffer.alloc(0);
  #noiseBytes = 0;
  #isFound = false;

  constructor(token: string) {
    this.#mark = Buffer.from(`${token}\n`);
  }

  get isFound(): boolean {
    return this.#isFound;
  }

  /** @returns what of it is ours */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#isFound) return bytes;
    const all = Buffer.concat([this.#noise, bytes]);
    const at = all.indexOf(this.#mark);
    if (at >= 0) {
      this.#isFound = true;
      this.#noise = Buffer.alloc(0);
      return all.subarray(at + this.#mark.length);
    }
    this.#noiseBytes += bytes.length;
    // Of what can't be the token only what may be its beginning is kept; of a node that never ends to talk, nothing.
    this.#noise =
      this.#noiseBytes > noiseLimit
        ? Buffer.alloc(0)
        : Buffer.from(all.subarray(Math.max(0, all.length - this.#mark.length + 1)));
    return empty;
  }
}

const empty = new Uint8Array(0);

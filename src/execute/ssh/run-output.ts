/**
 * All output of a run on its way from the node: who brings which of its files, and what is done when nobody does.
 *
 * A session brings one file from one byte on. When the node has told how much is in it, and all of that has come, the next one
 * is had by another session, and so the node may remove what was had.
 */
import { Problem } from "../../model/problem.ts";
import { parseControlLine } from "./control-lines.ts";
import { type NodeConnection, newToken } from "./node-connection.ts";
import { followCommand, type Position, type StreamName } from "./node-script.ts";
import type { NodeSession } from "./node-session.ts";
import { OutputStream } from "./output-stream.ts";
import { stallLimitMs } from "./stream-writer.ts";

const followAgainMs = 1000;
/** A node that says of each file that it is gone shall not keep us busy. */
const goneMs = 50;
/** After the job's end: what it has left behind may go on with its output, and is not waited for, whether silent or not. */
const detachMs = 1500;
const leftoverMs = 10_000;
/** Output that is there and does not come for so long is asked for anew. */
const lateMs = 3000;
/** Output that is there, and does not come, is asked for anew so often. */
const mostStalls = 5;

/** How far the output has come. */
export type Positions = Partial<Record<StreamName, Position>>;

/** Who has the output. */
export interface OutputPorts {
  /** @param bytes valid during the call alone @returns false to be given no more until {@link RunOutput.resume} */
  readonly onBytes: (stream: StreamName, bytes: Uint8Array) => boolean;
  /** Something has come. */
  readonly onProgress: () => void;
  readonly onWarning: (sentence: string) => void;
  /** How long a receiver without room is waited for at the end; a minute. */
  readonly stallMs?: number | undefined;
  /** Aborted when nothing is wanted any more. */
  readonly over: AbortSignal;
}

/** The output of one attempt. */
export class RunOutput {
  readonly #connection: NodeConnection;
  readonly #fileId: string;
  readonly #ports: OutputPorts;
  readonly #streams: readonly OutputStream[];
  #stalls = 0;
  /** Since when its receiver has had no room. */
  #pausedSinceMs: number | undefined;

  constructor(
    connection: NodeConnection,
    fileId: string,
    { names, positions }: { readonly names: readonly StreamName[]; readonly positions: Positions },
    ports: OutputPorts,
  ) {
    this.#connection = connection;
    this.#fileId = fileId;
    this.#ports = ports;
    this.#streams = names.map((name) => new OutputStream(name, positions[name]));
  }

  get positions(): Positions {
    return Object.fromEntries(this.#streams.map(({ name, position }) => [name, position]));
  }

  /**
   * When the job has ended: how long the rest is waited for, in milliseconds, before {@link waited} shall be told that nothing has
   * come; undefined where all of it has, or is not waited for.
   * @param endedMs when it ended, by `performance.now()`
   */
  waitMs(endedMs: number): number | undefined {
    if (this.#isComplete) return undefined;
    if (this.#isDrained) return lateMs;
    if (this.#isBehind || this.#isPaused) return detachMs;
    return Math.min(detachMs, Math.max(0, endedMs + leftoverMs - performance.now()));
  }

  /** Nothing has come for so long: asks for it anew, or waits no longer. @param teller has more to do than to bring output */
  waited(endedMs: number, teller: NodeSession | undefined): void {
    if (this.#isStalled(endedMs)) {
      this.#ports.onWarning("nobody took the end of the output, and it was not waited for any longer");
      for (const stream of this.#streams) stream.giveUp();
    } else if (this.#isPaused) return;
    else if (this.#isDrained || this.#isBehind) this.#askAnew(teller);
    else this.#giveUpUntold();
  }

  get #isComplete(): boolean {
    return this.#streams.every(({ isComplete }) => isComplete);
  }

  /** The node has told how much there is. */
  get #isDrained(): boolean {
    return this.#streams.every(({ isDrained }) => isDrained);
  }

  /** True where the node had no room for all of it. */
  get isCut(): boolean {
    return this.#streams.some(({ isCut }) => isCut);
  }

  /** More is known to be there, and has not come. */
  get #isBehind(): boolean {
    return this.#streams.some(({ isBehind }) => isBehind);
  }

  /** Its receiver has no room. */
  get #isPaused(): boolean {
    return this.#pausedSinceMs !== undefined;
  }

  /** Its receiver has had no room for so long that it may never have any. */
  #isStalled(endedMs: number): boolean {
    const { stallMs = stallLimitMs } = this.#ports;
    const pausedMs = this.#pausedSinceMs;
    return pausedMs !== undefined && performance.now() >= Math.max(pausedMs, endedMs) + stallMs;
  }

  /** The sessions that bring it. */
  get sessions(): readonly NodeSession[] {
    return this.#streams.flatMap(({ session }) => session ?? []);
  }

  /** For a session that brings standard output besides what else it does: its bytes, from the next one on. */
  brought(): {
    readonly onBytes: (bytes: Uint8Array) => boolean;
    readonly by: (session: NodeSession) => void;
  } {
    const [stream] = this.#streams;
    const turn = stream?.takeTurn();
    return {
      onBytes: (bytes) => stream === undefined || stream.turn !== turn || this.#receive(stream, bytes),
      by: (session) => {
        if (stream === undefined || stream.turn !== turn) return;
        stream.session = session;
        void session.ended.then(() => {
          if (stream.session === session) stream.session = undefined;
        });
      },
    };
  }

  /** A file is full. */
  isFull(name: StreamName, chunk: number, bytes: number): void {
    this.#named(name)?.isFull(chunk, bytes);
  }

  /** All there is stands in the files up to this one. */
  drained(name: StreamName, chunk: number, bytes: number, isCut: boolean): void {
    this.#named(name)?.drained(chunk, bytes, isCut);
  }

  /** Has brought what nobody brings. */
  followAll(): void {
    for (const stream of this.#streams) void this.#follow(stream);
  }

  /** Nobody brings anything any more; what was on its way will be asked for again. */
  leaveAll(): void {
    for (const stream of this.#streams) {
      stream.session?.close();
      stream.session = undefined;
      stream.takeTurn();
      if (stream.opening === "again") stream.opening = "yes";
    }
  }

  /** Goes on to the next file where one has come whole. @param teller has more to do than to bring output */
  advance(teller: NodeSession | undefined): void {
    for (const stream of this.#streams) {
      if (!stream.isAtChunkEnd) continue;
      stream.session?.write(encoder.encode("next\n"));
      this.#leave(stream, teller);
      while (stream.isAtChunkEnd) stream.advance();
      void this.#follow(stream);
    }
  }

  /** What is told to be there does not come: another session shall bring it. Gives up at the fifth time in a row. */
  #askAnew(teller: NodeSession | undefined): void {
    this.#stalls += 1;
    const isHopeless = this.#stalls >= mostStalls;
    if (isHopeless) this.#ports.onWarning("the end of the output could not be had from the node");
    for (const stream of this.#streams) {
      if (stream.isComplete) continue;
      this.#leave(stream, teller);
      if (isHopeless) stream.giveUp();
      else void this.#follow(stream);
    }
  }

  /** Of what the node has not told how much it is, no more is waited for. */
  #giveUpUntold(): void {
    for (const stream of this.#streams) if (!stream.isDrained) stream.giveUp();
  }

  /** After `onBytes` has said that there is no room. */
  resume(): void {
    this.#pausedSinceMs = undefined;
    for (const { session } of this.#streams) session?.resume();
  }

  #named(name: StreamName): OutputStream | undefined {
    return this.#streams.find((stream) => stream.name === name);
  }

  #receive(stream: OutputStream, bytes: Uint8Array): boolean {
    if (this.#ports.over.aborted) return true;
    stream.received(bytes.length);
    this.#stalls = 0;
    const hasRoom = this.#ports.onBytes(stream.name, bytes);
    if (!hasRoom) this.#pausedSinceMs ??= performance.now();
    this.#ports.onProgress();
    return hasRoom;
  }

  #leave(stream: OutputStream, teller: NodeSession | undefined): void {
    const { session } = stream;
    stream.session = undefined;
    stream.takeTurn();
    if (session !== undefined && session !== teller) this.#connection.leave(session);
  }

  async #follow(stream: OutputStream): Promise<void> {
    const { over } = this.#ports;
    if (stream.isComplete || stream.session !== undefined || over.aborted) return;
    // One after the other: what a node tells may ask for a thousand at once.
    if (stream.opening !== "no") {
      stream.opening = "again";
      return;
    }
    stream.opening = "yes";
    const folders = this.#connection.facts?.folders;
    const token = newToken();
    const turn = stream.takeTurn();
    let isGone = false;
    // A node that has not told where its files are would be asked for them nowhere.
    const session =
      folders &&
      (await this.#connection.session(
        followCommand({ fileId: this.#fileId, token, folders }, stream.name, stream.position),
        token,
        {
          onBytes: (bytes) => stream.turn !== turn || this.#receive(stream, bytes),
          onLine: (text) => {
            isGone ||= parseControlLine(text)?.kind === "gone";
          },
        },
        true,
      ));
    const isWantedAgain = stream.isWantedAgain();
    const isOpen = session !== undefined && !(session instanceof Problem);
    if (stream.turn !== turn) {
      if (isOpen) session.close();
      if (isWantedAgain) void this.#follow(stream);
      return;
    }
    if (isOpen) {
      stream.session = session;
      await session.ended;
      if (stream.session === session) stream.session = undefined;
    }
    if (stream.turn !== turn || stream.isComplete || over.aborted) return;
    if (isGone && (stream.isDrained || stream.isBehind)) {
      // What was removed was had, by whoever watched the run before.
      if (stream.isBehind) stream.advance();
      else stream.giveUp();
      this.#ports.onProgress();
      await Bun.sleep(goneMs);
    } else {
      // Somebody else has removed it; but it may be that the node has not told yet that it was full.
      if (isGone && stream.isLost()) {
        this.#ports.onWarning("the node has lost the output");
        stream.giveUp();
        this.#ports.onProgress();
      }
      await Bun.sleep(followAgainMs);
    }
    if (stream.turn === turn) void this.#follow(stream);
  }
}

const encoder = new TextEncoder();

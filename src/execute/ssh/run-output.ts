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

const followAgainMs = 1000;
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
  #isPaused = false;

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

  /** True when all of it has come, or is not waited for. */
  get isComplete(): boolean {
    return this.#streams.every(({ isComplete }) => isComplete);
  }

  /** True when the node has told how much there is. */
  get isDrained(): boolean {
    return this.#streams.every(({ isDrained }) => isDrained);
  }

  /** True where the node had no room for all of it. */
  get isCut(): boolean {
    return this.#streams.some(({ isCut }) => isCut);
  }

  /** True where more is known to be there, and has not come. */
  get isBehind(): boolean {
    return this.#streams.some(({ isBehind }) => isBehind);
  }

  /** True while its receiver has no room. */
  get isPaused(): boolean {
    return this.#isPaused;
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
  askAnew(teller: NodeSession | undefined): void {
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
  giveUpUntold(): void {
    for (const stream of this.#streams) if (!stream.isDrained) stream.giveUp();
  }

  /** After `onBytes` has said that there is no room. */
  resume(): void {
    this.#isPaused = false;
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
    if (!hasRoom) this.#isPaused = true;
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
    const folders = this.#connection.facts?.folders ?? [];
    const token = newToken();
    const turn = stream.takeTurn();
    let isGone = false;
    const session = await this.#connection.session(
      followCommand({ fileId: this.#fileId, token, folders }, stream.name, stream.position),
      token,
      {
        onBytes: (bytes) => stream.turn !== turn || this.#receive(stream, bytes),
        onLine: (text) => {
          isGone ||= parseControlLine(text)?.kind === "gone";
        },
      },
      true,
    );
    if (!(session instanceof Problem)) {
      if (stream.turn !== turn) {
        session.close();
        return;
      }
      stream.session = session;
      await session.ended;
      if (stream.session === session) stream.session = undefined;
    }
    if (stream.turn !== turn || stream.isComplete || over.aborted) return;
    if (isGone) {
      // What was removed was had, by whoever watched the run before.
      if (stream.isDrained) stream.giveUp();
      else stream.advance();
      this.#ports.onProgress();
    } else await Bun.sleep(followAgainMs);
    if (stream.turn === turn) void this.#follow(stream);
  }
}

const encoder = new TextEncoder();

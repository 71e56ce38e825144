/**
 * One connection of the daemon's socket: a request that is read, and an answer that is told to a reader who may be slow, gone,
 * or no friend.
 */
import { parseRequest, requestLimit } from "../model/control-lines.ts";
import type { ControlAnswer, ControlRequest } from "../model/control-message.ts";
import { Problem } from "../model/problem.ts";
import { LineReader } from "./line-reader.ts";
import type { Peer } from "./peer.ts";

/** How much patience there is; the defaults are what the daemon has. */
export interface ControlBounds {
  /** For a request to be sent, in milliseconds: 10 s. */
  readonly requestMs: number;
  /** For a reader that takes nothing, in milliseconds: 30 s. */
  readonly stallMs: number;
  /** What waits for a slow reader, in bytes: 4 MiB. The last line of an answer is not counted. */
  readonly waitingBytes: number;
  /** Connections at a time: 100. */
  readonly connections: number;
  /** For last lines to be taken when the daemon ends, and by those who are refused, in milliseconds: 1 s. */
  readonly closeMs: number;
}

/**
 * Answers one request.
 * @param tell says something before the last line; never throws, and does nothing once the client has gone
 * @param gone aborted when the client has gone, or was dropped
 * @returns the last line. A Problem that it throws is told to the client; what else it throws, to `onFault`
 */
export type ControlHandler = (
  request: ControlRequest,
  peer: Peer,
  tell: (answer: ControlAnswer) => void,
  gone: AbortSignal,
) => Promise<ControlAnswer>;

/** What a connection needs of its daemon. */
export interface Answering {
  readonly onRequest: ControlHandler;
  /** Told of errors of the program, which no client must see. */
  readonly onFault?: (error: unknown) => void;
}

/** The last line of an answer that is a no. */
export function refused(code: Problem["code"], message: string, hint?: string): ControlAnswer {
  return { told: "refused", code, message, ...(hint !== undefined && { hint }) };
}

/** One connection: a request, and what is told in answer. */
export class Client {
  readonly #socket: Bun.Socket<Client>;
  readonly #peer: Peer | undefined;
  readonly #options: Answering;
  readonly #bounds: ControlBounds;
  readonly #lines = new LineReader(requestLimit);
  readonly #gone = new AbortController();
  #deadline: ReturnType<typeof setTimeout>;
  /** `refusing`: as `ending`, but the request may still be on its way. */
  #state: "asking" | "answering" | "refusing" | "ending" | "gone" = "asking";
  /** What the socket has not taken yet. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #stall: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Bun.Socket<Client>, peer: Peer | undefined, options: Answering, bounds: ControlBounds) {
    this.#socket = socket;
    this.#peer = peer;
    this.#options = options;
    this.#bounds = bounds;
    const late = () => this.finish(refused("invalid", `a request must come within ${bounds.requestMs} ms`));
    this.#deadline = setTimeout(late, bounds.requestMs);
  }

  receive(bytes: Uint8Array): void {
    if (this.#state !== "asking") return; // One connection, one request: the rest is nobody's.
    const lines = this.#lines.push(bytes);
    if (lines === "too-long") {
      this.finish(refused("invalid", `a request must not be longer than ${requestLimit / 1024} kB`));
      return;
    }
    const [line] = lines;
    if (line === undefined) return;
    clearTimeout(this.#deadline);
    this.#state = "answering";
    const request = parseRequest(line);
    if (request instanceof Problem) this.finish(refused(request.code, request.message, request.hint));
    else void this.#answer(request).then((last) => this.#guarded(() => this.finish(last)));
  }

  /** Resolves always: what goes wrong is an answer too. */
  async #answer(request: ControlRequest): Promise<ControlAnswer> {
    const { onRequest, onFault } = this.#options;
    if (this.#peer === undefined) return refused("denied", "the kernel does not say who asks");
    if (request.ask === "run" && request.follow) this.tell({ told: "heard" });
    try {
      return await onRequest(request, this.#peer, (answer) => this.tell(answer), this.#gone.signal);
    } catch (error) {
      if (error instanceof Problem) return refused(error.code, error.message, error.hint);
      onFault?.(error);
      return refused("internal", "rcrond could not answer: its log says why");
    }
  }

  /** Never throws: whoever tells is at work on something that matters more. */
  tell(answer: ControlAnswer): void {
    if (this.#state !== "answering") return;
    this.#guarded(() => {
      this.#send(answer);
      if (this.#waitingBytes > this.#bounds.waitingBytes) this.drop();
    });
  }

  /** Whether the last line has been said. */
  get isEnding(): boolean {
    return this.#state !== "asking" && this.#state !== "answering";
  }

  /** Says the last line, and hangs up when it has gone out. */
  finish(answer: ControlAnswer): void {
    if (this.isEnding) return;
    clearTimeout(this.#deadline);
    this.#state = this.#state === "asking" ? "refusing" : "ending";
    this.#send(answer);
  }

  /**
   * Nothing waits any more behind the last line. Who still sends his request must not find the connection broken, or he never
   * reads why; so it is he who ends it then, within a moment.
   */
  #hangUp(): void {
    if (this.#state === "ending") {
      this.drop();
    } else if (this.#state === "refusing") {
      this.#socket.shutdown();
      clearTimeout(this.#deadline);
      this.#deadline = setTimeout(() => this.drop(), this.#bounds.closeMs);
    }
  }

  /** Gives the socket what it takes now. */
  flush(): void {
    let hasMoved = false;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const taken = Math.max(0, this.#socket.write(first));
      this.#waitingBytes -= taken;
      hasMoved ||= taken > 0;
      if (taken < first.length) {
        this.#waiting[0] = first.subarray(taken);
        break;
      }
      this.#waiting.shift();
    }
    if (this.#waiting.length === 0) this.#hangUp();
    if (hasMoved) this.#watchReader();
  }

  /** Hangs up. What the socket has taken still reaches the reader. */
  drop(): void {
    if (this.#state === "gone") return;
    this.leave();
    this.#socket.terminate();
  }

  /** The connection is no more. */
  leave(): void {
    this.#state = "gone";
    clearTimeout(this.#deadline);
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#gone.abort();
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onFault?.(error);
      this.drop();
    }
  }

  #send(answer: ControlAnswer): void {
    const bytes = Buffer.from(`${JSON.stringify(answer)}\n`);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waiting.length === 1) this.flush();
    if (this.#stall === undefined) this.#watchReader();
  }

  /** From now on he has so much time to take something. */
  #watchReader(): void {
    clearTimeout(this.#stall);
    this.#stall =
      this.#waiting.length === 0 ? undefined : setTimeout(() => this.drop(), this.#bounds.stallMs);
  }
}

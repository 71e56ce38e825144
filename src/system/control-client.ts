/**
 * Asking the running `rcrond`: one request over its socket, and its answer.
 */

import { answerLimit, parseAnswer } from "../model/control-lines.ts";
import type { ControlAnswer, ControlRequest, ControlResult } from "../model/control-message.ts";
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "./libc.ts";
import { LineReader } from "./line-reader.ts";
import { fitsSocket, probeSocket, socketPathLimit } from "./unix-address.ts";

/** How to ask. */
export interface AskOptions {
  /** How long to wait for the first line, in milliseconds. What follows a line that is not the last may take any time. */
  readonly timeoutMs?: number;
  /** Told each line but the last. While a promise of it is pending, nothing more is read. */
  readonly onAnswer?: (answer: ControlAnswer) => void | Promise<void>;
  /** Ends the asking, but nothing that was asked for. */
  readonly signal?: AbortSignal;
}

const usualTimeoutMs = 10_000;
const startHint = "rcrond starts it, or: systemctl start rcrond";

/**
 * Asks the daemon.
 * @param path of its socket
 * @returns what it answers; or its Problem, or `unreachable` where none answers or it went before it had answered, `denied`
 *   where this user may not ask, `internal` for an answer that is none
 */
export async function askDaemon(
  path: string,
  request: ControlRequest,
  options: AskOptions = {},
): Promise<ControlResult | Problem> {
  if (!fitsSocket(path)) {
    return new Problem("invalid", `a socket must have an absolute path of at most ${socketPathLimit} bytes`, {
      where: path,
    });
  }
  const exchange = new Exchange(path, request, options);
  const onAbort = () => exchange.settle(new Problem("unreachable", "no longer waited for an answer"));
  options.signal?.addEventListener("abort", onAbort);
  try {
    await Bun.connect<undefined>({ unix: path, socket: exchange.handlers }).catch((error: unknown) =>
      exchange.settle(notConnected(path, error)),
    );
    if (options.signal?.aborted) onAbort();
    return await exchange.answer;
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    exchange.close();
  }
}

function notConnected(path: string, error: unknown): Problem {
  const { code, text } = thrownSystemError(error);
  if (code === "ECONNREFUSED" && probeSocket(path) === "live") {
    return new Problem("unreachable", `rcrond does not answer on ${path}: too many wait for it`);
  }
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR") {
    return new Problem("unreachable", `no rcrond answers on ${path}`, { hint: startHint, cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new Problem("denied", `you must be allowed to ask the rcrond of ${path}`, {
      hint: "root may, and the members of socket_group in rcron.conf",
      cause: error,
    });
  }
  return new Problem("unreachable", `rcrond can't be reached on ${path}: ${text}`, { cause: error });
}

/** One request, and what comes back. */
class Exchange {
  readonly #path: string;
  readonly #onAnswer: AskOptions["onAnswer"];
  readonly #answer = Promise.withResolvers<ControlResult | Problem>();
  readonly #lines = new LineReader(answerLimit);
  readonly #timeout: ReturnType<typeof setTimeout>;
  /** Lines that have come and have not been told yet. */
  readonly #heard: string[] = [];
  #unsent: Uint8Array;
  #socket: Bun.Socket<undefined> | undefined;
  #isTelling = false;
  #isSettled = false;
  #hasEnded = false;

  constructor(path: string, request: ControlRequest, { timeoutMs = usualTimeoutMs, onAnswer }: AskOptions) {
    this.#path = path;
    this.#onAnswer = onAnswer;
    this.#unsent = Buffer.from(`${JSON.stringify(request)}\n`);
    const problem = new Problem(
      "unreachable",
      `rcrond has not answered on ${path} for ${timeoutMs / 1000} s`,
      {
        hint: "its log may say why: journalctl -u rcrond",
      },
    );
    this.#timeout = setTimeout(() => this.settle(problem), timeoutMs);
  }

  get answer(): Promise<ControlResult | Problem> {
    return this.#answer.promise;
  }

  /** What the runtime calls. */
  readonly handlers = {
    open: (socket: Bun.Socket<undefined>) => {
      this.#socket = socket;
      this.#send();
    },
    drain: () => this.#send(),
    data: (_: Bun.Socket<undefined>, bytes: Uint8Array) => this.#receive(bytes),
    close: () => this.#end(),
    error: () => this.#end(),
    // `Bun.connect` rejects with the same error, and that is answered.
    connectError: () => {},
  };

  /** What is told after that is told to nobody. */
  settle(answer: ControlResult | Problem): void {
    this.#isSettled = true;
    this.#answer.resolve(answer);
  }

  close(): void {
    clearTimeout(this.#timeout);
    this.#socket?.terminate();
  }

  #send(): void {
    if (this.#unsent.length === 0) return;
    this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket?.write(this.#unsent) ?? 0));
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isSettled) return;
    const lines = this.#lines.push(bytes);
    if (lines === "too-long") {
      this.settle(
        new Problem("internal", `a line of rcrond's answer must not be longer than ${answerLimit} bytes`),
      );
      return;
    }
    this.#heard.push(...lines);
    void this.#tell();
  }

  /** Tells the lines one after the other; what comes meanwhile waits in the socket. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let line = this.#next(); line !== undefined; line = this.#next()) {
        clearTimeout(this.#timeout);
        const told = this.#take(parseAnswer(line));
        if (told === undefined) continue;
        this.#socket?.pause();
        await told;
        this.#socket?.resume();
      }
    } catch (error) {
      this.#isSettled = true;
      this.#answer.reject(error); // the caller's own
    }
    this.#isTelling = false;
    if (this.#hasEnded) this.#end();
  }

  #next(): string | undefined {
    return this.#isSettled ? undefined : this.#heard.shift();
  }

  /** @returns what is to be waited for before the next line */
  #take(answer: ControlAnswer | undefined): Promise<void> | undefined {
    if (answer === undefined) {
      this.settle(new Problem("internal", "rcrond's answer is none that this version understands"));
    } else if (answer.told === "refused") {
      const { code, message, hint } = answer;
      this.settle(new Problem(code, message, { ...(hint !== undefined && { hint }) }));
    } else if (answer.told === "done") {
      this.settle(answer.result);
    } else {
      return this.#onAnswer?.(answer) || undefined;
    }
    return undefined;
  }

  /** The connection is no more; what came before may still have to be told. */
  #end(): void {
    this.#hasEnded = true;
    if (this.#isTelling) return;
    this.settle(
      new Problem("unreachable", `the rcrond of ${this.#path} has gone before it had answered`, {
        hint: "rcronctl status asks for it",
      }),
    );
  }
}

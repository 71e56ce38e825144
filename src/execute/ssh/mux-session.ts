/**
 * One request to the master of a shared connection: a session that runs a command on the node, with descriptors of ours as
 * its standard streams. There is no process of ours for it: whatever it writes, the master puts there.
 */
import { Problem } from "../../model/problem.ts";
import { thrownSystemError } from "../../system/libc.ts";
import { sendWithDescriptors } from "../../system/pass-descriptors.ts";
import { closeFd } from "../../system/pipe.ts";
import {
  aliveMessage,
  helloMessage,
  isOurVersion,
  type MuxAnswer,
  MuxReader,
  sessionMessage,
  terminateMessage,
} from "./mux-messages.ts";

/** How long the master may take to answer what it can answer without the node. */
const answerMs = 5000;

/** Descriptors of this process for the session's streams. They are given away: whoever they are given to closes them. */
export interface SessionStreams {
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** A session, from the request on. */
export interface MuxSession {
  /** Undefined when the node has opened it, else why nothing of it was or will be started. */
  readonly opened: Promise<Problem | undefined>;
  /** It is over: by its own end, or because the connection is. */
  readonly closed: Promise<void>;
  /** Ends it at once: the node's end of its streams is closed, and what comes from there is thrown away. */
  close(): void;
}

/**
 * Asks for a session.
 * @param socketPath the master's
 * @param command for the user's login shell on the node
 */
export function openSession(socketPath: string, command: string, streams: SessionStreams): MuxSession {
  const opened = Promise.withResolvers<Problem | undefined>();
  const closed = Promise.withResolvers<void>();
  let isOpened = false;
  const talk = new Talk(
    socketPath,
    sessionMessage(command),
    [streams.stdin, streams.stdout, streams.stderr],
    {
      onAnswer: (answer) => {
        if (answer.kind === "opened") {
          isOpened = true;
          opened.resolve(undefined);
        } else if (answer.kind === "refused") {
          opened.resolve(new Problem("conflict", `the node opens no session: ${answer.reason}`));
        }
      },
      onEnd: (why) => {
        if (!isOpened) opened.resolve(new Problem("unreachable", why));
        closed.resolve();
      },
    },
  );
  return { opened: opened.promise, closed: closed.promise, close: () => talk.close() };
}

/** Whether a master answers there; its pid, or undefined. */
export async function masterPid(socketPath: string, timeoutMs = answerMs): Promise<number | undefined> {
  const answered = Promise.withResolvers<number | undefined>();
  const talk = new Talk(socketPath, aliveMessage(), [], {
    onAnswer: (answer) => {
      if (answer.kind === "alive") answered.resolve(answer.pid);
    },
    onEnd: () => answered.resolve(undefined),
  });
  const timer = setTimeout(() => answered.resolve(undefined), timeoutMs);
  const pid = await answered.promise;
  clearTimeout(timer);
  talk.close();
  return pid;
}

/** Ends a master that a process before this one has left; waits until it has hung up. */
export async function endMaster(socketPath: string): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const talk = new Talk(socketPath, terminateMessage(), [], {
    onAnswer: () => {},
    onEnd: () => ended.resolve(),
  });
  const timer = setTimeout(ended.resolve, answerMs);
  await ended.promise;
  clearTimeout(timer);
  talk.close();
}

interface TalkListener {
  onAnswer(answer: MuxAnswer): void;
  /** Called once; nothing comes after it. */
  onEnd(why: string): void;
}

class Talk {
  readonly #listener: TalkListener;
  readonly #reader = new MuxReader();
  #socket: Bun.Socket<undefined> | undefined;
  /** Those that are still to be handed over. */
  #descriptors: readonly number[];
  #isOver = false;

  constructor(path: string, request: Uint8Array, descriptors: readonly number[], listener: TalkListener) {
    this.#listener = listener;
    this.#descriptors = descriptors;
    void Bun.connect<undefined>({
      unix: path,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          if (this.#isOver) {
            socket.terminate();
            return;
          }
          const bytes = Buffer.concat([helloMessage(), request]);
          const refused = sendWithDescriptors(fdOf(socket), bytes, this.#descriptors);
          this.#closeDescriptors();
          if (refused !== undefined) this.#end(`the connection's own ssh takes no request: ${refused.text}`);
        },
        data: (_, bytes) => this.#receive(bytes),
        close: () => this.#end("the connection was lost"),
        error: () => this.#end("the connection was lost"),
        connectError: () => {},
      },
    }).catch((error: unknown) => this.#end(`there is no connection: ${thrownSystemError(error).text}`));
  }

  close(): void {
    this.#isOver = true;
    this.#closeDescriptors();
    this.#socket?.terminate();
  }

  #closeDescriptors(): void {
    for (const fd of this.#descriptors) closeFd(fd);
    this.#descriptors = [];
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const answers = this.#reader.push(bytes);
    if (answers === "invalid") {
      this.#end("the connection's own ssh answers in a way that this version does not understand");
      return;
    }
    for (const answer of answers) {
      if (answer.kind !== "hello") this.#listener.onAnswer(answer);
      else if (!isOurVersion(answer)) this.#end(`ssh shares connections by version ${answer.version}, not 4`);
    }
  }

  #end(why: string): void {
    const isFirst = !this.#isOver;
    this.close();
    if (isFirst) this.#listener.onEnd(why);
  }
}

/** The runtime has it, and its types leave it out. */
function fdOf(socket: Bun.Socket<undefined>): number {
  return "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
}

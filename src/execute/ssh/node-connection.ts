/**
 * A node, as long as it is ours: its connection, kept and shared by all that is done there, and opened again when it is asked
 * for after a loss. Nothing here tries again by itself: when, is its owner's to say.
 *
 * A node allows so many sessions on one connection (`MaxSessions`, 10 by default) and tells nobody how many. So a refusal is
 * remembered, and what does not fit goes over a further connection, or waits.
 */
import { printableText } from "../../model/printable.ts";
import { Problem } from "../../model/problem.ts";
import { Turns } from "../../model/turns.ts";
import { parseControlLine } from "./control-lines.ts";
import { type Master, openMaster } from "./master.ts";
import { helloCommand, isPlainFolder } from "./node-script.ts";
import { dismiss, NodeSession, type SessionListener } from "./node-session.ts";
import {
  connectMsOf,
  controlFolderLimit,
  controlSocketOf,
  type NodeTerms,
  nodeInWords,
  type SshTerms,
  shellHangs,
} from "./node-terms.ts";

/** What OpenSSH's server allows if nobody tells it otherwise. */
const usualSessions = 10;
/** So many connections to one node, at most. */
const mostMasters = 10;
/** Of all sessions, for what can't wait: to stop a run, to pick it up again, to ask whether the node is there. */
const reserved = 2;
/** How long a run waits for a session. */
const turnMs = 600_000;
const mostRefusals = 20;
const mostLoneRefusals = 10;
const loneRefusalMs = 100;
const mostFolders = 4;
const leaveMs = 1000;
/** Each costs tens of milliseconds of a core, and has a time limit: hundreds at once would all be late. */
const connecting = new Turns(32);

/** What is known of a node by asking it. */
export interface NodeFacts {
  /** Where runs have their files, in order of preference. */
  readonly folders: readonly string[];
  /** The program; undefined where there is none. */
  readonly setsid: string | undefined;
  readonly bootId: string;
}

/**
 * The sockets of all connections of this process, there or on their way: of one node there may be two owners, a former definition
 * whose runs go on, and the one that holds now. A socket that is none of these was left by another process, and is ended.
 */
const ours = new Set<string>();

interface Shared {
  readonly master: Master;
  inUse: number;
  limit: number;
}

/** A node. */
export class NodeConnection {
  readonly node: NodeTerms;
  readonly #ssh: SshTerms;
  readonly #shared: Shared[] = [];
  readonly #waiting = new Set<() => void>();
  /** Sessions that have been told all, and do the last of it. */
  readonly #leaving = new Set<Promise<void>>();
  #opening: Promise<Problem | undefined> | undefined;
  /** A further connection on its way. Not the same as the first one: it asks the node nothing. */
  #growing: Promise<Problem | undefined> | undefined;
  #facts: NodeFacts | undefined;
  #isClosed = false;
  /** What ssh said when the last connection was lost; undefined while there is one, or never was. */
  #lostBecause: string | undefined;

  constructor(node: NodeTerms, ssh: SshTerms) {
    this.node = node;
    this.#ssh = ssh;
  }

  /** True while there is a connection; a dead one is noticed within seconds. */
  get isUp(): boolean {
    return this.#facts !== undefined && this.#shared.length > 0;
  }

  /** What ssh said when the connection was lost. */
  get lostBecause(): string | undefined {
    return this.#lostBecause;
  }

  /** What the node has told; undefined while there is no connection. */
  get facts(): NodeFacts | undefined {
    return this.#shared.length > 0 ? this.#facts : undefined;
  }

  /** The connections' processes, for who counts them. */
  get pids(): readonly number[] {
    return this.#shared.map(({ master }) => master.pid);
  }

  /**
   * Connects, where there is no connection.
   * @returns why there is none: `unreachable`, or `denied` where the node does not let us in or is not known to be the right
   *   one; undefined where there is one
   */
  open(signal?: AbortSignal): Promise<Problem | undefined> {
    if (this.isUp) return Promise.resolve(undefined);
    if (this.#isClosed)
      return Promise.resolve(new Problem("unreachable", `${nodeInWords(this.node)}: given up`));
    this.#opening ??= this.#open(signal)
      .catch((cause: unknown) => this.#notMade(cause))
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  /** Ends the connections that there are, as if they were lost: they may be opened again. */
  async drop(): Promise<void> {
    await Promise.all(this.#shared.map(({ master }) => master.close()));
  }

  /**
   * Runs a script on the node, in a session of its own; waits for one where all are taken.
   * @param isUrgent for what must not wait behind runs
   * @returns the session, which is opened; or why nothing was started
   */
  async session(
    command: string,
    token: string,
    listener: SessionListener,
    isUrgent = false,
  ): Promise<NodeSession | Problem> {
    for (let refusals = 0; refusals < mostRefusals; refusals++) {
      const shared = await this.#turn(isUrgent);
      if (shared instanceof Problem) return shared;
      shared.inUse += 1;
      const session = NodeSession.open(shared.master.socketPath, command, token, listener);
      if ("code" in session) {
        this.#release(shared);
        return new Problem("internal", `no session can be opened: ${session.text}`);
      }
      void session.ended.then(() => this.#release(shared));
      const refused = await session.opened;
      if (refused === undefined) return session;
      session.close();
      if (refused.code !== "conflict" || !this.#shared.includes(shared)) return refused;
      shared.limit = Math.max(1, Math.min(shared.limit, shared.inUse - 1));
      if (shared.inUse > 1) continue;
      // Where one is all that it allows, the one before may not be over for the node yet.
      if (refusals >= mostLoneRefusals) return refused;
      await Bun.sleep(loneRefusalMs);
    }
    return new Problem("unreachable", `${nodeInWords(this.node)} opens no session`);
  }

  /** Nothing more is wanted of a session than that it does what it was told last; it is ended if that takes too long. */
  leave(session: NodeSession): void {
    dismiss(session);
    const left = session.ended.finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  /**
   * Asks the node for a sign of life, through the connection that there is.
   * @returns why there was none; undefined where there was
   */
  async check(timeoutMs = connectMsOf(this.#ssh)): Promise<Problem | undefined> {
    if (!this.isUp) return new Problem("unreachable", this.#lostBecause ?? "there is no connection");
    const facts = await this.#ask(timeoutMs);
    return facts instanceof Problem ? facts : undefined;
  }

  /** Ends the connections, after a moment for what was told last. What runs on the node goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.race([Promise.all(this.#leaving), Bun.sleep(leaveMs)]);
    await Promise.all(this.#shared.map(({ master }) => master.close()));
    this.#wake();
  }

  async #open(signal: AbortSignal | undefined): Promise<Problem | undefined> {
    const wrong = makeControlFolder(this.#ssh.controlFolder);
    if (wrong !== undefined) return wrong;
    // All others may have been lost while a further one was made: then that one is the first, and nobody has asked through it.
    await this.#growing;
    const refused = this.#shared.length === 0 ? await this.#connect(signal) : undefined;
    if (refused !== undefined) return refused;
    const facts = await this.#ask(connectMsOf(this.#ssh));
    if (!(facts instanceof Problem)) {
      this.#facts = facts;
      return undefined;
    }
    await Promise.all(this.#shared.map(({ master }) => master.close()));
    return facts;
  }

  #notMade(cause: unknown): Problem {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new Problem("unreachable", `${nodeInWords(this.node)}: no connection can be made: ${why}`, {
      cause,
    });
  }

  async #connect(signal?: AbortSignal): Promise<Problem | undefined> {
    const path = this.#unusedSocket();
    ours.add(path);
    const open = () => openMaster(this.node, this.#ssh, path, signal);
    const master = await connecting.take(open).catch((cause: unknown) => {
      ours.delete(path);
      throw cause;
    });
    if (master instanceof Problem) {
      ours.delete(path);
      return master;
    }
    const shared = { master, inUse: 0, limit: this.#shared[0]?.limit ?? usualSessions };
    this.#shared.push(shared);
    this.#lostBecause = undefined;
    void master.ended.then((said) => {
      ours.delete(path);
      this.#shared.splice(this.#shared.indexOf(shared), 1);
      if (this.#shared.length === 0) {
        this.#facts = undefined;
        this.#lostBecause = said;
      }
      this.#wake();
    });
    if (this.#isClosed) await master.close();
    return undefined;
  }

  async #ask(timeoutMs: number): Promise<NodeFacts | Problem> {
    const token = newToken();
    const folders: string[] = [];
    let [setsid, bootId, isWhole] = ["", "", false];
    const answered = Promise.withResolvers<void>();
    const asked = this.session(
      helloCommand(token),
      token,
      {
        onBytes: () => true,
        onLine: (text) => {
          const line = parseControlLine(text);
          const isFolder = line?.kind === "folder" && isPlainFolder(line.path);
          if (isFolder && folders.length < mostFolders) folders.push(line.path);
          else if (line?.kind === "setsid" && isPlainFolder(line.path)) setsid = line.path;
          else if (line?.kind === "boot") bootId = line.bootId;
          else if (line?.kind === "end") {
            isWhole = true;
            answered.resolve();
          }
        },
      },
      true,
    );
    const timer = setTimeout(answered.resolve, timeoutMs);
    const session = await Promise.race([asked, answered.promise]);
    if (session instanceof Problem) {
      clearTimeout(timer);
      return session;
    }
    await Promise.race([session?.ended, answered.promise]);
    clearTimeout(timer);
    void asked.then((late) => late instanceof NodeSession && late.close());
    if (!isWhole) return shellHangs(this.node, timeoutMs);
    if (folders.length === 0) {
      return new Problem("denied", `${nodeInWords(this.node)} has no folder for what runs there`, {
        hint: "~/.cache or /var/tmp must be writable to its user",
      });
    }
    return { folders, setsid: setsid === "" ? undefined : setsid, bootId };
  }

  /** @returns a connection with room for a session */
  async #turn(isUrgent: boolean): Promise<Shared | Problem> {
    const endMs = performance.now() + turnMs;
    for (;;) {
      if (this.#shared.length === 0) {
        return new Problem(
          "unreachable",
          `${nodeInWords(this.node)}: ${this.#lostBecause ?? "there is no connection"}`,
        );
      }
      const free = this.#shared.find(({ inUse, limit }) => inUse < limit);
      const taken = this.#shared.reduce((sum, { inUse }) => sum + inUse, 0);
      const room = mostMasters * (this.#shared[0]?.limit ?? usualSessions) - (isUrgent ? 0 : reserved);
      if (free !== undefined && taken < room) return free;
      if (free === undefined && this.#shared.length < mostMasters) {
        // One at a time, for all that wait.
        this.#growing ??= this.#connect()
          .catch((cause: unknown) => this.#notMade(cause))
          .finally(() => {
            this.#growing = undefined;
            this.#wake();
          });
        const refused = await this.#growing;
        if (refused === undefined) continue;
      }
      if (performance.now() > endMs) {
        return new Problem("unreachable", `${nodeInWords(this.node)} has no session to spare`);
      }
      await this.#woken();
    }
  }

  #unusedSocket(): string {
    for (let number = 0; ; number++) {
      const path = controlSocketOf(this.#ssh, this.node, number);
      if (!ours.has(path)) return path;
    }
  }

  #release(shared: Shared): void {
    shared.inUse -= 1;
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  async #woken(): Promise<void> {
    const woken = Promise.withResolvers<void>();
    const timer = setTimeout(woken.resolve, 1000);
    this.#waiting.add(woken.resolve);
    await woken.promise;
    clearTimeout(timer);
    this.#waiting.delete(woken.resolve);
  }
}

/** A word that nobody can have printed before it was made. */
export function newToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex");
}

function makeControlFolder(folder: string): Problem | undefined {
  const fs = process.getBuiltinModule("node:fs");
  if (Buffer.byteLength(folder) > controlFolderLimit) {
    const rule = `the folder of the connections' sockets must have a path of ${controlFolderLimit} bytes at most`;
    return new Problem("invalid", `${rule}: got ${printableText(folder)}`);
  }
  if (folder.includes("${")) {
    // ssh would put a variable there, and knows no way to write it otherwise.
    const rule = "the folder of the connections' sockets must have no ${ in its path";
    return new Problem("invalid", `${rule}: got ${printableText(folder)}`);
  }
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = fs.lstatSync(folder);
    if (uid === process.geteuid?.() && (mode & 0o077) === 0 && fs.lstatSync(folder).isDirectory())
      return undefined;
  } catch (cause) {
    return new Problem("denied", `${folder} must be a folder that can be written`, { cause });
  }
  return new Problem("denied", `${folder} must be a folder of one's own, of mode 0700`, {
    hint: `chmod 700 ${folder}`,
  });
}

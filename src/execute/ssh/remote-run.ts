/**
 * A run on a node, watched to its end: through as many sessions, connections and lives of this process as it takes.
 *
 * What the node tells is taken for what it is, and silence for nothing: an exit status is the job's only where the script
 * that waited for the job says so; a run that has no files was never started, and is made sure never to be; what was
 * started, and of whose end nobody is left to tell, is `unseen`.
 */
import type { Outcome } from "../../model/outcome.ts";
import { Problem } from "../../model/problem.ts";
import { sleepUntilAborted } from "../../system/timers.ts";
import { type Header, headerLine } from "../job-header.ts";
import { type ControlLine, parseControlLine } from "./control-lines.ts";
import { forgetOnNode } from "./forget-on-node.ts";
import { GrowingPause } from "./growing-pause.ts";
import { type NodeConnection, newToken } from "./node-connection.ts";
import { standCommand, startCommand } from "./node-script.ts";
import { NodeSession } from "./node-session.ts";
import { nodeInWords, shellHangs } from "./node-terms.ts";
import {
  type Facts,
  factsWith,
  fateOf,
  lostBefore,
  noFacts,
  notExecuted,
  notStarted,
  outcomeOf,
  stoppedBefore,
  whyNotStarted,
} from "./remote-end.ts";
import type { Progress, RemoteIdentity, RemotePorts } from "./remote-run-terms.ts";
import { RunOutput } from "./run-output.ts";
import { stopOnNode } from "./stop-on-node.ts";

const firstRetryMs = 250;
const lastRetryMs = 10_000;
/** How long a run is believed to go on, of which nothing is heard because its node is away. */
const defaultAwayMs = 86_400_000;
/** How often is looked whether who is to tell of the end is still there, once the session that started it is lost. */
const lookMs = 20_000;
const defaultAnswerMs = 60_000;
/** How long output goes on to be brought of a run that was stopped and has ended. */
const restMs = 600_000;
const mostStarts = 3;
const mostSilences = 3;

/** One attempt of a run. Either `start` or `resume` is to be called, once. */
export class RemoteRun {
  readonly #connection: NodeConnection;
  readonly #identity: RemoteIdentity;
  readonly #fileId: string;
  readonly #ports: RemotePorts;
  readonly #output: RunOutput;
  readonly #outcome = Promise.withResolvers<Outcome>();
  readonly #over = new AbortController();
  /** The session that tells how the run stands: the one that started it, or a later one. */
  #teller: NodeSession | undefined;
  #isStarted: boolean;
  #isTold = false;
  /** Of the node, when the run was to be started there. */
  #bootId: string | undefined;
  #end: Outcome | undefined;
  #endedMs = 0;
  /** Since when nothing is known of it. */
  #awaySinceMs: number | undefined;
  #facts: Facts = noFacts;
  #timer: Timer | undefined;
  #isVoid = false;
  /** Not a word of it was sent: nothing of it can be there, now or later. */
  #isUnsent = false;
  /** The node has ended all of it that there was, and will start nothing of it. */
  #isStopped = false;
  #silences = 0;
  #isRecovering = false;
  readonly #pause = new GrowingPause({ firstMs: firstRetryMs, lastMs: lastRetryMs, calmMs: lookMs });

  constructor(
    connection: NodeConnection,
    identity: RemoteIdentity,
    ports: RemotePorts,
    { positions, isStarted, bootId }: Progress = { positions: {}, isStarted: false },
  ) {
    this.#isStarted = isStarted;
    this.#bootId = bootId;
    this.#connection = connection;
    this.#identity = identity;
    this.#fileId = `${identity.runId}.${identity.attempt}`;
    this.#ports = ports;
    this.#output = new RunOutput(
      connection,
      this.#fileId,
      { names: identity.isStderrApart ? ["o", "e"] : ["o"], positions },
      {
        onBytes: ports.onBytes,
        onProgress: () => this.#look(),
        onWarning: ports.onWarning,
        stallMs: ports.readerMs,
        over: this.#over.signal,
      },
    );
  }

  get #answerMs(): number {
    return this.#ports.answerMs ?? defaultAnswerMs;
  }

  /** How far it has come. */
  get progress(): Progress {
    const bootId = this.#bootId ?? this.#connection.facts?.bootId;
    return { positions: this.#output.positions, isStarted: this.#isStarted, bootId };
  }

  /** True where the node has proved that nothing of it was started, and nothing can be any more. */
  get isVoid(): boolean {
    return this.#isVoid;
  }

  /**
   * Starts it, and waits for its end.
   * @param input what it reads; undefined: nothing
   * @returns `not-started` with the Problem `unreachable` where it is proved that the job was not started, and can't be any
   *   more: another node may have it
   */
  async start(header: Header, input: Uint8Array | undefined): Promise<Outcome> {
    this.#isUnsent = true;
    const starting = this.#startingSession(input?.length ?? 0).then(async (session) => {
      if (session instanceof Problem) return this.#finish(notStarted(session));
      if (this.#over.signal.aborted) return session.close();
      // Of a shell that hangs before it reads, nobody could say what it does with a job that it was given.
      const hangs = shellHangs(this.#connection.node, this.#answerMs);
      this.#arm(() => this.#finish(notStarted(hangs)), this.#answerMs);
      await Promise.race([session.begun, session.ended, this.#outcome.promise]);
      if (this.#over.signal.aborted || this.#teller !== session) return session.close();
      this.#isUnsent = false;
      this.#arm(() => void this.#doubt(), this.#answerMs);
      session.write(headerLine(header));
      if (input !== undefined) session.write(input);
    });
    starting.catch(this.#outcome.reject); // a defect is its caller's
    return this.#outcome.promise;
  }

  /** A connection that is lost at this very moment is opened once more: nothing was started by it. */
  async #startingSession(inputBytes: number): Promise<NodeSession | Problem> {
    for (let tries = 1; ; tries++) {
      const refused = await this.#connection.open();
      if (refused !== undefined) return refused;
      const { facts } = this.#connection;
      if (facts === undefined && tries < mostStarts) continue; // lost in this very moment
      const token = newToken();
      this.#bootId = facts?.bootId;
      const { setsid, folders = [] } = facts ?? {};
      const { isStderrApart } = this.#identity;
      const command = startCommand({
        fileId: this.#fileId,
        token,
        inputBytes,
        isStderrApart,
        setsid,
        folders,
      });
      const session = await this.#tell(command, token, this.#output.brought());
      if (session instanceof NodeSession || tries === mostStarts) return session;
      await Bun.sleep(firstRetryMs);
    }
  }

  /**
   * Picks up a run that another process has started, or this one before; waits for its end, and for what is left of its
   * output. A run that the node does not know was never started.
   */
  resume(): Promise<Outcome> {
    void this.#recover();
    return this.#outcome.promise;
  }

  /** After `onBytes` has said that there is no room. */
  resumeOutput(): void {
    this.#output.resume();
  }

  /**
   * Ends the run with all that it has started, by TERM, and by KILL when the grace is over; waits for the node, if it is away.
   * @returns how many of its processes are left; undefined where that could not be learned
   */
  async stop(graceMs: number): Promise<number | undefined> {
    if (this.#isUnsent) {
      this.#finish(stoppedBefore());
      return 0;
    }
    const run = { fileId: this.#fileId, runId: this.#identity.runId };
    const endMs = performance.now() + (this.#ports.awayMs ?? defaultAwayMs);
    for (let waitMs = firstRetryMs; performance.now() < endMs; waitMs = Math.min(waitMs * 2, lastRetryMs)) {
      const left = await stopOnNode(this.#connection, run, graceMs);
      if (left !== undefined) {
        this.#isStopped = true;
        // It may hang there before its start, which nobody tells unasked.
        if (!this.#isStarted) void this.#recover();
        // A node without /proc says so of a job that goes on.
        if (left === 0 && this.#facts.job?.pid !== 0) void this.#endSoon();
        return left;
      }
      await sleepUntilAborted(waitMs, this.#over.signal);
      if (this.#over.signal.aborted) return undefined;
    }
    this.#finish(this.#end ?? { kind: "unseen" });
    return undefined;
  }

  /** Nothing of it is there any more: an end that nobody tells is not waited for, nor is output without end. */
  async #endSoon(): Promise<void> {
    const { signal } = this.#over;
    await sleepUntilAborted(this.#answerMs, signal);
    if (this.#end === undefined) void this.#recover();
    await sleepUntilAborted(this.#answerMs, signal);
    while (this.#awaySinceMs !== undefined && !signal.aborted) await sleepUntilAborted(lastRetryMs, signal);
    if (this.#end !== undefined) await sleepUntilAborted(restMs, signal);
    this.#finish(this.#end ?? { kind: "unseen" });
  }

  /** Opens the session that is to tell from now on. @param brings where its bytes go, where it brings output as well */
  async #tell(
    command: string,
    token: string,
    brings: ReturnType<RunOutput["brought"]> | undefined,
    isUrgent = false,
  ): Promise<NodeSession | Problem> {
    const session = await this.#connection.session(
      command,
      token,
      {
        onBytes: (bytes) => brings === undefined || brings.onBytes(bytes),
        onLine: (text) => {
          const line = parseControlLine(text);
          if (line !== undefined) this.#take(line);
        },
      },
      isUrgent,
    );
    if (session instanceof Problem) return session;
    this.#teller = session;
    brings?.by(session);
    void session.ended.then(() => {
      if (this.#teller !== session) return;
      this.#teller = undefined;
      if (this.#over.signal.aborted) return;
      if (this.#isUnsent) this.#void();
      else void this.#recover();
    });
    return session;
  }

  #take(line: ControlLine): void {
    if (this.#over.signal.aborted) return;
    this.#facts = factsWith(this.#facts, line);
    if (line.kind === "started") this.#started();
    else if (line.kind === "void" && this.#facts.script === undefined) this.#void();
    else if (line.kind === "taken" && this.#isStopped) this.#finish(stoppedBefore());
    else if (line.kind === "chunk") this.#output.isFull(line.stream, line.chunk, line.bytes);
    else if (line.kind === "drained") this.#output.drained(line.stream, line.chunk, line.bytes, line.isCut);
    else if (line.kind === "exit") this.#end ??= outcomeOf(line.status);
    else if (line.kind === "unclear") this.#end ??= { kind: "unseen" };
    else if (line.kind === "live") this.#judge();
    // Found, and then not to be executed after all: what it is told as by a shell.
    else if (line.kind === "not-started") {
      this.#end ??= this.#isStarted
        ? outcomeOf(line.status)
        : notExecuted(line, nodeInWords(this.#connection.node), this.#ports.workingFolder);
    } else {
      const why = whyNotStarted(line, this.#connection.node);
      if (why !== undefined) this.#finish(why);
      if (line.kind === "input") void forgetOnNode(this.#connection, this.#fileId);
    }
    this.#look();
  }

  #started(): void {
    if (this.#isTold) return;
    clearTimeout(this.#timer);
    this.#isTold = true;
    this.#isStarted = true;
    this.#output.followAll(); // before, there are no files
    this.#ports.onStarted();
  }

  /** The node knows nothing of it. What was there is gone with its files, be it that somebody removed them, or a new start. */
  #void(): void {
    const isSameBoot = this.#bootId !== undefined && this.#facts.boot === this.#bootId;
    this.#isVoid = this.#isUnsent || (isSameBoot && !this.#isStarted);
    this.#finish(this.#isVoid ? notStarted(lostBefore()) : { kind: "unseen" });
  }

  /** The node has told all that it knows of a run that was picked up. */
  #judge(): void {
    this.#awaySinceMs = undefined;
    if (this.#end === undefined) {
      const fate = fateOf(this.#facts, { isStarted: this.#isStarted, isStopped: this.#isStopped });
      this.#isVoid = fate === "void";
      if (fate === "stopped") this.#finish(stoppedBefore());
      else if (fate === "void") this.#finish(notStarted(lostBefore()));
      else if (fate === "alive" || (fate === "silent" && this.#silences++ < mostSilences)) {
        this.#arm(() => void this.#recover(), lookMs);
      } else this.#end = { kind: "unseen" };
    }
    this.#output.followAll();
  }

  /** Looks whether all has come, and what is to be done next. */
  #look(): void {
    if (this.#over.signal.aborted) return;
    this.#output.advance(this.#teller);
    if (this.#end === undefined) return;
    if (this.#endedMs === 0) this.#endedMs = performance.now();
    const waitMs = this.#output.waitMs(this.#endedMs);
    if (waitMs === undefined) this.#finish(this.#end);
    else this.#arm(() => this.#waited(), waitMs);
  }

  /** The job has ended, and for a while no output has come. */
  #waited(): void {
    this.#output.waited(this.#endedMs, this.#teller);
    this.#look();
  }

  /** Connects again, however long that takes, and asks how the run stands. */
  async #recover(): Promise<void> {
    if (this.#isRecovering || this.#over.signal.aborted) return;
    this.#isRecovering = true;
    clearTimeout(this.#timer);
    this.#output.leaveAll();
    const teller = this.#teller;
    this.#teller = undefined;
    teller?.close();
    this.#awaySinceMs ??= performance.now();
    const endMs = this.#awaySinceMs + (this.#ports.awayMs ?? defaultAwayMs);
    await this.#pause.end(this.#over.signal);
    for (let waitMs = firstRetryMs; !this.#over.signal.aborted; waitMs = Math.min(waitMs * 2, lastRetryMs)) {
      if (performance.now() > endMs) {
        this.#finish({ kind: "unseen" });
        break;
      }
      await this.#connection.open();
      const folders = this.#connection.facts?.folders;
      if (folders !== undefined) {
        const token = newToken();
        this.#facts = noFacts;
        const command = standCommand({ fileId: this.#fileId, token, folders });
        if (!((await this.#tell(command, token, undefined, true)) instanceof Problem)) {
          this.#arm(() => void this.#doubt(), this.#answerMs);
          break;
        }
      }
      await sleepUntilAborted(waitMs, this.#over.signal);
    }
    this.#isRecovering = false;
  }

  /** The node does not answer what it was asked: if it answers nothing at all, the connection is ended; it is asked anew. */
  async #doubt(): Promise<void> {
    if ((await this.#connection.check()) !== undefined) await this.#connection.drop();
    void this.#recover();
  }

  #arm(call: () => void, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(call, ms);
  }

  #finish(outcome: Outcome): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    clearTimeout(this.#timer);
    if (this.#output.isCut) {
      this.#ports.onWarning("the node had no room for all of the output: its end is missing");
    }
    this.#ports.onEnd?.(outcome);
    this.#outcome.resolve(outcome);
    // Else it was never to be, or nobody has told its end: what stands there is another one's, or keeps a late start from being one.
    const isOurs = outcome === this.#end;
    const sessions = new Set([this.#teller, ...this.#output.sessions]);
    let isTold = false;
    for (const session of sessions) {
      if (session === undefined) continue;
      if (isOurs && !isTold) session.write(encoder.encode("ok\n"));
      isTold = true;
      this.#connection.leave(session);
    }
    if (isOurs && !isTold) void forgetOnNode(this.#connection, this.#fileId);
  }

  /** Removes what is left of it on the node, if it is there; a run whose end was told before. */
  forget(): void {
    this.#over.abort();
    void this.#connection.open().then(() => forgetOnNode(this.#connection, this.#fileId));
  }
}

const encoder = new TextEncoder();

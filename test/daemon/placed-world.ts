/**
 * A small world for the random test of runs on nodes: nodes that come and go, jobs at work there, and rcronds that are killed and
 * begun anew among them. Daemon, fleet, plan, notes and book are the real ones; the ways to the nodes and the clock are not.
 *
 * A part of a run stands still wherever something could come between – before its node is reached, between its note and its start, while
 * it runs, before a retry – until the scene goes on with it.
 */
import { DaemonLog } from "../../src/cli/daemon-log.ts";
import { FleetRuns } from "../../src/cli/fleet-runs.ts";
import type { NodeWay, PartRun } from "../../src/cli/node-ways.ts";
import type { PartHosted } from "../../src/cli/placed-end.ts";
import { type EndExtras, type KnownRun, RunTeller } from "../../src/cli/run-teller.ts";
import { Daemon, Fleet, type KnownJobs, PlacedRuns, TickBook } from "../../src/daemon/daemon.ts";
import type { PlacementLimits } from "../../src/daemon/placement-plan.ts";
import type { Hosted, RunEnd } from "../../src/execute/execute.ts";
import { type Conf, parseConf } from "../../src/gate/gate.ts";
import type { Node } from "../../src/model/node.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import { Problem } from "../../src/model/problem.ts";
import type { NodeEnd, NodeResult } from "../../src/model/run-event.ts";
import { utc } from "../../src/schedule/schedule.ts";
import { FakeClock, FakeGate, noonMs } from "./fake-parts.ts";

/** A job at work on a node. */
export interface Process {
  /** The number of the start, from 1. */
  readonly start: number;
  /** Undefined: it goes on. */
  exit: number | undefined;
  /** It was told to end. */
  isToEnd: boolean;
}

/** A run's part on a node, from its first connection on, over the deaths of rcronds. */
export interface Part {
  readonly run: string;
  readonly job: string;
  readonly node: string;
  readonly kind: Node["connection"]["kind"];
  /** What it stands still at. */
  phase: "connecting" | "condition" | "starting" | "running" | "pause" | "over";
  /** How the scene has it go on from there. */
  word: string | undefined;
  process: Process | undefined;
  /** What its process left on the node is gone, or hidden: nobody can tell how it ends. */
  isLost: boolean;
  /** What the book has of it. */
  noted: "nothing" | "begun" | "ended";
  result: NodeResult | undefined;
  /** Of the last process. */
  exit: number | undefined;
}

/** Who looks on, and says what must not be. */
export interface Witness {
  /** A part begins that the book knows nothing of. */
  begins(part: Part): void;
  /** A process is about to be started. */
  starts(part: Part): void;
  /** It is over there, or nobody can tell. */
  ends(part: Part): void;
  /** A run is told to be over: what it came to. */
  told(run: string, job: string, end: ToldEnd): void;
  /** @param node "": the run as a whole */
  noted(run: string, node: string, note: string): void;
  /** An assumption of this world does not hold. */
  fault(sentence: string): void;
}

/** What is told of a run's end. */
export interface ToldEnd {
  /** `ended`, or why it was not run at all. */
  readonly kind: string;
  readonly end: RunEnd | undefined;
  readonly nodes: readonly NodeEnd[];
  readonly sentence: string | undefined;
}

/** What outlives an rcrond. */
export class World {
  readonly clock = new FakeClock(noonMs);
  readonly parts: Part[] = [];
  readonly away = new Set<string>();
  readonly witness: Witness;
  readonly random: () => number;
  nodes: readonly Node[] = [];
  readonly limits: PlacementLimits;
  readonly folder: string;
  /** The names of jobs with a condition. */
  readonly conditional: ReadonlySet<string>;
  /** So many words of the book from now, rcrond is killed: before the word is written, or right after. */
  deathAt: { notes: number; readonly isBefore: boolean } | undefined;

  constructor(options: Pick<World, "witness" | "random" | "limits" | "folder" | "conditional">) {
    this.witness = options.witness;
    this.random = options.random;
    this.limits = options.limits;
    this.folder = options.folder;
    this.conditional = options.conditional;
  }

  isThere(part: Part): boolean {
    return part.kind === "local" || !this.away.has(part.node);
  }

  /** What goes on, as far as its rcrond can know. */
  get open(): Part[] {
    return this.parts.filter(({ result }) => result === undefined);
  }

  /** A new rcrond knows what the book has, and of runs on nodes that are no more that nobody can tell. */
  forget(): void {
    const parts = this.parts.splice(0);
    for (const part of parts) {
      if (part.noted === "nothing" && part.process !== undefined)
        this.witness.fault(`${part.run} was started on ${part.node} before the book had it`);
      if (part.noted === "nothing") continue;
      const isDefined = this.nodes.some(({ name }) => name === part.node);
      if (part.noted === "begun") part.result = isDefined ? undefined : "unknown";
      this.parts.push(part);
    }
  }
}

/** One rcrond, from its start to its death. */
export class Life {
  readonly world: World;
  readonly fleet: Fleet<NodeWay>;
  readonly daemon: Daemon;
  isDead = false;
  readonly #book: TickBook;
  readonly #watchers = new Set<{ readonly isIt: () => boolean; readonly resolve: () => void }>();

  private constructor(world: World) {
    this.world = world;
    const { random, limits } = world;
    const clock = {
      nowMs: () => world.clock.nowMs(),
      after: (ms: number, call: () => void) =>
        this.isDead ? { cancel: () => {} } : world.clock.after(ms, call),
    };
    this.#book = this.#listening(TickBook.open(world.folder, (sentence) => world.witness.fault(sentence)));
    this.fleet = new Fleet<NodeWay>({
      linkTo: (node) => new FakeWay(node, this),
      healthCheckMs: 60_000,
      clock,
      log: () => {},
      onChange: () => placed.wake(),
    });
    const placed: PlacedRuns<NodeWay> = new PlacedRuns({ fleet: this.fleet, limits, clock, random });
    const gate = new FakeGate();
    const settings = {
      log: new NoLog(conf, "stderr"),
      hostName: "alpha",
      environment: [],
      conf: () => conf,
      confPath: undefined,
      recordFolder: () => undefined,
      judge: () => gate.always,
    };
    const teller = new HeardTeller(settings, this);
    this.daemon = new Daemon({
      zone: utc,
      hostName: "alpha",
      boot: "boot-1",
      concurrency: undefined,
      stopTimeoutMs,
      lookBackMs: 10_000,
      // Nothing is ever due here, so that its looks at the clock are left out.
      clock: {
        nowMs: () => clock.nowMs(),
        after: (ms, call) => (ms === stopTimeoutMs ? clock.after(ms, call) : { cancel: () => {} }),
      },
      executor: new FleetRuns({ ...settings, placed }, teller),
      recorder: teller,
      gate,
      book: this.#book,
      log: (_, sentence) => {
        if (sentence.includes("internal error")) world.witness.fault(sentence);
      },
      random,
    });
  }

  /** @param onLife told before anything of it goes on */
  static async begin(world: World, jobs: KnownJobs, onLife: (life: Life) => void): Promise<Life> {
    const life = new Life(world);
    onLife(life);
    await life.fleet.setNodes(world.nodes);
    life.daemon.start(jobs);
    return life;
  }

  /** Without a word: what it has under way comes to nothing. */
  die(): void {
    this.isDead = true;
    this.#book.close();
    this.#watchers.clear();
    this.world.clock.forgetTimers();
    this.world.deathAt = undefined;
  }

  /** Resolves when it is so; never in a dead daemon. */
  async until(isIt: () => boolean): Promise<void> {
    if (this.isDead || !isIt()) {
      await new Promise<void>((resolve) => this.#watchers.add({ isIt, resolve }));
    }
  }

  /** Lets all that is under way come to where it stands still. */
  async settle(ms = 0): Promise<void> {
    await this.world.clock.go(ms);
    while (this.#look()) await this.world.clock.go(0);
  }

  /** What is left of runs in the book. */
  get booked(): string[] {
    return this.#book.read().runs.map(({ run }) => run);
  }

  #look(): boolean {
    let isAny = false;
    for (const watcher of this.isDead ? [] : this.#watchers) {
      if (!watcher.isIt()) continue;
      this.#watchers.delete(watcher);
      watcher.resolve();
      isAny = true;
    }
    return isAny;
  }

  #listening(book: TickBook): TickBook {
    const write = book.onNode.bind(book);
    book.onNode = (run, node, note) => {
      if (this.isDead) return;
      const { deathAt, witness } = this.world;
      const isDeath = deathAt !== undefined && --deathAt.notes <= 0;
      if (isDeath && deathAt.isBefore) return this.die();
      write(run, node, note);
      const part = this.world.parts.find((each) => each.run === run && each.node === node);
      if (part !== undefined) part.noted = note.startsWith('{"ended"') ? "ended" : "begun";
      witness.noted(run, node, note);
      if (isDeath) this.die();
    };
    return book;
  }
}

/** How long an rcrond that is told to end waits for what ends with it. */
export const stopTimeoutMs = 10_000;

/** A way to a node, as src/cli/node-ways.ts has them. */
class FakeWay implements NodeWay {
  readonly outlives: boolean;
  readonly #node: Node;
  readonly #life: Life;
  #hasConnection = false;
  #isClosed = false;

  constructor(node: Node, life: Life) {
    this.#node = node;
    this.#life = life;
    this.outlives = node.connection.kind === "ssh";
  }

  get #isThere(): boolean {
    return this.#node.connection.kind === "local" || !this.#life.world.away.has(this.#node.name);
  }

  get isOpen(): boolean {
    return this.#hasConnection && this.#isThere;
  }

  async open(): Promise<Problem | undefined> {
    this.#hasConnection = this.#isThere && !this.#isClosed;
    return this.#hasConnection ? undefined : new Problem("unreachable", "no answer");
  }

  check = () => this.open();

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  async run(given: PartRun): Promise<PartHosted> {
    const part = this.#partOf(given);
    const end = await (this.outlives ? this.#overSsh(part, given) : this.#fromHere(part, given));
    await this.#life.until(() => true); // not in a dead one
    part.phase = "over";
    part.result = end.result;
    this.#life.world.witness.ends(part);
    return end.hosted;
  }

  #partOf({ known: { due }, node, noted }: PartRun): Part {
    const { world } = this.#life;
    const before = world.parts.find((part) => part.run === due.runId && part.node === node);
    if (noted !== undefined && before !== undefined) {
      if (before.noted === "ended")
        world.witness.fault(`${due.runId} goes on on ${node}, where it had ended`);
      return Object.assign(before, { result: undefined, word: undefined });
    }
    if (noted !== undefined) world.witness.fault(`${due.runId} goes on on ${node}, where it never was`);
    else if (before !== undefined) world.witness.fault(`${due.runId} begins on ${node} once more`);
    const { kind } = this.#node.connection;
    const part: Part = {
      run: due.runId,
      job: due.jobName,
      node,
      kind,
      phase: "connecting",
      word: undefined,
      process: undefined,
      isLost: false,
      noted: "nothing",
      result: undefined,
      exit: undefined,
    };
    if (this.#life.isDead) return part;
    world.witness.begins(part);
    world.parts.push(part);
    return part;
  }

  /** As SshWay: each start is noted before it is made, and found again by the next rcrond. */
  async #overSsh(part: Part, { known, noted, note, ports }: PartRun): Promise<End> {
    const [kind = "", number = "0"] = noted?.split(" ") ?? [];
    let starts = kind === "job" ? Number(number) - 1 : Number(number);
    let isResumed = kind === "job";
    const isGone = known.due.job === undefined;
    if (isGone && !isResumed) return refused("the job's file is gone");
    const retries = isGone ? 0 : known.rules.retries;
    const isStopped = () => ports.lost?.aborted === true;
    for (;;) {
      if (!isResumed) {
        if (!(await this.#isReached(part))) return notReached(starts > 0);
        if (isStopped()) return stopped();
        if (starts === 0 && this.#life.world.conditional.has(part.job)) {
          note("condition 0");
          const said = await this.#word(part, "condition", isStopped);
          if (isStopped()) return stopped();
          if (said === "lost") return conditionLost();
          if (said === "no") return conditionSaysNo();
        }
        if (starts === 0) ports.onStart();
        note(`job ${starts + 1}`);
        const said = await this.#word(part, "starting", isStopped);
        if (said === undefined) return stopped();
        this.#start(part, starts + 1);
      } else if (part.process?.start !== starts + 1) {
        part.phase = "starting";
        await this.#life.until(() => this.#life.world.isThere(part) || isStopped());
        // What was on its way when rcrond died never came there.
        part.word = undefined;
        if (isStopped()) return stopped();
        if (isGone) return notReached(starts > 0);
        this.#start(part, starts + 1);
      }
      starts += 1;
      isResumed = false;
      const exit = await this.#follow(part, isStopped);
      if (exit === undefined) return unknown();
      if (exit === 0 || exit === killed || starts > retries || isStopped()) return ended(part, exit);
      note(`starts ${starts}`);
      part.phase = "pause";
      if ((await this.#word(part, "pause", isStopped)) === undefined) return stopped();
    }
  }

  /** As LocalWay and CommandWay: what an earlier rcrond has begun is found, but not how it ends. */
  async #fromHere(part: Part, { known, noted, note, ports }: PartRun): Promise<End> {
    const isStopped = () => ports.lost?.aborted === true;
    if (noted !== undefined) {
      if (part.process !== undefined && part.kind === "local") await this.#follow(part, isStopped);
      return unknown();
    }
    if (known.due.job === undefined) return refused("the job's file is gone");
    if (part.kind === "command" && !(await this.#isReached(part))) return notReached(false);
    if (isStopped()) return stopped();
    note("");
    if (this.#life.world.conditional.has(part.job)) {
      const said = await this.#word(part, "condition", isStopped);
      if (isStopped()) return stopped();
      if (said === "no") return conditionSaysNo();
    }
    ports.onStart();
    if ((await this.#word(part, "starting", isStopped)) === undefined) return stopped();
    this.#start(part, 1);
    note("mark");
    const exit = await this.#follow(part, isStopped);
    return exit === undefined ? unknown() : ended(part, exit);
  }

  async #isReached(part: Part): Promise<boolean> {
    part.phase = "connecting";
    await this.#life.until(() => part.word !== undefined || this.#isClosed);
    const { word } = part;
    part.word = undefined;
    return word === "reached" && (await this.open()) === undefined;
  }

  /** @returns undefined where it was stopped before */
  async #word(part: Part, phase: Part["phase"], isStopped: () => boolean): Promise<string | undefined> {
    part.phase = phase;
    await this.#life.until(() => part.word !== undefined || isStopped());
    const { word } = part;
    part.word = undefined;
    return isStopped() ? undefined : word;
  }

  #start(part: Part, start: number): void {
    if (this.#life.isDead) return;
    this.#life.world.witness.starts(part);
    part.process = { start, exit: undefined, isToEnd: false };
  }

  /** @returns the exit status; undefined where nobody can tell */
  async #follow(part: Part, isStopped: () => boolean): Promise<number | undefined> {
    const { world } = this.#life;
    part.phase = "running";
    const isOver = () => {
      const { process } = part;
      if (process === undefined) return true;
      if (!world.isThere(part)) return part.kind === "command";
      if (isStopped()) process.isToEnd = true;
      return part.isLost || process.exit !== undefined;
    };
    await this.#life.until(isOver);
    if (part.isLost || !world.isThere(part)) return undefined;
    return part.process?.exit;
  }
}

/** How a process ends that was told to: by SIGTERM. */
export const killed = 143;

interface End {
  readonly result: NodeResult;
  readonly hosted: PartHosted;
}

function ended(part: Part, exit: number): End {
  part.exit = exit;
  const isTerm = exit === killed;
  const outcome: Outcome = isTerm ? { kind: "signalled", signal: 15 } : { kind: "exited", exitCode: exit };
  const cause = isTerm ? "stopped" : "exit";
  const result = isTerm ? "stopped" : exit === 0 ? "success" : "failure";
  return { result, hosted: hosted({ ...plainEnd, outcome, cause, isOk: exit === 0 }, true) };
}

function unknown(): End {
  const end = { ...plainEnd, outcome: { kind: "unseen" }, cause: "unseen" } as const;
  return { result: "unknown", hosted: hosted(end, true) };
}

function notReached(hasStarted: boolean): End {
  const outcome = { kind: "not-started", exitCode: 125, problem: noAnswer } as const;
  const end = { ...plainEnd, outcome, cause: "not-started" } as const;
  return { result: hasStarted ? "failure" : "unreachable", hosted: hosted(end, hasStarted) };
}

function stopped(): End {
  return { result: "stopped", hosted: hosted({ kind: "stopped", sentence: undefined }, false) };
}

function refused(message: string): End {
  const problem = new Problem("not-found", message);
  return { result: "failure", hosted: hosted({ kind: "refused", problem }, false) };
}

function conditionSaysNo(): End {
  return {
    result: "skipped",
    hosted: hosted({ kind: "condition", sentence: "its condition says no" }, false),
  };
}

function conditionLost(): End {
  const { hosted: end } = conditionSaysNo();
  return { result: "unreachable", hosted: { ...end, conditionLost: noAnswer } };
}

function hosted(end: Hosted, hasStarted: boolean): PartHosted {
  return { hosted: end, conditionLost: undefined, hasStarted };
}

const noAnswer = new Problem("unreachable", "no answer");
const plainEnd = {
  kind: "ended",
  isOk: false,
  sentence: undefined,
  attempts: 1,
  durationMs: 0,
  kept: undefined,
  isDetached: false,
  survivors: 0,
} as const;

const conf = ((): Conf => {
  const parsed = parseConf("", "f");
  if (parsed instanceof Problem) throw parsed;
  return parsed.conf;
})();

/** Says nothing to anybody. */
class NoLog extends DaemonLog {
  override info(): void {}
  override warn(): void {}
}

/** Tells the witness as well; a dead daemon's is not heard. */
class HeardTeller extends RunTeller {
  readonly #life: Life;

  constructor(settings: ConstructorParameters<typeof RunTeller>[0], life: Life) {
    super(settings);
    this.#life = life;
  }

  /** Nobody is told of it by mail, and so nothing is loaded for that, which would take its time. */
  override async ended({ due }: KnownRun, end: RunEnd, { nodes = [] }: EndExtras = {}) {
    const { isOk, sentence } = end;
    this.#tell(due.runId, due.jobName, { kind: "ended", end, nodes, sentence });
    return { isOk, exitStatus: 0, sentence: sentence ?? "" };
  }

  override notRun(known: KnownRun, hosted: Exclude<Hosted, { kind: "ended" }>) {
    const sentence = "sentence" in hosted ? hosted.sentence : undefined;
    this.#tell(known.due.runId, known.due.jobName, {
      kind: hosted.kind,
      end: undefined,
      nodes: [],
      sentence,
    });
    return super.notRun(known, hosted);
  }

  override lost(known: KnownRun, startedAtMs: number, error: unknown) {
    this.#life.world.witness.fault(`${known.due.runId} was lost: ${error}`);
    return super.lost(known, startedAtMs, error);
  }

  override skip({ runId = "", job, why }: Parameters<RunTeller["skip"]>[0]): void {
    this.#tell(runId, job.name, { kind: why, end: undefined, nodes: [], sentence: why });
  }

  #tell(run: string, job: string, end: ToldEnd): void {
    if (!this.#life.isDead) this.#life.world.witness.told(run, job, end);
  }
}

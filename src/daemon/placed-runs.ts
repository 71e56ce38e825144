/**
 * Runs over nodes, driven to their end: asks placement-plan.ts what is to be done, has it done, and asks again when something has happened –
 * an attempt has ended, a node has come up, there is room, a wait is over, somebody wants it stopped.
 */
import type { Node } from "../model/node.ts";
import { reasonOf } from "../model/node-result.ts";
import type { Placement } from "../model/placement.ts";
import { Problem } from "../model/problem.ts";
import type { Overlap } from "../model/rules.ts";
import type { EndCause, NodeEnd } from "../model/run-event.ts";
import type { DaemonClock } from "./daemon-parts.ts";
import type { Fleet, NodeLink } from "./fleet.ts";
import {
  type PlacementCourse,
  type PlacementLimits,
  type PlacementStart,
  type PlacementVerdict,
  planPlacement,
} from "./placement-plan.ts";

export type { LeftOut, PlacementCourse } from "./placement-plan.ts";

/** A run whose job says on which nodes. */
export interface PlacedRun {
  readonly runId: string;
  readonly jobName: string;
  readonly placement: Placement;
  readonly overlap: Overlap;
}

/** An attempt that is over. */
export interface PlacedAttempt extends NodeEnd {
  /** Where the node could not be reached, or an earlier run there could not be ended. */
  readonly problem: Problem | undefined;
  /** Where the job was started: how it ended. */
  readonly cause?: EndCause;
}

/** What does the work of one run on its nodes. Nothing here throws or rejects. */
export interface PlacedWork<Link> {
  /**
   * Runs the job on a node.
   * @param stop ends it there, with all that it has started
   * @param isResumed another daemon has begun it, and left it
   */
  attempt(
    on: { readonly node: Node; readonly link: Link },
    stop: AbortSignal,
    isResumed: boolean,
  ): Promise<PlacedAttempt>;
  /**
   * What is to be known of a run on all nodes by who may have to go on with it: before anything of it is begun, and again when
   * what it has waited for has not come.
   */
  onCourse(course: PlacementCourse): void;
}

/** What another daemon has done of a run. */
export interface DoneBefore {
  readonly ended: readonly Omit<PlacedAttempt, "problem">[];
  /** The nodes on which it may go on. */
  readonly going: readonly string[];
  /** As `onCourse` has told it. */
  readonly course?: PlacementCourse | undefined;
}

/** How a run is steered. */
export interface PlacedSignals {
  /** Ends all of its attempts; what waits is given up. */
  readonly stop: AbortSignal;
  /** The daemon is about to end: nothing more is begun, and what goes on by itself is left alone. */
  readonly leave: AbortSignal;
}

/** What became of a run. */
export interface PlacedResult {
  readonly verdict: PlacementVerdict;
  /** In the order in which they ended. */
  readonly attempts: readonly PlacedAttempt[];
}

/** What the runs need. */
export interface PlacedRunsOptions<Link extends NodeLink> {
  readonly fleet: Fleet<Link>;
  readonly limits: PlacementLimits;
  readonly clock: DaemonClock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** So long a run waits for room on its nodes. */
const longestWaitMs = 3_600_000;
/** So long a run waits for the end of the one whose place it takes; its node may be away. */
const clobberMs = 120_000;
/** Of all runs that wait, so many ask again in one turn of the event loop. */
const wokenInTurn = 20;

/** All runs over nodes. */
export class PlacedRuns<Link extends NodeLink> {
  readonly #options: PlacedRunsOptions<Link>;
  readonly #going = new Set<Driver<Link>>();
  readonly #waking = new Set<Driver<Link>>();

  constructor(options: PlacedRunsOptions<Link>) {
    this.#options = options;
  }

  /** Runs a job on its nodes. @returns `left` where the daemon ends, and the next one is to go on with it */
  async run(
    run: PlacedRun,
    work: PlacedWork<Link>,
    signals: PlacedSignals,
    before: DoneBefore = { ended: [], going: [] },
  ): Promise<PlacedResult | "left"> {
    const driver = new Driver(run, work, this.#options, (node) => this.#endOn(node, run));
    const isNew = before.ended.length + before.going.length === 0;
    const waiting = [...this.#going].filter((other) => {
      return isNew && other.run.jobName === run.jobName && other.isWaiting;
    });
    if (run.overlap.mode === "clobber") for (const other of waiting) other.giveUp(run.runId);
    // Else each tick of a job whose nodes are full would wait beside the one before.
    if (run.overlap.mode === "skip" && waiting.length > 0) {
      return {
        verdict: plainVerdict("skipped", "an earlier run still waits for its nodes"),
        attempts: [],
      };
    }
    this.#going.add(driver);
    try {
      return await driver.drive(signals, before);
    } finally {
      this.#going.delete(driver);
      this.#waking.delete(driver);
    }
  }

  /** A node has come up or gone down, or has room again: whoever waits asks again, a few at a time. */
  wake(): void {
    const isUnderWay = this.#waking.size > 0;
    for (const driver of this.#going) if (driver.hasWaits) this.#waking.add(driver);
    if (!isUnderWay && this.#waking.size > 0) setImmediate(() => this.#wakeSome());
  }

  #wakeSome(): void {
    let count = 0;
    for (const driver of this.#waking) {
      this.#waking.delete(driver);
      driver.wake();
      count += 1;
      if (count === wokenInTurn) break;
    }
    if (this.#waking.size > 0) setImmediate(() => this.#wakeSome());
  }

  /** Ends the earlier runs of a job on a node, for a run that takes their place; resolves when they are gone. */
  async #endOn(node: string, { jobName, runId }: PlacedRun): Promise<void> {
    const others = [...this.#going].filter(({ run }) => run.jobName === jobName && run.runId !== runId);
    await Promise.all(others.map((driver) => driver.endOn(node)));
  }
}

interface Going {
  /** Goes on without this process. */
  readonly outlives: boolean;
  readonly stopping: AbortController;
  readonly ended: Promise<void>;
}

/** Drives one run. */
class Driver<Link extends NodeLink> {
  readonly run: PlacedRun;
  readonly #work: PlacedWork<Link>;
  readonly #options: PlacedRunsOptions<Link>;
  readonly #endOthers: (node: string) => Promise<void>;
  readonly #attempts: PlacedAttempt[] = [];
  readonly #going = new Map<string, Going>();
  /** Undefined before the first plan, and where its policy is another one than `all`. */
  #course: PlacementCourse | undefined;
  /** As it was planned last, something of it waits for the fleet; true before that. */
  #hasWaits = true;
  #isWaitOver = false;
  #waitTimer: { cancel(): void } | undefined;
  #givenUpFor: string | undefined;
  #wake: () => void = () => {};

  constructor(
    run: PlacedRun,
    work: PlacedWork<Link>,
    options: PlacedRunsOptions<Link>,
    endOthers: (node: string) => Promise<void>,
  ) {
    this.run = run;
    this.#work = work;
    this.#options = options;
    this.#endOthers = endOthers;
  }

  get hasWaits(): boolean {
    return this.#hasWaits;
  }

  /** Nothing of it has been begun. */
  get isWaiting(): boolean {
    return this.#going.size + this.#attempts.length === 0;
  }

  wake(): void {
    this.#wake();
  }

  /** Another run takes its place, before it has begun. */
  giveUp(runId: string): void {
    this.#givenUpFor = runId;
    this.#wake();
  }

  /** Ends its attempt on a node, if it has one. */
  async endOn(node: string): Promise<void> {
    const going = this.#going.get(node);
    going?.stopping.abort();
    await going?.ended;
  }

  async drive(
    { stop, leave }: PlacedSignals,
    { ended, going, course }: DoneBefore,
  ): Promise<PlacedResult | "left"> {
    this.#course = course;
    const onStop = () => {
      for (const { stopping } of this.#going.values()) stopping.abort();
      this.#wake();
    };
    const onLeave = () => this.#wake();
    stop.addEventListener("abort", onStop, { once: true });
    leave.addEventListener("abort", onLeave, { once: true });
    for (const attempt of ended) this.#attempts.push({ ...attempt, problem: undefined });
    for (const node of going) this.#start({ node, ends: [] }, true);
    if (stop.aborted) onStop();
    try {
      for (;;) {
        const something = this.#nextEvent();
        // A node that is away can't end a run now: who comes next has it ended.
        if (leave.aborted && !this.isWaiting) {
          const areLeft = [...this.#going.values()].every(({ outlives }) => outlives);
          if (areLeft && (!stop.aborted || this.#going.size > 0)) return "left";
          if (!stop.aborted) {
            await something;
            continue;
          }
        }
        // Nothing but its own ends can change what is to be done next, and with `all` not before the last one.
        const isRunning = this.#going.size > 0 && !this.#hasWaits && this.run.placement.policy === "all";
        const verdict = isRunning ? undefined : this.#step(stop);
        if (verdict !== undefined) return { verdict, attempts: this.#attempts };
        await something;
      }
    } finally {
      this.#waitTimer?.cancel();
      stop.removeEventListener("abort", onStop);
      leave.removeEventListener("abort", onLeave);
    }
  }

  /** Does what is to be done now. @returns the verdict, where it is over */
  #step(stop: AbortSignal): PlacementVerdict | undefined {
    if (stop.aborted) {
      if (this.#going.size > 0) return undefined;
      return plainVerdict("stopped", "it was stopped");
    }
    if (this.#givenUpFor !== undefined) {
      return plainVerdict("skipped", `the run ${this.#givenUpFor} has taken its place`);
    }
    const { fleet, limits, random } = this.#options;
    const { jobName, runId, placement, overlap } = this.run;
    const { starts, waits, leftOut, verdict } = planPlacement({
      placement,
      overlap,
      nodes: fleet.statesFor(jobName, runId),
      former: fleet.formerNodesOf(jobName),
      course: this.#course,
      limits,
      attempts: [
        ...this.#attempts.map((end) => ({ ...end, reason: reasonOf(end) })),
        ...[...this.#going.keys()].map((node) => ({ node, result: undefined })),
      ],
      isWaitOver: this.#isWaitOver,
      isGivenUp: this.#isWaitOver,
      random,
    });
    if (verdict !== undefined) return verdict;
    const isDecided = this.#course === undefined ? starts.length > 0 : this.#isWaitOver;
    if (placement.policy === "all" && isDecided) {
      const begun = [...this.#attempts.map(({ node }) => node), ...this.#going.keys()];
      const among = [...begun, ...starts.map(({ node }) => node), ...waits.flatMap((wait) => wait.nodes)];
      this.#course = { among: new Set(among), leftOut };
      this.#work.onCourse(this.#course);
    }
    this.#setWaits(waits.length > 0);
    for (const start of starts) this.#start(start, false);
    return undefined;
  }

  /** The time for waiting counts from when something begins to wait. */
  #setWaits(hasWaits: boolean): void {
    this.#hasWaits = hasWaits;
    if (!hasWaits) {
      this.#waitTimer?.cancel();
      this.#waitTimer = undefined;
      this.#isWaitOver = false;
      return;
    }
    const { overlap } = this.run;
    const waitMs = overlap.mode === "wait" ? Math.min(overlap.waitMs, longestWaitMs) : longestWaitMs;
    this.#waitTimer ??= this.#options.clock.after(waitMs, () => {
      this.#isWaitOver = true;
      this.#wake();
    });
  }

  #start({ node: name, ends }: PlacementStart, isResumed: boolean): void {
    const { fleet } = this.#options;
    const found = fleet.find(name);
    if (found === undefined) {
      // A node that has gone in this very moment is left out of the next plan; of what was begun there nobody can tell.
      if (isResumed) this.#attempts.push(gone(name));
      return;
    }
    const { runId, jobName } = this.run;
    const stopping = new AbortController();
    fleet.begin(name, runId, jobName);
    const attempt = async () => {
      const obstacle = ends.length === 0 ? undefined : await this.#endEarlier(name, ends, stopping.signal);
      const attempted = obstacle ?? this.#work.attempt(found, stopping.signal, isResumed);
      const end = await Promise.resolve(attempted).catch((error: unknown) => lost(name, error));
      this.#attempts.push(end);
      this.#going.delete(name);
      if (end.result === "unreachable" && end.problem !== undefined)
        fleet.failed(name, end.problem, found.link);
      fleet.end(name, runId);
      this.#wake();
    };
    this.#going.set(name, { stopping, ended: attempt(), outlives: found.link.outlives });
  }

  /** Ends the earlier runs whose place it takes. @returns what has become of the attempt where they can't be ended */
  async #endEarlier(
    node: string,
    ends: readonly string[],
    stopped: AbortSignal,
  ): Promise<PlacedAttempt | undefined> {
    const over = Promise.withResolvers<"late" | "stopped">();
    const timer = this.#options.clock.after(clobberMs, () => over.resolve("late"));
    const onStop = () => over.resolve("stopped");
    stopped.addEventListener("abort", onStop, { once: true });
    if (stopped.aborted) onStop();
    const ended = Promise.all(ends.map((each) => this.#endOthers(each))).then(() => "ended" as const);
    const how = await Promise.race([ended, over.promise]);
    timer.cancel();
    stopped.removeEventListener("abort", onStop);
    if (how === "ended") return undefined;
    if (how === "stopped")
      return { node, result: "stopped", ms: 0, sentence: "it was stopped", problem: undefined };
    const problem = new Problem("conflict", "the earlier run could not be ended");
    return { node, result: "skipped", ms: 0, sentence: problem.message, problem };
  }

  /** Resolves at the next wake, also one that comes before it is awaited. */
  #nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function plainVerdict(kind: PlacementVerdict["kind"], sentence: string): PlacementVerdict {
  return { kind, sentence, leftOut: [] };
}

/** An executor has failed as none may: what it has started may go on. */
function lost(node: string, error: unknown): PlacedAttempt {
  const sentence = `rcrond failed while it watched it: ${error instanceof Error ? error.message : String(error)}`;
  return { node, result: "unknown", ms: 0, sentence, problem: undefined };
}

function gone(node: string): PlacedAttempt {
  const sentence = "the node is no longer defined, and the run was begun there by an earlier rcrond";
  return { node, result: "unknown", ms: 0, sentence, problem: undefined };
}

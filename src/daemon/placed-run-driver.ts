/**
 * Drives one run over nodes to its end: asks placement-plan.ts what is to be done, has it done, and asks again when something has happened –
 * an attempt has ended, a node has come up, there is room, a wait is over, somebody wants it stopped.
 */
import { reasonOf } from "../model/node-result.ts";
import { Problem } from "../model/problem.ts";
import type { NodeLink } from "./fleet.ts";
import type {
  DoneBefore,
  PlacedAttempt,
  PlacedResult,
  PlacedRun,
  PlacedRunsOptions,
  PlacedSignals,
  PlacedWork,
} from "./placed-work.ts";
import {
  type PlacementCourse,
  type PlacementStart,
  type PlacementVerdict,
  planPlacement,
} from "./placement-plan.ts";

/** So long a run waits for room on its nodes. */
const longestWaitMs = 3_600_000;
/** So long a run waits for the end of the one whose place it takes; its node may be away. */
const clobberMs = 120_000;

interface Going {
  /** Goes on without this process. */
  readonly outlives: boolean;
  readonly stopping: AbortController;
  readonly ended: Promise<void>;
}

/** What a run does with the others of its job, and knows of them. */
export interface OtherRuns {
  /** Ends them on a node; resolves when they are gone. */
  endOn(node: string): Promise<void>;
  /** True where one has ended on a node and waits for its next one. */
  isOneBetween(): boolean;
}

/** One run. */
export class PlacedRunDriver<Link extends NodeLink> {
  readonly run: PlacedRun;
  readonly #work: PlacedWork<Link>;
  readonly #options: PlacedRunsOptions<Link>;
  readonly #others: OtherRuns;
  readonly #attempts: PlacedAttempt[] = [];
  readonly #going = new Map<string, Going>();
  /** Undefined before the first plan, and where its policy is another one than `all`. */
  #course: PlacementCourse | undefined;
  /** As it was planned last, something of it waits for the fleet; true before that. */
  #hasWaits = true;
  /** It was planned once: what another daemon has left may be over without having been told. */
  #isPlanned = false;
  #isWaitOver = false;
  #waitTimer: { cancel(): void } | undefined;
  #givenUpFor: string | undefined;
  #wake: () => void = () => {};

  constructor(run: PlacedRun, work: PlacedWork<Link>, options: PlacedRunsOptions<Link>, others: OtherRuns) {
    this.run = run;
    this.#work = work;
    this.#options = options;
    this.#others = others;
  }

  get hasWaits(): boolean {
    return this.#hasWaits;
  }

  get hasBegun(): boolean {
    return this.#going.size + this.#attempts.length > 0;
  }

  /** Nothing of it goes on: it waits for its first node, or, where one follows the other, for its next. */
  get isWaiting(): boolean {
    return this.#going.size === 0 && (!this.hasBegun || (this.#isPlanned && !this.#isOnAll));
  }

  get #isOnAll(): boolean {
    return this.run.placement.policy === "all";
  }

  wake(): void {
    this.#wake();
  }

  /** Another run takes its place: nothing more of it is begun. */
  giveUp(runId: string): void {
    this.#givenUpFor = runId;
    this.#wake();
  }

  /** Ends its attempt on a node, if it has one, for another run. */
  async endOn(node: string, runId: string): Promise<void> {
    const going = this.#going.get(node);
    if (going === undefined) return;
    // The attempt may fail by itself in this very moment: then too its next node is not begun.
    if (!this.#isOnAll) this.#givenUpFor = runId;
    going.stopping.abort();
    await going.ended;
  }

  /** Does all of it, once. @param before what another daemon has done of it */
  async drive({ stop, leave }: PlacedSignals, before: DoneBefore): Promise<PlacedResult | "left"> {
    this.#course = before.course;
    const onStop = () => {
      for (const { stopping } of this.#going.values()) stopping.abort();
      this.#wake();
    };
    const onLeave = () => this.#wake();
    stop.addEventListener("abort", onStop, { once: true });
    leave.addEventListener("abort", onLeave, { once: true });
    for (const attempt of before.ended) this.#attempts.push({ ...attempt, problem: undefined });
    for (const node of before.going) this.#start({ node, ends: [] }, true);
    if (stop.aborted) onStop();
    // A new daemon goes on with all of its runs in one go: what each of them has going must be known before any begins more.
    await undefined;
    try {
      for (;;) {
        const something = this.#nextEvent();
        // A node that is away can't end a run now: who comes next has it ended.
        if (leave.aborted && this.hasBegun) {
          const areLeft = [...this.#going.values()].every(({ outlives }) => outlives);
          if (areLeft && (!stop.aborted || this.#going.size > 0)) return "left";
          if (!stop.aborted) {
            await something;
            continue;
          }
        }
        // Nothing but its own ends can change what is to be done next, and with `all` not before the last one.
        const isRunning = this.#going.size > 0 && !this.#hasWaits && this.#isOnAll;
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
    this.#isPlanned = true;
    const { fleet, limits, random } = this.#options;
    const { jobName, runId, placement, overlap } = this.run;
    const { starts, waits, leftOut, verdict } = planPlacement({
      placement,
      overlap,
      nodes: fleet.statesFor(jobName, runId),
      former: fleet.formerNodesOf(jobName),
      isOneBetween: !this.hasBegun && this.#others.isOneBetween(),
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
    if (this.#givenUpFor !== undefined) return this.#replacedVerdict(this.#givenUpFor);
    const isDecided = this.#course === undefined ? starts.length > 0 : this.#isWaitOver;
    if (this.#isOnAll && isDecided) {
      const begun = [...this.#attempts.map(({ node }) => node), ...this.#going.keys()];
      const among = [...begun, ...starts.map(({ node }) => node), ...waits.flatMap((wait) => wait.nodes)];
      this.#course = { among: new Set(among), leftOut };
      this.#work.onCourse(this.#course);
    }
    this.#setWaits(waits.length > 0);
    for (const start of starts) this.#start(start, false);
    return undefined;
  }

  /** @returns undefined while something of it goes on */
  #replacedVerdict(by: string): PlacementVerdict | undefined {
    if (this.#going.size > 0) return undefined;
    const wasStarted = this.#attempts.some(({ result }) => result !== "unreachable" && result !== "skipped");
    return plainVerdict(wasStarted ? "stopped" : "skipped", `the run ${by} has taken its place`);
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
    const ended = Promise.all(ends.map((each) => this.#others.endOn(each))).then(() => "ended" as const);
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

/** Of a run without a word on its nodes. */
export function plainVerdict(kind: PlacementVerdict["kind"], sentence: string): PlacementVerdict {
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

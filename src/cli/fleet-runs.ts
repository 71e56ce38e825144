/**
 * Runs that the scheduler sends to nodes: which ones, daemon/placed-runs.ts decides; how a node is reached, node-ways.ts
 * knows; here a run's parts become one run, for log, record and whoever is told of it.
 *
 * What must be known of each part is in the daemon's book before the part begins, so that after the daemon's death the next
 * one picks all of them up where they are.
 */
import type {
  DueRun,
  Executor,
  LeftRun,
  PlacedAttempt,
  PlacedResult,
  PlacedRuns,
  PlacedSignals,
  PlacedWork,
  PlacementCourse,
  RunResult,
  RunWatch,
} from "../daemon/daemon.ts";
import { instant, parseObject, text } from "../model/json-reader.ts";
import type { Node } from "../model/node.ts";
import { reasonOf } from "../model/node-result.ts";
import { printable } from "../model/printable.ts";
import { redactor } from "../model/redact.ts";
import type { NodeEnd } from "../model/run-event.ts";
import type { Verdict } from "../model/state.ts";
import { announceStart } from "../notify/notify.ts";
import { type PortSettings, portsOf } from "./due-job.ts";
import type { NodeWay } from "./node-ways.ts";
import { type Before, courseNote, doneBefore, type PartNote, placementOf, wholeRun } from "./part-notes.ts";
import {
  headingOf,
  isNotReached,
  type PartEnd,
  type PartHosted,
  PartOutputs,
  partEnd,
  wholeEnd,
} from "./placed-end.ts";
import type { KnownRun, RunTeller } from "./run-teller.ts";
import { leftToTheNext } from "./scheduled-run.ts";

/** What runs on nodes need besides. */
export interface FleetRunsSettings extends PortSettings {
  readonly placed: PlacedRuns<NodeWay>;
}

/** Runs what is due on nodes. */
export class FleetRuns implements Executor {
  readonly #settings: FleetRunsSettings;
  readonly #teller: RunTeller;

  constructor(settings: FleetRunsSettings, teller: RunTeller) {
    this.#settings = settings;
    this.#teller = teller;
  }

  run(due: DueRun, watch: RunWatch): Promise<RunResult> {
    return this.#drive(new FleetRun(this.#teller.know(due), watch, this.#settings, this.#teller), {
      ended: [],
      going: [],
      policy: undefined,
      sinceMs: undefined,
      stopped: undefined,
    });
  }

  adopt(due: DueRun, left: LeftRun, watch: RunWatch): Promise<RunResult> | undefined {
    if (left.nodes.size === 0) return undefined;
    const known = this.#teller.know(due);
    const before = doneBefore(left.nodes);
    const run = new FleetRun(known, watch, this.#settings, this.#teller, { ...before, notes: left.nodes });
    this.#teller.adopted(known);
    const where = before.going.length === 0 ? "" : ` on ${before.going.join(", ")}`;
    this.#settings.log.info(`${printable(due.jobName)}: the run ${due.runId} goes on${printable(where)}`);
    return this.#drive(run, before);
  }

  async #drive(run: FleetRun, before: Before): Promise<RunResult> {
    const { due, rules } = run.known;
    const placement = placementOf(due, before);
    const what = { runId: due.runId, jobName: due.jobName, placement, overlap: rules.overlap };
    try {
      const result = await this.#settings.placed.run(what, run, run.signals, before);
      return result === "left" ? leftToTheNext : await run.finish(result);
    } catch (error) {
      return this.#teller.lost(run.known, run.startedAtMs ?? Date.now(), error);
    }
  }
}

/** One run over nodes. */
class FleetRun implements PlacedWork<NodeWay> {
  readonly known: KnownRun;
  readonly watch: RunWatch;
  readonly #settings: FleetRunsSettings;
  readonly #teller: RunTeller;
  /** What another daemon has noted of its parts. */
  readonly #notesBefore: ReadonlyMap<string, string>;
  /** What is in the book of those that go on. */
  readonly #notes = new Map<string, PartNote>();
  readonly #stoppedBefore: string | undefined;
  readonly #clean: (text: string) => string;
  readonly #begunMs = performance.now();
  readonly #parts: PartEnd[] = [];
  readonly #outputs = new PartOutputs();
  #startedAtMs: number | undefined;
  #isInBook: boolean;
  #spoke: string | undefined;
  #startPing: { cancel(): void } | undefined;
  #course: PlacementCourse | undefined;
  /** The machine was found to be passive before a part was started. */
  #passive: Verdict | undefined;

  constructor(
    known: KnownRun,
    watch: RunWatch,
    settings: FleetRunsSettings,
    teller: RunTeller,
    before?: Before & { readonly notes: ReadonlyMap<string, string> },
  ) {
    this.known = known;
    this.watch = watch;
    this.#settings = settings;
    this.#teller = teller;
    this.#clean = redactor(known.conf.redact);
    this.#notesBefore = before?.notes ?? new Map();
    this.#stoppedBefore = before?.stopped;
    this.#isInBook = before !== undefined;
    this.#startedAtMs = before?.sinceMs;
    // Its node may be away: then the wish must outlive this process.
    watch.stop.addEventListener("abort", () => {
      for (const [node, note] of [...this.#notes]) this.#note(node, note);
      // Parts that are only being connected have no note.
      if (!watch.isLeft()) this.#noteCourse();
    });
  }

  get signals(): PlacedSignals {
    const { stop, leave } = this.watch;
    return { stop: this.#stoppedBefore === undefined ? stop : AbortSignal.abort(), leave };
  }

  /** When the first part was started; undefined: none was. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  async attempt(
    { node, link }: { readonly node: Node; readonly link: NodeWay },
    stop: AbortSignal,
    isResumed: boolean,
  ): Promise<PlacedAttempt> {
    const { name } = node;
    const begunMs = performance.now();
    const before = isResumed ? parseObject(this.#notesBefore.get(name) ?? "") : undefined;
    const noted = text(4096)(before?.["way"]);
    const begun = instant(before?.["begun"]) ?? Date.now();
    const { due, rules } = this.known;
    const ports = portsOf(
      this.#settings,
      this.known,
      this.#partWatch(name, stop),
      `${due.jobName} on ${name}`,
    );
    const hosted = await link.run({
      known: this.known,
      node: name,
      noted,
      note: (way) => this.#note(name, { way, begun }),
      ports: {
        ...ports,
        onStart: () => {
          // Before the record has the start: else the next daemon, knowing nothing, would begin the run anew.
          if (!isResumed && !this.#notes.has(name)) this.#note(name, { way: "", begun });
          this.#started();
        },
      },
      whyNot: () => this.#whyNot(ports.mayRun),
    });
    if (hosted.hosted.kind === "passive") this.#passive = hosted.hosted.verdict;
    // Found running, or gone: another daemon was killed before the book had its start.
    if (isResumed && hasRun(hosted)) this.#started(begun);
    const ms = Math.round(performance.now() - begunMs);
    const part = partEnd(name, hosted, ms, rules);
    const { sentence } = part.attempt;
    const attempt = {
      ...part.attempt,
      ...(isResumed && { ms: Math.max(part.attempt.ms, Date.now() - begun) }),
      ...(sentence !== undefined && { sentence: this.#clean(sentence) }),
    };
    this.#parts.push({ ...part, attempt });
    this.#outputs.add(part, isResumed);
    // With this daemon its connections end. What the book has, nothing or an earlier start, the next one goes on from.
    if (this.watch.leave.aborted && isNotReached(hosted)) return attempt;
    const { problem: _, ...end } = attempt;
    if (this.#isInBook) this.#note(name, { ended: end });
    this.#tell(attempt);
    return attempt;
  }

  /** Log, record and whoever is told, when all parts have ended. */
  async finish({ verdict: decided, attempts }: PlacedResult): Promise<RunResult> {
    // What a part says is clean by now; of nodes without one, the fleet says why, and knows of no job's secrets.
    const verdict = {
      ...decided,
      sentence: this.#clean(decided.sentence),
      leftOut: decided.leftOut.map((out) => ({ ...out, reason: this.#clean(out.reason) })),
    };
    const { known, watch } = this;
    this.#startPing?.cancel();
    if (this.#startedAtMs === undefined) {
      if (verdict.kind === "stopped") {
        if (watch.isLeft()) return leftToTheNext;
        if (this.#passive !== undefined) {
          return this.#teller.notRun(known, { kind: "passive", verdict: this.#passive });
        }
        return this.#teller.notRun(known, { kind: "stopped", sentence: this.#stopSentence() });
      }
      if (verdict.kind === "skipped") {
        const isCondition = attempts.some(
          ({ result, problem }) => result === "skipped" && problem === undefined,
        );
        const { sentence } = verdict;
        return this.#teller.notRun(
          known,
          isCondition ? { kind: "condition", sentence } : { kind: "overlap", sentence, holder: {} },
        );
      }
      // That no node could be had is a failure of which somebody must hear.
      this.#teller.started(known);
    }
    const startedAtMs = this.#startedAtMs ?? Date.now();
    const nodes = [
      ...attempts.map(({ problem: _, cause: __, ...attempt }) => attempt),
      ...verdict.leftOut.map(({ node, why, reason }): NodeEnd => {
        return { node, result: why === "busy" ? "skipped" : "unreachable", ms: 0, sentence: reason };
      }),
    ];
    const end = wholeEnd({ verdict, attempts }, this.#parts, {
      stopSentence: this.#stopSentence() ?? this.#passive?.sentence,
      output: this.#outputs.kept(nodes, known.due.job?.placement?.policy),
      ms: Math.max(0, Date.now() - startedAtMs),
    });
    return this.#teller.ended(known, end, { startedAtMs, nodes });
  }

  onCourse(course: PlacementCourse): void {
    this.#course = course;
    if (this.#isInBook) this.#noteCourse();
  }

  #stopSentence(): string | undefined {
    const { stop, stopSentence } = this.watch;
    return stop.aborted ? (stopSentence() ?? "it was stopped") : this.#stoppedBefore;
  }

  /** Waiting and connecting take time, in which the machine may have become passive. @returns the verdict where it has */
  #whyNot(mayRun: () => Verdict): Verdict | undefined {
    if (performance.now() - this.#begunMs < askAgainMs) return undefined;
    const verdict = mayRun();
    return verdict.state === "active" ? undefined : verdict;
  }

  /** The first part is about to be started, or was by another daemon. */
  #started(atMs = Date.now()): void {
    if (this.#startedAtMs !== undefined) return;
    this.#startedAtMs = atMs;
    this.#teller.started(this.known);
    const { pingUrl } = this.known.rules;
    if (pingUrl !== undefined) this.#startPing = announceStart(pingUrl, this.known.due.runId);
  }

  /** Before anything of a part is begun, the book knows of it. */
  #note(node: string, note: PartNote): void {
    const isFirst = !this.#isInBook;
    this.#isInBook = true;
    if ("ended" in note) this.#notes.delete(node);
    else this.#notes.set(node, note);
    const since = this.#startedAtMs;
    const stopped = this.#stopSentence();
    const more = { ...(since !== undefined && { since }), ...(stopped !== undefined && { stopped }) };
    this.watch.onNode(node, JSON.stringify({ ...note, ...more }));
    if (!isFirst) return;
    // Killed between the two, the next daemon takes for both what the job says.
    this.#noteCourse();
    this.watch.onStarting();
  }

  #noteCourse(): void {
    const { policy } = this.known.due.job?.placement ?? {};
    this.watch.onNode(wholeRun, courseNote(policy, this.#course, this.#stopSentence()));
  }

  #partWatch(node: string, stop: AbortSignal): RunWatch {
    const { watch } = this;
    const { onOutput } = watch;
    const isAll = this.known.due.job?.placement?.policy === "all";
    return {
      ...watch,
      stop,
      stopSentence: () => this.#stopSentence() ?? "ended for the next run",
      onOutput:
        onOutput === undefined
          ? undefined
          : (bytes) => {
              if (isAll && this.#spoke !== node) onOutput(encoder.encode(headingOf(node)));
              this.#spoke = node;
              onOutput(bytes);
            },
    };
  }

  #tell(attempt: PlacedAttempt): void {
    const { node, result } = attempt;
    if (result === "success" || result === "skipped") return;
    const { log } = this.#settings;
    const line = `${this.known.due.jobName}: ${result} on ${node}: ${reasonOf(attempt) ?? "nobody knows why"}`;
    if (result === "failure" || result === "stopped") log.info(printable(line));
    else log.warn(line);
  }
}

/** A shorter time can't have changed the state that was asked for before it. */
const askAgainMs = 500;
const encoder = new TextEncoder();

/** As far as anybody knows. */
function hasRun({ hosted }: PartHosted): boolean {
  return hosted.kind === "ended" && hosted.outcome.kind !== "not-started";
}

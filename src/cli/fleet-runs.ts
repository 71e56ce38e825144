/**
 * Runs that the scheduler sends to nodes: which ones, daemon/placed-runs.ts decides; how a node is reached, node-ways.ts
 * knows; here a run's parts become one run, for log, record and whoever is told of it.
 *
 * What must be known of each part is in the daemon's book before the part begins, so that after the daemon's death the next
 * one picks all of them up where they are.
 */
import type {
  DoneBefore,
  DueRun,
  Executor,
  LeftRun,
  PlacedAttempt,
  PlacedResult,
  PlacedRuns,
  PlacedWork,
  RunResult,
  RunWatch,
} from "../daemon/daemon.ts";
import { count, instant, object, oneOf, parseObject, text, whole } from "../model/json-reader.ts";
import type { Node } from "../model/node.ts";
import { printable } from "../model/printable.ts";
import type { NodeEnd } from "../model/run-event.ts";
import { announceStart } from "../notify/notify.ts";
import { type PortSettings, portsOf } from "./due-job.ts";
import type { NodeWay } from "./node-ways.ts";
import { headingOf, type PartEnd, PartOutputs, partEnd, reasonOf, wholeEnd } from "./placed-end.ts";
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
    });
  }

  adopt(due: DueRun, left: LeftRun, watch: RunWatch): Promise<RunResult> | undefined {
    if (left.nodes.size === 0) return undefined;
    const known = this.#teller.know(due);
    const before = doneBefore(left.nodes);
    const run = new FleetRun(known, watch, this.#settings, this.#teller, {
      notes: left.nodes,
      sinceMs: before.sinceMs,
    });
    this.#teller.adopted(known);
    const where = before.going.length === 0 ? "" : ` on ${before.going.join(", ")}`;
    this.#settings.log.info(`${printable(due.jobName)}: the run ${due.runId} goes on${printable(where)}`);
    return this.#drive(run, before);
  }

  async #drive(run: FleetRun, before: DoneBefore): Promise<RunResult> {
    const { due, rules } = run.known;
    // Of a job whose file is gone, what was begun is brought to its end, and nothing else is.
    const placement = due.job?.placement ?? {
      policy: "all",
      hosts: [...before.ended.map(({ node }) => node), ...before.going],
      names: [],
      roles: [],
      earlierRuns: "node",
    };
    const what = { runId: due.runId, jobName: due.jobName, placement, overlap: rules.overlap };
    try {
      const result = await this.#settings.placed.run(what, run, run.watch, before);
      return result === "left" ? leftToTheNext : await run.finish(result);
    } catch (error) {
      return this.#teller.lost(run.known, run.startedAtMs ?? Date.now(), error);
    }
  }
}

/** What the book has of a part, in JSON. */
type PartNote = ({ readonly ended: NodeEnd } | { readonly way: string }) & {
  /** When the run's job was first started, in milliseconds since 1970; missing: the record has no start yet. */
  readonly since?: number;
};

const readEnded = object(
  {
    node: text(100),
    result: oneOf(["success", "failure", "unreachable", "unknown", "skipped", "stopped"]),
    ms: count,
  },
  { exit: whole(0, 255), signal: whole(0, 127), sentence: text(64 * 1024) },
);

/** What another daemon has done, and since when. */
function doneBefore(notes: LeftRun["nodes"]): DoneBefore & { readonly sinceMs: number | undefined } {
  const ended: NodeEnd[] = [];
  const going: string[] = [];
  let sinceMs: number | undefined;
  for (const [node, note] of notes) {
    const read = parseObject(note);
    const end = readEnded(read?.["ended"]);
    if (end === undefined) going.push(node);
    else ended.push(end);
    const since = instant(read?.["since"]);
    if (since !== undefined) sinceMs = Math.min(since, sinceMs ?? since);
  }
  return { ended, going, sinceMs };
}

/** One run over nodes. */
class FleetRun implements PlacedWork<NodeWay> {
  readonly known: KnownRun;
  readonly watch: RunWatch;
  readonly #settings: FleetRunsSettings;
  readonly #teller: RunTeller;
  /** What another daemon has noted of its parts. */
  readonly #notes: ReadonlyMap<string, string>;
  readonly #parts: PartEnd[] = [];
  readonly #outputs = new PartOutputs();
  #startedAtMs: number | undefined;
  #isInBook: boolean;
  #spoke: string | undefined;
  #startPing: { cancel(): void } | undefined;

  constructor(
    known: KnownRun,
    watch: RunWatch,
    settings: FleetRunsSettings,
    teller: RunTeller,
    before?: { readonly notes: ReadonlyMap<string, string>; readonly sinceMs: number | undefined },
  ) {
    this.known = known;
    this.watch = watch;
    this.#settings = settings;
    this.#teller = teller;
    this.#notes = before?.notes ?? new Map();
    this.#isInBook = before !== undefined;
    this.#startedAtMs = before?.sinceMs;
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
    const noted = isResumed ? wayNote(this.#notes.get(name)) : undefined;
    const { due, rules } = this.known;
    const hosted = await link.run({
      known: this.known,
      node: name,
      runId: due.runId,
      noted,
      note: (way) => this.#note(name, { way }),
      ports: {
        ...portsOf(this.#settings, this.known, this.#partWatch(name, stop), `${due.jobName} on ${name}`),
        onStart: () => this.#started(),
      },
    });
    const ms = Math.round(performance.now() - begunMs);
    const part = partEnd(name, hosted.hosted, ms, rules, hosted.conditionLost);
    this.#parts.push(part);
    this.#outputs.add(name, part.end?.kept);
    const { problem: _, ...end } = part.attempt;
    if (this.#isInBook) this.#note(name, { ended: end });
    this.#tell(part.attempt);
    return part.attempt;
  }

  /** Log, record and whoever is told, when all parts have ended. */
  async finish(result: PlacedResult): Promise<RunResult> {
    const { verdict, attempts } = result;
    const { known, watch } = this;
    this.#startPing?.cancel();
    if (this.#startedAtMs === undefined) {
      if (verdict.kind === "stopped") {
        if (watch.isLeft()) return leftToTheNext;
        return this.#teller.notRun(known, { kind: "stopped", sentence: watch.stopSentence() });
      }
      if (verdict.kind === "skipped") {
        const isCondition = attempts.some((attempt) => attempt.result === "skipped");
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
    const end = wholeEnd(result, this.#parts, {
      stopSentence: watch.stop.aborted ? (watch.stopSentence() ?? "it was stopped") : undefined,
      output: this.#outputs.kept(),
      ms: Math.max(0, Date.now() - startedAtMs),
    });
    const nodes = attempts.map(({ problem: _, ...attempt }) => attempt);
    return this.#teller.ended(known, end, { startedAtMs, nodes });
  }

  /** The first part is about to be started. */
  #started(): void {
    if (this.#startedAtMs !== undefined) return;
    this.#startedAtMs = Date.now();
    this.#teller.started(this.known);
    const { pingUrl } = this.known.rules;
    if (pingUrl !== undefined) this.#startPing = announceStart(pingUrl, this.known.due.runId);
  }

  /** Before anything of a part is begun, the book knows of it. */
  #note(node: string, note: PartNote): void {
    if (!this.#isInBook) this.watch.onStarting();
    this.#isInBook = true;
    const since = this.#startedAtMs;
    this.watch.onNode(node, JSON.stringify({ ...note, ...(since !== undefined && { since }) }));
  }

  #partWatch(node: string, stop: AbortSignal): RunWatch {
    const { watch } = this;
    const { onOutput } = watch;
    const isAll = this.known.due.job?.placement?.policy === "all";
    return {
      ...watch,
      stop,
      stopSentence: () => (watch.stop.aborted ? watch.stopSentence() : "ended for the next run"),
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
    const line = `${this.known.due.jobName}: ${result} on ${node}: ${reasonOf(attempt)}`;
    if (result === "failure" || result === "stopped") log.info(printable(line));
    else log.warn(line);
  }
}

const encoder = new TextEncoder();

function wayNote(note: string | undefined): string | undefined {
  return note === undefined ? undefined : text(4096)(parseObject(note)?.["way"]);
}

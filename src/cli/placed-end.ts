/**
 * How a run over nodes has ended, in the words in which every run's end is told. Pure.
 */
import type { PlacedAttempt, PlacedResult } from "../daemon/daemon.ts";
import type { Hosted, RunEnd } from "../execute/execute.ts";
import { durationInWords } from "../model/duration.ts";
import { HeadTail, type Kept } from "../model/head-tail.ts";
import { reasonOf } from "../model/node-result.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Policy } from "../model/placement.ts";
import { Problem } from "../model/problem.ts";
import type { Rules } from "../model/rules.ts";
import type { NodeEnd, NodeResult } from "../model/run-event.ts";

/** A run's part on one node, with what only its watcher knows. */
export interface PartEnd {
  readonly attempt: PlacedAttempt;
  /** Undefined where the job was not started there. */
  readonly end: RunEnd | undefined;
}

/** What is known of a part when it is over. */
export interface PartHosted {
  readonly hosted: Hosted;
  /** The node went away while the condition was asked: the job was not started. */
  readonly conditionLost: Problem | undefined;
  /** The job was started there, be it by an attempt before the last one. */
  readonly hasStarted: boolean;
}

/** What became of a part. */
export function partEnd(
  node: string,
  { hosted, conditionLost, hasStarted }: PartHosted,
  ms: number,
  { timeoutMs }: Pick<Rules, "timeoutMs">,
): PartEnd {
  const part = (result: NodeResult, sentence?: string, problem?: Problem): PartEnd => ({
    attempt: { node, result, ms, ...(sentence !== undefined && { sentence }), problem },
    end: undefined,
  });
  switch (hosted.kind) {
    case "ended":
      return endedPart(node, hosted, hasStarted, timeoutMs);
    case "condition":
      if (conditionLost === undefined) return part("skipped", hosted.sentence);
      return part("unreachable", conditionLost.message, conditionLost);
    case "overlap":
      return part("skipped", hosted.sentence);
    case "passive":
      return part("stopped", hosted.verdict.sentence);
    case "stopped":
      return part("stopped", hosted.sentence);
    case "refused":
      return part("failure", withHint(hosted.problem));
  }
}

/** @returns undefined where the node was reached, or nobody can tell */
export function whyNotReached(outcome: Outcome | undefined): Problem | undefined {
  const problem = outcome?.kind === "not-started" ? outcome.problem : undefined;
  return problem?.code === "unreachable" ? problem : undefined;
}

/** True where the last that was tried did not get there, be it the job's start or its condition. */
export function isNotReached({ hosted, conditionLost }: PartHosted): boolean {
  if (conditionLost !== undefined) return true;
  return hosted.kind === "ended" && whyNotReached(hosted.outcome) !== undefined;
}

function withHint({ message, hint }: Problem): string {
  return hint === undefined ? message : `${message} (${hint})`;
}

function endedPart(node: string, last: RunEnd, hasStarted: boolean, timeoutMs: number | undefined): PartEnd {
  const end = hasStarted ? endOfStarted(last, timeoutMs) : last;
  const { outcome, cause, isOk } = end;
  // Where it was started once, and a further attempt did not get there, no other node may have it.
  const problem = hasStarted ? undefined : whyNotReached(outcome);
  const isUnreachable = problem !== undefined;
  const isStopped = cause === "stopped" || cause === "clobbered";
  const result: NodeResult = isOk
    ? "success"
    : isStopped
      ? "stopped"
      : isUnreachable
        ? "unreachable"
        : cause === "unseen"
          ? "unknown"
          : "failure";
  const sentence = end === last ? sentenceOf(end, timeoutMs) : end.sentence;
  return {
    end: result === "unreachable" ? undefined : end,
    attempt: {
      node,
      result,
      ...numbersOf(outcome),
      ms: Math.round(end.durationMs),
      ...(sentence !== undefined && { sentence }),
      cause,
      problem,
    },
  };
}

/** Where a further attempt did not get there, the end is that of the last one that was started, and why no other was is told beside it. */
function endOfStarted(end: RunEnd, timeoutMs: number | undefined): RunEnd {
  const problem = whyNotReached(end.outcome);
  if (end.before === undefined || problem === undefined) return end;
  const { outcome, cause } = end.before;
  // Who has stopped it meanwhile has the last word.
  if (end.cause !== "not-started") return { ...end, outcome };
  const failed = { result: "failure", ...numbersOf(outcome) } as const;
  const how = sentenceOf({ ...end, outcome, cause }, timeoutMs) ?? reasonOf(failed) ?? "it has failed";
  return {
    ...end,
    outcome,
    cause,
    sentence: `${how}, and it could not be started again: ${problem.message}`,
  };
}

function numbersOf(outcome: Outcome): Pick<NodeEnd, "exit" | "signal"> {
  if (outcome.kind === "exited") return { exit: outcome.exitCode };
  return outcome.kind === "signalled" ? { signal: outcome.signal } : {};
}

/** What its exit status does not tell. */
function sentenceOf({ outcome, cause, sentence }: RunEnd, timeoutMs: number | undefined): string | undefined {
  if (outcome.kind === "not-started") return outcome.problem.message;
  if (cause === "timeout") return `it had not finished within ${durationInWords(timeoutMs ?? 0)}`;
  if (cause === "stderr") return "it wrote to standard error";
  if (cause === "unseen") return sentence ?? "nobody could tell how it ended";
  return sentence;
}

/** The whole run's end. @param output head and tail of all its parts @param ms from the first start on */
export function wholeEnd(
  { verdict, attempts }: PlacedResult,
  parts: readonly PartEnd[],
  {
    stopSentence,
    output,
    ms,
  }: {
    readonly stopSentence: string | undefined;
    readonly output: Kept | undefined;
    readonly ms: number;
  },
): RunEnd {
  const ends = parts.flatMap(({ end }) => end ?? []);
  const common = {
    attempts: Math.max(1, ...ends.map((end) => end.attempts)),
    durationMs: ms,
    kept: output,
    isDetached: ends.some(({ isDetached }) => isDetached),
    survivors: ends.reduce((sum, { survivors }) => sum + survivors, 0),
  };
  const decisive = (result: NodeResult): Pick<RunEnd, "outcome" | "cause"> | undefined => {
    const first = attempts.find((attempt) => attempt.result === result);
    if (first === undefined) return undefined;
    // Of what ended before the death of another rcrond, the book has what the record needs.
    return parts.find(({ attempt }) => attempt.node === first.node)?.end ?? endInBook(first);
  };
  const { sentence } = verdict;
  switch (verdict.kind) {
    case "success": {
      const end = decisive("success");
      const outcome: Outcome = end?.outcome ?? { kind: "exited", exitCode: 0 };
      // Who had no part in it, or was tried before, is told.
      const isPlain = verdict.leftOut.length === 0 && attempts.every(({ result }) => result === "success");
      return {
        ...common,
        outcome,
        isOk: true,
        cause: "exit",
        sentence: isPlain ? undefined : sentence,
      };
    }
    case "failure": {
      const end = decisive("failure");
      if (end !== undefined)
        return { ...common, outcome: end.outcome, isOk: false, cause: end.cause, sentence };
      return { ...common, outcome: notStarted(sentence), isOk: false, cause: "not-started", sentence };
    }
    case "stopped": {
      const outcome = decisive("stopped")?.outcome ?? { kind: "unseen" };
      const isByOther = stopSentence === undefined;
      return {
        ...common,
        outcome,
        isOk: false,
        cause: isByOther ? "clobbered" : "stopped",
        sentence: stopSentence ?? sentence,
      };
    }
    case "unknown":
      return { ...common, outcome: { kind: "unseen" }, isOk: false, cause: "unseen", sentence };
    default:
      return { ...common, outcome: notStarted(sentence), isOk: false, cause: "not-started", sentence };
  }
}

function endInBook({ exit, signal, result, cause }: PlacedAttempt): Pick<RunEnd, "outcome" | "cause"> {
  if (signal !== undefined) return { outcome: { kind: "signalled", signal }, cause: cause ?? "signal" };
  if (exit !== undefined) return { outcome: { kind: "exited", exitCode: exit }, cause: cause ?? "exit" };
  return { outcome: notStarted(result), cause: "not-started" };
}

function notStarted(sentence: string): Outcome {
  return { kind: "not-started", exitCode: 125, problem: new Problem("unreachable", sentence) };
}

/** Head and tail of what all parts have printed, each below its node's name; that of a run with one part as it is. */
export class PartOutputs {
  readonly #heard = new Set<string>();
  #first: { readonly node: string; readonly kept: Kept } | undefined;
  #all: HeadTail | undefined;

  /** @param isResumed another daemon has begun it: what that one has heard of it is nowhere kept */
  add({ attempt: { node, result }, end }: PartEnd, isResumed: boolean): void {
    const kept = end?.kept;
    // What was cut off by a lost connection, or came before this daemon, is not known.
    const isAllKept = result !== "unknown" && !isResumed && (end === undefined || kept !== undefined);
    if (isAllKept) this.#heard.add(node);
    if (kept === undefined || kept.bytes === 0) return;
    if (this.#first === undefined) {
      this.#first = { node, kept };
      return;
    }
    if (this.#all === undefined) {
      this.#all = new HeadTail();
      append(this.#all, this.#first.node, this.#first.kept);
    }
    append(this.#all, node, kept);
  }

  /**
   * @param nodes what became of the run on each
   * @returns empty where nobody has printed anything; undefined where nothing is kept, and somebody may have
   */
  kept(nodes: readonly NodeEnd[], policy: Policy | undefined): Kept | undefined {
    if (this.#all !== undefined) {
      const kept = this.#all.kept();
      // The blank before such a line may be the last byte that was left out.
      const tail = withoutHeadings(kept.tail, /^(?===> .* <==)/);
      return { ...kept, tail, bytes: kept.bytes + tail.length - kept.tail.length };
    }
    if (this.#first === undefined) {
      const isAllKept = nodes.every((end) => !hasBegun(end) || this.#heard.has(end.node));
      return isAllKept ? new HeadTail().kept() : undefined;
    }
    const { node, kept } = this.#first;
    // Where one node was to run it, those that could not have it have no part in it.
    const parts = policy === "all" ? nodes : nodes.filter(hasBegun);
    if (parts.length < 2) return kept;
    const head = Buffer.concat([encoder.encode(headingOf(node)), withoutHeadings(kept.head)]);
    const tail = withoutHeadings(kept.tail);
    return { ...kept, head, tail, bytes: head.length + tail.length + kept.leftOut };
  }
}

/** The job was started there, or may have been. */
function hasBegun({ result }: NodeEnd): boolean {
  return result !== "unreachable" && result !== "skipped";
}

const encoder = new TextEncoder();
const newline = 0x0a;

function append(all: HeadTail, node: string, { head, tail, leftOut }: Kept): void {
  all.add(encoder.encode(headingOf(node)));
  all.add(withoutHeadings(head));
  all.skip(leftOut);
  all.add(withoutHeadings(tail));
  const last = tail.at(-1) ?? head.at(-1);
  if (last !== newline) all.add(encoder.encode("\n"));
}

/** Where a job has printed what looks like a node's name above its output, that has a blank before it. */
function withoutHeadings(bytes: Uint8Array, lines = /^(?===> .* <==)/gm): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const marked = text.replace(lines, " ");
  return marked.length === text.length ? bytes : Buffer.from(marked, "latin1");
}

/** What stands above a node's output. */
export function headingOf(node: string): string {
  return `==> ${node} <==\n`;
}

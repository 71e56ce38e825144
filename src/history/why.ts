/**
 * What became of a tick, in sentences. Pure: rows in, text out.
 */
import { durationInWords } from "../model/duration.ts";
import { signalName } from "../model/signal-name.ts";
import type { RunRecord } from "./run-record.ts";

/** What is known of the time in question. */
export interface TickQuestion {
  readonly job: string;
  /** The minute that is asked for; undefined: the last time that anything was due. */
  readonly tickMs: number | undefined;
  /** What was due in that minute, or is the last that is known, in the order of arrival. */
  readonly found: readonly RunRecord[];
  /** The last before that minute, where nothing was due in it. */
  readonly before: RunRecord | undefined;
  /** The run that a skip names as its obstacle, where the record has it. */
  readonly holder?: RunRecord | undefined;
  readonly nowMs: number;
  /** A moment as it is shown: a time of day where that is the day that is talked of. */
  readonly showTime: (ms: number) => string;
}

/** The answer. */
export interface TickAnswer {
  readonly sentences: readonly string[];
  /** True if it ran, and succeeded. */
  readonly isSuccess: boolean;
}

/** Answers the question. A run says more than a skip of the same minute. */
export function explainTick(question: TickQuestion): TickAnswer {
  const { found, tickMs, before, showTime } = question;
  if (found.length > 0) {
    const runs = found.filter(({ state }) => state !== "skipped");
    const told = runs.length > 0 ? runs : found.slice(-1);
    return {
      sentences: told.map((run) => sentenceOf(run, question)),
      isSuccess: told.every(({ state }) => state === "succeeded"),
    };
  }
  const last =
    before === undefined
      ? "there is no record before that"
      : `the last record before is that of ${showTime(before.atMs)}: ${inShort(before)}`;
  const at = tickMs === undefined ? "" : ` at ${showTime(tickMs)}`;
  return {
    sentences: [`nothing recorded${at}: rcron was not started then, or history was off; ${last}`],
    isSuccess: false,
  };
}

function sentenceOf(run: RunRecord, question: TickQuestion): string {
  const { showTime, nowMs } = question;
  switch (run.state) {
    case "skipped":
      return skipSentence(run, question);
    case "running":
      return `running since ${showTime(run.atMs)}, for ${durationInWords(nowMs - run.atMs)} now${run.pid === undefined ? "" : ` (watched by pid ${run.pid})`}`;
    case "interrupted":
      return `interrupted: started at ${showTime(run.atMs)}; ${run.sentence ?? "nobody saw its end"}`;
    case "succeeded":
      return `ran at ${showTime(run.atMs)}, succeeded after ${took(run)}${where(run)}${attempts(run)}`;
    case "failed":
      return `ran at ${showTime(run.atMs)}, ${failed(run)}${attempts(run)}`;
  }
}

function skipSentence(run: RunRecord, { showTime, holder, nowMs }: TickQuestion): string {
  switch (run.why) {
    case "passive": {
      const from = [run.instance, run.epoch ? `epoch ${run.epoch}` : undefined].filter(Boolean).join(", ");
      const since = run.sinceMs === undefined ? "" : ` since ${showTime(run.sinceMs)}`;
      // Where no word of a state file stands behind it, the reason is all there is.
      const because = run.sentence ?? (run.reason === "state-file" ? undefined : run.reason);
      return `not run here: passive${since}${from && ` (${from})`}${because === undefined ? "" : `: ${because}`}`;
    }
    case "overlap":
      return overlapSentence(run, holder, showTime, nowMs);
    case "condition":
      return `skipped: ${run.sentence ?? "its condition did not hold"}`;
    case "paused":
      return `skipped: ${run.sentence ?? "the job was paused"}`;
    case "missed":
      return `missed: ${run.sentence ?? "the scheduler was not at work"}`;
    case "queue":
      return `skipped: ${run.sentence ?? "too many of its ticks were waiting"}`;
    default:
      return `not started: ${run.sentence ?? "rcron could not start it"}`;
  }
}

function overlapSentence(
  { holder: named, atMs, sentence }: RunRecord,
  holder: RunRecord | undefined,
  showTime: TickQuestion["showTime"],
  nowMs: number,
): string {
  const since = named?.since ?? holder?.atMs;
  // On nodes there may be several in the way, and the sentence has them.
  if (sentence !== undefined && since === undefined && named?.pid === undefined)
    return `skipped: ${sentence}`;
  const which = since === undefined ? "an earlier run" : `the run of ${showTime(holder?.tickMs ?? since)}`;
  const goesOn = holder?.state === "running";
  const facts = [
    named?.pid === undefined ? undefined : `pid ${named.pid}`,
    since === undefined
      ? undefined
      : `${durationInWords((goesOn ? nowMs : atMs) - since)}${goesOn ? "" : " then"}`,
  ].filter((fact) => fact !== undefined);
  const ended = holder?.state === "interrupted" ? "was interrupted" : holder && inShort(holder);
  const isOpen = goesOn || (holder?.state === "interrupted" && holder.onNodes === true);
  const end = ended === undefined || isOpen ? "" : `; it ${ended}`;
  return `skipped: ${which} still ${goesOn ? "goes" : "went"} on${facts.length === 0 ? "" : ` (${facts.join(", ")})`}${end}`;
}

/** What tells how a run ended. */
export type RunEnding = Pick<
  RunRecord,
  "state" | "why" | "cause" | "exit" | "signal" | "ms" | "sentence" | "nodes"
>;

/** How a run ended, for a table's cell and for a sentence. */
export function inShort(run: RunEnding): string {
  switch (run.state) {
    case "skipped":
      return run.why === "passive" ? "not run here: passive" : `skipped: ${run.why ?? "no reason"}`;
    case "failed":
      return failed(run);
    case "succeeded":
      return `succeeded after ${took(run)}${where(run)}`;
    default:
      return run.state;
  }
}

/** `failed: exit status 3 after 12 s`; `failed on web1: exit status 3`. */
function failed(run: RunEnding): string {
  const how = endOf(run);
  return how.startsWith("failed ") ? how : `failed: ${how}`;
}

/** `exit status 3 after 12 s`; of a run over nodes, what became of it on each. */
function endOf(run: RunEnding): string {
  if (run.nodes !== undefined && run.sentence !== undefined) return run.sentence;
  const after = `after ${took(run)}`;
  switch (run.cause) {
    case "signal":
      return `ended by ${run.signal === undefined ? "a signal" : signalName(run.signal)} ${after}`;
    case "timeout":
      return `timed out ${after}`;
    case "stderr":
      return `it wrote to standard error; ${exitOf(run)} ${after}`;
    case "not-started":
      return run.sentence ?? "it could not be started";
    case "stopped":
      return `stopped ${after}: ${run.sentence ?? "the machine is no longer active"}`;
    case "clobbered":
      return `ended for the next run ${after}`;
    case "unseen":
      return run.sentence ?? `ended unseen ${after}`;
    default:
      return `${exitOf(run)} ${after}`;
  }
}

function exitOf({ exit, signal }: RunEnding): string {
  if (exit !== undefined) return `exit status ${exit}`;
  return signal === undefined ? "no exit status" : `ended by ${signalName(signal)}`;
}

/** ` on web1`, ` on 3 nodes`. */
function where({ nodes }: RunEnding): string {
  const done = nodes?.filter(({ result }) => result === "success") ?? [];
  const [only] = done;
  if (only === undefined) return "";
  return ` on ${done.length === 1 ? only.node : `${done.length} nodes`}`;
}

/** Below ten seconds a tenth matters. */
function took({ ms }: RunEnding): string {
  if (ms === undefined) return "an unknown time";
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : durationInWords(ms);
}

function attempts({ attempts }: RunRecord): string {
  return attempts === undefined || attempts < 2 ? "" : ` (${attempts} attempts)`;
}

/**
 * A run's end in words: what every way of telling others of it says alike. Pure; nothing here is redacted.
 */
import { durationInWords } from "../model/duration.ts";
import type { EndEvent } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import { localTime } from "./mime.ts";
import type { RunReport } from "./report.ts";
import { safeLine } from "./shown-text.ts";

/** Why somebody is told just now. */
export interface Occasion {
  /** The failures in a row: with this run where it failed, before it where it did not. */
  readonly failures: number;
  /** When the first of them ended, in milliseconds since 1970. */
  readonly failingSinceMs: number | undefined;
  /** All runs since the last mail or message, this one included; undefined where none was held back. */
  readonly sinceLastMail: { readonly runs: number; readonly failed: number } | undefined;
}

/** `recovered`: it succeeded, and the run before it had failed. */
export type Result = "failed" | "recovered" | "ok";

/** What a run's end means. */
export function resultOf({ end }: Pick<RunReport, "end">, { failures }: Pick<Occasion, "failures">): Result {
  if (!end.ok) return "failed";
  return failures > 0 ? "recovered" : "ok";
}

/** In one line, no more nodes are named. */
const mostNamed = 5;

/** It was sent to nodes and begun on none of them, or there was none to send it to. */
export function isStartedNowhere({ nodes }: Pick<EndEvent, "nodes">): boolean {
  return nodes?.every(({ result }) => result === "unreachable" || result === "skipped") ?? false;
}

/** `exit status 3`, `killed by SIGSEGV`, … Why a node could not be reached is told of each node, and not here. */
export function howItEnded({ end }: Pick<RunReport, "end">): string {
  const { cause, exit, signal, sentence, ok } = end;
  const because = sentence === undefined ? "" : `: ${safeLine(sentence)}`;
  switch (cause) {
    case "timeout":
      return `timed out${because}`;
    case "not-started":
      return `could not be started${unreachedOf(end) ?? because}`;
    case "stopped":
      return `stopped${because || ", because this machine is no longer active"}`;
    case "clobbered":
      return `ended to make room for the next run${because}`;
    case "unseen":
      return `ended unseen${because}`;
    case "stderr":
      return ok ? "succeeded" : "printed to standard error";
    case "signal":
      return `ended by ${signalName(signal ?? 0)}${because}`;
    case "exit":
      if (exit !== undefined && exit !== 0) return `exit status ${exit}`;
      return ok ? "succeeded" : "failed";
  }
}

/** ` on web1, web2 (unreachable)`; undefined where something else kept the job from being started. */
function unreachedOf({ nodes = [] }: EndEvent): string | undefined {
  const names = nodes.flatMap(({ node, result }) => (result === "unreachable" ? [safeLine(node)] : []));
  if (names.length === 0 || nodes.some(({ result }) => result === "failure")) return undefined;
  const rest = names.length - mostNamed;
  const more = rest > 0 ? ` and ${countOf(rest, "more node")}` : "";
  return ` on ${names.slice(0, mostNamed).join(", ")}${more} (unreachable)`;
}

/** `FAILED backup on host1: exit status 3 after 12 s`: one line. */
export function headlineOf(report: RunReport, { failures }: Occasion): string {
  const { end, job } = report;
  const name = safeLine(job).slice(0, 200);
  const where = isStartedNowhere(end) ? name : `${name} on ${safeLine(placeOf(report))}`;
  if (!end.ok) {
    // How long it took to reach nobody is no news, and would stand behind the node that was tried last.
    const isAfter = end.nodes === undefined || end.cause !== "not-started";
    return `FAILED ${where}: ${howItEnded(report)}${isAfter ? ` after ${durationInWords(end.ms)}` : ""}`;
  }
  if (failures > 0) return `recovered: ${where}, after ${countOf(failures, "failure")}`;
  return `${where}: ${howItEnded(report)} after ${durationInWords(end.ms)}`;
}

/** The machine, or the nodes that it was sent to. */
function placeOf({ end: { nodes = [] }, host }: RunReport): string {
  const [first] = nodes;
  if (first === undefined) return host;
  return nodes.length === 1 ? first.node : countOf(nodes.length, "node");
}

/**
 * What the runs before this one make of it: a sentence each; empty where there is nothing to say.
 * @param form in which it is told
 */
export function newsOf(
  { end }: Pick<RunReport, "end">,
  occasion: Occasion,
  form: "mail" | "message",
): string[] {
  const { failures, failingSinceMs, sinceLastMail } = occasion;
  const news: string[] = [];
  const since = failingSinceMs === undefined ? "" : `, the first at ${localTime(new Date(failingSinceMs))}`;
  if (end.ok && failures > 0) news.push(`It succeeded after ${countOf(failures, "failure")}${since}.`);
  if (!end.ok && failures > 1) news.push(`${failures} failures in a row${since}.`);
  if (sinceLastMail !== undefined)
    news.push(
      `${countOf(sinceLastMail.runs, "run")} since the last ${form}, ${sinceLastMail.failed} failed.`,
    );
  return news;
}

/** `1 run`, `7 runs`. */
export function countOf(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * What became of a run on each of its nodes, as it is told: failures first, and of many nodes the first fifty. Pure.
 */
import { durationInWords } from "../model/duration.ts";
import type { NodeEnd, NodeResult } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import { countOf } from "./run-in-words.ts";
import { cutTo, safeLine } from "./shown-text.ts";

/** So many are told one by one. */
export const toldNodesLimit = 50;
const lineLimit = 300;

/** The nodes that are told one by one. */
export interface ToldNodes {
  readonly told: readonly NodeEnd[];
  /** The rest, counted by what became of them. */
  readonly rest: ReadonlyMap<NodeResult, number>;
}

/** What a person wants to see first. */
const order: readonly NodeResult[] = ["failure", "unknown", "unreachable", "stopped", "skipped", "success"];

/** Sorts the nodes by how much they matter; those that are alike stay as they ended. */
export function toldNodes(nodes: readonly NodeEnd[] = [], limit = toldNodesLimit): ToldNodes {
  const sorted = [...nodes].sort((a, b) => order.indexOf(a.result) - order.indexOf(b.result));
  const rest = new Map<NodeResult, number>();
  for (const { result } of sorted.slice(limit)) rest.set(result, (rest.get(result) ?? 0) + 1);
  return { told: sorted.slice(0, limit), rest };
}

/** `web1: exit status 3 after 2 s`: a line without its end. */
export function nodeInWords(
  { node, result, exit, signal, ms, sentence }: NodeEnd,
  redact: (text: string) => string,
): string {
  const because = sentence === undefined ? "" : `: ${safeLine(sentence)}`;
  const after = ` after ${durationInWords(ms)}`;
  // Cut behind the redaction, which would not know half a secret.
  return cutTo(redact(`${safeLine(node)}: ${inWords()}`), lineLimit);

  function inWords(): string {
    switch (result) {
      case "success":
        return `succeeded${after}`;
      case "failure":
        if (signal !== undefined) return `ended by ${signalName(signal)}${after}${because}`;
        return `${exit === undefined ? "failed" : `exit status ${exit}`}${after}${because}`;
      case "unreachable":
        return `unreachable, not started${because}`;
      case "unknown":
        return `unknown how it ended${because}`;
      case "skipped":
        return `skipped${because}`;
      case "stopped":
        return `stopped${after}${because}`;
    }
  }
}

/** `and 12 more nodes: 2 failure, 10 success`; undefined where there are none. */
export function restInWords(rest: ToldNodes["rest"]): string | undefined {
  const count = [...rest.values()].reduce((sum, each) => sum + each, 0);
  if (count === 0) return undefined;
  const parts = [...rest].map(([result, number]) => `${number} ${result}`);
  return `and ${countOf(count, "more node")}: ${parts.join(", ")}`;
}

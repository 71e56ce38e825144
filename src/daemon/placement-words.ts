/**
 * How placement-plan.ts says what became of a run's nodes, and why some have no part in it.
 */
import type { NodeResult } from "../model/run-event.ts";
import type { AttemptSoFar, LeftOut, NodeState } from "./placement-plan.ts";

/** In a sentence, no more nodes are named one by one. */
const mostNamed = 10;

const clauses = {
  success: "ran on",
  failure: "failed on",
  unreachable: "could not be started on",
  unknown: "may have run on",
  skipped: "was not to run on",
  stopped: "was stopped on",
} as const satisfies Record<NodeResult, string>;

/** What became of each: `failed on web1, web2: exit status 3; ran on web3; web4 is down`. */
export function sentenceOf(attempts: readonly AttemptSoFar[], leftOut: readonly LeftOut[]): string {
  const alike = new Map<
    string,
    { readonly nodes: string[]; readonly reason: string; readonly clause: string }
  >();
  for (const { node, result, reason } of attempts) {
    if (result === undefined) continue;
    const because = result === "success" || reason === undefined ? "" : `: ${reason}`;
    const group = alike.get(result + because);
    if (group === undefined)
      alike.set(result + because, { nodes: [node], reason: because, clause: clauses[result] });
    else group.nodes.push(node);
  }
  const told = [...alike.values()].map(({ nodes, reason, clause }) => {
    return `${clause} ${shortened(nodes).join(", ")}${reason}`;
  });
  const parts = [...shortened(told)];
  parts.push(...shortened(leftOut.map(({ sentence }) => sentence)));
  return parts.length === 0 ? "there is no node for it" : parts.join("; ");
}

function shortened(items: readonly string[]): readonly string[] {
  const rest = items.length - mostNamed;
  return rest > 0 ? [...items.slice(0, mostNamed), `${rest} more`] : items;
}

/** Nothing of it goes on just now. */
export const earlierWaits = "an earlier run still waits for its nodes";

/** It does not answer. */
export function down({ node: { name }, downWhy }: NodeState): LeftOut {
  const reason = `down${downWhy === undefined ? "" : `: ${downWhy}`}`;
  return { node: name, why: "down", sentence: `${name} is ${reason}`, reason };
}

/** It was waited for, and is defined no more, or has another role by now. */
export function noLongerMeant(name: string): LeftOut {
  const reason = "no longer one of its nodes";
  return { node: name, why: "unknown", sentence: `${name} is ${reason}`, reason };
}

/** It was waited for, up to the end of the time for that. */
export function waitedInVain(name: string): LeftOut {
  const reason = "no room for too long";
  return { node: name, why: "busy", sentence: `${name} had ${reason}`, reason };
}

/** An earlier run of the job goes on there. */
export function busy(name: string): LeftOut {
  const reason = "still at an earlier run";
  return { node: name, why: "busy", sentence: `${name} is ${reason}`, reason };
}

/** Nobody is called so. @param kind what was looked for */
export function unknownNode(name: string, kind: string): LeftOut {
  const reason = `there is no ${kind} named ${name}`;
  return { node: name, why: "unknown", sentence: reason, reason };
}

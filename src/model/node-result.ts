/**
 * What became of a run on a node, in words.
 */
import type { NodeEnd } from "./run-event.ts";
import { signalName } from "./signal-name.ts";

/** Why it ended so, as a clause: `exit status 3`, `ended by SIGKILL`, or what its sentence says; undefined where nothing is known. */
export function reasonOf({ sentence, exit, signal }: Omit<NodeEnd, "node" | "ms">): string | undefined {
  if (sentence !== undefined) return sentence;
  if (signal !== undefined) return `ended by ${signalName(signal)}`;
  return exit === undefined ? undefined : `exit status ${exit}`;
}

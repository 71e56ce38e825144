/**
 * How a command ended.
 */
import type { Problem } from "./problem.ts";

/** The end of a command, or why it never began. */
export type Outcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "signalled"; readonly signal: number }
  /** Nobody was there to learn it: whoever started it was killed before it ended. */
  | { readonly kind: "unseen" }
  /** It could not be started; nothing of it ran. */
  | { readonly kind: "not-started"; readonly exitCode: 125 | 126 | 127; readonly problem: Problem };

/** True for exit status 0 and nothing else. */
export function isSuccess(outcome: Outcome): boolean {
  return outcome.kind === "exited" && outcome.exitCode === 0;
}

/**
 * The exit status that tells an outcome: the job's own; 128+N where signal N ended it; 126 not executable,
 * 127 not found, 125 not started for another reason, or not known.
 * @see docs/compatibility.md "exit status"
 */
export function exitStatusOf(outcome: Outcome): number {
  if (outcome.kind === "unseen") return 125;
  return outcome.kind === "signalled" ? 128 + outcome.signal : outcome.exitCode;
}

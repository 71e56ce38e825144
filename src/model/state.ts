/**
 * Whether this machine is the one that runs the group's jobs, and how that was found out.
 */

import type { Provenance } from "./provenance.ts";

/** The word. */
export type State = "active" | "passive";

/** Why the verdict is what it is; each has one sentence, in {@link Verdict.sentence}. docs/verdicts.md has the table. */
export type VerdictReason =
  /** The state file's word holds, and no witness contradicts it. */
  | "state-file"
  /** There is no usable word; `default_state` holds. */
  | "state-missing"
  | "state-unreadable"
  | "state-corrupted"
  /** There is a word, and a witness contradicts it; `when_in_doubt` holds. */
  | DoubtReason;

/** What contradicts a word, in the order in which it is asked. */
export type DoubtReason =
  | "state-expired"
  | "boot-differs"
  | "boot-unknown"
  | "writer-dead"
  | "writer-stopped"
  | "writer-unknown"
  | "address-missing"
  | "address-present"
  | "address-unknown"
  | "state-too-old"
  | "state-age-unknown";

/** Nothing was asked: the job runs on every machine, whichever is the active one. */
export type UnaskedReason = "every-machine";

/** Whether a job may run here, and why. */
export interface Verdict {
  readonly state: State;
  readonly reason: VerdictReason | UnaskedReason;
  /** The reason in words, without the program's name: fit for a mail, a log and `--explain`. */
  readonly sentence: string;
  /** The file that was asked last. */
  readonly stateFile: string;
  /** True where the word was missing or in doubt, so that `default_state` or `when_in_doubt` decided. */
  readonly isDefault: boolean;
  /** The state file's epoch; 0 where it tells none. */
  readonly epoch: number;
  /** What the state file tells besides its word; empty where there is none. */
  readonly provenance: Provenance;
}

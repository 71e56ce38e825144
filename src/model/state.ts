/**
 * Whether this machine is the one that runs the group's jobs, and how that was found out.
 */

/** The word. */
export type State = "active" | "passive";

/** Why the verdict is what it is; each has one sentence, in {@link Verdict.sentence}. */
export type VerdictReason = "state-file" | "state-missing" | "state-unreadable" | "state-corrupted";

/** Whether a job may run here, and why. */
export interface Verdict {
  readonly state: State;
  readonly reason: VerdictReason;
  /** The reason in words, without the program's name: fit for a mail, a log and `--explain`. */
  readonly sentence: string;
  /** The file that was asked last. */
  readonly stateFile: string;
  /** True where the state file gave no usable word and `default_state` decided. */
  readonly isDefault: boolean;
}

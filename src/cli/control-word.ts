/**
 * What a word of `rcronctl` is: how it is called, what its help says, and what it does.
 */
import type { Problem } from "../model/problem.ts";

/** An option of a word. */
export interface OptionOf {
  /** What stands for its value in the help; undefined for an option without one. */
  readonly value?: string;
  readonly help: string;
}

/** The options that were given, each at most once, and the words between them. */
export interface Given {
  readonly options: Readonly<Record<string, string | true | undefined>>;
  readonly words: readonly string[];
}

/** A word. */
export interface Word {
  /** What stands behind its name. */
  readonly usage: string;
  readonly summary: string;
  /** More for `rcronctl WORD --help`. */
  readonly about: string;
  readonly options: Readonly<Record<string, OptionOf>>;
  /** @returns the exit status, or the Problem for which there is no answer */
  readonly run: (given: Given) => Promise<number | Problem>;
}

/** Words by name, in the order of the help. */
export type Vocabulary = Readonly<Record<string, Word>>;

export const conf: OptionOf = { value: "FILE", help: "the configuration (default: /etc/rcron/rcron.conf)" };
export const json: OptionOf = { help: "print JSON" };
export const history: OptionOf = {
  value: "DIR",
  help: "the record's folder (default: as the configuration says)",
};
export const socket: OptionOf = {
  value: "PATH",
  help: "rcrond's socket (default: as the configuration says)",
};

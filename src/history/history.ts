/**
 * HOW DID IT GO? The record: what ran, what did not, and why.
 *
 * Writing is one line at the end of a file (journal.ts), which the hot path can pay for; the rest is loaded when somebody
 * asks.
 */
import type { Problem } from "../model/problem.ts";
import type { History, HistoryOptions } from "./store.ts";

export { appendEvent, historyFolder } from "./journal.ts";
export type { JobRecord, KeptOutput, RunFilter, RunRecord, RunState, Total } from "./run-record.ts";
export type { History, HistoryOptions } from "./store.ts";
export type { TickAnswer, TickQuestion } from "./why.ts";

/**
 * Opens the record in `folder` for reading, folds what the journal has, calls `use`, and closes it.
 * @param use called again, once, where the database turns out to be broken: it has been begun anew then
 * @returns what `use` returns, or the Problem (`denied`, `conflict`, `internal`) for which the record can't be read
 * @throws whatever `use` throws
 */
export async function withHistory<Result>(
  folder: string,
  options: HistoryOptions,
  use: (history: History) => Promise<Result> | Result,
): Promise<Result | Problem> {
  return (await import("./store.ts")).withHistory(folder, options, use);
}

/** The record in words: what became of a tick, and how a run ended. */
export async function loadSentences(): Promise<typeof import("./why.ts")> {
  return import("./why.ts");
}

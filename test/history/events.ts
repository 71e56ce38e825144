/** Events and journals for the tests of the record. */
import { appendFileSync, mkdirSync } from "node:fs";
import { type HistoryOptions, withHistory } from "../../src/history/history.ts";
import type { Queries } from "../../src/history/queries.ts";
import { Problem } from "../../src/model/problem.ts";
import type { EndEvent, RunEvent, SkipEvent, StartEvent } from "../../src/model/run-event.ts";
import { readBootId } from "../../src/system/boot.ts";
import { findProcess } from "../../src/system/other-processes.ts";

/** 2026-11-21T03:00:00Z. */
export const nightMs = Date.UTC(2026, 10, 21, 3);

const context = {
  at: nightMs + 1000,
  tick: nightMs,
  job: "backup",
  words: ["/usr/bin/backup", "--all"],
  cluster: "c1",
  reason: "state-file",
  epoch: 41,
  instance: "VI_1",
  since: nightMs - 109_000,
};

/** A start that this very process watches, so that its run goes on. */
export function start(run: string, more: Partial<StartEvent> = {}): StartEvent {
  const ticks = findProcess(process.pid)?.startTicks;
  const boot = readBootId();
  return {
    kind: "start",
    run,
    pid: process.pid,
    ...(ticks !== undefined && { ticks }),
    ...(boot !== undefined && { boot }),
    ...context,
    ...more,
  };
}

export function end(run: string, more: Partial<EndEvent> = {}): EndEvent {
  return { kind: "end", run, at: nightMs + 13_000, ms: 12_000, ok: true, cause: "exit", exit: 0, ...more };
}

export function skip(more: Partial<SkipEvent> = {}): SkipEvent {
  return { kind: "skip", why: "passive", ...context, ...more };
}

/** Adds lines to a journal as rcron does; a text stands as it is. */
export function journal(folder: string, ...lines: readonly (RunEvent | string)[]): void {
  mkdirSync(folder, { recursive: true });
  const text = lines
    .map((line) => (typeof line === "string" ? line : `\n${JSON.stringify(line)}\n`))
    .join("");
  appendFileSync(`${folder}/journal`, text);
}

/** What an opening told, and the answer. */
export interface Asked<Answer> {
  readonly answer: Answer;
  readonly warnings: readonly string[];
}

export async function ask<Answer>(
  folder: string,
  question: (queries: Queries) => Answer,
  more: Partial<HistoryOptions> = {},
): Promise<Asked<Answer>> {
  const warnings: string[] = [];
  const options = {
    host: "alpha",
    keepMs: 100 * 365 * 86_400_000,
    sizeBytes: 256 * 1024 ** 2,
    onWarning: (sentence: string) => warnings.push(sentence),
    ...more,
  };
  const answer = await withHistory(folder, options, ({ ask: queries }) => question(queries));
  if (answer instanceof Problem) throw answer;
  return { answer, warnings };
}

/** Every row of the record as `job state`, or what `shown` makes of it. */
export const everything = (queries: Queries) => queries.runs({ show: "all", limit: 1_000_000 });

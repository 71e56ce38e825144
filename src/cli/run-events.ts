/**
 * What a run that is started leaves in the record, and what the person hears of its end; the same with rules and without.
 */
import type { Outcome } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import type { EndCause, EndEvent, StartEvent } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import { readBootId } from "../system/boot.ts";
import { findProcess } from "../system/other-processes.ts";
import type { GatedRun, NamedRun } from "./gated-run.ts";
import { eventContext } from "./record.ts";
import { complain, say } from "./terminal.ts";

/**
 * SIGINT and SIGPIPE end jobs in the ordinary course of things. Of any other, a shell would write a word to standard
 * error ("Killed"), and cron would mail it; so must we, or a job that runs out of memory would end without a sound.
 */
const quietSignals: readonly number[] = [2, 13];

/** What the record has of a run's start. */
export function startEvent(gated: GatedRun, named: NamedRun, runId: string): StartEvent {
  return { kind: "start", run: runId, ...eventContext(gated, named), ...watcher() };
}

/** This process, as the record knows who watches a run. */
export function watcher(): Pick<StartEvent, "pid" | "ticks" | "boot"> {
  const self = findProcess(process.pid);
  const boot = readBootId();
  return {
    pid: process.pid,
    ...(self !== undefined && { ticks: self.startTicks }),
    ...(boot !== undefined && { boot }),
  };
}

/** What {@link endEvent} is made of. */
export interface EndFacts {
  readonly outcome: Outcome;
  readonly isOk: boolean;
  readonly cause: EndCause;
  readonly durationMs: number;
}

/** What the record has of every run's end. */
export function endEvent(runId: string, { outcome, isOk, cause, durationMs }: EndFacts): EndEvent {
  return {
    kind: "end",
    run: runId,
    at: Date.now(),
    ms: Math.round(durationMs),
    ok: isOk,
    cause,
    ...(outcome.kind === "signalled" && { signal: outcome.signal }),
    ...("exitCode" in outcome && { exit: outcome.exitCode }),
    ...(outcome.kind === "not-started" && { sentence: outcome.problem.message }),
  };
}

/** Tells the person why a job was not started, or which signal has ended it. */
export function tellEnd(program: string, jobName: string, outcome: Outcome): void {
  if (outcome.kind === "not-started") complain(program, outcome.problem);
  if (outcome.kind === "signalled" && !quietSignals.includes(outcome.signal)) {
    say(program, `${printable(jobName)} was ended by ${signalName(outcome.signal)}`);
  }
}

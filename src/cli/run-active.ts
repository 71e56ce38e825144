/**
 * `rcron` on the active machine: the job, with a line in the log before it and one after it.
 */
import { prepareLocal, type StopRequest } from "../execute/execute.ts";
import { environmentOf, parseCommand } from "../model/job.ts";
import { endLine, newRunId, startLine, stopLine } from "../model/log-line.ts";
import { exitStatusOf, isSuccess, type Outcome } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { noRules, type Rules } from "../model/rules.ts";
import type { EndCause, StartEvent } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import type { Verdict } from "../model/state.ts";
import { readBootId } from "../system/boot.ts";
import { findProcess } from "../system/other-processes.ts";
import { readInheritance } from "../system/process.ts";
import type { GatedRun, NamedRun } from "./gated-run.ts";
import { nameRun } from "./named-run.ts";
import { eventContext, recordEvent } from "./record.ts";
import { complain, say, sayWarnings } from "./terminal.ts";

/**
 * SIGINT and SIGPIPE end jobs in the ordinary course of things. Of any other, a shell would write a word to standard
 * error ("Killed"), and cron would mail it; so must we, or a job that runs out of memory would end without a sound.
 */
export const quietSignals: readonly number[] = [2, 13];

/**
 * Runs the job and waits for its end.
 * @returns the exit status, or the Problem for which nothing was run
 */
export async function runActive(gated: GatedRun, rules: Rules = noRules): Promise<number | Problem> {
  const { program, run, conf, verdict, warnings, log } = gated;
  // Before the log is used: its socket must not be taken for one that the caller left for the job.
  const inheritance = readInheritance();
  sayWarnings(program, warnings, conf, log);
  const command = parseCommand(run.words, run.shell ?? conf.shell);
  if (command instanceof Problem) return command;
  const runId = newRunId();
  // The start of this process: the nearest to the minute for which cron started it, however busy the machine is.
  const dueAtMs = performance.timeOrigin;
  const facts = { cluster: conf.clusterName, stateEpoch: verdict.epoch, runId, dueAtMs };
  const environment = [...environmentOf(facts), ...command.environment];
  // Made only where it is needed: the first of its kind costs the start of every job.
  const stopping = (run.onPassive ?? conf.onPassive) === "stop" ? new AbortController() : undefined;
  const stop: StopRequest | undefined = stopping && {
    signal: stopping.signal,
    graceMs: conf.stopGraceMs,
    runId,
  };
  const job = { ...command, environment, niceLevel: rules.niceLevel ?? conf.niceLevel };
  const launch = prepareLocal(job, { inheritance, isGroup: stop !== undefined });
  sayWarnings(program, launch.warnings, conf, log);

  const named = nameRun(gated, rules.name ?? command.name, runId);
  const context = { clusterName: conf.clusterName, ...named };
  if (conf.history !== "none") recordEvent(gated, startEvent(gated, named, runId));
  log.log(conf.syslogFacility, conf.syslogLevel, startLine(context));
  const startedMs = performance.now();
  let lost: Verdict | undefined;
  const watch =
    stopping &&
    (await import("./watch-state.ts")).watchState(conf, (now) => {
      lost = now;
      say(program, `stopping ${printable(named.name)}: no longer active: ${now.sentence}`);
      log.log(conf.syslogFacility, "LOG_WARNING", stopLine(context, now.reason));
      stopping.abort();
    });
  const outcome = await launch.run({ stop });
  watch?.stop();
  const end = { outcome, durationMs: performance.now() - startedMs, state: lost?.state ?? verdict.state };
  log.log(conf.syslogFacility, conf.syslogLevel, endLine(context, end));
  if (conf.history !== "none") {
    const isStopped = lost !== undefined;
    recordEvent(gated, {
      kind: "end",
      run: runId,
      at: Date.now(),
      ms: Math.round(end.durationMs),
      ok: isSuccess(outcome) && !isStopped,
      cause: isStopped ? "stopped" : causeOf(outcome),
      ...(outcome.kind === "signalled" ? { signal: outcome.signal } : { exit: outcome.exitCode }),
      ...(outcome.kind === "not-started" && { sentence: outcome.problem.message }),
    });
  }
  if (outcome.kind === "not-started") complain(program, outcome.problem);
  if (outcome.kind === "signalled" && !quietSignals.includes(outcome.signal)) {
    say(program, `${printable(named.name)} was ended by ${signalName(outcome.signal)}`);
  }
  return exitStatusOf(outcome);
}

/** What the record has of a run's start. */
export function startEvent(gated: GatedRun, named: NamedRun, runId: string): StartEvent {
  const self = findProcess(process.pid);
  const boot = readBootId();
  return {
    kind: "start",
    run: runId,
    ...eventContext(gated, named),
    pid: process.pid,
    ...(self !== undefined && { ticks: self.startTicks }),
    ...(boot !== undefined && { boot }),
  };
}

function causeOf({ kind }: Outcome): EndCause {
  return kind === "exited" ? "exit" : kind === "signalled" ? "signal" : "not-started";
}

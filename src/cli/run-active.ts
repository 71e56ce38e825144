/**
 * `rcron` on the active machine: the job, with a line in the log before it and one after it.
 */
import { prepareLocal, type StopRequest } from "../execute/execute.ts";
import { environmentOf, parseCommand } from "../model/job.ts";
import { endLine, newRunId, startLine } from "../model/log-line.ts";
import { exitStatusOf, isSuccess, type Outcome } from "../model/outcome.ts";
import { Problem } from "../model/problem.ts";
import { noRules, type Rules } from "../model/rules.ts";
import type { EndCause } from "../model/run-event.ts";
import { readInheritance } from "../system/process.ts";
import type { GatedRun } from "./gated-run.ts";
import { nameRun } from "./named-run.ts";
import { recordEvent } from "./record.ts";
import { endEvent, startEvent, tellEnd } from "./run-events.ts";
import { sayWarnings } from "./terminal.ts";

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
  const watch = stopping && (await import("./watch-state.ts")).watchForLoss(gated, named, context, stopping);
  const outcome = await launch.run({ stop });
  watch?.stop();
  const durationMs = performance.now() - startedMs;
  const lost = watch?.lost;
  const end = { outcome, durationMs, state: lost?.state ?? verdict.state };
  log.log(conf.syslogFacility, conf.syslogLevel, endLine(context, end));
  if (conf.history !== "none") {
    const isOk = isSuccess(outcome) && lost === undefined;
    const cause = lost === undefined ? causeOf(outcome) : "stopped";
    recordEvent(gated, endEvent(runId, { outcome, isOk, cause, durationMs }));
  }
  tellEnd(program, named.name, outcome);
  return exitStatusOf(outcome);
}

function causeOf({ kind }: Outcome): EndCause {
  return kind === "exited" ? "exit" : kind === "signalled" ? "signal" : "not-started";
}

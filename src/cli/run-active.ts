/**
 * `rcron` on the active machine: the job, with a line in the log before it and one after it.
 */
import { prepareLocal, type StopRequest } from "../execute/execute.ts";
import { environmentOf, parseCommand } from "../model/job.ts";
import { endLine, newRunId, startLine, stopLine } from "../model/log-line.ts";
import { exitStatusOf } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { signalName } from "../model/signal-name.ts";
import type { Verdict } from "../model/state.ts";
import { readInheritance } from "../system/process.ts";
import { complain, say, sayWarnings } from "./terminal.ts";
import type { GatedRun } from "./wrap.ts";

/**
 * SIGINT and SIGPIPE end jobs in the ordinary course of things. Of any other, a shell would write a word to standard
 * error ("Killed"), and cron would mail it; so must we, or a job that runs out of memory would end without a sound.
 */
const quietSignals = [2, 13];

/**
 * Runs the job and waits for its end.
 * @returns the exit status, or the Problem for which nothing was run
 */
export async function runActive({
  program,
  run,
  conf,
  verdict,
  warnings,
  log,
}: GatedRun): Promise<number | Problem> {
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
  const stop: StopRequest | undefined = stopping && { signal: stopping.signal, graceMs: conf.stopGraceMs };
  const launch = prepareLocal({ ...command, environment, niceLevel: conf.niceLevel }, { inheritance, stop });
  sayWarnings(program, launch.warnings, conf, log);

  const { reason } = verdict;
  const extension = conf.logFormat === "extended" ? { jobName: command.name, runId, reason } : undefined;
  const context = { clusterName: conf.clusterName, commandText: run.words.join(" "), extension };
  log.log(conf.syslogFacility, conf.syslogLevel, startLine(context));
  const startedMs = performance.now();
  let lost: Verdict | undefined;
  const watch =
    stopping &&
    (await import("./watch-state.ts")).watchState(conf, (now) => {
      lost = now;
      say(program, `stopping ${printable(command.name)}: no longer active: ${now.sentence}`);
      log.log(conf.syslogFacility, "LOG_WARNING", stopLine(context, now.reason));
      stopping.abort();
    });
  const outcome = await launch.run();
  watch?.stop();
  const end = { outcome, durationMs: performance.now() - startedMs, state: lost?.state ?? verdict.state };
  log.log(conf.syslogFacility, conf.syslogLevel, endLine(context, end));
  if (outcome.kind === "not-started") complain(program, outcome.problem);
  if (outcome.kind === "signalled" && !quietSignals.includes(outcome.signal)) {
    say(program, `${printable(command.name)} was ended by ${signalName(outcome.signal)}`);
  }
  return exitStatusOf(outcome);
}

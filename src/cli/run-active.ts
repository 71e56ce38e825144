/**
 * `rcron` on the active machine: the job, with a line in the log before it and one after it.
 */
import { prepareLocal } from "../execute/execute.ts";
import { parseCommand } from "../model/job.ts";
import { endLine, extendLine, startLine } from "../model/log-line.ts";
import { exitStatusOf } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { signalName } from "../model/signal-name.ts";
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
  const launch = prepareLocal({ ...command, niceLevel: conf.niceLevel }, inheritance);
  sayWarnings(program, launch.warnings, conf, log);

  const extension = conf.logFormat === "extended" ? extendLine(command.name, verdict.reason) : undefined;
  const context = { clusterName: conf.clusterName, commandText: run.words.join(" "), extension };
  log.log(conf.syslogFacility, conf.syslogLevel, startLine(context));
  const startedMs = performance.now();
  const outcome = await launch.run();
  log.log(conf.syslogFacility, conf.syslogLevel, endLine(context, outcome, performance.now() - startedMs));
  if (outcome.kind === "not-started") complain(program, outcome.problem);
  if (outcome.kind === "signalled" && !quietSignals.includes(outcome.signal)) {
    say(program, `${printable(command.name)} was ended by ${signalName(outcome.signal)}`);
  }
  return exitStatusOf(outcome);
}

/**
 * `rcron`: the prefix of a crontab line.
 *
 * The way of a run: words → options (only if the first word is one) → gate → verdict; passive: a line in the log, the
 * end. Active: the job, with a line before and a line after. What a passive machine does not need is loaded on demand,
 * and its way has no promise in it, because the first one costs 0.1 ms; a test reads the build's module list and holds
 * this file to that.
 */
import { type Conf, judge, loadConf } from "../gate/gate.ts";
import { type Extension, ignoreLine, newRunId } from "../model/log-line.ts";
import { Problem } from "../model/problem.ts";
import type { Verdict } from "../model/state.ts";
import { readWords } from "../system/raw-words.ts";
import { Syslog } from "../system/syslog.ts";
import { complain, ownFailure, sayWarnings } from "./terminal.ts";
import type { Run } from "./wrap-options.ts";

/** How long the end of a run may wait for a log daemon that does not read. */
const logWaitMs = 1000;

/**
 * Runs the prefix.
 * @param program the name it was called by: messages begin with it, and it is syslog's ident
 * @param decoded the words behind the name, as the runtime decoded them
 * @returns the exit status
 */
export function wrap(program: string, decoded: readonly string[]): number | Promise<number> {
  const words = readWords(decoded);
  const log = new Syslog({ ident: program, pid: process.pid });
  const isPlain = words[0] !== undefined && words[0][0] !== "-";
  const status = isPlain
    ? runWhereActive(program, { words, confPath: undefined, shell: undefined, onPassive: undefined }, log)
    : answerOptions(program, words, log);
  return typeof status === "number" ? close(log, status) : status.then((later) => close(log, later));
}

function close(log: Syslog, status: number): number | Promise<number> {
  const closing = log.close(logWaitMs);
  return closing === undefined ? status : closing.then(() => status);
}

async function answerOptions(program: string, words: readonly string[], log: Syslog): Promise<number> {
  const { parseWrapOptions } = await import("./wrap-options.ts");
  const invocation = parseWrapOptions(words);
  if (invocation instanceof Problem) return fail(program, invocation, log);
  if (invocation.kind === "run") return runWhereActive(program, invocation, log);
  if (invocation.kind === "help" || invocation.kind === "version") {
    const { printHelp, printVersion } = await import("./wrap-help.ts");
    await (invocation.kind === "help" ? printHelp() : printVersion());
    return 0;
  }
  const loaded = loadConf(invocation.confPath);
  if (loaded instanceof Problem) return fail(program, loaded, log);
  if (invocation.kind === "explain") {
    const { explain } = await import("./explain.ts");
    return explain(program, invocation, loaded);
  }
  const { generate } = await import("./generate.ts");
  sayWarnings(program, loaded.warnings, loaded.conf, log);
  const written = await generate(loaded.conf, log);
  return written instanceof Problem ? fail(program, written, log) : 0;
}

/** A run behind the gate: all that is known of it before anything is done. */
export interface GatedRun {
  readonly program: string;
  readonly run: Run;
  readonly conf: Conf;
  readonly verdict: Verdict;
  /** What the person shall hear of configuration and state; each a sentence. */
  readonly warnings: readonly string[];
  readonly log: Syslog;
}

/** The prefix's own work. */
function runWhereActive(program: string, run: Run, log: Syslog): number | Promise<number> {
  const loaded = loadConf(run.confPath);
  if (loaded instanceof Problem) return fail(program, loaded, log);
  const { conf } = loaded;
  const verdict = judge(conf);
  const warnings = verdict.isDefault ? [...loaded.warnings, verdict.sentence] : loaded.warnings;
  const gated: GatedRun = { program, run, conf, verdict, warnings, log };
  if (verdict.state === "active") return loadAndRun(gated);
  if (conf.logFormat === "extended") return loadAndIgnore(gated);
  ignore(gated, undefined);
  return 0;
}

/** A passive machine's whole work. */
function ignore({ program, run, conf, warnings, log }: GatedRun, extension: Extension | undefined): void {
  if (warnings.length > 0) sayWarnings(program, warnings, conf, log);
  const context = { clusterName: conf.clusterName, commandText: run.words.join(" "), extension };
  log.log(conf.syslogFacility, conf.syslogLevel, ignoreLine(context));
}

async function loadAndRun(gated: GatedRun): Promise<number> {
  const { runActive } = await import("./run-active.ts");
  const status = await runActive(gated);
  return status instanceof Problem ? fail(gated.program, status, gated.log) : status;
}

/** The same as {@link ignore}, with the job's name in the line, for which the words must be understood. */
async function loadAndIgnore(gated: GatedRun): Promise<number> {
  const { parseCommand } = await import("../model/job.ts");
  const job = parseCommand(gated.run.words, gated.run.shell ?? gated.conf.shell);
  const { reason } = gated.verdict;
  ignore(gated, job instanceof Problem ? undefined : { jobName: job.name, runId: newRunId(), reason });
  return 0;
}

/** Nothing runs. Said to the person and, where cron's mail goes nowhere, to the log under the default facility. */
function fail(program: string, problem: Problem, log: Syslog): number {
  complain(program, problem);
  log.log("LOG_CRON", "LOG_ERR", `error: ${problem.message}`);
  return ownFailure;
}

/**
 * `rcron`: the prefix of a crontab line.
 *
 * The way of a run: words → options (only if the first word is one) → gate → verdict; passive: a line in the log, the
 * end. Active: the job, with a line before and a line after. What a passive machine does not need is loaded on demand,
 * and its way has no promise in it, because the first one costs 0.1 ms; a test reads the build's module list and holds
 * this file to that.
 */
import { judge, loadConf } from "../gate/gate.ts";
import { Problem } from "../model/problem.ts";
import { readWords } from "../system/raw-words.ts";
import { Syslog } from "../system/syslog.ts";
import { type GatedRun, ignore } from "./gated-run.ts";
import { hidesCommand } from "./record.ts";
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
    ? runWhereActive(
        program,
        { words, confPath: undefined, shell: undefined, onPassive: undefined, rules: [] },
        log,
      )
    : answerOptions(program, words, log);
  return typeof status === "number" ? close(log, status) : status.then((later) => close(log, later));
}

function close(log: Syslog, status: number): number | Promise<number> {
  const closing = log.close(logWaitMs);
  return closing === undefined ? status : closing.then(() => status);
}

async function answerOptions(program: string, words: readonly string[], log: Syslog): Promise<number> {
  const { parseWrapOptions } = await import("./wrap-options.ts");
  const invocation = await parseWrapOptions(words);
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

/** The prefix's own work. */
function runWhereActive(program: string, run: Run, log: Syslog): number | Promise<number> {
  const loaded = loadConf(run.confPath);
  if (loaded instanceof Problem) return fail(program, loaded, log);
  const { conf } = loaded;
  const verdict = judge(conf);
  const warnings = verdict.isDefault ? [...loaded.warnings, verdict.sentence] : loaded.warnings;
  const gated: GatedRun = { program, run, conf, verdict, warnings, log };
  const hasRules = run.rules.length > 0 || conf.sections !== undefined;
  if (hasRules || hidesCommand(gated)) return loadAndRun(gated, loaded.path);
  if (verdict.state === "active") return loadAndRun(gated, undefined);
  if (conf.logFormat === "extended") return loadAndRun(gated, loaded.path);
  ignore(gated, undefined);
  return 0;
}

/** @param confPath undefined for an active machine's job of which nothing more is to be known */
async function loadAndRun(gated: GatedRun, confPath: string | undefined): Promise<number> {
  const status =
    confPath === undefined
      ? await (await import("./run-active.ts")).runActive(gated)
      : await (await import("./run-with-rules.ts")).runWithRules(gated, confPath);
  return status instanceof Problem ? fail(gated.program, status, gated.log) : status;
}

/** Nothing runs. Said to the person and, where cron's mail goes nowhere, to the log under the default facility. */
function fail(program: string, problem: Problem, log: Syslog): number {
  complain(program, problem);
  log.log("LOG_CRON", "LOG_ERR", `error: ${problem.message}`);
  return ownFailure;
}

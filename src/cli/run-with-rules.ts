/**
 * `rcron` for a job with rules, or with a command that may not be shown as it is: its words are understood before anything else.
 */
import { loadRules } from "../gate/gate.ts";
import { parseCommand } from "../model/job.ts";
import { Problem } from "../model/problem.ts";
import { needSupervision, noRules } from "../model/rules.ts";
import { type GatedRun, ignore } from "./gated-run.ts";
import { nameRun } from "./named-run.ts";
import { runActive } from "./run-active.ts";
import { runSupervised } from "./run-supervised.ts";

/** @returns the exit status, or the Problem for which nothing was run */
export async function runWithRules(gated: GatedRun, confPath: string): Promise<number | Problem> {
  const { run, conf, verdict } = gated;
  const command = parseCommand(run.words, run.shell ?? conf.shell);
  if (command instanceof Problem) return command;
  const isPlain = run.rules.length === 0 && conf.sections === undefined;
  const rules = isPlain ? noRules : await loadRules({ conf, path: confPath }, run.rules, command.name);
  if (rules instanceof Problem) return rules;
  if (verdict.state === "passive") {
    ignore(gated, nameRun(gated, rules.name ?? command.name));
    return rules.skipExit;
  }
  if (needSupervision(rules)) {
    return runSupervised(gated, rules);
  }
  return runActive(gated, rules);
}

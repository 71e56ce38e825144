/**
 * `rcronctl doctor`: what would go wrong on this machine.
 */
import { examine, isHealthy, renderReport, renderReportJson, thisMachine } from "../doctor/doctor.ts";
import { loadConf, readDaemonConf } from "../gate/gate.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given } from "./control-word.ts";
import { print } from "./standard-output.ts";
import { failed } from "./terminal.ts";

/** @returns the exit status: 0 where there is neither an error nor a warning, else 1 */
export async function diagnose({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `doctor takes no words: got ${quoted(words.join(" "))}`, {
      hint: "rcronctl doctor --help",
    });
  }
  const conf = typeof options["conf"] === "string" ? options["conf"] : undefined;
  const report = examine(thisMachine(), { conf, daemonProblem: await daemonProblem(conf) });
  await print(options["json"] === true ? renderReportJson(report) : renderReport(report));
  return isHealthy(report) ? 0 : failed;
}

/** What is wrong with the section of rcrond; what is wrong with the rest, the examination finds itself. */
async function daemonProblem(conf: string | undefined): Promise<Problem | undefined> {
  const loaded = loadConf(conf);
  if (loaded instanceof Problem) return undefined;
  const daemonConf = await readDaemonConf(loaded);
  return daemonConf instanceof Problem ? daemonConf : undefined;
}

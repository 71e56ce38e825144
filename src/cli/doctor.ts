/**
 * `rcronctl doctor`: what would go wrong on this machine.
 */
import { examine, isHealthy, renderReport, renderReportJson, thisMachine } from "../doctor/doctor.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given } from "./control.ts";
import { failed, print } from "./terminal.ts";

/** @returns the exit status: 0 where there is neither an error nor a warning, else 1 */
export async function diagnose({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `doctor takes no words: got ${quoted(words.join(" "))}`, {
      hint: "rcronctl doctor --help",
    });
  }
  const conf = typeof options["conf"] === "string" ? options["conf"] : undefined;
  const report = examine(thisMachine(), { conf });
  await print(options["json"] === true ? renderReportJson(report) : renderReport(report));
  return isHealthy(report) ? 0 : failed;
}

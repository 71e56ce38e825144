/**
 * What a run is called, and what of its command may be shown.
 */
import type { Conf } from "../gate/gate.ts";
import { newRunId } from "../model/log-line.ts";
import { redactor } from "../model/redact.ts";
import type { GatedRun, NamedRun } from "./gated-run.ts";

/** @param name the job's name @param runId undefined for a new one */
export function nameRun({ run, conf, verdict }: GatedRun, name: string, runId = newRunId()): NamedRun {
  const { reason } = verdict;
  return {
    name,
    commandText: shownCommand(conf, name, run.words.join(" ")),
    extension: conf.logFormat === "extended" ? { jobName: name, runId, reason } : undefined,
  };
}

/** A job's command as log, mail and record may have it. */
export function shownCommand({ logCommand, redact }: Conf, name: string, command: string): string {
  if (logCommand === "none") return "-";
  if (logCommand === "name") return name;
  return redactor(redact)(command);
}

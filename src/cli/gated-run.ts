/**
 * A run behind the gate, and what is done with it on a passive machine: a line in the log, a line in the record, the end.
 */
import type { Conf } from "../gate/gate.ts";
import { type Extension, ignoreLine } from "../model/log-line.ts";
import type { SkipEvent } from "../model/run-event.ts";
import type { Verdict } from "../model/state.ts";
import type { Syslog } from "../system/syslog.ts";
import { eventContext, recordEvent } from "./record.ts";
import { sayWarnings } from "./terminal.ts";
import type { Run } from "./wrap-options.ts";

/** All that is known of a run before anything is done. */
export interface GatedRun {
  readonly program: string;
  readonly run: Run;
  readonly conf: Conf;
  readonly verdict: Verdict;
  /** What the person shall hear of configuration and state; each a sentence. */
  readonly warnings: readonly string[];
  readonly log: Syslog;
}

/** What is known of a job whose words have been understood. */
export interface NamedRun {
  readonly name: string;
  /** The command as log and record may have it. */
  readonly commandText: string;
  readonly extension: Extension | undefined;
}

/** A passive machine's whole work. @param named undefined where nobody needs to know more than the words */
export function ignore(gated: GatedRun, named: NamedRun | undefined): void {
  const { program, run, conf, warnings, log } = gated;
  if (warnings.length > 0) sayWarnings(program, warnings, conf, log);
  const commandText = named === undefined ? run.words.join(" ") : named.commandText;
  const line = ignoreLine({ clusterName: conf.clusterName, commandText, extension: named?.extension });
  log.log(conf.syslogFacility, conf.syslogLevel, line);
  if (conf.history === "none") return;
  const event: SkipEvent = { kind: "skip", ...eventContext(gated, named), why: "passive" };
  const runId = named?.extension?.runId;
  recordEvent(gated, runId === undefined ? event : { ...event, run: runId });
}

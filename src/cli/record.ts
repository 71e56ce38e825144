/**
 * The record of a run, from the prefix's side: one line in the journal for each event.
 *
 * A passive machine does this on every tick, so it is the hot path: no promise, no callback, no import but the journal.
 */
import { appendEvent, historyFolder } from "../history/history.ts";
import type { EventContext, RunEvent } from "../model/run-event.ts";
import type { GatedRun, NamedRun } from "./gated-run.ts";

/** Where this process keeps its record; undefined where it keeps none. */
export function recordFolder({ conf }: GatedRun): string | undefined {
  return historyFolder(conf.history);
}

/** True where log, mail and record must not have the command's words as they are. */
export function hidesCommand({ conf }: GatedRun): boolean {
  return conf.logCommand !== "full" || conf.redact !== undefined;
}

/** What the events of a run have in common. */
export function eventContext(gated: GatedRun, named: NamedRun | undefined): EventContext {
  const { run, conf, verdict } = gated;
  const { epoch, instance, sinceMs } = verdict.provenance;
  const context: Writable<EventContext> = {
    at: Date.now(),
    // The start of this process: the nearest to the minute for which cron started it, however busy the machine is.
    tick: Math.round(performance.timeOrigin),
    cluster: conf.clusterName,
    reason: verdict.reason,
  };
  if (epoch !== undefined) context.epoch = epoch;
  if (instance !== undefined) context.instance = instance;
  if (sinceMs !== undefined) context.since = sinceMs;
  if (named !== undefined) context.job = named.name;
  if (named !== undefined && hidesCommand(gated)) {
    context.text = named.commandText;
    return context;
  }
  context.words = run.words;
  if ((run.shell ?? conf.shell) === "joined") context.joined = true;
  return context;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

let hasComplained = false;

/**
 * Adds an event to the record. A record that can't be written is told to the log once, and changes nothing else; nor is
 * the person told, who asked for a job and not for a record.
 */
export function recordEvent(gated: GatedRun, event: RunEvent): void {
  const folder = recordFolder(gated);
  if (folder === undefined) return;
  const error = appendEvent(folder, event);
  if (error === undefined || hasComplained) return;
  hasComplained = true;
  const { conf, log } = gated;
  // Nobody has asked for it: an ordinary user without a folder of his own has no record, and that is all.
  if (conf.history === "auto" && process.geteuid?.() !== 0 && error.code !== "ENOSPC") return;
  log.log(
    conf.syslogFacility,
    "LOG_WARNING",
    `warning: the record in ${folder} can't be written: ${error.text}`,
  );
}

/**
 * The lines that a run leaves in syslog.
 *
 * The default format is that of the older programs, byte for byte, for the sake of whoever parses it. The extended one
 * adds keys in front of `cmd=`, which stays last because it may hold blanks.
 * @see docs/compatibility.md "the lines"
 */
import { isSuccess, type Outcome } from "./outcome.ts";
import type { State, VerdictReason } from "./state.ts";

/** What the extended format tells besides; undefined for the default format. */
export interface Extension {
  readonly jobName: string;
  readonly runId: string;
  readonly reason: VerdictReason;
}

/** What every line of a run has. */
export interface LineContext {
  readonly clusterName: string;
  /** The words behind the prefix, joined with blanks. */
  readonly commandText: string;
  readonly extension: Extension | undefined;
}

/** The extended format's keys for a new run, which gets an id: eight hexadecimal digits. */
export function extendLine(jobName: string, reason: VerdictReason): Extension {
  return { jobName, runId: crypto.randomUUID().slice(0, 8), reason };
}

/** The machine is passive, and the job is not run. */
export function ignoreLine(context: LineContext): string {
  return line(context, "passive", "ignore");
}

/** The job is about to start. */
export function startLine(context: LineContext): string {
  return line(context, "active", "start");
}

/**
 * The job has ended.
 * @param durationMs its wall-clock time; the line tells whole seconds, as ever
 */
export function endLine(context: LineContext, outcome: Outcome, durationMs: number): string {
  const status = isSuccess(outcome) ? "ok" : "fail";
  const how = outcome.kind === "signalled" ? `signal=${outcome.signal}` : `exit=${outcome.exitCode}`;
  return line(context, "active", `${status} dur=${Math.floor(durationMs / 1000)}`, how);
}

/** `--generate` wrote the state file. */
export function generateLine(clusterName: string, state: State, stateFile: string): string {
  return `cluster=${clusterName} state=${state} status=generate file=${stateFile}`;
}

function line(
  { clusterName, commandText, extension }: LineContext,
  state: State,
  status: string,
  how?: string,
): string {
  const more =
    extension === undefined
      ? ""
      : ` ${how === undefined ? "" : `${how} `}job=${extension.jobName} run=${extension.runId} reason=${extension.reason}`;
  return `cluster=${clusterName} state=${state} status=${status}${more} cmd=${commandText}`;
}

/**
 * The lines that a run leaves in syslog.
 *
 * The default format is that of the older programs, byte for byte, for the sake of whoever parses it. The extended one
 * adds keys in front of `cmd=`, which stays last because it may hold blanks.
 * @see docs/compatibility.md "the lines"
 */
import { exitStatusOf, isSuccess, type Outcome } from "./outcome.ts";
import type { Provenance } from "./provenance.ts";
import type { EndCause } from "./run-event.ts";
import type { State, Verdict } from "./state.ts";

/** What the extended format tells besides; undefined for the default format. */
export interface Extension {
  readonly jobName: string;
  readonly runId: string;
  readonly reason: Verdict["reason"];
}

/** What every line of a run has. */
export interface LineContext {
  readonly clusterName: string;
  /** The words behind the prefix, joined with blanks. */
  readonly commandText: string;
  readonly extension: Extension | undefined;
}

/** An id for a new run: sixteen random hexadecimal digits. */
export function newRunId(): string {
  const uuid = crypto.randomUUID();
  return uuid.slice(0, 8) + uuid.slice(24, 32); // the digits between them are not all random
}

/** The machine is passive, and the job is not run. */
export function ignoreLine(context: LineContext): string {
  return line(context, "passive", "ignore");
}

/** The job is about to start. */
export function startLine(context: LineContext): string {
  return line(context, "active", "start");
}

/** The machine is no longer active, and the job is being stopped for that. */
export function stopLine(context: LineContext, reason: Verdict["reason"]): string {
  const { extension } = context;
  if (extension === undefined) return line(context, "passive", `stop reason=${reason}`);
  return line({ ...context, extension: { ...extension, reason } }, "passive", "stop");
}

/** What {@link endLine} tells. */
export interface End {
  readonly outcome: Outcome;
  /** The job's wall-clock time; the line tells whole seconds, as ever. */
  readonly durationMs: number;
  /** The machine's, as far as this run knows. */
  readonly state: State;
  /** Of a supervised run: what is out of the ordinary. */
  readonly supervised?: SupervisedEnd;
}

/** What only a supervised run's end can tell. */
export interface SupervisedEnd {
  readonly isOk: boolean;
  readonly cause: EndCause;
  readonly attempts: number;
  readonly isDetached: boolean;
  readonly survivors: number;
}

/** The job has ended. */
export function endLine(context: LineContext, { outcome, durationMs, state, supervised }: End): string {
  const status = (supervised?.isOk ?? isSuccess(outcome)) ? "ok" : "fail";
  const exit = () => (outcome.kind === "unseen" ? "unknown" : exitStatusOf(outcome));
  const how = outcome.kind === "signalled" ? `signal=${outcome.signal}` : `exit=${exit()}`;
  const more = supervised === undefined ? "" : oddities(supervised);
  return line(context, state, `${status} dur=${Math.floor(durationMs / 1000)}${more}`, how);
}

function oddities({ cause, attempts, isDetached, survivors }: SupervisedEnd): string {
  const isOrdinary = cause === "exit" || cause === "signal" || cause === "not-started";
  return [
    isOrdinary ? "" : ` cause=${cause}`,
    attempts > 1 ? ` attempts=${attempts}` : "",
    isDetached ? " output=detached" : "",
    survivors > 0 ? ` survivors=${survivors}` : "",
  ].join("");
}

/** The machine is active, and the job is not run for another reason. */
export function skipLine(context: LineContext, why: string, sentence: string): string {
  return line(context, "active", `skip why=${why} (${sentence})`);
}

/** A failed job is started again. */
export function retryLine(context: LineContext, attempt: number, delayMs: number): string {
  return line(context, "active", `retry attempt=${attempt} delay=${Math.round(delayMs / 1000)}`);
}

/** `--generate` wrote the state file. */
export function generateLine(clusterName: string, state: State, stateFile: string): string {
  return `cluster=${clusterName} state=${state} status=generate file=${stateFile}`;
}

/** What {@link setLine} tells. */
export interface SetContext {
  readonly clusterName: string | undefined;
  readonly isWritten: boolean;
  readonly word: State;
  readonly previousWord: State | undefined;
  readonly provenance: Provenance;
  readonly stateFile: string;
}

/** Whoever elects has spoken: the state file was written, or the speaker was overtaken by a newer one. */
export function setLine({
  clusterName,
  isWritten,
  word,
  previousWord,
  provenance,
  stateFile,
}: SetContext): string {
  const { epoch, instance, event, writer } = provenance;
  const status = isWritten ? "set" : "overtaken";
  const keys: readonly [string, string | number | undefined][] = [
    ["was", previousWord ?? "unknown"],
    ["epoch", epoch],
    ["instance", instance],
    ["event", event],
    ["writer", writer?.replaceAll(" ", ",")],
    ["file", stateFile],
  ];
  const told = keys.map(([key, value]) => (value === undefined ? "" : ` ${key}=${value}`)).join("");
  return `cluster=${clusterName ?? "unknown"} state=${word} status=${status}${told}`;
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

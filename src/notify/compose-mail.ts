/**
 * The mail about a run: what, where, when, how long, how it ended, what it printed, and the command that shows the rest.
 */
import { durationInWords } from "../model/duration.ts";
import { signalName } from "../model/signal-name.ts";
import { localTime, type Mail, type Mailbox } from "./mime.ts";
import type { KeptOutput, RunReport } from "./report.ts";
import { firstBytes, lastBytes, safeLine, shownText } from "./shown-text.ts";

/** Why a mail is written just now. */
export interface Occasion {
  /** The failures in a row: with this run where it failed, before it where it did not. */
  readonly failures: number;
  /** When the first of them ended, in milliseconds since 1970. */
  readonly failingSinceMs: number | undefined;
  /** All runs since the last mail, this one included; undefined where none was held back. */
  readonly sinceLastMail: { readonly runs: number; readonly failed: number } | undefined;
}

/** What else a mail is made from. */
export interface MailOptions {
  readonly from: Mailbox;
  readonly to: Mailbox;
  readonly occasion: Occasion;
  readonly redact: (text: string) => string;
  /** How much of the output is told, in bytes; a third of it is the beginning. */
  readonly outputLimit: number;
}

/** Of the job's environment; any other variable could hold a secret. */
const toldVariables = ["SHELL", "HOME", "PATH", "LOGNAME", "USER", "LANG", "MAILTO"];

/** Composes the mail about a run. Pure. */
export function composeMail(report: RunReport, options: MailOptions): Mail {
  const { end, run, host } = report;
  const { occasion, from, to, redact } = options;
  const variables = toldVariables.flatMap((name) =>
    report.environment
      .filter(([each]) => each === name)
      .slice(-1)
      .map(([, value]): [string, string] => ["X-Cron-Env", `<${name}=${redact(value)}>`]),
  );
  return {
    from,
    to,
    date: new Date(end.at),
    messageId: `rcron.${idPart(run)}@${idPart(host) || "localhost"}`,
    subject: `[rcron] ${redact(headline(report, occasion))}`,
    headers: [
      ["Auto-Submitted", "auto-generated"],
      ["Precedence", "bulk"],
      ...variables,
      ["X-Rcron-Job", report.job],
      ["X-Rcron-Run", run],
      ["X-Rcron-Cluster", report.cluster],
      ["X-Rcron-Host", host],
      ["X-Rcron-Result", resultOf(report, occasion)],
    ],
    body: bodyOf(report, options),
  };
}

function idPart(text: string): string {
  return text.replace(/[^A-Za-z0-9.-]/g, "-").slice(0, 100);
}

/** `exit status 3`, `killed by SIGSEGV`, … */
export function howItEnded({ end }: Pick<RunReport, "end">): string {
  const { cause, exit, signal, sentence, ok } = end;
  const because = sentence === undefined ? "" : `: ${safeLine(sentence)}`;
  switch (cause) {
    case "timeout":
      return `timed out${because}`;
    case "not-started":
      return `could not be started${because}`;
    case "stopped":
      return `stopped${because || ", because this machine is no longer active"}`;
    case "clobbered":
      return `ended to make room for the next run${because}`;
    case "unseen":
      return `ended unseen${because}`;
    case "stderr":
      return ok ? "succeeded" : "printed to standard error";
    case "signal":
      return `ended by ${signalName(signal ?? 0)}${because}`;
    case "exit":
      if (exit !== undefined && exit !== 0) return `exit status ${exit}`;
      return ok ? "succeeded" : "failed";
  }
}

function headline(report: RunReport, { failures }: Occasion): string {
  const { end, job, host } = report;
  const where = `${safeLine(job).slice(0, 200)} on ${safeLine(host)}`;
  if (!end.ok) return `FAILED ${where}: ${howItEnded(report)} after ${durationInWords(end.ms)}`;
  if (failures > 0) return `recovered: ${where}, after ${countOf(failures, "failure")}`;
  return `${where}: ${howItEnded(report)} after ${durationInWords(end.ms)}`;
}

function resultOf({ end }: RunReport, { failures }: Occasion): string {
  if (!end.ok) return `failed; ${end.cause}${end.exit === undefined ? "" : `; exit=${end.exit}`}`;
  return failures > 0 ? `recovered; failures=${failures}` : "ok";
}

function bodyOf(report: RunReport, { occasion, redact, outputLimit }: MailOptions): string {
  const { end, job, host, cluster, user, run, output } = report;
  const { failures, failingSinceMs, sinceLastMail } = occasion;
  const news: string[] = [];
  const since = failingSinceMs === undefined ? "" : `, the first at ${localTime(new Date(failingSinceMs))}`;
  if (end.ok && failures > 0) news.push(`It succeeded after ${countOf(failures, "failure")}${since}.`);
  if (!end.ok && failures > 1) news.push(`${failures} failures in a row${since}.`);
  if (sinceLastMail !== undefined)
    news.push(`${countOf(sinceLastMail.runs, "run")} since the last mail, ${sinceLastMail.failed} failed.`);
  const attempts = end.attempts ?? 1;
  const rows: [string, string][] = [
    ["job", job],
    ["command", redact(report.commandText)],
    ["where", `${host}, cluster ${cluster}, as ${user}`],
    ["due", localTime(new Date(report.tickMs))],
    ["started", localTime(new Date(report.startedAtMs))],
    ["ended", `${localTime(new Date(end.at))}, after ${durationInWords(end.ms)}`],
    ["result", `${redact(howItEnded(report))}${attempts > 1 ? `, started ${attempts} times` : ""}`],
    ["run", run],
  ];
  const told = rows.map(([label, text]) => `  ${label.padEnd(9)}${safeLine(text)}\n`).join("");
  return [
    `${redact(headline(report, occasion))}\n`,
    ...(news.length === 0 ? [] : [`${news.join("\n")}\n`]),
    told,
    shownOutput(output, redact, outputLimit),
    `All that is kept of it: rcronctl show ${safeLine(run)}\n`,
  ].join("\n");
}

function shownOutput(
  output: KeptOutput | undefined,
  redact: (text: string) => string,
  limit: number,
): string {
  if (output === undefined) return "Its output was not kept.\n";
  if (output.bytes === 0) return "It printed nothing.\n";
  const { head, tail, leftOut } = redactedOutput(output, redact, limit);
  const title = `It printed ${countOf(output.bytes, "byte")}:\n\n`;
  if (leftOut === 0) return title + ended(head + tail);
  return `${title}${ended(head)}\n[... ${countOf(leftOut, "byte")} left out ...]\n\n${ended(tail)}`;
}

/** Head and tail without secrets, and short enough. What lies together is redacted together. */
function redactedOutput(
  output: KeptOutput,
  redact: (text: string) => string,
  limit: number,
): { head: string; tail: string; leftOut: number } {
  if (output.leftOut === 0) {
    const whole = redact(shownText(Buffer.concat([output.head, output.tail])));
    const size = Buffer.byteLength(whole);
    if (size <= limit) return { head: whole, tail: "", leftOut: 0 };
    const head = firstBytes(whole, Math.floor(limit / 3));
    const tail = lastBytes(whole, limit - Math.floor(limit / 3));
    return { head, tail, leftOut: size - Buffer.byteLength(head) - Buffer.byteLength(tail) };
  }
  const head = redact(shownText(output.head));
  const tail = redact(shownText(output.tail));
  const shortHead = firstBytes(head, Math.floor(limit / 3));
  const shortTail = lastBytes(tail, limit - Math.floor(limit / 3));
  const cut = (all: string, short: string) => Buffer.byteLength(all) - Buffer.byteLength(short);
  return {
    head: shortHead,
    tail: shortTail,
    leftOut: output.leftOut + cut(head, shortHead) + cut(tail, shortTail),
  };
}

/**
 * The end of a job's output, without secrets.
 * @param limit bytes
 */
export function tailOf(
  output: KeptOutput | undefined,
  redact: (text: string) => string,
  limit: number,
): string {
  if (output === undefined) return "";
  const bytes = output.leftOut === 0 ? Buffer.concat([output.head, output.tail]) : output.tail;
  return lastBytes(redact(shownText(bytes)), limit);
}

function ended(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function countOf(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

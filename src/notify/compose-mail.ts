/**
 * The mail about a run: what, where, when, how long, how it ended, what it printed, and the command that shows the rest.
 */
import { durationInWords } from "../model/duration.ts";
import type { EndEvent } from "../model/run-event.ts";
import { localTime, type Mail, type Mailbox } from "./mime.ts";
import type { KeptOutput, RunReport } from "./report.ts";
import {
  countOf,
  headlineOf,
  howItEnded,
  isStartedNowhere,
  newsOf,
  type Occasion,
  resultOf,
} from "./run-in-words.ts";
import { safeLine } from "./shown-text.ts";
import { nodeInWords, restInWords, toldNodes } from "./told-nodes.ts";
import { toldOutput } from "./told-output.ts";

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
  // On a node the job had another environment.
  const told = end.nodes === undefined ? toldVariables : [];
  const variables = told.flatMap((name) =>
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
    subject: `[rcron] ${redact(headlineOf(report, occasion))}`,
    headers: [
      ["Auto-Submitted", "auto-generated"],
      ["Precedence", "bulk"],
      ...variables,
      ["X-Rcron-Job", report.job],
      ["X-Rcron-Run", run],
      ["X-Rcron-Cluster", report.cluster],
      ["X-Rcron-Host", host],
      ["X-Rcron-Result", resultHeader(report, occasion)],
    ],
    body: bodyOf(report, options),
  };
}

function idPart(text: string): string {
  return text.replace(/[^A-Za-z0-9.-]/g, "-").slice(0, 100);
}

function resultHeader(report: RunReport, { failures }: Occasion): string {
  const { cause, exit } = report.end;
  const result = resultOf(report, { failures });
  if (result === "failed") return `failed; ${cause}${exit === undefined ? "" : `; exit=${exit}`}`;
  return result === "recovered" ? `recovered; failures=${failures}` : "ok";
}

function bodyOf(report: RunReport, { occasion, redact, outputLimit }: MailOptions): string {
  const { end, job, host, cluster, user, run, output } = report;
  const news = newsOf(report, occasion, "mail");
  const attempts = end.attempts ?? 1;
  const rows: [string, string][] = [
    ["job", job],
    ["command", redact(report.commandText)],
    // As whom it ran on a node, the node alone knows.
    end.nodes === undefined
      ? ["where", `${host}, cluster ${cluster}, as ${user}`]
      : ["sent by", `${host}, cluster ${cluster}`],
    ["due", localTime(new Date(report.tickMs))],
    ["started", localTime(new Date(report.startedAtMs))],
    ["ended", `${localTime(new Date(end.at))}, after ${durationInWords(end.ms)}`],
    ["result", `${redact(howItEnded(report))}${attempts > 1 ? `, started ${attempts} times` : ""}`],
    ["run", run],
  ];
  const told = rows.map(([label, text]) => `  ${label.padEnd(9)}${safeLine(text)}\n`).join("");
  return [
    `${redact(headlineOf(report, occasion))}\n`,
    ...(news.length === 0 ? [] : [`${news.join("\n")}\n`]),
    told,
    ...shownNodes(end, redact),
    shownOutput(output, redact, outputLimit),
    `All that is kept of it: rcronctl show ${safeLine(run)}\n`,
  ].join("\n");
}

/** @returns nothing for a run on this machine */
function shownNodes(end: EndEvent, redact: (text: string) => string): string[] {
  const { nodes } = end;
  if (nodes === undefined || nodes.length === 0) return [];
  const { told, rest } = toldNodes(nodes);
  const lines = [...told.map((node) => nodeInWords(node, redact)), restInWords(rest)];
  const shown = lines.flatMap((line) => (line === undefined ? [] : [`  ${line}\n`]));
  const title = isStartedNowhere(end) ? "It was started on no node" : `On ${countOf(nodes.length, "node")}`;
  return [`${title}:\n\n${shown.join("")}`];
}

function shownOutput(
  output: KeptOutput | undefined,
  redact: (text: string) => string,
  limit: number,
): string {
  if (output === undefined) return "Its output was not kept.\n";
  if (output.bytes === 0) return "It printed nothing.\n";
  const { head, tail, leftOut } = toldOutput(output, redact, limit);
  const title = `It printed ${countOf(output.bytes, "byte")}:\n\n`;
  if (leftOut === 0) return title + ended(head + tail);
  return `${title}${ended(head)}\n[... ${countOf(leftOut, "byte")} left out ...]\n\n${ended(tail)}`;
}

function ended(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

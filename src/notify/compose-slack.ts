/**
 * The message that a chat gets: one text of a few lines in the JSON of Slack's incoming webhooks.
 *
 * `text` alone, because that is what Mattermost, Rocket.Chat and Discord's `/slack` endpoint take as well; and within the 2000
 * characters of Discord, the least of the four. A job's output must steer nobody's screen and wake nobody up: `&`, `<` and `>` are written
 * as Slack wants it, what calls everybody in one of the four (`@channel`, `@everyone`, …) is broken up, and so are the marks
 * that would end the block of the output.
 *
 * @see https://docs.slack.dev/messaging/formatting-message-text
 */
import { localTime } from "./mime.ts";
import type { RunReport } from "./report.ts";
import { headlineOf, newsOf, type Occasion } from "./run-in-words.ts";
import { safeLine } from "./shown-text.ts";
import { nodeInWords, restInWords, toldNodes } from "./told-nodes.ts";
import { tailOf } from "./told-output.ts";

/** What else a message is made from. */
export interface SlackOptions {
  readonly occasion: Occasion;
  readonly redact: (text: string) => string;
}

/** In UTF-16 units, as it is written. */
export const slackTextLimit = 1900;
const headlineLimit = 400;
const factsLimit = 250;
const nodesLimit = 400;
/** A node's line has ten characters at least. */
const toldAtMost = nodesLimit / 10;
const newsLimit = 200;
/** As it is written, and less where the rest leaves no room. */
const outputLimit = 800;
const blockMarks = "\n```\n...\n\n```";

/** Composes the message. Pure. */
export function composeSlack(report: RunReport, { occasion, redact }: SlackOptions): string {
  const { end, run, cluster } = report;
  const parts = [fitted(redact(headlineOf(report, occasion)), headlineLimit)];
  const news = newsOf(report, occasion, "message").join(" ");
  if (news !== "") parts.push(fitted(news, newsLimit));
  const facts = `cluster ${safeLine(cluster)}, run ${safeLine(run)}, ended ${localTime(new Date(end.at))}`;
  parts.push(fitted(facts, factsLimit), ...nodeLines(report, redact));
  const told = parts.join("\n");
  const room = slackTextLimit - told.length - blockMarks.length;
  // More than can be told, so that it is seen where something is missing.
  const kept = tailOf(report.output, redact, 4 * outputLimit);
  const tail = lastLines(kept, Math.min(room, outputLimit));
  const text = tail === "" ? told : `${told}\n\`\`\`\n${tail}\n\`\`\``;
  return JSON.stringify({ text });
}

/** As many as there is room for. */
function nodeLines({ end }: RunReport, redact: (text: string) => string): string[] {
  const { nodes = [] } = end;
  const sorted = toldNodes(nodes, nodes.length).told;
  for (let limit = Math.min(nodes.length, toldAtMost); ; limit--) {
    const { told, rest } = toldNodes(sorted, limit);
    const lines = told.map((node) => escaped(nodeInWords(node, redact)));
    const last = restInWords(rest);
    if (last !== undefined) lines.push(last);
    if (limit === 0 || lines.join("\n").length <= nodesLimit) return lines;
  }
}

/** The end of an output, as it is written; whole lines where they are not too long. @param limit some hundred UTF-16 units */
function lastLines(output: string, limit: number): string {
  const text = escaped(output.replace(/^\n+|\s+$/g, ""));
  if (text.length <= limit) return text;
  const short = text.slice(behindEntity(text, text.length - limit)).toWellFormed();
  const from = short.indexOf("\n") + 1;
  return `...\n${from < short.length / 2 ? short.slice(from) : short}`;
}

/** A line as it is written, no longer than the limit. */
function fitted(line: string, limit: number): string {
  const text = escaped(line);
  if (text.length <= limit) return text;
  const end = limit - 3;
  const open = text.lastIndexOf("&", end - 1);
  const isCut = behindEntity(text, end) > end;
  return `${text.slice(0, isCut ? open : end).toWellFormed()}...`;
}

/** The place itself, or the one behind the entity (`&lt;`) that it would cut. Each `&` of an escaped text begins one. */
function behindEntity(text: string, at: number): number {
  const open = text.lastIndexOf("&", at - 1);
  const close = open < 0 ? -1 : text.indexOf(";", open);
  return close >= at ? close + 1 : at;
}

/** With a space of no width where a mark must not count. */
function escaped(text: string): string {
  return text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/@(?=(?:all|channel|everyone|here)\b)/gi, "@\u200b")
    .replace(/`(?=``)/g, "`\u200b");
}

/**
 * The JSON document that a webhook gets: every fact of a run's end, for a program. docs/mail.md tells each key.
 */
import type { NodeEnd } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import type { RunReport } from "./report.ts";
import { headlineOf, type Occasion, resultOf } from "./run-in-words.ts";
import { cutTo, safeLine } from "./shown-text.ts";
import { toldNodes } from "./told-nodes.ts";
import { toldOutput } from "./told-output.ts";

/** What else a document is made from. */
export interface WebhookOptions {
  readonly occasion: Occasion;
  readonly redact: (text: string) => string;
  /** How much of the output is told, in bytes; never more than {@link webhookOutputLimit}. */
  readonly outputLimit: number;
}

/** Goes up when a key changes its meaning or leaves; further keys may come at any time. */
const formVersion = 1;
/** So much of the output is told, in bytes. */
export const webhookOutputLimit = 16 * 1024;
/** No document is larger, in bytes, whatever the run. */
export const webhookBodyLimit = 256 * 1024;

const textLimit = 2000;
const nodeSentenceLimit = 200;
const ownersLimit = 20;

/** Composes the document. Pure. */
export function composeWebhook(report: RunReport, { occasion, redact, outputLimit }: WebhookOptions): string {
  const { end, output } = report;
  const text = (value: string, limit = textLimit) => cutTo(redact(safeLine(value)), limit);
  const { told, rest } = toldNodes(end.nodes);
  const shownOutput =
    output && toldOutput(output, redact, Math.max(0, Math.min(outputLimit, webhookOutputLimit)));
  return JSON.stringify({
    version: formVersion,
    result: resultOf(report, occasion),
    summary: text(headlineOf(report, occasion)),
    job: text(report.job),
    run: text(report.run),
    cluster: text(report.cluster),
    host: text(report.host),
    // As whom it ran on a node, the node alone knows.
    user: end.nodes === undefined ? text(report.user) : null,
    command: text(report.commandText),
    cause: end.cause,
    exit: end.exit ?? null,
    signal: end.signal ?? null,
    signalName: end.signal === undefined ? null : signalName(end.signal),
    sentence: end.sentence === undefined ? null : text(end.sentence),
    attempts: end.attempts ?? 1,
    failures: occasion.failures,
    ...instant("failingSince", occasion.failingSinceMs ?? (end.ok ? undefined : end.at)),
    ...instant("tick", report.tickMs),
    ...instant("startedAt", report.startedAtMs),
    ...instant("endedAt", end.at),
    durationMs: end.ms,
    nodes: told.map((node) => nodeInJson(node, text)),
    nodesLeftOut: [...rest.values()].reduce((sum, each) => sum + each, 0),
    output:
      output === undefined || shownOutput === undefined ? null : { bytes: output.bytes, ...shownOutput },
    owners: (report.owners ?? [])
      .slice(0, ownersLimit)
      .map(({ name, address }) => ({ name: text(name, 200), address: text(address, 254) })),
  });
}

/** Both ways of writing one moment: `endedAt` and `endedAtMs`. */
function instant(key: string, ms: number | undefined): Record<string, string | number | null> {
  return { [key]: ms === undefined ? null : new Date(ms).toISOString(), [`${key}Ms`]: ms ?? null };
}

function nodeInJson(
  { node, result, exit, signal, ms, sentence }: NodeEnd,
  text: (value: string, limit?: number) => string,
): object {
  return {
    node: text(node, nodeSentenceLimit),
    result,
    exit: exit ?? null,
    signal: signal ?? null,
    durationMs: ms,
    sentence: sentence === undefined ? null : text(sentence, nodeSentenceLimit),
  };
}

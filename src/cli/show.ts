/**
 * `rcronctl show`: one run, with what was kept of its output.
 */
import { type KeptOutput, loadSentences, type RunRecord } from "../history/history.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { NodeEnd } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import type { Given } from "./control-word.ts";
import { harmless } from "./harmless-output.ts";
import { localTime } from "./moment.ts";
import { nodesHint, runInJson, withRecord } from "./open-record.ts";
import { shortDuration } from "./runs.ts";
import { print } from "./standard-output.ts";
import { screen } from "./table.ts";

const decoder = new TextDecoder();

/**
 * Shows the run whose id begins as the word does.
 * @returns 0, or the Problem `not-found` where there is none, or more than one
 */
export async function showRun({ options, words }: Given): Promise<number | Problem> {
  const [id, ...others] = words;
  const hint = "rcronctl runs lists the runs, each with its id";
  if (id === undefined || others.length > 0 || id === "") {
    return new Problem("invalid", `show must be followed by one run's id: got ${words.length}`, { hint });
  }
  const { inShort } = await loadSentences();
  return withRecord(options, async ({ ask }) => {
    const [run, second] = ask.find(id);
    if (run === undefined) {
      return new Problem("not-found", `no run has the id ${quoted(id)}`, {
        hint: `${hint}; rcronctl status has those that wait to be started`,
      });
    }
    if (second !== undefined) {
      return new Problem("not-found", `more than one run's id begins with ${quoted(id)}`, {
        hint: `one more character tells them apart: ${run.id}, ${second.id}`,
      });
    }
    const output = ask.output(run.seq);
    if (options["json"]) {
      const told = { ...runInJson(run), output: output === undefined ? null : outputInJson(output) };
      await print(`${JSON.stringify(told, undefined, 2)}\n`);
      return 0;
    }
    await print(rowsOf(run, inShort(run)) + outputText(output, screen().isTerminal));
    return 0;
  });
}

function outputInJson({ bytes, leftOut, head, tail }: KeptOutput): object {
  return { bytes, leftOut, head: decoder.decode(head), tail: decoder.decode(tail) };
}

function rowsOf(run: RunRecord, end: string): string {
  const { ms, tickMs, atMs, user, pid, attempts, cpuMs, sentence, instance, epoch, sinceMs } = run;
  const word = [instance, epoch ? `epoch ${epoch}` : undefined].filter((part) => part !== undefined);
  const rows: [string, string | undefined][] = [
    ["run", run.id],
    ["job", run.job],
    ["command", run.command],
    ["state", end],
    ["because", sentence !== undefined && end.includes(sentence) ? undefined : sentence],
    ["due", localTime(tickMs)],
    [run.state === "skipped" ? "skipped" : "started", localTime(atMs)],
    ["ended", ms === undefined ? undefined : localTime(atMs + ms)],
    ["took", ms === undefined ? undefined : shortDuration(ms)],
    ["cpu", cpuMs === undefined ? undefined : shortDuration(cpuMs)],
    ["attempts", attempts === undefined ? undefined : String(attempts)],
    ["user", user],
    ["watcher", pid === undefined ? undefined : `pid ${pid}`],
    ["held by", holderText(run)],
    ["host", run.host],
    ["cluster", run.cluster],
    ["verdict", [run.reason, ...word].join(", ")],
    ["since", sinceMs === undefined ? undefined : localTime(sinceMs)],
    ["left", leftText(run)],
    ...(run.nodes ?? []).map((end, at): [string, string] => [at === 0 ? "nodes" : "", nodeText(end)]),
    ["hint", nodesHint(run)],
  ];
  const shown = rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== "");
  const width = Math.max(...shown.map(([label]) => label.length)) + 2;
  return shown
    .map(([label, text]) => `${label.padEnd(width)}${printable(text).replaceAll('\\"', '"')}\n`)
    .join("");
}

/** `web1  success after 2.0 s`. */
function nodeText({ node, result, ms, exit, signal, sentence }: NodeEnd): string {
  const how =
    exit !== undefined && result !== "success"
      ? `, exit status ${exit}`
      : signal === undefined
        ? ""
        : `, ended by ${signalName(signal)}`;
  return `${node}  ${result}${how} after ${shortDuration(ms)}${sentence === undefined ? "" : `: ${sentence}`}`;
}

function holderText({ holder }: RunRecord): string | undefined {
  if (holder === undefined) return undefined;
  const { run, pid, since } = holder;
  return [
    run === undefined ? undefined : `run ${run}`,
    pid === undefined ? undefined : `pid ${pid}`,
    since === undefined ? undefined : `since ${localTime(since)}`,
  ]
    .filter((part) => part !== undefined)
    .join(", ");
}

function leftText({ detached, survivors }: RunRecord): string | undefined {
  const parts = [
    detached ? "something that it started still held its output" : undefined,
    survivors ? `${survivors} of its processes outlived KILL` : undefined,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join("; ");
}

/** @param isTerminal nothing that the job printed may steer it */
function outputText(output: KeptOutput | undefined, isTerminal: boolean): string {
  if (output === undefined) return "";
  const { bytes, leftOut, head, tail } = output;
  const show = (part: Uint8Array) => {
    const text = decoder.decode(part);
    const safe = isTerminal ? harmless(text) : text;
    return safe === "" || safe.endsWith("\n") ? safe : `${safe}\n`;
  };
  const gap = leftOut > 0 ? `[${leftOut} bytes left out]\n` : "";
  return `\noutput, ${bytes} bytes:\n${show(head)}${gap}${show(tail)}`;
}

/**
 * `rcronctl status`: how the daemon is.
 */
import type { DaemonStatus, RunFactsNow } from "../model/control-message.ts";
import { durationInWords } from "../model/duration.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { harmlessLine } from "./harmless-output.ts";
import { localTime, shortTime } from "./moment.ts";
import { instant } from "./open-record.ts";
import { pauseInJson, pauseInWords } from "./pause.ts";
import { print } from "./standard-output.ts";
import { failed } from "./terminal.ts";

/** Of many nodes that are down the first ones are named. */
const namedNodes = 5;

/** Of the nodes of one run, so many are named. */
const nodesNamed = 5;

/**
 * Shows it.
 * @returns the exit status: 0 where all is well, 1 where something is not, or the daemon is about to end. A node that is down is
 *   no illness of the daemon: `rcronctl nodes` has a status for it
 */
export async function showStatus({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `status takes no further word: got ${quoted(words.join(" "))}`);
  }
  const answer = await askFor(options, { ask: "status" });
  if (answer instanceof Problem) return answer;
  const { status } = answer;
  await print(
    options["json"] ? `${JSON.stringify(statusInJson(status), undefined, 2)}\n` : rowsOf(status, Date.now()),
  );
  return status.broken.length + status.warnings.length > 0 || status.isDraining ? failed : 0;
}

function rowsOf(status: DaemonStatus, nowMs: number): string {
  const { version, pid, sinceMs, host, cluster, state, stateSentence, jobs, files, nextMs } = status;
  const { broken, running, waiting, concurrency, pauses, nodes, isDraining, warnings } = status;
  const going = running.filter(({ isWaiting }) => isWaiting !== true);
  const waitingInAll = waiting + running.length - going.length;
  const next =
    nextMs === undefined
      ? ""
      : `; next at ${shortTime(nextMs, nowMs)}, in ${durationInWords(nextMs - nowMs)}`;
  const rows: [string, string][] = [
    ["rcrond", `${version}, pid ${pid}, on ${host}`],
    ["since", localTime(sinceMs)],
    ...(isDraining ? [["ends", "as soon as its runs have ended"] as [string, string]] : []),
    ["cluster", `${cluster}: ${state}, ${stateSentence}`],
    ["jobs", `${jobs} in ${files} ${files === 1 ? "file" : "files"}${next}`],
    [
      "runs",
      `${going.length} at work${concurrency === undefined ? "" : ` (${concurrency} at most)`}, ${waitingInAll} waiting`,
    ],
    ...running.map((each): [string, string] => [
      "",
      `${each.run}  ${each.job}  since ${shortTime(each.sinceMs, nowMs)}${whereText(each)}`,
    ]),
    ...(nodes === undefined ? [] : [["nodes", nodesInWords(nodes)] as [string, string]]),
    ...labelled(
      "paused",
      pauses.map((pause) => pauseInWords(pause, nowMs)),
    ),
    ...labelled("broken", broken),
    ...labelled("warning", warnings),
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows.map(([label, text]) => harmlessLine(label.padEnd(width) + text)).join("");
}

/** `3, 1 down: web2`. */
function nodesInWords({ count, down }: NonNullable<DaemonStatus["nodes"]>): string {
  if (down.length === 0) return `${count}`;
  const more = down.length > namedNodes ? ` and ${down.length - namedNodes} more` : "";
  return `${count}, ${down.length} down: ${down.slice(0, namedNodes).join(", ")}${more}`;
}

/** `, pid 4711`; `, on web1, web2`; on many nodes, how many; `, waits to be started`. */
function whereText({ pid, nodes = [], isWaiting }: RunFactsNow): string {
  if (isWaiting === true) return ", waits to be started";
  if (nodes.length === 0) return pid === undefined ? "" : `, pid ${pid}`;
  return `, on ${nodes.length > nodesNamed ? `${nodes.length} nodes` : nodes.join(", ")}`;
}

function labelled(label: string, texts: readonly string[]): [string, string][] {
  return texts.map((text, at) => [at === 0 ? label : "", text]);
}

function statusInJson(status: DaemonStatus): object {
  const { version, pid, host, cluster, state, stateSentence, jobs, files, broken, waiting, warnings } =
    status;
  return {
    version,
    pid,
    host,
    cluster,
    state,
    stateSentence,
    jobs,
    files,
    broken,
    running: status.running.map(({ run, job, sinceMs, tickMs, pid: leader, nodes, isWaiting = false }) => ({
      run,
      job,
      since: instant(sinceMs),
      tick: instant(tickMs),
      pid: leader ?? null,
      nodes: nodes ?? null,
      waiting: isWaiting,
    })),
    waiting,
    concurrency: status.concurrency ?? null,
    pauses: status.pauses.map(pauseInJson),
    nodes: status.nodes ?? null,
    since: instant(status.sinceMs),
    next: instant(status.nextMs),
    draining: status.isDraining,
    warnings,
  };
}

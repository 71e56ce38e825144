/**
 * `rcronctl nodes`: the machines that jobs are sent to, and how they are.
 */
import type { NodeFacts } from "../model/control-message.ts";
import { durationInWords } from "../model/duration.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { harmlessLine } from "./harmless-output.ts";
import { localTime, shortTime } from "./moment.ts";
import { instant } from "./open-record.ts";
import { print } from "./standard-output.ts";
import { type Cell, type Column, formatTable, screen } from "./table.ts";
import { failed, say } from "./terminal.ts";

/**
 * Lists the nodes in the order in which they are defined.
 * @returns the exit status: 0; 1 where one is down
 */
export async function listNodes({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `nodes takes no further word but test: got ${quoted(words.join(" "))}`, {
      hint: "rcronctl nodes test [NODE|all] asks them",
    });
  }
  const answer = await askFor(options, { ask: "nodes" });
  if (answer instanceof Problem) return answer;
  const { nodes } = answer;
  if (options["json"]) {
    await print(`${JSON.stringify(nodes.map(nodeInJson), undefined, 2)}\n`);
  } else if (nodes.length === 0) {
    say("rcronctl", "rcrond has no nodes: all jobs run on this machine");
    say(
      "rcronctl",
      "hint: write a section [node NAME] into rcron.conf, or a file below --nodesDirectory, and then: rcronctl reload",
    );
  } else {
    await print(table(nodes, Date.now()));
  }
  return nodes.every(({ isUp }) => isUp) ? 0 : failed;
}

const columns: readonly Column[] = [
  { heading: "NODE" },
  { heading: "ROLES" },
  { heading: "HOW" },
  { heading: "ADDRESS", gives: true },
  { heading: "STATE" },
  { heading: "SINCE" },
  { heading: "RUNS", align: "right" },
];

/** A row for each node, and below that of one that is down what is the matter. */
function table(nodes: readonly NodeFacts[], nowMs: number): string {
  const rows = nodes.map((facts): Cell[] => {
    const { node, roles, connection, address, sinceMs, running, runsAtOnce } = facts;
    const runs = runsAtOnce === undefined ? String(running) : `${running} of ${runsAtOnce}`;
    return [node, roles.join(","), connection, address, stateCell(facts), localTime(sinceMs), runs];
  });
  const [heading = "", ...lines] = formatTable(columns, rows, screen()).split("\n");
  const told = nodes.map((facts, at) => `${lines[at] ?? ""}\n${trouble(facts, nowMs)}`);
  return `${heading}\n${told.join("")}`;
}

function stateCell({ isUp, isConnected }: NodeFacts): Cell {
  if (!isUp) return { text: "down", colour: "red" };
  return isConnected ? { text: "up", colour: "green" } : "up, idle";
}

/** Why it is down, what to do about it, and when it is asked again; a line each. */
function trouble({ why, hint, nextCheckMs }: NodeFacts, nowMs: number): string {
  const lines: string[] = [];
  if (why !== undefined) lines.push(why);
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  if (nextCheckMs !== undefined) {
    const rest = nextCheckMs > nowMs ? `, in ${durationInWords(nextCheckMs - nowMs)}` : "";
    lines.push(`asked again at ${shortTime(nextCheckMs, nowMs)}${rest}`);
  }
  return lines.map((line) => harmlessLine(`    ${line}`)).join("");
}

/** Keys are only ever added. */
function nodeInJson(facts: NodeFacts): object {
  const { node, where, roles, connection, address, isUp, isConnected, running } = facts;
  return {
    node,
    state: isUp ? "up" : "down",
    since: instant(facts.sinceMs),
    why: facts.why ?? null,
    hint: facts.hint ?? null,
    nextCheck: instant(facts.nextCheckMs),
    roles,
    connection,
    address,
    connected: isConnected,
    running,
    runsAtOnce: facts.runsAtOnce ?? null,
    where,
  };
}

/**
 * What the daemon answers to `rcronctl nodes` and `rcronctl nodes test`.
 */
import type { ControlAnswer, ControlResult, DaemonStatus, NodeFacts } from "../model/control-message.ts";
import { nearestWord } from "../model/nearest-word.ts";
import type { Connection } from "../model/node.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { Turns } from "../model/turns.ts";
import type { DaemonClock } from "./daemon-parts.ts";
import type { Fleet } from "./fleet.ts";

/** Nodes that are asked at the same time, for one who asks: each may be a process of ssh. */
const testedAtOnce = 16;
/** For a node that neither answers nor fails, in milliseconds: longer than a connection is waited for. */
const testMs = 60_000;

/** What these answers need. */
export interface NodesContext {
  /** Undefined: there are no nodes. */
  readonly fleet: Pick<Fleet, "reports" | "find" | "test"> | undefined;
  readonly clock: DaemonClock;
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string;
}

/** How each node is, in the order in which they are defined. */
export function nodeFacts({
  fleet,
  clean,
}: Pick<NodesContext, "fleet" | "clean">): Extract<ControlResult, { kind: "nodes" }> {
  const nodes = (fleet?.reports ?? []).map(
    ({ node, isUp, isConnected, sinceMs, problem, nextCheckMs, running }): NodeFacts => ({
      node: node.name,
      where: `${node.source.path}:${node.source.line}`,
      roles: node.roles,
      connection: node.connection.kind,
      address: clean(addressOf(node.connection)),
      isUp,
      isConnected,
      sinceMs,
      ...(problem !== undefined && why(problem, clean)),
      ...(nextCheckMs !== undefined && { nextCheckMs }),
      running,
      ...(node.runsAtOnce !== undefined && { runsAtOnce: node.runsAtOnce }),
    }),
  );
  return { kind: "nodes", nodes };
}

/** The nodes in short; undefined where there are none. */
export function nodesInShort(fleet: NodesContext["fleet"]): DaemonStatus["nodes"] {
  const reports = fleet?.reports ?? [];
  if (reports.length === 0) return undefined;
  return {
    count: reports.length,
    down: reports.filter(({ isUp }) => !isUp).map(({ node }) => node.name),
  };
}

/**
 * Asks nodes now, several at a time, and tells each as it answers.
 * @param name of one node; undefined: all of them
 * @param tell is told `testing` first, and then a line for each node
 * @param gone aborted when nobody listens any more: no further node is asked then
 * @returns how it went; `not-found` where there is no such node, or none at all
 */
export async function testNodes(
  context: NodesContext,
  name: string | undefined,
  tell: (answer: ControlAnswer) => void,
  gone?: AbortSignal,
): Promise<Extract<ControlResult, { kind: "test-nodes" }> | Problem> {
  const known = (context.fleet?.reports ?? []).map(({ node }) => node.name);
  const asked = name === undefined ? known : known.filter((each) => each === name);
  if (asked.length === 0) return noSuchNode(name, known);
  tell({ told: "testing", nodes: asked });
  let tested = 0;
  let failed = 0;
  const test = async (node: string) => {
    if (gone?.aborted) return;
    const sinceMs = context.clock.nowMs();
    const problem = await testOne(context, node);
    tested += 1;
    if (problem !== undefined) failed += 1;
    // Of a clock that is set back meanwhile nothing can be told.
    const ms = Math.max(0, Math.round(context.clock.nowMs() - sinceMs));
    tell({ told: "node", node, ms, ...(problem !== undefined && why(problem, context.clean)) });
  };
  const turns = new Turns(testedAtOnce);
  await Promise.all(asked.map((node) => turns.take(() => test(node))));
  return { kind: "test-nodes", tested, failed };
}

/** @returns why it is down. Where its time is over the fleet waits on, and may find it up */
async function testOne({ fleet, clock }: NodesContext, name: string): Promise<Problem | undefined> {
  if (fleet?.find(name) === undefined) {
    return new Problem("not-found", "it is no node any more: the configuration was read again");
  }
  const { promise: late, resolve } = Promise.withResolvers<Problem>();
  const timer = clock.after(testMs, () => {
    resolve(new Problem("unreachable", `it has neither answered nor failed for ${testMs / 1000} s`));
  });
  const problem = await Promise.race([fleet.test(name), late]);
  timer.cancel();
  return problem;
}

function noSuchNode(name: string | undefined, known: readonly string[]): Problem {
  if (known.length === 0) {
    return new Problem("not-found", "there are no nodes", {
      hint: "write a section [node NAME] into rcron.conf, and then: rcronctl reload",
    });
  }
  const near = name === undefined ? undefined : nearestWord(name, known);
  return new Problem("not-found", `there is no node named ${quoted(name ?? "")}`, {
    hint: near === undefined ? "rcronctl nodes lists them" : `did you mean ${near}?`,
  });
}

/** What a person knows a node by: `user@host:port` as far as they are said, or the program with its words. */
function addressOf(connection: Connection): string {
  if (connection.kind === "local") return "this machine";
  if (connection.kind === "command") return connection.words.join(" ");
  const { host, port, user } = connection;
  const place = port === undefined ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return user === undefined ? place : `${user}@${place}`;
}

function why(
  { message, hint }: Problem,
  clean: (text: string) => string,
): { readonly why: string; readonly hint?: string } {
  return { why: clean(message), ...(hint !== undefined && { hint: clean(hint) }) };
}

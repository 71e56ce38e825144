/**
 * `rcronctl reload`: the daemon reads everything again.
 */
import type { ChangeCounts } from "../model/control-message.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { harmlessLine } from "./harmless-output.ts";
import { print } from "./standard-output.ts";
import { failed } from "./terminal.ts";

/** For 100,000 files on a slow disk. */
const longMs = 120_000;

/**
 * Tells what has changed, and what can't be used.
 * @returns the exit status: 0; 1 where something is broken
 */
export async function reload({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `reload takes no further word: got ${quoted(words.join(" "))}`);
  }
  const answer = await askFor(options, { ask: "reload" }, { timeoutMs: longMs });
  if (answer instanceof Problem) return answer;
  const { added, changed, removed, nodes, broken } = answer;
  const counts = [inWords(answer, "job"), ...(nodes === undefined ? [] : [inWords(nodes, "node")])];
  const told = { added, changed, removed, nodes: nodes ?? null, broken };
  await print(
    options["json"]
      ? `${JSON.stringify(told, undefined, 2)}\n`
      : [counts.join("; "), ...broken].map(harmlessLine).join(""),
  );
  return broken.length > 0 ? failed : 0;
}

function inWords({ added, changed, removed }: ChangeCounts, what: string): string {
  return `${added} ${what}${added === 1 ? "" : "s"} added, ${changed} changed, ${removed} removed`;
}

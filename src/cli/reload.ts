/**
 * `rcronctl reload`: the daemon reads everything again.
 */
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
  const { added, changed, removed, broken } = answer;
  const lines = [`${count(added)} added, ${changed} changed, ${removed} removed`, ...broken];
  await print(
    options["json"]
      ? `${JSON.stringify({ added, changed, removed, broken }, undefined, 2)}\n`
      : lines.map(harmlessLine).join(""),
  );
  return broken.length > 0 ? failed : 0;
}

function count(jobs: number): string {
  return `${jobs} ${jobs === 1 ? "job" : "jobs"}`;
}

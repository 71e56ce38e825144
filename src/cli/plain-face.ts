/**
 * A face that knows `--help` and `--version` only.
 */
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { complain, print, wrongUse } from "./terminal.ts";
import { version } from "./version.ts";

/** @returns the exit status: 0, or 2 for anything but one of the two options */
export async function plainFace(program: string, help: string, words: readonly string[]): Promise<number> {
  const [word, surplus] = words;
  if (surplus === undefined && (word === "--help" || word === "-h")) {
    await print(help);
    return 0;
  }
  if (surplus === undefined && word === "--version") {
    await print(`${program} ${version}\n`);
    return 0;
  }
  const rule =
    word === undefined
      ? "nothing to do"
      : `must be called with --help or --version alone: got ${quoted(words.join(" "))}`;
  complain(program, new Problem("invalid", rule, { hint: `${program} --help` }));
  return wrongUse;
}

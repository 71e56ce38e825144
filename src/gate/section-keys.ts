/**
 * What the sections `[daemon]` and `[node NAME]` have in common: their fixed words, and what is said of a key that is none of
 * theirs.
 */
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { confDefaults, daemonKeys, nodeKeys, sectionKeys } from "./conf.ts";

/** Fixed words may be written in any case. */
export function isWord(text: string, word: string): boolean {
  return text.toLowerCase() === word;
}

/**
 * The Problem of a key that does not belong to its section; the hint says where it does.
 * @param rule what a key of the section must be
 * @param written as it stands there
 * @param own the section's keys
 */
export function strayKey(
  rule: string,
  { written, key }: { readonly written: string; readonly key: string },
  own: readonly string[],
  where: string,
): Problem {
  const near = nearestWord(key, own);
  const hint = ` ${sectionKeys} `.includes(` ${key} `)
    ? "it is a rule for jobs, and stands below [job] or [job NAME]"
    : ` ${daemonKeys} `.includes(` ${key} `)
      ? "it is rcrond's, and stands below [daemon]"
      : ` ${nodeKeys} `.includes(` ${key} `)
        ? "it is for a node, and stands below [node NAME]"
        : Object.hasOwn(confDefaults, key)
          ? "it stands at the top level, above all sections"
          : near === undefined
            ? `the keys are ${own.join(", ")}`
            : `did you mean ${near}?`;
  return new Problem("invalid", `${rule}: got ${quoted(written)}`, { where, hint });
}

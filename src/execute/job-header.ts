/**
 * What a job is started with on another machine, as a line of plain sh: its words, environment, folder, umask and priority.
 */
import type { Job } from "../model/job.ts";
import { Problem } from "../model/problem.ts";
import { encodeWord } from "../model/raw-text.ts";
import type { RunTerms } from "./local.ts";

/** What a job is started with, on its node. */
export interface Header {
  readonly words: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  /** Undefined: where the shell is that reads the header. */
  readonly workingFolder: string | undefined;
  readonly umask: number | undefined;
  /** Undefined: as it is there. */
  readonly niceLevel: number | undefined;
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** True for a name that sh can set. */
export function isVariableName(name: string): boolean {
  return variableName.test(name);
}

/**
 * Why a job can't be run on another machine on its terms; undefined where it can.
 * @returns the Problem `invalid` for another user's rights, and for a variable that no shell can set
 */
export function whyNotThere(
  { environment }: Pick<Job, "environment">,
  { asUser }: Pick<RunTerms, "asUser">,
): Problem | undefined {
  if (asUser !== undefined) {
    return new Problem("invalid", "a job on a node has the rights of the user that the node is reached as", {
      hint: "leave out user, and name the user where the node is described",
    });
  }
  const odd = environment.find(({ name }) => !isVariableName(name));
  if (odd === undefined) return undefined;
  return new Problem("invalid", `a variable on a node must be one that sh can set: got ${odd.name}`);
}

/**
 * The header as one line of sh, in its very bytes. The job's words are the shell's arguments when it was read; where something
 * can't be done, it calls `v STATUS`, or `v STATUS cd` where it is the folder, which must not return.
 */
export function headerLine({ words, environment, workingFolder, umask, niceLevel }: Header): Uint8Array {
  const parts = [];
  const texts = [...words, ...environment.map(({ value }) => value), workingFolder ?? ""];
  if (texts.some((text) => text.includes("\n"))) parts.push(`n=$(printf '\\n.'); n=\${n%.}`);
  for (const { name, value } of environment) parts.push(`export ${name}=${quoted(value)}`);
  if (workingFolder !== undefined) parts.push(`cd -- ${quoted(workingFolder)} || v 125 cd`);
  if (umask !== undefined) parts.push(`umask ${umask.toString(8).padStart(4, "0")}`);
  parts.push(`set -- ${words.map(quoted).join(" ")}`);
  if (niceLevel !== undefined) {
    // The program itself is looked for first, so that nice has nothing to complain of.
    parts.push('command -v "$1" >/dev/null || v 127', `set -- nice -n ${niceLevel} "$@"`);
  }
  return encodeWord(`${parts.join("; ")}\n`);
}

/** For sh; a line's end stands in a variable, as the whole is one line. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`).replaceAll("\n", `'"$n"'`)}'`;
}

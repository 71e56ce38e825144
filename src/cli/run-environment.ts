/**
 * What a supervised job has in its environment, on top of what it inherits.
 */
import type { UserTerms } from "../execute/execute.ts";
import { parseEnvironmentFile } from "../model/environment-file.ts";
import { type Assignment, environmentOf, type RunFacts } from "../model/job.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { decodeWord } from "../model/raw-text.ts";
import type { Rules } from "../model/rules.ts";
import { readFileStart } from "../system/files.ts";

const environmentFileLimit = 64 * 1024;

/**
 * Later ones beat earlier ones: the user's, those of `--env-file`, the facts of the run, those before the command.
 * @returns the Problem `not-found`, `denied` or `invalid` where the environment file can't be had: a job that lacks what
 *   it was given would do something else
 */
export function environmentFor(
  facts: RunFacts,
  { environmentFile }: Rules,
  user: UserTerms | undefined,
  assignments: readonly Assignment[],
): Assignment[] | Problem {
  const fromFile = environmentFile === undefined ? [] : readEnvironmentFile(environmentFile);
  if (fromFile instanceof Problem) return fromFile;
  return [...(user?.environment ?? []), ...fromFile, ...environmentOf(facts), ...assignments];
}

function readEnvironmentFile(path: string): Assignment[] | Problem {
  const file = readFileStart(path, environmentFileLimit);
  if (file.error !== undefined) {
    const code = file.error.code === "ENOENT" ? "not-found" : "denied";
    return new Problem(code, `the environment file must be readable: ${file.error.text}`, {
      where: printable(path),
    });
  }
  if (!file.isWhole) {
    const rule = `an environment file must not be larger than ${environmentFileLimit / 1024} kB`;
    return new Problem("invalid", rule, { where: printable(path) });
  }
  return parseEnvironmentFile(decodeWord(file.bytes), printable(path));
}

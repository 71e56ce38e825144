/**
 * Which file a command's first word names: execvp(3)'s search, for the cases in which the answer must be known.
 */

import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { encodeWord } from "../model/raw-text.ts";
import { thrownSystemError } from "../system/libc.ts";

/** What execvp(3) searches where PATH is not set. */
const searchedWithoutPath = "/bin:/usr/bin";

/** What {@link findProgram} found. */
export type Found = { readonly path: string } | { readonly exitCode: 126 | 127; readonly problem: Problem };

/**
 * Looks for a program.
 * @param program the command's first word; with a slash in it, it is a path and nothing is searched
 * @param searchPath the job's PATH; undefined if it is not set
 * @param folder where the job starts, from where relative paths lead; undefined: where this process is
 * @returns its path, without a slash for a file that an empty folder in PATH (the working directory) has; or why it
 *   can't be run: 127 if there is none, 126 if there is one that is not executable
 */
export function findProgram(program: string, searchPath: string | undefined, folder?: string): Found {
  if (program.includes("/")) return check(program, program, folder);
  let denied: Found | undefined;
  if (program !== "") {
    for (const searched of (searchPath ?? searchedWithoutPath).split(":")) {
      const path = searched === "" ? program : `${searched}/${program}`;
      if (!isThere(path, folder)) continue;
      const found = check(program, path, folder);
      if ("path" in found) return found;
      denied ??= found;
    }
  }
  return (
    denied ?? {
      exitCode: 127,
      problem: new Problem("not-found", `${quoted(program)}: command not found`, {
        hint: `it is in no folder of PATH (${printable(searchPath ?? searchedWithoutPath)}); cron's PATH is shorter than a login's`,
      }),
    }
  );
}

/** A folder of PATH that can't be entered has nothing for this user; to be told of it would only mislead. */
function isThere(path: string, folder: string | undefined): boolean {
  try {
    process.getBuiltinModule("node:fs").statSync(bytesOf(path, folder));
    return true;
  } catch {
    return false; // Whatever the reason, there is nothing to be run.
  }
}

function check(program: string, path: string, folder: string | undefined): Found {
  const { accessSync, constants, statSync } = process.getBuiltinModule("node:fs");
  const shown = program === path ? quoted(path) : `${quoted(program)} (${printable(path)})`;
  let mode = 0;
  try {
    const stat = statSync(bytesOf(path, folder));
    if (stat.isDirectory()) {
      return { exitCode: 126, problem: new Problem("invalid", `${shown}: is a directory, not a program`) };
    }
    mode = stat.mode;
    accessSync(bytesOf(path, folder), constants.X_OK);
    return { path };
  } catch (error) {
    if (thrownSystemError(error).code !== "EACCES") {
      return { exitCode: 127, problem: new Problem("not-found", `${shown}: no such file`, { cause: error }) };
    }
    const hint =
      (mode & 0o111) === 0o111
        ? "it is executable: is it on a file system that is mounted noexec?"
        : `chmod +x ${printable(path)}, or check the folders above it`;
    const problem = new Problem("denied", `${shown}: permission denied`, { hint, cause: error });
    return { exitCode: 126, problem };
  }
}

/** A path in its own bytes, also where they are not UTF-8. */
function bytesOf(path: string, folder: string | undefined): Buffer {
  const isRelative = folder !== undefined && path[0] !== "/";
  return Buffer.from(encodeWord(isRelative ? `${folder}/${path}` : path));
}

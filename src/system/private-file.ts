/**
 * The one rule for files that hold a secret – passwords, private keys: a regular file that nobody but its owner can read or
 * write, and whose owner is root or this process's own user.
 */
import type { Stats } from "node:fs";
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "./libc.ts";

/** A file as it is told of. */
export interface PrivateFile {
  readonly path: string;
  /** What messages begin with: `a node's key`, `webhook_secret_file`. */
  readonly subject: string;
  /** What can be done where it is no regular file. */
  readonly fileHint: string;
  /** True where its owner may execute it: who reads private keys does not mind. */
  readonly isExecutableTaken?: boolean;
}

/**
 * Whether a file is nobody else's business.
 * @param stat of the file as it was opened, or of the link itself where no link is taken
 * @returns the Problem `denied`, with what is wrong and what to do; undefined where nothing is
 */
export function whyNotPrivate(
  { path, subject, fileHint, isExecutableTaken = false }: PrivateFile,
  stat: Pick<Stats, "isFile" | "mode" | "uid">,
): Problem | undefined {
  const refuse = (rule: string, hint: string) =>
    new Problem("denied", `${subject} must be ${rule}`, { where: path, hint });
  if (!stat.isFile()) return refuse("a regular file", fileHint);
  const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
  if ((stat.mode & (isExecutableTaken ? 0o077 : 0o177)) !== 0) {
    return refuse(`of mode 0600 at most: it has ${mode}`, `chmod 600 ${path}`);
  }
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
    return refuse(`root's or one's own: it is that of uid ${stat.uid}`, `chown root ${path}`);
  }
  return undefined;
}

/** What is told of such a file that can't be read: the Problem `not-found` where it is not there, else `denied`. */
export function notReadable(
  { path, subject }: Pick<PrivateFile, "path" | "subject">,
  error: unknown,
): Problem {
  const { code, text } = thrownSystemError(error);
  return new Problem(code === "ENOENT" ? "not-found" : "denied", `${subject} must be readable: ${text}`, {
    where: path,
    cause: error,
  });
}

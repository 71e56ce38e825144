/**
 * `mail_password_file`: who we are to the mail server.
 */
import { Problem } from "../model/problem.ts";
import { readSecretFile } from "./secret-file.ts";

/** A user and the password. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const key = "mail_password_file";

/**
 * Reads `user:password` from a file's first line, or the password alone where the user is known already. No message tells anything of
 * what is in it.
 * @param knownUser that of `mail_through`
 * @returns a Problem (`denied`, `not-found` or `invalid`) with what is wrong, and what to do
 */
export function readPasswordFile(path: string, knownUser?: string): Credentials | Problem {
  const line = readSecretFile(path, key);
  if (line instanceof Problem) return line;
  if (knownUser !== undefined) {
    const isPrefixed = line.startsWith(`${knownUser}:`);
    return { user: knownUser, password: isPrefixed ? line.slice(knownUser.length + 1) : line };
  }
  const colon = line.indexOf(":");
  if (colon <= 0 || colon === line.length - 1) {
    return new Problem("invalid", `${key} must hold user:password on its first line`, { where: path });
  }
  return { user: line.slice(0, colon), password: line.slice(colon + 1) };
}

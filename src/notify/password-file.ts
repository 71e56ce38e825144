/**
 * `mail_password_file`: who we are to the mail server.
 */
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "../system/libc.ts";

/** A user and the password. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const sizeLimit = 4096;

/**
 * Reads `user:password` from a file's first line, or the password alone where the user is known already. The file must be nobody else's business: a regular one, of root or
 * ourselves, and of mode 0600 or less. No message tells anything of what is in it.
 * @param knownUser that of `mail_through`
 * @returns a Problem (`denied`, `not-found` or `invalid`) with what is wrong, and what to do
 */
export function readPasswordFile(path: string, knownUser?: string): Credentials | Problem {
  const fs = process.getBuiltinModule("node:fs");
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  const refuse = (rule: string, hint: string) =>
    new Problem("denied", `mail_password_file must be ${rule}`, { where: path, hint });
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NONBLOCK); // A FIFO would be waited for otherwise.
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) return refuse("a regular file", "name a file that holds user:password");
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    if ((stat.mode & 0o177) !== 0) return refuse(`of mode 0600 at most: it has ${mode}`, `chmod 600 ${path}`);
    if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
      return refuse(`root's or one's own: it is that of uid ${stat.uid}`, `chown root ${path}`);
    }
    const buffer = Buffer.alloc(sizeLimit);
    const length = fs.readSync(fd, buffer, 0, sizeLimit, 0);
    const [line = ""] = buffer.toString("utf8", 0, length).split(/\r?\n/);
    if (knownUser !== undefined && line !== "") {
      const isPrefixed = line.startsWith(`${knownUser}:`);
      return { user: knownUser, password: isPrefixed ? line.slice(knownUser.length + 1) : line };
    }
    const colon = line.indexOf(":");
    if (colon <= 0 || colon === line.length - 1) {
      return new Problem("invalid", "mail_password_file must hold user:password on its first line", {
        where: path,
      });
    }
    return { user: line.slice(0, colon), password: line.slice(colon + 1) };
  } catch (error) {
    const { code, text } = thrownSystemError(error);
    return new Problem(
      code === "ENOENT" ? "not-found" : "denied",
      `mail_password_file must be readable: ${text}`,
      {
        where: path,
        cause: error,
      },
    );
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

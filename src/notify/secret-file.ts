/**
 * Files that hold a secret on their first line.
 */
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "../system/libc.ts";

const sizeLimit = 4096;

/**
 * Reads a file's first line. The file must be nobody else's business: a regular one, of root or ourselves, and of mode 0600 or
 * less. No message tells anything of what is in it.
 * @param key of rcron.conf that names the file, for messages
 * @returns a text that is not empty; or a Problem (`denied`, `not-found` or `invalid`) with what is wrong, and what to do
 */
export function readSecretFile(path: string, key: string): string | Problem {
  const fs = process.getBuiltinModule("node:fs");
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  const refuse = (rule: string, hint: string) =>
    new Problem("denied", `${key} must be ${rule}`, { where: path, hint });
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NONBLOCK); // A FIFO would be waited for otherwise.
    const stat = fs.fstatSync(fd);
    if (!stat.isFile())
      return refuse("a regular file", "name a file that holds the secret on its first line");
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    if ((stat.mode & 0o177) !== 0) return refuse(`of mode 0600 at most: it has ${mode}`, `chmod 600 ${path}`);
    if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
      return refuse(`root's or one's own: it is that of uid ${stat.uid}`, `chown root ${path}`);
    }
    const buffer = Buffer.alloc(sizeLimit);
    const length = fs.readSync(fd, buffer, 0, sizeLimit, 0);
    const [line = "", ...rest] = buffer.toString("utf8", 0, length).split(/\r?\n/);
    if (line === "") {
      return new Problem("invalid", `${key} must hold something on its first line`, { where: path });
    }
    // A line that is cut off would be another secret.
    if (length === sizeLimit && rest.length === 0) {
      return new Problem("invalid", `${key} must have a first line of at most 4000 bytes`, { where: path });
    }
    return line;
  } catch (error) {
    const { code, text } = thrownSystemError(error);
    return new Problem(code === "ENOENT" ? "not-found" : "denied", `${key} must be readable: ${text}`, {
      where: path,
      cause: error,
    });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

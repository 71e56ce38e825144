/**
 * Files that hold a secret on their first line.
 */
import { Problem } from "../model/problem.ts";
import { notReadable, whyNotPrivate } from "../system/private-file.ts";

const sizeLimit = 4096;

/**
 * Reads a file's first line. The file must be nobody else's business (private-file.ts). No message tells anything of what is
 * in it.
 * @param key of rcron.conf that names the file, for messages
 * @returns a text that is not empty; or a Problem (`denied`, `not-found` or `invalid`) with what is wrong, and what to do
 */
export function readSecretFile(path: string, key: string): string | Problem {
  const fs = process.getBuiltinModule("node:fs");
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  const fileHint = "name a file that holds the secret on its first line";
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NONBLOCK); // A FIFO would be waited for otherwise.
    const wrong = whyNotPrivate({ path, subject: key, fileHint }, fs.fstatSync(fd));
    if (wrong !== undefined) return wrong;
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
    return notReadable({ path, subject: key }, error);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/**
 * What is printed to standard output.
 */
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "../system/libc.ts";

const retryMs = 10;

/**
 * Prints a text. A reader that has gone away (`| head`) is no error.
 * @throws {Problem} `internal` where it can't be written, a full disk for instance
 */
export async function print(text: string): Promise<void> {
  await writeOut(Buffer.from(text));
}

/**
 * Writes all of it, however slowly it is read.
 * @returns false where nobody reads any more
 * @throws {Problem} `internal` where it can't be written
 */
export async function writeOut(bytes: Uint8Array): Promise<boolean> {
  try {
    for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(await writeSome(rest));
    return true;
  } catch (error) {
    const { code, text } = thrownSystemError(error);
    if (code === "EPIPE") return false;
    throw new Problem("internal", `standard output must be writable: ${text}`, { cause: error });
  }
}

/**
 * One write(2), by a thread that may wait in it. Not `Bun.write`: where standard output does not block and is full, that begins
 * again, and what went out already goes out twice.
 * @returns how much went out
 */
function writeSome(bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    process.getBuiltinModule("node:fs").write(1, bytes, 0, bytes.length, null, (error, count) => {
      if (error === null) resolve(count);
      else if (thrownSystemError(error).code === "EAGAIN") setTimeout(resolve, retryMs, 0);
      else reject(error);
    });
  });
}

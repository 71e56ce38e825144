/**
 * Command-line words and their bytes.
 *
 * The kernel's words are bytes, the runtime's are strings, and bytes that are not UTF-8 arrive as U+FFFD. Here they are
 * read again, as model/raw-text.ts has them.
 */
import { decodeWord } from "../model/raw-text.ts";
import { readFileStart } from "./files.ts";

/** More than the kernel accepts for all words together (a quarter of an 8 MB stack). */
const commandLineLimit = 8 * 1024 * 1024;

/**
 * The last words that this process was called with.
 * @param decoded the runtime's view of them; read again, as bytes, only where it shows that something was lost
 */
export function readWords(decoded: readonly string[]): readonly string[] {
  let isLossy = false;
  for (const word of decoded) isLossy ||= word.includes("\ufffd");
  if (!isLossy) return decoded;
  const file = readFileStart("/proc/self/cmdline", commandLineLimit);
  if (file.error !== undefined || !file.isWhole) return decoded;
  const words: string[] = [];
  for (let from = 0; from < file.bytes.length; ) {
    const end = file.bytes.indexOf(0, from);
    const to = end < 0 ? file.bytes.length : end;
    words.push(decodeWord(file.bytes.subarray(from, to)));
    from = to + 1;
  }
  return words.length > decoded.length ? words.slice(-decoded.length) : decoded;
}

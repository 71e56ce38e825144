/**
 * A job's output as the record keeps it.
 */
import type { Kept } from "../model/head-tail.ts";
import { decodeWord, encodeWord } from "../model/raw-text.ts";
import { redactor } from "../model/redact.ts";
import type { RecordedOutput } from "../model/run-event.ts";

/** @param redact the source of the expression whose matches are left out; undefined: nothing is */
export function keepForRecord(
  { head, tail, bytes, leftOut }: Kept,
  redact: string | undefined,
): RecordedOutput {
  const clean = redactor(redact);
  const pack = (part: Uint8Array) => {
    const shown = redact === undefined ? part : encodeWord(clean(decodeWord(part)));
    return Buffer.from(Bun.gzipSync(Uint8Array.from(shown))).toString("base64");
  };
  return { bytes, leftOut, head: pack(head), tail: tail.length === 0 ? "" : pack(tail) };
}

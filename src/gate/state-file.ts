/**
 * The state file: one word, `active` or `passive`, that whoever elects (keepalived, heartbeat, Pacemaker, …) writes,
 * and behind it, on lines of their own, where the word comes from (model/provenance.ts).
 */
import { printable } from "../model/printable.ts";
import { noProvenance, type Provenance, parseProvenance } from "../model/provenance.ts";
import { decodeWord } from "../model/raw-text.ts";
import type { State } from "../model/state.ts";
import { readFileStart } from "../system/files.ts";
import type { SystemError } from "../system/libc.ts";
import { confDefaults } from "./conf.ts";

/** Where the state is looked for when `state_file` is the default and can't be read. @see docs/compatibility.md "keys and defaults" */
export const secondDefaultStateFile = "/var/run/rcron/state";

/** Only this many bytes of a state file are ever read; the word stands in the first of them. */
export const stateFileLimit = 4096;

/** No longer than this, a content has a word and nothing behind it that says anything. */
const bareLimit = "passive\r\n".length;

const decoder = new TextDecoder();

/** What a state file said. */
export type StateReading =
  | {
      readonly kind: "word";
      readonly path: string;
      readonly state: State;
      readonly provenance: Provenance;
    }
  | { readonly kind: "corrupted"; readonly path: string; readonly content: Uint8Array }
  | { readonly kind: "unreadable"; readonly path: string; readonly error: SystemError };

/**
 * The word that a state file's content says: its first word, in any case, and nothing else will do.
 * @returns undefined for a corrupted state file, an empty one included
 */
export function parseState(content: Uint8Array): State | undefined {
  let word = "";
  for (let at = 0; at < content.length; at++) {
    const byte = content[at] ?? 0;
    const isBlank = byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
    if (!isBlank) word += String.fromCharCode(byte);
    else if (word !== "") break;
    if (word.length > "passive".length) return undefined;
  }
  word = word.toLowerCase();
  return word === "active" || word === "passive" ? word : undefined;
}

/**
 * What the start of a state file says, word and provenance.
 * @param isWhole false where the file is longer: its last line may be cut, and half an epoch would be another one
 * @returns undefined for a corrupted state file
 */
export function parseStateFile(
  bytes: Uint8Array,
  isWhole: boolean,
): { readonly state: State; readonly provenance: Provenance } | undefined {
  const state = parseState(bytes);
  if (state === undefined) return undefined;
  if (bytes.length <= bareLimit) return { state, provenance: noProvenance };
  const lines = isWhole ? bytes : bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
  return { state, provenance: parseProvenance(decoder.decode(lines)) };
}

/**
 * Reads the state file; if it is the default one and can't be read, the second default is tried.
 *
 * A script that writes with `echo active > FILE` empties the file first. A reader that comes in that instant would
 * find no word and fall back to `default_state`, so an empty file is read again, three times, 5 ms apart.
 */
export function readState(stateFile: string): StateReading {
  for (let triesLeft = 3; ; triesLeft--) {
    const start = readFileStart(stateFile, stateFileLimit);
    if (start.error !== undefined) {
      const unreadable = { kind: "unreadable", path: stateFile, error: start.error } as const;
      if (stateFile !== confDefaults.state_file) return unreadable;
      const second = readState(secondDefaultStateFile);
      return second.kind === "unreadable" ? unreadable : second;
    }
    const said = parseStateFile(start.bytes, start.isWhole);
    if (said !== undefined) return { kind: "word", path: stateFile, ...said };
    if (start.bytes.length > 0 || triesLeft === 0)
      return { kind: "corrupted", path: stateFile, content: start.bytes };
    Bun.sleepSync(5);
  }
}

/** A corrupted state file's content for a message: at most 40 bytes, made printable. */
export function showContent(content: Uint8Array): string {
  if (content.length === 0) return "it is empty";
  const shown = printable(decodeWord(content.subarray(0, 40)));
  return `it says "${shown}"${content.length > 40 ? "…" : ""}`;
}

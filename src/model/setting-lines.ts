/**
 * The lines of rcron.conf, at its top level and in its sections.
 *
 * The syntax is what the two older programs accepted between them, which no ini library reads: `key = value`,
 * `key: value`, and `key value` with blanks alone; whole-line comments with `#` or `;`; values in `"…"` or `'…'`. There are
 * no comments after a value.
 */
import { quoted } from "./printable.ts";
import { Problem } from "./problem.ts";

/** `key = value`. */
export interface Setting {
  /** The key as it was written, for messages. */
  readonly written: string;
  /** In small letters: a letter, and behind it letters, digits, `_`, `.` and `-`. */
  readonly key: string;
  /** Without its quotes; not empty, and without control characters besides the tab. */
  readonly value: string;
  readonly line: number;
}

/** A line's beginning. */
export interface Place {
  /** Index into the text. */
  readonly at: number;
  /** From 1. */
  readonly line: number;
}

/** The settings up to a section's header or the end. */
export interface SettingLines {
  readonly settings: readonly Setting[];
  /** The line of the header, which begins with `[`; undefined at the end. */
  readonly header: Place | undefined;
}

/** The part of an rcron.conf from a section's header on. */
export interface SectionText {
  readonly text: string;
  /** The first header's line in the file. */
  readonly fromLine: number;
}

/**
 * Reads settings from a place up to the next line that begins with `[`.
 *
 * Every run on a passive machine goes through here, so it is one long function of plain loops: each further function,
 * regular expression or callback costs its first use, 0.02 to 0.1 ms (docs/decisions/runtime.md).
 *
 * @param path how messages name the file
 */
export function readSettings(text: string, path: string, from: Place): SettingLines | Problem {
  const settings: Setting[] = [];
  let end = 0;
  for (let { at, line: number } = from; at < text.length; at = end + 1, number++) {
    end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    const first = text.charCodeAt(at);
    if (first === 0x23 || first === 0x0a) continue; // most lines of most files are comments, or empty
    const line = text.slice(at, end).trim();
    if (line === "" || line[0] === "#" || line[0] === ";") continue;
    if (line[0] === "[") return { settings, header: { at, line: number } };

    let length = 0;
    let isKey = true;
    for (; length < line.length; length++) {
      const char = line[length];
      if (char === "=" || char === ":" || char === " " || char === "\t") break;
      const code = line.charCodeAt(length) | 0x20; // capitals as small letters
      const isLetter = code >= 0x61 && code <= 0x7a;
      const isInner =
        (char !== undefined && char >= "0" && char <= "9") || char === "_" || char === "." || char === "-";
      if (!isLetter && (length === 0 || !isInner)) isKey = false;
    }
    const where = `${path}:${number}`;
    if (!isKey || length === 0) {
      const rule = `a line must be "key = value", a comment (# or ;) or empty: got ${quoted(line)}`;
      return new Problem("invalid", rule, { where });
    }
    const written = line.slice(0, length);
    let value = line.slice(length).trimStart();
    if (value[0] === "=" || value[0] === ":") value = value.slice(1).trimStart();
    if (value[0] === '"' || value[0] === "'") {
      const close = value.indexOf(value[0], 1);
      if (close <= 0 || close !== value.length - 1) {
        const rule = `${written} must be in quotes that match: got ${quoted(value)}`;
        return new Problem("invalid", rule, { where });
      }
      value = value.slice(1, -1);
    }
    if (value === "") {
      const rule = `${written} must be given a value: got ""`;
      return new Problem("invalid", rule, { where, hint: "remove the line for the default" });
    }
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if ((code < 0x20 && code !== 0x09) || code === 0x7f) {
        return new Problem("invalid", `${written} must be printable: got ${quoted(value)}`, { where });
      }
    }
    settings.push({ written, key: written.toLowerCase(), value, line: number });
  }
  return { settings, header: undefined };
}

/**
 * The next line that begins with `[`, from a place on. What stands before it is passed over unread.
 * @returns undefined where there is none
 */
export function nextHeader(text: string, from: Place): Place | undefined {
  let end = 0;
  for (let { at, line } = from; at < text.length; at = end + 1, line++) {
    end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    if (text.slice(at, end).trimStart()[0] === "[") return { at, line };
  }
  return undefined;
}

/** What may be meant by a header that is none; undefined: nothing that is known. */
export function headerHint(header: string): string | undefined {
  const isNodes = header.slice(0, 6).toLowerCase() === "[nodes" && !header.includes("[", 1);
  return isNodes ? `did you mean ${quoted(`[node${header.slice(6)}`)}?` : undefined;
}

/** True for `[daemon]`, a section that rcrond alone reads. @param line without blanks at its ends */
export function isDaemonHeader(line: string): boolean {
  return line.toLowerCase() === "[daemon]";
}

/** True for `[node NAME]`, and what is meant as such: another one that rcrond alone reads. @param line without blanks at its ends */
export function isNodeHeader(line: string): boolean {
  return line.slice(0, 5).toLowerCase() === "[node" && "] \t".includes(line.charAt(5) || "-");
}

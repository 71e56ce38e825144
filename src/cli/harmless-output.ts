/**
 * Text of jobs and of the daemon, fit for a terminal.
 */
import { printable } from "../model/printable.ts";

/** Without the characters that steer a terminal or turn the direction of writing, but for tabs and line ends. */
export function harmless(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** One line, with its end: control characters are shown as escapes, quotes as they are. */
export function harmlessLine(text: string): string {
  return `${printable(text).replaceAll('\\"', '"')}\n`;
}

/**
 * What a job printed, made fit for a mail: any bytes in, text out that no reader's terminal can be steered by.
 */
import { hexEscape } from "../model/printable.ts";

/**
 * Decodes UTF-8. A byte that belongs to no character is shown as `\xff`, a control character as `\x1b`, an invisible or
 * direction-changing one as `\u202e`; line ends become `\n`, and tabs stay.
 */
export function shownText(bytes: Uint8Array): string {
  const byteText = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const marked = byteText.replace(utf8OrByte, (all, bad?: string) =>
    bad === undefined ? all : hexEscape(bad),
  );
  return safeText(Buffer.from(marked, "latin1").toString("utf8"));
}

/** The same for a text that is decoded already. */
export function safeText(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(
      /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/gu,
      hexEscape,
    );
}

/** A text for one line: line ends and tabs are shown as escapes as well. */
export function safeLine(text: string): string {
  return safeText(text).replace(/[\n\t]/g, (char) => (char === "\n" ? "\\n" : " "));
}

/** A text that is no longer than so many UTF-16 units, `...` at its end where something is missing. @param limit 3 or more */
export function cutTo(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 3).toWellFormed()}...`;
}

/**
 * The first bytes of a text as UTF-8, no character cut in two.
 * @param limit bytes, 0 or more
 */
export function firstBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit;
  while (end > 0 && isWithin(bytes[end])) end--;
  return bytes.toString("utf8", 0, end);
}

/** The last ones. */
export function lastBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let from = bytes.length - limit;
  while (from < bytes.length && isWithin(bytes[from])) from++;
  return bytes.toString("utf8", from);
}

/** Whether a byte is a character's second or later one. */
function isWithin(byte: number | undefined): boolean {
  return ((byte ?? 0) & 0xc0) === 0x80;
}

/** Whole UTF-8 characters (RFC 3629), or, as the group, a byte that belongs to none. */
const utf8OrByte =
  /[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|([\x80-\xff])/g;

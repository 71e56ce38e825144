/**
 * Text of unknown origin made fit for a message: no control character reaches a terminal, a mail or a log.
 */

/**
 * Quotes `text` and escapes what can't be printed (`\n`, `\x00`, …).
 * @param limit how many characters are shown at most; the rest is told as `…`
 */
export function quoted(text: string, limit = 80): string {
  const shown = text.length > limit ? text.slice(0, limit) : text;
  return `"${printable(shown)}"${text.length > limit ? "…" : ""}`;
}

/** Replaces control characters, invisible ones, quotes, backslashes and undecodable bytes by escapes; leaves all else as it is. */
export function printable(text: string): string {
  if (isPlain(text)) return text;
  return text.replace(
    /[\x00-\x1f\x7f-\x9f"\\\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd\ud800-\udfff]/gu,
    escapeOf,
  );
}

/** The same for what stands in no quotes: those, and backslashes, stay as they are. What is printable already is not changed. */
export function printableText(text: string): string {
  if (isPlain(text)) return text;
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd\ud800-\udfff]/gu,
    escapeOf,
  );
}

/** Nearly every text is; and to make the expression above ready costs the hot path 0.07 ms. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false;
  }
  return true;
}

const named: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  '"': '\\"',
  "\\": "\\\\",
};

function escapeOf(char: string): string {
  return named[char] ?? hexEscape(char);
}

/** `\x1b`, `\u200b`: a character's number in hexadecimal digits; for a byte that was not UTF-8 that of the byte. */
export function hexEscape(char: string): string {
  const code = char.charCodeAt(0);
  // U+DC80…U+DCFF stand for single bytes that were not UTF-8 (model/raw-text.ts).
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

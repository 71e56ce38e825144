/**
 * What must not be read in log, mail and record: passwords in addresses, and whatever rcron.conf's `redact` describes.
 */

/** What stands where something was taken out. */
export const redacted = "[redacted]";

/** A `redact` longer than this is refused. */
export const redactionLimit = 1000;

/** How much of a text is looked at in one piece. */
const pieceLength = 4096;

/**
 * Proves the source of a regular expression: it must compile as JavaScript's with the flags `gu`, and match something.
 * @returns the expression, or the rule that it breaks
 */
export function proveRedaction(source: string): RegExp | string {
  if (source.length > redactionLimit) return `must not be longer than ${redactionLimit} characters`;
  try {
    const pattern = new RegExp(source, "gu");
    return "".match(pattern) === null ? pattern : "must not match the empty text: it would match everywhere";
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, "") : "";
    return `must be a regular expression of JavaScript (${reason})`;
  }
}

/**
 * Makes a function that puts {@link redacted} in the place of every match.
 *
 * A pattern with nested repetitions can take time that doubles with every further character, and nothing can interrupt
 * a match. So it never sees more than 4096 characters at once: line by line, and longer lines in pieces, which keeps what
 * is merely quadratic harmless. Two limits come of that: a match never spans lines, and one that lies across two pieces of
 * a line is not seen. A pattern that doubles with each character stays the operator's own mistake: {@link proveRedaction}
 * can't tell it from others.
 *
 * @param source of a regular expression; undefined, or one that {@link proveRedaction} refuses: nothing is replaced
 */
export function redactor(source: string | undefined): (text: string) => string {
  const pattern = source === undefined ? "" : proveRedaction(source);
  if (typeof pattern === "string") return (text) => text;
  return (text) => {
    let result = "";
    for (let at = 0; at < text.length; ) {
      const end = pieceEnd(text, at);
      result += text.slice(at, end).replace(pattern, () => redacted);
      at = end;
    }
    return result;
  };
}

/** The end of the piece that begins at `at`: behind its line, or within it and not between the halves of a character. */
function pieceEnd(text: string, at: number): number {
  const lineEnd = text.indexOf("\n", at);
  const end = lineEnd < 0 ? text.length : lineEnd + 1;
  if (end - at <= pieceLength) return end;
  const isSplit = (text.codePointAt(at + pieceLength - 1) ?? 0) > 0xffff;
  return at + pieceLength - (isSplit ? 1 : 0);
}

/** An address without what stands before its `@`: `https://[redacted]@host/path`. Works on what is no sound URL, too. */
export function hidePassword(url: string): string {
  const at = url.lastIndexOf("@");
  if (at < 0) return url;
  const scheme = /^[a-z]{1,10}:\/\//i.exec(url)?.[0] ?? "";
  return `${scheme}${redacted}${url.slice(at)}`;
}

/**
 * Output rules as they are written: `[if-error:]FILE|ADDRESS|syslog|cron`, and acron's `if-error FILE`.
 */
import type { OutputRule, Sink } from "./rules.ts";

const pathLimit = 4095;
const addressLimit = 254;
const control = /[\x00-\x1f\x7f]/;
/** Conservative: what a mail program, a header or a shell could take for something else is in none of these. */
const addressForm = /^[A-Za-z0-9_.+][A-Za-z0-9_.+=%&'#~!$-]*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** True for `name@host`, without a display name. */
export function isMailAddress(text: string): boolean {
  return text.length <= addressLimit && addressForm.test(text) && !text.includes("..");
}

/**
 * True for an absolute path that the system can take and a line of a log can show. Not with a `#` behind a blank: that
 * would be a comment where none may stand, and a file of an odd name in the place of the one that was meant.
 */
export function isAbsolutePath(text: string): boolean {
  return text[0] === "/" && text.length <= pathLimit && !control.test(text) && !/\s#/.test(text);
}

/**
 * Reads one rule.
 * @returns the rule, or what it breaks: a sentence that begins with `must`
 * @see acron README "output handling"
 */
export function parseOutputRule(text: string): OutputRule | string {
  const behind = text["if-error".length] ?? "";
  const isIfError =
    text.slice(0, "if-error".length).toLowerCase() === "if-error" && ": \t".includes(behind || "-");
  const receiver = isIfError ? text.slice("if-error:".length).trim() : text;
  const sink = parseSink(receiver);
  return typeof sink === "string" ? sink : { isIfError, sink };
}

/** As it is written in an option or a section; {@link parseOutputRule} reads it back. */
export function formatOutputRule({ isIfError, sink }: OutputRule): string {
  const receiver = sink.kind === "file" ? sink.path : sink.kind === "mail" ? sink.address : sink.kind;
  return `${isIfError ? "if-error:" : ""}${receiver}`;
}

function parseSink(text: string): Sink | string {
  const word = text.toLowerCase();
  if (word === "syslog" || word === "cron") return { kind: word };
  if (text[0] === "/") {
    if (!isAbsolutePath(text))
      return `must name a file in printable characters, ${pathLimit} at most, with no comment behind it`;
    return text.endsWith("/") ? "must name a file, not a folder" : { kind: "file", path: text };
  }
  if (isMailAddress(text)) return { kind: "mail", address: text };
  if (text.includes("@")) return "must name an address such as root@localhost";
  return "must be a file (an absolute path), an address, syslog or cron, with if-error: before it or not";
}

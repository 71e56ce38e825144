/**
 * The lines of a job file in acron's manner: a word and its value each, continued on lines that stand further in.
 *
 *     every 10m
 *     timeout 1m  # a comment
 *     run /usr/local/bin/something.py --with-some-args
 *             --and-more-args
 *
 * A `#` begins a comment where a blank or nothing stands before it and no quotes are open; only the words that hold shell
 * lines or quoted values have quotes. A file may be indented as a whole.
 */
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";

/** One word with its value. */
export interface Statement {
  /** As it is known: small dashes made `_`. */
  readonly key: string;
  /** As it was written. */
  readonly word: string;
  /** Continuation lines joined with single blanks. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** The first words of the lines that continue it, for whoever suspects a slip. */
  readonly continued: readonly { readonly word: string; readonly line: number }[];
}

interface Draft {
  readonly word: string;
  readonly indent: number;
  readonly line: number;
  readonly parts: string[];
  readonly continued: { word: string; line: number }[];
  quote: Quote;
}

type Quote = '"' | "'" | undefined;

/** In the values of these, quotes hide a `#`. */
const quotedWords = ["run", "if", "env"];
/** Only these may be continued. */
const continuable = ["run", "if"];

/** Reads the lines. Pure and total. */
export function readStatements(
  text: string,
  path: string,
): { readonly statements: readonly Statement[]; readonly problems: readonly Problem[] } {
  const drafts: Draft[] = [];
  const problems: Problem[] = [];
  for (const [index, raw] of withoutMark(text).split("\n").entries()) {
    const line = index + 1;
    const where = `${path}:${line}`;
    const written = raw.replace(/\r$/, "");
    if (/[\x00-\x08\x0b-\x1f\x7f]/.test(written)) {
      problems.push(
        new Problem("invalid", `a line must be printable text: got ${quoted(written)}`, { where }),
      );
      continue;
    }
    const indent = written.length - written.trimStart().length;
    const body = written.slice(indent);
    const last = drafts.at(-1);
    const isContinuation = last !== undefined && indent > last.indent;
    if (body === "" || (body.startsWith("#") && !(isContinuation && last.quote !== undefined))) continue;
    if (isContinuation) {
      if (!continuable.includes(last.word)) {
        const rule = `a line that stands further in must continue run or if: got ${quoted(body)} behind ${last.word}`;
        problems.push(new Problem("invalid", rule, { where, hint: "begin it where the other lines begin" }));
        continue;
      }
      const cut = withoutComment(body, last.quote);
      last.quote = cut.quote;
      last.parts.push(cut.text);
      last.continued.push({ word: /^[^\s#]*/.exec(body)?.[0] ?? "", line });
      continue;
    }
    const word = /^\S+/.exec(body)?.[0] ?? "";
    const value = body.slice(word.length);
    const cut = quotedWords.includes(word)
      ? withoutComment(value, undefined)
      : { text: (value.includes("#") ? value.replace(/\s#.*$/, "") : value).trim(), quote: undefined };
    drafts.push({ word, indent, line, parts: [cut.text], continued: [], quote: cut.quote });
  }
  for (const { word, line, quote } of drafts) {
    if (quote === undefined) continue;
    const rule = `the quotes of ${word} must match: one ${quote} is open at its end`;
    problems.push(new Problem("invalid", rule, { where: `${path}:${line}` }));
  }
  return { statements: drafts.map(statementOf), problems };
}

function statementOf({ word, line, parts, continued }: Draft): Statement {
  // A backslash at the end of a line that goes on is the shell's way to say what the indent says here.
  const joined = parts.map((part, index) =>
    index < parts.length - 1 ? part.replace(/\\$/, "").trimEnd() : part,
  );
  const text = joined.filter((part) => part !== "").join(" ");
  return { key: word.replaceAll("-", "_"), word, text, line, continued };
}

/** A part of a shell's line up to its comment, and which quote is open behind it. */
function withoutComment(text: string, open: Quote): { text: string; quote: Quote } {
  if (open === undefined && !/[#"'\\]/.test(text)) return { text: text.trim(), quote: undefined };
  let quote = open;
  let at = 0;
  for (; at < text.length; at++) {
    const char = text[at];
    if (char === "\\" && quote !== "'") at++;
    else if (quote !== undefined) quote = char === quote ? undefined : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === "#" && (at === 0 || /\s/.test(text[at - 1] ?? ""))) break;
  }
  return { text: text.slice(0, at).trim(), quote };
}

function withoutMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

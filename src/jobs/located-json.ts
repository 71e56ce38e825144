/**
 * JSON whose values know the lines that they stand on, so that a message can name them. The runtime's parser says neither that
 * nor where it gave up. Pure and total; RFC 8259 to the letter, besides a byte order mark at the beginning.
 */
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";

/** A value and the line that it begins on. */
export type Json = { readonly line: number } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "flag"; readonly flag: boolean }
  | { readonly kind: "null" }
  | { readonly kind: "list"; readonly items: readonly Json[] }
  | { readonly kind: "object"; readonly entries: readonly JsonEntry[] }
);

/** A value of an object, with its key as it is written; there may be several with the same. */
export interface JsonEntry {
  readonly key: string;
  /** Of the key. */
  readonly line: number;
  readonly value: Json;
}

/** Lists and objects within one another; more is taken for an attack, or a mistake. */
const deepest = 20;

/**
 * Reads a text of JSON.
 * @param path how messages name the file
 * @returns the value, or a Problem (`invalid`) with the line where the text ceases to be JSON
 */
export function parseJson(text: string, path: string): Json | Problem {
  const parser = new Parser(text.startsWith("\ufeff") ? text.slice(1) : text, path);
  return parser.whole();
}

/** What follows in a list or an object. */
type Behind = "item" | "end" | Problem;

const blank = /[ \t\r\n]*/y;
const textForm = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordForm = /true|false|null/y;

class Parser {
  private readonly text: string;
  private readonly path: string;
  private at = 0;
  private line = 1;

  constructor(text: string, path: string) {
    this.text = text;
    this.path = path;
  }

  whole(): Json | Problem {
    this.skipBlanks();
    const value = this.value(0);
    if (value instanceof Problem) return value;
    this.skipBlanks();
    return this.at === this.text.length ? value : this.broken("must end behind its value");
  }

  /** With the place before a value, and then behind it. */
  private value(depth: number): Json | Problem {
    const { line } = this;
    const first = this.text[this.at];
    if (first === "{" || first === "[") {
      if (depth === deepest)
        return this.broken(`must have at most ${deepest} lists and objects within one another`);
      return first === "{" ? this.object(depth + 1) : this.list(depth + 1);
    }
    if (first === '"') {
      const text = this.string();
      return text instanceof Problem ? text : { kind: "text", text, line };
    }
    const word = this.take(wordForm);
    if (word === "null") return { kind: "null", line };
    if (word !== undefined) return { kind: "flag", flag: word === "true", line };
    const number = this.take(numberForm);
    return number === undefined
      ? this.broken("must have a value here")
      : { kind: "number", number: Number(number), line };
  }

  private object(depth: number): Json | Problem {
    const { line } = this;
    const entries: JsonEntry[] = [];
    let next: Behind = this.opened("}");
    while (next === "item") {
      const { line: keyLine } = this;
      if (this.text[this.at] !== '"') return this.broken("must have a key in double quotes here");
      const key = this.string();
      if (key instanceof Problem) return key;
      this.skipBlanks();
      if (this.text[this.at] !== ":")
        return this.broken(`must have a colon behind the key ${quoted(key, 40)}`);
      this.at += 1;
      this.skipBlanks();
      const value = this.value(depth);
      if (value instanceof Problem) return value;
      entries.push({ key, line: keyLine, value });
      next = this.behindItem("}");
    }
    return next instanceof Problem ? next : { kind: "object", entries, line };
  }

  private list(depth: number): Json | Problem {
    const { line } = this;
    const items: Json[] = [];
    let next: Behind = this.opened("]");
    while (next === "item") {
      const item = this.value(depth);
      if (item instanceof Problem) return item;
      items.push(item);
      next = this.behindItem("]");
    }
    return next instanceof Problem ? next : { kind: "list", items, line };
  }

  private opened(end: string): Behind {
    this.at += 1;
    this.skipBlanks();
    if (this.text[this.at] !== end) return "item";
    this.at += 1;
    return "end";
  }

  private behindItem(end: string): Behind {
    this.skipBlanks();
    const sign = this.text[this.at];
    if (sign !== "," && sign !== end) return this.broken(`must have a comma or ${end} here`);
    this.at += 1;
    if (sign === end) return "end";
    this.skipBlanks();
    return this.text[this.at] === end ? this.broken(`must have no comma before ${end}`) : "item";
  }

  private string(): string | Problem {
    const { at } = this;
    const written = this.take(textForm);
    if (written !== undefined) return String(JSON.parse(written)); // the form above is a JSON string's
    this.at = at;
    return this.broken("must have a string here that ends on its line, with known escapes");
  }

  private take(form: RegExp): string | undefined {
    form.lastIndex = this.at;
    const found = form.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private skipBlanks(): void {
    const skipped = this.take(blank) ?? "";
    for (let at = skipped.indexOf("\n"); at >= 0; at = skipped.indexOf("\n", at + 1)) this.line += 1;
  }

  private broken(rule: string): Problem {
    const rest = this.text.slice(this.at, this.at + 40).split("\n", 1)[0] ?? "";
    const got = this.at >= this.text.length ? "the end of the file" : quoted(rest, 30);
    const isComment = /^(?:#|\/\/|\/\*)/.test(rest);
    return new Problem("invalid", `a JSON file ${rule}: got ${got}`, {
      where: `${this.path}:${this.line}`,
      ...(isComment && { hint: "JSON has no comments; a key that begins with _ is passed over" }),
    });
  }
}

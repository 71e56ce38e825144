/**
 * The keys of distcrond's JSON files, read one by one: what is not as it must be is told with its line, its path
 * (`policy.hosts[1]`), the rule and the value, and all of a file at once.
 *
 * As in Go, whose rules distcrond's files were written by, a key counts in any case and `null` is the same as nothing; the files of its first versions have
 * `EmailAddress` and `ShellCommand`, so `_` doesn't count either. Keys that begin with `_`, `$`, `#` or `//` are comments. Unlike in Go an unknown key is
 * refused: it is a slip, and the job would run without what it was meant to say.
 */
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Json, JsonEntry } from "./located-json.ts";

/** What is found in one file. */
export class JsonFile {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** `policy.roles must be …: got "…"` */
  refuse({ line }: { readonly line: number }, sentence: string, hint?: string): undefined {
    this.problems.push(this.said(line, sentence, hint));
    return undefined;
  }

  /** The same for what is read as it stands. */
  warn({ line }: { readonly line: number }, sentence: string, hint?: string): void {
    this.warnings.push(this.said(line, sentence, hint));
  }

  private said(line: number, sentence: string, hint: string | undefined): Problem {
    const where = `${this.path}:${line}`;
    return new Problem("invalid", sentence, { where, ...(hint !== undefined && { hint }) });
  }
}

/** A value that a key has. */
export interface Found {
  /** The key's path in the file: `owners[0].name`. */
  readonly path: string;
  readonly line: number;
  readonly value: Json;
}

/** The keys of one object. */
export class Keys {
  readonly line: number;
  private readonly file: JsonFile;
  private readonly prefix: string;
  private readonly found = new Map<string, JsonEntry>();

  /**
   * Looks at all keys of an object.
   * @param prefix the object's own path with a dot behind it; empty for the file's
   * @param known as they are to be written
   * @param elsewhere what to tell about a key that belongs somewhere else
   */
  constructor(
    object: Json & { readonly kind: "object" },
    prefix: string,
    known: readonly string[],
    file: JsonFile,
    elsewhere: (key: string) => string | undefined = () => undefined,
  ) {
    this.line = object.line;
    this.file = file;
    this.prefix = prefix;
    for (const entry of object.entries) {
      const key = known.find((each) => bare(each) === bare(entry.key));
      if (key === undefined) {
        if (!/^(?:[_$#]|\/\/)/.test(entry.key)) this.refuseKey(entry, known, elsewhere(bare(entry.key)));
        continue;
      }
      const before = this.found.get(key);
      if (before !== undefined) {
        const hint = "keep one of the two";
        file.refuse(entry, `${prefix}${key} must stand once: it stands on line ${before.line} already`, hint);
      } else this.found.set(key, entry);
    }
  }

  /** @returns undefined where there is no such key, and for `null` */
  get(key: string): Found | undefined {
    const entry = this.found.get(key);
    if (entry === undefined || entry.value.kind === "null") return undefined;
    return { path: `${this.prefix}${key}`, line: entry.value.line, value: entry.value };
  }

  /** A text; the empty one counts as none, as in distcrond. @returns undefined as well where it is none, which is told */
  text(key: string, limit: number): (Found & { readonly text: string }) | undefined {
    const found = this.get(key);
    const text = found && textOf(found, limit, this.file);
    return found === undefined || text === undefined || text === "" ? undefined : { ...found, text };
  }

  /** A list of texts, as {@link textOf} reads them. @returns undefined where there is none, and where one of them is no text */
  texts(key: string, limit: number): readonly (Found & { readonly text: string })[] | undefined {
    const found = this.get(key);
    const items = found && itemsOf(found, this.file);
    const texts = items?.flatMap((item) => {
      const text = textOf(item, limit, this.file);
      return text === undefined ? [] : [{ ...item, text }];
    });
    return texts?.length === items?.length ? texts : undefined;
  }

  private refuseKey({ key, line }: JsonEntry, known: readonly string[], elsewhere: string | undefined): void {
    const longer = known.filter((each) => bare(each).startsWith(bare(key)));
    const near = longer.length === 1 ? longer[0] : nearestWord(bare(key), known.map(bare));
    const meant = near === undefined ? undefined : known.find((each) => bare(each) === bare(near));
    const object = this.prefix === "" ? "a file's" : `${this.prefix.slice(0, -1)}'s`;
    const hint = elsewhere ?? (meant === undefined ? undefined : `did you mean ${meant}?`);
    this.file.refuse({ line }, `${object} keys must be ${known.join(", ")}: got ${quoted(key, 40)}`, hint);
  }
}

/** A list's items with their own paths. @returns undefined where it is no list, which is told */
export function itemsOf({ path, line, value }: Found, file: JsonFile): readonly Found[] | undefined {
  if (value.kind !== "list") return file.refuse({ line }, `${path} must be a list: got ${shown(value)}`);
  return value.items.map((item, index) => ({ path: `${path}[${index}]`, line: item.line, value: item }));
}

/** The keys of a value that must be an object. @returns undefined where it is none, which is told */
export function keysOf(
  { path, line, value }: Found,
  known: readonly string[],
  file: JsonFile,
): Keys | undefined {
  if (value.kind !== "object") return file.refuse({ line }, `${path} must be an object: got ${shown(value)}`);
  return new Keys(value, `${path}.`, known, file);
}

/** A value that must be a text without NUL. @returns undefined where it is none, which is told */
export function textOf({ path, line, value }: Found, limit: number, file: JsonFile): string | undefined {
  if (value.kind !== "text") {
    const hint = value.kind === "number" || value.kind === "flag" ? "write it in quotes" : undefined;
    return file.refuse({ line }, `${path} must be text: got ${shown(value)}`, hint);
  }
  if (value.text.includes("\0")) return file.refuse({ line }, `${path} must hold no NUL`);
  if (value.text.length > limit) {
    return file.refuse({ line }, `${path} must have at most ${limit} characters: got ${value.text.length}`);
  }
  return value.text;
}

/** What a value is, for messages. */
export function shown(value: Json): string {
  switch (value.kind) {
    case "text":
      return quoted(value.text);
    case "number":
      return String(value.number);
    case "flag":
      return String(value.flag);
    case "null":
      return "null";
    default:
      return value.kind === "list" ? "a list" : "an object";
  }
}

/** True for an object with one of these keys, in any case. */
export function hasKey({ entries }: Json & { readonly kind: "object" }, keys: readonly string[]): boolean {
  return entries.some((entry) => keys.some((key) => bare(key) === bare(entry.key)));
}

function bare(key: string): string {
  return key.replaceAll("_", "").toLowerCase();
}

/**
 * The values of rules: what each kind of text must be, and what it says. Everything here is pure and total.
 */
import { durationRule, parseDuration } from "./duration.ts";
import { isAbsolutePath, parseOutputRule } from "./output-rule.ts";
import { printable } from "./printable.ts";
import { hidePassword } from "./redact.ts";
import { defaultOverlapWaitMs, type FailureRule, type Rules } from "./rules.ts";

/** What one value says. */
export type ProvenRule = Partial<Omit<Rules, "failsWhen">> & { readonly failsWhen?: Partial<FailureRule> };

/** @returns the part of the rules, or what the text breaks: a sentence that begins with `must` */
export type Prover = (text: string) => ProvenRule | string;

/** What a name of a job must be, for messages. */
export const jobNameRule =
  "must be a name of 1 to 100 printable characters, without brackets and blanks at its ends";

/** True for what can stand in `[job NAME]`. */
export function isJobName(text: string): boolean {
  return (
    text.length >= 1 &&
    text.length <= 100 &&
    text.trim() === text &&
    !/[[\]]/.test(text) &&
    printable(text) === text
  );
}

/** True for the word that takes back what a lower layer says. */
export function isNone(text: string): boolean {
  return text.toLowerCase() === "none";
}

/** Lets `none` stand for what holds by default. */
export function orNone(prove: Prover, none: ProvenRule): Prover {
  return (text) => (isNone(text) ? none : prove(text));
}

export function time(text: string, rule: (ms: number) => ProvenRule): ProvenRule | string {
  const ms = parseDuration(text);
  return ms === undefined ? `must be ${durationRule}` : rule(ms);
}

export function integer(
  text: string,
  from: number,
  to: number,
  rule: (value: number) => ProvenRule,
): ProvenRule | string {
  const value = /^[+-]?\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  return value >= from && value <= to ? rule(value + 0) : `must be an integer from ${from} to ${to}`;
}

export function word<Word extends string>(
  text: string,
  words: readonly Word[],
  rule: (word: Word) => ProvenRule,
): ProvenRule | string {
  const found = words.find((each) => each === text.toLowerCase());
  return found === undefined ? `must be ${words.join(" or ")}` : rule(found);
}

export function path(text: string, rule: (path: string) => ProvenRule): ProvenRule | string {
  return isAbsolutePath(text) ? rule(text) : "must be an absolute path, with no comment behind it";
}

/** Not what only looks empty, and no second line that a reader of log or mail would not expect. */
export function proveCondition(text: string): ProvenRule | string {
  const isLine = text.trim() !== "" && !/[\0\r\n]/.test(text);
  return isLine ? { condition: text } : "must be one line that is not empty";
}

export function proveOutput(text: string): ProvenRule | string {
  const rule = parseOutputRule(text);
  return typeof rule === "string" ? rule : { outputs: [rule] };
}

export function proveUmask(text: string): ProvenRule | string {
  if (!/^0?[0-7]{3}$/.test(text)) return "must be three octal digits such as 027, or four that begin with 0";
  return { umask: Number.parseInt(text, 8) };
}

export function proveOverlap(text: string): ProvenRule | string {
  const [mode = "", ...rest] = text.toLowerCase().split("=");
  if (rest.length === 0 && (mode === "allow" || mode === "skip" || mode === "clobber")) {
    return { overlap: { mode } };
  }
  if (mode !== "wait" || rest.length > 1) return "must be allow, skip, wait, wait=TIME or clobber";
  const [waits] = rest;
  const waitMs = waits === undefined ? defaultOverlapWaitMs : parseDuration(waits);
  return waitMs === undefined
    ? `must be wait, or wait= and ${durationRule}`
    : { overlap: { mode: "wait", waitMs } };
}

/** One that is not named is off. @see acron README "output handling" */
export function proveError(text: string): ProvenRule | string {
  const flags = itemsOf(text.toLowerCase());
  if (flags.length === 0 || flags.some((flag) => flag !== "if-nonzero" && flag !== "if-stderr")) {
    return "must be if-nonzero, if-stderr, or both with a comma between them";
  }
  return { failsWhen: { ifNonzero: flags.includes("if-nonzero"), ifStderr: flags.includes("if-stderr") } };
}

export function proveSuccess(text: string): ProvenRule | string {
  const statuses = itemsOf(text);
  if (statuses.length === 0 || !statuses.every((each) => /^\d{1,3}$/.test(each) && Number(each) <= 255)) {
    return "must be exit statuses from 0 to 255 with commas between them";
  }
  return { failsWhen: { success: [...new Set(statuses.map(Number))] } };
}

/** The items between commas or blanks; an item is empty where a comma is too many. */
function itemsOf(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(/[ \t]*,[ \t]*|[ \t]+/);
}

const urlLimit = 2000;

/** An http or https URL, as any HTTP client can take it. */
export function url(text: string, rule: (url: string) => ProvenRule): ProvenRule | string {
  if (text.length > urlLimit) return `must be a URL of at most ${urlLimit} characters`;
  const isFit = /^https?:\/\/[^/\s\x00-\x1f\x7f\ud800-\udfff][^\s\x00-\x1f\x7f\ud800-\udfff]*$/iu.test(text);
  return isFit && URL.canParse(text) ? rule(text) : "must be a URL that begins with http:// or https://";
}

/**
 * A URL without what stands behind its host: whoever knows that may use it. Works on what is no sound URL, too: where an `@` behind
 * the host could be one behind a password, and where what should be a host may be the key itself, that is not shown either.
 */
export function hideKey(text: string): string {
  if (text === "" || isNone(text)) return text;
  const [host = "", scheme = ""] = /^([a-z]*:\/*)?[^/?#\s]*/i.exec(text) ?? [];
  const isCut = host.length < text.length;
  const isHost = scheme.endsWith("://") ? !scheme.endsWith("///") : isCut && host.includes(".");
  if (!isHost || text.includes("@", host.length)) return `${scheme.endsWith("/") ? scheme : ""}...`;
  return `${hidePassword(host)}${isCut ? "/..." : ""}`;
}

/** A name as useradd(8) has them; or a number, up to the highest one that is a user's. */
export function proveUser(text: string): ProvenRule | string {
  const isFit = /^\d{1,10}$/.test(text)
    ? Number(text) < 0xffff_ffff
    : text.length <= 32 && /^[a-z_][a-z0-9_.-]*\$?$/.test(text);
  return isFit ? { user: text } : "must be a user's name in small letters, or a number";
}

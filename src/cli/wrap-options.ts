/**
 * The options of `rcron`, all of them before the command.
 *
 * Own code and not a package: an option list with no abbreviations, no options behind the command and no help of its
 * own is this small table, and a package costs every `rcron --conf FILE` line more than the whole rest of the run
 * (docs/decisions/command-line.md).
 */
import type { OnPassive } from "../gate/gate.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { RuleKey, RuleLayer, RuleText } from "../model/rule-table.ts";

/** What the words ask for. */
export type Invocation =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "generate"; readonly confPath: string | undefined }
  | ({ readonly kind: "run" } & Run)
  | ({ readonly kind: "explain" } & Run);

/** A command, and how it is to be understood. */
export interface Run {
  /** The command with its own options and leading assignments, exactly as given. */
  readonly words: readonly string[];
  /** From `--conf`; undefined for the default path. */
  readonly confPath: string | undefined;
  /** From `--shell`; undefined: as rcron.conf says. */
  readonly shell: "joined" | undefined;
  /** From `--on-passive`; undefined: as rcron.conf says. */
  readonly onPassive: OnPassive | undefined;
  /** The rules given as options, each one sound; empty for a plain line. */
  readonly rules: RuleLayer;
}

const flags = ["--help", "--version", "--generate", "--explain", "--shell"] as const;
const valued = ["--conf", "--on-passive"] as const;
const whatFollows = { "--conf": "a file", "--on-passive": "finish or stop" } as const;
const seeHelp = "rcron --help lists the options; a command that begins with a dash goes behind --";

/** The options that are rules: loaded only where one is given, because most lines have none. */
type RuleWords = typeof import("../model/rule-table.ts");

/** The options as they were given. */
interface Given {
  readonly flags: Set<(typeof flags)[number]>;
  readonly values: { [Name in (typeof valued)[number]]?: string };
  readonly rules: RuleText[];
}

/**
 * Reads the options up to the first word that is none; from there on every word is the command's.
 * @returns the Problem `invalid` for an unknown option, a missing, surplus or unfit value, no command, or a contradiction
 */
export async function parseWrapOptions(words: readonly string[]): Promise<Invocation | Problem> {
  const invocation = parse(words, undefined);
  if (invocation !== "rules-wanted") return invocation;
  const withRules = parse(words, await import("../model/rule-table.ts"));
  if (withRules === "rules-wanted") throw new Error("the rules were there");
  return withRules;
}

/** @returns `rules-wanted` where an option is none of those without rules, and these are not there to be asked */
function parse(
  words: readonly string[],
  table: RuleWords | undefined,
): Invocation | Problem | "rules-wanted" {
  const given: Given = { flags: new Set(), values: {}, rules: [] };
  let at = 0;
  while (at < words.length) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-") break;
    at++;
    if (word === "--") break;
    const taken = takeOption(given, word, words[at], table);
    if (typeof taken !== "number") return taken;
    at += taken;
  }
  const command = words.slice(at);
  const { flags: asked, rules } = given;
  const { "--conf": confPath, "--on-passive": onPassive } = given.values;
  if (asked.has("--help")) return { kind: "help" };
  if (asked.has("--version")) return { kind: "version" };
  if (asked.has("--generate")) {
    if (asked.has("--explain") || asked.has("--shell") || onPassive !== undefined || rules.length > 0) {
      return invalid("--generate must stand alone, or with --conf: got other options as well");
    }
    if (command.length > 0) return invalid(`--generate runs no command: got ${quoted(command.join(" "))}`);
    return { kind: "generate", confPath };
  }
  if (onPassive !== undefined && onPassive !== "finish" && onPassive !== "stop") {
    return invalid(`--on-passive must be finish or stop: got ${quoted(onPassive)}`);
  }
  // Here and not only where a job runs: a slip in a crontab is to be told by the passive machines, too.
  const problem = table?.firstProblem(rules);
  if (problem !== undefined) return invalid(problem.message, problem.hint);
  if (command.length === 0)
    return invalid("no command given", "usage: rcron [options] command [args]; see rcron --help");
  const shell = asked.has("--shell") ? "joined" : undefined;
  const kind = asked.has("--explain") ? "explain" : "run";
  return { kind, words: command, confPath, shell, onPassive, rules };
}

/**
 * Adds one option to those given.
 * @param next the word behind it
 * @returns how many of the words behind it are its own: 0 or 1
 */
function takeOption(
  given: Given,
  word: string,
  next: string | undefined,
  table: RuleWords | undefined,
): number | Problem | "rules-wanted" {
  const [name = "", value] = splitOnce(word);
  const flag = flags.find((known) => known === name || (known === "--help" && name === "-h"));
  const own = valued.find((known) => known === name);
  if (flag === undefined && own === undefined && name !== "--as" && table === undefined)
    return "rules-wanted";
  const rule = flag === undefined ? table?.ruleKeys.find((key) => table.optionOf(key) === name) : undefined;
  const row = rule && table?.ruleOf(rule);
  const isTwice = rule !== undefined && row?.isRepeatable !== true && isGiven(given.rules, rule);
  if (flag !== undefined || (row !== undefined && row.value === undefined)) {
    if (value !== undefined) return invalid(`${flag ?? name} takes no value: got ${quoted(value)}`);
    if (isTwice) return givenTwice(name);
    if (flag !== undefined) given.flags.add(flag);
    if (rule !== undefined) given.rules.push({ key: rule, text: "yes", where: undefined });
    return 0;
  }
  if (name === "--as") {
    return invalid("--as must come first, with rcron, rcrond or rcronctl behind it");
  }
  if (own === undefined && rule === undefined) {
    const ruleNames = table?.ruleKeys.map((key) => table.optionOf(key)) ?? [];
    const near = nearestWord(name, [...flags, ...valued, ...ruleNames]);
    return invalid(`unknown option ${quoted(name)}`, near && `did you mean ${near}? ${seeHelp}`);
  }
  if (own === undefined ? isTwice : given.values[own] !== undefined) return givenTwice(name);
  const text = value ?? next;
  if (text === undefined || text === "") {
    const what = own === undefined ? row?.value : whatFollows[own];
    return invalid(`${name} must be followed by ${what}: got none`);
  }
  if (own !== undefined) given.values[own] = text;
  if (rule !== undefined) given.rules.push({ key: rule, text, where: undefined });
  return value === undefined ? 1 : 0;
}

function isGiven(rules: RuleLayer, asked: RuleKey): boolean {
  return rules.some(({ key }) => key === asked);
}

function givenTwice(name: string): Problem {
  return invalid(`${name} must be given once: got it twice`);
}

/** `--name=value` in its two parts. */
function splitOnce(word: string): readonly [name: string, value?: string] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

function invalid(rule: string, hint = seeHelp): Problem {
  return new Problem("invalid", rule, { hint });
}

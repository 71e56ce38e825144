/**
 * The options of `rcron`, all of them before the command.
 *
 * Own code and not a package: an option list with no abbreviations, no options behind the command and no help of its
 * own is this small table, and a package costs every `rcron --conf FILE` line more than the whole rest of the run
 * (docs/decisions/command-line.md).
 */
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";

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
}

const flags = ["--help", "--version", "--generate", "--explain", "--shell"] as const;
const valued = ["--conf"] as const;
const seeHelp = "rcron --help lists the options; a command that begins with a dash goes behind --";

/**
 * Reads the options up to the first word that is none; from there on every word is the command's.
 * @returns the Problem `invalid` for an unknown option, a missing or surplus value, no command, or a contradiction
 */
export function parseWrapOptions(words: readonly string[]): Invocation | Problem {
  const given = new Set<(typeof flags)[number]>();
  let confPath: string | undefined;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-") break;
    if (word === "--") {
      at++;
      break;
    }
    const [name = "", value] = splitOnce(word);
    const flag = flags.find((known) => known === name || (known === "--help" && name === "-h"));
    if (flag !== undefined) {
      if (value !== undefined) return invalid(`${flag} takes no value: got ${quoted(value)}`);
      given.add(flag);
    } else if (name === "--as") {
      return invalid("--as must come first, with rcron, rcrond or rcronctl behind it");
    } else if (name === "--conf") {
      if (confPath !== undefined) return invalid("--conf must be given once: got it twice");
      confPath = value ?? words[++at];
      if (confPath === undefined || confPath === "")
        return invalid("--conf must be followed by a file: got none");
    } else {
      const near = nearestWord(name, [...flags, ...valued]);
      return invalid(`unknown option ${quoted(name)}`, near && `did you mean ${near}? ${seeHelp}`);
    }
  }
  const command = words.slice(at);
  if (given.has("--help")) return { kind: "help" };
  if (given.has("--version")) return { kind: "version" };
  if (given.has("--generate")) {
    if (given.has("--explain") || given.has("--shell")) {
      return invalid("--generate must stand alone: got --explain or --shell as well");
    }
    if (command.length > 0) return invalid(`--generate runs no command: got ${quoted(command.join(" "))}`);
    return { kind: "generate", confPath };
  }
  if (command.length === 0)
    return invalid("no command given", "usage: rcron [options] command [args]; see rcron --help");
  const shell = given.has("--shell") ? "joined" : undefined;
  return { kind: given.has("--explain") ? "explain" : "run", words: command, confPath, shell };
}

/** `--name=value` in its two parts. */
function splitOnce(word: string): readonly [name: string, value?: string] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

function invalid(rule: string, hint = seeHelp): Problem {
  return new Problem("invalid", rule, { hint });
}

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
}

const flags = ["--help", "--version", "--generate", "--explain", "--shell"] as const;
const valued = ["--conf", "--on-passive"] as const;
const seeHelp = "rcron --help lists the options; a command that begins with a dash goes behind --";

/**
 * Reads the options up to the first word that is none; from there on every word is the command's.
 * @returns the Problem `invalid` for an unknown option, a missing or surplus value, no command, or a contradiction
 */
export function parseWrapOptions(words: readonly string[]): Invocation | Problem {
  const given = new Set<(typeof flags)[number]>();
  const values: { [Name in (typeof valued)[number]]?: string } = {};
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
    } else if (name === "--conf" || name === "--on-passive") {
      if (values[name] !== undefined) return invalid(`${name} must be given once: got it twice`);
      const given = value ?? words[++at];
      if (given === undefined || given === "") {
        return invalid(
          `${name} must be followed by ${name === "--conf" ? "a file" : "finish or stop"}: got none`,
        );
      }
      values[name] = given;
    } else {
      const near = nearestWord(name, [...flags, ...valued]);
      return invalid(`unknown option ${quoted(name)}`, near && `did you mean ${near}? ${seeHelp}`);
    }
  }
  const command = words.slice(at);
  const { "--conf": confPath, "--on-passive": onPassive } = values;
  if (given.has("--help")) return { kind: "help" };
  if (given.has("--version")) return { kind: "version" };
  if (given.has("--generate")) {
    if (given.has("--explain") || given.has("--shell") || onPassive !== undefined) {
      return invalid("--generate must stand alone: got --explain, --shell or --on-passive as well");
    }
    if (command.length > 0) return invalid(`--generate runs no command: got ${quoted(command.join(" "))}`);
    return { kind: "generate", confPath };
  }
  if (onPassive !== undefined && onPassive !== "finish" && onPassive !== "stop") {
    return invalid(`--on-passive must be finish or stop: got ${quoted(onPassive)}`);
  }
  if (command.length === 0)
    return invalid("no command given", "usage: rcron [options] command [args]; see rcron --help");
  const shell = given.has("--shell") ? "joined" : undefined;
  return { kind: given.has("--explain") ? "explain" : "run", words: command, confPath, shell, onPassive };
}

/** `--name=value` in its two parts. */
function splitOnce(word: string): readonly [name: string, value?: string] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

function invalid(rule: string, hint = seeHelp): Problem {
  return new Problem("invalid", rule, { hint });
}

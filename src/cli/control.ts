/**
 * `rcronctl`: asks and steers. Its words are one table: what is parsed, what `--help` says and what the shells
 * complete come from it; state-words.ts, record-words.ts and daemon-words.ts have its parts.
 *
 * Exit statuses: 0 done, or yes; 1 it failed, or no; 2 wrong use.
 */
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given, Vocabulary, Word } from "./control-word.ts";
import { daemonWords } from "./daemon-words.ts";
import { recordWords } from "./record-words.ts";
import { print } from "./standard-output.ts";
import { stateWords } from "./state-words.ts";
import { fail, refuse } from "./terminal.ts";
import { version } from "./version.ts";

const vocabulary: Vocabulary = { ...stateWords, ...recordWords, ...daemonWords };

/**
 * Runs `rcronctl`.
 * @returns the exit status
 */
export async function control(words: readonly string[]): Promise<number> {
  const [first, ...rest] = words;
  if (first === "--version" && rest.length === 0) {
    await print(`rcronctl ${version}\n`);
    return 0;
  }
  if (first === "--help" || first === "-h") {
    await print(help());
    return 0;
  }
  const [name, given] = splitWord(words);
  const word = Object.hasOwn(vocabulary, name) ? vocabulary[name] : undefined;
  if (word === undefined) return refuse("rcronctl", unknownWord(first));
  if (given.includes("--help") || given.includes("-h")) {
    await print(helpFor(name, word));
    return 0;
  }
  const parsed = parseOptions(name, word, given);
  if (parsed instanceof Problem) return refuse("rcronctl", parsed);
  const status = await word.run(parsed);
  if (typeof status === "number") return status;
  return status.code === "invalid" && status.where === undefined
    ? refuse("rcronctl", status)
    : fail("rcronctl", status);
}

/** The longest name of the table that the words begin with, and the words behind it. */
function splitWord(words: readonly string[]): [name: string, rest: readonly string[]] {
  const two = words.slice(0, 2).join(" ");
  return Object.hasOwn(vocabulary, two) ? [two, words.slice(2)] : [words[0] ?? "", words.slice(1)];
}

function parseOptions(name: string, word: Word, words: readonly string[]): Given | Problem {
  const options: Record<string, string | true> = {};
  const others: string[] = [];
  const invalid = (rule: string, near?: string) =>
    new Problem("invalid", rule, {
      hint: `${near === undefined ? "" : `did you mean ${near}? `}rcronctl ${name} --help`,
    });
  for (let at = 0; at < words.length; at++) {
    const text = words[at] ?? "";
    if (text === "--") {
      others.push(...words.slice(at + 1));
      break;
    }
    if (!text.startsWith("-") || text === "-") {
      others.push(text);
      continue;
    }
    const equals = text.indexOf("=");
    const key = (equals < 0 ? text : text.slice(0, equals)).replace(/^--/, "");
    const option = Object.hasOwn(word.options, key) ? word.options[key] : undefined;
    if (option === undefined) {
      const near = nearestWord(
        `--${key}`,
        Object.keys(word.options).map((each) => `--${each}`),
      );
      return invalid(`unknown option ${quoted(equals < 0 ? text : text.slice(0, equals))}`, near);
    }
    if (options[key] !== undefined) return invalid(`--${key} must be given once: got it twice`);
    const inline = equals < 0 ? undefined : text.slice(equals + 1);
    if (option.value === undefined) {
      if (inline !== undefined) return invalid(`--${key} takes no value: got ${quoted(inline)}`);
      options[key] = true;
      continue;
    }
    const value = inline ?? words[++at];
    if (value === undefined || value === "")
      return invalid(`--${key} must be followed by ${option.value}: got none`);
    options[key] = value;
  }
  return { options, words: others };
}

function help(): string {
  const rows = Object.entries(vocabulary).map(([name, { usage, summary }]) => {
    return `  rcronctl ${name}${usage === "" ? "" : ` ${usage}`}\n      ${summary}\n`;
  });
  return `Usage: rcronctl WORD [options]

Asks and steers rcron on this machine.

${rows.join("")}
  rcronctl WORD --help    all about one of them
  rcronctl --version

Exit status: 0 done, or yes; 1 it failed, or no; 2 wrong use.
`;
}

function helpFor(name: string, { usage, about, options }: Word): string {
  const rows = Object.entries(options).map(([key, { value, help: text }]): [string, string] => [
    `--${key}${value === undefined ? "" : ` ${value}`}`,
    text,
  ]);
  const width = Math.max(...rows.map(([option]) => option.length)) + 2;
  return `Usage: rcronctl ${name} [options]${usage === "" ? "" : ` ${usage}`}

${about}
${rows.map(([option, text]) => `  ${option.padEnd(width)}${text}\n`).join("")}`;
}

function unknownWord(word: string | undefined): Problem {
  const hint = "rcronctl --help lists the words";
  if (word === undefined) return new Problem("invalid", "no word given", { hint });
  const near = nearestWord(word, Object.keys(vocabulary));
  return new Problem("invalid", `unknown word ${quoted(word)}`, {
    hint: near === undefined ? hint : `did you mean ${near}? ${hint}`,
  });
}

/** The words and options of the built program, read from its own help: what manual pages and completions must know. */
import { binary, run } from "../support/program.ts";

/** Options by word; `""` is the face itself. Each with its two dashes, sorted. */
export type Vocabulary = ReadonlyMap<string, readonly string[]>;

const helpOf = async (face: string, ...words: string[]) =>
  (await run([binary, "--as", face, ...words, "--help"])).stdout;

const optionsIn = (help: string) =>
  [...help.matchAll(/^ {2}(?:rcronctl )?(--[a-zA-Z-]+)/gm)].map(([, option = ""]) => option);

/** The options of `rcron`. */
export async function prefixOptions(): Promise<string[]> {
  return optionsIn(await helpOf("rcron")).sort();
}

/** The options of `rcrond`. */
export async function schedulerOptions(): Promise<string[]> {
  return optionsIn(await helpOf("rcrond")).sort();
}

/** The words of `rcronctl`, such as `state set`, and the options of each. */
export async function controlVocabulary(): Promise<Vocabulary> {
  const help = await helpOf("rcronctl");
  const vocabulary = new Map<string, string[]>([["", [...optionsIn(help), "--help"].sort()]]);
  for (const [, row = ""] of help.matchAll(/^ {2}rcronctl (.+)$/gm)) {
    const parts = row.split(" ");
    const end = parts.findIndex((part) => !/^[a-z]+$/.test(part));
    const word = parts.slice(0, end < 0 ? parts.length : end).join(" ");
    if (word !== "") {
      vocabulary.set(word, [...optionsIn(await helpOf("rcronctl", ...word.split(" "))), "--help"].sort());
    }
  }
  return vocabulary;
}

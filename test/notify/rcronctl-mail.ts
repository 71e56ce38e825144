/**
 * `rcronctl mail …` without the rest of rcronctl: what tests start as a sender of its own.
 */
import { mail } from "../../src/cli/mail.ts";
import { Problem } from "../../src/model/problem.ts";

const flags = ["json", "quiet"];
const options: Record<string, string | true> = {};
const words: string[] = [];
const given = process.argv.slice(2);
if (given[0] === "mail") given.shift();
for (let at = 0; at < given.length; at++) {
  const word = given[at] ?? "";
  if (!word.startsWith("--")) words.push(word);
  else if (flags.includes(word.slice(2))) options[word.slice(2)] = true;
  else options[word.slice(2)] = given[++at] ?? "";
}
mail({ options, words }).then((status) => {
  if (status instanceof Problem)
    console.error(`rcronctl: ${status.message}${status.hint ? `\nhint: ${status.hint}` : ""}`);
  process.exit(typeof status === "number" ? status : status.code === "invalid" ? 2 : 1);
});

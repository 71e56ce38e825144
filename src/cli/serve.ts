/**
 * `rcrond`: the scheduler. So far it knows its name and its version.
 */
import { plainFace } from "./plain-face.ts";

const help = `Usage: rcrond [--help | --version]

The scheduler of rcron. It is not there yet: this version has the prefix, rcron,
which works with the cron that the machine has.
`;

/** @returns the exit status */
export function serve(words: readonly string[]): Promise<number> {
  return plainFace("rcrond", help, words);
}

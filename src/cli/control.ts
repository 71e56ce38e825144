/**
 * `rcronctl`: asks and steers. So far it knows its name and its version.
 */
import { plainFace } from "./plain-face.ts";

const help = `Usage: rcronctl [--help | --version]

The operator's command of rcron. It has no words yet: this version has the
prefix, rcron. rcron --explain COMMAND says what would happen on this machine.
`;

/** @returns the exit status */
export function control(words: readonly string[]): Promise<number> {
  return plainFace("rcronctl", help, words);
}

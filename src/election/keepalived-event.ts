/**
 * The lines that keepalived writes to its notify FIFO, which are also the words that it gives to a notify script:
 *
 *     INSTANCE "RCRON" MASTER 100
 *     GROUP "G" BACKUP 0
 */
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { State } from "../model/state.ts";

/** A change of state that keepalived tells. */
export interface KeepalivedEvent {
  readonly kind: "INSTANCE" | "GROUP";
  readonly name: string;
  /** As keepalived writes it: `MASTER`, `BACKUP`, `FAULT`, … */
  readonly state: string;
  /** The word that follows from it. */
  readonly word: State;
  /** True where it is a new decision though the word may be the same: another machine was master meanwhile. */
  readonly isNewTerm: boolean;
}

const words: Readonly<Record<string, State>> = {
  MASTER: "active",
  // The machine that stays master after a split is told nothing else; nor this, where the other one hears it first.
  MASTER_RX_LOWER_PRI: "active",
  MASTER_PRIORITY: "active",
  BACKUP: "passive",
  BACKUP_PRIORITY: "passive",
  FAULT: "passive",
  STOP: "passive",
  DELETED: "passive",
};

/**
 * Reads a line of the FIFO. Pure and total.
 * @returns undefined for a line about something else (virtual and real servers, an empty line); a Problem (`invalid`)
 *   for one that must not be guessed at
 */
export function parseKeepalivedEvent(line: string): KeepalivedEvent | Problem | undefined {
  const trimmed = line.trim();
  if (trimmed === "" || /^(VS|RS) /.test(trimmed)) return undefined;
  const [, kind, name, bareName, state = ""] =
    /^(INSTANCE|GROUP)\s+(?:"([^"]+)"|([^"\s]+))\s+([A-Z_]+)(?:\s+\d+)?$/.exec(trimmed) ?? [];
  if (kind !== "INSTANCE" && kind !== "GROUP") {
    return new Problem("invalid", `a line must be TYPE "NAME" STATE PRIORITY: got ${quoted(trimmed)}`);
  }
  const word = Object.hasOwn(words, state) ? words[state] : undefined;
  if (word === undefined) {
    const known = Object.keys(words).join(", ");
    return new Problem("invalid", `a state must be one of ${known}: got ${quoted(trimmed)}`);
  }
  return { kind, name: name ?? bareName ?? "", state, word, isNewTerm: state === "MASTER_RX_LOWER_PRI" };
}

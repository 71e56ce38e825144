/**
 * What became of a job that a program took on its standard input, from all that can be known here: what the script has said, how
 * the program ended, and whether it has taken the whole script at all.
 */
import type { Outcome } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { signalName } from "../model/signal-name.ts";
import type { ScriptMark } from "./job-script.ts";
import { notExecuted, notStarted, outcomeOf } from "./ssh/remote-end.ts";

/** All that is known when a program has ended, or is not waited for any more. */
export interface CommandFacts {
  /** The node's name. */
  readonly host: string;
  readonly words: readonly [program: string, ...args: string[]];
  /** Where the job was to start; undefined: where the program puts it. */
  readonly workingFolder: string | undefined;
  /** How the program itself ended; undefined where it goes on though the job has ended. */
  readonly program: Outcome | undefined;
  readonly wasStopped: boolean;
  readonly hasBegun: boolean;
  /** The first thing that was said of the job's end. */
  readonly verdict: ScriptMark | undefined;
  /** False where some of the script was never taken: then nobody has all of it, and nobody ever will. */
  readonly wasTaken: boolean;
  /** The last line that the program printed before the job began; empty where there is none. */
  readonly lastLine: string;
}

/** What is said of it. */
export interface CommandEnd {
  readonly outcome: Outcome;
  /** Why the outcome is not known; undefined where it is. */
  readonly sentence?: string;
}

/** By these a program like `docker exec` says that there was no shell; nothing else of the script has them. */
const noShell = [126, 127];

/**
 * - What the script says of the end counts; how the program ended counts for nothing then, as many have statuses of their own.
 * - Who stopped the program knows why it says nothing.
 * - A job that began and has no end that anybody told: `unseen`. The connection was lost, or the shell was killed.
 * - Where nothing was heard, it is proved that nothing ran if not all of the script was taken, or if the program says that it
 *   found no shell. Without such proof the job may run there, and its first word was lost: `unseen`.
 */
export function endOfCommand(facts: CommandFacts): CommandEnd {
  const { host, words, workingFolder, program, verdict, hasBegun, wasStopped, wasTaken, lastLine } = facts;
  if (verdict?.kind === "ended") return { outcome: outcomeOf(verdict.status) };
  if (program?.kind === "not-started") {
    const { message, hint } = program.problem;
    const details = { cause: program.problem, ...(hint !== undefined && { hint }) };
    return { outcome: notStarted(new Problem("unreachable", `${host}: ${message}`, details)) };
  }
  if (wasStopped && program !== undefined) return { outcome: program };
  if (verdict?.kind === "not-started") return { outcome: notExecuted(verdict, host, workingFolder) };

  const ended = `the program ${printable(words[0])} ended with ${statusOf(program)}`;
  if (hasBegun) {
    return { outcome: { kind: "unseen" }, sentence: `${host}: ${ended} before it told how the job ended` };
  }
  const said = lastLine === "" ? "" : `: ${lastLine}`;
  if (!wasTaken || (program?.kind === "exited" && noShell.includes(program.exitCode))) {
    const rule = `${host}: ${ended} before the job was started${said}`;
    return { outcome: notStarted(new Problem("unreachable", rule, { hint: handHint(words) })) };
  }
  const sentence = `${host}: ${ended} when it had taken the job, and nobody told that it was started${said}`;
  return { outcome: { kind: "unseen" }, sentence };
}

function statusOf(program: Outcome | undefined): string {
  if (program?.kind === "signalled") return signalName(program.signal);
  return program?.kind === "exited" ? `exit status ${program.exitCode}` : "a status that nobody knows";
}

/** The same program, with a job that a person can read. */
function handHint(words: readonly string[]): string {
  const shown = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${printable(word).replaceAll("'", `'\\''`)}'`,
  );
  return `echo hostname | ${shown.join(" ")}`;
}

/**
 * The job: what is run, and with what around it. A command behind the prefix is a job without a schedule.
 */
import { Problem } from "./problem.ts";

/** What is handed to the system: words as they stand, or a line for the shell. */
export type Command =
  | { readonly kind: "words"; readonly words: readonly [program: string, ...args: string[]] }
  | { readonly kind: "shell"; readonly line: string };

/** What is run here, now. */
export interface Job {
  readonly name: string;
  readonly command: Command;
  /** Set for the job on top of the environment it inherits. */
  readonly environment: readonly Assignment[];
  /** Absolute priority, -20…19. */
  readonly niceLevel: number;
  /** What it can read on its standard input; undefined: what the caller left there. */
  readonly stdin?: string | undefined;
}

/** What a job is told of its run, so that it can fence its own writes and know its own kind. */
export interface RunFacts {
  readonly cluster: string;
  /** Grows with every change of state; 0 where the state file tells none. */
  readonly stateEpoch: number;
  readonly runId: string;
  /** When the run was due, or the moment of its start. */
  readonly dueAtMs: number;
  /** How exactly that is known; undefined: to the minute, for that is all that cron tells. */
  readonly dueUnitMs?: 1000 | 60_000;
}

/** The facts as the job's environment has them. */
export function environmentOf({
  cluster,
  stateEpoch,
  runId,
  dueAtMs,
  dueUnitMs = 60_000,
}: RunFacts): Assignment[] {
  const tick = new Date(dueAtMs - (dueAtMs % dueUnitMs)).toISOString().slice(0, "2026-11-21T03:00:00".length);
  return [
    { name: "RCRON_CLUSTER", value: cluster },
    { name: "RCRON_STATE_EPOCH", value: String(stateEpoch) },
    { name: "RCRON_RUN_ID", value: runId },
    { name: "RCRON_TICK", value: `${tick}Z` },
  ];
}

/** `NAME=value`. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
}

/*
 * To make an expression ready costs a job's start 0.05 to 0.1 ms each, so that here they stand behind what is cheaper.
 */
const shellCharacters = "|&;<>()$`\\\"'*?[]{}~#";
const otherBlank = /\s/;
const assignment = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;

/** What makes a single word a line for the shell: a blank, or a character that means something to it. */
function isForShell(word: string): boolean {
  let isPlain = true;
  for (let at = 0; at < word.length; at++) {
    const code = word.charCodeAt(at);
    if (code > 0x7e) isPlain = false;
    else if (code === 0x20 || (code >= 0x09 && code <= 0x0d) || shellCharacters.includes(word[at] ?? ""))
      return true;
  }
  return !isPlain && otherBlank.test(word);
}

/**
 * Makes a command of the words behind the prefix.
 *
 * - Leading `NAME=value` words set the environment.
 * - Several words are run as they are: nothing is split, expanded or quoted again.
 * - A single word that holds blanks or shell characters is a line for `/bin/sh -c`.
 * - With `joined`, everything is joined with blanks for `/bin/sh -c`. There, and in a single word, assignments are the
 *   shell's own business.
 *
 * @returns the Problem `invalid` where no command is left
 * @see docs/compatibility.md "the command"
 */
export function parseCommand(
  words: readonly string[],
  shell: "words" | "joined",
): Pick<Job, "name" | "command" | "environment"> | Problem {
  const [first] = words;
  if (first !== undefined && (shell === "joined" || (words.length === 1 && isForShell(first)))) {
    const line = words.join(" ");
    return { name: nameOf(line), command: { kind: "shell", line }, environment: [] };
  }
  const environment: Assignment[] = [];
  for (const word of words) {
    if (!word.includes("=")) break;
    const [, name, value] = assignment.exec(word) ?? [];
    if (name === undefined || value === undefined) break;
    environment.push({ name, value });
  }
  const [program, ...args] = words.slice(environment.length);
  if (program === undefined) {
    return new Problem("invalid", "no command given", {
      hint: "put one behind the options: rcron my-job --its-option",
    });
  }
  const isLine = args.length === 0 && isForShell(program);
  const command: Command = isLine
    ? { kind: "shell", line: program }
    : { kind: "words", words: [program, ...args] };
  return { name: nameOf(program), command, environment };
}

/** The words that are executed: the command's own, or the shell's. */
export function argvOf(command: Command): readonly [program: string, ...args: string[]] {
  return command.kind === "words" ? command.words : ["/bin/sh", "-c", command.line];
}

/**
 * The PATH in which the job's program is searched: as env(1) does it, the job's own.
 * @param inherited this process's PATH
 * @returns undefined if neither is set
 */
export function searchPathOf(
  job: Pick<Job, "environment">,
  inherited: string | undefined,
): string | undefined {
  return job.environment.findLast(({ name }) => name === "PATH")?.value ?? inherited;
}

/** The base name of the first word of a command that is no assignment: what a job is called that has no other name. */
function nameOf(command: string): string {
  const isWord = !command.includes("=") && !isForShell(command);
  const program = isWord
    ? command
    : (command.split(/\s/).find((word) => word !== "" && !assignment.test(word)) ?? "");
  return program.slice(program.lastIndexOf("/") + 1) || "job";
}

/**
 * What is said to the person: on standard error, which cron mails.
 *
 * The voice: `NAME: warning: …` and `NAME: …` for what ended the run; lower case, the rule and then the value, no full
 * stop. A hint is one thing to do now, on a line of its own. Nothing is said about a run that goes well.
 */
import type { Conf } from "../gate/gate.ts";
import { printable } from "../model/printable.ts";
import type { Problem } from "../model/problem.ts";
import type { Syslog } from "../system/syslog.ts";

/** The exit status of rcron's own failure, so that it is not taken for the job's. @see docs/compatibility.md "exit status" */
export const ownFailure = 125;
/** The exit status of rcronctl where it could not do what it was asked, or the answer is no. */
export const failed = 1;
/** The exit status of rcronctl and rcrond for wrong use. */
export const wrongUse = 2;

/**
 * Warnings go to the person, by cron's mail, and to the log. @see docs/compatibility.md "warnings"
 * @param program the name this program was called by
 */
export function sayWarnings(program: string, warnings: readonly string[], conf: Conf, log: Syslog): void {
  for (const warning of warnings) {
    say(program, `warning: ${warning}`);
    log.log(conf.syslogFacility, "LOG_WARNING", `warning: ${warning}`);
  }
}

/**
 * What ended the run.
 * @param program the name this program was called by
 */
export function complain(program: string, problem: Problem): void {
  say(program, problem.message);
  if (problem.hint !== undefined) say(program, `hint: ${problem.hint}`);
}

/**
 * One line on standard error. Not by the console, which colours it on a terminal, and in a cron mail with FORCE_COLOR.
 * @param program the name this program was called by
 * @param line printable
 */
export function say(program: string, line: string): void {
  try {
    process.getBuiltinModule("node:fs").writeSync(2, `${printable(program)}: ${line}\n`);
  } catch {
    // Nobody listens (closed, full or broken); the log has it too, and the job comes first.
  }
}

/** Says what was wrong with the words. @returns {@link wrongUse} */
export function refuse(program: string, problem: Problem): number {
  complain(program, problem);
  return wrongUse;
}

/** Says why it could not be done. @returns {@link failed} */
export function fail(program: string, problem: Problem): number {
  complain(program, problem);
  return failed;
}

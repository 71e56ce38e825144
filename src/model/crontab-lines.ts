/**
 * The lines of a crontab, cut into their parts as Debian's cron cuts them. What the parts mean is for others to say: the
 * scheduler, which runs them, and the doctor, which looks at what some cron runs.
 */

/** A line that is no comment and not empty. */
export type CrontabRow = CrontabAssignment | CrontabEntry | BrokenRow;

/** `NAME = value`. */
export interface CrontabAssignment {
  readonly kind: "assignment";
  /** From 1. */
  readonly line: number;
  readonly name: string;
  readonly value: string;
}

/** A line that starts something. */
export interface CrontabEntry {
  readonly kind: "entry";
  readonly line: number;
  /** Five fields with single blanks between, or an @word; not looked at. */
  readonly time: string;
  /** Of a system crontab's line. */
  readonly user: string | undefined;
  /** What the shell gets: everything up to the first `%` that has no backslash. */
  readonly command: string;
  /** True if there is such a `%`. */
  readonly hasInput: boolean;
  /** What follows it, as the command reads it; undefined where nothing does. */
  readonly stdin: string | undefined;
  /** How many characters the command has as it is written, its input included. */
  readonly writtenLength: number;
}

/** A line that is neither. */
export interface BrokenRow {
  readonly kind: "broken";
  readonly line: number;
  /** Without the blanks before it. */
  readonly text: string;
  /** What a line must have, and this one has not. */
  readonly lacks: "time" | "user" | "command";
}

/**
 * Reads the lines. Pure and total; a carriage return at a line's end is left out.
 * @param hasUsers each line names its user behind the time, as in /etc/crontab and /etc/cron.d
 * @see crontab(5)
 */
export function readCrontabLines(text: string, hasUsers: boolean): CrontabRow[] {
  const rows: CrontabRow[] = [];
  for (const [index, written] of text.split("\n").entries()) {
    const row = written.replace(/\r$/, "").replace(/^[ \t]+/, "");
    if (row === "" || row.startsWith("#")) continue;
    const line = index + 1;
    const assignment = readAssignment(row);
    rows.push(
      assignment === undefined ? readEntry(row, line, hasUsers) : { kind: "assignment", line, ...assignment },
    );
  }
  return rows;
}

const assignmentForm = /^(?:"([^"=]*)"|'([^'=]*)'|([^\s=]*))\s*=\s*(.*)$/s;

/**
 * A value in quotes ends with them, and nothing may follow; in any other the quotes are its own. Blanks at its end are left
 * out, even those in quotes, whatever crontab(5) says: Debian's cron was asked.
 */
function readAssignment(row: string): { name: string; value: string } | undefined {
  const [, double, single, plain, value] = assignmentForm.exec(row) ?? [];
  const name = double ?? single ?? plain;
  if (name === undefined || name === "" || value === undefined) return undefined;
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return { name, value: value.trimEnd() };
  const close = value.indexOf(quote, 1);
  if (close < 0 || value.slice(close + 1).trim() !== "") return undefined;
  return { name, value: value.slice(1, close).trimEnd() };
}

function readEntry(row: string, line: number, hasUsers: boolean): CrontabEntry | BrokenRow {
  const time = /^(?:-?@\S+|\S+(?:[ \t]+\S+){4})(?=[ \t]|$)/.exec(row)?.[0];
  if (time === undefined) return { kind: "broken", line, text: row, lacks: "time" };
  let rest = row.slice(time.length).replace(/^[ \t]+/, "");
  let user: string | undefined;
  if (hasUsers) {
    user = /^\S+/.exec(rest)?.[0];
    if (user === undefined) return { kind: "broken", line, text: row, lacks: "user" };
    rest = rest.slice(user.length).replace(/^[ \t]+/, "");
  }
  if (rest === "") return { kind: "broken", line, text: row, lacks: "command" };
  const fields = time.replace(/[ \t]+/g, " ");
  return { kind: "entry", line, time: fields, user, ...cutInput(rest), writtenLength: rest.length };
}

/**
 * In the command, `\%` is a percent sign and a doubled backslash is one; in its input, `\%` is a percent sign, any other
 * backslash stays, a plain `%` ends a line, and the last line is ended where it is not.
 */
function cutInput(rest: string): Pick<CrontabEntry, "command" | "hasInput" | "stdin"> {
  let end = 0;
  while (end < rest.length && rest[end] !== "%") end += rest[end] === "\\" ? 2 : 1;
  const command = rest.slice(0, end).replace(/\\([%\\])/g, "$1");
  const hasInput = end < rest.length;
  if (end >= rest.length - 1) return { command, hasInput, stdin: undefined };
  const stdin = rest.slice(end + 1).replace(/\\%|%/g, (found) => (found === "%" ? "\n" : "%"));
  return { command, hasInput, stdin: stdin.endsWith("\n") ? stdin : `${stdin}\n` };
}

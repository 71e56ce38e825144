/**
 * Crontabs as Debian's cron reads them, made into jobs. Pure and total.
 *
 * Where this differs from Debian's cron, it is because a line is lost there without anybody meaning it: a last line without
 * its newline is read, with a warning; a command is not cut or refused for its length; `CRON_TZ` is cronie's.
 * As there, one bad line makes the whole file bad, so that no half of a file runs. docs/jobs.md has the table.
 */

import {
  type BrokenRow,
  type CrontabAssignment,
  type CrontabEntry,
  readCrontabLines,
} from "../model/crontab-lines.ts";
import type { Assignment, Command } from "../model/job.ts";
import { isAbsolutePath, isMailAddress } from "../model/output-rule.ts";
import { type Placement, parsePlacement } from "../model/placement.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { proveRules } from "../model/rule-table.ts";
import type { OutputRule, Rules } from "../model/rules.ts";
import type { Schedule, Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { findZone } from "../schedule/schedule.ts";
import { equalValues } from "./equal-values.ts";
import { type FileReading, type JobTerms, placed, readExpression, sortByLine } from "./file-reading.ts";
import { namesOfLines } from "./job-names.ts";
import { placedRules } from "./placed-rules.ts";

/** Which crontab it is. */
export interface CrontabKind {
  /** How messages name it. */
  readonly path: string;
  /** What its jobs' names begin with. */
  readonly prefix: string;
  /** `column`: each line names its user; else whose crontab it is, undefined for the one who runs `rcrond`. */
  readonly user: { readonly kind: "column" } | { readonly kind: "owner"; readonly name: string | undefined };
}

/** Debian's cron refuses longer commands. */
const longestCommand = 998;

/** What the lines above one have set. */
interface Settings {
  readonly environment: readonly Assignment[];
  readonly zone: Zone | undefined;
  readonly placement: Placement | undefined;
}

/** A line with what is above it. */
interface SetEntry {
  readonly entry: CrontabEntry;
  readonly settings: Settings;
}

/** Reads a crontab. @see crontab(5) */
export function parseCrontabFile(text: string, kind: CrontabKind, terms: JobTerms): FileReading {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const whereOf = (line: number) => `${kind.path}:${line}`;
  const warn = (line: number, rule: string, hint?: string) =>
    warnings.push(
      new Problem("invalid", rule, { where: whereOf(line), ...(hint !== undefined && { hint }) }),
    );

  if (text.includes("\0")) {
    return {
      jobs: [],
      problems: [new Problem("invalid", "a crontab must be text, without NUL", { where: kind.path })],
      warnings,
    };
  }
  const entries: SetEntry[] = [];
  let settings: Settings = { environment: cronEnvironment, zone: undefined, placement: undefined };
  const rows = readCrontabLines(text, kind.user.kind === "column");
  for (const row of rows) {
    if (row.kind === "broken") problems.push(brokenRow(row, whereOf(row.line)));
    else if (row.kind === "entry") {
      entries.push({ entry: row, settings });
      if (row.writtenLength > longestCommand) {
        warn(
          row.line,
          `Debian's cron refuses a command of more than ${longestCommand} characters: this one has ${row.writtenLength}`,
        );
      }
    } else {
      const changed = assigned(settings, row, whereOf(row.line), warn);
      if (changed instanceof Problem) problems.push(changed);
      else settings = changed;
    }
  }
  warnOfEnds(text, rows.at(-1)?.line, warn);

  const names = namesOfLines(
    kind.prefix,
    entries.map(({ entry }) => entry),
  );
  const jobs: ScheduledJob[] = [];
  for (const [index, entry] of entries.entries()) {
    const job = jobOf(entry, names[index] ?? "", kind, terms);
    if (job instanceof Problem) problems.push(job);
    else jobs.push(job);
  }
  sortByLine(problems);
  return { jobs: problems.length > 0 ? [] : jobs, problems, warnings };
}

const sameOutputs = equalValues<Rules["outputs"]>();

/** What cron sets before it reads the first line. */
const cronEnvironment: readonly Assignment[] = [
  { name: "SHELL", value: "/bin/sh" },
  { name: "PATH", value: "/usr/bin:/bin" },
];

type Warn = (line: number, rule: string, hint?: string) => void;

function assigned(
  settings: Settings,
  { name, value, line }: CrontabAssignment,
  where: string,
  warn: Warn,
): Settings | Problem {
  const { environment } = settings;
  if (name === "LOGNAME") {
    warn(line, "LOGNAME can't be set: as in Debian's cron, it is the name of the job's user");
    return settings;
  }
  if ((name === "SHELL" || name === "HOME") && !isAbsolutePath(value)) {
    return new Problem("invalid", `${name} must be an absolute path: got ${quoted(value)}`, { where });
  }
  const changed = [...environment.filter((each) => each.name !== name), { name, value }];
  if (name === "MAILTO" && addressesOf(value) === undefined) {
    warn(
      line,
      `MAILTO must be addresses with commas between them: got ${quoted(value)}`,
      "until then mail goes to each job's user",
    );
  }
  if (name === "CRON_TZ") {
    const zone = value === "" ? undefined : findZone(value);
    return zone instanceof Problem
      ? placed(zone, where, "CRON_TZ: ")
      : { ...settings, environment: changed, zone };
  }
  if (name === "RCRON_ON") {
    const placement = value === "" ? undefined : parsePlacement(value, "RCRON_ON ");
    return placement instanceof Problem
      ? placed(placement, where)
      : { ...settings, environment: changed, placement };
  }
  return { ...settings, environment: changed };
}

function jobOf(
  { entry, settings }: SetEntry,
  name: string,
  kind: CrontabKind,
  terms: JobTerms,
): ScheduledJob | Problem {
  const where = `${kind.path}:${entry.line}`;
  const { environment, placement } = settings;
  const schedule = scheduleOf(entry, settings, where);
  if (schedule instanceof Problem) return schedule;
  if (entry.command.trim() === "") {
    return new Problem("invalid", "a line must have a command before its input", { where });
  }
  const user = kind.user.kind === "column" ? entry.user : kind.user.name;
  const account = user === undefined ? undefined : terms.findUser?.(user);
  if (user !== undefined && terms.findUser !== undefined && account === undefined) {
    // Where the user was forgotten, this is the command's first word, and may be a password on its way to it.
    const got = user.includes("=")
      ? `${quoted(user.slice(0, user.indexOf("=")))} with a value`
      : quoted(user);
    const rule = `the user of a line must be one of this machine: got ${got}`;
    return new Problem("invalid", rule, {
      where,
      hint: "in a crontab that belongs to root, a user's name stands before the command",
    });
  }
  // The prefix reads the sections itself, and must not find them in force already.
  const isPrefixed = /^(?:\S*\/)?rcron(?:\s|$)/.test(entry.command);
  const { sections } = isPrefixed ? {} : terms;
  const layers = [sections?.jobs.get(name) ?? [], sections?.defaults ?? []];
  const proven = proveRules(layers);
  if (proven instanceof Problem) return proven;
  const mailTo = settingOf(environment, "MAILTO");
  const hasOutputs = layers.some((layer) => layer.some(({ key }) => key === "output"));
  const home = account === "unknown" ? undefined : account?.home;
  const rules: Rules = {
    ...proven,
    name,
    user: user ?? proven.user,
    workingFolder: proven.workingFolder ?? settingOf(environment, "HOME") ?? (home || undefined),
    outputs: sameOutputs(hasOutputs ? proven.outputs : outputsOf(mailTo, user, terms.mailTo)),
  };
  return {
    name,
    source: { path: kind.path, line: entry.line },
    command: commandOf(entry.command, settingOf(environment, "SHELL")),
    environment,
    stdin: entry.stdin,
    rules,
    schedule,
    // On nodes, a line is the cluster's: two schedulers would each send it there.
    isCluster: placement !== undefined,
    missed: "skip",
    startDeadlineMs: undefined,
    description: undefined,
    mailTo,
    ...(placement !== undefined && placedRules(placement, rules, layers)),
  };
}

function scheduleOf({ time }: CrontabEntry, { zone }: Settings, where: string): Schedule | Problem {
  const expression = readExpression(time);
  if (expression instanceof Problem) return placed(expression, where);
  return expression === "reboot" ? { kind: "reboot" } : { kind: "cron", expression, zone };
}

function commandOf(line: string, shell: string | undefined): Command {
  return shell === undefined || shell === "/bin/sh"
    ? { kind: "shell", line }
    : { kind: "words", words: [shell, "-c", line] };
}

/** Output is mailed to MAILTO, to nobody where that is empty, and to the job's user where it is not set. */
function outputsOf(mailTo: string | undefined, user: string | undefined, byDefault: string): OutputRule[] {
  if (mailTo === "") return [{ isIfError: false, sink: { kind: "file", path: "/dev/null" } }];
  const owner = user === undefined ? byDefault : `${user}@localhost`;
  const receivers = addressesOf(mailTo ?? "") ?? [];
  return (receivers.length === 0 ? [owner] : receivers).map((address) => ({
    isIfError: false,
    sink: { kind: "mail", address },
  }));
}

/** @returns undefined where one of them is none; a name without a host is one of this machine */
function addressesOf(mailTo: string): string[] | undefined {
  const written = mailTo.split(",").map((each) => each.trim());
  const addresses = written
    .filter((each) => each !== "")
    .map((each) => (each.includes("@") ? each : `${each}@localhost`));
  return addresses.every(isMailAddress) ? addresses : undefined;
}

function settingOf(environment: readonly Assignment[], name: string): string | undefined {
  return environment.find((each) => each.name === name)?.value;
}

function brokenRow({ text, lacks }: BrokenRow, where: string): Problem {
  const rule = {
    time: "a line must be NAME=value, or a time and a command",
    user: "a line of a crontab that belongs to root must have a user and a command behind the time",
    command: "a line must have a command behind the time",
  }[lacks];
  const hint = lacks === "time" ? "the time is five fields, or a word such as @daily" : undefined;
  return new Problem("invalid", `${rule}: got ${quoted(text)}`, {
    where,
    ...(hint !== undefined && { hint }),
  });
}

function warnOfEnds(text: string, lastLine: number | undefined, warn: Warn): void {
  const lines = text.split("\n");
  if (lastLine === lines.length) {
    warn(
      lines.length,
      "the last line has no newline, and Debian's cron would refuse the file: it is read here",
      "end the file with a newline",
    );
  }
  const withReturn = lines.findIndex((line) => line.endsWith("\r"));
  if (withReturn >= 0) {
    warn(
      withReturn + 1,
      "lines end with a carriage return, which Debian's cron would give to the command: it is left out here",
    );
  }
}

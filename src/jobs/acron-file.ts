/**
 * Job files in acron's manner: one job a file, a word a line. Every word of acron's README and of its older sample file,
 * every rule of model/rule-table.ts as a word, and what a scheduler needs besides. docs/jobs.md lists them.
 *
 * Pure and total: text in, a job or Problems out, and all Problems of a file at once.
 */
import { durationRule, parseDuration } from "../model/duration.ts";
import type { Assignment } from "../model/job.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { type Placement, parsePlacement } from "../model/placement.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import {
  proveRules,
  type RuleKey,
  type RuleLayer,
  type RuleText,
  ruleKeys,
  ruleOf,
} from "../model/rule-table.ts";
import type { Rules } from "../model/rules.ts";
import type { Schedule } from "../model/schedule.ts";
import { type Missed, missedWords } from "../model/scheduled-job.ts";
import { consistentSplayMs, findZone } from "../schedule/schedule.ts";
import { readStatements, type Statement } from "./acron-lines.ts";
import { equalValues } from "./equal-values.ts";
import {
  type FileReading,
  type JobTerms,
  noProblems,
  placed,
  readExpression,
  sortByLine,
} from "./file-reading.ts";
import { olderOutputs } from "./older-words.ts";
import { placedRules } from "./placed-rules.ts";

/** The rules that are words; splay has more to say here, and the name is the file's. */
const ruleWords = ruleKeys.filter((key) => key !== "name" && key !== "splay");
const ownWords = [
  ...["every", "at", "timezone", "splay", "run", "env", "cluster", "on", "missed", "start_deadline"],
  "description",
  ...["stdout", "stderr", "send_stdout"],
];
const words = [...ownWords, ...ruleWords];
/** What other schedulers call it. */
const synonyms: Readonly<Record<string, string>> = {
  command: "run",
  cmd: "run",
  exec: "run",
  schedule: "at",
  cron: "at",
  interval: "every",
  tz: "timezone",
  environment: "env",
  mailto: "output",
  mail: "output",
  retries: "retry",
  hosts: "on",
  policy: "on",
};

const sameOverlap = equalValues<Rules["overlap"]>();
const sameOutputs = equalValues<Rules["outputs"]>();
/** The others are not compared: their values may be secret, and would be kept though their jobs are gone. */
const noEnvironment: readonly Assignment[] = [];

/** What one file says, by word; `output` and `env` may stand several times. */
class Words {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  hasUnknown = false;
  private readonly byKey = new Map<string, Statement[]>();
  private readonly path: string;

  constructor(statements: readonly Statement[], path: string) {
    this.path = path;
    for (const statement of statements) this.add(statement);
  }

  all(key: string): readonly Statement[] {
    return this.byKey.get(key) ?? [];
  }

  one(key: string): Statement | undefined {
    return this.all(key)[0];
  }

  whereOf({ line }: { readonly line: number }): string {
    return `${this.path}:${line}`;
  }

  /** `timeout must be …: got "…"` */
  refuse(statement: Statement, sentence: string, hint?: string): undefined {
    const rule = `${statement.word} ${sentence}: got ${quoted(statement.text)}`;
    this.problems.push(
      new Problem("invalid", rule, { where: this.whereOf(statement), ...(hint !== undefined && { hint }) }),
    );
    return undefined;
  }

  private add(statement: Statement): void {
    const { key, word, line } = statement;
    const where = this.whereOf(statement);
    if (!words.includes(key)) {
      this.hasUnknown = true;
      this.problems.push(unknownWord(word, where));
      return;
    }
    const before = this.one(key);
    if (before !== undefined && key !== "env" && key !== "output") {
      const rule = `${word} must stand once: it stands on line ${before.line} already`;
      this.problems.push(new Problem("invalid", rule, { where, hint: "keep one of the two lines" }));
      return;
    }
    this.byKey.set(key, [...this.all(key), statement]);
    for (const { word: first, line: at } of statement.continued) {
      if (at === line || !words.includes(first)) continue;
      const rule = `this line is taken for a part of ${word}, since it stands further in: got ${quoted(first)}`;
      const hint = `let ${first} begin where ${word} begins, if it is meant as a word`;
      this.warnings.push(new Problem("invalid", rule, { where: `${this.path}:${at}`, hint }));
    }
  }
}

/**
 * Reads a job file.
 * @param path how messages name it
 * @param name what its job is called
 * @see acron README, all of it; docs/compatibility.md section 5
 */
export function parseAcronFile(text: string, path: string, name: string, terms: JobTerms): FileReading {
  const read = readStatements(text, path);
  const said = new Words(read.statements, path);

  const schedule = scheduleOf(said, terms.hostName);
  const run = said.one("run");
  if (run?.text === "") said.refuse(run, "must be followed by a command");
  const assigned = said.all("env").flatMap((statement) => assignmentOf(statement, said) ?? []);
  const environment = assigned.length === 0 ? noEnvironment : assigned;
  const placement = placementOf(said);
  const isCluster = clusterOf(said);
  const missed = missedOf(said);
  const deadline = said.one("start_deadline");
  const startDeadlineMs = deadline && timeOf(deadline, said);
  const older = olderOutputs(
    { stdout: said.one("stdout"), stderr: said.one("stderr"), sendStdout: said.one("send_stdout") },
    { path, mailTo: terms.mailTo },
  );
  const layer: RuleLayer = [...older.layer, ...splayRule(said)];
  const rules = rulesOf(said, name, terms, { layer, placement });

  const problems = [...read.problems, ...said.problems, ...older.problems];
  // A word that is not known may be meant for one that is missing.
  if (!said.hasUnknown) {
    if (said.one("every") === undefined && said.one("at") === undefined) problems.push(lacksTimes(path));
    if (run === undefined) problems.push(lacksCommand(path));
  }
  sortByLine(problems);
  const warnings = [...said.warnings, ...older.warnings];
  if (problems.length > 0 || run === undefined || schedule === undefined || rules === undefined) {
    return { jobs: [], problems, warnings };
  }
  const line = older.isStdoutDropped ? `{ ${run.text}\n} >/dev/null` : run.text;
  const job = {
    name,
    source: { path, line: run.line },
    command: { kind: "shell", line },
    environment,
    stdin: undefined,
    ...rules,
    schedule,
    isCluster,
    missed,
    startDeadlineMs,
    description: said.one("description")?.text || undefined,
    mailTo: undefined,
  } as const;
  return { jobs: [job], problems: noProblems, warnings: warnings.length === 0 ? noProblems : warnings };
}

function scheduleOf(said: Words, hostName: string): Schedule | undefined {
  const [every, at, timezone] = [said.one("every"), said.one("at"), said.one("timezone")];
  if (every !== undefined && at !== undefined) {
    return said.refuse(
      at,
      `must not stand beside every, which is on line ${every.line}`,
      "keep one of the two",
    );
  }
  const zone = timezone && findZone(timezone.text);
  if (timezone !== undefined && zone instanceof Problem) {
    said.problems.push(placed(zone, said.whereOf(timezone), "timezone: "));
    return undefined;
  }
  if (every !== undefined) {
    if (timezone !== undefined) said.refuse(timezone, "must stand beside at: every counts from 1970 in UTC");
    const periodMs = timeOf(every, said);
    return periodMs === undefined
      ? undefined
      : { kind: "every", periodMs, offsetMs: offsetOf(said, periodMs, hostName) };
  }
  if (at === undefined) return undefined;
  const expression = readExpression(at.text);
  if (expression instanceof Problem) {
    said.problems.push(placed(expression, said.whereOf(at), "at: "));
    return undefined;
  }
  if (expression === "reboot") return { kind: "reboot" };
  return { kind: "cron", expression, zone: zone instanceof Problem ? undefined : zone };
}

/** This machine's place in the period. @see acron README "splay and timing" */
function offsetOf(said: Words, periodMs: number, hostName: string): number {
  const splay = said.one("splay");
  if (splay === undefined || isOff(splay.text)) return 0;
  if (isOn(splay.text)) return consistentSplayMs(hostName, periodMs);
  const ms = parseDuration(splay.text);
  if (ms !== undefined && ms <= periodMs) return consistentSplayMs(hostName, ms);
  const limit =
    ms === undefined ? `must be on, off or ${durationRule}` : "must not be longer than the period";
  said.refuse(splay, limit);
  return 0;
}

/** Beside `at` there is no period to be spread over: it must be said, and the start is put off. */
function splayRule(said: Words): RuleLayer {
  const splay = said.one("splay");
  if (splay === undefined || said.one("at") === undefined || isOff(splay.text)) return [];
  if (!isOn(splay.text)) return [{ key: "splay", text: splay.text, where: said.whereOf(splay) }];
  said.refuse(splay, "must say how long beside at", "write: splay 10m");
  return [];
}

/** @returns undefined where something in them is a Problem, which is then said */
function rulesOf(
  said: Words,
  name: string,
  terms: JobTerms,
  more: { readonly layer: RuleLayer; readonly placement: Placement | undefined },
): { readonly rules: Rules; readonly placement?: Placement } | undefined {
  const layer: RuleText[] = [...more.layer];
  for (const key of ruleWords) {
    for (const statement of said.all(key)) {
      // Among the older words may be an error rule of their own.
      const isOverridden = key !== "output" && layer.findIndex((rule) => rule.key === key);
      if (typeof isOverridden === "number" && isOverridden >= 0) layer.splice(isOverridden, 1);
      layer.push({ key, text: ruleTextOf(key, statement.text), where: said.whereOf(statement) });
    }
  }
  const { sections } = terms;
  const layers = [layer, sections?.jobs.get(name) ?? [], sections?.defaults ?? []];
  const rules = proveRules(layers);
  if (rules instanceof Problem) {
    // Each by itself, so that all that is wrong is said at once.
    const found = layer.flatMap((rule) => proveRules([[rule]])).filter((each) => each instanceof Problem);
    said.problems.push(...(found.length > 0 ? found : [rules]));
    return undefined;
  }
  const isSaid = layers.some((each) => each.some(({ key }) => key === "output"));
  const toDefault = { isIfError: false, sink: { kind: "mail", address: terms.mailTo } } as const;
  const named = {
    ...rules,
    name,
    overlap: sameOverlap(rules.overlap),
    outputs: sameOutputs(isSaid ? rules.outputs : [toDefault]),
  };
  return more.placement === undefined ? { rules: named } : placedRules(more.placement, named, layers);
}

/** A rule that is an option without a value is a word without one, or with yes and no. */
function ruleTextOf(key: RuleKey, text: string): string {
  if (ruleOf(key).value !== undefined) return text;
  return isOn(text) ? "yes" : isOff(text) ? "no" : text;
}

function isOn(text: string): boolean {
  return text === "" || text === "on" || text === "yes";
}

function isOff(text: string): boolean {
  return text === "off" || text === "no" || text === "none";
}

function switchOf(said: Words, key: string): boolean | undefined {
  const statement = said.one(key);
  if (statement === undefined) return undefined;
  if (isOn(statement.text)) return true;
  return isOff(statement.text) ? false : said.refuse(statement, "must be yes or no, or stand alone");
}

function placementOf(said: Words): Placement | undefined {
  const statement = said.one("on");
  if (statement === undefined) return undefined;
  const placement = parsePlacement(statement.text, "on ");
  if (!(placement instanceof Problem)) return placement;
  said.problems.push(placed(placement, said.whereOf(statement)));
  return undefined;
}

/** A job on nodes is the cluster's: two schedulers would each send it there. */
function clusterOf(said: Words): boolean {
  const isCluster = switchOf(said, "cluster");
  const [cluster, on] = [said.one("cluster"), said.one("on")];
  if (on === undefined) return isCluster ?? false;
  if (cluster !== undefined && isCluster === false) {
    const hint = "only the active machine sends jobs to nodes";
    said.refuse(cluster, `must not be so beside on, which is on line ${on.line}`, hint);
  }
  return true;
}

function missedOf(said: Words): Missed {
  const statement = said.one("missed");
  if (statement === undefined) return "skip";
  const near = nearestWord(statement.text, missedWords);
  const found = missedWords.find((word) => word === statement.text);
  if (found === undefined) {
    const hint = near === undefined ? undefined : `did you mean ${near}?`;
    said.refuse(statement, `must be ${missedWords.join(", ")}`, hint);
  }
  return found ?? "skip";
}

function timeOf(statement: Statement, said: Words): number | undefined {
  return parseDuration(statement.text) ?? said.refuse(statement, `must be ${durationRule}`);
}

/** Its value may be secret, and is not shown. */
function assignmentOf(statement: Statement, said: Words): Assignment | undefined {
  const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/.exec(statement.text) ?? [];
  if (name === undefined) {
    const where = said.whereOf(statement);
    said.problems.push(new Problem("invalid", "env must be NAME=value", { where }));
    return undefined;
  }
  const [, , inner] = /^(["'])(.*)\1$/.exec(value) ?? [];
  return { name, value: inner ?? value };
}

function unknownWord(word: string, where: string): Problem {
  if (word === "name") {
    const rule = "a job's name must be its file's: there is no word for it";
    return new Problem("invalid", rule, { where, hint: "rename the file" });
  }
  const small = word.toLowerCase().replaceAll("-", "_");
  const near = Object.hasOwn(synonyms, small) ? synonyms[small] : nearestWord(small, words);
  const hint = /^[\d*@]/.test(word)
    ? "lines of a crontab belong in a file whose name ends in .crontab"
    : near === undefined
      ? "docs/jobs.md lists the words"
      : `did you mean ${near}?`;
  return new Problem("invalid", `a line must begin with a word of job files: got ${quoted(word)}`, {
    where,
    hint,
  });
}

function lacksTimes(path: string): Problem {
  const hint = 'write for example "every 10m" or "at 0 3 * * *"';
  return new Problem("invalid", "a job must say when it is due: there is no every and no at", {
    where: path,
    hint,
  });
}

function lacksCommand(path: string): Problem {
  return new Problem("invalid", "a job must say what to run: there is no run", { where: path });
}

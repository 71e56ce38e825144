/**
 * `rcron --explain`: what would happen here and why, in a few lines, running nothing and logging nothing.
 */

import { findProgram } from "../execute/execute.ts";
import { type Conf, type ConfKey, confDefaults, formatSize, judge, type LoadedConf } from "../gate/gate.ts";
import { durationInWords, formatDuration } from "../model/duration.ts";
import { argvOf, type Job, parseCommand, searchPathOf } from "../model/job.ts";
import { layersOf, parseJobSections, proveJobSections } from "../model/job-sections.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { optionOf, proveRules, type RuleLayer, rulesInForce, shownText } from "../model/rule-table.ts";
import type { Rules } from "../model/rules.ts";
import type { Verdict } from "../model/state.ts";
import { consistentSplayMs } from "../schedule/schedule.ts";
import { print } from "./standard-output.ts";
import { complain, ownFailure } from "./terminal.ts";
import type { Run } from "./wrap-options.ts";

/**
 * Prints the explanation to standard output.
 * @returns 0; 125 where the words make no command, or a section of the configuration is wrong
 */
export async function explain(program: string, run: Run, loaded: LoadedConf): Promise<number> {
  const { conf } = loaded;
  const command = parseCommand(run.words, run.shell ?? conf.shell);
  if (command instanceof Problem) {
    complain(program, command);
    return ownFailure;
  }
  const known = rulesOf(run, loaded, command.name);
  if (known instanceof Problem) {
    complain(program, known);
    return ownFailure;
  }
  const { rules, layers } = known;
  const job: Job = { ...command, niceLevel: rules.niceLevel ?? conf.niceLevel };
  const verdict = judge(conf);
  const rows = [
    ...confRows(loaded),
    ...stateRows(verdict, conf),
    ...(await commandRows(job, run, conf)),
    ...ruleRows(rules, layers, command.name),
    ["log", `${conf.syslogFacility} at ${conf.syslogLevel} as ${program}${logSocketNote()}`],
    [
      "so",
      verdict.state === "active"
        ? `the command would run here, ${terms(rules)}`
        : `nothing would run here; exit status ${rules.skipExit}`,
    ],
  ];
  const width = Math.max(...rows.map(([label = ""]) => label.length)) + 2;
  await print(rows.map(([label = "", text]) => `${label.padEnd(width)}${text}\n`).join(""));
  return 0;
}

/** Proves all sections, not only this job's: whoever asks wants to know of every line that is wrong. */
function rulesOf(
  run: Run,
  { conf, path }: LoadedConf,
  commandName: string,
): { rules: Rules; layers: RuleLayer[] } | Problem {
  const sections = parseJobSections(conf.sections, path);
  if (sections instanceof Problem) return sections;
  const layers = layersOf(run.rules, sections, commandName);
  const rules = proveJobSections(sections) ?? proveRules(layers);
  return rules instanceof Problem ? rules : { rules, layers };
}

function ruleRows(rules: Rules, layers: readonly RuleLayer[], commandName: string): string[][] {
  const inForce = rulesInForce(layers).filter(({ key }) => key !== "name");
  return [
    rules.name === undefined
      ? ["job", `${printable(commandName)}  (its command's name)`]
      : ["job", `${printable(rules.name)}  (--name)`],
    ...inForce.map((rule) => {
      const here = rule.key === "splay" && rules.splayMs !== undefined;
      const note = here ? `, ${durationInWords(splayHere(rules.splayMs))} on this machine` : "";
      return [`  ${rule.key}`, `${shownText(rule)}${note}  (${rule.where ?? optionOf(rule.key)})`];
    }),
  ];
}

function splayHere(splayMs: number | undefined): number {
  return splayMs === undefined
    ? 0
    : consistentSplayMs(process.getBuiltinModule("node:os").hostname(), splayMs);
}

/** When a job would start that may run. */
function terms({ condition, overlap, splayMs, jitterMs }: Rules): string {
  const splay = splayHere(splayMs);
  const put = splay > 0 ? `${durationInWords(splay)} after its time` : "now";
  const all = [
    jitterMs === undefined ? put : `${put} or up to ${durationInWords(jitterMs)} later`,
    ...(condition === undefined ? [] : ["if the line of its rule if exits 0"]),
    ...(overlap.mode === "skip" ? ["unless an earlier run goes on"] : []),
    ...(overlap.mode === "wait" ? ["or when an earlier run has ended"] : []),
  ];
  return all.join(", ");
}

function confRows({ conf, path, exists, warnings }: LoadedConf): string[][] {
  const { witnesses } = conf;
  const yes = (is: boolean | undefined) => (is ? "yes" : "no");
  const values: Record<ConfKey, string> = {
    cluster_name: conf.clusterName,
    state_file: conf.stateFile,
    default_state: conf.defaultState,
    syslog_facility: conf.syslogFacility,
    syslog_level: conf.syslogLevel,
    nice_level: String(conf.niceLevel),
    shell: conf.shell,
    log_format: conf.logFormat,
    require_writer: yes(witnesses?.writer),
    require_boot: yes(witnesses?.boot),
    require_address: witnesses?.address?.text ?? "none",
    state_max_age: witnesses?.maxAgeMs === undefined ? "none" : formatDuration(witnesses.maxAgeMs),
    when_in_doubt: conf.whenInDoubt,
    on_passive: conf.onPassive,
    stop_grace: formatDuration(conf.stopGraceMs),
    history: conf.history,
    history_keep: formatDuration(conf.historyKeepMs),
    history_size: formatSize(conf.historySizeBytes),
    log_command: conf.logCommand,
    redact: conf.redact ?? "none",
    mail_through: conf.mailThrough,
    mail_from: conf.mailFrom ?? "none",
    mail_password_file: conf.mailPasswordFile ?? "none",
    webhook_secret_file: conf.webhookSecretFile ?? "none",
  };
  // The table of defaults has every key, and no other.
  const keys = Object.keys(confDefaults) as ConfKey[];
  return [
    ["configuration", exists ? path : `none: ${path} does not exist; the defaults hold`],
    ...keys.map((key) => {
      const line = conf.lines[key];
      return [`  ${key}`, `${printable(values[key])}  (${line === undefined ? "default" : `line ${line}`})`];
    }),
    ...(exists ? warnings.map((warning) => ["  warning", warning]) : []),
  ];
}

function stateRows(verdict: Verdict, conf: Conf): string[][] {
  const rows = [["state", `${verdict.state}: ${verdict.sentence}`]];
  if (verdict.stateFile !== conf.stateFile)
    rows.push(["  note", `${conf.stateFile} can't be read, and is the default`]);
  try {
    const { mtimeMs, uid, mode } = process.getBuiltinModule("node:fs").statSync(verdict.stateFile);
    const age = ageInWords(Date.now() - mtimeMs);
    rows.push([
      "  written",
      `${age}, owner uid ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`,
    ]);
  } catch {
    // No file, no age: the sentence above has said so.
  }
  return rows;
}

function ageInWords(ageMs: number): string {
  if (ageMs < -1000) return "in the future: the clock was set back, or the file came from elsewhere";
  return ageMs < 500 ? "just now" : `${durationInWords(ageMs)} ago`;
}

async function commandRows(job: Job, run: Run, conf: Conf): Promise<string[][]> {
  const { command, environment, niceLevel } = job;
  const words = argvOf(command);
  const how =
    command.kind === "words"
      ? "these words, no shell"
      : (run.shell ?? conf.shell) === "joined"
        ? `joined for the shell, by ${run.shell === undefined ? "shell = joined" : "--shell"}`
        : "one word with blanks or shell characters, so by the shell";
  const found = await findProgram(words[0], searchPathOf(job, process.env["PATH"]));
  return [
    ["command", `${words.map(shellQuoted).join(" ")}  (${how})`],
    "path" in found
      ? ["  program", found.path]
      : ["  program", `${found.problem.message}; exit status would be ${found.exitCode}`],
    ...environment.map(({ name, value }) => ["  environment", `${name}=${shellQuoted(value)}`]),
    ["  priority", `nice ${niceLevel}`],
  ];
}

/** A word as one would type it for the shell, on one line. */
function shellQuoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return /[\x00-\x1f\x7f\ud800-\udfff]/u.test(word)
    ? `$'${printable(word).replaceAll("'", "\\'")}'`
    : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Says so where there is no log socket: the log's lines would be lost without a word. */
function logSocketNote(): string {
  try {
    return process.getBuiltinModule("node:fs").statSync("/dev/log").isSocket()
      ? ""
      : "; /dev/log is no socket: the lines are lost";
  } catch {
    return "; there is no /dev/log here: the lines are lost";
  }
}

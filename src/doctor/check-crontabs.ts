/**
 * The crontab lines that use rcron: would each start what it means, and does none of its jobs run without it as well?
 */
import { Problem } from "../model/problem.ts";
import { parseOn } from "./check-conf.ts";
import { type CrontabLine, readCrontabs } from "./crontab.ts";
import type { Examination } from "./finding.ts";
import { isRefusal, type Machine, octal, readText } from "./machine.ts";
import { baseOf } from "./path-safety.ts";
import { type ShellWord, simpleCommands, withoutAssignments } from "./shell-line.ts";
import { optionOf } from "./state-writers.ts";

/** What cron searches where the crontab sets no PATH. */
const cronPath = "/usr/bin:/bin";
/** What cron itself is usually started with. */
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Options of rcron that have a value. */
const optionsWithValue = ["--conf", "--as", "--on-passive"];
/** Options with which rcron runs no job. */
const joblessOptions = ["--explain", "--generate", "--help", "--version"];
/** What makes a single word a line for the shell. @see docs/decisions/words-and-the-shell.md */
const shellCharacters = /[\s|&;<>()$`\\"'*?[\]{}~#]/;
/** Found in many lines without making them the same job. */
const trivialPrograms = ["true", "false", ":", "cd", "echo", "sleep", "test", "[", "exit", "exec", "date"];

/** A use of rcron in a crontab. */
interface Use {
  readonly at: CrontabLine;
  readonly program: ShellWord;
  readonly options: readonly string[];
  /** The job's words; empty for `--generate` and the like. */
  readonly job: readonly ShellWord[];
}

/**
 * @param stateFile the one of the configuration that is examined
 * @returns true if a line writes the state, and so may renew it
 */
export function checkCrontabs(machine: Machine, exam: Examination, stateFile: string): boolean {
  const before = exam.troubles;
  const { crontabs, unreadable } = readCrontabs(machine);
  for (const what of unreadable) exam.unseen("crontab", what);
  const uses: Use[] = [];
  const others: CrontabLine[] = [];
  for (const { path, lines, isSystem, isPassedOver } of crontabs) {
    const found = lines.flatMap(usesIn);
    if (isPassedOver) {
      if (found.length > 0) {
        exam.note(
          "crontab-name",
          path,
          "Debian's cron reads files in /etc/cron.d with letters, digits, _ and - in their names alone",
          `mv ${path} ${path.replace(/[^\w/.-]|\.(?=[^/]*$)/g, "-")}`,
        );
      }
      continue;
    }
    uses.push(...found);
    others.push(...lines.filter((line) => !found.some(({ at }) => at === line)));
    if (isSystem && found.length > 0) checkSystemFile(machine, exam, path);
  }
  for (const use of uses) checkUse(machine, exam, use);
  checkTwins(exam, uses, others);
  if (exam.troubles === before) {
    const none = uses.length === 0;
    exam.fine(
      "crontab",
      none ? "no crontab line uses rcron yet" : `${uses.length} uses of rcron in crontabs, none with a twin`,
    );
  }
  return crontabs.some(({ lines }) =>
    lines.some(({ command }) => /\brcronctl\s+state\s+set\b/.test(command) || command.includes(stateFile)),
  );
}

function usesIn(at: CrontabLine): Use[] {
  return simpleCommands(at.command).flatMap((words) => {
    const [program, ...rest] = withoutAssignments(words);
    if (program === undefined || !program.isLiteral || baseOf(program.text) !== "rcron") return [];
    let first = 0;
    while (rest[first]?.text.startsWith("-")) {
      const option = rest[first]?.text ?? "";
      first += optionsWithValue.includes(option) ? 2 : 1;
      if (option === "--") break;
    }
    const options = rest.slice(0, first).map(({ text }) => text);
    const isJobless = options.some((option) => joblessOptions.includes(option));
    return [{ at, program, options, job: isJobless ? [] : rest.slice(first) }];
  });
}

/** cron passes over a file that others than root could have written. */
function checkSystemFile(machine: Machine, exam: Examination, path: string): void {
  const facts = machine.stat(path);
  if (isRefusal(facts) || (facts.uid === 0 && (facts.mode & 0o022) === 0)) return;
  const what = facts.uid !== 0 ? `owner uid ${facts.uid}` : `mode ${octal(facts.mode)}`;
  exam.error(
    "crontab-mode",
    path,
    `cron reads a crontab that only root can write, and passes over any other: got ${what}`,
    facts.uid !== 0 ? `chown root:root ${path}` : `chmod 644 ${path}`,
  );
}

function checkUse(machine: Machine, exam: Examination, use: Use): void {
  const { at, program, options, job } = use;
  const where = `${at.file}:${at.line}`;
  const path = at.environment.get("PATH");
  const searched = path ?? `${cronPath}:${machinePath(machine)}`;
  const inherited = path ?? `${searched}:${pathOfCron(machine)}`;
  // A relative path means a place in the user's home.
  const isRelative = program.text.includes("/") && !program.text.startsWith("/");
  if (!isRelative && find(machine, program.text, inherited) === undefined) {
    exam.error(
      "crontab-rcron",
      where,
      `cron must find rcron: ${program.text} is not ${program.text.includes("/") ? "there" : `in ${path ?? cronPath}`}`,
      program.text.includes("/")
        ? "write the path that rcron has here"
        : "write its whole path, or PATH= above the line",
    );
  }
  if (
    !isRelative &&
    find(machine, program.text, searched) === undefined &&
    find(machine, program.text, inherited) !== undefined
  ) {
    exam.note(
      "crontab-rcron",
      where,
      `many crons search in ${cronPath} alone, and ${program.text} is not there`,
      "write its whole path, or PATH= above the line",
    );
  }
  const conf = optionOf(options, "--conf");
  const parsed = conf === undefined || !conf.startsWith("/") ? undefined : parseOn(machine, conf);
  if (parsed instanceof Problem) {
    exam.error("crontab-conf", where, `${parsed.message}: rcron runs nothing`, parsed.hint ?? `mend ${conf}`);
  }
  if (at.hasInput) {
    exam.note(
      "crontab-percent",
      where,
      "cron ends the command at the first %, and gives it the rest as standard input",
      "if it belongs to the command, write \\%",
    );
  }
  const ownConf =
    parsed === undefined && conf === undefined ? parseOn(machine, "/etc/rcron/rcron.conf") : parsed;
  const isJoined = ownConf !== undefined && !(ownConf instanceof Problem) && ownConf.conf.shell === "joined";
  if (!isJoined && !options.includes("--shell")) checkProgram(machine, exam, where, job, inherited);
}

function checkProgram(
  machine: Machine,
  exam: Examination,
  where: string,
  job: readonly ShellWord[],
  searched: string,
): void {
  const [program] = withoutAssignments(job);
  if (program === undefined || !program.isLiteral) return;
  // A line for the shell: its words are the shell's business.
  if (job.length === 1 && shellCharacters.test(program.text)) return;
  // Relative to the user's home.
  if (program.text.includes("/") && !program.text.startsWith("/")) return;
  const own = job.find(({ text }) => text.startsWith("PATH="));
  const path = own === undefined ? searched : own.text.slice("PATH=".length);
  const found = find(machine, program.text, path);
  if (found === undefined) {
    exam.warning(
      "crontab-program",
      where,
      `the job's program must be on this machine, or it ends with 127: got ${program.text}`,
      program.text.includes("/") ? "install it" : "write its whole path, or install it",
    );
  } else if (!found.isExecutable) {
    exam.warning(
      "crontab-program",
      where,
      `the job's program must be executable, or it ends with 126: got ${program.text}`,
      `chmod +x ${found.path}`,
    );
  }
}

/** The newer releases of Debian's cron hand on their own PATH, the older ones don't. */
function pathOfCron(machine: Machine): string {
  const cron = machine.processes().find(({ name }) => name === "cron" || name === "crond");
  const environment = cron === undefined ? undefined : readText(machine, `/proc/${cron.pid}/environ`);
  if (environment === undefined || isRefusal(environment)) return usualPath;
  return /(?:^|\0)PATH=([^\0]*)/.exec(environment)?.[1] ?? usualPath;
}

/** PATH of /etc/environment, which cron's login takes over on some machines. */
function machinePath(machine: Machine): string {
  const text = readText(machine, "/etc/environment");
  return isRefusal(text) ? "" : (/^\s*PATH=["']?([^"'\n]*)/m.exec(text)?.[1] ?? "");
}

function find(
  machine: Machine,
  program: string,
  path: string,
): { readonly path: string; readonly isExecutable: boolean } | undefined {
  const folders = path.split(":").filter((folder) => folder.startsWith("/"));
  const paths = program.includes("/") ? [program] : folders.map((folder) => `${folder}/${program}`);
  for (const each of paths) {
    const facts = machine.stat(each);
    // A folder that may not be looked into may have it.
    if (isRefusal(facts) ? facts.code === "EACCES" : facts.kind === "file") {
      return { path: each, isExecutable: isRefusal(facts) || (facts.mode & 0o111) !== 0 };
    }
  }
  return undefined;
}

/** A job that stands behind rcron in one line and alone in another runs on every machine. */
function checkTwins(exam: Examination, uses: readonly Use[], others: readonly CrontabLine[]): void {
  const prefixed = new Map<string, Use>();
  for (const use of uses) {
    const key = keyOfJob(use.job);
    if (key !== undefined) prefixed.set(key, use);
  }
  for (const line of others) {
    // What is done at boot is often meant for every machine.
    if (line.isAtBoot) continue;
    const commands = simpleCommands(line.command);
    const keys = [keyOf(commands), ...commands.map((words) => keyOf([words]))];
    const twin = keys
      .map((key) => (key === undefined ? undefined : prefixed.get(key)))
      .find((use) => use !== undefined);
    if (twin === undefined) continue;
    exam.warning(
      "crontab-twin",
      `${line.file}:${line.line}`,
      `a job must have rcron in every line: this command stands behind rcron in ${twin.at.file}:${twin.at.line}, and here it runs on every machine`,
      "put rcron before it, or remove the line",
    );
  }
}

function keyOfJob(job: readonly ShellWord[]): string | undefined {
  const [only, ...more] = job;
  if (only === undefined) return undefined;
  return more.length === 0 && shellCharacters.test(only.text)
    ? keyOf(simpleCommands(only.text))
    : keyOf([job]);
}

/** The same for two lines that run the same programs with the same words; undefined for what says nothing. */
function keyOf(commands: readonly (readonly ShellWord[])[]): string | undefined {
  const bare = commands.map(withoutAssignments).filter((words) => words.length > 0);
  if (bare.every(([program]) => trivialPrograms.includes(baseOf(program?.text ?? "")))) return undefined;
  return JSON.stringify(bare.map((words) => words.map(({ text }) => text)));
}

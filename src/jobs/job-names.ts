/**
 * What jobs are called. A name is what history, locks and mails know a job by, so it must outlive every edit that leaves
 * the job what it is: lines above it, a new time, a restart.
 */
import { isJobName } from "../model/rule-table.ts";

/** Ends of names that are not part of the job's name. */
const suffixes = /\.(?:cron|job|acron|crontab)$/;

/** True for a file of crontab lines, by its name. */
export function isCrontabName(path: string): boolean {
  return path.endsWith(".crontab");
}

/** The name of a job file's job, and what the names of a crontab's jobs begin with: the path without its suffix. */
export function nameOfFile(path: string): string {
  const name = path.replace(suffixes, "");
  return name === "" || name.endsWith("/") ? path : name;
}

/** The name of a distcrond file's job or node: the file's own, wherever in its folder it stands. */
export function nameOfJson(fileName: string): string {
  return fileName.replace(/\.json$/, "") || fileName;
}

/** What tells a crontab's lines apart. */
export interface NamedLine {
  readonly user: string | undefined;
  readonly command: string;
  readonly time: string;
}

/**
 * The names of a crontab's lines: each its command's base name. Where lines share one, a short hash of user and command is put behind it, and
 * where even these are the same, the hash has the time in it as well. So a name depends on nothing but its own line and on
 * those that would have the same, never on their order, unless two lines are equal: those are numbered.
 * @param prefix the file's name
 */
export function namesOfLines(prefix: string, lines: readonly NamedLine[]): string[] {
  const bases = lines.map(({ command }) => baseNameOf(command));
  const withCommand = lines.map(
    ({ user, command }, index) => `${bases[index]}-${hash(`${user} ${command}`)}`,
  );
  const withTime = lines.map(
    ({ user, command, time }, index) => `${bases[index]}-${hash(`${user} ${command} ${time}`)}`,
  );
  const counts = [countsOf(bases), countsOf(withCommand), countsOf(withTime)];
  const seen = new Map<string, number>();
  return lines.map((_, index) => {
    const tries = [bases[index] ?? "", withCommand[index] ?? "", withTime[index] ?? ""];
    const own = tries.find((name, step) => counts[step]?.get(name) === 1);
    const name = own ?? tries[2] ?? "";
    const number = (seen.get(name) ?? 0) + 1;
    seen.set(name, number);
    return `${prefix}:${name}${number === 1 ? "" : `.${number}`}`;
  });
}

/** True for what can be a job's name. */
export function isFitName(name: string): boolean {
  return isJobName(name) && !name.split("/").includes("..");
}

/**
 * The base name of the program, with everything odd made `_`: of the first word that has a name in it, so that `[ -x /bin/a ]` is `a`.
 * Behind `rcron` it is that of what the prefix starts, where no option stands between.
 */
function baseNameOf(command: string): string {
  const bases = command
    .split(/\s+/)
    .filter((word) => word !== "" && !/^[A-Za-z_]\w*=/.test(word))
    .map((word) => word.replace(/^.*\//, "").replace(/[^\w.+@-]+/g, "_"));
  const from = bases[0] === "rcron" && bases[1] !== undefined && !bases[1].startsWith("-") ? 1 : 0;
  const named = bases.slice(from).find((base) => /[A-Za-z0-9]/.test(base) && !base.startsWith("-"));
  return named?.slice(0, 40) ?? "job";
}

function hash(text: string): string {
  return Bun.hash.crc32(text).toString(16).padStart(8, "0").slice(0, 6);
}

function countsOf(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/**
 * Jobs for schedulers under measurement: the same ones as a tree of job files for rcrond and as a crontab for cron.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A hundred files a folder. */
const perFolder = 100;
/** Nothing is due for so many hours. */
const restHours = 3;

/**
 * Writes `count` jobs of which none is due for three hours from now on: as many job files below `jobs`, as many lines in
 * `cron.d/idle`. Three quarters have a time of the day, of which there are a thousand; for rcrond the rest has an interval.
 */
export function writeIdleJobs(folder: string, count: number, now = new Date()): void {
  const lines: string[] = [];
  const jobs = join(folder, "jobs");
  for (let index = 0; index < count; index++) {
    const below = join(jobs, `team-${Math.floor(index / perFolder)}`);
    if (index % perFolder === 0) mkdirSync(below, { recursive: true });
    const time = restingTime(index, now);
    const when = index % 4 === 3 ? `every ${restingPeriod(index, now)}` : `at ${time}`;
    const run = `/usr/local/bin/report --number ${index} --verbose`;
    const text = `# what job ${index} is for\n${when}\ntimeout 30m\noverlap skip\nrun ${run}\n`;
    writeFileSync(join(below, `job-${index}`), text);
    lines.push(`${time} root ${run}`);
  }
  writeCrontab(folder, "idle", lines);
}

/** As the changed file of {@link writeIdleJobs}'s first job says it. @returns its path and its text */
export function changedJob(
  folder: string,
  version: number,
): { readonly path: string; readonly text: string } {
  const run = `/usr/local/bin/report --number 0 --version ${version}`;
  const text = `at ${restingTime(version, new Date())}\nrun ${run}\n`;
  return { path: join(folder, "jobs/team-0/job-0"), text };
}

/**
 * Writes jobs that are due at the same time, each of which leaves an empty file in `seen`: its number.
 * @param extra words of their job files, a line each
 * @param command what each does after that
 */
export function writeStorm(
  folder: string,
  count: number,
  {
    at,
    extra,
    command,
  }: { readonly at: string; readonly extra: readonly string[]; readonly command: string },
): void {
  mkdirSync(join(folder, "jobs"), { recursive: true });
  mkdirSync(join(folder, "seen"), { recursive: true });
  const lines: string[] = [];
  for (let index = 0; index < count; index++) {
    const run = `: >${folder}/seen/${index}${command}`;
    writeFileSync(
      join(folder, `jobs/storm-${index}`),
      `${[`at ${at}`, ...extra, `run ${run}`].join("\n")}\n`,
    );
    lines.push(`* * * * * root ${run}`);
  }
  writeCrontab(folder, "storm", lines);
}

/** Writes a job that adds the time of each of its runs to a file. @returns that file's path */
export function writeLagJob(folder: string, at: string): string {
  const times = join(folder, "times");
  const run = `date +%s%N >>${times}`;
  mkdirSync(join(folder, "jobs"), { recursive: true });
  writeFileSync(join(folder, "jobs/lag"), `at ${at}\noutput none\nrun ${run}\n`);
  writeCrontab(folder, "lag", [`${at} root ${run.replaceAll("%", "\\%")}`]);
  return times;
}

function writeCrontab(folder: string, name: string, lines: readonly string[]): void {
  mkdirSync(join(folder, "cron.d"), { recursive: true });
  writeFileSync(join(folder, "cron.d", name), `${lines.join("\n")}\n`, { mode: 0o644 });
}

/** A thousand different times of the day, all of them hours away. */
function restingTime(index: number, now: Date): string {
  const hour = (now.getHours() + restHours + (index % 17)) % 24;
  return `${index % 60} ${hour} * * ${index % 5 === 0 ? "1-5" : "*"}`;
}

/** Periods are counted from 1970 on: one is sought of which no boundary is near. */
function restingPeriod(index: number, now: Date): string {
  for (let minutes = 24 * 60 + (index % 500); ; minutes++) {
    const leftMs = minutes * 60_000 - (now.getTime() % (minutes * 60_000));
    if (leftMs > restHours * 3_600_000) return `${minutes}m`;
  }
}

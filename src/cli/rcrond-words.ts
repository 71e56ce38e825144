/**
 * `rcrond --check` and `rcrond --next`: what is to be said of the jobs without running any.
 */
import { checkJobs, JobTree } from "../jobs/jobs.ts";
import { durationInWords, formatDuration } from "../model/duration.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { nextTicks } from "../schedule/schedule.ts";
import { formatOffset } from "./moment.ts";
import type { JobSource } from "./serve.ts";
import { type Cell, formatTable, screen } from "./table.ts";
import { failed, print } from "./terminal.ts";

/** The coming ticks of one job that are shown. */
const shownTicks = 10;

/** @returns 1 where a file has a problem; warnings alone are 0 */
export async function checkFiles({ options, zone }: JobSource, isJson: boolean): Promise<number> {
  const { fileCount, jobCount, findings } = await checkJobs({ ...options, zone, nowMs: Date.now() });
  const problems = findings.filter(({ severity }) => severity === "problem").length;
  if (isJson) {
    const told = findings.map(({ severity, problem }) => ({
      severity,
      where: problem.where ?? null,
      message: problem.message,
      hint: problem.hint ?? null,
    }));
    await print(`${JSON.stringify({ files: fileCount, jobs: jobCount, findings: told }, undefined, 2)}\n`);
  } else {
    const lines = findings.map(({ severity, problem: { message, hint } }) => {
      const first = `${severity === "problem" ? "" : "warning: "}${message}\n`;
      return hint === undefined ? first : `${first}    ${hint}\n`;
    });
    const warnings = findings.length - problems;
    lines.push(
      `${count(fileCount, "file")}, ${count(jobCount, "job")}: ${count(problems, "problem")}, ${count(warnings, "warning")}\n`,
    );
    await print(lines.join(""));
  }
  return problems > 0 ? failed : 0;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/**
 * Shows when jobs are due.
 * @param name the job of which the coming ticks are shown; undefined: the next one of every job
 * @returns 0, 1 where there is no job, or the Problem `not-found`
 */
export async function showNext(
  { options, zone }: JobSource,
  name: string | undefined,
  isJson: boolean,
): Promise<number | Problem> {
  const tree = new JobTree(options);
  await tree.look();
  const { jobs } = tree.set;
  const nowMs = Date.now();
  if (name !== undefined) {
    const job = jobs.get(name);
    if (job === undefined) {
      const near = nearestWord(name, [...jobs.keys()]);
      return new Problem("not-found", `there is no job named ${quoted(name)}`, {
        hint: near === undefined ? "rcrond --next lists the jobs" : `did you mean ${near}?`,
      });
    }
    const ticks = nextTicks(job.schedule, nowMs, zone, shownTicks);
    if (isJson) {
      const at = ticks.map(({ atMs }) => new Date(atMs).toISOString());
      await print(
        `${JSON.stringify({ job: name, schedule: scheduleInWords(job), next: at }, undefined, 2)}\n`,
      );
    } else {
      const shown = ticks.map(
        ({ atMs }) => `${moment(atMs, job, zone)}  (in ${durationInWords(atMs - nowMs)})\n`,
      );
      await print(`${name}: ${scheduleInWords(job)}\n${shown.join("") || "never\n"}`);
    }
    return ticks.length > 0 || job.schedule.kind === "reboot" ? 0 : failed;
  }
  const rows = [...jobs.values()].map((job) => ({
    job,
    atMs: nextTicks(job.schedule, nowMs, zone, 1)[0]?.atMs,
  }));
  rows.sort((a, b) => (a.atMs ?? Infinity) - (b.atMs ?? Infinity));
  if (isJson) {
    const told = rows.map(({ job, atMs }) => ({
      job: job.name,
      schedule: scheduleInWords(job),
      next: atMs === undefined ? null : new Date(atMs).toISOString(),
      where: `${job.source.path}:${job.source.line}`,
    }));
    await print(`${JSON.stringify(told, undefined, 2)}\n`);
  } else {
    const cells = rows.map(({ job, atMs }): Cell[] => [
      atMs === undefined ? (job.schedule.kind === "reboot" ? "at boot" : "never") : moment(atMs, job, zone),
      job.name,
      scheduleInWords(job),
      `${job.source.path}:${job.source.line}`,
    ]);
    const columns = [
      { heading: "NEXT" },
      { heading: "JOB", gives: true },
      { heading: "SCHEDULE" },
      { heading: "WHERE" },
    ];
    await print(formatTable(columns, cells, screen()));
  }
  return rows.length > 0 ? 0 : failed;
}

/** As its file says it, with what the file leaves to this machine. */
function scheduleInWords({ schedule }: ScheduledJob): string {
  if (schedule.kind === "reboot") return "@reboot";
  if (schedule.kind === "every") {
    const { periodMs, offsetMs } = schedule;
    return `every ${formatDuration(periodMs)}${offsetMs === 0 ? "" : `, ${durationInWords(offsetMs)} into it`}`;
  }
  const { expression, zone } = schedule;
  return zone === undefined ? expression.text : `${expression.text} (${zone.name})`;
}

/** In the job's own zone: `2026-11-21 03:00:00 +01:00`. */
function moment(atMs: number, { schedule }: ScheduledJob, machineZone: Zone): string {
  const zone = schedule.kind === "cron" ? (schedule.zone ?? machineZone) : machineZone;
  const { offsetMs } = zone.stretchAt(atMs);
  const local = new Date(atMs + offsetMs).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${formatOffset(Math.round(offsetMs / 60_000))}`;
}

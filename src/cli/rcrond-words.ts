/**
 * `rcrond --check` and `rcrond --next`: what is to be said of the jobs without running any.
 */
import { checkJobs } from "../jobs/jobs.ts";
import { Problem } from "../model/problem.ts";
import { byNext, comingTicks, isEverDue, nextTable, shownTicks } from "./coming-ticks.ts";
import { dueByFiles, type JobSource } from "./find-jobs.ts";
import { instant } from "./open-record.ts";
import { print } from "./standard-output.ts";
import { failed } from "./terminal.ts";

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
  source: JobSource,
  name: string | undefined,
  isJson: boolean,
): Promise<number | Problem> {
  const jobs = await dueByFiles(source, name, name === undefined ? 1 : shownTicks);
  if (jobs instanceof Problem) return jobs;
  const [first] = jobs;
  if (name !== undefined && first !== undefined) {
    const told = {
      job: name,
      schedule: first.schedule,
      next: first.nextMs.map(instant),
      on: first.on ?? null,
    };
    await print(isJson ? `${JSON.stringify(told, undefined, 2)}\n` : comingTicks(first, Date.now()));
    return isEverDue(first) ? 0 : failed;
  }
  const rows = jobs.toSorted(byNext);
  const told = rows.map(({ job, schedule, nextMs, where, on }) => ({
    job,
    schedule,
    next: instant(nextMs[0]),
    where,
    on: on ?? null,
  }));
  await print(isJson ? `${JSON.stringify(told, undefined, 2)}\n` : nextTable(rows));
  return rows.length > 0 ? 0 : failed;
}

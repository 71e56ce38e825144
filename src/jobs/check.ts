/**
 * `rcrond --check`: what is wrong with the files of jobs, and what is hardly meant, without running anything.
 */
import { Problem } from "../model/problem.ts";
import type { Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { lint } from "../schedule/schedule.ts";
import { JobTree, type TreeOptions } from "./job-tree.ts";

/** One thing to tell. */
export interface JobFinding {
  /** `problem`: these jobs don't run as the file says; `warning`: they do, and that is hardly meant. */
  readonly severity: "problem" | "warning";
  /** Its message begins with the place. */
  readonly problem: Problem;
}

/** What a check has found. */
export interface JobReport {
  readonly fileCount: number;
  readonly jobCount: number;
  /** By file and line. */
  readonly findings: readonly JobFinding[];
}

/** How jobs are checked. */
export interface CheckOptions extends TreeOptions {
  /** The zone of jobs that name none. */
  readonly zone: Zone;
  /** From when on changes of the clocks are looked at. */
  readonly nowMs: number;
}

/** Reads all files and looks at all schedules. */
export async function checkJobs(options: CheckOptions): Promise<JobReport> {
  const tree = new JobTree(options);
  await tree.look();
  const { jobs, broken, warnings, fileCount } = tree.set;
  const findings: JobFinding[] = [
    ...broken.flatMap(({ problems }) =>
      problems.map((problem) => ({ severity: "problem" as const, problem })),
    ),
    ...warnings.map((problem) => ({ severity: "warning" as const, problem })),
    ...[...jobs.values()].flatMap((job) => oddities(job, options)),
  ];
  findings.sort((a, b) => byPlace(a.problem, b.problem));
  return { fileCount, jobCount: jobs.size, findings };
}

/** A job that can never fire is a problem: nobody has meant that. */
function oddities({ schedule, source }: ScheduledJob, { zone, nowMs }: CheckOptions): JobFinding[] {
  if (schedule.kind !== "cron") return [];
  return lint(schedule.expression, schedule.zone ?? zone, nowMs).map(({ kind, message, hint }) => ({
    severity: kind === "never" ? "problem" : "warning",
    problem: new Problem("invalid", message, {
      where: `${source.path}:${source.line}`,
      ...(hint !== undefined && { hint }),
    }),
  }));
}

function byPlace(a: Problem, b: Problem): number {
  const [, aPath = "", aLine = "0"] = /^(.*?)(?::(\d+))?$/.exec(a.where ?? "") ?? [];
  const [, bPath = "", bLine = "0"] = /^(.*?)(?::(\d+))?$/.exec(b.where ?? "") ?? [];
  return aPath === bPath ? Number(aLine) - Number(bLine) : aPath < bPath ? -1 : 1;
}

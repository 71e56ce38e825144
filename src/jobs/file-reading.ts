/**
 * What reading a file of jobs gives, and what the machine adds to it.
 */
import type { JobSections } from "../model/job-sections.ts";
import type { Node } from "../model/node.ts";
import { Problem } from "../model/problem.ts";
import type { CronExpression } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { parseCronExpression } from "../schedule/schedule.ts";

/** What the machine adds to what the files say. */
export interface JobTerms {
  /** As gethostname(2) has it: consistent splay depends on it. */
  readonly hostName: string;
  /** Who gets the output of a job whose file names no receiver; an address. @see acron README "cron definition" */
  readonly mailTo: string;
  /** Rules for all jobs and for those of some names, below what the job's file says; undefined: none. */
  readonly sections?: JobSections;
  /** @returns undefined if there is nobody of that name, `unknown` where nobody can be looked up */
  readonly findUser?: (
    name: string,
  ) => { readonly uid: number; readonly home: string } | "unknown" | undefined;
  /** Those of rcron.conf, which are known beside those that have files of their own; undefined: none. */
  readonly nodes?: readonly Node[];
  /** distcrond's jobs need no owner. */
  readonly isOwnerOptional?: boolean;
}

/** One file, read. With a problem the file has no jobs, whatever its other lines say. */
export interface FileReading {
  readonly jobs: readonly ScheduledJob[];
  readonly problems: readonly Problem[];
  /** What is read as it stands, and hardly meant. */
  readonly warnings: readonly Problem[];
  /** What a node's file defines; missing for files of jobs. */
  readonly nodes?: readonly Node[];
}

/** Of a file that is as it should be: one list for all of them. */
export const noProblems: readonly Problem[] = [];

/** A sentence of another parser, with the place where it was found. */
export function placed(problem: Problem, where: string, before = ""): Problem {
  return new Problem(problem.code, `${before}${problem.message}`, {
    where,
    ...(problem.hint !== undefined && { hint: problem.hint }),
  });
}

/** Sorts the problems of one file; those that name no line come last. */
export function sortByLine(problems: Problem[]): void {
  const lineOf = ({ where = "" }: Problem) => Number(/:(\d+)$/.exec(where)?.[1] ?? Number.MAX_SAFE_INTEGER);
  problems.sort((a, b) => lineOf(a) - lineOf(b));
}

const remembered = new Map<string, CronExpression>();
const rememberedLimit = 2000;

/** As `parseCronExpression`, the same object for the same text: of 10,000 jobs most share theirs with others. */
export function readExpression(text: string): CronExpression | "reboot" | Problem {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const expression = parseCronExpression(text);
  if (expression !== "reboot" && !(expression instanceof Problem) && remembered.size < rememberedLimit) {
    remembered.set(text, expression);
  }
  return expression;
}

/**
 * `rcrond --check`: what is wrong with the files of jobs, and what is hardly meant, without running anything.
 */
import { nearestWord } from "../model/nearest-word.ts";
import type { Node } from "../model/node.ts";
import { quoted } from "../model/printable.ts";
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

/** Reads all files and looks at all schedules, and at the names of nodes and roles. */
export async function checkJobs(options: CheckOptions): Promise<JobReport> {
  const tree = new JobTree(options);
  await tree.look();
  const { jobs, nodes, broken, warnings, fileCount } = tree.set;
  const names = namesOf(nodes);
  const findings: JobFinding[] = [
    ...broken.flatMap(({ problems }) =>
      problems.map((problem) => ({ severity: "problem" as const, problem })),
    ),
    ...warnings.map((problem) => ({ severity: "warning" as const, problem })),
    ...[...jobs.values()].flatMap((job) => [...oddities(job, options), ...strangers(job, names)]),
  ];
  findings.sort((a, b) => byPlace(a.problem, b.problem));
  return { fileCount, jobCount: jobs.size, findings };
}

/** A job that can never fire is a problem: nobody has meant that. */
function oddities({ schedule, source }: ScheduledJob, { zone, nowMs }: CheckOptions): JobFinding[] {
  if (schedule.kind !== "cron" || "stepMs" in schedule.expression) return [];
  return lint(schedule.expression, schedule.zone ?? zone, nowMs).map(({ kind, message, hint }) => ({
    severity: kind === "never" ? "problem" : "warning",
    problem: new Problem("invalid", message, {
      where: `${source.path}:${source.line}`,
      ...(hint !== undefined && { hint }),
    }),
  }));
}

/** What a placement can name. */
interface NodeNames {
  readonly hosts: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
}

function namesOf(nodes: ReadonlyMap<string, Node>): NodeNames {
  return { hosts: new Set(nodes.keys()), roles: new Set([...nodes.values()].flatMap(({ roles }) => roles)) };
}

/** A name that no node has is a slip, or a node that is still to come: a warning. */
function strangers({ placement, source }: ScheduledJob, { hosts, roles }: NodeNames): JobFinding[] {
  if (placement === undefined) return [];
  const warn = (message: string, hint?: string): JobFinding => {
    const where = `${source.path}:${source.line}`;
    return {
      severity: "warning",
      problem: new Problem("not-found", message, { where, ...(hint !== undefined && { hint }) }),
    };
  };
  if (hosts.size === 0) {
    return [warn("a job on nodes can't run: there is no node", "write a section [node NAME] in rcron.conf")];
  }
  const both = new Set([...hosts, ...roles]);
  const kinds = [
    { kind: "node", names: placement.hosts, known: hosts },
    { kind: "node or role", names: placement.names, known: both },
    { kind: "role", names: placement.roles, known: roles },
  ];
  return kinds.flatMap(({ kind, names, known }) =>
    names
      .filter((name) => !known.has(name))
      .map((name) => {
        const near = nearestWord(name, [...known]);
        return warn(`there is no ${kind} named ${quoted(name)}`, near && `did you mean ${near}?`);
      }),
  );
}

function byPlace(a: Problem, b: Problem): number {
  const [, aPath = "", aLine = "0"] = /^(.*?)(?::(\d+))?$/.exec(a.where ?? "") ?? [];
  const [, bPath = "", bLine = "0"] = /^(.*?)(?::(\d+))?$/.exec(b.where ?? "") ?? [];
  return aPath === bPath ? Number(aLine) - Number(bLine) : aPath < bPath ? -1 : 1;
}

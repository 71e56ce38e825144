/**
 * `rcrond --check`: what is wrong with the files of jobs, and what is hardly meant, without running anything.
 */
import { nearestWord } from "../model/nearest-word.ts";
import type { Node } from "../model/node.ts";
import type { Placement } from "../model/placement.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Zone } from "../model/schedule.ts";
import type { JobSource, ScheduledJob } from "../model/scheduled-job.ts";
import { lint } from "../schedule/schedule.ts";
import type { JobPlaces } from "./find-files.ts";
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

/** Of many nodes the first ones are named. */
const namedNodes = 3;
/** Of the nodes or roles that there are, where none is near to what was written. */
const namedChoices = 10;

/** Reads all files and looks at all schedules, at the names of nodes and roles, and at whom the nodes are reached as. */
export async function checkJobs(options: CheckOptions): Promise<JobReport> {
  const tree = new JobTree(options);
  await tree.look();
  const { jobs, nodes, broken, warnings, fileCount } = tree.set;
  // What a file that can't be read would have defined, nobody knows: that a node is missing is said by its own problem.
  const hasAllNodes = !broken.some(({ path }) => isOfNodes(path, options.places));
  const names = namesOf(nodes);
  const findings: JobFinding[] = [
    ...broken.flatMap(({ problems }) =>
      problems.map((problem) => ({ severity: "problem" as const, problem })),
    ),
    ...warnings.map((problem) => ({ severity: "warning" as const, problem })),
    ...[...jobs.values()].flatMap((job) => [
      ...oddities(job, options),
      ...(hasAllNodes ? strangers(job, names) : []),
      ...otherUsers(job, nodes, options),
    ]),
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

function isOfNodes(path: string, { distcrondNodes }: JobPlaces): boolean {
  const folder = distcrondNodes?.replace(/(?<=.)\/+$/, "");
  return folder !== undefined && `${path}/`.startsWith(`${folder}/`);
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
  const warn = (message: string, hint?: string) => warning("not-found", source, message, hint);
  if (hosts.size === 0) {
    const hint = "write a section [node NAME] in rcron.conf, or a file below --nodesDirectory";
    return [warn("a job on nodes can't run: there is no node", hint)];
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
        const hint = near === undefined ? choices(kind, [...known]) : `did you mean ${near}?`;
        return warn(`there is no ${kind} named ${quoted(name)}`, hint);
      }),
  );
}

/** Which ones there are, for a name that is near to none of them. */
function choices(kind: string, known: readonly string[]): string {
  if (known.length === 0) return `no node has a ${kind}`;
  const named = known.toSorted().slice(0, namedChoices).join(", ");
  const more = known.length > namedChoices ? ` and ${known.length - namedChoices} more` : "";
  return known.length === 1 ? `the only ${kind} is ${named}` : `there are ${named}${more}`;
}

/** A job on another machine has the rights of the user that this is reached as; where it names another one, it fails there. */
function otherUsers(
  { name, placement, rules, source }: ScheduledJob,
  nodes: ReadonlyMap<string, Node>,
  { terms }: CheckOptions,
): JobFinding[] {
  const { user } = rules;
  if (placement === undefined || user === undefined) return [];
  const byLogin = new Map<string, { readonly first: Node; readonly names: string[] }>();
  for (const node of meantBy(placement, nodes)) {
    const login = loginOf(node);
    if (login === undefined || login === user) continue;
    const same = byLogin.get(login);
    if (same === undefined) byLogin.set(login, { first: node, names: [node.name] });
    else same.names.push(node.name);
  }
  return [...byLogin].map(([login, { first, names }]) => {
    const { connection } = first;
    const more = names.length > namedNodes ? ` and ${names.length - namedNodes} more` : "";
    const are = `${names.slice(0, namedNodes).join(", ")}${more} ${names.length === 1 ? "is" : "are"}`;
    const define =
      terms.nodes?.includes(first) === true
        ? `write user = ${user} in [node ${first.name}]`
        : `write "ssh_user": ${JSON.stringify(user)} in ${first.source.path}`;
    const hint =
      connection.kind === "command"
        ? "a job file needs no user: let it be one, and name none"
        : connection.kind === "ssh" && connection.user !== undefined
          ? `let the job's user be ${connection.user}, or ${define}`
          : define;
    return warning(
      "conflict",
      source,
      `${name} runs as ${user}, but ${are} reached as ${login}: it will fail there`,
      hint,
    );
  });
}

/** The nodes that a placement chooses among, as they are now. */
function meantBy({ hosts, names, roles }: Placement, nodes: ReadonlyMap<string, Node>): readonly Node[] {
  const all = [...nodes.values()];
  if (hosts.length + names.length + roles.length === 0) return all;
  const byName = new Set([...hosts, ...names]);
  const byRole = new Set([...roles, ...names.filter((name) => !nodes.has(name))]);
  return all.filter((node) => byName.has(node.name) || node.roles.some((role) => byRole.has(role)));
}

/** As whom a node is reached, in words; undefined: as the daemon's machine, where any user can be had. */
function loginOf({ connection }: Node): string | undefined {
  switch (connection.kind) {
    case "local":
      return undefined;
    case "command":
      return "whoever its command is there";
    case "ssh":
      return connection.user ?? "whoever its ssh configuration says";
  }
}

function warning(
  code: "not-found" | "conflict",
  source: JobSource,
  message: string,
  hint: string | undefined,
): JobFinding {
  const where = `${source.path}:${source.line}`;
  const problem = new Problem(code, message, { where, ...(hint !== undefined && { hint }) });
  return { severity: "warning", problem };
}

function byPlace(a: Problem, b: Problem): number {
  const [, aPath = "", aLine = "0"] = /^(.*?)(?::(\d+))?$/.exec(a.where ?? "") ?? [];
  const [, bPath = "", bLine = "0"] = /^(.*?)(?::(\d+))?$/.exec(b.where ?? "") ?? [];
  return aPath === bPath ? Number(aLine) - Number(bLine) : aPath < bPath ? -1 : 1;
}

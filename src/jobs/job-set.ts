/**
 * Putting together what the files say, each by itself: all jobs and all nodes, each name once; and what can only be said of them all,
 * the places of those that are spread over a period.
 *
 * There are two sources of jobs: the tree with the crontabs, and distcrond's folder. Within a source one name twice is a problem that
 * names both places. Two sources that have the same name know nothing of one another: distcrond's job is then called
 * `distcrond/NAME`, with a warning, and both run.
 */
import type { Node } from "../model/node.ts";
import { Problem } from "../model/problem.ts";
import type { JobSource, ScheduledJob } from "../model/scheduled-job.ts";
import { spreadPlaces } from "../schedule/schedule.ts";
import type { FileReading } from "./file-reading.ts";
import type { FileFormat, FoundFiles } from "./find-files.ts";
import { isFitName } from "./job-names.ts";

/** All jobs of one moment. */
export interface JobSet {
  /** By name, in the order of their files. */
  readonly jobs: ReadonlyMap<string, ScheduledJob>;
  /** By name: those of rcron.conf, and then those that have files of their own. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** What could not be read as it stands. */
  readonly broken: readonly BrokenFile[];
  readonly warnings: readonly Problem[];
  readonly fileCount: number;
}

/** A file with problems, or a folder that can't be looked into. */
export interface BrokenFile {
  readonly path: string;
  readonly problems: readonly Problem[];
  /** The jobs of its last good version, which go on; they are in the set. */
  readonly kept: readonly ScheduledJob[];
}

/** What a file says, and said last when it was good. */
export interface KnownJobs {
  readonly format: FileFormat;
  readonly reading: FileReading;
  /** Of the last reading without problems. */
  readonly good: readonly ScheduledJob[];
  readonly goodNodes: readonly Node[];
}

/** Before the first look. */
export const emptySet: JobSet = { jobs: new Map(), nodes: new Map(), broken: [], warnings: [], fileCount: 0 };

/** What a job of distcrond is called where another source has its name. */
const prefix = "distcrond/";

/**
 * Puts together. Where two files of one source have the same name, the first in the order of the files has it, whatever came first in time.
 * @param known the files by their paths
 * @param nodes those of rcron.conf
 */
export function putTogether(
  known: ReadonlyMap<string, KnownJobs>,
  found: FoundFiles,
  nodes: readonly Node[],
): JobSet {
  const set = new Names(nodes);
  const isDistcrond = ({ format }: KnownJobs) => format === "distcrond-job";
  for (const [path, file] of known) if (!isDistcrond(file)) set.addFile(path, file);
  for (const [path, file] of known) if (isDistcrond(file)) set.addFile(path, file);
  spread(set.jobs);

  const keptIn = (path: string) => (set.placed.get(path) ?? []).flatMap((name) => set.jobs.get(name) ?? []);
  const broken: BrokenFile[] = [];
  const warnings: Problem[] = [];
  for (const [path, problem] of found.unreadable) {
    const below = [...known.keys()].filter((file) => file.startsWith(`${path}/`));
    broken.push({ path, problems: [problem], kept: below.flatMap(keptIn) });
  }
  for (const [path, { reading }] of known) {
    warnings.push(...reading.warnings, ...(set.warnings.get(path) ?? []));
    const conflicts = set.conflicts.get(path) ?? [];
    const problems = conflicts.length === 0 ? reading.problems : [...reading.problems, ...conflicts];
    if (problems.length === 0) continue;
    broken.push({ path, problems, kept: reading.problems.length > 0 ? keptIn(path) : [] });
  }
  return { jobs: set.jobs, nodes: set.nodes, broken, warnings, fileCount: found.files.length };
}

/** Who has which name. */
class Names {
  readonly jobs = new Map<string, ScheduledJob>();
  readonly nodes = new Map<string, Node>();
  /** The names of the jobs of each file, as they are called in the end. */
  readonly placed = new Map<string, string[]>();
  readonly conflicts = new Map<string, Problem[]>();
  readonly warnings = new Map<string, Problem[]>();
  /** distcrond's jobs by the names that their files have. */
  private readonly ofDistcrond = new Map<string, ScheduledJob>();

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) this.nodes.set(node.name, node);
  }

  addFile(path: string, { format, good, goodNodes }: KnownJobs): void {
    for (const job of good) {
      const named = format === "distcrond-job" ? this.nameOfDistcrond(path, job) : job;
      if (named === undefined) continue;
      const other = this.jobs.get(named.name);
      if (other !== undefined) this.tell(this.conflicts, path, duplicate("job", named, other, "runs"));
      else {
        this.jobs.set(named.name, named);
        const names = this.placed.get(path);
        if (names === undefined) this.placed.set(path, [named.name]);
        else names.push(named.name);
      }
    }
    for (const node of goodNodes) {
      const other = this.nodes.get(node.name);
      if (other === undefined) this.nodes.set(node.name, node);
      else this.tell(this.conflicts, path, duplicate("node", node, other, "counts"));
    }
  }

  /** @returns the job by the name that it can have; undefined where another file of distcrond's has it, which is told */
  private nameOfDistcrond(path: string, job: ScheduledJob): ScheduledJob | undefined {
    const twin = this.ofDistcrond.get(job.name);
    if (twin !== undefined) {
      this.tell(this.conflicts, path, duplicate("job", job, twin, "runs"));
      return undefined;
    }
    this.ofDistcrond.set(job.name, job);
    const other = this.jobs.get(job.name);
    const name = `${prefix}${job.name}`;
    if (other === undefined || !isFitName(name)) return job;
    const rule = `a job that is named as one of another source is called ${name}: ${job.name} stands at ${placeOf(other)} as well`;
    this.tell(
      this.warnings,
      path,
      new Problem("conflict", rule, { where: placeOf(job), hint: hintFor("job") }),
    );
    return { ...job, name, rules: { ...job.rules, name } };
  }

  private tell(where: Map<string, Problem[]>, path: string, problem: Problem): void {
    where.set(path, [...(where.get(path) ?? []), problem]);
  }
}

/** Gives each job that is spread over a period its place in it. */
function spread(jobs: Map<string, ScheduledJob>): void {
  const names = new Map<number, string[]>();
  for (const [name, { schedule }] of jobs) {
    if (schedule.kind !== "every" || !schedule.isSpread) continue;
    const ofPeriod = names.get(schedule.periodMs);
    if (ofPeriod === undefined) names.set(schedule.periodMs, [name]);
    else ofPeriod.push(name);
  }
  for (const [periodMs, ofPeriod] of names) {
    for (const [name, offsetMs] of spreadPlaces(ofPeriod, periodMs)) {
      const job = jobs.get(name);
      if (job !== undefined) {
        jobs.set(name, { ...job, schedule: { kind: "every", periodMs, offsetMs, isSpread: true } });
      }
    }
  }
}

interface Named {
  readonly name: string;
  readonly source: JobSource;
}

function duplicate(kind: "job" | "node", named: Named, other: Named, does: "runs" | "counts"): Problem {
  const rule = `a ${kind}'s name must be its own: ${named.name} stands at ${placeOf(other)} as well, and that one ${does}`;
  return new Problem("conflict", rule, { where: placeOf(named), hint: hintFor(kind) });
}

function hintFor(kind: "job" | "node"): string {
  return kind === "job" ? "rename one of the two files" : "rename one of the two";
}

function placeOf({ source }: Named): string {
  return `${source.path}:${source.line}`;
}

/**
 * All jobs that the files say, kept up to date: what is new is read, what is the same is not, and what is bad keeps its last
 * good version.
 *
 * A look goes through four steps: find the files and their dates; read those whose dates have changed; put all jobs
 * together, each name once; tell what is different from before. The set of jobs is exchanged as a whole at the end, so
 * nobody ever sees half a change.
 */
import { isNodeName, type Node, nodeNameRule } from "../model/node.ts";
import { Problem } from "../model/problem.ts";
import { decodeWord } from "../model/raw-text.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { readFileStart } from "../system/files.ts";
import { parseAcronFile } from "./acron-file.ts";
import { parseCrontabFile } from "./crontab-file.ts";
import { parseDistcrondJob } from "./distcrond-job.ts";
import { parseDistcrondNode } from "./distcrond-node.ts";
import type { FileReading, JobTerms } from "./file-reading.ts";
import {
  type FileFacts,
  type FileFormat,
  type FoundFile,
  type FoundFiles,
  findFiles,
  type JobPlaces,
  Portions,
  plainPlaces,
} from "./find-files.ts";
import { isFitName, nameOfFile, nameOfJson } from "./job-names.ts";
import { type BrokenFile, emptySet, type JobSet, type KnownJobs, putTogether } from "./job-set.ts";

/** Where jobs are, and on what terms they are read. */
export interface TreeOptions {
  readonly places: JobPlaces;
  readonly terms: JobTerms;
  /** Whose daemon it is: root's reads root's files only. */
  readonly uid: number;
  /** Whether a crontab's lines name their users; by default those of files that belong to root do, as in /etc/cron.d. */
  readonly userColumn?: "yes" | "no";
}

/** What is different from the set before. */
export interface JobChange {
  readonly added: readonly ScheduledJob[];
  /** As they are now. A job that only stands on another line is not among them. */
  readonly changed: readonly ScheduledJob[];
  /** As they were. */
  readonly removed: readonly ScheduledJob[];
  /** Undefined: all nodes are as they were, and where they were. */
  readonly nodes: NodeChange | undefined;
  /** All that is broken now, also what was before. */
  readonly broken: readonly BrokenFile[];
  /** The whole new set. */
  readonly set: JobSet;
}

/** What is different of the nodes; nothing in it where one only stands on another line. */
export interface NodeChange {
  readonly added: readonly Node[];
  /** As they are now. */
  readonly changed: readonly Node[];
  /** As they were. */
  readonly removed: readonly Node[];
}

/** A file larger than this is taken for a mistake. */
export const sizeLimit = 64 * 1024;
/** A file that was changed so shortly before it was read may be changed again without another date. */
const racyMs = 50;

interface KnownFile extends KnownJobs {
  /** As it was when it was read; undefined where it was not. */
  readonly facts: FileFacts | undefined;
  /** When all was read again the last time. */
  readonly round: number;
  readonly isRacy: boolean;
  /** A hash of it. */
  readonly content: bigint;
}

const noNodes: readonly Node[] = [];

/** The jobs of some places. */
export class JobTree {
  private source: TreeOptions;
  /** Of what is read again though its file is the same. */
  private round = 0;
  private known = new Map<string, KnownFile>();
  private current = emptySet;
  /** Why folders could not be looked into, the last time. */
  private reasons = "";
  /** Of the terms, the last time. */
  private nodes: JobTerms["nodes"];
  private looking: Promise<unknown> = Promise.resolve();
  /** Folders that links in the tree lead to. */
  linkedFolders: readonly string[] = [];

  constructor(source: TreeOptions) {
    this.source = { ...source, places: plainPlaces(source.places) };
  }

  get set(): JobSet {
    return this.current;
  }

  /**
   * Looks at all files, and reads those that have changed. One look at a time: a second call waits for the first.
   * @returns undefined where nothing is different, jobs, problems and warnings
   */
  look(): Promise<JobChange | undefined> {
    const look = this.looking.then(() => this.lookNow());
    this.looking = look.catch(() => undefined); // the caller has the error
    return look;
  }

  /**
   * Reads everything again: for what is not in the files, such as users, time zones and the terms.
   * @param terms undefined: those of before
   */
  lookAnew(terms?: JobTerms): Promise<JobChange | undefined> {
    this.round += 1;
    if (terms !== undefined) this.source = { ...this.source, terms };
    return this.look();
  }

  private async lookNow(): Promise<JobChange | undefined> {
    const portions = new Portions();
    const found = await findFiles(this.source.places, portions);
    const known = new Map<string, KnownFile>();
    for (const file of found.files) {
      if (known.has(file.path)) continue; // named twice
      known.set(file.path, this.read(file));
      const pause = portions.pause();
      if (pause !== undefined) await pause;
    }
    for (const [path, file] of this.known) {
      // A folder that can't be looked into says nothing about its files.
      if (!known.has(path) && isUnder(path, found)) known.set(path, file);
    }
    this.linkedFolders = found.linkedFolders;
    const { nodes } = this.source.terms;
    const isSame = isSameFiles(this.known, known) && nodes === this.nodes;
    if (isSame && reasonsOf(found) === this.reasons) return undefined;
    this.reasons = reasonsOf(found);
    this.nodes = nodes;
    const next = putTogether(known, found, nodes ?? []);
    const change = changeBetween(this.current, next);
    this.known = known;
    this.current = next;
    return change;
  }

  private read(file: FoundFile): KnownFile {
    const before = this.known.get(file.path);
    const { facts } = file;
    const { format } = file;
    if (facts instanceof Problem) return bad(before, format, facts);
    const unsafe = this.refusal(file, facts);
    if (unsafe !== undefined) return bad(before, format, unsafe);
    const { round } = this;
    if (before !== undefined && !before.isRacy && isAsKnown(before, facts, round)) return before;
    const isRacy = Date.now() - Math.max(facts.ctimeMs, facts.mtimeMs) < racyMs;
    const start = readFileStart(file.path, sizeLimit);
    if (start.error !== undefined) {
      return bad(
        before,
        format,
        new Problem("denied", `must be a file to read: ${start.error.text}`, { where: file.path }),
      );
    }
    if (!start.isWhole) {
      const rule = `a file of jobs must have at most ${sizeLimit / 1024} kB`;
      return bad(before, format, new Problem("invalid", rule, { where: file.path }));
    }
    const content = BigInt(Bun.hash(start.bytes));
    const isSame = before?.facts?.uid === facts.uid && before.content === content && before.round === round;
    if (isSame) return { ...before, facts, isRacy };
    const reading = this.parse(file, decodeWord(start.bytes), facts);
    const isGood = reading.problems.length === 0;
    const good = isGood ? reading.jobs : (before?.good ?? []);
    const goodNodes = isGood ? (reading.nodes ?? noNodes) : (before?.goodNodes ?? noNodes);
    return { facts, round, isRacy, content, format, reading, good, goodNodes };
  }

  private parse(file: FoundFile, text: string, facts: FileFacts): FileReading {
    const { path, shortName, format, spoolUser } = file;
    const { terms, uid, userColumn } = this.source;
    if (format === "distcrond-node") {
      const name = nameOfJson(shortName);
      if (isNodeName(name)) return parseDistcrondNode(text, path, name);
      const rule = `a node's name, which is its file's, ${nodeNameRule}`;
      return { jobs: [], problems: [new Problem("invalid", rule, { where: path })], warnings: [] };
    }
    const name = format === "distcrond-job" ? nameOfJson(shortName) : nameOfFile(shortName);
    if (!isFitName(name)) {
      const rule =
        "a file's path below the tree must be a job's name: at most 100 printable characters without brackets";
      return { jobs: [], problems: [new Problem("invalid", rule, { where: path })], warnings: [] };
    }
    if (format === "acron") return parseAcronFile(text, path, name, terms);
    if (format === "distcrond-job") return parseDistcrondJob(text, path, name, terms);
    const hasColumn =
      userColumn === undefined ? facts.uid === 0 && spoolUser === undefined : userColumn === "yes";
    // Who is not root runs everything as himself, also from his own crontab.
    const owner = uid === 0 ? spoolUser : undefined;
    const user = hasColumn ? ({ kind: "column" } as const) : ({ kind: "owner", name: owner } as const);
    return parseCrontabFile(text, { path, prefix: name, user }, terms);
  }

  /** As Debian's cron: what others could write must not run with our rights. */
  private refusal({ path, spoolUser, linkOwner }: FoundFile, facts: FileFacts): Problem | undefined {
    const refuse = (rule: string, hint: string) => new Problem("denied", rule, { where: path, hint });
    if (!facts.isFile) return refuse("must be a regular file", "move it out of the tree");
    const { uid, terms } = this.source;
    const account = spoolUser === undefined ? undefined : terms.findUser?.(spoolUser);
    const owners = new Set([
      uid,
      0,
      ...(account === undefined || account === "unknown" ? [] : [account.uid]),
    ]);
    if (!owners.has(facts.uid)) {
      return refuse(
        `must belong to ${uid === 0 ? "root" : "you or root"}: it belongs to uid ${facts.uid}`,
        `chown root ${path}`,
      );
    }
    if (linkOwner !== undefined && !owners.has(linkOwner)) {
      return refuse(`a link must belong to root: it belongs to uid ${linkOwner}`, `chown -h root ${path}`);
    }
    const forbidden = uid === 0 ? 0o022 : 0o002;
    if ((facts.mode & forbidden) === 0) return undefined;
    const mode = (facts.mode & 0o7777).toString(8).padStart(4, "0");
    return refuse(`must not be writable by others: its mode is ${mode}`, `chmod go-w ${path}`);
  }
}

function bad(before: KnownFile | undefined, format: FileFormat, problem: Problem): KnownFile {
  const reading = { jobs: [], problems: [problem], warnings: [] };
  const { good, goodNodes } = before ?? { good: [], goodNodes: noNodes };
  return { facts: undefined, round: -1, isRacy: true, content: 0n, format, reading, good, goodNodes };
}

function isAsKnown(
  known: KnownFile,
  { dev, ino, size, mtimeMs, ctimeMs, uid }: FileFacts,
  round: number,
): boolean {
  const { facts } = known;
  if (facts === undefined || known.round !== round) return false;
  const isSameFile = facts.dev === dev && facts.ino === ino && facts.uid === uid;
  return isSameFile && facts.size === size && facts.mtimeMs === mtimeMs && facts.ctimeMs === ctimeMs;
}

function isUnder(path: string, { unreadable }: FoundFiles): boolean {
  for (const folder of unreadable.keys()) if (path.startsWith(`${folder}/`)) return true;
  return false;
}

function isSameFiles(before: ReadonlyMap<string, KnownFile>, now: ReadonlyMap<string, KnownFile>): boolean {
  if (before.size !== now.size) return false;
  for (const [path, file] of now) if (before.get(path) !== file) return false;
  return true;
}

function reasonsOf({ unreadable }: FoundFiles): string {
  return [...unreadable.values()].map(({ message }) => message).join("\n");
}

function changeBetween(before: JobSet, set: JobSet): JobChange | undefined {
  const jobs = differences(before.jobs, set.jobs);
  const nodes = Bun.deepEquals(before.nodes, set.nodes) ? undefined : differences(before.nodes, set.nodes);
  const isNews = nodes !== undefined || jobs.added.length + jobs.changed.length + jobs.removed.length > 0;
  if (!isNews && complaintsOf(before) === complaintsOf(set)) return undefined;
  return { ...jobs, nodes, broken: set.broken, set };
}

function differences<Each extends ScheduledJob | Node>(
  before: ReadonlyMap<string, Each>,
  now: ReadonlyMap<string, Each>,
): { added: Each[]; changed: Each[]; removed: Each[] } {
  const added: Each[] = [];
  const changed: Each[] = [];
  for (const [name, each] of now) {
    const old = before.get(name);
    if (old === undefined) added.push(each);
    else if (old !== each && !isSame(old, each)) changed.push(each);
  }
  const removed: Each[] = [];
  for (const [name, each] of before) if (!now.has(name)) removed.push(each);
  return { added, changed, removed };
}

/** Wherever the two stand. */
function isSame(
  { source: _, ...a }: ScheduledJob | Node,
  { source: __, ...b }: ScheduledJob | Node,
): boolean {
  return Bun.deepEquals(a, b);
}

function complaintsOf({ broken, warnings }: JobSet): string {
  return [...broken.flatMap(({ problems }) => problems), ...warnings]
    .map(({ message }) => message)
    .join("\n");
}

/**
 * The account of the fleet's soak: what really happened on the nodes, which each job has written down there, against what the record
 * tells of each run.
 */
import type { EndEvent, NodeEnd, RunEvent } from "../../src/model/run-event.ts";

/** What the account must know of a job. */
export interface SoakedJob {
  readonly policy: "any" | "all" | "ordered" | "shuffle";
  readonly overlap: "skip" | "allow" | "wait" | "clobber";
  /** Its earlier runs on all nodes count, and not those on the same one alone. */
  readonly isOnceInFleet: boolean;
  readonly retries: number;
  /** It is due whenever so many seconds are over. */
  readonly seconds: number;
  /** It may end by its timeout, or by the KILL that comes after that. */
  readonly isCut?: boolean;
  /** How many lines a start prints to the job's file. */
  readonly lines?: number;
  /** How many bytes a start prints. */
  readonly bytes?: number;
}

/** A fault, and when it was there. */
export interface Fault {
  readonly kind: string;
  /** A node; none for what befalls rcrond. */
  readonly node?: string;
  readonly fromMs: number;
  untilMs: number;
}

/** An rcrond: the nodes that it knew when it was started, and when that was. */
export interface DaemonStart {
  readonly atMs: number;
  /** When it was at work. */
  readonly workMs: number;
  readonly nodes: readonly string[];
  /** When the one before was ended. */
  readonly deadSinceMs: number;
}

/** A start of a job on a node, as the job has told it. */
export interface RealStart {
  readonly job: string;
  readonly run: string;
  readonly node: string;
  readonly pid: string;
  readonly atMs: number;
  end?: { readonly status: number; readonly atMs: number };
}

export interface Accounted {
  readonly jobs: Readonly<Record<string, SoakedJob>>;
  readonly events: readonly RunEvent[];
  /** In the order of each node's file. */
  readonly starts: readonly RealStart[];
  readonly faults: readonly Fault[];
  /** When the jobs were due no more. */
  readonly untilMs: number;
  readonly daemons: readonly DaemonStart[];
  /** What the record's readers say of each run: its state. */
  readonly states: ReadonlyMap<string, string>;
  /** Runs that go on on a node when all is over. */
  readonly left: readonly { readonly node: string; readonly run: string }[];
  /** Runs that rcrond has promised to whoever asked for them. */
  readonly promised: readonly string[];
  /** The files of jobs that print. */
  readonly printed: Readonly<Record<string, readonly string[]>>;
}

/** A run by all that is known of it. */
interface Run {
  readonly id: string;
  job: string | undefined;
  beganMs: number | undefined;
  readonly ends: EndEvent[];
  skips: number;
  readonly starts: RealStart[];
}

/** Clocks of here and there are read in different ways, of different grain. */
const grainMs = 60;

/**
 * Reads what the jobs of a node have written: `B JOB RUN NODE PID 0 UPTIME` and `E JOB RUN NODE PID STATUS UPTIME`.
 * @param bootMs when the machine's uptime began, in milliseconds since 1970
 */
export function startsIn(lines: readonly string[], bootMs: number): RealStart[] {
  const starts: RealStart[] = [];
  const byName = new Map<string, RealStart>();
  for (const line of lines) {
    const [word, job = "", run = "", node = "", pid = "", status = "", uptime = ""] = line.split(" ");
    const atMs = bootMs + Number(uptime) * 1000;
    const name = `${run} ${pid}`;
    if (word === "B") {
      const start = { job, run, node, pid, atMs };
      starts.push(start);
      byName.set(name, start);
    } else {
      const start = byName.get(name);
      if (start !== undefined) start.end ??= { status: Number(status), atMs };
    }
  }
  return starts;
}

/** What does not agree. Each line names the run. */
export function complaintsOf(it: Accounted): string[] {
  const runs = runsOf(it);
  const complaints: string[] = [];
  for (const run of runs.values()) {
    const found = [...accountOf(run, it), ...placesOf(run, it)];
    const state = it.states.get(run.id);
    if (!["succeeded", "failed", "skipped"].includes(state ?? "none")) found.push(`its state is ${state}`);
    if (found.length > 0) complaints.push(`${run.job} ${run.id}: ${found.join("; ")}\n${storyOf(run)}`);
  }
  for (const id of it.promised) {
    if (!runs.has(id)) complaints.push(`${id}: rcronctl was told that it begins, and nobody knows of it`);
  }
  return [...complaints, ...ticksOf(it), ...overlapsOf(it, runs), ...outputsOf(it, runs)];
}

/** How often each end was told: `any-quick succeeded 12`. */
export function totalsOf({ events }: Accounted): Record<string, number> {
  const totals: Record<string, number> = {};
  const add = (name: string) => {
    totals[name] = (totals[name] ?? 0) + 1;
  };
  for (const event of events) {
    if (event.kind === "skip") add(`skip ${event.why}`);
    if (event.kind !== "end") continue;
    add(event.ok ? "succeeded" : `failed ${event.cause}`);
    for (const { result } of event.nodes ?? []) add(`part ${result}`);
  }
  return totals;
}

function runsOf({ events, starts }: Accounted): Map<string, Run> {
  const runs = new Map<string, Run>();
  const runOf = (id: string): Run => {
    const known = runs.get(id);
    if (known !== undefined) return known;
    const made: Run = { id, job: undefined, beganMs: undefined, ends: [], skips: 0, starts: [] };
    runs.set(id, made);
    return made;
  };
  for (const event of events) {
    if (event.run === undefined) continue;
    const run = runOf(event.run);
    if (event.kind === "start" || event.kind === "skip") run.job = event.job;
    if (event.kind === "start") run.beganMs ??= event.at;
    if (event.kind === "skip") run.skips += 1;
    if (event.kind === "end") run.ends.push(event);
  }
  for (const start of starts) {
    const run = runOf(start.run);
    run.job ??= start.job;
    run.starts.push(start);
  }
  for (const run of runs.values()) run.starts.sort((a, b) => a.atMs - b.atMs);
  return runs;
}

/** Record against truth: one end, and the right one. */
function accountOf(run: Run, it: Accounted): string[] {
  const found: string[] = [];
  const { ends, starts } = run;
  const [end, ...more] = ends;
  if (run.skips > 0) {
    if (end !== undefined || run.skips > 1) found.push(`${run.skips} skips, ${ends.length} ends`);
    if (starts.length > 0) found.push("it was skipped, and began");
    return found;
  }
  if (run.beganMs === undefined) return ["it began, and the record has no start"];
  if (end === undefined) return ["it has no end"];
  for (const other of more) {
    // Killed between record and book, rcrond leaves an end that the next one tells once more.
    const isRepeated = it.daemons.some(({ atMs }) => atMs > end.at - grainMs && atMs < other.at + grainMs);
    if (!isRepeated) found.push(`${ends.length} ends`);
    if (other.ok !== end.ok || other.cause !== end.cause || other.exit !== end.exit)
      found.push("its ends differ");
  }
  const last = more.at(-1) ?? end;
  if (last.nodes === undefined) {
    if (last.cause !== "stopped" || starts.length > 0) found.push("its end tells of no node");
    return found;
  }
  for (const part of last.nodes) {
    found.push(...partOf(part, run, last, it));
    const isLeft = it.left.some((left) => left.run === run.id && left.node === part.node);
    if (isLeft && part.result !== "unknown") found.push(`it goes on on ${part.node}, told ${part.result}`);
  }
  const told = last.nodes.map(({ node }) => node);
  if (new Set(told).size < told.length) found.push("a node is told twice");
  for (const { node, atMs } of starts) {
    if (!told.includes(node)) found.push(`it began on ${node}, of which nothing is told`);
    if (atMs > end.at + grainMs) found.push(`it began on ${node} after its end`);
  }
  return [...found, ...wholeOf(last, last.nodes, it.jobs[run.job ?? ""]?.policy ?? "any")];
}

/** What is told of one node. */
function partOf(part: NodeEnd, run: Run, end: EndEvent, it: Accounted): string[] {
  const { node, result } = part;
  const mine = run.starts.filter((start) => start.node === node);
  const last = mine.at(-1);
  const says = (what: string) => [`${node} is told ${result}, ${what}`];
  switch (result) {
    case "unreachable":
    case "skipped":
      return last === undefined ? [] : says("and it began there");
    case "unknown":
      return isExplained(node, run, end, it) ? [] : says(`and nothing explains it: ${part.sentence}`);
    case "stopped":
      return [];
    default: {
      if (last === undefined) return says(`and it did not begin there: ${part.sentence ?? part.exit}`);
      const told = part.signal === undefined ? part.exit : 128 + part.signal;
      // A further attempt did not get there.
      const isRetryLost = told === undefined && part.sentence !== undefined && (last.end?.status ?? 0) > 0;
      if (isRetryLost && (it.jobs[run.job ?? ""]?.retries ?? 0) > 0) return [];
      const isCut = it.jobs[run.job ?? ""]?.isCut === true && (told === 124 || told === 137);
      if (last.end === undefined) return isCut ? [] : says(`${told}, and it wrote no end`);
      if (!isCut && last.end.status !== told) return says(`${told}, and it ended with ${last.end.status}`);
      if (isCut && result === "success") return says("and it was cut");
      return last.end.atMs > end.at + grainMs ? says("before it had ended") : [];
    }
  }
}

/** docs/limits.md: a node that is not defined when rcrond starts; and a node without room can't write down how a run stands. */
function isExplained(node: string, run: Run, end: EndEvent, { daemons, faults }: Accounted): boolean {
  const fromMs = (run.beganMs ?? 0) - 1000;
  const wasGone = daemons.some(
    ({ atMs, nodes }) => atMs > fromMs && atMs < end.at + grainMs && !nodes.includes(node),
  );
  const wasFull = faults.some((fault) => {
    return fault.kind === "disk" && fault.node === node && fault.fromMs < end.at && fault.untilMs > fromMs;
  });
  return wasGone || wasFull;
}

/** The end of the whole against those of its parts. */
function wholeOf(end: EndEvent, nodes: readonly NodeEnd[], policy: SoakedJob["policy"]): string[] {
  const results = nodes.map(({ result }) => result);
  const hasEndedWell =
    policy === "all"
      ? results.includes("success") && results.every((each) => each === "success" || each === "skipped")
      : results.includes("success");
  const found: string[] = [];
  if (end.ok !== hasEndedWell && end.cause !== "stopped" && end.cause !== "clobbered")
    found.push(`it is told ok=${end.ok}, with ${results.join(", ")}`);
  const failed = nodes.find(({ result }) => result === "failure");
  if (!end.ok && end.cause === "exit" && failed?.exit !== end.exit)
    found.push(`it is told ${end.exit}, and ${failed?.node} failed with ${failed?.exit}`);
  if (!end.ok && end.cause === "unseen" && !results.includes("unknown")) found.push("it is told unseen");
  if (!end.ok && end.cause === "not-started" && failed?.exit !== undefined)
    found.push("it is told not-started, and failed somewhere");
  return found;
}

/** On which nodes, how often, and in which order it began. */
function placesOf({ job = "", starts, ends }: Run, { jobs }: Accounted): string[] {
  const terms = jobs[job];
  if (terms === undefined) return [`nobody knows its job`];
  const found: string[] = [];
  const nodes = [...new Set(starts.map(({ node }) => node))];
  for (const node of nodes) {
    const mine = starts.filter((start) => start.node === node);
    if (mine.length > 1 + terms.retries) found.push(`it began ${mine.length} times on ${node}`);
  }
  if (terms.policy === "any" && nodes.length > 1) found.push(`it began on ${nodes.join(" and ")}`);
  const isInTurn = terms.policy !== "all";
  for (const [at, { node, end, atMs }] of starts.entries()) {
    const next = starts.slice(at + 1).find((other) => isInTurn || other.node === node);
    if (next === undefined) continue;
    if (end === undefined && terms.isCut !== true) found.push(`it began again after no end on ${node}`);
    if (end?.status === 0) found.push(`it began again after its success on ${node}`);
    if (end !== undefined && end.atMs > next.atMs + grainMs) found.push(`it began again beside ${node}`);
    if (ends[0] !== undefined && atMs > ends[0].at + grainMs) found.push("it began after its end");
  }
  return found;
}

/** What was due while an rcrond was at work is in the record, whatever became of it. */
function ticksOf({ jobs, events, daemons, untilMs }: Accounted): string[] {
  const known = new Set<string>();
  for (const event of events) {
    if (event.kind === "start" || event.kind === "skip") known.add(`${event.job} ${event.tick}`);
  }
  return Object.entries(jobs).flatMap(([name, { seconds }]) => {
    const missing: string[] = [];
    for (const [at, { workMs }] of daemons.entries()) {
      const endMs = Math.min(daemons[at + 1]?.deadSinceMs ?? untilMs, untilMs) - 1000;
      const periodMs = seconds * 1000;
      for (let dueMs = Math.ceil((workMs + 1000) / periodMs) * periodMs; dueMs < endMs; dueMs += periodMs) {
        if (!known.has(`${name} ${dueMs}`)) missing.push(new Date(dueMs).toISOString().slice(11, 19));
      }
    }
    return missing.length === 0 ? [] : [`${name}: nothing is told of what was due at ${missing.join(", ")}`];
  });
}

/** No two runs of a job at once, where it says so. */
function overlapsOf({ jobs, starts }: Accounted, runs: ReadonlyMap<string, Run>): string[] {
  const found: string[] = [];
  for (const [name, { overlap, isOnceInFleet, isCut }] of Object.entries(jobs)) {
    if (overlap === "allow") continue;
    const going = new Map<string, RealStart>();
    for (const start of starts.filter(({ job }) => job === name).sort((a, b) => a.atMs - b.atMs)) {
      const place = isOnceInFleet ? "" : start.node;
      const before = going.get(place);
      going.set(place, start);
      if (before === undefined || before.run === start.run) continue;
      const told = runs.get(before.run)?.ends.at(-1);
      const part = told?.nodes?.find(({ node }) => node === before.node)?.result;
      if (part === "unknown") continue; // nobody knows of it any more
      if (
        before.end === undefined
          ? isCut !== true && part !== "stopped"
          : before.end.atMs > start.atMs + grainMs
      )
        found.push(`${name}: ${start.run} began on ${start.node} beside ${before.run} on ${before.node}`);
    }
  }
  return found;
}

/** What is kept of the output is whole. */
function outputsOf({ jobs, printed, daemons, faults }: Accounted, runs: ReadonlyMap<string, Run>): string[] {
  const found: string[] = [];
  const counts = new Map<string, Map<string, number>>();
  for (const line of Object.values(printed).flat()) {
    // What stands before it is a line that the death of an rcrond has cut; the next one tells its end.
    const [, run = "", node = "", number = ""] = /([0-9a-f]{16}) (web\d) (\d+\.\d+)$/.exec(line) ?? [];
    const name = `${run} ${node}`;
    const mine = counts.get(name) ?? new Map<string, number>();
    counts.set(name, mine);
    mine.set(number, (mine.get(number) ?? 0) + 1);
  }
  for (const run of runs.values()) {
    const { lines, bytes } = jobs[run.job ?? ""] ?? {};
    const end = run.ends.at(-1);
    if ((lines === undefined && bytes === undefined) || end?.nodes === undefined) continue;
    const during = (fromMs: number, untilMs: number) =>
      fromMs < end.at + 1000 && untilMs > (run.beganMs ?? 0) - 1000;
    const deaths = daemons.filter(({ deadSinceMs, atMs }) => during(deadSinceMs, atMs)).length;
    const wasFull = faults.some(({ kind, fromMs, untilMs }) => kind === "disk" && during(fromMs, untilMs));
    const ran = end.nodes.filter(({ result }) => result === "success");
    if (bytes !== undefined && !wasFull && ran.length === end.nodes.length) {
      const had = end.output?.bytes ?? 0;
      const wanted = bytes * ran.length;
      if (had > wanted || (had < wanted && deaths === 0))
        found.push(`${run.job} ${run.id}: ${had} bytes of ${wanted}\n${storyOf(run)}`);
    }
    for (const { node } of lines === undefined || wasFull ? [] : ran) {
      const mine = counts.get(`${run.id} ${node}`) ?? new Map<string, number>();
      const twice = [...mine.values()].filter((count) => count > 1).length;
      // Where rcrond died in the middle of a line, that one may be there in pieces.
      const missing = (lines ?? 0) - mine.size;
      if (missing > deaths || (twice > 0 && deaths === 0))
        found.push(
          `${run.job} ${run.id} on ${node}: ${missing} lines are missing, ${twice} are there twice\n${storyOf(run)}`,
        );
    }
  }
  return found;
}

/** All that is known of a run, for who looks for the fault. */
function storyOf({ beganMs, starts, ends, skips }: Run): string {
  const at = (ms: number) => new Date(ms).toISOString().slice(11, 23);
  const lines = [
    ...(beganMs === undefined ? [] : [`    began ${at(beganMs)}`]),
    ...starts.map(({ node, atMs, end }) => {
      return `    ${node}: ${at(atMs)} to ${end === undefined ? "?" : `${at(end.atMs)}, ${end.status}`}`;
    }),
    ...ends.map(({ at: endMs, ok, cause, exit, sentence, nodes }) => {
      const parts = nodes?.map((part) => [part.node, part.result, part.exit, part.signal, part.sentence]);
      return `    ended ${at(endMs)} ok=${ok} ${cause} ${exit} ${sentence} ${JSON.stringify(parts)}`;
    }),
    ...(skips === 0 ? [] : [`    ${skips} skips`]),
  ];
  return lines.join("\n");
}

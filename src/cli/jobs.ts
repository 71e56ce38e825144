/**
 * `rcronctl jobs`: each job that was seen here, and how it does; where a daemon runs, all that it has.
 */
import type { JobRecord } from "../history/history.ts";
import type { JobFacts } from "../model/control-message.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askForMore } from "./ask-daemon.ts";
import { never } from "./coming-ticks.ts";
import type { Given } from "./control-word.ts";
import { localTime, shortTime } from "./moment.ts";
import { colourOf, instant, withRecord } from "./open-record.ts";
import { shortDuration } from "./runs.ts";
import { print } from "./standard-output.ts";
import { type Cell, type Column, formatTable, screen } from "./table.ts";
import { say } from "./terminal.ts";

/** A job, by the record and by the daemon; one of the two at least. */
type KnownJob = { readonly name: string; readonly seen?: JobRecord; readonly facts?: JobFacts };

/**
 * Lists the jobs by name.
 * @returns the exit status 0
 */
export async function listJobs({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `jobs takes no further word: got ${quoted(words.join(" "))}`, {
      hint: "rcronctl runs --job NAME lists one job's runs",
    });
  }
  const told = await askForMore(options, { ask: "jobs" });
  const show = async (seen: readonly JobRecord[], isRecordTheirs: boolean) => {
    const jobs = merge(seen, told?.result.jobs ?? []);
    // Only a record that has all of the daemon's runs can tell that a job never ran.
    const unseen = isRecordTheirs ? "never ran" : "unknown";
    const inJson = () =>
      JSON.stringify(
        jobs.map((job) => jobInJson(job, unseen)),
        undefined,
        2,
      );
    await print(options["json"] ? `${inJson()}\n` : table(jobs, unseen, told !== undefined));
    return 0;
  };
  const status = await withRecord(options, ({ ask }) => show(ask.jobs(), told?.isOwn !== false));
  if (!(status instanceof Problem) || told === undefined) return status;
  say("rcronctl", `warning: the record is left out: ${status.message}`);
  return show([], false);
}

/** By name; a job that several clusters have had is as often in it. */
function merge(seen: readonly JobRecord[], told: readonly JobFacts[]): KnownJob[] {
  const facts = new Map(told.map((each) => [each.job, each]));
  const jobs = seen.map((job): KnownJob => {
    const its = facts.get(job.job);
    return { name: job.job, seen: job, ...(its !== undefined && { facts: its }) };
  });
  if (told.length === 0) return jobs;
  const known = new Set(seen.map(({ job }) => job));
  jobs.push(...told.filter(({ job }) => !known.has(job)).map((its) => ({ name: its.job, facts: its })));
  return jobs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function jobInJson({ name, seen, facts }: KnownJob, unseen: string): object {
  return {
    job: name,
    cluster: seen?.cluster ?? null,
    state: seen === undefined ? stateByDaemon(facts, unseen) : stateOf(seen),
    lastRun: seen?.lastRun?.id ?? null,
    lastRunAt: instant(seen?.lastRun?.atMs),
    lastSuccessAt: instant(seen?.lastSuccess?.atMs),
    lastExit: seen?.lastEnded?.exit ?? null,
    lastDurationMs: seen?.lastEnded?.ms ?? null,
    typicalDurationMs: seen?.typicalMs ?? null,
    failureStreak: seen?.failureStreak ?? 0,
    running: seen?.runningCount ?? facts?.running ?? 0,
    totals: (seen?.totals ?? []).map(({ state, why, count }) => ({ state, why: why ?? null, count })),
    schedule: facts?.schedule ?? null,
    next: instant(facts?.nextMs),
    pausedUntil: instant(facts?.pausedUntilMs),
    waiting: facts?.waiting ?? null,
    followsCluster: facts?.isCluster ?? null,
    where: facts?.where ?? null,
    on: facts?.on ?? null,
    description: facts?.description ?? null,
  };
}

/** `passive` where all that is known are ticks that a passive machine passed over. */
function stateOf({ last, runningCount }: JobRecord): string {
  if (runningCount > 0) return "running";
  return last.why === "passive" ? "passive" : last.state;
}

function stateByDaemon(facts: JobFacts | undefined, unseen: string): string {
  return facts !== undefined && facts.running > 0 ? "running" : unseen;
}

const columns: readonly Column[] = [
  { heading: "JOB", gives: true },
  { heading: "STATE" },
  { heading: "LAST RUN" },
  { heading: "LAST SUCCESS" },
  { heading: "FAILED SINCE", align: "right" },
  { heading: "TOOK", align: "right" },
  { heading: "TYPICAL", align: "right" },
];

/** @param isTold whether a daemon has told of its jobs */
function table(jobs: readonly KnownJob[], unseen: string, isTold: boolean): string {
  if (jobs.length === 0) return "";
  const hasClusters = new Set(jobs.flatMap(({ seen }) => seen?.cluster ?? [])).size > 1;
  const hasNodes = jobs.some(({ facts }) => facts?.on !== undefined);
  const nowMs = Date.now();
  const rows = jobs.map(({ name, seen, facts }): Cell[] => [
    name,
    ...(seen === undefined ? unseenCells(facts, unseen) : seenCells(seen)),
    ...(hasClusters ? [seen?.cluster ?? ""] : []),
    ...(isTold ? [nextCell(facts, nowMs), facts?.schedule ?? ""] : []),
    ...(hasNodes ? [facts?.on ?? ""] : []),
  ]);
  const more = [
    ...(hasClusters ? [{ heading: "CLUSTER" }] : []),
    ...(isTold ? [{ heading: "NEXT" }, { heading: "SCHEDULE", gives: "first" } as const] : []),
    ...(hasNodes ? [{ heading: "ON", gives: "first" } as const] : []),
  ];
  return formatTable([...columns, ...more], rows, screen());
}

function seenCells(job: JobRecord): Cell[] {
  return [
    { text: stateOf(job), colour: job.runningCount > 0 ? "cyan" : colourOf(job.last) },
    job.lastRun === undefined ? "never" : localTime(job.lastRun.atMs),
    job.lastSuccess === undefined ? "never" : localTime(job.lastSuccess.atMs),
    job.failureStreak === 0 ? "" : String(job.failureStreak),
    job.lastEnded?.ms === undefined ? "" : shortDuration(job.lastEnded.ms),
    job.typicalMs === undefined ? "" : shortDuration(job.typicalMs),
  ];
}

function unseenCells(facts: JobFacts | undefined, unseen: string): Cell[] {
  return [{ text: stateByDaemon(facts, unseen), colour: "grey" }, "", "", "", "", ""];
}

/** When it is due next, or what is in the way; empty for a job that the daemon does not have. */
function nextCell(facts: JobFacts | undefined, nowMs: number): Cell {
  if (facts === undefined) return "";
  const { nextMs, pausedUntilMs } = facts;
  if (pausedUntilMs !== undefined) {
    return { text: `paused until ${shortTime(pausedUntilMs, nowMs)}`, colour: "yellow" };
  }
  return nextMs === undefined ? never(facts) : shortTime(nextMs, nowMs);
}

/**
 * `rcronctl jobs`: each job that was seen here, and how it does.
 */
import type { JobRecord } from "../history/history.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given } from "./control.ts";
import { localTime } from "./moment.ts";
import { colourOf, instant, withRecord } from "./open-record.ts";
import { shortDuration } from "./runs.ts";
import { type Cell, type Column, formatTable, screen } from "./table.ts";
import { print } from "./terminal.ts";

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
  return withRecord(options, async ({ ask }) => {
    const jobs = ask.jobs();
    await print(options["json"] ? `${JSON.stringify(jobs.map(jobInJson), undefined, 2)}\n` : table(jobs));
    return 0;
  });
}

function jobInJson(job: JobRecord): object {
  return {
    job: job.job,
    cluster: job.cluster,
    state: stateOf(job),
    lastRun: job.lastRun?.id ?? null,
    lastRunAt: instant(job.lastRun?.atMs),
    lastSuccessAt: instant(job.lastSuccess?.atMs),
    lastExit: job.lastEnded?.exit ?? null,
    lastDurationMs: job.lastEnded?.ms ?? null,
    typicalDurationMs: job.typicalMs ?? null,
    failureStreak: job.failureStreak,
    running: job.runningCount,
    totals: job.totals.map(({ state, why, count }) => ({ state, why: why ?? null, count })),
  };
}

/** `passive` where all that is known are ticks that a passive machine passed over. */
function stateOf({ last, runningCount }: JobRecord): string {
  if (runningCount > 0) return "running";
  return last.why === "passive" ? "passive" : last.state;
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

function table(jobs: readonly JobRecord[]): string {
  if (jobs.length === 0) return "";
  const hasClusters = new Set(jobs.map(({ cluster }) => cluster)).size > 1;
  const rows = jobs.map((job): Cell[] => [
    job.job,
    { text: stateOf(job), colour: job.runningCount > 0 ? "cyan" : colourOf(job.last) },
    job.lastRun === undefined ? "never" : localTime(job.lastRun.atMs),
    job.lastSuccess === undefined ? "never" : localTime(job.lastSuccess.atMs),
    job.failureStreak === 0 ? "" : String(job.failureStreak),
    job.lastEnded?.ms === undefined ? "" : shortDuration(job.lastEnded.ms),
    job.typicalMs === undefined ? "" : shortDuration(job.typicalMs),
    ...(hasClusters ? [job.cluster] : []),
  ]);
  return formatTable([...columns, ...(hasClusters ? [{ heading: "CLUSTER" }] : [])], rows, screen());
}

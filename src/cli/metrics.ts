/**
 * `rcronctl metrics`: the jobs' figures for Prometheus.
 */
import { formatMetrics, type JobMetrics } from "../api/api.ts";
import type { JobRecord } from "../history/history.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { writeFileAtomically } from "../system/files.ts";
import type { Given } from "./control-word.ts";
import { withRecord } from "./open-record.ts";
import { print } from "./standard-output.ts";

/**
 * Prints the metrics, or puts them into a file in one step, which node_exporter may read (mode 0644).
 * @returns the exit status 0
 */
export async function showMetrics({ options, words }: Given): Promise<number | Problem> {
  const { textfile, json } = options;
  if (words.length > 0) {
    return new Problem("invalid", `metrics takes no further word: got ${quoted(words.join(" "))}`, {
      hint: "rcronctl metrics --help",
    });
  }
  if (typeof textfile === "string" && !textfile.startsWith("/")) {
    return new Problem("invalid", `--textfile must be an absolute path: got ${quoted(textfile)}`);
  }
  if (textfile !== undefined && json !== undefined) {
    return new Problem("invalid", "--textfile and --json must not stand together");
  }
  return withRecord(options, async ({ ask }) => {
    const rows = ask.jobs().map(metricsOf);
    const text = json ? `${JSON.stringify(rows.map(inJson), undefined, 2)}\n` : formatMetrics(rows);
    if (typeof textfile !== "string") await print(text);
    else {
      try {
        await writeFileAtomically(textfile, text, 0o644);
      } catch (error) {
        if (error instanceof Problem) return error;
        throw error;
      }
    }
    return 0;
  });
}

function metricsOf(job: JobRecord): JobMetrics {
  return {
    job: job.job,
    cluster: job.cluster,
    lastRunAtMs: job.lastRun?.atMs,
    lastSuccessAtMs: job.lastSuccess?.atMs,
    lastMs: job.lastEnded?.ms,
    lastExit: job.lastEnded?.exit,
    running: job.runningCount,
    failureStreak: job.failureStreak,
    runs: job.totals
      .filter(({ state }) => state !== "skipped")
      .map(({ state, count }) => ({ result: state, count })),
    skips: job.totals
      .filter(({ state }) => state === "skipped")
      .map(({ why, count }) => ({ reason: why ?? "unknown", count })),
  };
}

function inJson(row: JobMetrics): object {
  return {
    job: row.job,
    cluster: row.cluster,
    lastRunSeconds: row.lastRunAtMs === undefined ? null : row.lastRunAtMs / 1000,
    lastSuccessSeconds: row.lastSuccessAtMs === undefined ? null : row.lastSuccessAtMs / 1000,
    lastDurationSeconds: row.lastMs === undefined ? null : row.lastMs / 1000,
    lastExit: row.lastExit ?? null,
    running: row.running,
    failureStreak: row.failureStreak,
    runs: row.runs,
    skipped: row.skips,
  };
}

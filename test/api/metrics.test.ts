/** The metrics, read back by a strict reader of Prometheus's text format. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatMetrics, type JobMetrics } from "../../src/api/api.ts";
import { readMetrics } from "./read-metrics.ts";

const job: JobMetrics = {
  job: "backup",
  cluster: "c1",
  lastRunAtMs: 1_795_274_743_014,
  lastSuccessAtMs: undefined,
  lastMs: 4200,
  lastExit: 3,
  running: 0,
  failureStreak: 2,
  runs: [{ result: "failed", count: 2 }],
  skips: [{ reason: "passive", count: 100_000 }],
};

describe("formatMetrics()", () => {
  test("gives each metric its help, its type and its samples, and leaves out what there is none of", () => {
    expect(formatMetrics([job])).toBe(`# HELP rcron_job_last_run_timestamp_seconds When the job last started.
# TYPE rcron_job_last_run_timestamp_seconds gauge
rcron_job_last_run_timestamp_seconds{job="backup",cluster="c1"} 1795274743.014
# HELP rcron_job_last_duration_seconds How long the last run took that is over.
# TYPE rcron_job_last_duration_seconds gauge
rcron_job_last_duration_seconds{job="backup",cluster="c1"} 4.2
# HELP rcron_job_last_exit_status The exit status of the last run that is over; none where it had none.
# TYPE rcron_job_last_exit_status gauge
rcron_job_last_exit_status{job="backup",cluster="c1"} 3
# HELP rcron_job_running How many runs go on.
# TYPE rcron_job_running gauge
rcron_job_running{job="backup",cluster="c1"} 0
# HELP rcron_job_failure_streak How many runs failed or were interrupted since the last success.
# TYPE rcron_job_failure_streak gauge
rcron_job_failure_streak{job="backup",cluster="c1"} 2
# HELP rcron_job_runs_total Runs that are over, by result.
# TYPE rcron_job_runs_total counter
rcron_job_runs_total{job="backup",cluster="c1",result="failed"} 2
# HELP rcron_job_skipped_total Runs that were due and did not happen, by reason.
# TYPE rcron_job_skipped_total counter
rcron_job_skipped_total{job="backup",cluster="c1",reason="passive"} 100000
`);
  });

  test("is empty without jobs", () => {
    expect(formatMetrics([])).toBe("");
  });

  test("escapes names so that they come back as they were, whatever they are", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "binary" }), { maxLength: 5 }), (names) => {
        const samples = readMetrics(formatMetrics(names.map((name) => ({ ...job, job: name }))));
        const back = samples
          .filter(({ name }) => name === "rcron_job_running")
          .map(({ labels }) => labels["job"]);
        expect(back).toEqual(names);
      }),
    );
  });
});

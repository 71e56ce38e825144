/**
 * Metrics in Prometheus's text format, version 0.0.4: how each job does, for whoever wants to be woken.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */

/** One job's figures. Times are milliseconds since 1970, lengths milliseconds. */
export interface JobMetrics {
  readonly job: string;
  readonly cluster: string;
  readonly lastRunAtMs: number | undefined;
  readonly lastSuccessAtMs: number | undefined;
  /** Of the last run that is over. */
  readonly lastMs: number | undefined;
  readonly lastExit: number | undefined;
  readonly running: number;
  readonly failureStreak: number;
  /** How often it came to each end. */
  readonly runs: readonly { readonly result: string; readonly count: number }[];
  readonly skips: readonly { readonly reason: string; readonly count: number }[];
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | undefined;
}

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: (job: JobMetrics) => readonly Sample[];
}

const one = (value: number | undefined): readonly Sample[] => [{ labels: {}, value }];
const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

const metrics: readonly Metric[] = [
  {
    name: "rcron_job_last_run_timestamp_seconds",
    type: "gauge",
    help: "When the job last started.",
    samples: ({ lastRunAtMs }) => one(seconds(lastRunAtMs)),
  },
  {
    name: "rcron_job_last_success_timestamp_seconds",
    type: "gauge",
    help: "When the last run that succeeded was started.",
    samples: ({ lastSuccessAtMs }) => one(seconds(lastSuccessAtMs)),
  },
  {
    name: "rcron_job_last_duration_seconds",
    type: "gauge",
    help: "How long the last run took that is over.",
    samples: ({ lastMs }) => one(seconds(lastMs)),
  },
  {
    name: "rcron_job_last_exit_status",
    type: "gauge",
    help: "The exit status of the last run that is over; none where it had none.",
    samples: ({ lastExit }) => one(lastExit),
  },
  {
    name: "rcron_job_running",
    type: "gauge",
    help: "How many runs go on.",
    samples: ({ running }) => one(running),
  },
  {
    name: "rcron_job_failure_streak",
    type: "gauge",
    help: "How many runs failed or were interrupted since the last success.",
    samples: ({ failureStreak }) => one(failureStreak),
  },
  {
    name: "rcron_job_runs_total",
    type: "counter",
    help: "Runs that are over, by result.",
    samples: ({ runs }) => runs.map(({ result, count }) => ({ labels: { result }, value: count })),
  },
  {
    name: "rcron_job_skipped_total",
    type: "counter",
    help: "Runs that were due and did not happen, by reason.",
    samples: ({ skips }) => skips.map(({ reason, count }) => ({ labels: { reason }, value: count })),
  },
];

/** The text of all metrics; a metric without samples is left out. */
export function formatMetrics(jobs: readonly JobMetrics[]): string {
  let text = "";
  for (const { name, type, help, samples } of metrics) {
    let lines = "";
    for (const job of jobs) {
      for (const { labels, value } of samples(job)) {
        if (value === undefined) continue;
        lines += `${name}${formatLabels({ job: job.job, cluster: job.cluster, ...labels })} ${value}\n`;
      }
    }
    if (lines !== "") text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
  }
  return text;
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(",")}}`;
}

/** As the format wants it: backslash, quote and line feed; and no half characters, which would not be UTF-8. */
function escaped(value: string): string {
  return value.toWellFormed().replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

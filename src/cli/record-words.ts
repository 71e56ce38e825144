/**
 * The words of `rcronctl` that the record answers.
 */
import { conf, history, json, socket, type Vocabulary } from "./control-word.ts";

export const recordWords: Vocabulary = {
  runs: {
    usage: "",
    summary: "list the runs, the newest at the bottom",
    about: `Lists the newest 20 runs in the order in which they came, the newest at the bottom.
Those that a passive machine skipped are left out unless --skipped or --all asks for
them.
`,
    options: {
      conf,
      history,
      job: { value: "NAME", help: "this job's runs alone" },
      failed: { help: "those alone that failed or were interrupted" },
      skipped: { help: "those alone that were due and did not happen" },
      all: { help: "all of them" },
      since: { value: "TIME", help: "those that began since, e.g. 2h, 03:00, 2026-11-21, 2026-11-21T03:00" },
      host: { value: "NAME", help: "those of this machine alone" },
      limit: { value: "N", help: "the newest N (default: 20)" },
      follow: { help: "wait for more, until interrupted: each run when it begins and when it ends" },
      json,
    },
    run: async (given) => (await import("./runs.ts")).listRuns(given),
  },
  show: {
    usage: "RUN",
    summary: "show one run, with what was kept of its output",
    about: `RUN is the run's id, or its first characters where no other one begins so.
`,
    options: { conf, history, json },
    run: async (given) => (await import("./show.ts")).showRun(given),
  },
  jobs: {
    usage: "",
    summary: "list the jobs of this machine, and how they do",
    about: `For each job that was seen here: its state, when it last ran and last succeeded,
how often it has failed since, how long the last run took, and the median of its
last successes. Where rcrond runs, all of its jobs, with their schedules and when
they are due next; with --history the record alone, unless --socket is given too.
`,
    options: { conf, history, socket, json },
    run: async (given) => (await import("./jobs.ts")).listJobs(given),
  },
  why: {
    usage: "JOB",
    summary: "tell what became of a job's tick: did it run, and why not?",
    about: `Tells it of the last tick that is recorded, or of the minute --at. Exit status 0
if the job ran and succeeded, 1 if it did not, or is not over yet. Where rcrond
runs, it also tells when the job is due next, and what would keep it from running.
`,
    options: {
      conf,
      history,
      socket,
      at: { value: "TIME", help: "the tick, e.g. 03:00 (the last one) or 2026-11-21T03:00" },
      json,
    },
    run: async (given) => (await import("./why.ts")).explainWhy(given),
  },
  metrics: {
    usage: "",
    summary: "print the jobs' figures for Prometheus",
    about: `Prints each job's last run, last success, duration, exit status and failure streak,
and counts runs by result and skips by reason, in Prometheus's text format.
`,
    options: {
      conf,
      history,
      textfile: { value: "FILE", help: "write them to FILE in one step, for node_exporter" },
      json,
    },
    run: async (given) => (await import("./metrics.ts")).showMetrics(given),
  },
  mail: {
    usage: "[list|send|drop ID]",
    summary: "show or send the mails, pings and webhooks that wait in the spool",
    about: `What could not be sent waits in the spool, and is tried again with the next mail.
Without a word, or with list, shows what waits; send tries all of it now; drop
removes one, or with all everything.
`,
    options: { conf, history, quiet: { help: "say nothing" }, json },
    run: async (given) => (await import("./mail.ts")).mail(given),
  },
};

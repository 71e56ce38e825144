/**
 * The words of `rcronctl` that the running `rcrond` answers.
 */
import { conf, json, socket, type Vocabulary } from "./control-word.ts";

export const daemonWords: Vocabulary = {
  status: {
    usage: "",
    summary: "tell how rcrond is: what runs, what waits, what is paused or broken",
    about: `Exit status 0 if rcrond runs and all is well, 1 if it does not run, ends, warns of
something, or has files that it can't use.
`,
    options: { conf, socket, json },
    run: async (given) => (await import("./status.ts")).showStatus(given),
  },
  next: {
    usage: "[JOB]",
    summary: "tell when jobs are due next",
    about: `Shows the next time of every job, or the coming ones of JOB. Where no rcrond runs,
the job files answer.
`,
    options: {
      conf,
      socket,
      "cron-dir": { value: "DIR", help: "what the files of this tree say, without asking rcrond" },
      count: { value: "N", help: "so many times of each (default: 1, with JOB 10)" },
      json,
    },
    run: async (given) => (await import("./next.ts")).showNext(given),
  },
  run: {
    usage: "JOB",
    summary: "start a job now",
    about: `Starts it under its own rules, as if it were due now: it may wait for its turn, or
for an earlier run. Prints the run's id and comes back; with --follow stays until
the run is over, prints what it prints, and ends with its exit status.
`,
    options: {
      conf,
      socket,
      follow: { help: "wait for the end; Ctrl-C ends the waiting, not the run" },
      json,
    },
    run: async (given) => (await import("./run-job.ts")).runJob(given),
  },
  stop: {
    usage: "RUN",
    summary: "end a run that goes on, with all that it has started",
    about: `RUN is the run's id, or its first characters where no other one begins so; or the
name of a job of which one run goes on. Sends TERM, and KILL after stop_grace of
rcron.conf, here and on nodes.
`,
    options: { conf, socket, json },
    run: async (given) => (await import("./stop.ts")).stopRun(given),
  },
  pause: {
    usage: "JOB|all",
    summary: "let a job, or all of them, not be started for a while",
    about: `A pause ends by itself, after 30 days at most, and outlives a restart of rcrond.
Runs that go on are left alone; each tick that falls into it is recorded as
skipped.
`,
    options: {
      conf,
      socket,
      until: {
        value: "TIME",
        help: 'its end, e.g. 06:00 (the next one), "tomorrow 06:00", 2026-11-21T06:00',
      },
      for: { value: "TIME", help: "how long it is, e.g. 30m, 2h, 1d" },
      why: { value: "TEXT", help: "the reason, for whoever asks" },
      json,
    },
    run: async (given) => (await import("./pause.ts")).pauseJobs(given),
  },
  resume: {
    usage: "JOB|all",
    summary: "end a pause before its time",
    about: `Ends the pause of JOB, or with all every pause. A pause of all jobs is not ended for
one of them.
`,
    options: { conf, socket, json },
    run: async (given) => (await import("./pause.ts")).resumeJobs(given),
  },
  nodes: {
    usage: "",
    summary: "list the nodes that jobs are sent to: up or down, since when and why",
    about: `Shows each node with its roles, how it is reached, whether it is up, since when, and
its runs; below one that is down why it is, and when it is asked again. A node is
taken for up until it proves otherwise; idle: no connection to it is open now.
Exit status 1 if one is down.
`,
    options: { conf, socket, json },
    run: async (given) => (await import("./nodes.ts")).listNodes(given),
  },
  "nodes test": {
    usage: "[NODE|all]",
    summary: "ask a node, or all of them, whether they are there",
    about: `Connects where there is no connection, and asks for a sign of life; tells each node
as it answers. Where no rcrond runs, the nodes of rcron.conf are asked from here,
with your own keys. Exit status 0 if all are up, 1 if one is not.
`,
    options: { conf, socket, json },
    run: async (given) => (await import("./test-nodes.ts")).testNodes(given),
  },
  reload: {
    usage: "",
    summary: "let rcrond read its files and the configuration again",
    about: `Tells how many jobs and nodes have changed. Exit status 1 if a file can't be used as
it stands.
`,
    options: { conf, socket, json },
    run: async (given) => (await import("./reload.ts")).reload(given),
  },
};

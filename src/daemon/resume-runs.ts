/**
 * A daemon begins where another one was ended: what that one had started is found again, and what it had not is started
 * or told.
 */
import { plannedFrom } from "./active-runs.ts";
import type { Daemon } from "./daemon.ts";
import { chooseOverdue } from "./overdue-ticks.ts";
import { startGraceMs } from "./planner.ts";
import { overdueSentence } from "./sentences.ts";
import type { BookedRun } from "./tick-book.ts";

/**
 * Goes through the runs that the book has.
 * @param newer the jobs of which later ticks are planned anyway: `latest` is among those then
 */
export function resumeRuns(daemon: Daemon, booked: readonly BookedRun[], newer: ReadonlySet<string>): void {
  const overdue = new Map<string, BookedRun[]>();
  for (const run of booked) {
    if (run.state !== "due") resumeStarted(daemon, run);
    else if (passOver(daemon, run)) daemon.options.book.over(run.run);
    else if (daemon.nowMs - run.startAtMs <= startGraceMs) daemon.enqueue(plannedFrom(run));
    else {
      const others = overdue.get(run.job);
      if (others === undefined) overdue.set(run.job, [run]);
      else others.push(run);
    }
  }
  for (const [jobName, runs] of overdue) resumeOverdue(daemon, jobName, runs, newer.has(jobName));
}

/** True where it was the other machine's, which is recorded. */
function passOver(daemon: Daemon, booked: BookedRun): boolean {
  const job = daemon.known.jobs.get(booked.job);
  const { run, atMs, startAtMs, isMadeUp } = booked;
  if (job === undefined || !daemon.isOthers(job, isMadeUp ? atMs : startAtMs)) return false;
  daemon.passOver(job, booked, run);
  return true;
}

/**
 * Its process may be there still, or be gone; where the daemon was killed in the very moment of the start, it may never
 * have been there. It is not started again: that would be the second time, mostly.
 */
function resumeStarted(daemon: Daemon, booked: BookedRun): void {
  const { book, log, gate, recorder } = daemon.options;
  const job = daemon.known.jobs.get(booked.job);
  if (daemon.runs.adopt(booked, job, job === undefined ? gate.always : daemon.verdictFor(job))) {
    daemon.queue.goesOn(plannedFrom(booked));
    return;
  }
  log("warning", `${booked.job}: the run ${booked.run} was interrupted: rcrond was killed while it went on`);
  if (job !== undefined && booked.state === "starting") {
    // Where the record has its start, this is left out there.
    recorder.skip({
      job,
      runId: booked.run,
      tickMs: booked.atMs,
      why: "failed-before-start",
      sentence: "rcrond was killed as it was about to start it",
      verdict: gate.always,
    });
  }
  book.over(booked.run);
}

/** What was due too long ago: the job's `missed` decides. */
function resumeOverdue(
  daemon: Daemon,
  jobName: string,
  booked: readonly BookedRun[],
  hasNewer: boolean,
): void {
  const { book, recorder, gate } = daemon.options;
  const job = daemon.known.jobs.get(jobName);
  if (job === undefined) {
    for (const { run } of booked) book.over(run);
    return;
  }
  const isOutdone = hasNewer && job.missed === "latest";
  const { taken, left } = chooseOverdue(isOutdone ? { ...job, missed: "skip" } : job, booked, daemon.nowMs);
  for (const run of taken) {
    daemon.enqueue({ ...plannedFrom(run), startAtMs: daemon.nowMs, isMadeUp: true });
  }
  for (const { tick, why } of left) {
    const sentence = overdueSentence(tick.atMs, why);
    recorder.skip({ job, runId: tick.run, tickMs: tick.atMs, why: "missed", sentence, verdict: gate.always });
    book.over(tick.run);
  }
}

/**
 * What is to be known of a job's times besides the times: how they go with the clocks, what puts a start off, and what
 * becomes of a tick that nobody ran.
 */
import { durationInWords } from "../model/duration.ts";
import { placementInWords } from "../model/placement.ts";
import { quoted } from "../model/printable.ts";
import type { Schedule, Tick, Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { formatLocal } from "./calendar.ts";
import { consistentSplayMs } from "./interval.ts";

/** Sentences about a job, without full stops. @param hostName the machine's, on which its splay depends */
export function explainJob(job: ScheduledJob, hostName: string): string[] {
  const { rules, isCluster, placement } = job;
  return [
    ...howItGoes(job.schedule),
    ...delays(job, hostName),
    ...(placement === undefined
      ? isCluster
        ? ["on the active machine only"]
        : []
      : [`sent out by the active machine only, to ${placementInWords(placement)}`]),
    ...(rules.condition === undefined ? [] : [`only if ${quoted(rules.condition, 60)} exits 0`]),
    ...whenMissed(job),
  ];
}

function howItGoes(schedule: Schedule): string[] {
  if (schedule.kind === "reboot") return ["once, when rcrond comes up for the first time after the machine"];
  if (schedule.kind === "every" && schedule.isSpread) {
    return [
      "at its share of the period, which is even over all jobs that are spread so; counted from 1970 in UTC",
    ];
  }
  if (schedule.kind === "every") return ["counted from 1970 in UTC, whatever the clocks show"];
  return schedule.expression.kind === "fixed"
    ? ["fixed times: each is run once, also when the clocks skip it or show it twice"]
    : ["follows the clocks: what they skip is left out, what they show twice is run twice"];
}

function delays({ rules, schedule }: ScheduledJob, hostName: string): string[] {
  const { splayMs, jitterMs } = rules;
  const told: string[] = [];
  if (splayMs !== undefined && schedule.kind === "cron") {
    const delay = durationInWords(consistentSplayMs(hostName, splayMs));
    told.push(`started ${delay} later: this machine's place in a splay of ${durationInWords(splayMs)}`);
  }
  if (jitterMs !== undefined) told.push(`put off by a random time below ${durationInWords(jitterMs)}`);
  return told;
}

function whenMissed({ missed, startDeadlineMs }: ScheduledJob): string[] {
  const deadline =
    startDeadlineMs === undefined ? "" : `, if it is not older than ${durationInWords(startDeadlineMs)}`;
  if (missed === "latest") return [`after a stop the last tick that was missed is made up for${deadline}`];
  if (missed === "all") return [`after a stop each tick that was missed is made up for${deadline}`];
  return startDeadlineMs === undefined ? [] : [`not started later than ${durationInWords(startDeadlineMs)}`];
}

/**
 * What is odd about a tick: its time is one that the clocks skip, or show twice.
 * @param zone the machine's, for schedules that name none
 * @returns undefined for nearly all
 */
export function explainTick(
  { atMs, localMs }: Tick,
  schedule: Schedule,
  machineZone: Zone,
): string | undefined {
  if (schedule.kind !== "cron") return undefined;
  const zone = schedule.zone ?? machineZone;
  const here = zone.stretchAt(atMs);
  const clock = formatLocal(localMs).slice(11);
  if (atMs + here.offsetMs !== localMs) return `for ${clock}, which the clocks skip`;
  const isFixed = schedule.expression.kind === "fixed";
  const after = here.untilMs === Infinity ? undefined : zone.stretchAt(here.untilMs);
  if (after !== undefined && localMs >= here.untilMs + after.offsetMs) {
    return isFixed ? `the first of two ${clock}, and the only one that counts` : `the first of two ${clock}`;
  }
  const before = here.fromMs === -Infinity ? undefined : zone.stretchAt(here.fromMs - 1);
  const isSecond = before !== undefined && localMs < here.fromMs + before.offsetMs;
  return isSecond ? `the second of two ${clock}` : undefined;
}

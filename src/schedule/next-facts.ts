/**
 * When a job is due, as it is told: `rcrond --next`, and the answers of the running daemon.
 */
import type { NextFacts } from "../model/control-message.ts";
import { durationInWords, formatDuration } from "../model/duration.ts";
import { placementInWords } from "../model/placement.ts";
import type { Schedule, Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { explainJob, explainTick } from "./explain.ts";
import { nextTicks } from "./next-ticks.ts";

/** Whose machine it is. */
export interface NextPlace {
  /** For schedules that name no zone. */
  readonly zone: Zone;
  readonly hostName: string;
}

/** A job's coming ticks, and what is to be known of them. @param count how many at most */
export function nextFacts(
  job: ScheduledJob,
  nowMs: number,
  { zone, hostName }: NextPlace,
  count: number,
): NextFacts {
  const { name, source, schedule } = job;
  const ticks = nextTicks(schedule, nowMs, zone, count);
  const notes = ticks.flatMap((tick, at) => {
    const note = explainTick(tick, schedule, zone);
    return note === undefined ? [] : [{ at, note }];
  });
  return {
    job: name,
    where: `${source.path}:${source.line}`,
    schedule: scheduleInWords(schedule),
    zone: (schedule.kind === "cron" ? (schedule.zone ?? zone) : zone).name,
    nextMs: ticks.map(({ atMs }) => atMs),
    about: explainJob(job, hostName),
    ...(job.placement !== undefined && { on: placementInWords(job.placement) }),
    ...(notes.length > 0 && { notes }),
  };
}

/** A schedule as its file says it, with what the file leaves to this machine: `every 10m, 3 min into it`. */
export function scheduleInWords(schedule: Schedule): string {
  if (schedule.kind === "reboot") return "@reboot";
  if (schedule.kind === "every") {
    const { periodMs, offsetMs, isSpread } = schedule;
    if (isSpread) return `once in ${formatDuration(periodMs)}, ${durationInWords(offsetMs)} into it`;
    return `every ${formatDuration(periodMs)}${offsetMs === 0 ? "" : `, ${durationInWords(offsetMs)} into it`}`;
  }
  const { expression, zone } = schedule;
  return zone === undefined ? expression.text : `${expression.text} (${zone.name})`;
}

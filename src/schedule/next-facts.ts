/**
 * When a job is due, as it is told: `rcrond --next`, and the answers of the running daemon.
 */
import type { NextFacts } from "../model/control-message.ts";
import { durationInWords, formatDuration } from "../model/duration.ts";
import type { Schedule, Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { nextTicks } from "./next-ticks.ts";

/** A job's coming ticks. @param zone the machine's, for schedules that name none @param count how many at most */
export function nextFacts(job: ScheduledJob, nowMs: number, zone: Zone, count: number): NextFacts {
  const { name, source, schedule } = job;
  return {
    job: name,
    where: `${source.path}:${source.line}`,
    schedule: scheduleInWords(schedule),
    zone: (schedule.kind === "cron" ? (schedule.zone ?? zone) : zone).name,
    nextMs: nextTicks(schedule, nowMs, zone, count).map(({ atMs }) => atMs),
  };
}

/** A schedule as its file says it, with what the file leaves to this machine: `every 10m, 3 min into it`. */
export function scheduleInWords(schedule: Schedule): string {
  if (schedule.kind === "reboot") return "@reboot";
  if (schedule.kind === "every") {
    const { periodMs, offsetMs } = schedule;
    return `every ${formatDuration(periodMs)}${offsetMs === 0 ? "" : `, ${durationInWords(offsetMs)} into it`}`;
  }
  const { expression, zone } = schedule;
  return zone === undefined ? expression.text : `${expression.text} (${zone.name})`;
}

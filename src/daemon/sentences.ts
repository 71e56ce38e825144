/**
 * What the daemon says about ticks that were not run, for log and record.
 */
import type { Pause } from "../model/pause.ts";
import type { DroppedTicks } from "./planner.ts";

/** `3 ticks from 2026-11-21T02:00:00Z to 2026-11-21T04:00:00Z were not run: …` */
export function droppedSentence({ count, isAtLeast, firstMs, lastMs, why }: DroppedTicks): string {
  if (count === 1 && !isAtLeast) return overdueSentence(lastMs, why);
  const many = `${count}${isAtLeast ? " or more" : ""} ticks`;
  return `${many} from ${instant(firstMs)} to ${instant(lastMs)} were not run: ${reasons[why]}`;
}

/** `the tick of 2026-11-21T02:00:00Z was not run: …` */
export function overdueSentence(tickMs: number, why: DroppedTicks["why"]): string {
  return `the tick of ${instant(tickMs)} was not run: ${reasons[why]}`;
}

const reasons: Readonly<Record<DroppedTicks["why"], string>> = {
  missed: "rcrond or the machine was not at work then, and `missed` does not make up for them",
  deadline: "they were older than the job's start_deadline",
  limit: "so many were missed that the earliest are not made up for",
};

/** `paused until 2026-11-21T06:00:00Z by root: new disks` */
export function pausedSentence({ untilMs, by, why }: Pause): string {
  return `paused until ${instant(untilMs)} by ${by}${why === "" ? "" : `: ${why}`}`;
}

function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

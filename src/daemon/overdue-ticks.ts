/**
 * Ticks that are known one by one and were not run: left in the book by a daemon that was killed, or passed over by a
 * machine that stood by. missed.ts does the same for stretches of time that nobody looked at.
 */
import type { Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { madeUpPerJob } from "./missed.ts";

/** Which of a job's ticks are made up for. */
export interface OverdueChoice<Known extends Tick> {
  readonly taken: readonly Known[];
  readonly left: readonly { readonly tick: Known; readonly why: "missed" | "deadline" }[];
}

/** Decides by the job's `missed`, within its `start_deadline`. @param ticks in their order */
export function chooseOverdue<Known extends Tick>(
  { missed, startDeadlineMs }: Pick<ScheduledJob, "missed" | "startDeadlineMs">,
  ticks: readonly Known[],
  nowMs: number,
): OverdueChoice<Known> {
  const oldestMs = startDeadlineMs === undefined ? Number.NEGATIVE_INFINITY : nowMs - startDeadlineMs;
  const inTime = ticks.filter(({ atMs }) => atMs >= oldestMs);
  const most = missed === "all" ? madeUpPerJob : missed === "latest" ? 1 : 0;
  const taken = most === 0 ? [] : inTime.slice(-most);
  const left = ticks
    .filter((tick) => !taken.includes(tick))
    .map((tick) => ({
      tick,
      why: tick.atMs < oldestMs && missed !== "skip" ? ("deadline" as const) : ("missed" as const),
    }));
  return { taken, left };
}

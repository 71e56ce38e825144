/**
 * Jobs for the planner's tests, and short words for what it plans.
 */

import fc from "fast-check";
import {
  type Plan,
  type PlannedTick,
  Planner,
  type PlannerMemory,
  scheduleKey,
} from "../../src/daemon/planner.ts";
import { noRules, type Rules } from "../../src/model/rules.ts";
import type { Schedule } from "../../src/model/schedule.ts";
import type { Missed, ScheduledJob } from "../../src/model/scheduled-job.ts";
import { ticksBetween, utc } from "../../src/schedule/schedule.ts";
import { expressionText, parsed, zoneNamed } from "../schedule/expressions.ts";

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

/** `every 10m`, `@reboot`, or an expression, maybe with a zone behind `in`. */
export function scheduleOf(text: string): Schedule {
  const [, count, unit] = /^every (\d+)([smhd])$/.exec(text) ?? [];
  if (unit !== undefined) {
    const units: Record<string, number> = { s: second, m: minute, h: hour, d: day };
    return { kind: "every", periodMs: Number(count) * (units[unit] ?? 0), offsetMs: 0 };
  }
  if (text === "@reboot") return { kind: "reboot" };
  const [expression = "", zone] = text.split(" in ");
  return {
    kind: "cron",
    expression: parsed(expression),
    zone: zone === undefined ? undefined : zoneNamed(zone),
  };
}

type Said = Partial<Omit<ScheduledJob, "schedule" | "rules">> & { readonly rules?: Partial<Rules> };

/** A job that is due at these times. */
export function jobAt(name: string, schedule: string | Schedule, said: Said = {}): ScheduledJob {
  return {
    name,
    source: { path: `/jobs/${name}`, line: 1 },
    command: { kind: "shell", line: "true" },
    environment: [],
    stdin: undefined,
    isCluster: false,
    missed: "skip",
    startDeadlineMs: undefined,
    description: undefined,
    mailTo: undefined,
    ...said,
    rules: { ...noRules, name, ...said.rules },
    schedule: typeof schedule === "string" ? scheduleOf(schedule) : schedule,
  };
}

export function setOf(...jobs: readonly ScheduledJob[]): ReadonlyMap<string, ScheduledJob> {
  return new Map(jobs.map((job) => [job.name, job]));
}

/** A planner on the machine `host` in UTC. */
export function newPlanner(options: Partial<ConstructorParameters<typeof Planner>[0]> = {}): Planner {
  return new Planner({ zone: utc, hostName: "host", random: () => 0, ...options });
}

/** What a daemon with these jobs leaves. */
export function memoryOf(jobs: ReadonlyMap<string, ScheduledJob>, horizonMs: number): PlannerMemory {
  return { horizonMs, known: new Map([...jobs.values()].map((job) => [job.name, scheduleKey(job)])) };
}

/** `2026-06-10 12:00:30`, in UTC. */
export function at(text: string): number {
  return Date.parse(`${text.replace(" ", "T")}Z`);
}

const reasons = { missed: "missed", deadline: "too old", limit: "too many" } as const;

/**
 * `12:05+ 12:10, 3 missed`: the ticks by their local time, `+` behind those that are made up for, then how many were dropped
 * and why; `–` for nothing.
 */
export function told(plans: readonly Plan[]): string {
  const planned = plans.flatMap((plan) => plan.planned);
  const times = planned.map(timeOf);
  const [first, last] = [times[0], times.at(-1)];
  const ticks = times.length > 8 ? `${times.length} from ${first} to ${last}` : times.join(" ");
  const counts = Object.entries(reasons).flatMap(([why, word]) => {
    const dropped = plans.flatMap((plan) => plan.dropped).filter((each) => each.why === why);
    const count = dropped.reduce((sum, each) => sum + each.count, 0);
    return count === 0
      ? []
      : `${dropped.some(({ isAtLeast }) => isAtLeast) ? "more than " : ""}${count} ${word}`;
  });
  return [ticks, ...counts].filter((part) => part !== "").join(", ") || "–";
}

function timeOf({ tick, isMadeUp }: PlannedTick): string {
  const clock = new Date(tick.localMs).toISOString();
  return `${tick.localMs % minute === 0 ? clock.slice(11, 16) : clock.slice(11, 19)}${isMadeUp ? "+" : ""}`;
}

const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
/** Any time of a year, and often close to a change of the clocks. */
export const moment = fc.oneof(
  fc.integer({ min: at("2026-01-01 00:00"), max: at("2026-12-31 00:00") }),
  fc
    .tuple(
      fc.constantFrom(
        "2026-03-29 01:00",
        "2026-10-25 01:00",
        "2026-03-08 07:00",
        "2026-11-01 06:00",
        "2026-04-04 15:00",
      ),
      fc.integer({ min: -3 * hour, max: hour }),
    )
    .map(([change, by]) => at(change) + by),
);
export const anyCron = fc
  .tuple(expressionText, fc.constantFrom("", ...zones.map((zone) => ` in ${zone}`)))
  .map((parts) => parts.join(""));
export const anyEvery = fc.constantFrom("every 7s", "every 1m", "every 90s", "every 10m", "every 1h");
export const anyPolicy: fc.Arbitrary<Missed> = fc.constantFrom("skip", "latest", "all");

/** Every tick that a job has between two instants. */
export function ticksOf(job: ScheduledJob, afterMs: number, untilMs: number): string[] {
  const ticks = ticksBetween(job.schedule, { afterMs, untilMs, limit: 1e6 }, utc);
  return ticks.map(({ atMs, localMs }) => `${job.name} ${atMs} ${localMs}`).sort();
}

export const plannedOf = (plans: readonly Plan[]) =>
  plans
    .flatMap(({ planned }) => planned.map(({ job, tick }) => `${job.name} ${tick.atMs} ${tick.localMs}`))
    .sort();
export const droppedCountOf = (plans: readonly Plan[], name: string) =>
  plans
    .flatMap(({ dropped }) => dropped)
    .filter(({ job }) => job.name === name)
    .reduce((sum, { count }) => sum + count, 0);
export const namesOf = ({ planned }: Plan) => planned.map(({ job }) => job.name);

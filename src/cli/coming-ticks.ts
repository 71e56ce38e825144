/**
 * Coming ticks as a person reads them, each in its own zone: `rcrond --next` and `rcronctl next`.
 */
import type { NextFacts } from "../model/control-message.ts";
import { durationInWords } from "../model/duration.ts";
import { Problem } from "../model/problem.ts";
import { findZone } from "../schedule/schedule.ts";
import { harmlessLine } from "./harmless-output.ts";
import { formatOffset, localTime } from "./moment.ts";
import { type Cell, type Column, formatTable, screen } from "./table.ts";

/** The coming ticks of one job that are shown. */
export const shownTicks = 10;

/** Whether there is anything to come: a job at boot has no time, and yet is due. */
export function isEverDue({ nextMs, schedule }: NextFacts): boolean {
  return nextMs.length > 0 || schedule === atBoot;
}

/** The order in which they come; those that never do are last. */
export function byNext(a: NextFacts, b: NextFacts): number {
  const [first = Number.MAX_VALUE] = a.nextMs;
  const [second = Number.MAX_VALUE] = b.nextMs;
  return first - second;
}

/** One job's: a line for the job, those that explain it, one for each tick. */
export function comingTicks(facts: NextFacts, nowMs: number): string {
  const { job, schedule, nextMs, about = [], notes = [], but } = facts;
  const lines = nextMs.map((atMs, at) => {
    const note = notes.find((each) => each.at === at)?.note;
    const told = `${moment(atMs, facts)}  (in ${durationInWords(atMs - nowMs)})`;
    return note === undefined ? told : `${told}  ${note}`;
  });
  if (lines.length === 0) lines.push(never(facts));
  if (but !== undefined) lines.push(`but ${but}`);
  return [`${job}: ${schedule}`, ...about.map((each) => `    ${each}`), ...lines].map(harmlessLine).join("");
}

const columns: readonly Column[] = [
  { heading: "NEXT" },
  { heading: "JOB", gives: true },
  { heading: "SCHEDULE" },
  { heading: "WHERE" },
];

/** Of many jobs, a row for each of the ticks that are told of them. */
export function nextTable(jobs: readonly NextFacts[]): string {
  const ticks = jobs.flatMap((facts): { facts: NextFacts; atMs: number | undefined }[] =>
    facts.nextMs.length === 0 ? [{ facts, atMs: undefined }] : facts.nextMs.map((atMs) => ({ facts, atMs })),
  );
  ticks.sort((a, b) => (a.atMs ?? Number.MAX_VALUE) - (b.atMs ?? Number.MAX_VALUE));
  const hasNodes = jobs.some(({ on }) => on !== undefined);
  const hasObstacles = jobs.some(({ but }) => but !== undefined);
  const rows = ticks.map(({ facts, atMs }): Cell[] => [
    atMs === undefined ? never(facts) : moment(atMs, facts),
    facts.job,
    facts.schedule,
    facts.where,
    ...(hasNodes ? [facts.on ?? ""] : []),
    ...(hasObstacles ? [{ text: facts.but ?? "", colour: "yellow" as const }] : []),
  ]);
  const more = [...(hasNodes ? [{ heading: "ON" }] : []), ...(hasObstacles ? [{ heading: "BUT" }] : [])];
  return formatTable([...columns, ...more], rows, screen());
}

/** As the schedule of a job is told that is due when the machine starts. */
const atBoot = "@reboot";

/** What is said of a job without a coming tick. */
export function never({ schedule }: Pick<NextFacts, "schedule">): string {
  return schedule === atBoot ? "at boot" : "never";
}

/** `2026-11-21 03:00:00 +01:00`, in the zone that the job goes by. */
function moment(atMs: number, { zone: name }: NextFacts): string {
  const zone = name === undefined ? undefined : findZone(name);
  if (zone === undefined || zone instanceof Problem) return localTime(atMs);
  const { offsetMs } = zone.stretchAt(atMs);
  const local = new Date(atMs + offsetMs).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${formatOffset(Math.round(offsetMs / 60_000))}`;
}

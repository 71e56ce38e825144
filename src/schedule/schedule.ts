/**
 * WHEN is a job due? Expressions, intervals and zones in; ticks out. No clock, no file, no process: time comes in as numbers.
 *
 * Two ways to ask: `nextTicks()` tells what an undisturbed clock will bring, and the clocks (`advance()` for cron
 * expressions, one for each zone and unit; `advanceEvery()` for intervals, one for each job) tell what is due when they
 * are looked at, whatever the machine's clock has done since. docs/schedule.md has the tables.
 */
export {
  advance,
  advanceSince,
  type CronClock,
  type DueStretch,
  type StepKind,
  startCronClock,
  ticksIn,
} from "./cron-clock.ts";
export { parseCronExpression } from "./cron-expression.ts";
export { advanceEvery, type EveryClock, latestTick, startEveryClock } from "./every.ts";
export { consistentSplayMs, stablePlaceMs } from "./interval.ts";
export { type Count, countTicks, lastTicks, type TickStretch } from "./last-ticks.ts";
export { type Lint, type LintKind, lint } from "./lint.ts";
export { firstInstantOf } from "./local-time.ts";
export { nextFacts, scheduleInWords } from "./next-facts.ts";
export { nextTicks, ticksAfter, ticksBetween } from "./next-ticks.ts";
export { nextLocalMatch, referenceRule, referenceTimes } from "./reference-times.ts";
export { spreadPlaces } from "./spread.ts";
export { findZone, utc } from "./zone.ts";

/**
 * The clocks that cron jobs go by: one for each zone and unit, with its jobs.
 */
import type { LocalTimes, Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import {
  advance,
  advanceSince,
  type CronClock,
  type DueStretch,
  firstInstantOf,
  type StepKind,
  startCronClock,
} from "../schedule/schedule.ts";

/** A job with a cron expression, or what is like one. */
export interface CronEntry {
  readonly job: ScheduledJob;
  readonly rank: number;
  readonly expression: LocalTimes;
}

/** The clock of one zone and unit. */
export class ZoneClock {
  readonly zone: Zone;
  #clock: CronClock;
  readonly #groups = new Map<LocalTimes, CronEntry[]>();

  constructor(zone: Zone, clock: CronClock) {
    this.zone = zone;
    this.#clock = clock;
  }

  /** Its jobs, by their times: of 10,000 jobs most share theirs with others, and a look asks once for each of the times. */
  get groups(): ReadonlyMap<LocalTimes, readonly CronEntry[]> {
    return this.#groups;
  }

  add(entry: CronEntry): void {
    const group = this.#groups.get(entry.expression);
    if (group === undefined) this.#groups.set(entry.expression, [entry]);
    else group.push(entry);
  }

  /** The same clock for other jobs. */
  emptied(): ZoneClock {
    return new ZoneClock(this.zone, this.#clock);
  }

  /** Up to this instant the jobs at fixed times have been run. It lies before the last look where a zone's clocks show an hour again. */
  fixedToMs(lookedMs: number): number {
    return firstInstantOf(this.#clock.ranToMs, this.zone.stretchAt(lookedMs).offsetMs, this.zone);
  }

  /** @see advanceSince */
  look(lookedMs: number, nowMs: number): { readonly due: readonly DueStretch[]; readonly step: StepKind } {
    const { clock, due, step } = advanceSince(this.#clock, { lookedMs, nowMs }, this.zone);
    this.#clock = clock;
    return { due, step };
  }

  /** When the zone's clocks show the next unit. */
  nextLookMs(nowMs: number): number {
    const { unitMs } = this.#clock;
    const localMs = nowMs + this.zone.stretchAt(nowMs).offsetMs;
    return nowMs + unitMs - (localMs - Math.floor(localMs / unitMs) * unitMs);
  }
}

/** The clocks of a job set. */
export class ZoneClocks {
  readonly #clocks = new Map<Zone, Map<number, ZoneClock>>();

  /** Each clock, zone by zone. */
  *[Symbol.iterator](): Generator<ZoneClock, void> {
    for (const units of this.#clocks.values()) yield* units.values();
  }

  /**
   * Adds a job to its clock. Where there is none yet, the clock of the set before goes on, and else a new one begins.
   * @param begin makes the clock's first state
   */
  add(
    entry: CronEntry,
    zone: Zone,
    { before, begin }: { readonly before?: ZoneClocks; readonly begin: BeginClock },
  ): void {
    const { unitMs } = entry.expression;
    let units = this.#clocks.get(zone);
    if (units === undefined) {
      units = new Map();
      this.#clocks.set(zone, units);
    }
    let clock = units.get(unitMs);
    if (clock === undefined) {
      clock = before?.find(zone, unitMs)?.emptied() ?? new ZoneClock(zone, begin(unitMs, zone));
      units.set(unitMs, clock);
    }
    clock.add(entry);
  }

  /** The clock of a zone and unit, if the set has one. */
  find(zone: Zone, unitMs: number): ZoneClock | undefined {
    return this.#clocks.get(zone)?.get(unitMs);
  }
}

/** The first state of a clock. */
export type BeginClock = (unitMs: LocalTimes["unitMs"], zone: Zone) => CronClock;

/** Clocks that begin now. */
export function beginningAt(nowMs: number): BeginClock {
  return (unitMs, zone) => startCronClock(unitMs, nowMs, zone);
}

/** Clocks that were at a later time already, and have gone back to now: what the engine does about that is done. */
export function goneBack(fromMs: number, nowMs: number): BeginClock {
  return (unitMs, zone) =>
    advance(startCronClock(unitMs, fromMs, zone), nowMs, zone.stretchAt(nowMs).offsetMs).clock;
}

/**
 * WHEN a job is due, as its file says it: each period, at the times of a cron expression, or when the machine starts.
 * Parsed and proven: src/schedule makes these, and nothing checks their text again.
 */

/** What a job's file says about its times. */
export type Schedule = EverySchedule | CronSchedule | RebootSchedule;

/**
 * Each period, counted from 1970 in UTC: a tick is an instant that lies a whole number of periods, and the offset, after
 * the epoch. Time zones and daylight saving don't touch it.
 * @see acron README "splay and timing"
 */
export interface EverySchedule {
  readonly kind: "every";
  /** Whole seconds, from one second up. */
  readonly periodMs: number;
  /** This machine's place in the period, less than the period; 0 without splay. */
  readonly offsetMs: number;
  /** Its place is its share of the period among all jobs that are spread over one as long: it is given by who knows them all. */
  readonly isSpread?: true;
}

/** At the times of a cron expression, or of what is like one. */
export interface CronSchedule {
  readonly kind: "cron";
  readonly expression: LocalTimes;
  /** The zone whose clocks count; undefined for the machine's own. */
  readonly zone: Zone | undefined;
}

/** Once, when the machine has started. */
export interface RebootSchedule {
  readonly kind: "reboot";
}

/** Times by what a zone's clocks show. The same rules for changes of the clocks hold for all of them. */
export type LocalTimes = CronExpression | ReferenceTimes;

/**
 * Every so often, counted from a time of day: `every 10m from 03:10`. Each day is counted anew, so that the time of day itself is always
 * one of them; the last stretch before it is shorter where the day can't be parted evenly.
 * @see distcrond README "Defining jobs"
 */
export interface ReferenceTimes {
  /** `every 10m from 03:10`. */
  readonly text: string;
  readonly unitMs: 60_000 | 1000;
  /** `wildcard` for up to an hour, as a cron expression with a star in its hours; `fixed` for more. */
  readonly kind: "wildcard" | "fixed";
  /** The time of day, in milliseconds from midnight; whole seconds. */
  readonly referenceMs: number;
  /** Whole seconds, a day at most. */
  readonly stepMs: number;
  /** Every so many days, counted from 1 January 1970; more than 1 only where a step is a day. */
  readonly everyDays: number;
}

/** A cron expression, field by field. */
export interface CronExpression {
  /** As it was written, with single blanks between the fields. */
  readonly text: string;
  /** What one step of its clock is: a minute for five fields, a second for six. */
  readonly unitMs: 60_000 | 1000;
  /**
   * Whether it follows the wall clock through every change (one of its time-of-day fields begins with `*`), or names
   * fixed times, which run once however the clock is changed.
   * @see cron(8) "NOTES"
   */
  readonly kind: "wildcard" | "fixed";
  readonly second: CronField;
  readonly minute: CronField;
  readonly hour: CronField;
  readonly dayOfMonth: CronField;
  readonly month: CronField;
  /** 0 is Sunday; there is no 7. */
  readonly dayOfWeek: CronField;
}

/** The values that one field allows. */
export interface CronField {
  /** As it was written. */
  readonly text: string;
  /** Bit n stands for the value n, from 0 to 31. */
  readonly low: number;
  /** Bit n stands for the value 32 + n. */
  readonly high: number;
  /** Of its first character alone, as Debian's cron looks at it: `*,5` does, `5,*` doesn't. */
  readonly beginsWithStar: boolean;
  /** What stands behind the part that Debian's cron reads, and means nothing to it (`.5` in `5.5`); mostly empty. */
  readonly ignored: string;
}

/** A time zone: its name, and how far ahead of UTC its clocks are. */
export interface Zone {
  /** As the IANA database spells it: `Europe/Berlin`. */
  readonly name: string;
  /** The stretch of time around an instant in which the zone's offset is the same. */
  readonly stretchAt: (utcMs: number) => ZoneStretch;
}

/** A stretch of time with one offset. */
export interface ZoneStretch {
  /** The change that it begins with; -Infinity where there was none. */
  readonly fromMs: number;
  /** The change that ends it, which belongs to the next stretch; Infinity where none is known. */
  readonly untilMs: number;
  /** Local time minus UTC. */
  readonly offsetMs: number;
}

/** One time at which a job is due. */
export interface Tick {
  /** The instant. Fixed times that a change of the clocks skips are due at the change. */
  readonly atMs: number;
  /** What the zone's clocks are meant to show, as if it were UTC; for intervals the same as `atMs`. */
  readonly localMs: number;
}

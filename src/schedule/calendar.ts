/**
 * The calendar as arithmetic: what a clock shows, taken apart and put together, in numbers only.
 *
 * "Local milliseconds" here are what a zone's clocks show, read as if it were UTC: UTC plus the offset.
 */

export const secondMs = 1000;
export const minuteMs = 60_000;
export const hourMs = 3_600_000;
export const dayMs = 86_400_000;

/** A day of the calendar: month 1–12, day 1–31. */
export interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/**
 * The day with a number, counted from 1 January 1970.
 *
 * The year is taken to begin in March, so that the day that comes and goes is the last of it; then a 400-year era, a
 * year of the era and a day of that year follow by division alone.
 */
export function dayOf(dayNumber: number): Day {
  const sinceEra = dayNumber + 719_468; // from 1 March of the year 0
  const era = Math.floor(sinceEra / 146_097);
  const ofEra = sinceEra - era * 146_097;
  const leapDays = Math.floor(ofEra / 1460) - Math.floor(ofEra / 36_524) + Math.floor(ofEra / 146_096);
  const yearOfEra = Math.floor((ofEra - leapDays) / 365);
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

/** The number of a day, counted from 1 January 1970. */
export function dayNumberOf(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear;
  return era * 146_097 + ofEra - 719_468;
}

/** How many days a month has. */
export function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** 0 is Sunday. */
export function dayOfWeekOf(dayNumber: number): number {
  return (((dayNumber + 4) % 7) + 7) % 7;
}

/** What a clock shows, for messages: `2026-03-29 02:30`, with seconds where there are any. */
export function formatLocal(localMs: number): string {
  const text = new Date(localMs).toISOString().replace("T", " ");
  return localMs % minuteMs === 0 ? text.slice(0, 16) : text.slice(0, 19);
}

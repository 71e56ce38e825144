/**
 * What is allowed and hardly meant.
 */
import { describe, expect, test } from "bun:test";
import { lint } from "../../src/schedule/schedule.ts";
import { parsed, zoneNamed } from "./expressions.ts";

const berlin = zoneNamed("Europe/Berlin");
const nowMs = Date.UTC(2026, 0, 1);

const rows: readonly (readonly [text: string, kind: string, message: string])[] = [
  [
    "0 0 31 2 *",
    "never",
    '"0 0 31 2 *" can never fire: there is no day with day of month "31" and month "2" at such a time',
  ],
  ["0 22-2 * * *", "empty", 'hour "22-2" runs backwards and allows nothing'],
  ["5.5 * * * *", "ignored", 'minute "5.5" is read as "5": as in Debian\'s cron, ".5" counts for nothing'],
  [
    "0 8 * * 1#2",
    "ignored",
    'day of week "1#2" is read as "1": as in Debian\'s cron, "#2" counts for nothing',
  ],
  ["* 3 * * *", "every-unit", '"* 3 * * *" fires every minute of the hour 3'],
  ["* */2 * * *", "every-unit", '"* */2 * * *" fires every minute of the hour */2'],
  ["* * 1 * *", "every-unit", '"* * 1 * *" fires every minute of the day 1'],
  ["* 30 3 * * *", "every-unit", '"* 30 3 * * *" fires every second of the minute 30'],
  ["* */5 * * * *", "every-unit", '"* */5 * * * *" fires every second of the minute */5'],
  ["*/45 * * * *", "uneven", 'minute "*/45" is not every 45 minutes: it is 0, 45, and then 0 again'],
  ["0 */5 * * *", "uneven", 'hour "*/5" is not every 5 hours: it is 0, 5, 10, 15, 20, and then 0 again'],
  ["0 0 1 * mon", "either-day", '"0 0 1 * mon" fires on day of month "1" and also on each day of week "mon"'],
  [
    "0 0 */2 * 1",
    "either-day",
    '"0 0 */2 * 1" needs day of month "*/2" and day of week "1" together, since one of them begins with *',
  ],
  [
    "30 2 * * *",
    "clock-change",
    "02:30 in Europe/Berlin runs right after the change when the clocks go forward, next on 2026-03-29",
  ],
  [
    "30 2 * * *",
    "clock-change",
    "02:30 in Europe/Berlin runs at its first occurrence only when the clocks go back, next on 2026-10-25",
  ],
  [
    "*/30 2 * * *",
    "clock-change",
    "02:00 in Europe/Berlin is left out when the clocks go forward, next on 2026-03-29",
  ],
  [
    "*/30 2 * * *",
    "clock-change",
    "02:00 in Europe/Berlin comes twice when the clocks go back, next on 2026-10-25",
  ],
];

describe("lint()", () => {
  test.each(rows)("%j: %s, %s", (text, kind, message) => {
    expect(lint(parsed(text), berlin, nowMs)).toContainEqual(expect.objectContaining({ kind, message }));
  });
  test.each([
    "* * * * *",
    "*/5 * * * *",
    "* 8-18 * * 1-5",
    "0 4 * * *",
    "0 0 1 * *",
    "@daily",
    "@hourly",
    "*/15 9-17 * * mon-fri",
    "15 * * * *",
    "0 0 29 2 *",
    "*/10 * * * * *",
  ])("%j is fine", (text) => {
    expect(lint(parsed(text), berlin, nowMs)).toEqual([]);
  });
});

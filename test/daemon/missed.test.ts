/**
 * Stops, suspended machines and clocks that are set: the table of docs/schedule.md on `missed`, a test a row.
 *
 * A row's planner looks at the clock as told in test/schedule/looks.ts; at `×` the daemon is ended and another one is started.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { missedLimits } from "../../src/daemon/missed.ts";
import type { Plan } from "../../src/daemon/planner.ts";
import type { Missed } from "../../src/model/scheduled-job.ts";
import { looksOf } from "../schedule/looks.ts";
import { project } from "../support/program.ts";
import { hour, jobAt, memoryOf, minute, newPlanner, second, setOf, told } from "./scheduled.ts";

interface Row {
  readonly event: string;
  readonly job: string;
  /** Stretches of looks, `×` between two daemons. */
  readonly clock: string;
  readonly day?: string;
  readonly deadlineMs?: number;
  /** What the job was when the daemon was ended. */
  readonly before?: string | undefined;
  readonly skip: string;
  readonly latest: string;
  readonly all: string;
}

/** What all three do. */
const each = (text: string) => ({ skip: text, latest: text, all: text });

const rows: readonly Row[] = [
  {
    event: "restarted, over a tick",
    job: "*/5 * * * *",
    clock: "12:07:50-12:09:50 × 12:10:20-12:11:20",
    ...each("12:10"),
  },
  {
    event: "restarted, right behind a tick",
    job: "*/5 * * * *",
    clock: "12:09:00-12:10:00 × 12:10:20-12:11:20",
    ...each("12:10"),
  },
  {
    event: "restarted after 59 seconds",
    job: "0 12 * * *",
    clock: "11:58:59-11:59:59 × 12:00:59-12:01:59",
    ...each("12:00"),
  },
  {
    event: "restarted after a minute",
    job: "0 12 * * *",
    clock: "11:58:59-11:59:59 × 12:01:00-12:02:00",
    skip: "1 missed",
    latest: "12:00+",
    all: "12:00+",
  },
  {
    event: "stopped for 10 minutes",
    job: "*/5 * * * *",
    clock: "12:00-12:01 × 12:11:30-12:12:30",
    skip: "2 missed",
    latest: "12:10+, 1 missed",
    all: "12:05+ 12:10+",
  },
  {
    event: "stopped for 10 minutes, until a tick",
    job: "*/5 * * * *",
    clock: "12:00-12:01 × 12:10:20-12:11:20",
    skip: "12:10, 1 missed",
    latest: "12:10, 1 missed",
    all: "12:05+ 12:10",
  },
  {
    event: "stopped for 10 minutes, until a tick",
    job: "every 5m",
    clock: "12:00-12:01 × 12:10:20-12:11:20",
    skip: "12:10, 1 missed",
    latest: "12:10, 1 missed",
    all: "12:05+ 12:10",
  },
  {
    event: "restarted after 30 seconds",
    job: "*/10 * * * * *",
    clock: "12:00:05 × 12:00:35",
    ...each("12:00:10 12:00:20 12:00:30"),
  },
  {
    event: "restarted after 30 seconds",
    job: "every 10s",
    clock: "12:00:05 × 12:00:35",
    skip: "12:00:30, 2 missed",
    latest: "12:00:30, 2 missed",
    all: "12:00:10+ 12:00:20+ 12:00:30",
  },
  {
    event: "stopped for 20 minutes, start_deadline 6m",
    job: "*/5 * * * *",
    deadlineMs: 6 * minute,
    clock: "12:00-12:01 × 12:21:00-12:22:00",
    skip: "4 missed",
    latest: "12:20+, 1 missed, 2 too old",
    all: "12:15+ 12:20+, 2 too old",
  },
  {
    event: "stopped for 20 minutes, start_deadline 1m",
    job: "*/5 * * * *",
    deadlineMs: minute,
    clock: "12:00-12:01 × 12:21:01-12:22:01",
    skip: "4 missed",
    latest: "4 too old",
    all: "4 too old",
  },
  {
    event: "restarted, start_deadline 10s",
    job: "*/5 * * * *",
    deadlineMs: 10 * second,
    clock: "12:09-12:09 × 12:10:20-12:11:20",
    ...each("1 too old"),
  },
  {
    event: "stopped for a day",
    job: "*/5 * * * *",
    clock: "12:01-12:02 × +1d 12:02-12:03",
    skip: "288 missed",
    latest: "12:00+, 287 missed",
    all: "100 from 03:45+ to 12:00+, 188 too many",
  },
  {
    event: "stopped for a year",
    job: "* * * * *",
    clock: "12:00:00 × +365d 12:00:00",
    skip: "12:00, more than 1000 missed",
    latest: "12:00, more than 1000 missed",
    all: "101 from 10:20+ to 12:00, more than 1000 too many",
  },
  {
    event: "a new job",
    job: "*/5 * * * *",
    before: undefined,
    clock: "12:00-12:01 × 12:10:20-12:11:20",
    ...each("–"),
  },
  {
    event: "its schedule has changed meanwhile",
    job: "*/5 * * * *",
    before: "*/6 * * * *",
    clock: "12:00-12:01 × 12:10:20-12:11:20",
    ...each("–"),
  },
  {
    event: "set back by 30 minutes while stopped",
    job: "*/10 * * * *",
    clock: "12:28-12:30 × 12:05-12:31",
    ...each("12:30 12:10 12:20 12:30"),
  },
  {
    event: "set back by 30 minutes while stopped",
    job: "0-59/10 0-23 * * *",
    clock: "12:28-12:30 × 12:05-12:41",
    ...each("12:30 12:40"),
  },
  {
    event: "set back by 3 minutes while stopped",
    job: "every 10m",
    clock: "12:09-12:11 × 12:08-12:20",
    ...each("12:10 12:20"),
  },
  {
    event: "set back by 30 seconds while stopped",
    job: "* * * * *",
    clock: "12:29:01-12:30:01 × 12:29:31-12:31:31",
    ...each("12:30 12:31"),
  },
  {
    event: "set back by a day while stopped",
    job: "0-59/10 0-23 * * *",
    clock: "12:28-12:30 × -1d 12:31-12:41",
    ...each("12:30 12:40"),
  },
  {
    event: "set back by a day while stopped, and forward again",
    job: "*/20 * * * *",
    clock: "12:39-12:41 × -1d 12:41-12:42 > 12:43-13:01",
    ...each("12:40 13:00"),
  },
  {
    event: "stopped over the beginning of daylight saving",
    job: "30 2 * * * in Europe/Berlin",
    day: "2026-03-29",
    clock: "00:40-00:50 × 01:20-01:30",
    skip: "1 missed",
    latest: "02:30+",
    all: "02:30+",
  },
  {
    event: "stopped over the end of daylight saving",
    job: "30 2 * * * in Europe/Berlin",
    day: "2026-10-25",
    clock: "00:10-00:20 × 01:20-01:40",
    skip: "1 missed",
    latest: "02:30+",
    all: "02:30+",
  },
  {
    event: "restarted in the repeated hour",
    job: "30 2 * * * in Europe/Berlin",
    day: "2026-10-25",
    clock: "00:29-00:31 × 01:29:50-01:31:50",
    ...each("02:30"),
  },
  {
    event: "suspended for a night",
    job: "30 * * * *",
    clock: "22:10-22:20 > +1d 06:33-06:35",
    skip: "9 missed",
    latest: "06:30+, 8 missed",
    all: "9 from 22:30+ to 06:30+",
  },
  {
    event: "suspended for a night",
    job: "30 0-23 * * *",
    clock: "22:10-22:20 > +1d 06:33-06:35",
    skip: "9 missed",
    latest: "06:30+, 8 missed",
    all: "9 from 22:30+ to 06:30+",
  },
  {
    event: "suspended for a night",
    job: "every 30m",
    clock: "22:10-22:20 > +1d 06:33-06:35",
    skip: "06:30, 16 missed",
    latest: "06:30, 16 missed",
    all: "17 from 22:30+ to 06:30",
  },
  {
    event: "suspended for a night, start_deadline 1h",
    job: "30 * * * *",
    deadlineMs: hour,
    clock: "22:10-22:20 > +1d 06:33-06:35",
    skip: "9 missed",
    latest: "06:30+, 8 too old",
    all: "06:30+, 8 too old",
  },
  {
    event: "suspended for a night, until a tick",
    job: "30 * * * *",
    clock: "22:10-22:20 > +1d 06:30-06:35",
    skip: "06:30, 8 missed",
    latest: "06:30, 8 missed",
    all: "9 from 22:30+ to 06:30",
  },
  {
    event: "suspended for 2 hours",
    job: "30 0-23 * * *",
    clock: "12:10-12:20 > 14:21-14:22",
    ...each("12:30 13:30"),
  },
  {
    event: "suspended for 2 hours, start_deadline 1h",
    job: "30 0-23 * * *",
    deadlineMs: hour,
    clock: "12:10-12:20 > 14:21-14:22",
    ...each("13:30, 1 too old"),
  },
  {
    event: "forward by a second",
    job: "30 * * * *",
    clock: "12:29-12:29 > 12:30:00.2 > 12:30:02 > 12:31-12:40",
    ...each("12:30"),
  },
  {
    event: "forward by an hour",
    job: "*/20 * * * *",
    clock: "12:21-12:22 > 13:23-13:24",
    skip: "3 missed",
    latest: "13:20+, 2 missed",
    all: "12:40+ 13:00+ 13:20+",
  },
  {
    event: "forward by an hour",
    job: "every 20m",
    clock: "12:21-12:22 > 13:23-13:24",
    skip: "13:20, 2 missed",
    latest: "13:20, 2 missed",
    all: "12:40+ 13:00+ 13:20",
  },
  {
    event: "looked at 5 minutes late",
    job: "* * * * *",
    clock: "12:00-12:00 > 12:05-12:06",
    ...each("12:01 12:02 12:03 12:04 12:05 12:06"),
  },
  {
    event: "looked at half a minute late",
    job: "every 10s",
    clock: "12:00:05 > 12:00:35",
    skip: "12:00:30, 2 missed",
    latest: "12:00:30, 2 missed",
    all: "12:00:10+ 12:00:20+ 12:00:30",
  },
  {
    event: "forward by an hour and back again",
    job: "*/20 * * * *",
    clock: "12:21-12:22 > 13:23-13:24 > 12:25-12:41",
    skip: "12:40, 3 missed",
    latest: "13:20+ 12:40, 2 missed",
    all: "12:40+ 13:00+ 13:20+ 12:40",
  },
  {
    event: "back by an hour and forward again",
    job: "*/20 * * * *",
    clock: "12:39-12:41 > 11:41-11:42 > 12:43-13:01",
    ...each("12:40 13:00"),
  },
  {
    event: "back by an hour and forward again",
    job: "every 20m",
    clock: "12:39-12:41 > 11:41-11:42 > 12:43-13:01",
    ...each("12:40 12:40 13:00"),
  },
  {
    event: "back by a day and forward again",
    job: "*/20 * * * *",
    clock: "12:39-12:41 > -1d 12:41-12:42 > 12:43-13:01",
    ...each("12:40 13:00"),
  },
  {
    event: "forward by a day",
    job: "0 */6 * * *",
    clock: "12:21-12:22 > +1d 12:23-12:24",
    skip: "4 missed",
    latest: "12:00+, 3 missed",
    all: "18:00+ 00:00+ 06:00+ 12:00+",
  },
  {
    event: "daylight saving begins",
    job: "30 2 * * * in Europe/Berlin",
    day: "2026-03-29",
    clock: "00:25-01:35",
    ...each("02:30"),
  },
  {
    event: "daylight saving ends",
    job: "*/30 2 * * * in Europe/Berlin",
    day: "2026-10-25",
    clock: "00:25-01:35",
    ...each("02:30 02:00 02:30"),
  },
  {
    event: "suspended over the beginning of daylight saving",
    job: "*/30 * * * * in Europe/Berlin",
    day: "2026-03-29",
    clock: "00:31-00:40 > 01:40-01:41",
    skip: "2 missed",
    latest: "03:30+, 1 missed",
    all: "03:00+ 03:30+",
  },
  {
    event: "suspended over the end of daylight saving",
    job: "45 2 * * * in Europe/Berlin",
    day: "2026-10-25",
    clock: "00:31-00:40 > 01:20-01:50",
    ...each("02:45"),
  },
  {
    event: "suspended until the repeated hour",
    job: "30 2 * * * in Europe/Berlin",
    day: "2026-10-25",
    clock: "-1d 20:40-20:41 > 01:10-01:35",
    ...each("02:30"),
  },
  {
    event: "suspended over the end of daylight saving",
    job: "45 * * * * in Europe/Berlin",
    day: "2026-10-25",
    clock: "00:31-00:40 > 01:20-01:50",
    skip: "02:45, 1 missed",
    latest: "02:45+ 02:45",
    all: "02:45+ 02:45",
  },
];

/** What comes of a row under one policy. */
function play(row: Row, missed: Missed): string {
  const said = { missed, startDeadlineMs: row.deadlineMs };
  const jobs = setOf(jobAt("job", row.job, said));
  const old =
    "before" in row ? (row.before === undefined ? setOf() : setOf(jobAt("job", row.before, said))) : jobs;
  const [before = "", after] = row.clock.split(" × ");
  const planner = newPlanner();
  const [firstMs = 0, ...looks] = looksOf(before, row.day ?? "2026-06-10");
  const plans: Plan[] = [planner.start(old, firstMs, undefined, false)];
  for (const nowMs of looks) plans.push(planner.look(nowMs));
  if (after === undefined) return told(plans);
  const next = newPlanner();
  const [startMs = 0, ...later] = looksOf(after, row.day ?? "2026-06-10");
  plans.push(next.start(jobs, startMs, memoryOf(old, planner.horizonMs), false));
  for (const nowMs of later) plans.push(next.look(nowMs));
  return told(plans);
}

describe("missed", () => {
  test.each(rows.map((row) => [`${row.event}: ${row.job}`, row] as const))("%s", (_, row) => {
    const { skip, latest, all } = row;
    expect({ skip: play(row, "skip"), latest: play(row, "latest"), all: play(row, "all") }).toEqual({
      skip,
      latest,
      all,
    });
  });
  test("every row stands in docs/schedule.md", () => {
    const text = readFileSync(join(project, "docs/schedule.md"), "utf8");
    for (const { event, job, skip, latest, all, clock, day: onDay } of rows) {
      const when = `${onDay === undefined ? "" : `${onDay} `}\`${clock}\``;
      const policies =
        skip === latest && latest === all ? `${skip} | the same | the same` : `${skip} | ${latest} | ${all}`;
      expect(text).toContain(`| ${event} | \`${job}\` | ${policies} | ${when} |`);
    }
  });
});

describe("missedLimits()", () => {
  test.each([
    ["a few jobs", 10, 10, { madeUp: 100, counted: 1000 }],
    ["a thousand that make up for all", 1000, 1000, { madeUp: 100, counted: 200 }],
    ["ten thousand of them", 10_000, 10_000, { madeUp: 10, counted: 20 }],
    ["ten thousand, of which few make up for all", 10_000, 500, { madeUp: 100, counted: 20 }],
    ["more than are made up for at once", 100_001, 100_001, { madeUp: 1, counted: 20 }],
    ["no job", 0, 0, { madeUp: 100, counted: 1000 }],
  ])("for %s", (_, count, allCount, expected) => {
    const jobs = Array.from(
      { length: count },
      (_, n) => ({ missed: n < allCount ? "all" : "skip" }) as const,
    );
    expect(missedLimits(jobs)).toEqual(expected);
  });
});

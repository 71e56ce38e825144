/** What is said about a job's times, and about single ticks. */
import { describe, expect, test } from "bun:test";
import { parseAcronFile, parseDistcrondJob } from "../../src/jobs/jobs.ts";
import { nextFacts } from "../../src/schedule/schedule.ts";
import { zoneNamed } from "./expressions.ts";

/** The facts of a job file's job. */
function factsOf(text: string, after = "2026-06-10T12:00", count = 3) {
  const { jobs, problems } = parseAcronFile(`${text}\nrun true\n`, "/jobs/a", "a", {
    hostName: "alpha",
    mailTo: "root@localhost",
  });
  const [job] = jobs;
  if (job === undefined) throw problems[0];
  return nextFacts(
    job,
    Date.parse(`${after}Z`),
    { zone: zoneNamed("Europe/Berlin"), hostName: "alpha" },
    count,
  );
}

/** The same of a job file of distcrond's. */
function factsOfJson(schedule: unknown) {
  const owners = [{ name: "Mona", email_address: "mona@example.com" }];
  const job = { owners, policy: { select: "any", roles: ["web"] }, schedule, shell_command: "true" };
  const terms = { hostName: "alpha", mailTo: "root@localhost" };
  const { jobs, problems } = parseDistcrondJob(JSON.stringify(job), "/jobs/a.json", "a", terms);
  const [only] = jobs;
  if (only === undefined) throw problems[0];
  const place = { zone: zoneNamed("Europe/Berlin"), hostName: "alpha" };
  return nextFacts(only, Date.parse("2026-06-10T12:00Z"), place, 3);
}

const anyWeb = "sent out by the active machine only, to any of role web";
const fixed = "fixed times: each is run once, also when the clocks skip it or show it twice";
const wild = "follows the clocks: what they skip is left out, what they show twice is run twice";

describe("nextFacts().about", () => {
  test.each([
    ["at 30 2 * * *", [fixed]],
    ["at */5 * * * *", [wild]],
    ["every 10m", ["counted from 1970 in UTC, whatever the clocks show"]],
    ["at @reboot", ["once, when rcrond comes up for the first time after the machine"]],
    [
      "at 0 3 * * *\nsplay 10m",
      [fixed, expect.stringMatching(/^started .* later: this machine's place in a splay of 10 min$/)],
    ],
    ["at 0 3 * * *\njitter 90s", [fixed, "put off by a random time below 1 min 30 s"]],
    ["at 0 3 * * *\ncluster", [fixed, "on the active machine only"]],
    ["at 0 3 * * *\non any of web,db1", [fixed, "sent out by the active machine only, to any of web, db1"]],
    ["at 0 3 * * *\nif test -e /x", [fixed, 'only if "test -e /x" exits 0']],
    ["at 0 3 * * *\nmissed latest", [fixed, "after a stop the last tick that was missed is made up for"]],
    [
      "at 0 3 * * *\nmissed all\nstart_deadline 2h",
      [fixed, "after a stop each tick that was missed is made up for, if it is not older than 2 h"],
    ],
    ["at 0 3 * * *\nstart_deadline 5m", [fixed, "not started later than 5 min"]],
  ])("%s", (text, about) => {
    expect(factsOf(text).about).toEqual(about);
  });
});

describe("nextFacts() of distcrond's schedules", () => {
  test.each([
    [
      { interval: "6h", reference: "03:10" },
      { schedule: "every 6h from 03:10", about: [fixed, anyWeb] },
      ["13:10", "19:10", "01:10"],
    ],
    [
      { interval: "20m", reference: "00:05" },
      { schedule: "every 20m from 00:05", about: [wild, anyWeb] },
      ["12:05", "12:25", "12:45"],
    ],
  ])("%j", (schedule, expected, times) => {
    const facts = factsOfJson(schedule);
    expect(facts).toMatchObject(expected);
    expect(facts.nextMs.map((atMs) => new Date(atMs).toISOString().slice(11, 16))).toEqual(times);
  });

  test("a place that is shared out", () => {
    expect(factsOfJson({ spread: "1d" })).toMatchObject({
      schedule: "once in 1d, 0 s into it",
      about: [
        "at its share of the period, which is even over all jobs that are spread so; counted from 1970 in UTC",
        anyWeb,
        "after a stop the last tick that was missed is made up for",
      ],
    });
  });
});

describe("nextFacts().notes", () => {
  test.each([
    ["an ordinary day", "at 30 2 * * *", "2026-06-10T12:00", []],
    [
      "skipped",
      "at 0,30 2 * * *",
      "2026-03-28T12:00",
      ["0: for 02:00, which the clocks skip", "1: for 02:30, which the clocks skip"],
    ],
    [
      "shown twice, fixed",
      "at 30 2 * * *",
      "2026-10-24T12:00",
      ["0: the first of two 02:30, and the only one that counts"],
    ],
    [
      "shown twice, wildcard",
      "at 30 * * * *",
      "2026-10-24T23:45",
      ["0: the first of two 02:30", "1: the second of two 02:30"],
    ],
    ["right after the change", "at 0 3 * * *", "2026-10-24T12:00", []],
    ["right before the change", "at 59 1 * * *", "2026-10-24T12:00", []],
    ["another zone's change", "at 30 2 * * *\ntimezone America/New_York", "2026-10-24T12:00", []],
    ["an interval", "every 1h", "2026-10-24T23:45", []],
  ])("%s", (_, text, after, notes) => {
    expect((factsOf(text, after).notes ?? []).map(({ at, note }) => `${at}: ${note}`)).toEqual(notes);
  });
});

import { describe, expect, test } from "bun:test";
import { checkJobs } from "../../src/jobs/jobs.ts";
import { zoneNamed } from "../schedule/expressions.ts";
import { jobFolder } from "./job-folder.ts";

async function checked(files: Readonly<Record<string, string>>) {
  using folder = jobFolder({ userColumn: "no" });
  for (const [name, text] of Object.entries(files)) folder.write(`tree/${name}`, text);
  const zone = zoneNamed("Europe/Berlin");
  const report = await checkJobs({ ...folder.options, zone, nowMs: Date.UTC(2026, 10, 21) });
  const said = report.findings.map(
    ({ severity, problem }) => `${severity} ${problem.message.replace(`${folder.path}/tree/`, "")}`,
  );
  return { ...report, said };
}

describe("checkJobs()", () => {
  test("says nothing of what is right", async () => {
    const { fileCount, jobCount, findings } = await checked({
      a: "every 10m\nrun x\n",
      "b/c": "at 0 4 * * *\nrun x\n",
      "d.crontab": "*/5 * * * * x\n@reboot y\n",
    });
    expect([fileCount, jobCount, findings.length]).toEqual([3, 4, 0]);
  });

  test.each([
    ["never fires", "at 0 0 30 2 *\nrun x\n", /^problem a:2: "0 0 30 2 \*" can never fire/],
    [
      "fires every minute by mistake",
      "at * 3 * * *\nrun x\n",
      /^warning a:2: "\* 3 \* \* \*" fires every minute of the hour 3$/,
    ],
    [
      "skipped when the clocks go forward",
      "at 30 2 * * *\nrun x\n",
      /^warning a:2: 02:30 in Europe\/Berlin runs right after the change/,
    ],
    [
      "a word too many in the command",
      "at 0 4 * * *\nrun x\n  nice 5\n",
      /^warning a:3: this line is taken for a part of run/,
    ],
    ["not read at all", "at 0 4 * *\nrun x\n", /^problem a:1: at: a cron expression must be five fields/],
  ])("%s", async (_, text, expected) => {
    const { said } = await checked({ a: text });
    expect(said[0]).toMatch(expected);
  });

  test("a job's own zone is looked at", async () => {
    expect((await checked({ a: "at 30 2 * * *\ntimezone UTC\nrun x\n" })).said).toEqual([]);
  });

  test("is in the order of files and lines", async () => {
    const { said, jobCount } = await checked({
      b: "nonsense\n",
      "a.crontab": `${"#\n".repeat(9)}0 0 31 4 * x\n@daily y\n0 0 31 4 * z`,
    });
    expect(said.map((text) => text.split(": ", 1)[0])).toEqual([
      "problem a.crontab:10",
      "warning a.crontab:12",
      "problem a.crontab:12",
      "problem b:1",
    ]);
    expect(jobCount).toBe(3);
  });
});

import { describe, expect, test } from "bun:test";
import { checkJobs } from "../../src/jobs/jobs.ts";
import type { Connection, Node } from "../../src/model/node.ts";
import { zoneNamed } from "../schedule/expressions.ts";
import { jobFolder } from "./job-folder.ts";

async function checked(
  files: Readonly<Record<string, string>>,
  { userColumn = "no", nodes = [] }: { userColumn?: "yes" | "no"; nodes?: readonly Node[] } = {},
) {
  using folder = jobFolder({ userColumn });
  for (const [name, text] of Object.entries(files)) folder.write(`tree/${name}`, text);
  const zone = zoneNamed("Europe/Berlin");
  const { options } = folder;
  const report = await checkJobs({
    ...options,
    terms: { ...options.terms, nodes },
    zone,
    nowMs: Date.UTC(2026, 10, 21),
  });
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

describe("checkJobs() of a job with a user, on nodes", () => {
  const overSsh = (user: string | undefined): Connection => ({
    kind: "ssh",
    host: "x",
    port: undefined,
    user,
    keyFile: undefined,
    passwordFile: undefined,
    isNewHostKeyAccepted: false,
  });
  const node = (name: string, connection: Connection): Node => ({
    name,
    source: { path: "rcron.conf", line: 1 },
    roles: ["web"],
    connection,
    runsAtOnce: undefined,
  });
  const nodes = [
    node("web1", overSsh("rcron")),
    node("web2", overSsh(undefined)),
    node("here", { kind: "local" }),
    node("pod", { kind: "command", words: ["x"] }),
    node("boss", overSsh("root")),
  ];
  const said = async (text: string, known: readonly Node[] = nodes) => {
    const { findings } = await checked({ "tab.crontab": text }, { userColumn: "yes", nodes: known });
    return findings.map(({ severity, problem }) => {
      const message = problem.message.replace(/^.*tree\//, "").replace(/-[0-9a-f]{6}/, "");
      return `${severity} ${message}; ${problem.hint}`;
    });
  };

  test("the node that is reached as another user is named, and what to do about it", async () => {
    expect(await said("RCRON_ON=any of web1\n*/5 * * * * root echo\n")).toEqual([
      "warning tab.crontab:2: tab:echo runs as root, but web1 is reached as rcron: it will fail there; let the job's user be rcron, or write user = root in [node web1]",
    ]);
  });

  test("so is the one of which nothing but ssh knows the user, and the one behind a command", async () => {
    expect(await said("RCRON_ON=all of web2,pod\n*/5 * * * * root echo\n")).toEqual([
      "warning tab.crontab:2: tab:echo runs as root, but web2 is reached as whoever its ssh configuration says: it will fail there; write user = root in [node web2]",
      "warning tab.crontab:2: tab:echo runs as root, but pod is reached as whoever its command is there: it will fail there; a job file needs no user: let it be one, and name none",
    ]);
  });

  test.each(["here,boss", "boss"])("nothing is said where the user is the right one: %s", async (names) => {
    expect(await said(`RCRON_ON=all of ${names}\n*/5 * * * * root echo\n`)).toEqual([]);
  });

  test("nothing is said of a job that names no user", async () => {
    const { findings } = await checked({ a: "every 1h\non any\nrun x\n" }, { nodes });
    expect(findings).toEqual([]);
  });

  test("a role means its nodes, and of many the first are named", async () => {
    const many = Array.from({ length: 5 }, (_, n) => node(`n${n}`, overSsh("rcron")));
    for (const on of ["any", "any of web"]) {
      expect((await said(`RCRON_ON=${on}\n*/5 * * * * root echo\n`, many))[0]).toStartWith(
        "warning tab.crontab:2: tab:echo runs as root, but n0, n1, n2 and 2 more are reached as rcron: it will fail there;",
      );
    }
  });
});

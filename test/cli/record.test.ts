/** The words of rcronctl that ask the record: the built program against journals. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readMetrics } from "../api/read-metrics.ts";
import { end, journal, nightMs, skip, start } from "../history/events.ts";
import { describeWith } from "../support/debian.ts";
import { binary, run, shell, temporaryFolder } from "../support/program.ts";

const scratch = temporaryFolder();
afterAll(() => scratch[Symbol.dispose]());
const conf = join(scratch.path, "rcron.conf");
writeFileSync(conf, "");
const env = { ...process.env, TZ: "Europe/Berlin", COLUMNS: undefined };
let folders = 0;
const newFolder = () => join(scratch.path, String(folders++));
const ctl = (folder: string, ...words: string[]) =>
  run([binary, "--as", "rcronctl", ...words, "--history", folder, "--conf", conf], { env });

const folder = newFolder();
const zipped = (text: string) => Buffer.from(Bun.gzipSync(Buffer.from(text))).toString("base64");
const hourMs = 3_600_000;
journal(
  folder,
  start("aaaa000000000001", { at: nightMs - hourMs, tick: nightMs - hourMs }),
  end("aaaa000000000001"),
  start("aaab000000000002"),
  end("aaab000000000002", {
    ok: false,
    exit: 3,
    output: { bytes: 1024, leftOut: 1000, head: zipped("begun\n"), tail: zipped("\u001b[31mended\n") },
  }),
  skip({ job: "report", run: "bbbb000000000003" }),
  skip({
    job: "report",
    why: "condition",
    sentence: "test -e /x: exit status 1",
    tick: nightMs + hourMs,
    at: nightMs + hourMs,
  }),
);

describe("rcronctl runs", () => {
  test("lists them, the newest at the bottom, in local time with its zone", async () => {
    expect(await ctl(folder, "runs")).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `WHEN                        JOB     STATE      TOOK  HOW                        RUN
2026-11-21 03:00:00 +01:00  backup  succeeded  12 s                             aaaa000000000001
2026-11-21 04:00:01 +01:00  backup  failed     12 s  exit status 3              aaab000000000002
2026-11-21 05:00:00 +01:00  report  skipped          test -e /x: exit status 1  @4
`,
    });
  });

  test("fits a terminal of so many columns, and has no colours where there is none", async () => {
    const words = [binary, "--as", "rcronctl", "runs", "--history", folder, "--conf", conf];
    const { stdout } = await run(words, { env: { ...env, COLUMNS: "85", FORCE_COLOR: "1" } });
    expect(stdout).toContain("…  @4\n");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(85);
    expect(stdout).not.toContain("\x1b");
  });

  test.each([
    [["--failed"], ["aaab000000000002"]],
    [["--skipped"], ["bbbb000000000003", "@4"]],
    [
      ["--all", "--limit", "2"],
      ["bbbb000000000003", "@4"],
    ],
    [["--job", "report"], ["@4"]],
    [["--job=nobody"], []],
    [["--since", "2026-11-21T03:30", "--job", "backup"], ["aaab000000000002"]],
    [["--since", "2026-11-21T02:30Z", "--job", "backup"], ["aaab000000000002"]],
    [
      ["--since", "1000d"],
      ["aaaa000000000001", "aaab000000000002", "@4"],
    ],
    [["--host", "another"], []],
  ])("%p", async (words, ids) => {
    const { stdout, exitCode } = await ctl(folder, "runs", "--json", ...words);
    expect(exitCode).toBe(0);
    expect((JSON.parse(stdout) as { run: string }[]).map((each) => each.run)).toEqual(ids);
  });

  test.each([
    [["--failed", "--all"], "--failed and --all must not stand together"],
    [["--since", "yesterday"], "--since must be a time such as 03:00"],
    [["--since", "2026-02-30"], "--since must be a time such as 03:00"],
    [["--limit", "0"], "--limit must be a number from 1"],
    [["backup"], "runs takes no further word"],
  ])("%p is wrong use", async (words, message) => {
    const { stderr, exitCode } = await ctl(folder, "runs", ...words);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  test("has in JSON every key that docs/record.md tells, and no other", async () => {
    const { stdout } = await ctl(folder, "runs", "--json", "--limit", "1");
    const page = readFileSync(join(import.meta.dir, "../../docs/record.md"), "utf8");
    const [, table = ""] = /\n### A run\n([\s\S]*?)\n#/.exec(page) ?? [];
    const keys = [...table.matchAll(/^\| ([`a-zA-Z, ]+) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, key]) => key),
    );
    expect(keys.sort()).toEqual(Object.keys(JSON.parse(stdout)[0]).sort());
  });

  test.each([
    ["SIGTERM", 0, "running", {}],
    // Its rcrond is gone, and it goes on on its nodes.
    ["SIGINT", 130, "interrupted", { ticks: 1, onNodes: true }],
  ] as const)(
    "--follow shows what comes, and ends by %s with %i; a run that is %s has its end to come",
    async (signal, status, first, more) => {
      const own = newFolder();
      journal(own, start("a1", more));
      const child = Bun.spawn(
        [binary, "--as", "rcronctl", "runs", "--follow", "--json", "--history", own, "--conf", conf],
        {
          stdout: "pipe",
          stderr: "pipe",
          timeout: 20_000,
        },
      );
      const lines: string[] = [];
      let rest = "";
      for await (const part of child.stdout) {
        rest += new TextDecoder().decode(part);
        const whole = rest.split("\n");
        rest = whole.pop() ?? "";
        for (const line of whole) {
          const { run: id, state } = JSON.parse(line);
          lines.push(`${id} ${state}`);
          if (lines.length === 1) journal(own, end("a1"), skip(), start("a2"));
          if (lines.length === 3) child.kill(signal);
        }
      }
      expect(lines).toEqual([`a1 ${first}`, "a1 succeeded", "a2 running"]);
      expect(await child.exited).toBe(status);
    },
    25_000,
  );

  test("ends quietly when its reader has gone", async () => {
    const own = newFolder();
    journal(own, ...Array.from({ length: 3000 }, (_, at) => start(`r${at}`)));
    const line = `rcronctl runs --limit 3000 --history ${own} --conf ${conf} | head -n 1; rcronctl runs --limit 3000 --json --history ${own} --conf ${conf} | head -n 1`;
    expect(await shell(line)).toMatchObject({ exitCode: 0, stderr: "" });
  });
});

describe("rcronctl show", () => {
  test("shows all of a run, by the first characters of its id", async () => {
    const { stdout, exitCode } = await ctl(folder, "show", "aaab");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^run {6}aaab000000000002\njob {6}backup\ncommand {2}\/usr\/bin\/backup --all\nstate {4}failed: exit status 3 after 12 s\n/,
    );
    expect(stdout).toEndWith("\noutput, 1024 bytes:\nbegun\n[1000 bytes left out]\n\u001b[31mended\n");
  });

  describeWith("on a terminal", ["python3"], () => {
    // Whoever wants no colours wants no terminal that a job steers, either.
    test.each([{}, { NO_COLOR: "1" }, { TERM: "dumb" }])("no output can steer it: %p", async (more) => {
      const words = [binary, "--as", "rcronctl", "show", "aaab", "--history", folder, "--conf", conf];
      const inTerminal = ["python3", "-c", "import pty, sys; pty.spawn(sys.argv[1:])", ...words];
      const { stdout } = await run(inTerminal, { env: { ...env, TERM: "xterm", ...more } });
      expect(stdout).toEndWith("[1000 bytes left out]\r\n\ufffd[31mended\r\n");
    });
  });

  test("has it in JSON, with the output", async () => {
    const { stdout } = await ctl(folder, "show", "aaab000000000002", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      run: "aaab000000000002",
      exit: 3,
      durationMs: 12_000,
      at: "2026-11-21T03:00:01.000Z",
      output: { bytes: 1024, leftOut: 1000, head: "begun\n", tail: "\u001b[31mended\n" },
    });
  });

  test("says of a run that no node could be had for what to do, and its reason once", async () => {
    const folder = newFolder();
    const sentence = "could not be started on web1 (web1: it can't be reached)";
    const nodes = [{ node: "web1", result: "unreachable", ms: 5, sentence: "it can't be reached" }] as const;
    journal(
      folder,
      start("cccc000000000001", { onNodes: true }),
      end("cccc000000000001", { ok: false, cause: "not-started", sentence, nodes }),
    );
    const hint = "rcronctl nodes tells what to do";
    const { stdout } = await ctl(folder, "show", "cccc");
    expect(stdout).toContain(`\nstate    failed: ${sentence}\n`);
    expect(stdout).not.toContain("because");
    expect(stdout).toEndWith(
      `\nnodes    web1  unreachable after 0.0 s: it can't be reached\nhint     ${hint}\n`,
    );
    expect((await ctl(folder, "why", "backup")).stdout).toMatch(
      /^ran at .*, failed: could not be started on web1 .*\nhint: rcronctl nodes tells what to do\n$/,
    );
    expect((await ctl(folder, "show", "cccc", "--json")).stdout).not.toContain("hint");
  });

  test("has no hint of nodes, and tells the reason that its state does not say", async () => {
    const folder = newFolder();
    journal(
      folder,
      skip({ why: "condition", run: "dddd000000000001", sentence: "test -e /x: exit status 1" }),
    );
    const { stdout } = await ctl(folder, "show", "dddd");
    expect(stdout).toContain("\nstate    skipped: condition\nbecause  test -e /x: exit status 1\n");
    expect(stdout).not.toContain("hint");
  });

  test.each([
    ["aaa", 1, 'more than one run\'s id begins with "aaa"'],
    ["zzz", 1, 'no run has the id "zzz"'],
  ])("%s: %i", async (id, status, message) => {
    const { stderr, exitCode } = await ctl(folder, "show", id);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(status);
  });
});

describe("rcronctl jobs", () => {
  test("sums each one up", async () => {
    expect(
      (await ctl(folder, "jobs")).stdout,
    ).toBe(`JOB     STATE    LAST RUN                    LAST SUCCESS                FAILED SINCE  TOOK  TYPICAL
backup  failed   2026-11-21 04:00:01 +01:00  2026-11-21 03:00:00 +01:00             1  12 s     12 s
report  skipped  never                       never
`);
    const { stdout } = await ctl(folder, "jobs", "--json");
    expect(JSON.parse(stdout)[0]).toEqual({
      job: "backup",
      cluster: "c1",
      state: "failed",
      lastRun: "aaab000000000002",
      lastRunAt: "2026-11-21T03:00:01.000Z",
      lastSuccessAt: "2026-11-21T02:00:00.000Z",
      lastExit: 3,
      lastDurationMs: 12_000,
      typicalDurationMs: 12_000,
      failureStreak: 1,
      running: 0,
      totals: [
        { state: "succeeded", why: null, count: 1 },
        { state: "failed", why: null, count: 1 },
      ],
      schedule: null,
      next: null,
      pausedUntil: null,
      waiting: null,
      followsCluster: null,
      where: null,
      on: null,
      description: null,
    });
  });
});

describe("rcronctl why", () => {
  test.each([
    [["backup", "--at", "2026-11-21T03:00"], 0, "succeeded after 12 s"],
    [["backup", "--at", "2026-11-21T03:00Z"], 1, "failed: exit status 3 after 12 s"],
    [["backup"], 1, "failed: exit status 3 after 12 s"],
    [["report", "--at", "2026-11-21 04:00"], 1, "not run here: passive since "],
    [["report"], 1, "skipped: test -e /x: exit status 1"],
    [["backup", "--at", "2026-11-20T03:00"], 1, "there is no record before that"],
    [["backup", "--at", "2026-11-21T09:00"], 1, "; the last record before is that of "],
  ])("%p", async (words, status, part) => {
    const { stdout, stderr, exitCode } = await ctl(folder, "why", ...words);
    expect(stdout + stderr).toContain(part);
    expect(exitCode).toBe(status);
  });

  test("names the job that was meant, and takes one word", async () => {
    expect((await ctl(folder, "why", "bakup")).stderr).toContain("did you mean backup?");
    expect((await ctl(folder, "why", "a", "b")).exitCode).toBe(2);
    expect((await ctl(folder, "why", "backup", "--at", "25:00")).exitCode).toBe(2);
    const { stdout } = await ctl(folder, "why", "backup", "--json");
    const keys = ["job", "tick", "succeeded", "sentences", "runs", "next", "but"];
    expect(Object.keys(JSON.parse(stdout))).toEqual(keys);
  });
});

describe("rcronctl metrics", () => {
  test("can be read by Prometheus, and says what the record says", async () => {
    const samples = readMetrics((await ctl(folder, "metrics")).stdout);
    const values = samples.map(
      ({ name, labels, value }) => `${name} ${Object.values(labels).join(" ")} ${value}`,
    );
    expect(values).toContain("rcron_job_failure_streak backup c1 1");
    expect(values).toContain("rcron_job_runs_total backup c1 failed 1");
    expect(values).toContain("rcron_job_skipped_total report c1 passive 1");
    expect(values).toContain(`rcron_job_last_run_timestamp_seconds backup c1 ${nightMs / 1000 + 1}`);
  });

  test("--textfile replaces the file in one step, for all to read", async () => {
    const file = join(scratch.path, "rcron.prom");
    expect(await ctl(folder, "metrics", "--textfile", file)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(readFileSync(file, "utf8")).toBe((await ctl(folder, "metrics")).stdout);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect((await ctl(folder, "metrics", "--textfile", "relative")).exitCode).toBe(2);
    expect((await ctl(folder, "metrics", "--textfile", "/proc/nowhere/x")).exitCode).toBe(1);
  });
});

describe("the record's folder", () => {
  test("is named by the configuration, and by --history before it", async () => {
    const named = join(scratch.path, "named.conf");
    writeFileSync(named, `history = ${folder}\n`);
    const listed = await run([binary, "--as", "rcronctl", "runs", "--json", "--conf", named], { env });
    expect(JSON.parse(listed.stdout)).toHaveLength(3);
    writeFileSync(named, "history = none\n");
    const { stderr, exitCode } = await run([binary, "--as", "rcronctl", "runs", "--conf", named], { env });
    expect(stderr).toBe(
      `rcronctl: no record is kept: history = none\nrcronctl: hint: set history in ${named}\n`,
    );
    expect(exitCode).toBe(1);
    expect((await ctl("relative", "runs")).exitCode).toBe(2);
  });

  test("need not be there", async () => {
    const missing = newFolder();
    expect(await ctl(missing, "runs")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: `rcronctl: warning: nothing has been recorded in ${missing} yet\n`,
    });
    expect(existsSync(missing)).toBe(false);
  });
});

describeWith("a stranger", ["root", "setpriv"], () => {
  test("is refused with a hint", async () => {
    const words = [
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      binary,
      "--as",
      "rcronctl",
      "runs",
    ];
    const { stderr, exitCode } = await run(
      [...words, "--history", "/root/.rcron-test", "--conf", "/dev/null"],
      { env },
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/must be readable|must be a readable file|nothing has been recorded/);
  });
});

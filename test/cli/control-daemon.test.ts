/** The words of rcronctl that ask the running rcrond: the built program, a real socket, and a handler for the daemon. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  ControlAnswer,
  ControlRequest,
  ControlResult,
  DaemonStatus,
  JobFacts,
} from "../../src/model/control-message.ts";
import type { Pause } from "../../src/model/pause.ts";
import { Problem } from "../../src/model/problem.ts";
import { end, journal, nightMs, start } from "../history/events.ts";
import { binary, run } from "../support/program.ts";
import { answeringDaemons } from "./answering-daemon.ts";

setDefaultTimeout(60_000);

const { scratch, conf, env, listen: follower } = answeringDaemons("");

/** A daemon that answers by a function; what it was asked is kept. */
function daemon(answer: (request: ControlRequest) => ControlResult | Problem | Promise<ControlResult>) {
  return follower(async (request) => {
    const result = await answer(request);
    if (result instanceof Problem) throw result;
    return { told: "done", result };
  });
}

const noDaemon = join(scratch.path, "none.sock");
const alone = (...words: string[]) =>
  run([binary, "--as", "rcronctl", ...words, "--socket", noDaemon, "--conf", conf], { env });

/** On no day on which a test can run, so that it is shown with its date. */
const farMs = Date.parse("2040-01-02T03:00:00Z");
const status: DaemonStatus = {
  version: "9.9",
  pid: 77,
  sinceMs: nightMs,
  host: "web1",
  cluster: "default",
  state: "active",
  stateSentence: "the state file says so",
  jobs: 3,
  files: 2,
  broken: [],
  running: [],
  waiting: 0,
  pauses: [],
  isDraining: false,
  warnings: [],
};
const dayMs = 24 * 3_600_000;

describe("rcronctl status", () => {
  test("tells in short how the daemon is, and that all is well by its exit status", async () => {
    const { ctl, asked } = daemon(() => ({ kind: "status", status }));
    expect(await ctl("status")).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `rcrond   9.9, pid 77, on web1
since    2026-11-21 04:00:00 +01:00
cluster  default: active, the state file says so
jobs     3 in 2 files
runs     0 at work, 0 waiting
`,
    });
    expect(asked).toEqual([{ ask: "status" }]);
  });

  test("tells what runs, what is paused, what is broken, and steers no terminal", async () => {
    const ill: DaemonStatus = {
      ...status,
      files: 1,
      running: [
        { run: "r1", job: "a\u001b[31m", sinceMs: farMs, tickMs: farMs, pid: 5 },
        { run: "r2", job: "b", sinceMs: farMs + 1000, tickMs: farMs },
        { run: "r3", job: "c", sinceMs: farMs, tickMs: farMs, isWaiting: true },
      ],
      waiting: 4,
      concurrency: 2,
      pauses: [
        { job: undefined, sinceMs: farMs, untilMs: farMs + dayMs, why: 'the "big" move', by: "root" },
        { job: "b", sinceMs: farMs, untilMs: farMs + dayMs + 1500, why: "", by: "alice" },
      ],
      isDraining: true,
      broken: ["/etc/rcron/jobs.d/x:1: bad", "y"],
      warnings: ["no record can be written"],
    };
    const { ctl } = daemon(() => ({ kind: "status", status: ill }));
    const { exitCode, stdout, stderr } = await ctl("status");
    expect(stderr).toBe("");
    expect(stdout).toBe(`rcrond   9.9, pid 77, on web1
since    2026-11-21 04:00:00 +01:00
ends     as soon as its runs have ended
cluster  default: active, the state file says so
jobs     3 in 1 file
runs     2 at work (2 at most), 5 waiting
         r1  a\\x1b[31m  since 2040-01-02 04:00, pid 5
         r2  b  since 2040-01-02 04:00:01
         r3  c  since 2040-01-02 04:00, waits to be started
paused   all jobs are paused until 2040-01-03 04:00 by root: "the "big" move"
         b is paused until 2040-01-03 04:00:01 by alice
broken   /etc/rcron/jobs.d/x:1: bad
         y
warning  no record can be written
`);
    expect(exitCode).toBe(1);
  });

  test.each([
    ["a broken file", { broken: ["x"] }, 1],
    ["a warning", { warnings: ["x"] }, 1],
    ["an end in sight", { isDraining: true }, 1],
    ["a pause is no illness", { pauses: [{ job: "a", sinceMs: 0, untilMs: 1, why: "", by: "root" }] }, 0],
  ])("has an exit status for %s", async (_, change, exitCode) => {
    const { ctl } = daemon(() => ({ kind: "status", status: { ...status, ...change } }));
    expect(await ctl("status", "--json")).toMatchObject({ exitCode, stderr: "" });
  });

  test("has JSON with ISO times and nothing left out", async () => {
    const { ctl } = daemon(() => ({ kind: "status", status: { ...status, nextMs: nightMs } }));
    expect(JSON.parse((await ctl("status", "--json")).stdout)).toEqual({
      version: "9.9",
      pid: 77,
      host: "web1",
      cluster: "default",
      state: "active",
      stateSentence: "the state file says so",
      jobs: 3,
      files: 2,
      broken: [],
      running: [],
      waiting: 0,
      concurrency: null,
      pauses: [],
      nodes: null,
      since: "2026-11-21T03:00:00.000Z",
      next: "2026-11-21T03:00:00.000Z",
      draining: false,
      warnings: [],
    });
  });
});

describe("rcronctl run", () => {
  const ended = (exitStatus?: number): ControlResult => ({
    kind: "run",
    run: "r1",
    sentence: "failed: exit status 3",
    ...(exitStatus !== undefined && { exitStatus }),
  });

  test("prints the run's id and how to look at it", async () => {
    const { ctl, asked } = daemon(() => ({ kind: "run", run: "r1", sentence: "it has its turn now" }));
    expect(await ctl("run", "web/backup")).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: "run r1 of web/backup: it has its turn now\nrcronctl show r1 tells how it goes\n",
    });
    expect(JSON.parse((await ctl("run", "web/backup", "--json")).stdout)).toEqual({
      run: "r1",
      job: "web/backup",
      sentence: "it has its turn now",
    });
    expect(asked[0]).toEqual({ ask: "run", job: "web/backup" });
  });

  test("--follow prints what the job prints, byte by byte the same, and ends as the job does", async () => {
    const bytes = Buffer.concat([crypto.getRandomValues(new Uint8Array(300_000)), Buffer.from("the end\n")]);
    const { words, asked } = follower(async (_, __, tell): Promise<ControlAnswer> => {
      tell({ told: "started", run: "r1" });
      for (let at = 0; at < bytes.length; at += 48_000) {
        tell({ told: "output", bytes: bytes.subarray(at, at + 48_000).toString("base64") });
      }
      return { told: "done", result: ended(3) };
    });
    const child = Bun.spawn(words(["run", "a", "--follow"]), { env, stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
    expect(await child.exited).toBe(3);
    expect(Buffer.from(stdout).equals(bytes)).toBe(true);
    expect(stderr).toBe("rcronctl: run r1 of a has begun\nrcronctl: run r1 of a: failed: exit status 3\n");
    expect(asked).toEqual([{ ask: "run", job: "a", follow: true }]);
  });

  test("--follow says that the run waits for its turn", async () => {
    const go = Promise.withResolvers<void>();
    const { words } = follower(async (_, __, tell): Promise<ControlAnswer> => {
      await go.promise;
      tell({ told: "started", run: "r1" });
      return { told: "done", result: ended(0) };
    });
    const child = Bun.spawn(words(["run", "a", "--follow"]), { env, stdout: "ignore", stderr: "pipe" });
    let stderr = "";
    for await (const part of child.stderr) {
      stderr += Buffer.from(part).toString();
      if (stderr.includes("a waits for its turn")) go.resolve();
    }
    expect(await child.exited).toBe(0);
    expect(stderr).toContain("run r1 of a has begun");
  });

  test("--follow appends to a file, and does not empty it", async () => {
    const { words } = follower(async (_, __, tell): Promise<ControlAnswer> => {
      tell({ told: "output", bytes: "" });
      tell({ told: "output", bytes: Buffer.from("one\n").toString("base64") });
      tell({ told: "output", bytes: Buffer.from("two\n").toString("base64") });
      return { told: "done", result: ended(0) };
    });
    const line = `echo zero >out; ${words(["run", "a", "--follow"]).join(" ")} >>out 2>/dev/null; cat out`;
    expect(await run(["sh", "-c", line], { cwd: scratch.path, env })).toMatchObject({
      stdout: "zero\none\ntwo\n",
    });
  });

  test("--follow is ended by Ctrl-C, and the run is not", async () => {
    const gone = Promise.withResolvers<void>();
    const { words } = follower(async (_, __, tell, signal) => {
      signal.addEventListener("abort", () => gone.resolve());
      tell({ told: "started", run: "r1" });
      return new Promise<never>(() => {});
    });
    const child = Bun.spawn(words(["run", "a", "--follow"]), { env, stdout: "pipe", stderr: "pipe" });
    let stderr = "";
    for await (const part of child.stderr) {
      if (stderr === "") child.kill("SIGINT");
      stderr += Buffer.from(part).toString();
    }
    expect(await child.exited).toBe(130);
    await gone.promise;
    expect(stderr).toBe(
      "rcronctl: run r1 of a has begun\nrcronctl: the run goes on: rcronctl show r1 tells how, rcronctl stop r1 ends it\n",
    );
  });

  test("--follow ends when nobody reads any more", async () => {
    const { words } = follower(async (_, __, tell, gone) => {
      tell({ told: "started", run: "r1" });
      while (!gone.aborted) {
        tell({ told: "output", bytes: Buffer.from("more\n").toString("base64") });
        await Bun.sleep(5);
      }
      throw new Problem("unreachable", "gone");
    });
    const line = `${words(["run", "a", "--follow"]).join(" ")} | head -n 1`;
    const { stdout, stderr } = await run(["sh", "-c", line], { env, timeoutMs: 30_000 });
    expect(stdout).toBe("more\n");
    expect(stderr).toContain("the run goes on");
  });

  test("--follow says what becomes of the run when the daemon goes", async () => {
    const { path, words, server } = follower(async (_, __, tell) => {
      tell({ told: "started", run: "r1" });
      setTimeout(() => server.close(), 50);
      return new Promise<never>(() => {});
    });
    const { exitCode, stderr } = await run(words(["run", "a", "--follow"]), { env });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("rcronctl: rcrond ends; the run goes on: rcronctl show r1 tells how");
    expect(existsSync(path)).toBe(false);
  });

  test("tells the daemon's Problem with its hint", async () => {
    const { ctl } = daemon(
      () => new Problem("not-found", 'there is no job named "bakcup"', { hint: "did you mean backup?" }),
    );
    expect(await ctl("run", "bakcup")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: 'rcronctl: there is no job named "bakcup"\nrcronctl: hint: did you mean backup?\n',
    });
    expect((await ctl("run", "bakcup", "--follow")).stderr).toContain("did you mean backup?");
  });
});

describe("rcronctl stop", () => {
  test("hands on what was typed, and says which run it was", async () => {
    const { ctl, asked } = daemon(() => ({ kind: "stop", run: "r1", job: "a" }));
    expect(await ctl("stop", "r")).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: "run r1 of a is being ended\n",
    });
    expect(JSON.parse((await ctl("stop", "r", "--json")).stdout)).toEqual({ run: "r1", job: "a" });
    expect(asked[0]).toEqual({ ask: "stop", run: "r" });
  });
});

describe("rcronctl pause and resume", () => {
  const pause = (change: Partial<Pause> = {}): Pause => ({
    job: "a",
    sinceMs: Date.now(),
    untilMs: Date.now() + 90 * dayMs,
    why: "",
    by: "root",
    ...change,
  });

  test("pause asks for its end, by time or by length, and says what holds now", async () => {
    const { ctl, asked } = daemon(() => ({
      kind: "pause",
      pauses: [pause({ job: undefined, untilMs: farMs, why: "move" }), pause({ untilMs: farMs })],
    }));
    const before = Date.now();
    expect(await ctl("pause", "all", "--for", "2h", "--why", "move")).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `all jobs are paused until 2040-01-02 04:00 by root: "move"\na is paused until 2040-01-02 04:00 by root\n`,
    });
    const [request] = asked;
    if (request?.ask !== "pause") throw new Error("no pause was asked for");
    expect(request).toEqual({ ask: "pause", why: "move", untilMs: request.untilMs });
    expect(request.untilMs).toBeGreaterThanOrEqual(before + 7_200_000);
    expect(request.untilMs).toBeLessThanOrEqual(Date.now() + 7_200_000);
    const soon = new Date(Date.now() + dayMs);
    soon.setMilliseconds(0);
    expect((await ctl("pause", "a", "--until", soon.toISOString(), "--json")).exitCode).toBe(0);
    expect(asked[1]).toEqual({ ask: "pause", job: "a", why: "", untilMs: soon.getTime() });
  });

  test("resume says what it ended, and what holds all the same", async () => {
    const pauses = [pause({ job: undefined, untilMs: farMs, why: "move" })];
    const { ctl, asked } = daemon((request) =>
      request.ask === "resume"
        ? { kind: "resume", ended: request.job === "a" ? [pause()] : [] }
        : { kind: "status", status: { ...status, pauses } },
    );
    const still = 'still: all jobs are paused until 2040-01-02 04:00 by root: "move"\n';
    expect((await ctl("resume", "a")).stdout).toBe(`a resumed\n${still}`);
    expect(asked[0]).toEqual({ ask: "resume", job: "a" });
    expect(JSON.parse((await ctl("resume", "all", "--json")).stdout)).toMatchObject({
      ended: [],
      pauses: [{ job: null, until: "2040-01-02T03:00:00.000Z", why: "move", by: "root" }],
    });
    expect(asked.at(-2)).toEqual({ ask: "resume" });
  });
});

describe("rcronctl reload", () => {
  test.each([
    [{ added: 1, changed: 0, removed: 2, broken: [] }, "1 job added, 0 changed, 2 removed\n", 0],
    [
      { added: 0, changed: 5, removed: 0, broken: ["x:1: bad"] },
      "0 jobs added, 5 changed, 0 removed\nx:1: bad\n",
      1,
    ],
    [
      { added: 0, changed: 0, removed: 0, nodes: { added: 1, changed: 2, removed: 3 }, broken: [] },
      "0 jobs added, 0 changed, 0 removed; 1 node added, 2 changed, 3 removed\n",
      0,
    ],
  ])(
    "says what has changed, and by its exit status whether all is right: %#",
    async (facts, stdout, exitCode) => {
      const { ctl } = daemon(() => ({ kind: "reload", ...facts }));
      expect(await ctl("reload")).toEqual({ exitCode, stdout, stderr: "" });
      expect(JSON.parse((await ctl("reload", "--json")).stdout)).toEqual({ nodes: null, ...facts });
    },
  );
});

describe("rcronctl next", () => {
  const backup = { job: "backup", where: "/x:1", schedule: "0 4 * * *", zone: "Asia/Tokyo" };

  test("shows the daemon's ticks in the job's own zone, with what is in the way", async () => {
    const { ctl, asked } = daemon(() => ({
      kind: "next",
      jobs: [
        { job: "boot", where: "/x:3", schedule: "@reboot", nextMs: [] },
        {
          ...backup,
          nextMs: [nightMs],
          about: ["on the active machine only"],
          notes: [{ at: 0, note: "the first of two 04:00" }],
          but: "it is paused until 06:00",
        },
      ],
    }));
    expect((await ctl("next")).stdout).toBe(
      `NEXT                        JOB     SCHEDULE   WHERE  BUT
2026-11-21 12:00:00 +09:00  backup  0 4 * * *  /x:1   it is paused until 06:00
at boot                     boot    @reboot    /x:3
`,
    );
    expect(JSON.parse((await ctl("next", "--count", "3", "--json")).stdout)[0]).toEqual({
      ...backup,
      next: ["2026-11-21T03:00:00.000Z"],
      about: ["on the active machine only"],
      notes: [{ at: 0, note: "the first of two 04:00" }],
      but: "it is paused until 06:00",
      on: null,
    });
    expect(asked).toEqual([
      { ask: "next", count: 1 },
      { ask: "next", count: 3 },
    ]);
  });

  test("shows the coming ones of a job", async () => {
    const { ctl, asked } = daemon(() => ({
      kind: "next",
      jobs: [
        {
          ...backup,
          nextMs: [Date.now() + 90_500],
          about: ["on the active machine only"],
          notes: [{ at: 0, note: "the first of two 04:00" }],
        },
      ],
    }));
    const { stdout } = await ctl("next", "backup");
    expect(stdout).toMatch(
      /^backup: 0 4 \* \* \*\n {4}on the active machine only\n20\d\d-.* \+09:00 {2}\(in 1 min \d+ s\) {2}the first of two 04:00\n$/,
    );
    expect(asked).toEqual([{ ask: "next", job: "backup", count: 10 }]);
  });

  test("asks the files where no daemon runs, and says so", async () => {
    const tree = join(scratch.path, "jobs");
    mkdirSync(tree, { recursive: true });
    writeFileSync(join(tree, "night"), "at 30 2 * * *\ntimezone Asia/Tokyo\nrun backup\n");
    const { exitCode, stdout, stderr } = await alone("next", "night", "--cron-dir", tree, "--count", "2");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.split("\n").length).toBe(5);
    expect(stdout).toContain("02:30:00 +09:00");
    const other = await alone("next", "no-such-job-of-this-machine");
    expect(other.exitCode).toBe(1);
    expect(other.stderr).toContain(
      `rcronctl: no rcrond answers on ${noDaemon}: this is what the job files say\n`,
    );
    expect(other.stderr).toContain("there is no job named");
  });
});

describe("rcronctl jobs and why", () => {
  const record = join(scratch.path, "record");
  journal(record, start("aaaa000000000001"), end("aaaa000000000001"));
  const facts: JobFacts = {
    job: "backup",
    where: "/x:1",
    schedule: "0 4 * * *",
    nextMs: farMs,
    running: 0,
    waiting: 1,
    isCluster: true,
  };
  const { nextMs: _, ...others } = facts;
  const jobs: readonly JobFacts[] = [
    facts,
    { ...others, job: "boot", schedule: "@reboot", running: 1, description: "d" },
    { ...others, job: "asleep", pausedUntilMs: farMs },
  ];

  test("jobs has the daemon's jobs beside what the record has seen", async () => {
    const { ctl } = daemon(() => ({ kind: "jobs", jobs }));
    expect((await ctl("jobs", "--history", record)).stdout).toBe(
      `JOB     STATE      LAST RUN                    LAST SUCCESS                FAILED SINCE  TOOK  TYPICAL  NEXT                           SCHEDULE
asleep  never ran                                                                                       paused until 2040-01-02 04:00  0 4 * * *
backup  succeeded  2026-11-21 04:00:01 +01:00  2026-11-21 04:00:01 +01:00                12 s     12 s  2040-01-02 04:00               0 4 * * *
boot    running                                                                                         at boot                        @reboot
`,
    );
    const told = JSON.parse((await ctl("jobs", "--history", record, "--json")).stdout);
    expect(told[1]).toMatchObject({
      job: "backup",
      state: "succeeded",
      lastRun: "aaaa000000000001",
      schedule: "0 4 * * *",
      next: "2040-01-02T03:00:00.000Z",
      pausedUntil: null,
      waiting: 1,
      followsCluster: true,
      where: "/x:1",
      description: null,
    });
    expect(told[2]).toMatchObject({
      job: "boot",
      state: "running",
      running: 1,
      lastRun: null,
      description: "d",
    });
  });

  test("jobs cuts the schedules and nodes before it cuts a name", async () => {
    const long = { schedule: "*/5 8-18 * * 1-5 (Europe/Berlin)", on: "any of web, db1, db2, host backup" };
    const names = ["tab:echo-6eea58", "tab:echo-7ffb69"];
    const { words } = daemon(() => ({
      kind: "jobs",
      jobs: names.map((job) => ({ ...facts, ...long, job })),
    }));
    const folder = join(scratch.path, "no-record-yet");
    const { stdout } = await run(words(["jobs", "--history", folder]), { env: { ...env, COLUMNS: "135" } });
    const [, ...rows] = stdout.trimEnd().split("\n");
    expect(rows.map((row) => row.split(" ", 1)[0])).toEqual(names);
    for (const row of rows) {
      expect(row.length).toBeLessThanOrEqual(135);
      expect(row).toMatch(/\(Europe\/… {2}any of …$/);
    }
    const { stdout: narrow } = await run(words(["jobs", "--history", folder]), {
      env: { ...env, COLUMNS: "60" },
    });
    expect(narrow.split("\n")[1]).toStartWith("tab:ech…  never ran");
  });

  test("jobs is the record's alone where no daemon answers, or --history names another record", async () => {
    const stdout = `JOB     STATE      LAST RUN                    LAST SUCCESS                FAILED SINCE  TOOK  TYPICAL
backup  succeeded  2026-11-21 04:00:01 +01:00  2026-11-21 04:00:01 +01:00                12 s     12 s
`;
    expect(await alone("jobs", "--history", record)).toEqual({ exitCode: 0, stdout, stderr: "" });
    const told = JSON.parse((await alone("jobs", "--history", record, "--json")).stdout);
    expect(told[0]).toMatchObject({ job: "backup", next: null, schedule: null, waiting: null });
  });

  test("jobs is the daemon's alone where there is no record, with a warning", async () => {
    const { words } = daemon(() => ({ kind: "jobs", jobs }));
    const none = join(scratch.path, "none.conf");
    writeFileSync(none, "history = none\n");
    const own = words(["jobs"]).map((word) => (word === conf ? none : word));
    const { exitCode, stdout, stderr } = await run(own, { env });
    expect(exitCode).toBe(0);
    expect(stderr).toBe("rcronctl: warning: the record is left out: no record is kept: history = none\n");
    expect(stdout).toContain("backup  unknown");
  });

  test("why tells when the job is due next, and what is in the way", async () => {
    const { ctl, asked } = daemon((request) => {
      if (request.ask !== "next") throw new Error(request.ask);
      if (request.job === "nothing") throw new Problem("not-found", "there is no job");
      return {
        kind: "next",
        jobs: [
          {
            job: request.job ?? "",
            where: "/x:1",
            schedule: "0 4 * * *",
            nextMs: [farMs],
            but: "it is paused",
          },
        ],
      };
    });
    const { exitCode, stdout } = await ctl("why", "backup", "--history", record);
    expect(exitCode).toBe(0);
    expect(stdout.split("\n").slice(-2)).toEqual([
      "it is due next at 2040-01-02 04:00, but it is paused",
      "",
    ]);
    expect(JSON.parse((await ctl("why", "backup", "--history", record, "--json")).stdout)).toMatchObject({
      succeeded: true,
      next: "2040-01-02T03:00:00.000Z",
      but: "it is paused",
    });
    expect(await ctl("why", "fresh", "--history", record)).toEqual({
      exitCode: 1,
      stderr: "",
      stdout: "nothing is recorded of fresh\nit is due next at 2040-01-02 04:00, but it is paused\n",
    });
    expect((await ctl("why", "nothing", "--history", record)).stderr).toContain(
      "nothing is recorded of a job",
    );
    expect(asked[0]).toEqual({ ask: "next", job: "backup", count: 1 });
    const without = await alone("why", "backup", "--history", record);
    expect(without.stdout).not.toContain("due next");
    expect(without.exitCode).toBe(0);
  });
});

describe("where the daemon is looked for", () => {
  test("the socket of the configuration, and a broken configuration does not keep one from asking", async () => {
    const { path } = daemon(() => ({ kind: "status", status }));
    const named = join(scratch.path, "named.conf");
    writeFileSync(named, `[daemon]\nsocket = ${path}\n`);
    const ask = (file: string) => run([binary, "--as", "rcronctl", "status", "--conf", file], { env });
    expect(await ask(named)).toMatchObject({ exitCode: 0, stderr: "" });
    const elsewhere = join(scratch.path, "elsewhere.conf");
    writeFileSync(elsewhere, `[daemon]\nsocket = ${noDaemon}\n`);
    expect(await ask(elsewhere)).toMatchObject({
      exitCode: 1,
      stderr: `rcronctl: no rcrond answers on ${noDaemon}\nrcronctl: hint: rcrond starts it, or: systemctl start rcrond\n`,
    });
    expect((await ask(join(scratch.path, "missing.conf"))).stderr).toContain("rcronctl: warning: ");
  });
});

/** rcronctl nodes and nodes test, and what else says something of nodes: the built program, a real socket, a handler for rcrond. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type {
  ControlAnswer,
  ControlResult,
  DaemonStatus,
  NodeFacts,
} from "../../src/model/control-message.ts";
import { Problem } from "../../src/model/problem.ts";
import { run } from "../support/program.ts";
import { answeringDaemons } from "./answering-daemon.ts";

setDefaultTimeout(60_000);

const { env, listen: daemon } = answeringDaemons("history = none\n");

const done = (result: ControlResult) => daemon(async () => ({ told: "done", result }));

/** On no day on which a test can run, so that it is shown with its date. */
const farMs = Date.parse("2040-01-02T03:00:00Z");
const web1: NodeFacts = {
  node: "web1",
  where: "/etc/rcron/rcron.conf:3",
  roles: ["web", "db"],
  connection: "ssh",
  address: "rcron@web1:2222",
  isUp: true,
  isConnected: true,
  sinceMs: farMs,
  running: 2,
  runsAtOnce: 4,
};
const { runsAtOnce: _, ...unbounded } = web1;
const here: NodeFacts = {
  ...unbounded,
  node: "here",
  roles: [],
  connection: "local",
  address: "this machine",
  isConnected: false,
  running: 0,
};
const web2: NodeFacts = {
  ...unbounded,
  node: "web2",
  roles: ["web"],
  address: "web2",
  isUp: false,
  isConnected: false,
  running: 0,
  why: "web2 can't be reached: \u001b[31mConnection refused",
  hint: "ssh -v web2 true",
  nextCheckMs: farMs + 90_000,
};

describe("rcronctl nodes", () => {
  test("lists the nodes, and below one that is down what is the matter; its status says that one is", async () => {
    const { ctl, asked } = done({ kind: "nodes", nodes: [web1, web2, here] });
    const { exitCode, stdout, stderr } = await ctl("nodes");
    expect(stderr).toBe("");
    expect(stdout.replace(/, in \d+ d( \d+ (h|min|s))?/, ", in so long")).toBe(
      `NODE  ROLES   HOW    ADDRESS          STATE     SINCE                         RUNS
web1  web,db  ssh    rcron@web1:2222  up        2040-01-02 04:00:00 +01:00  2 of 4
web2  web     ssh    web2             down      2040-01-02 04:00:00 +01:00       0
    web2 can't be reached: \\x1b[31mConnection refused
    hint: ssh -v web2 true
    asked again at 2040-01-02 04:01:30, in so long
here          local  this machine     up, idle  2040-01-02 04:00:00 +01:00       0
`,
    );
    expect(exitCode).toBe(1);
    expect(asked).toEqual([{ ask: "nodes" }]);
    expect((await done({ kind: "nodes", nodes: [web1, here] }).ctl("nodes")).exitCode).toBe(0);
  });

  test("has JSON with nothing left out", async () => {
    const { ctl } = done({ kind: "nodes", nodes: [web2] });
    const { exitCode, stdout } = await ctl("nodes", "--json");
    expect(JSON.parse(stdout)).toEqual([
      {
        node: "web2",
        state: "down",
        since: "2040-01-02T03:00:00.000Z",
        why: web2.why ?? "",
        hint: "ssh -v web2 true",
        nextCheck: "2040-01-02T03:01:30.000Z",
        roles: ["web"],
        connection: "ssh",
        address: "web2",
        connected: false,
        running: 0,
        runsAtOnce: null,
        where: "/etc/rcron/rcron.conf:3",
      },
    ]);
    expect(exitCode).toBe(1);
  });

  test("says what to write where there are none, and that is no failure", async () => {
    const { ctl } = done({ kind: "nodes", nodes: [] });
    expect(await ctl("nodes")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr:
        "rcronctl: rcrond has no nodes: all jobs run on this machine\n" +
        "rcronctl: hint: write a section [node NAME] into rcron.conf, or a file below --nodesDirectory, and then: rcronctl reload\n",
    });
    expect(await ctl("nodes", "--json")).toEqual({ exitCode: 0, stdout: "[]\n", stderr: "" });
  });
});

/** What is told of three nodes, and the end. */
const tests: readonly ControlAnswer[] = [
  { told: "testing", nodes: ["web1", "web2", "backup"] },
  { told: "node", node: "backup", ms: 3 },
  { told: "node", node: "web2", ms: 20, why: "no \u001b[31manswer", hint: "look at it" },
  { told: "node", node: "web1", ms: 12 },
];
const tested: ControlAnswer = { told: "done", result: { kind: "test-nodes", tested: 3, failed: 1 } };

describe("rcronctl nodes test", () => {
  const tester = () =>
    daemon(async (_, __, tell) => {
      for (const line of tests) tell(line);
      return tested;
    });

  test("tells each node as it answers, and by its exit status that one does not", async () => {
    const { ctl, asked } = tester();
    expect(await ctl("nodes", "test")).toEqual({
      exitCode: 1,
      stderr: "",
      stdout: `testing 3 nodes
backup  up, 3 ms
web2    down: no \\x1b[31manswer
        hint: look at it
web1    up, 12 ms
3 nodes tested: 2 up, 1 down
`,
    });
    await ctl("nodes", "test", "all");
    expect(asked).toEqual([{ ask: "test-nodes" }, { ask: "test-nodes" }]);
  });

  test("tells it when it comes, and not at the end", async () => {
    const go = Promise.withResolvers<void>();
    const { words } = daemon(async (_, __, tell) => {
      for (const line of tests.slice(0, 2)) tell(line);
      await go.promise;
      for (const line of tests.slice(2)) tell(line);
      return tested;
    });
    const child = Bun.spawn(words(["nodes", "test"]), { env, stdout: "pipe", stderr: "ignore" });
    let stdout = "";
    for await (const part of child.stdout) {
      stdout += Buffer.from(part).toString();
      if (stdout.includes("backup  up, 3 ms\n")) go.resolve(); // what comes then waits for what is read here
    }
    expect(await child.exited).toBe(1);
    expect(stdout).toContain("3 nodes tested");
  });

  test("of one node, is done with its line", async () => {
    const { ctl, asked } = daemon(async (_, __, tell) => {
      tell({ told: "testing", nodes: ["web1"] });
      tell({ told: "node", node: "web1", ms: 12 });
      return { told: "done", result: { kind: "test-nodes", tested: 1, failed: 0 } };
    });
    const stdout = "testing node web1\nweb1  up, 12 ms\n";
    expect(await ctl("nodes", "test", "web1")).toEqual({ exitCode: 0, stderr: "", stdout });
    expect(asked).toEqual([{ ask: "test-nodes", node: "web1" }]);
  });

  test("has one JSON text, at the end", async () => {
    const { exitCode, stdout, stderr } = await tester().ctl("nodes", "test", "--json");
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      tested: 3,
      failed: 1,
      nodes: [
        { node: "backup", up: true, ms: 3, why: null, hint: null },
        { node: "web2", up: false, ms: 20, why: "no \u001b[31manswer", hint: "look at it" },
        { node: "web1", up: true, ms: 12, why: null, hint: null },
      ],
    });
  });

  test("says on a terminal how far it is, and leaves no trace of that", async () => {
    const go = Promise.withResolvers<void>();
    const { words } = daemon(async (_, __, tell) => {
      for (const line of tests.slice(0, 2)) tell(line);
      await go.promise;
      for (const line of tests.slice(2)) tell(line);
      return tested;
    });
    const line = words(["nodes", "test"]).join(" ");
    const terminal = { ...env, TERM: "xterm", NO_COLOR: undefined };
    const child = Bun.spawn(["script", "-qec", line, "/dev/null"], {
      env: terminal,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    let stdout = "";
    for await (const part of child.stdout) {
      stdout += Buffer.from(part).toString();
      if (stdout.includes("1 of 3, waits for web1, web2")) go.resolve();
    }
    expect(await child.exited).toBe(1);
    expect(stdout).toContain("0 of 3, waits for web1, web2, backup");
    expect(stdout).toContain("backup  \x1b[32mup, 3 ms\x1b[0m");
    expect(stdout).toContain("web2    \x1b[31mdown: no \\x1b[31manswer\x1b[0m");
    // What a terminal shows in the end: each line from its last beginning on.
    const shown = stdout.split("\n").map((each) => each.trimEnd().split("\r\x1b[K").at(-1));
    expect(shown.filter((each) => each?.includes("waits for"))).toEqual([]);
    expect(shown.at(-2)).toBe("3 nodes tested: 2 up, 1 down");
  });

  test("tells the daemon's Problem, and asks nobody else then", async () => {
    const { ctl } = daemon(async () => {
      throw new Problem("not-found", 'there is no node named "wbe1"', { hint: "did you mean web1?" });
    });
    expect(await ctl("nodes", "test", "wbe1")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: 'rcronctl: there is no node named "wbe1"\nrcronctl: hint: did you mean web1?\n',
    });
  });

  test("a daemon that goes in the middle is told of, and nothing is tested anew", async () => {
    const { ctl, server } = daemon(async (_, __, tell) => {
      for (const line of tests.slice(0, 2)) tell(line);
      setTimeout(() => server.close(), 50);
      return new Promise<never>(() => {});
    });
    const { exitCode, stdout, stderr } = await ctl("nodes", "test");
    expect(exitCode).toBe(1);
    expect(stdout).toBe("testing 3 nodes\nbackup  up, 3 ms\n");
    expect(stderr).toContain("rcronctl: rcrond ends");
    expect(stderr).not.toContain("asked from here");
  });

  test("ends without a word when nobody reads any more, and the daemon hears of it", async () => {
    const gone = Promise.withResolvers<void>();
    const { words } = daemon(async (_, __, tell, signal) => {
      signal.addEventListener("abort", () => gone.resolve());
      tell({ told: "testing", nodes: ["web1"] });
      while (!signal.aborted) {
        tell({ told: "node", node: "web1", ms: 12 });
        await Bun.sleep(5);
      }
      throw new Problem("unreachable", "gone");
    });
    const line = `${words(["nodes", "test"]).join(" ")} | head -n 1`;
    expect(await run(["sh", "-c", line], { env, timeoutMs: 30_000 })).toEqual({
      exitCode: 0,
      stdout: "testing node web1\n",
      stderr: "",
    });
    await gone.promise;
  });
});

describe("nodes beside other things", () => {
  const status: DaemonStatus = {
    version: "9.9",
    pid: 77,
    sinceMs: farMs,
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

  test.each([
    [{ count: 3, down: [] }, "nodes    3\n"],
    [{ count: 3, down: ["web2"] }, "nodes    3, 1 down: web2\n"],
    [
      { count: 9, down: ["a", "b", "c", "d", "e", "f", "g"] },
      "nodes    9, 7 down: a, b, c, d, e and 2 more\n",
    ],
  ])("status: %j, and the daemon is well all the same", async (nodes, row) => {
    const { ctl } = done({ kind: "status", status: { ...status, nodes } });
    const { exitCode, stdout } = await ctl("status");
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining(`\n${row}`) });
    expect(JSON.parse((await ctl("status", "--json")).stdout).nodes).toEqual(nodes);
  });

  const facts = { job: "a", where: "/x:1", schedule: "@daily" };

  test("jobs: a column where a job is placed", async () => {
    const job = { ...facts, running: 0, waiting: 0, isCluster: true, nextMs: farMs };
    const { ctl } = done({
      kind: "jobs",
      jobs: [
        { ...job, on: "any of web" },
        { ...job, job: "b" },
      ],
    });
    const [heading = "", a, b] = (await ctl("jobs")).stdout.split("\n");
    expect(heading).toMatch(/ SCHEDULE {2}ON$/);
    expect(a).toMatch(/ @daily {4}any of web$/);
    expect(b).toMatch(/ @daily$/);
    const told = JSON.parse((await ctl("jobs", "--json")).stdout);
    expect(told.map(({ on }: { on: unknown }) => on)).toEqual(["any of web", null]);
  });

  test("next: the same, before what is in the way", async () => {
    const { ctl } = done({
      kind: "next",
      jobs: [
        { ...facts, nextMs: [farMs], zone: "UTC", on: "all", but: "it is paused" },
        { ...facts, job: "b", nextMs: [farMs], zone: "UTC" },
      ],
    });
    expect((await ctl("next")).stdout).toBe(
      `NEXT                        JOB  SCHEDULE  WHERE  ON   BUT
2040-01-02 03:00:00 +00:00  a    @daily    /x:1   all  it is paused
2040-01-02 03:00:00 +00:00  b    @daily    /x:1
`,
    );
    const told = JSON.parse((await ctl("next", "--json")).stdout);
    expect(told.map(({ on }: { on: unknown }) => on)).toEqual(["all", null]);
  });
});

/** What the daemon answers to rcronctl. */
import { afterEach, describe, expect, test } from "bun:test";
import { answerRequest } from "../../src/daemon/daemon.ts";
import { Fleet } from "../../src/daemon/fleet.ts";
import type { ControlAnswer, ControlRequest, ControlResult } from "../../src/model/control-message.ts";
import { Problem } from "../../src/model/problem.ts";
import { Bed, jobsOf, minuteMs, noonMs } from "./fake-parts.ts";

let bed = new Bed();
let fleet: Fleet | undefined;
afterEach(async () => {
  bed.close();
  await fleet?.close();
  fleet = undefined;
});

function newBed(files: Readonly<Record<string, string>>): Bed {
  bed.close();
  bed = new Bed();
  bed.daemon.start(jobsOf(files));
  return bed;
}

const about = { version: "1", pid: 7, sinceMs: noonMs, host: "alpha", cluster: "c1" };
const reloaded = { kind: "reload", added: 1, changed: 0, removed: 0, broken: [] } as const;
let told: ControlAnswer[] = [];

function ask(request: ControlRequest): Promise<ControlAnswer> {
  told = [];
  const context = {
    daemon: bed.daemon,
    fleet,
    about,
    warnings: () => ["no record"],
    clean: (text: string) => text.replaceAll("hunter2", "[redacted]"),
    reload: async () => reloaded,
  };
  return answerRequest(context, request, { name: "mona", tell: (answer) => void told.push(answer) });
}

/** The result of a request that must be done. */
async function resultOf<Kind extends ControlResult["kind"]>(
  kind: Kind,
  request: ControlRequest,
): Promise<Extract<ControlResult, { kind: Kind }>> {
  const answer = await ask(request);
  if (answer.told !== "done" || answer.result.kind !== kind) throw new Error(JSON.stringify(answer));
  return answer.result as Extract<ControlResult, { kind: Kind }>; // its kind was looked at
}

describe("answerRequest()", () => {
  test("status: how it is", async () => {
    const { clock, daemon, executor, gate } = newBed({ a: "every 5m", b: "at 30 12 * * *\nsplay 1m" });
    executor.isQuick = false;
    gate.state = "passive";
    await clock.go(5 * minuteMs);
    const until = { sinceMs: noonMs, untilMs: noonMs + 60 * minuteMs, why: "", by: "root" };
    daemon.setPauses([{ job: "b", ...until }]);
    const { status } = await resultOf("status", { ask: "status" });
    expect(status).toMatchObject({
      ...about,
      state: "passive",
      stateSentence: "the test says passive",
      jobs: 2,
      files: 2,
      broken: [],
      running: [{ job: "a", sinceMs: noonMs + 5 * minuteMs, tickMs: noonMs + 5 * minuteMs, pid: 4711 }],
      waiting: 0,
      pauses: [{ job: "b", ...until }],
      nextMs: noonMs + 10 * minuteMs,
      isDraining: false,
      warnings: ["no record"],
    });
    expect(status.concurrency).toBeUndefined();
  });

  test("status: broken files, each with its sentence", async () => {
    const { daemon } = newBed({});
    const problem = new Problem("invalid", "every must be a time: got hunter2", { where: "/jobs/bad:1" });
    daemon.setJobs({ ...jobsOf({}), fileCount: 1, broken: [{ path: "/jobs/bad", problems: [problem] }] });
    const { status } = await resultOf("status", { ask: "status" });
    expect(status.broken).toEqual(["/jobs/bad:1: every must be a time: got [redacted]"]);
  });

  test("jobs: each with its next tick and what it does now", async () => {
    const { clock, executor } = newBed({
      a: "every 5m\ndescription sees to things",
      never: "at 0 0 31 2 *",
      one: "every 1h\ncluster",
    });
    executor.isQuick = false;
    await clock.go(5 * minuteMs);
    await ask({ ask: "pause", job: "one", untilMs: noonMs + 60 * minuteMs, why: "" });
    expect((await resultOf("jobs", { ask: "jobs" })).jobs).toEqual([
      {
        job: "a",
        where: "/jobs/a:3",
        schedule: "every 5m",
        nextMs: noonMs + 10 * minuteMs,
        running: 1,
        waiting: 0,
        isCluster: false,
        description: "sees to things",
      },
      {
        job: "never",
        where: "/jobs/never:2",
        schedule: "0 0 31 2 *",
        running: 0,
        waiting: 0,
        isCluster: false,
      },
      {
        job: "one",
        where: "/jobs/one:3",
        schedule: "every 1h",
        nextMs: noonMs + 60 * minuteMs,
        running: 0,
        waiting: 0,
        isCluster: true,
        pausedUntilMs: noonMs + 60 * minuteMs,
      },
    ]);
  });

  test("next: coming ticks, and what stands against the first one", async () => {
    const { gate } = newBed({ a: "every 5m", one: "every 1h\ncluster" });
    const { jobs } = await resultOf("next", { ask: "next", job: "a", count: 2 });
    expect(jobs[0]?.nextMs).toEqual([noonMs + 5 * minuteMs, noonMs + 10 * minuteMs]);
    expect(jobs[0]?.but).toBeUndefined();
    gate.state = "passive";
    await ask({ ask: "pause", job: "a", untilMs: noonMs + 6 * minuteMs, why: "disks" });
    const all = await resultOf("next", { ask: "next" });
    expect(all.jobs.map(({ job, but }) => [job, but])).toEqual([
      ["a", "paused until 2026-11-21T12:06:00Z by mona: disks"],
      ["one", "passive: the test says passive"],
    ]);
    // A pause that is over by then stands against nothing.
    await ask({ ask: "pause", job: "a", untilMs: noonMs + 4 * minuteMs, why: "" });
    expect((await resultOf("next", { ask: "next", job: "a" })).jobs[0]?.but).toBeUndefined();
    expect(await ask({ ask: "next", job: "b" })).toMatchObject({ told: "refused", code: "not-found" });
  });

  test("run: starts it and is done; with follow, tells all until its end", async () => {
    const { executor, clock, log } = newBed({ a: "every 1h" });
    executor.isQuick = false;
    const { run } = await resultOf("run", { ask: "run", job: "a" });
    expect(executor.runs.map(({ due }) => [due.runId, due.askedBy])).toEqual([[run, "mona"]]);
    expect(log.join()).toContain(`a: started by mona (run ${run})`);

    const followed = ask({ ask: "run", job: "a", follow: true });
    await clock.go(0);
    executor.runs[1]?.watch.onOutput?.(new TextEncoder().encode("hello\n"));
    executor.runs[1]?.end({ isOk: false, exitStatus: 3, sentence: "failed: exit status 3" });
    const second = executor.runs[1]?.due.runId;
    expect(await followed).toMatchObject({
      told: "done",
      result: { kind: "run", run: second, exitStatus: 3, sentence: "failed: exit status 3" },
    });
    expect(told).toEqual([
      { told: "started", run: second ?? "" },
      { told: "output", bytes: Buffer.from("hello\n").toString("base64") },
    ]);
    expect(await ask({ ask: "run", job: "aa" })).toMatchObject({
      code: "not-found",
      hint: "did you mean a?",
    });
  });

  test("stop: ends the run that is meant", async () => {
    const { executor } = newBed({ a: "every 1h" });
    executor.isQuick = false;
    const { run } = await resultOf("run", { ask: "run", job: "a" });
    expect(await resultOf("stop", { ask: "stop", run: run.slice(0, 8) })).toEqual({
      kind: "stop",
      run,
      job: "a",
    });
    expect(executor.runs[0]?.watch.stopSentence()).toBe("stopped by mona");
    expect(await ask({ ask: "stop", run: "zzz" })).toMatchObject({ told: "refused", code: "not-found" });
  });

  test("pause and resume: one, all, again, none", async () => {
    newBed({ a: "every 5m", b: "every 5m" });
    const untilMs = noonMs + 60 * minuteMs;
    await ask({ ask: "pause", job: "a", untilMs, why: "first" });
    const pauses = async () =>
      bed.daemon.pauses.map(({ job, why, untilMs: until }) => [job, why, (until - noonMs) / minuteMs]);
    const again = await resultOf("pause", {
      ask: "pause",
      job: "a",
      untilMs: untilMs + minuteMs,
      why: "second",
    });
    expect(again.pauses).toHaveLength(1);
    expect(await pauses()).toEqual([["a", "second", 61]]);
    await ask({ ask: "pause", untilMs, why: "all" });
    expect(await ask({ ask: "resume", job: "b" })).toMatchObject({
      code: "not-found",
      hint: "all jobs are: rcronctl resume all",
    });
    expect((await resultOf("resume", { ask: "resume", job: "a" })).ended).toHaveLength(1);
    expect((await resultOf("resume", { ask: "resume" })).ended).toHaveLength(1);
    expect(await ask({ ask: "resume" })).toMatchObject({ code: "not-found", message: "nothing is paused" });
    expect(await ask({ ask: "pause", job: "c", untilMs, why: "" })).toMatchObject({ code: "not-found" });
  });

  test.each([
    ["in the past", -1],
    ["now", 0],
    ["in 31 days", 31 * 24 * 60 * minuteMs],
  ])("pause: not until %s", async (_, ms) => {
    newBed({ a: "every 5m" });
    const answer = await ask({ ask: "pause", job: "a", untilMs: noonMs + ms, why: "" });
    expect(answer).toMatchObject({ told: "refused", code: "invalid" });
    expect(bed.daemon.pauses).toEqual([]);
  });

  describe("nodes", () => {
    const missing = new Problem("unreachable", "no answer from hunter2", { hint: "look at it" });

    /** `web1` is there, `web2` is not. */
    async function newFleet(): Promise<void> {
      fleet = new Fleet({
        linkTo: ({ name }) => {
          const whether = async () => (name === "web1" ? undefined : missing);
          return { open: whether, check: whether, isOpen: false, outlives: true, close: async () => {} };
        },
        healthCheckMs: 10_000,
        clock: bed.clock,
        log: () => {},
        onChange: () => {},
      });
      const source = { path: "/n", line: 1 };
      const local = { kind: "local" } as const;
      await fleet.setNodes(
        ["web1", "web2"].map((name) => ({
          name,
          source,
          roles: [],
          connection: local,
          runsAtOnce: undefined,
        })),
      );
    }

    test("are listed, tested, and in the status in short", async () => {
      newBed({ a: "every 5m" }).executor.isQuick = false;
      await newFleet();
      expect((await resultOf("status", { ask: "status" })).status.nodes).toEqual({ count: 2, down: [] });
      const started = await resultOf("run", { ask: "run", job: "a" });
      fleet?.begin("web2", started.run, "a");
      const { running } = (await resultOf("status", { ask: "status" })).status;
      expect(running.map(({ run, nodes }) => [run, nodes])).toEqual([[started.run, ["web2"]]]);
      expect(await resultOf("test-nodes", { ask: "test-nodes" })).toEqual({
        kind: "test-nodes",
        tested: 2,
        failed: 1,
      });
      expect(told[0]).toEqual({ told: "testing", nodes: ["web1", "web2"] });
      expect(told).toHaveLength(3);
      expect(told).toContainEqual({ told: "node", node: "web1", ms: 0 });
      expect(told).toContainEqual({
        told: "node",
        node: "web2",
        ms: 0,
        why: "no answer from [redacted]",
        hint: "look at it",
      });
      expect((await resultOf("status", { ask: "status" })).status.nodes).toEqual({
        count: 2,
        down: ["web2"],
      });
      const { nodes } = await resultOf("nodes", { ask: "nodes" });
      expect(nodes.map(({ node, isUp, why }) => [node, isUp, why])).toEqual([
        ["web1", true, undefined],
        ["web2", false, "no answer from [redacted]"],
      ]);
      expect(await ask({ ask: "test-nodes", node: "wbe1" })).toMatchObject({
        told: "refused",
        code: "not-found",
        hint: "did you mean web1?",
      });
    });

    test("are none where the daemon has no fleet", async () => {
      newBed({ a: "every 5m" });
      expect((await resultOf("nodes", { ask: "nodes" })).nodes).toEqual([]);
      expect((await resultOf("status", { ask: "status" })).status.nodes).toBeUndefined();
      expect(await ask({ ask: "test-nodes" })).toMatchObject({ told: "refused", code: "not-found" });
    });

    test("are told of a job that is placed on them, in jobs and in next", async () => {
      newBed({ a: "every 5m\non any of web, db1", b: "every 5m" });
      const { jobs } = await resultOf("jobs", { ask: "jobs" });
      expect(jobs.map(({ job, on }) => [job, on])).toEqual([
        ["a", "any of web, db1"],
        ["b", undefined],
      ]);
      const due = await resultOf("next", { ask: "next" });
      expect(due.jobs.map(({ on }) => on)).toEqual(["any of web, db1", undefined]);
    });
  });

  test("reload: as the wiring says", async () => {
    expect(await ask({ ask: "reload" })).toEqual({ told: "done", result: reloaded });
  });
});

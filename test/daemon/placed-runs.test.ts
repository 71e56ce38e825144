/** Runs over nodes, driven to their end, among fakes. */
import { describe, expect, test } from "bun:test";
import { Fleet } from "../../src/daemon/fleet.ts";
import { type PlacedAttempt, type PlacedDue, PlacedRuns } from "../../src/daemon/placed-runs.ts";
import type { PlacementLimits } from "../../src/daemon/placement-plan.ts";
import type { Node } from "../../src/model/node.ts";
import { Problem } from "../../src/model/problem.ts";
import { FakeClock, FakeGate, jobsOf, noonMs } from "./fake-parts.ts";

const node = (name: string, more: Partial<Node> = {}): Node => ({
  name,
  source: { path: `/nodes/${name}`, line: 1 },
  roles: ["web"],
  connection: { kind: "local" },
  runsAtOnce: undefined,
  ...more,
});

interface FakeAttempt {
  readonly run: string;
  readonly node: string;
  readonly end: (result: PlacedAttempt["result"]) => void;
}

async function newScene(
  nodes: readonly Node[] = [node("a"), node("b"), node("c")],
  limits: PlacementLimits = { perNode: undefined, inAll: undefined },
) {
  const clock = new FakeClock(noonMs);
  const told: string[] = [];
  const attempts: FakeAttempt[] = [];
  const fleet = new Fleet({
    linkTo: () => ({
      isOpen: true,
      open: async () => undefined,
      check: async () => undefined,
      close: async () => {},
    }),
    healthCheckMs: 10_000,
    clock,
    log: () => {},
    onChange: () => placed.wake(),
  });
  const placed: PlacedRuns = new PlacedRuns({
    fleet,
    clock,
    limits,
    random: () => 0,
    executor: {
      begin: ({ runId }) => told.push(`${runId} begins`),
      attempt: ({ runId }, { node: { name } }, stop) => {
        told.push(`${runId} on ${name}`);
        return new Promise((resolve) => {
          const end = (result: PlacedAttempt["result"]) => {
            const problem = result === "unreachable" ? new Problem("unreachable", "no answer") : undefined;
            resolve({ node: name, result, exitStatus: 0, durationMs: 1, sentence: result, problem });
          };
          stop.addEventListener("abort", () => end("stopped"));
          attempts.push({ run: runId, node: name, end });
        });
      },
      end: async ({ runId }, { kind, sentence }, all) => {
        told.push(`${runId} ${kind}: ${sentence} (${all.length})`);
        return { isOk: kind === "success", exitStatus: 0, sentence };
      },
    },
  });
  await fleet.setNodes(nodes);
  /** Begins a run of a job file with these words. */
  const begin = (runId: string, words: string, stop = new AbortController()) => {
    const [job] = jobsOf({ job: `every 1h\n${words}` }).jobs.values();
    if (job?.placement === undefined) throw new Error(words);
    const due: PlacedDue = {
      runId,
      jobName: job.name,
      job: { ...job, placement: job.placement },
      tick: { atMs: noonMs, localMs: noonMs },
      isMadeUp: false,
      askedBy: undefined,
      verdict: new FakeGate().always,
    };
    const ended = placed.run(due, stop.signal);
    return { ended, stop };
  };
  const attempt = (run: string, on: string) => {
    const found = attempts.findLast((each) => each.run === run && each.node === on);
    if (found === undefined) throw new Error(`${run} on ${on}: ${told.join("; ")}`);
    return found;
  };
  const settle = () => clock.go(0);
  return { clock, fleet, told, begin, attempt, settle };
}

describe("a placed run", () => {
  test("any: on one node, and on the next only if that one was unreachable", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene();
    const { ended } = begin("r1", "on any of web");
    await settle();
    attempt("r1", "a").end("unreachable");
    await settle();
    attempt("r1", "b").end("success");
    expect(await ended).toMatchObject({ isOk: true });
    expect(told).toEqual([
      "r1 begins",
      "r1 on a",
      "r1 on b",
      "r1 success: could not be started on a; ran on b (2)",
    ]);
    expect(fleet.reports.map(({ isUp, running }) => [isUp, running])).toEqual([
      [false, 0],
      [true, 0],
      [true, 0],
    ]);
  });

  test("all: at once, and over when the last one is", async () => {
    const { told, begin, attempt, settle } = await newScene();
    const { ended } = begin("r1", "on all");
    await settle();
    expect(told).toEqual(["r1 begins", "r1 on a", "r1 on b", "r1 on c"]);
    attempt("r1", "b").end("failure");
    attempt("r1", "c").end("success");
    await settle();
    expect(told).toHaveLength(4);
    attempt("r1", "a").end("success");
    expect(await ended).toMatchObject({ isOk: false });
    expect(told.at(-1)).toBe("r1 failure: failed on b; ran on c, a (3)");
  });

  test("ordered: one after the other, until one succeeds", async () => {
    const { told, begin, attempt, settle } = await newScene();
    const { ended } = begin("r1", "on ordered of c,a,b");
    await settle();
    attempt("r1", "c").end("failure");
    await settle();
    attempt("r1", "a").end("success");
    await ended;
    expect(told.filter((each) => each.includes(" on "))).toEqual([
      "r1 on c",
      "r1 on a",
      "r1 success: failed on c; ran on a (2)",
    ]);
  });

  test("waits for room, and takes it when it comes", async () => {
    const { told, begin, attempt, settle } = await newScene([node("a", { runsAtOnce: 1 })]);
    const first = begin("r1", "on any\noverlap allow");
    await settle();
    const second = begin("r2", "on any\noverlap allow");
    await settle();
    expect(told).toEqual(["r1 begins", "r1 on a"]);
    attempt("r1", "a").end("success");
    await first.ended;
    await settle();
    attempt("r2", "a").end("success");
    expect(await second.ended).toMatchObject({ isOk: true });
  });

  test("gives up waiting for room after an hour, and says so", async () => {
    const { told, begin, clock, settle } = await newScene([node("a", { runsAtOnce: 1 })]);
    begin("r1", "on any\noverlap allow");
    await settle();
    const { ended } = begin("r2", "on any\noverlap allow");
    await clock.go(3_600_001);
    await ended;
    expect(told.at(-1)).toBe("r2 skipped: no room on a for too long (0)");
  });

  test("is skipped where an earlier one goes on, or waits for it, as overlap says", async () => {
    const { told, begin, attempt, settle } = await newScene([node("a")]);
    const first = begin("r1", "on any\noverlap skip");
    await settle();
    await begin("r2", "on any\noverlap skip").ended;
    expect(told.at(-1)).toStartWith("r2 skipped: a is still at an earlier run");
    const third = begin("r3", "on any\noverlap wait=5m");
    await settle();
    attempt("r1", "a").end("success");
    await first.ended;
    await settle();
    attempt("r3", "a").end("success");
    expect(await third.ended).toMatchObject({ isOk: true });
  });

  test("clobber ends the earlier one first", async () => {
    const { told, begin, attempt, settle } = await newScene([node("a")]);
    const first = begin("r1", "on all\noverlap clobber");
    await settle();
    const second = begin("r2", "on all\noverlap clobber");
    await first.ended;
    await settle();
    attempt("r2", "a").end("success");
    await second.ended;
    expect(told).toEqual([
      "r1 begins",
      "r1 on a",
      "r2 begins",
      "r1 stopped: was stopped on a (1)",
      "r2 on a",
      "r2 success: ran on a (1)",
    ]);
  });

  test("a stop ends all that goes on, and starts nothing more", async () => {
    const { told, begin, settle } = await newScene();
    const { ended, stop } = begin("r1", "on all of a,b");
    await settle();
    stop.abort();
    await ended;
    expect(told.at(-1)).toStartWith("r1 stopped: ");
    expect(told.filter((each) => each.startsWith("r1 on"))).toHaveLength(2);
  });

  test("a node that comes up is taken, where one was waited for; none is there: it says so", async () => {
    const { told, begin } = await newScene([]);
    await begin("r1", "on any of web").ended;
    expect(told).toEqual(["r1 begins", "r1 unreachable: there is no node or role named web (0)"]);
  });
});

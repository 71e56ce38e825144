/** Runs over nodes, driven to their end, among fakes. */
import { describe, expect, test } from "bun:test";
import { Fleet, type NodeLink } from "../../src/daemon/fleet.ts";
import {
  type DoneBefore,
  type PlacedAttempt,
  PlacedRuns,
  type PlacementCourse,
} from "../../src/daemon/placed-runs.ts";
import type { PlacementLimits } from "../../src/daemon/placement-plan.ts";
import type { Node } from "../../src/model/node.ts";
import { Problem } from "../../src/model/problem.ts";
import { FakeClock, jobsOf, noonMs } from "./fake-parts.ts";

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
    linkTo: ({ name }) => ({
      isOpen: true,
      outlives: name !== "here",
      open: async () => undefined,
      check: async () => undefined,
      close: async () => {},
    }),
    healthCheckMs: 10_000,
    clock,
    log: () => {},
    onChange: () => placed.wake(),
  });
  const placed: PlacedRuns<NodeLink> = new PlacedRuns({ fleet, clock, limits, random: () => 0 });
  await fleet.setNodes(nodes);
  /** Begins a run of a job file with these words. */
  let isCourseTold = false;
  const tellCourse = () => {
    isCourseTold = true;
  };
  const begin = (runId: string, words: string, before?: DoneBefore) => {
    const stop = new AbortController();
    const leave = new AbortController();
    const [job] = jobsOf({ job: `every 1h\n${words}` }).jobs.values();
    if (job?.placement === undefined) throw new Error(words);
    const run = { runId, jobName: job.name, placement: job.placement, overlap: job.rules.overlap };
    const work = {
      onCourse: ({ among, leftOut }: PlacementCourse) => {
        const out = leftOut.length === 0 ? "" : `, without ${leftOut.map(({ node }) => node).join(" ")}`;
        if (isCourseTold) told.push(`${runId} is on ${[...among].join(" ")}${out}`);
      },
      attempt: ({ node: { name } }: { node: Node }, stopped: AbortSignal, isResumed: boolean) => {
        told.push(`${runId} ${isResumed ? "goes on" : "begins"} on ${name}`);
        return new Promise<PlacedAttempt>((resolve) => {
          const end = (result: PlacedAttempt["result"]) => {
            const problem = result === "unreachable" ? new Problem("unreachable", "no answer") : undefined;
            resolve({ node: name, result, ms: 1, problem });
          };
          stopped.addEventListener("abort", () => end("stopped"));
          attempts.push({ run: runId, node: name, end });
        });
      },
    };
    const signals = { stop: stop.signal, leave: leave.signal };
    const ended = placed.run(run, work, signals, before).then((result) => {
      if (result === "left") return result;
      const { verdict, attempts: all } = result;
      told.push(`${runId} ${verdict.kind}: ${verdict.sentence} (${all.length})`);
      return verdict.kind;
    });
    return { ended, stop, leave };
  };
  const attempt = (run: string, on: string) => {
    const found = attempts.findLast((each) => each.run === run && each.node === on);
    if (found === undefined) throw new Error(`${run} on ${on}: ${told.join("; ")}`);
    return found;
  };
  const settle = () => clock.go(0);
  return { clock, fleet, told, begin, attempt, settle, tellCourse };
}

describe("a placed run", () => {
  test("any: on one node, and on the next only if that one was unreachable", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene();
    const { ended } = begin("r1", "on any of web");
    await settle();
    attempt("r1", "a").end("unreachable");
    await settle();
    attempt("r1", "b").end("success");
    expect(await ended).toBe("success");
    expect(told).toEqual([
      "r1 begins on a",
      "r1 begins on b",
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
    expect(told).toEqual(["r1 begins on a", "r1 begins on b", "r1 begins on c"]);
    attempt("r1", "b").end("failure");
    attempt("r1", "c").end("success");
    await settle();
    expect(told).toHaveLength(3);
    attempt("r1", "a").end("success");
    expect(await ended).toBe("failure");
    expect(told.at(-1)).toBe("r1 failure: failed on b; ran on c, a (3)");
  });

  test("all: a node that is added while it goes on has no part in it", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene([node("a")]);
    const { ended } = begin("r1", "on all");
    await settle();
    await fleet.setNodes([node("a"), node("b")]);
    attempt("r1", "a").end("success");
    expect(await ended).toBe("success");
    expect(told).toEqual(["r1 begins on a", "r1 success: ran on a (1)"]);
  });

  test("all: a node that is defined no more when its part has ended is no reason to call it a failure", async () => {
    const { begin, attempt, settle, fleet } = await newScene();
    const { ended } = begin("r1", "on all of a,b");
    await settle();
    await fleet.setNodes([node("a")]);
    attempt("r1", "a").end("success");
    attempt("r1", "b").end("success");
    expect(await ended).toBe("success");
  });

  test("all: a node that was down or busy when it began has no part in it later, and is told", async () => {
    const { told, begin, attempt, settle, fleet, tellCourse } = await newScene();
    tellCourse();
    fleet.failed("b", new Problem("unreachable", "no answer"));
    fleet.begin("c", "earlier", "job");
    const { ended } = begin("r1", "on all");
    await settle();
    await fleet.test("b");
    fleet.end("c", "earlier");
    await settle();
    attempt("r1", "a").end("success");
    expect(await ended).toBe("failure");
    expect(told).toEqual([
      "r1 is on a, without b c",
      "r1 begins on a",
      "r1 failure: ran on a; b is down: no answer; c is still at an earlier run (1)",
    ]);
  });

  test.each([
    ["for the end of an earlier run", "overlap wait=60s", 60_000, "a is still at an earlier run"],
    ["for room", "overlap allow", 3_600_000, "a had no room for too long"],
  ])(
    "all: a node that was waited for in vain, %s, has no part in it later",
    async (_, words, waitMs, why) => {
      const { told, begin, attempt, settle, clock, tellCourse } = await newScene([
        node("a", { runsAtOnce: 1 }),
        node("b"),
      ]);
      begin("r0", "on all of a\noverlap allow");
      await settle();
      tellCourse();
      const { ended } = begin("r1", `on all of a,b\n${words}`);
      await clock.go(waitMs + 1);
      attempt("r0", "a").end("success");
      await clock.go(2 * waitMs);
      attempt("r1", "b").end("success");
      await ended;
      expect(told.slice(1)).toEqual([
        "r1 is on b a",
        "r1 begins on b",
        "r1 is on b, without a",
        "r0 success: ran on a (1)",
        expect.stringContaining(`ran on b; ${why}`),
      ]);
    },
  );

  test("all: a node that was waited for and is taken away meanwhile is told, and no success", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene([node("a"), node("b", { runsAtOnce: 1 })]);
    fleet.begin("b", "other", "another-job");
    const { ended } = begin("r1", "on all of web");
    await settle();
    await fleet.setNodes([node("a"), node("b", { runsAtOnce: 1, roles: ["db"] })]);
    attempt("r1", "a").end("success");
    expect(await ended).toBe("failure");
    expect(told.at(-1)).toBe("r1 failure: ran on a; b is no longer one of its nodes (1)");
  });

  test("clobber over the fleet ends the earlier run on a node that is defined no more", async () => {
    const { told, begin, settle, fleet } = await newScene();
    begin("r1", "on any of a\noverlap allow");
    await settle();
    await fleet.setNodes([node("b")]);
    begin("r2", "on any of b\noverlap clobber");
    await settle();
    expect(told).toEqual(["r1 begins on a", "r1 stopped: was stopped on a (1)", "r2 begins on b"]);
  });

  test("all, gone on with by another daemon: those that were left out stay so", async () => {
    const { told, begin, attempt, settle } = await newScene();
    const down = { node: "b", why: "down", sentence: "b is down", reason: "down" } as const;
    const course = { among: new Set(["a"]), leftOut: [down] };
    const { ended } = begin("r1", "on all", { ended: [], going: ["a"], course });
    await settle();
    attempt("r1", "a").end("success");
    expect(await ended).toBe("failure");
    expect(told).toEqual(["r1 goes on on a", "r1 failure: ran on a; b is down (1)"]);
  });

  test("the time for waiting counts from when it waits: a long first attempt does not use it up", async () => {
    const { told, begin, attempt, settle, clock, fleet } = await newScene([
      node("a"),
      node("b", { runsAtOnce: 1 }),
    ]);
    const { ended } = begin("r1", "on ordered of a,b\noverlap allow");
    await clock.go(2 * 3_600_000);
    fleet.begin("b", "other", "another-job");
    attempt("r1", "a").end("failure");
    await clock.go(60_000);
    fleet.end("b", "other");
    await settle();
    attempt("r1", "b").end("success");
    expect(await ended).toBe("success");
    expect(told.at(-1)).toBe("r1 success: failed on a; ran on b (2)");
  });

  test("ordered: one after the other, until one succeeds", async () => {
    const { told, begin, attempt, settle } = await newScene();
    const { ended } = begin("r1", "on ordered of c,a,b");
    await settle();
    attempt("r1", "c").end("failure");
    await settle();
    attempt("r1", "a").end("success");
    await ended;
    expect(told.filter((each) => each.includes("r1"))).toEqual([
      "r1 begins on c",
      "r1 begins on a",
      "r1 success: failed on c; ran on a (2)",
    ]);
  });

  test("waits for room, and takes it when it comes", async () => {
    const { told, begin, attempt, settle } = await newScene([node("a", { runsAtOnce: 1 })]);
    const first = begin("r1", "on any\noverlap allow");
    await settle();
    const second = begin("r2", "on any\noverlap allow");
    await settle();
    expect(told).toEqual(["r1 begins on a"]);
    attempt("r1", "a").end("success");
    await first.ended;
    await settle();
    attempt("r2", "a").end("success");
    expect(await second.ended).toBe("success");
  });

  test("gives up waiting for room after an hour, and says so", async () => {
    const { told, begin, clock, settle } = await newScene([node("a", { runsAtOnce: 1 })]);
    begin("r1", "on any\noverlap allow");
    await settle();
    const { ended } = begin("r2", "on any\noverlap allow");
    await clock.go(3_600_001);
    await ended;
    expect(told.at(-1)).toBe("r2 skipped: a had no room for too long (0)");
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
    expect(await third.ended).toBe("success");
  });

  test("while one waits for room, the next tick is skipped", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene([node("a", { runsAtOnce: 1 })]);
    fleet.begin("a", "other", "another-job");
    const first = begin("r1", "on any");
    await settle();
    expect(await begin("r2", "on any").ended).toBe("skipped");
    expect(told).toEqual(["r2 skipped: an earlier run still waits for its nodes (0)"]);
    fleet.end("a", "other");
    await settle();
    attempt("r1", "a").end("success");
    expect(await first.ended).toBe("success");
  });

  describe("a run that has failed on one node and waits for its next one", () => {
    /** r1 waits for b, which the run of another job keeps busy; then r2 is due. */
    const between = async (overlap: string) => {
      const scene = await newScene([node("a"), node("b", { runsAtOnce: 1 })]);
      scene.fleet.begin("b", "r0", "other");
      const first = scene.begin("r1", `on ordered of a, b\n${overlap}`);
      await scene.settle();
      scene.attempt("r1", "a").end("failure");
      await scene.settle();
      const second = scene.begin("r2", `on ordered of a, b\n${overlap}`);
      await scene.settle();
      const makeRoom = async () => {
        scene.fleet.end("b", "r0");
        await Bun.sleep(5);
        await scene.settle();
      };
      return { ...scene, first, second, makeRoom };
    };

    for (const overlap of ["", "overlap skip"]) {
      test(`the next tick is skipped (${overlap || "no overlap of its own"})`, async () => {
        const { told, second, makeRoom } = await between(overlap);
        expect(await second.ended).toBe("skipped");
        await makeRoom();
        expect(told).toEqual([
          "r1 begins on a",
          "r2 skipped: an earlier run still waits for its nodes (0)",
          "r1 begins on b",
        ]);
      });
    }

    test("overlap wait: the next one waits for its end", async () => {
      const { told, makeRoom, attempt, settle } = await between("overlap wait");
      await makeRoom();
      expect(told).toEqual(["r1 begins on a", "r1 begins on b"]);
      attempt("r1", "b").end("success");
      await settle();
      await Bun.sleep(5);
      await settle();
      expect(told.slice(2)).toEqual(["r1 success: failed on a; ran on b (2)", "r2 begins on a"]);
    });

    test("overlap wait: nobody need tell the next one that it was stopped", async () => {
      const { told, first, settle } = await between("overlap wait");
      first.stop.abort();
      expect(await first.ended).toBe("stopped");
      await Bun.sleep(5);
      await settle();
      expect(told.slice(1)).toEqual(["r1 stopped: it was stopped (1)", "r2 begins on a"]);
    });

    test("overlap clobber: the next one takes its place", async () => {
      const { told, first, makeRoom } = await between("overlap clobber");
      expect(await first.ended).toBe("stopped");
      await makeRoom();
      expect(told).toContain("r1 stopped: the run r2 has taken its place (1)");
      expect(told).not.toContain("r1 begins on b");
      expect(told).toContain("r2 begins on a");
    });

    test("overlap allow: they go on side by side", async () => {
      const { told, makeRoom } = await between("overlap allow");
      await makeRoom();
      expect(told).toEqual(["r1 begins on a", "r2 begins on a", "r1 begins on b"]);
    });
  });

  test("of several that another daemon has left, none begins anything before all that goes on is known", async () => {
    const { told, begin, settle } = await newScene([node("a"), node("b", { runsAtOnce: 1 })]);
    begin("r1", "on ordered of a, b", { ended: [{ node: "a", result: "failure", ms: 1 }], going: [] });
    begin("r2", "on any of b", { ended: [], going: ["b"] });
    await settle();
    expect(told).toEqual(["r2 goes on on b", "r1 failure: failed on a; b is still at an earlier run (1)"]);
  });

  test("clobber takes the place of one that waits", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene([node("a", { runsAtOnce: 1 })]);
    fleet.begin("a", "other", "another-job");
    const first = begin("r1", "on any\noverlap clobber");
    await settle();
    const second = begin("r2", "on any\noverlap clobber");
    expect(await first.ended).toBe("skipped");
    expect(told).toEqual(["r1 skipped: the run r2 has taken its place (0)"]);
    fleet.end("a", "other");
    await settle();
    attempt("r2", "a").end("success");
    expect(await second.ended).toBe("success");
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
      "r1 begins on a",
      "r1 stopped: was stopped on a (1)",
      "r2 begins on a",
      "r2 success: ran on a (1)",
    ]);
  });

  test("clobber does not wait for ever for a run that can't be ended, and can be stopped while it waits", async () => {
    const { begin, clock, settle, fleet } = await newScene([node("a")]);
    fleet.begin("a", "r0", "job");
    const placed = begin("r1", "on all\noverlap clobber");
    await settle();
    placed.stop.abort();
    expect(await placed.ended).toBe("stopped");
    await clock.go(0);
  });

  test("a stop ends all that goes on, and starts nothing more", async () => {
    const { told, begin, settle } = await newScene();
    const { ended, stop } = begin("r1", "on all of a,b");
    await settle();
    stop.abort();
    await ended;
    expect(told.at(-1)).toStartWith("r1 stopped: ");
    expect(told.filter((each) => each.startsWith("r1 begins on"))).toHaveLength(2);
  });

  test("a node that comes up is taken, where one was waited for; none is there: it says so", async () => {
    const { told, begin } = await newScene([]);
    await begin("r1", "on any of web").ended;
    expect(told).toEqual(["r1 unreachable: there is no node or role named web (0)"]);
  });

  test("goes on with what another daemon has begun: what has ended counts, what goes on is watched", async () => {
    const { told, begin, attempt, settle, fleet } = await newScene();
    const ended = [{ node: "a", result: "failure", exit: 1, ms: 1 }] as const;
    const run = begin("r1", "on ordered of a,b,c", { ended, going: ["b"] });
    await settle();
    expect(told).toEqual(["r1 goes on on b"]);
    expect(fleet.reports.map(({ running }) => running)).toEqual([0, 1, 0]);
    attempt("r1", "b").end("failure");
    await settle();
    attempt("r1", "c").end("success");
    expect(await run.ended).toBe("success");
    expect(told.at(-1)).toBe("r1 success: failed on a: exit status 1; failed on b; ran on c (3)");
  });

  test("of what was begun on a node that is defined no more, nobody can tell, and no other node has it", async () => {
    const { told, begin } = await newScene();
    expect(await begin("r1", "on any", { ended: [], going: ["old"] }).ended).toBe("unknown");
    expect(told).toEqual([
      "r1 unknown: may have run on old: the node is no longer defined, and the run was begun there by an earlier rcrond (1)",
    ]);
  });

  test("when the daemon ends, what goes on without it is left to the next one, and nothing more is begun", async () => {
    const { told, begin, attempt, settle } = await newScene();
    const ordered = begin("r1", "on ordered of a,b");
    const all = begin("r2", "on all of b,c\noverlap allow");
    await settle();
    ordered.leave.abort();
    all.leave.abort();
    expect(await ordered.ended).toBe("left");
    expect(await all.ended).toBe("left");
    attempt("r1", "a").end("failure");
    await settle();
    expect(told).toEqual(["r1 begins on a", "r2 begins on b", "r2 begins on c"]);
  });

  test("what ends with the daemon is waited for, and what would be begun next is left", async () => {
    const { told, begin, attempt, settle } = await newScene([node("here"), node("b")]);
    const run = begin("r1", "on ordered of here,b");
    await settle();
    run.leave.abort();
    await settle();
    attempt("r1", "here").end("failure");
    expect(await run.ended).toBe("left");
    expect(told).toEqual(["r1 begins on here"]);
  });

  test("a stop counts for more than a leave, where it can be done", async () => {
    const { begin, settle } = await newScene([node("here")]);
    const run = begin("r1", "on any");
    await settle();
    run.leave.abort();
    await settle();
    run.stop.abort();
    expect(await run.ended).toBe("stopped");
  });

  test("a connection that is no longer defined is kept for the runs that need it", async () => {
    const closed: string[] = [];
    const fleet = new Fleet({
      linkTo: ({ name, connection }) => ({
        isOpen: true,
        outlives: true,
        open: async () => undefined,
        check: async () => undefined,
        close: async () => {
          closed.push(`${name} ${connection.kind}`);
        },
      }),
      healthCheckMs: 10_000,
      clock: new FakeClock(noonMs),
      log: () => {},
      onChange: () => {},
    });
    const ssh = { kind: "command", words: ["x"] } as const;
    await fleet.setNodes([node("a"), node("b"), node("c")]);
    fleet.begin("a", "r1", "job");
    fleet.begin("b", "r2", "job");
    await fleet.setNodes([node("b", { connection: ssh })]);
    expect(closed).toEqual(["c local"]);
    expect(fleet.statesFor("job", "").map(({ runsJob }) => runsJob)).toEqual([true]);
    fleet.end("a", "r1");
    fleet.end("b", "r2");
    expect(closed).toEqual(["c local", "a local", "b local"]);
    expect(fleet.statesFor("job", "").map(({ runsJob }) => runsJob)).toEqual([false]);
    await fleet.close();
  });
});

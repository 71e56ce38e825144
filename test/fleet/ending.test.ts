/**
 * Who ends a run on nodes – its time limit, the next run, an operator – ends all that it has started there.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { type HostName, hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

/** A tree of processes: a child, grandchildren in sessions of their own, one of which heeds no TERM. */
const tree =
  "setsid sh -c 'sleep 7771 & wait' & setsid setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & sleep 7772 & echo up >> $RCRON_RUN_ID; wait";

describeWith("ending runs on nodes", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterEach(() => {
    for (const name of hostNames) hosts[name].plug();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  /** The processes of a run on a node. */
  const processes = (name: HostName, run: string) =>
    hosts[name]
      .run(`grep -lz ^RCRON_RUN_ID=${run} /proc/[0-9]*/environ 2>/dev/null`)
      .split("\n")
      .filter((line) => line !== "");
  const untilTree = (run: string, ...names: HostName[]) =>
    until("its tree is there", () =>
      names.every((name) => hosts[name].lines(run).length > 0 && processes(name, run).length >= 5),
    );

  test("timeout: TERM, then KILL, for the whole tree", async () => {
    await using it = fleetScene(hosts, {
      jobs: { late: jobOn("all of web1,web2", tree, "timeout 3s", "grace 1s") },
    });
    await it.start();
    const run = await it.begin("late");
    await untilTree(run, "web1", "web2");
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, end: { cause: "timeout" } });
    expect(told.nodes.map((node) => node.split(" ", 2).join(" "))).toEqual(["web1 failure", "web2 failure"]);
    for (const name of ["web1", "web2"] as const) expect(processes(name, run)).toEqual([]);
  });

  test("stop: on all nodes, and it is told who wanted it", async () => {
    await using it = fleetScene(hosts, { jobs: { long: jobOn("all of web", tree, "grace 1s") } });
    await it.start();
    const run = await it.begin("long");
    await untilTree(run, ...hostNames);
    expect(await it.ctl("stop", run)).toMatchObject({ exitCode: 0, stderr: "" });
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, end: { cause: "stopped" } });
    expect(told.nodes).toEqual(["web1 stopped", "web2 stopped", "web3 stopped"]);
    expect(told.sentence).toContain("stopped by");
    for (const name of hostNames) expect(processes(name, run)).toEqual([]);
  });

  test("stop, the cable being out: it is done when the cable is back", async () => {
    await using it = fleetScene(hosts, { jobs: { long: jobOn("any of web1", tree, "grace 1s") } });
    await it.start();
    const run = await it.begin("long");
    await untilTree(run, "web1");
    hosts.web1.pull();
    await it.untilNode("web1", "down");
    expect(await it.ctl("stop", run)).toMatchObject({ exitCode: 0 });
    expect(processes("web1", run)).not.toEqual([]);
    hosts.web1.plug();
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, end: { cause: "stopped" }, nodes: ["web1 stopped"] });
    expect(processes("web1", run)).toEqual([]);
  });

  test("clobber: the run before is ended with its tree, and then the next one begins", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        job: jobOn(
          "all of web",
          `[ -e second ] && { echo second >> order; exit 0; }; touch second; trap 'echo ended >> order; exit 1' TERM; ${tree}`,
          "overlap clobber",
          "grace 2s",
        ),
      },
    });
    await it.start();
    const first = await it.begin("job");
    await untilTree(first, ...hostNames);
    const second = await it.once("job");
    expect(second).toMatchObject({
      isOk: true,
      nodes: ["web1 success 0", "web2 success 0", "web3 success 0"],
    });
    const told = await it.ended(first);
    expect(told).toMatchObject({ isOk: false, end: { cause: "clobbered" } });
    for (const name of hostNames) {
      expect(processes(name, first)).toEqual([]);
      expect(hosts[name].lines("order")).toEqual(["ended", "second"]);
    }
  });

  test("TERM to rcrond: what runs on nodes goes on without it, and the next one has its end", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        long: jobOn("all of web1,web3", `${untilGo("go-term")}; echo the end of $RCRON_NODE; exit 8`),
      },
    });
    const life = await it.start();
    const run = await it.begin("long");
    await it.began(run, "web1", "web3");
    expect(await life.end()).toBe(0);
    expect(it.events("long").map(({ kind }) => kind)).toEqual(["start"]);
    await it.start();
    go(hosts, "go-term", "web1", "web3");
    const told = await it.ended(run);
    expect(told).toMatchObject({
      isOk: false,
      nodes: ["web1 failure 8", "web3 failure 8"],
      end: { exit: 8 },
    });
    expect(await it.output(run)).toContain("the end of web3\n");
    expect(it.ran(run)).toEqual(["web1", "web3"]);
  });
});

/**
 * Which nodes have a run, and what becomes of it: the policies, room, and overlap, by rcrond and three hosts.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

describeWith("policies over three hosts", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  const ends: readonly [
    what: string,
    job: string,
    wanted: { isOk: boolean; nodes: readonly string[]; ran: readonly string[] },
  ][] = [
    [
      "all: each of them once, and a success if all are one",
      jobOn("all", "true"),
      {
        isOk: true,
        nodes: ["web1 success 0", "web2 success 0", "web3 success 0"],
        ran: ["web1", "web2", "web3"],
      },
    ],
    [
      "all: one that fails makes the run a failure, and the others run",
      jobOn("all of web", "[ $RCRON_NODE != web2 ] || exit 7"),
      {
        isOk: false,
        nodes: ["web1 success 0", "web2 failure 7", "web3 success 0"],
        ran: ["web1", "web2", "web3"],
      },
    ],
    [
      "ordered: as they are named, and the first success ends it",
      jobOn("ordered of web2,web1,web3", "[ $RCRON_NODE = web1 ] || exit 3"),
      { isOk: true, nodes: ["web1 success 0", "web2 failure 3"], ran: ["web1", "web2"] },
    ],
    [
      "shuffle: all are tried once where none succeeds",
      jobOn("shuffle of web", "exit 5"),
      {
        isOk: false,
        nodes: ["web1 failure 5", "web2 failure 5", "web3 failure 5"],
        ran: ["web1", "web2", "web3"],
      },
    ],
    [
      "any: a failure is one, and no other node is tried",
      jobOn("any of web3", "exit 200"),
      { isOk: false, nodes: ["web3 failure 200"], ran: ["web3"] },
    ],
    [
      "a name that nobody has is a failure of all, and told",
      jobOn("all of web1,nobody", "true"),
      { isOk: false, nodes: ["nobody unreachable", "web1 success 0"], ran: ["web1"] },
    ],
    [
      "a condition is asked on the node",
      jobOn("ordered of web1,web2", "true", "if [ $RCRON_NODE = web2 ]"),
      { isOk: true, nodes: ["web1 skipped", "web2 success 0"], ran: ["web2"] },
    ],
    [
      "a retry stays on its node",
      jobOn(
        "any of web1",
        "[ -e tried-$RCRON_RUN_ID ] || { touch tried-$RCRON_RUN_ID; exit 1; }",
        "retry 2",
        "retry_delay 1s",
      ),
      { isOk: true, nodes: ["web1 success 0"], ran: ["web1", "web1"] },
    ],
  ];
  test("what a policy makes of what became of each node", async () => {
    const jobs = Object.fromEntries(ends.map(([, job], at) => [`job-${at}`, job]));
    await using it = fleetScene(hosts, { jobs });
    await it.start();
    const told = await Promise.all(
      ends.map(async ([what], at) => {
        const { run, isOk, nodes, sentence } = await it.once(`job-${at}`);
        return { what, isOk, nodes, ran: it.ran(run), sentence };
      }),
    );
    expect(told.map(({ sentence: _, ...rest }) => rest)).toEqual(
      ends.map(([what, , wanted]) => ({ what, ...wanted, nodes: [...wanted.nodes], ran: [...wanted.ran] })),
    );
    expect(told[5]?.sentence).toContain("nobody");
  });

  test("show, why, follow and the exit status tell of a run on nodes", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        talk: jobOn("ordered of web2,web1", "echo from $RCRON_NODE; [ $RCRON_NODE = web1 ] || exit 9"),
      },
    });
    await it.start();
    const followed = await it.ctl("run", "talk", "--follow");
    expect(followed).toMatchObject({ exitCode: 0, stdout: "from web2\nfrom web1\n" });
    const [run] = await it.ask<{ run: string }[]>("runs", "--job", "talk");
    const shown = await it.ask<{ state: string; nodes: unknown[] }>("show", run?.run ?? "");
    expect(shown).toMatchObject({
      state: "succeeded",
      nodes: [
        { node: "web2", result: "failure", exit: 9 },
        { node: "web1", result: "success", exit: 0 },
      ],
    });
    expect((await it.ctl("show", run?.run ?? "")).stdout).toContain("web2");
    expect((await it.ctl("why", "talk")).stdout).toContain("on web1");
  });

  test("any: six runs that go on are spread, two on each", async () => {
    await using it = fleetScene(hosts, {
      jobs: { spread: jobOn("any of web", untilGo("go-spread"), "overlap allow") },
    });
    await it.start();
    const runs: string[] = [];
    for (let at = 0; at < 6; at++) {
      const run = await it.begin("spread");
      await until("it has begun", () => it.ran(run).length > 0);
      runs.push(run);
    }
    const where = runs.flatMap((run) => it.ran(run)).sort();
    expect(where).toEqual(["web1", "web1", "web2", "web2", "web3", "web3"]);
    go(hosts, "go-spread", ...hostNames);
    for (const run of runs) expect(await it.ended(run)).toMatchObject({ isOk: true });
    expect(runs.flatMap((run) => it.ran(run)).sort()).toEqual(where);
  });

  test("runs_at_once: the next run waits for room, and then has it", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        room: jobOn("any of web1", `${untilGo("go-room")}; echo end >> order`, "overlap allow"),
        next: jobOn("all of web1", "echo next >> order"),
      },
      nodes: { web1: ["runs_at_once = 1"] },
    });
    await it.start();
    const first = await it.begin("room");
    await it.began(first, "web1");
    const second = await it.begin("next");
    await until("it has been taken up", async () => {
      const { running } = await it.ask<{ running: { run: string }[] }>("status");
      return running.some(({ run }) => run === second);
    });
    expect(it.ran(second)).toEqual([]);
    const { stdout } = await it.ctl("status");
    expect(stdout).toContain("1 at work (1000 at most), 1 waiting\n");
    expect(stdout).toMatch(new RegExp(`${second}  next  since [^\n]*, waits to be started\n`));
    expect((await it.ctl("why", "next")).stdout).toContain(`but its run ${second} still waits to be started`);
    go(hosts, "go-room", "web1");
    expect(await it.ended(second)).toMatchObject({ isOk: true, nodes: ["web1 success 0"] });
    expect(await it.ended(first)).toMatchObject({ isOk: true });
    expect(hosts.web1.lines("order")).toEqual(["end", "next"]);
  });

  test("overlap skip: a node that is still at it is left out, and the others run", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        each: jobOn("all of web", untilGo("go-each")),
        one: jobOn("any of web", untilGo("go-one"), "overlap skip"),
      },
    });
    await it.start();
    go(hosts, "go-each", "web1", "web3");
    const [first, only] = [await it.begin("each"), await it.begin("one")];
    await it.began(first, ...hostNames);
    await until("it has begun anywhere", () => it.ran(only).length === 1);
    await until("two have ended", async () => {
      const free = await Promise.all(["web1", "web3"].map((name) => it.node(name)));
      return free.every(({ running }) => Number(running) <= 1);
    });
    const second = await it.once("each");
    expect(second).toMatchObject({ isOk: true, nodes: ["web1 success 0", "web2 skipped", "web3 success 0"] });
    expect(second.sentence).toContain("web2 is still at an earlier run");
    // Where a job runs once, an earlier run anywhere counts.
    const again = await it.once("one");
    expect(again.skip).toMatchObject({ why: "overlap" });
    expect(it.ran(again.run)).toEqual([]);
    go(hosts, "go-each", "web2");
    go(hosts, "go-one", ...hostNames);
    expect(await it.ended(first)).toMatchObject({ isOk: true });
    expect(await it.ended(only)).toMatchObject({ isOk: true });
  });

  test("bounds for each node and for all hold over several runs", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        many: jobOn("any of web", "echo + >> busy; sleep 0.3; echo - >> busy", "overlap allow"),
      },
      daemon: ["runs_per_node = 1", "runs_on_nodes = 2"],
    });
    await it.start();
    const runs = await Promise.all(Array.from({ length: 9 }, () => it.begin("many")));
    for (const run of runs) {
      expect(await it.ended(run)).toMatchObject({ isOk: true });
      expect(it.ran(run)).toHaveLength(1);
    }
    for (const name of hostNames) {
      const lines = hosts[name].lines("busy").join("");
      expect(lines).toBe("+-".repeat(lines.length / 2)); // never two at once
    }
    expect(hostNames.flatMap((name) => hosts[name].lines("busy"))).toHaveLength(18);
  });
});

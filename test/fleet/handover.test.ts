/**
 * From one rcrond to the next in odd moments: a run that waits for its retry, one whose job may not run any more, a node that is
 * just being connected to.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Life, until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { type HostName, hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

describeWith("from one rcrond to the next", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterEach(() => {
    for (const name of hostNames) hosts[name].plug();
    hosts.configureSsh();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  /** Halts the connection to a node, so that rcrond's end has to wait for it for a while. */
  const haltMaster = ({ pid: rcrond }: Life, name: HostName) => {
    const words = ["pgrep", "-P", String(rcrond), "-f", `^ssh -M .*${hosts[name].address}`];
    const found = Bun.spawnSync(words).stdout.toString();
    const pids = found.split("\n").filter(Boolean).map(Number);
    expect(pids).not.toEqual([]);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
  };
  /** ssh takes so long to reach it. */
  const slowWayTo = (name: HostName, seconds: number) =>
    hosts.configureSsh([
      `Match host ${hosts[name].address} exec "sleep ${seconds}"`,
      "  ServerAliveInterval 2",
    ]);

  test("a part that has run, waits for its retry, and finds its node away: no other node has it", async () => {
    await using it = fleetScene(hosts, {
      jobs: { again: jobOn("any of web1,web2", "exit 3", "retry 1", "retry_delay 4s") },
    });
    const first = await it.start();
    const run = await it.begin("again");
    await until("it waits for its retry", () => it.log().includes("retry"));
    const [node = ""] = it.ran(run);
    await first.kill();
    hosts[node as HostName].pull();
    await it.start();
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, nodes: [`${node} failure`] });
    expect(it.ran(run)).toEqual([node]);
  });

  test("a job that may not run there any more: what goes on ends with its own status, and has no retry", async () => {
    const line = `${untilGo("go-refused")}; echo "[$RCRON_RUN_ID]" >> refused; exit 3`;
    const job = jobOn("all of web1", line, "retry 1", "retry_delay 1s");
    await using it = fleetScene(hosts, { jobs: { job } });
    const first = await it.start();
    const run = await it.begin("job");
    await it.began(run, "web1");
    await first.kill();
    it.job("job", job.replace("output none", "output none\nuser nobody"));
    await it.start();
    go(hosts, "go-refused", "web1");
    expect(await it.ended(run)).toMatchObject({ isOk: false, nodes: ["web1 failure 3"] });
    expect(hosts.web1.lines("refused")).toEqual([`[${run}]`]);
  });

  test("the same on this machine's own node: what goes on is waited for, and not told as never started", async () => {
    // With the scene, what it waits for is gone as well.
    const line = "while [ -e ran ] && [ ! -e go-here ]; do sleep 0.05; done; echo over >> over";
    const job = jobOn("all of here", line);
    await using it = fleetScene(hosts, {
      jobs: { job },
      nodes: {},
      sections: ["[node here]", "connection = local"],
    });
    const first = await it.start();
    const run = await it.begin("job");
    await until("it has begun", () => existsSync(join(hosts.home, "ran")));
    await first.kill();
    it.job("job", job.replace("output none", "output none\nuser nosuchuser"));
    await it.start();
    await until("it is picked up", () => it.log().includes("goes on on here"));
    expect(it.events("job").map(({ kind }) => kind)).toEqual(["start", "adopt"]);
    writeFileSync(join(hosts.home, "go-here"), "");
    expect(await it.ended(run)).toMatchObject({ isOk: false, nodes: ["here unknown"] });
    expect(existsSync(join(hosts.home, "over"))).toBe(true);
  });

  test("SIGTERM while a node is being connected to: the next one starts its part", async () => {
    slowWayTo("web2", 3);
    await using it = fleetScene(hosts, { jobs: { job: jobOn("all of web1,web2", untilGo("go-slow")) } });
    const first = await it.start();
    const run = await it.begin("job");
    await it.began(run, "web1");
    await Bun.sleep(2200); // the connection to web2 is there while that to web1 does not end
    haltMaster(first, "web1");
    await first.end();
    expect(it.events("job").map(({ kind }) => kind)).toEqual(["start"]);
    hosts.configureSsh();
    await it.start();
    go(hosts, "go-slow", "web1", "web2");
    expect(await it.ended(run)).toMatchObject({ isOk: true, nodes: ["web1 success 0", "web2 success 0"] });
    expect(it.ran(run)).toEqual(["web1", "web2"]);
  });

  test("SIGTERM as a retry is made: the next one makes it", async () => {
    const line = "if [ -e tried ]; then exit 0; else touch tried; exit 3; fi";
    await using it = fleetScene(hosts, {
      jobs: {
        again: jobOn("all of web1", line, "retry 1", "retry_delay 3s"),
        other: jobOn("all of web2", untilGo("go-other")),
      },
    });
    const first = await it.start();
    const other = await it.begin("other");
    await it.began(other, "web2");
    const run = await it.begin("again");
    await until("it waits for its retry", () => it.log().includes("retry"));
    await Bun.sleep(2300); // the retry is due while the connection to web2 does not end
    haltMaster(first, "web2");
    await first.end();
    await it.start();
    go(hosts, "go-other", "web2");
    expect(await it.ended(run)).toMatchObject({ isOk: true, nodes: ["web1 success 0"] });
    expect(it.ran(run)).toEqual(["web1", "web1"]);
    expect(await it.ended(other)).toMatchObject({ isOk: true });
  });
});

/**
 * Nodes that are changed, taken away and added while runs go on: SIGHUP, and `rcronctl reload`.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { count, until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

describeWith("nodes that change", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  test("one is taken away, one added, one reached as another user: what goes on ends rightly, what comes is as is said now", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        long: jobOn("all of web", `${untilGo("go-reload")}; echo $USER; exit 2`),
        now: jobOn("all of web", "echo $USER", "overlap allow"),
      },
      nodes: { web1: [], web2: [] },
    });
    const life = await it.start();
    const run = await it.begin("long");
    await it.began(run, "web1", "web2");
    it.define({ nodes: { web1: ["user = bash"], web3: [] } });
    life.signal("SIGHUP");
    await until("web3 is there", async () => (await it.node("web3"))["node"] === "web3");
    expect(await it.node("web2")).toEqual({});

    const now = await it.once("now");
    expect(now).toMatchObject({ isOk: true, nodes: ["web1 success 0", "web3 success 0"] });
    expect((await it.output(now.run)).split("==> ").sort()).toEqual([
      "",
      "web1 <==\nbash\n",
      "web3 <==\nsh\n",
    ]);
    expect(hosts.web1.lines("ran", "bash").map((line) => line.split(" ")[0])).toContain(now.run);
    expect(it.ran(now.run)).toEqual(["web3"]);

    go(hosts, "go-reload", ...hostNames);
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, nodes: ["web1 failure 2", "web2 failure 2"] });
    expect(it.ran(run)).toEqual(["web1", "web2"]); // web3 was none of its nodes when it began
  });

  test("a configuration that is broken leaves the nodes as they were, and is told", async () => {
    await using it = fleetScene(hosts, { jobs: { now: jobOn("all of web", "true") } });
    const life = await it.start();
    const right = await Bun.file(it.at("conf")).text();
    writeFileSync(it.at("conf"), right.replace("port = ", "prot = "));
    const before = it.log();
    life.signal("SIGHUP");
    await until("it is told", () => it.log().slice(before.length).includes("prot"));
    expect(await it.once("now")).toMatchObject({
      isOk: true,
      nodes: ["web1 success 0", "web2 success 0", "web3 success 0"],
    });
    writeFileSync(it.at("conf"), right);
    expect(await it.ctl("reload")).toMatchObject({ exitCode: 0 });
    expect(count(it.log(), "prot")).toBeGreaterThan(0);
  });

  test("a node that is taken away and comes back while its run goes on", async () => {
    await using it = fleetScene(hosts, {
      jobs: { long: jobOn("all of web2", `${untilGo("go-back")}; exit 6`) },
      nodes: { web1: [], web2: [] },
    });
    await it.start();
    const run = await it.begin("long");
    await it.began(run, "web2");
    it.define({ nodes: { web1: [] } });
    expect(await it.ctl("reload")).toMatchObject({ exitCode: 0 });
    it.define({ nodes: { web1: [], web2: [] } });
    expect(await it.ctl("reload")).toMatchObject({ exitCode: 0 });
    go(hosts, "go-back", "web2");
    expect(await it.ended(run)).toMatchObject({ nodes: ["web2 failure 6"] });
    expect(it.ran(run)).toEqual(["web2"]);
    const again = await it.once("long");
    expect(again).toMatchObject({ nodes: ["web2 failure 6"] });
  });
});

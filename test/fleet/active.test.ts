/**
 * A pair of machines, and jobs on nodes: only the active one sends them out.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, jobOn, untilGo } from "./fleet-scene.ts";
import { needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

describeWith("jobs on nodes, and who is active", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  test("a machine that stands by sends nothing out, and records each tick so; the active one does", async () => {
    const each = jobOn("any of web1", "true", "overlap allow").replace("every 1000d", "at * * * * * *");
    await using it = fleetScene(hosts, { jobs: { each } });
    await it.say("passive");
    await it.start();
    const skips = () => it.events("each").filter((event) => event.kind === "skip" && event.why === "passive");
    await until("ticks are passed over", () => skips().length >= 3);
    const before = hosts.web1.lines("ran").length;
    expect(before).toBe(0);
    await it.say("active");
    await until("ticks are run", () => hosts.web1.lines("ran").length >= 2);
    await it.say("passive");
    const told = skips().length;
    await until("ticks are passed over again", () => skips().length >= told + 2);
    // Each start in the record is one on the node, and none of the ticks that were passed over is.
    const started = it.events("each").flatMap((event) => (event.kind === "start" ? [event.run] : []));
    expect(
      hosts.web1
        .lines("ran")
        .map((line) => line.split(" ")[0] ?? "")
        .sort(),
    ).toEqual(started.sort());
  });

  test("on_passive = stop: runs on nodes end when the machine is no longer active", async () => {
    await using it = fleetScene(hosts, {
      jobs: { long: jobOn("all of web2,web3", untilGo("go-never"), "grace 1s") },
      top: ["on_passive = stop"],
    });
    await it.start();
    const run = await it.begin("long");
    await it.began(run, "web2", "web3");
    await it.say("passive");
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, end: { cause: "stopped" } });
    expect(told.nodes).toEqual(["web2 stopped", "web3 stopped"]);
    for (const name of ["web2", "web3"] as const) {
      expect(hosts[name].run(`grep -lz ^RCRON_RUN_ID=${run} /proc/[0-9]*/environ 2>/dev/null`)).toBe("");
    }
  });
});

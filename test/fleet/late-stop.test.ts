/**
 * A run that a stop has ended, whose stop is not done yet: its end is known, its files are gone from the node, and rcrond dies.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, jobOn } from "./fleet-scene.ts";
import { needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

// Whatever looks for what is left of a run's tree takes its time.
const prepare = `mount -t tmpfs tmpfs /usr/local/bin
printf '#!/bin/sh\\ncase "$*" in *environ*) sleep 4;; esac\\nexec /usr/bin/grep "$@"\\n' >/usr/local/bin/grep
chmod 755 /usr/local/bin/grep`;

describeWith("the end of a run that is being stopped", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts({ web1: { prepare } });
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  test("is known to the next rcrond", async () => {
    const line = "trap 'echo bye; echo over >> over; exit 9' TERM; while :; do sleep 0.1; done";
    await using it = fleetScene(hosts, {
      jobs: { late: jobOn("all of web1", line, "timeout 1s", "grace 10s") },
    });
    const first = await it.start();
    const run = await it.begin("late");
    await until("it has ended", () => hosts.web1.lines("over").length === 1);
    await Bun.sleep(1500); // what is told of its output once a second has been told
    await first.kill();
    await it.start();
    expect(await it.ended(run)).toMatchObject({ nodes: ["web1 failure 9"] });
  });
});

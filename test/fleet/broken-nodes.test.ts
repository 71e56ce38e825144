/**
 * What can break on a node: sshd, its disk, its power. Each run's fate is told as it was.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(90_000);

/** The folders of runs on web3 have little room, and no part of its homes. */
const smallDisk = "mkdir -p $homes/sh/.cache; mount -t tmpfs -o size=64k tmpfs $homes/sh/.cache";

describeWith("nodes that break", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts({ web3: { prepare: smallDisk } });
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  test("sshd is killed with all its connections, and started again: the run is picked up", async () => {
    await using it = fleetScene(hosts, {
      jobs: { long: jobOn("any of web1", `echo one; ${untilGo("go-sshd")}; echo two; exit 11`) },
    });
    await it.start();
    const run = await it.begin("long");
    await it.began(run, "web1");
    hosts.web1.run("pkill -KILL '^sshd'");
    rmSync(join(hosts.web1.folder, "sshd.pid")); // it had no time for that
    await it.untilNode("web1", "down");
    go(hosts, "go-sshd", "web1");
    await hosts.web1.restartSshd();
    expect(await it.ended(run)).toMatchObject({ isOk: false, nodes: ["web1 failure 11"], end: { exit: 11 } });
    expect(await it.output(run)).toBe("one\ntwo\n");
    expect(it.ran(run)).toEqual(["web1"]);
    await it.untilNode("web1", "up");
  });

  test("a full disk: the job runs, with its own status; without any room at all it is another node's", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        full: jobOn("all of web3", "echo hello; exit 12", "overlap allow"),
        next: jobOn("ordered of web3,web1", "echo here"),
      },
    });
    await it.start();
    hosts.web3.run("head -c 100000 /dev/zero >/mnt/homes/sh/.cache/fill");
    const full = await it.once("full");
    expect(full).toMatchObject({ isOk: false, nodes: ["web3 failure 12"] });
    expect(await it.output(full.run)).toBe("hello\n");
    hosts.web3.run("mount -o remount,size=4k /dev/shm; head -c 100000 /dev/zero >/dev/shm/fill");
    const none = await it.once("full");
    expect(none).toMatchObject({ isOk: false, end: { cause: "not-started" } });
    expect(`${none.sentence} ${none.end?.nodes?.[0]?.sentence}`).toContain("no room for a run's files");
    expect(it.ran(none.run)).toEqual([]);
    const next = await it.once("next");
    expect(next).toMatchObject({ isOk: true });
    expect(next.nodes).toContain("web1 success 0");
    expect(it.ran(next.run)).toEqual(["web1"]);
    hosts.web3.run("rm -f /dev/shm/fill /mnt/homes/sh/.cache/fill; mount -o remount,size=1m /dev/shm");
    await it.untilNode("web3", "up");
    expect(await it.once("full")).toMatchObject({ nodes: ["web3 failure 12"] });
  });

  test("a node is started anew in the middle: what ran there is unknown, what comes then is fine", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        long: jobOn("all of web1,web2", untilGo("go-reboot")),
        after: jobOn("all of web2", "exit 0"),
      },
    });
    await it.start();
    const run = await it.begin("long");
    await it.began(run, "web1", "web2");
    await hosts.web2.powerOff();
    await hosts.web2.powerOn();
    go(hosts, "go-reboot", "web1");
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, nodes: ["web1 success 0", "web2 unknown"] });
    expect(it.ran(run)).toEqual(["web1", "web2"]);
    await it.untilNode("web2", "up");
    const after = await it.once("after");
    expect(after).toMatchObject({ isOk: true, nodes: ["web2 success 0"] });
    expect(it.ran(after.run)).toEqual(["web2"]);
  });

  test("one that never comes back: its runs go on to be asked for, and can be stopped by hand", async () => {
    await using it = fleetScene(hosts, { jobs: { lost: jobOn("any of web2", untilGo("go-lost")) } });
    await it.start();
    const run = await it.begin("lost");
    await it.began(run, "web2");
    await hosts.web2.powerOff();
    try {
      await it.untilNode("web2", "down");
      expect(await it.ctl("stop", run)).toMatchObject({ exitCode: 0 });
      expect((await it.ask<{ state: string }[]>("runs", "--job", "lost"))[0]).toMatchObject({
        state: "running",
      });
    } finally {
      await hosts.web2.powerOn();
    }
    const told = await it.ended(run);
    expect(told.isOk).toBe(false);
    expect(told.nodes.join()).toMatch(/^web2 (unknown|stopped)/);
  });
});

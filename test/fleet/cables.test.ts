/**
 * The cable to a host is pulled, before a run, while it goes on, after its end, and for good: what became of it is told as it was.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { filesOf, fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(90_000);

describeWith("cables of three hosts", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterEach(() => {
    for (const name of hostNames) hosts[name].plug();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  test("pulled before: any goes to the next node, all names the one that it missed; back, it is used again", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        busy: jobOn("all of web2", untilGo("go-busy")),
        any: jobOn("any of web1,web2", "true", "overlap allow"),
        all: jobOn("all of web", "true"),
        only: jobOn("any of web1", "true"),
      },
    });
    await it.start();
    const busy = await it.begin("busy"); // so that web1 is the one with the least to do
    await it.began(busy, "web2");
    hosts.web1.pull();
    const any = await it.once("any");
    expect(any).toMatchObject({ isOk: true, nodes: ["web1 unreachable", "web2 success 0"] });
    expect(it.ran(any.run)).toEqual(["web2"]);
    expect(await it.node("web1")).toMatchObject({
      state: "down",
      why: expect.stringContaining(hosts.web1.address),
    });

    const all = await it.once("all");
    expect(all).toMatchObject({ isOk: false });
    expect(all.sentence).toContain("web1 is down");
    expect(it.ran(all.run)).toEqual(["web2", "web3"]);
    const only = await it.once("only");
    expect(only).toMatchObject({ isOk: false, end: { cause: "not-started" } });
    expect(only.sentence).toContain("web1");
    expect(it.ran(only.run)).toEqual([]);

    hosts.web1.plug();
    await it.untilNode("web1", "up");
    const again = await it.once("all");
    expect(again).toMatchObject({ isOk: true });
    expect(it.ran(again.run)).toEqual(["web1", "web2", "web3"]);
    go(hosts, "go-busy", "web2");
    expect(await it.ended(busy)).toMatchObject({ isOk: true });
  });

  test("pulled where nobody hears of it, from a connection that is there: any goes to the next node", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        busy: jobOn("all of web2", untilGo("go-warm")),
        any: jobOn("any of web1,web2", "true", "overlap allow"),
      },
    });
    await it.start();
    const busy = await it.begin("busy");
    await it.began(busy, "web2");
    expect(await it.once("any")).toMatchObject({ nodes: ["web1 success 0"] });
    hosts.web1.pull("there");
    const any = await it.once("any");
    expect(any).toMatchObject({ isOk: true, nodes: ["web1 unreachable", "web2 success 0"] });
    expect(it.ran(any.run)).toEqual(["web2"]);
    go(hosts, "go-warm", "web2");
    hosts.web1.plug();
    await it.untilNode("web1", "up");
    expect(it.ran(any.run)).toEqual(["web2"]);
    expect(await it.ended(busy)).toMatchObject({ isOk: true });
  });

  for (const end of ["here", "there"] as const) {
    test(`pulled during, ${end}: the run is picked up, with its own status and all of its output`, async () => {
      const word = `go-during-${end}`;
      await using it = fleetScene(hosts, {
        jobs: {
          long: jobOn("any of web1", `echo one; echo two >&2; ${untilGo(word)}; seq 1000; exit 7`),
        },
      });
      await it.start();
      const run = await it.begin("long");
      await it.began(run, "web1");
      hosts.web1.pull(end);
      await it.untilNode("web1", "down");
      go(hosts, word, "web1"); // what it prints now, nobody is there to hear
      hosts.web1.plug();
      expect(await it.ended(run)).toMatchObject({ isOk: false, nodes: ["web1 failure 7"], end: { exit: 7 } });
      const numbers = Array.from({ length: 1000 }, (_, at) => `${at + 1}\n`).join("");
      expect(await it.output(run)).toBe(`one\ntwo\n${numbers}`);
      expect(it.ran(run)).toEqual(["web1"]);
      await it.untilNode("web1", "up");
    });
  }

  test("megabytes that it prints while the cable is out come through, each line once", async () => {
    await using it = fleetScene(hosts, {});
    const job = jobOn("any of web3", `echo begin; ${untilGo("go-seq")}; seq 300000; echo end`);
    it.job("long", job.replace("output none", `output ${it.at("printed")}`));
    await it.start();
    const run = await it.begin("long");
    await it.began(run, "web3");
    hosts.web3.pull();
    go(hosts, "go-seq", "web3");
    await until("its end is written there", () => /^x 0/m.test(filesOf(hosts, "web3", run)));
    hosts.web3.plug();
    expect(await it.ended(run)).toMatchObject({ isOk: true, nodes: ["web3 success 0"] });
    const numbers = Array.from({ length: 300_000 }, (_, at) => String(at + 1));
    const lines = it.lines("printed");
    expect(lines.length).toBe(300_002);
    expect(Bun.hash(lines.join("\n"))).toBe(Bun.hash(["begin", ...numbers, "end"].join("\n")));
    expect(it.ran(run)).toEqual(["web3"]);
  });

  test("pulled after its end, before that was told: the end is had when the cable is back", async () => {
    await using it = fleetScene(hosts, {
      jobs: { ends: jobOn("any of web1", `${untilGo("go-ends")}; echo the end; exit 9`) },
    });
    await it.start();
    const run = await it.begin("ends");
    await it.began(run, "web1");
    hosts.web1.pull();
    go(hosts, "go-ends", "web1");
    await until("its end is written there", () => /^x 9/m.test(filesOf(hosts, "web1", run)));
    await it.untilNode("web1", "down");
    hosts.web1.plug();
    expect(await it.ended(run)).toMatchObject({ isOk: false, nodes: ["web1 failure 9"], end: { exit: 9 } });
    expect(await it.output(run)).toBe("the end\n");
    expect(it.ran(run)).toEqual(["web1"]);
    await until("its files are gone", () => filesOf(hosts, "web1", run) === "");
  });

  test("for good, and the node comes back as another boot: unknown, never a success, and nobody else runs it", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        any: jobOn("any of web2", untilGo("go-never")),
        ordered: jobOn("ordered of web2,web1", untilGo("go-never")),
      },
    });
    await it.start();
    const runs = [await it.begin("any"), await it.begin("ordered")];
    for (const run of runs) await it.began(run, "web2");
    hosts.web2.pull();
    await hosts.web2.powerOff();
    await it.untilNode("web2", "down");
    await hosts.web2.powerOn();
    hosts.web2.plug();
    for (const run of runs) {
      const told = await it.ended(run);
      expect(told).toMatchObject({ isOk: false, nodes: ["web2 unknown"], end: { cause: "unseen" } });
      expect(told.end?.exit).toBeUndefined();
      expect(it.ran(run)).toEqual(["web2"]);
    }
  });
});

/** The nodes as they are: up, down, asked again. */
import { describe, expect, test } from "bun:test";
import { Fleet, type NodeLink } from "../../src/daemon/fleet.ts";
import type { Node } from "../../src/model/node.ts";
import { Problem } from "../../src/model/problem.ts";
import { at, FakeClock, noonMs } from "./fake-parts.ts";

/** A way to a node that is there or not, as the test says. */
class FakeLink implements NodeLink {
  readonly outlives = true;
  isOpen = false;
  isThere = true;
  /** The connection is there, and nothing is answered. */
  hangs = false;
  isClosed = false;
  asked = 0;

  async open(): Promise<Problem | undefined> {
    this.asked += 1;
    this.isOpen = this.isThere;
    return this.isThere ? undefined : new Problem("unreachable", "no answer");
  }

  async check(): Promise<Problem | undefined> {
    return this.hangs ? new Problem("unreachable", "its shell does not start") : this.open();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.isOpen = false;
  }
}

const node = (name: string, more: Partial<Node> = {}): Node => ({
  name,
  source: { path: `/nodes/${name}`, line: 1 },
  roles: ["web"],
  connection: { kind: "local" },
  runsAtOnce: undefined,
  ...more,
});

function newFleet() {
  const clock = new FakeClock(noonMs);
  const links = new Map<string, FakeLink>();
  const log: string[] = [];
  let changes = 0;
  const fleet = new Fleet({
    linkTo: ({ name }) => {
      const link = new FakeLink();
      links.set(name, link);
      return link;
    },
    healthCheckMs: 10_000,
    clock,
    log: (_, sentence) => log.push(sentence),
    onChange: () => {
      changes += 1;
    },
  });
  const link = (name: string) => {
    const found = links.get(name);
    if (found === undefined) throw new Error(name);
    return found;
  };
  return { clock, fleet, link, log, changes: () => changes };
}

const gone = new Problem("unreachable", "no answer");

describe("a fleet", () => {
  test("takes nodes for up, and asks none without a reason", async () => {
    const { clock, fleet, link } = newFleet();
    await fleet.setNodes([node("a"), node("b")]);
    await clock.go(60_000);
    expect(fleet.reports.map(({ node: { name }, isUp, isConnected }) => [name, isUp, isConnected])).toEqual([
      ["a", true, false],
      ["b", true, false],
    ]);
    expect(link("a").asked + link("b").asked).toBe(0);
  });

  test("a node that could not be reached rests, is asked at growing distances, and comes up again", async () => {
    const { clock, fleet, link, log, changes } = newFleet();
    await fleet.setNodes([node("a"), node("b")]);
    link("a").isThere = false;
    fleet.failed("a", gone);
    const asked: string[] = [];
    for (let step = 0; step < 200; step++) {
      const before = link("a").asked;
      await clock.go(10_000);
      if (link("a").asked > before) asked.push(at(clock.nowMs()));
    }
    // 10, 20, 40, 80, 160 s and then every 5 minutes.
    expect(asked.slice(0, 7)).toEqual([
      "12:00:10",
      "12:00:30",
      "12:01:10",
      "12:02:30",
      "12:05:10",
      "12:10:10",
      "12:15:10",
    ]);
    const [a, b] = fleet.reports;
    expect(a).toMatchObject({ isUp: false, sinceMs: noonMs, problem: { message: "no answer" } });
    expect(b).toMatchObject({ isUp: true });
    expect(fleet.statesFor("job", "run")[0]).toMatchObject({ isUp: false, downWhy: "no answer" });
    expect(log).toEqual(["node a is down: no answer"]);

    link("a").isThere = true;
    await clock.go(5 * 60_000);
    expect(fleet.reports[0]).toMatchObject({ isUp: true, problem: undefined, nextCheckMs: undefined });
    expect(log).toEqual(["node a is down: no answer", "node a is up"]);
    expect(changes()).toBe(3);
  });

  test("a connection that is there, through which nothing is answered, is no sign of life", async () => {
    const { clock, fleet, link, log } = newFleet();
    await fleet.setNodes([node("a")]);
    expect(await fleet.test("a")).toBeUndefined();
    link("a").hangs = true;
    expect(await fleet.test("a")).toMatchObject({ message: "its shell does not start" });
    await clock.go(600_000);
    expect(fleet.reports[0]).toMatchObject({ isUp: false, isConnected: true });
    link("a").hangs = false;
    await clock.go(600_000);
    expect(log).toEqual(["node a is down: its shell does not start", "node a is up"]);
  });

  test("nodes stand in the order in which they are defined, whoever came first", async () => {
    const { fleet } = newFleet();
    await fleet.setNodes([node("b"), node("d")]);
    await fleet.setNodes([node("a"), node("b"), node("c"), node("d")]);
    expect(fleet.reports.map((report) => report.node.name)).toEqual(["a", "b", "c", "d"]);
    expect(fleet.statesFor("job", "run").map((state) => state.node.name)).toEqual(["a", "b", "c", "d"]);
  });

  test("knows what runs where", async () => {
    const { fleet, changes } = newFleet();
    await fleet.setNodes([node("a"), node("b")]);
    fleet.begin("a", "r1", "backup");
    fleet.begin("a", "r2", "other");
    expect(fleet.statesFor("backup", "r1")[0]).toMatchObject({ running: 2, runsJob: false });
    expect(fleet.statesFor("backup", "r3")[0]).toMatchObject({ running: 2, runsJob: true });
    expect(fleet.statesFor("backup", "r3")[1]).toMatchObject({ running: 0, runsJob: false });
    expect([...fleet.whereabouts()]).toEqual([
      ["r1", ["a"]],
      ["r2", ["a"]],
    ]);
    fleet.end("a", "r1");
    fleet.end("a", "r1");
    expect(fleet.statesFor("backup", "r3")[0]).toMatchObject({ running: 1, runsJob: false });
    expect(changes()).toBe(2);
  });

  test("a connection that is lost while a run goes on is opened again, or the node is down", async () => {
    const { clock, fleet, link } = newFleet();
    await fleet.setNodes([node("a")]);
    fleet.begin("a", "r1", "backup");
    await clock.go(10_000);
    expect([link("a").isOpen, fleet.reports[0]?.isUp]).toEqual([true, true]);
    link("a").isOpen = false;
    link("a").isThere = false;
    await clock.go(10_000);
    expect(fleet.reports[0]).toMatchObject({ isUp: false, running: 1 });
  });

  test("a test asks at once, and says why not", async () => {
    const { fleet, link } = newFleet();
    await fleet.setNodes([node("a")]);
    expect(await fleet.test("a")).toBeUndefined();
    link("a").isThere = false;
    link("a").isOpen = false;
    expect(await fleet.test("a")).toMatchObject({ message: "no answer" });
    expect(fleet.reports[0]?.isUp).toBe(false);
    link("a").isThere = true;
    expect(await fleet.test("a")).toBeUndefined();
    expect(fleet.reports[0]?.isUp).toBe(true);
  });

  test("takes up other definitions: connections that are the same stay, runs are kept", async () => {
    const { clock, fleet, link } = newFleet();
    await fleet.setNodes([node("a"), node("b"), node("c")]);
    const before = { a: link("a"), b: link("b"), c: link("c") };
    fleet.begin("b", "r1", "backup");
    fleet.failed("c", gone);
    const elsewhere = { kind: "command", words: ["kubectl"] } as const;
    await fleet.setNodes([node("a", { roles: ["db"] }), node("b", { connection: elsewhere })]);
    expect([before.a.isClosed, before.b.isClosed, before.c.isClosed]).toEqual([false, false, true]);
    expect(fleet.reports.map(({ node: { name, roles }, running }) => [name, roles, running])).toEqual([
      ["a", ["db"], 0],
      ["b", ["web"], 1],
    ]);
    fleet.end("b", "r1");
    expect(before.b.isClosed).toBe(true);
    await clock.go(60_000);
    expect(before.c.asked).toBe(0);
  });

  test("a node that comes back as it was has the connection that its runs still have", async () => {
    const { fleet, link } = newFleet();
    await fleet.setNodes([node("a")]);
    const first = link("a");
    fleet.begin("a", "r1", "backup");
    await fleet.setNodes([]);
    await fleet.setNodes([node("a")]);
    expect(link("a")).toBe(first);
    expect(fleet.find("a")?.link).toBe(first);
    expect(fleet.reports.map(({ running }) => running)).toEqual([1]);
    fleet.end("a", "r1");
    expect(first.isClosed).toBe(false);
  });

  test("ends with all connections closed, and asks nobody any more", async () => {
    const { clock, fleet, link } = newFleet();
    await fleet.setNodes([node("a")]);
    link("a").isThere = false;
    fleet.failed("a", gone);
    await fleet.close();
    await clock.go(60_000);
    expect([link("a").isClosed, link("a").asked]).toEqual([true, 0]);
  });
});

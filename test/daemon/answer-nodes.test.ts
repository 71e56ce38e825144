/** What the daemon answers to rcronctl nodes and nodes test: a real fleet, and ways to nodes that do as the test says. */
import { describe, expect, test } from "bun:test";
import { nodeFacts, nodesInShort, testNodes } from "../../src/daemon/answer-nodes.ts";
import { Fleet, type NodeLink } from "../../src/daemon/fleet.ts";
import { parseAnswer } from "../../src/model/control-lines.ts";
import type { ControlAnswer } from "../../src/model/control-message.ts";
import type { Node, SshConnection } from "../../src/model/node.ts";
import { Problem } from "../../src/model/problem.ts";
import { FakeClock, noonMs } from "./fake-parts.ts";

/** A way to a node that answers when it is let. */
class SlowLink implements NodeLink {
  readonly outlives = true;
  isOpen = false;
  readonly #answer = Promise.withResolvers<Problem | undefined>();
  readonly #onAsked: () => void;

  constructor(onAsked: () => void) {
    this.#onAsked = onAsked;
  }

  open(): Promise<Problem | undefined> {
    this.#onAsked();
    return this.#answer.promise;
  }

  check(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  answer(problem?: Problem): void {
    this.isOpen = problem === undefined;
    this.#answer.resolve(problem);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const ssh = (more: Partial<SshConnection> = {}): SshConnection => ({
  kind: "ssh",
  host: "web.example.com",
  port: undefined,
  user: undefined,
  keyFile: undefined,
  passwordFile: undefined,
  isNewHostKeyAccepted: false,
  ...more,
});
const node = (name: string, more: Partial<Node> = {}): Node => ({
  name,
  source: { path: "/etc/rcron/rcron.conf", line: 3 },
  roles: [],
  connection: ssh(),
  runsAtOnce: undefined,
  ...more,
});

async function stage(nodes: readonly Node[]) {
  const clock = new FakeClock(noonMs);
  const links = new Map<string, SlowLink>();
  /** In the order in which they were asked. */
  const asked: string[] = [];
  const fleet = new Fleet({
    linkTo: ({ name }) => {
      const link = new SlowLink(() => asked.push(name));
      links.set(name, link);
      return link;
    },
    healthCheckMs: 10_000,
    clock,
    log: () => {},
    onChange: () => {},
  });
  await fleet.setNodes(nodes);
  const told: ControlAnswer[] = [];
  const clean = (text: string) => text.replaceAll("hunter2", "[redacted]");
  const context = { fleet, clock, clean };
  return {
    clock,
    fleet,
    asked,
    told,
    context,
    answer: (name: string, problem?: Problem) => links.get(name)?.answer(problem),
    test: (name?: string, gone?: AbortSignal) =>
      testNodes(context, name, (answer) => void told.push(answer), gone),
  };
}

const refused = new Problem("unreachable", "web1 can't be reached: hunter2 refused", { hint: "try hunter2" });

describe("nodeFacts()", () => {
  test("tells each node as its definition and the fleet have it", async () => {
    const { clock, context, fleet } = await stage([
      node("web1", { roles: ["web", "db"], runsAtOnce: 4 }),
      node("here", { connection: { kind: "local" } }),
      node("box", { connection: { kind: "command", words: ["docker", "-H", "hunter2", "exec"] } }),
    ]);
    await clock.go(60_000);
    fleet.begin("web1", "r1", "backup");
    fleet.failed("web1", refused);
    const where = "/etc/rcron/rcron.conf:3";
    const up = { where, roles: [], isUp: true, isConnected: false, sinceMs: noonMs, running: 0 };
    expect(nodeFacts(context)).toEqual({
      kind: "nodes",
      nodes: [
        {
          node: "web1",
          where,
          roles: ["web", "db"],
          connection: "ssh",
          address: "web.example.com",
          isUp: false,
          isConnected: false,
          sinceMs: noonMs + 60_000,
          why: "web1 can't be reached: [redacted] refused",
          hint: "try [redacted]",
          nextCheckMs: noonMs + 70_000,
          running: 1,
          runsAtOnce: 4,
        },
        { ...up, node: "here", connection: "local", address: "this machine" },
        { ...up, node: "box", connection: "command", address: "docker -H [redacted] exec" },
      ],
    });
    expect(nodesInShort(fleet)).toEqual({ count: 3, down: ["web1"] });
  });

  test.each<[string, Partial<SshConnection>]>([
    ["web.example.com", {}],
    ["rcron@web.example.com", { user: "rcron" }],
    ["web.example.com:2222", { port: 2222 }],
    ["rcron@[fe80::1]:22", { user: "rcron", host: "fe80::1", port: 22 }],
    ["fe80::1", { host: "fe80::1" }],
  ])("writes an address as a person does: %s", async (address, connection) => {
    const { context } = await stage([node("a", { connection: ssh(connection) })]);
    expect(nodeFacts(context).nodes[0]?.address).toBe(address);
  });

  test("knows no nodes where there is no fleet, or an empty one", async () => {
    const { context, fleet } = await stage([]);
    expect(nodeFacts(context).nodes).toEqual([]);
    expect(nodeFacts({ ...context, fleet: undefined }).nodes).toEqual([]);
    expect([nodesInShort(fleet), nodesInShort(undefined)]).toEqual([undefined, undefined]);
  });
});

describe("testNodes()", () => {
  test("tells each node as it answers, and counts at the end; the fleet knows it from then on", async () => {
    const { clock, fleet, told, test: start, answer } = await stage([node("web1"), node("web2"), node("db")]);
    const result = start();
    await clock.go(12);
    answer("db");
    await clock.go(8);
    answer("web1", refused);
    await clock.go(1000);
    answer("web2");
    expect(await result).toEqual({ kind: "test-nodes", tested: 3, failed: 1 });
    expect(told).toEqual([
      { told: "testing", nodes: ["web1", "web2", "db"] },
      { told: "node", node: "db", ms: 12 },
      {
        told: "node",
        node: "web1",
        ms: 20,
        why: "web1 can't be reached: [redacted] refused",
        hint: "try [redacted]",
      },
      { told: "node", node: "web2", ms: 1020 },
    ]);
    for (const line of told) expect(parseAnswer(JSON.stringify(line))).toEqual(line);
    expect(fleet.reports.map(({ isUp, isConnected }) => [isUp, isConnected])).toEqual([
      [false, false],
      [true, true],
      [true, true],
    ]);
  });

  test("asks the one that is named, and no other", async () => {
    const { asked, told, test: start, answer } = await stage([node("web1"), node("web2")]);
    const result = start("web2");
    answer("web2");
    expect(await result).toEqual({ kind: "test-nodes", tested: 1, failed: 0 });
    expect(asked).toEqual(["web2"]);
    expect(told[0]).toEqual({ told: "testing", nodes: ["web2"] });
  });

  test("asks sixteen at a time, and the next one when one has answered", async () => {
    const names = Array.from({ length: 20 }, (_, at) => `n${at}`);
    const { clock, asked, test: start, answer } = await stage(names.map((name) => node(name)));
    const result = start();
    await clock.go(0);
    expect(asked).toEqual(names.slice(0, 16));
    answer("n7");
    answer("n3");
    await clock.go(0);
    expect(asked).toEqual(names.slice(0, 18));
    for (const name of names) answer(name);
    expect(await result).toMatchObject({ tested: 20, failed: 0 });
    expect(asked.toSorted()).toEqual(names.toSorted());
  });

  test("gives up on a node that does neither, and keeps back nothing of the others", async () => {
    const { clock, told, test: start, answer } = await stage([node("mute"), node("web1")]);
    const result = start();
    answer("web1");
    await clock.go(59_999);
    expect(told).toHaveLength(2);
    await clock.go(1);
    expect(await result).toEqual({ kind: "test-nodes", tested: 2, failed: 1 });
    expect(told.at(-1)).toEqual({
      told: "node",
      node: "mute",
      ms: 60_000,
      why: "it has neither answered nor failed for 60 s",
    });
  });

  test("asks no further node when nobody listens any more", async () => {
    const names = Array.from({ length: 40 }, (_, at) => `n${at}`);
    const { clock, asked, test: start, answer } = await stage(names.map((name) => node(name)));
    const gone = new AbortController();
    const result = start(undefined, gone.signal);
    await clock.go(0);
    gone.abort();
    for (const name of names) answer(name);
    expect(await result).toMatchObject({ tested: 16 });
    expect(asked).toHaveLength(16);
  });

  test("a node that is taken out meanwhile is not called up", async () => {
    const names = Array.from({ length: 17 }, (_, at) => `n${at}`);
    const nodes = names.map((name) => node(name));
    const { clock, fleet, told, test: start, answer } = await stage(nodes);
    const result = start();
    await clock.go(0);
    await fleet.setNodes(nodes.slice(0, 16));
    for (const name of names) answer(name);
    expect(await result).toMatchObject({ tested: 17, failed: 1 });
    expect(told.at(-1)).toMatchObject({ node: "n16", why: expect.stringContaining("no node any more") });
  });

  test.each([
    ["web3", ["web1", "db"], 'there is no node named "web3"', "did you mean web1?"],
    ["x", ["web1", "web2"], 'there is no node named "x"', "rcronctl nodes lists them"],
    ["web1", [], "there are no nodes", expect.stringContaining("[node NAME]")],
    [undefined, [], "there are no nodes", expect.stringContaining("[node NAME]")],
  ])("has no node %p among %j", async (name, names, message, hint) => {
    const { told, test: start } = await stage(names.map((each) => node(each)));
    expect(await start(name)).toMatchObject({ code: "not-found", message, hint });
    expect(told).toEqual([]);
  });
});

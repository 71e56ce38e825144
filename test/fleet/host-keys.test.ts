/**
 * Whether a node is the right one, and whether it lets us in: host keys, passwords, and the ways of root's own ssh configuration.
 */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { project } from "../support/program.ts";
import { fleetScene, jobOn } from "./fleet-scene.ts";
import { needs, privateAddress, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

const password = 'it\'s a "secret" $HOME';

describeWith("host keys, passwords, ways", [...needs, "openssl"], () => {
  let hosts: ThreeHosts;
  const knownHosts = () => join(hosts.home, ".ssh/known_hosts");
  beforeAll(async () => {
    hosts = await threeHosts({ web3: { password } });
  });
  beforeEach(() => {
    hosts.configureSsh();
    hosts.knowHosts();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  const troubles: readonly [
    what: string,
    make: () => Promise<void> | void,
    message: string,
    hint: () => string,
  ][] = [
    ["changed", () => hosts.web1.changeHostKey(), "has changed", () => `line 1 of /root/.ssh/known_hosts`],
    ["not known", () => writeFileSync(knownHosts(), ""), "is not known", () => "/root/.ssh/known_hosts"],
  ];
  for (const [what, make, message, hint] of troubles) {
    test(`a host key that is ${what}: nothing is started, the line to add is named, and with it all is well`, async () => {
      await using it = fleetScene(hosts, {
        jobs: { job: jobOn("any of web1", "true"), next: jobOn("ordered of web1,web2", "true") },
      });
      await make();
      await it.start();
      const told = await it.once("job");
      expect(told).toMatchObject({ isOk: false, end: { cause: "not-started" } });
      const sentences = `${told.sentence} ${told.end?.nodes?.map(({ sentence }) => sentence).join(" ")}`;
      expect(sentences).toContain(message);
      expect(it.ran(told.run)).toEqual([]);
      const facts = await it.node("web1");
      expect(facts).toMatchObject({ state: "down", why: expect.stringContaining(message) });
      expect(facts["hint"]).toContain(hint());
      expect(facts["hint"]).toContain(hosts.web1.knownHostsLine().trim());
      const shown = await it.ctl("nodes");
      expect(shown.exitCode).toBe(1);
      expect(shown.stdout).toContain(message);
      expect(shown.stdout).toContain(hosts.web1.knownHostsLine().trim());
      const tested = await it.ctl("nodes", "test", "web1");
      expect(tested.exitCode).toBe(1);
      expect(tested.stdout + tested.stderr).toContain(hosts.web1.knownHostsLine().trim());

      writeFileSync(knownHosts(), `${facts["hint"]}`.match(/\[10\.\S+ ssh-\S+ \S+/)?.[0].concat("\n") ?? "");
      expect(await it.ctl("nodes", "test", "web1")).toMatchObject({ exitCode: 0 });
      const again = await it.once("job");
      expect(again).toMatchObject({ isOk: true, nodes: ["web1 success 0"] });
    });
  }

  test("accept_new takes a key at its word the first time, and holds the node to it from then on", async () => {
    await using it = fleetScene(hosts, {
      jobs: { job: jobOn("any of web2", "true") },
      nodes: { web2: ["accept_new = yes"] },
    });
    writeFileSync(knownHosts(), "");
    await it.start();
    expect(await it.once("job")).toMatchObject({ isOk: true, nodes: ["web2 success 0"] });
    const [, , key = ""] = hosts.web2.knownHostsLine().trim().split(" ");
    expect(readFileSync(knownHosts(), "utf8")).toContain(key); // Debian's ssh hashes the name
    await hosts.web2.changeHostKey();
    hosts.web2.run("pkill -KILL -f '^[s]shd.*: sh'"); // the connection that there is was made with the old one
    await it.untilNode("web2", "up");
    let told = await it.once("job");
    // The loss may not have been noticed yet; the connection that takes its place is refused.
    if (told.isOk) told = await it.once("job");
    expect(told).toMatchObject({ isOk: false });
    expect(await it.node("web2")).toMatchObject({
      state: "down",
      why: expect.stringContaining("has changed"),
    });
    hosts.knowHosts();
  });

  test("a password from a file of its owner's alone; one that others may read is refused and named", async () => {
    const file = join(hosts.home, "password");
    writeFileSync(file, `${password}\n`, { mode: 0o644 });
    chmodSync(file, 0o644);
    await using it = fleetScene(hosts, {
      jobs: { job: jobOn("any of web3", "env; cat /proc/*/cmdline /proc/*/environ 2>/dev/null; true") },
      nodes: { web3: ["password_file = /root/password"] },
    });
    await it.start();
    const refused = await it.once("job");
    expect(refused.isOk).toBe(false);
    expect(await it.node("web3")).toMatchObject({ state: "down", why: expect.stringContaining("0600") });
    chmodSync(file, 0o600);
    expect(await it.ctl("nodes", "test", "web3")).toMatchObject({ exitCode: 0 });
    const told = await it.once("job");
    expect(told).toMatchObject({ isOk: true, nodes: ["web3 success 0"] });
    for (const text of [
      await it.output(told.run),
      it.log(),
      readFileSync(it.at("history/journal"), "utf8"),
    ]) {
      expect(text).not.toContain("secret");
    }
  });

  test("a node behind another one, by an alias with ProxyJump in root's own ssh configuration", async () => {
    hosts.configureSsh([
      "Host gate",
      `  HostName ${hosts.web1.address}`,
      `  Port ${hosts.web1.port}`,
      "  User sh",
      `  IdentityFile ${hosts.web1.keyFile}`,
      "Host deep",
      `  HostName ${privateAddress}`,
      `  Port ${hosts.web2.port}`,
      "  User bash",
      `  IdentityFile ${hosts.web2.keyFile}`,
      "  ProxyJump gate",
    ]);
    const line = hosts.web2.knownHostsLine().replace(hosts.web2.address, privateAddress);
    writeFileSync(knownHosts(), hosts.web1.knownHostsLine() + line);
    await using it = fleetScene(hosts, {
      jobs: { job: jobOn("any of deep", 'echo "$SSH_CONNECTION $HOME"; exit 13') },
      nodes: {},
      sections: ["[node deep]"],
    });
    await it.start();
    const told = await it.once("job");
    expect(told).toMatchObject({ isOk: false, nodes: ["deep failure 13"] });
    expect(await it.output(told.run)).toMatch(/^10\.77\.12\.1 \d+ 10\.77\.12\.2 \d+ \/mnt\/homes\/bash\n$/);
    expect(hosts.web2.lines("ran", "bash")).toHaveLength(1);
    hosts.web1.pull();
    expect(await it.ctl("nodes", "test", "deep")).toMatchObject({ exitCode: 1 });
    expect(await it.node("deep")).toMatchObject({ state: "down" });
    // Once more, for the first one may have found the loss of the connection that there was.
    expect(await it.ctl("nodes", "test", "deep")).toMatchObject({ exitCode: 1 });
    expect(await it.node("deep")).toMatchObject({
      state: "down",
      why: expect.stringContaining(`ssh: connect to host ${hosts.web1.address} port ${hosts.web1.port}: `),
    });
    hosts.web1.plug();
    expect(await it.ctl("nodes", "test", "all")).toMatchObject({ exitCode: 0 });
  });

  test("nodes can be tested before there is an rcrond", async () => {
    await using it = fleetScene(hosts, { nodes: { web1: [], web2: ["user = fish"] } });
    const rcronctl = join(project, "dist/rcronctl");
    const test = (name: string) => hosts.run(rcronctl, "nodes", "test", name, "--conf", it.at("conf"));
    expect(await test("all")).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("web2") });
    hosts.web2.pull();
    const tested = await test("all");
    hosts.web2.plug();
    expect(tested.exitCode).toBe(1);
    expect(tested.stdout + tested.stderr).toContain("unreachable");
  });
});

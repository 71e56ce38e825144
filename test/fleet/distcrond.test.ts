/**
 * distcrond's own example, file by file as its README has it; of `rm -r -f /` alone the words are other ones.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { project } from "../support/program.ts";
import { type FleetScene, fleetScene } from "./fleet-scene.ts";
import { needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

const nodes = {
  "node_remote.json": `{
    "roles": ["role1", "role2"],
    "connection_type": "ssh",
    "connection_options": {
        "ssh_user": "mhelmich",
        "ssh_host": "your.remote.host:22",
        "ssh_private_key_file": "/home/mhelmich/.ssh/id_rsa"
    }
}
`,
  "node_local.json": `{
    "roles": ["role1", "role2"],
    "connection_type": "local"
}
`,
};

const line = "echo $RCRON_RUN_ID $RCRON_NODE >> ran; echo on $RCRON_NODE";

/** The README's job. */
const job1 = `{
    "description": "Do something!",
    "owners": [
        {
            "name": "Martin Helmich",
            "email_address": "kontakt@martin-helmich.de"
        }
    ],
    "policy": {
        "hosts": "any",
        "roles": ["web", "db"]
    },
    "schedule": {
        "interval": "10m",
        "reference": "03:10"
    },
    "command": ["/usr/bin/sh", "-c", "${line}"]
}
`;

/** A node of the role that the README's job wants, and none of its nodes has. */
const nodeWeb = nodes["node_remote.json"].replace('"role1", "role2"', '"web"');

/** The same in the form that distcrond's program reads. */
const program = (policy: string, command: string) => `{
    "owners": [{"name": "Mona", "email_address": "mona@example.com"}],
    "policy": ${policy},
    "schedule": "0 45 20 * * *",
    "environment": {"GREETING": "hello"},
    "shell_command": "${line}; ${command}"
}
`;

describeWith("distcrond's example", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts({ web1: { port: 22, users: { mhelmich: "/bin/bash" } } });
    writeFileSync(hosts.hostsFile, `127.0.0.1 localhost\n${hosts.web1.address} your.remote.host\n`);
    writeFileSync(
      join(hosts.home, ".ssh/known_hosts"),
      hosts.web1.knownHostsLine().replace(hosts.web1.address, "your.remote.host"),
      { mode: 0o600 },
    );
    mkdirSync(join(hosts.homes, "mhelmich/.ssh"), { recursive: true, mode: 0o700 });
    copyFileSync(hosts.web1.keyFile, join(hosts.homes, "mhelmich/.ssh/id_rsa"));
    chmodSync(join(hosts.homes, "mhelmich/.ssh/id_rsa"), 0o600);
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  /** A scene with these files, whose mails are files. */
  function exampleScene(jobs: Readonly<Record<string, string>>, more: Readonly<Record<string, string>> = {}) {
    const it = fleetScene(hosts, { nodes: {} });
    writeFileSync(it.at("sendmail"), `#!/bin/sh\ncd ${it.at("mails")} && cat > .$$ && mv .$$ $$\n`);
    chmodSync(it.at("sendmail"), 0o755);
    it.define({ nodes: {}, top: [`mail_through = ${it.at("sendmail")}`] });
    const files = { "jobs.d": jobs, "nodes.d": { ...nodes, ...more } };
    for (const folder of ["mails", "jobs.d", "nodes.d"]) mkdirSync(it.at(folder));
    for (const [folder, texts] of Object.entries(files)) {
      for (const [name, text] of Object.entries(texts)) writeFileSync(it.at(join(folder, name)), text);
    }
    const words = [
      "--jobsDirectory",
      it.at("jobs.d"),
      "--nodesDirectory",
      it.at("nodes.d"),
      "--healthCheckInterval",
      "1s",
    ];
    return { it, words };
  }
  const mails = (it: FleetScene) =>
    readdirSync(it.at("mails"))
      .filter((file) => !file.startsWith("."))
      .map((file) => readFileSync(it.at(join("mails", file)), "utf8"));
  const ranAt = (path: string, run: string) =>
    (existsSync(path) ? readFileSync(path, "utf8") : "").split("\n").filter((text) => text.startsWith(run));
  const ranThere = (run: string) => ranAt(join(hosts.web1.homes, "mhelmich/ran"), run);
  const ranHere = (run: string) => ranAt(join(hosts.home, "ran"), run);

  test("the README's three files are read without a word of complaint, and run as they say", async () => {
    const { it, words } = exampleScene({ "job1.json": job1 });
    await using _ = it;
    await it.start({ words });
    expect(it.log()).toMatch(/^rcrond: rcrond \S+ is at work: 1 job in 3 files\n$/);
    expect(await it.ask<{ next: string[] }[]>("next", "job1")).toMatchObject([
      { next: expect.arrayContaining([expect.stringMatching(/T\d\d:\d0:00/)]) },
    ]);
    // Its job wants roles that none of its nodes has: that is told, and the job's owner hears of it.
    const none = await it.once("job1");
    expect(none).toMatchObject({ isOk: false, sentence: expect.stringContaining("there is no node for it") });
    expect([...ranThere(none.run), ...ranHere(none.run)]).toEqual([]);
    await until("the owner's mail", () => mails(it).length === 1);
    expect(mails(it)[0]).toContain("kontakt@martin-helmich.de");
    // A node of the role is added, and the files are watched.
    writeFileSync(it.at("nodes.d/node_web.json"), nodeWeb);
    await until("the new node", async () => (await it.node("node_web"))["node"] === "node_web");
    const told = await it.once("job1");
    expect(told).toMatchObject({ isOk: true, nodes: ["node_web success 0"] });
    expect(ranThere(told.run)).toEqual([`${told.run} node_web`]);
    expect(await it.output(told.run)).toBe("on node_web\n");
    await until("the mail that it works again", () => mails(it).length === 2);
  });

  test("both forms of policy and schedule, nodes there and here", async () => {
    const { it, words } = exampleScene({
      "readme.json": job1.replace('"web", "db"', '"role1"').replace('"any"', '"all"'),
      "all.json": program('{"select": "all", "hosts": ["node_remote", "node_local"]}', "echo $GREETING"),
      "any.json": program('{"select": "any", "roles": ["role2"]}', "exit 3"),
    });
    await using _ = it;
    await it.start({ words });
    for (const job of ["readme", "all"]) {
      const told = await it.once(job);
      expect(told).toMatchObject({ isOk: true, nodes: ["node_local success 0", "node_remote success 0"] });
      expect(ranThere(told.run)).toEqual([`${told.run} node_remote`]);
      expect(ranHere(told.run)).toEqual([`${told.run} node_local`]);
      const more = job === "all" ? "hello\n" : "";
      expect((await it.output(told.run)).split("==> ").sort()).toEqual([
        "",
        `node_local <==\non node_local\n${more}`,
        `node_remote <==\non node_remote\n${more}`,
      ]);
    }
    const any = await it.once("any");
    expect(any).toMatchObject({ isOk: false, end: { exit: 3 } });
    expect(any.nodes).toHaveLength(1);
    expect([...ranThere(any.run), ...ranHere(any.run)]).toHaveLength(1);
    await until("its owner's mail", () => mails(it).length === 1);
    const [node] = [...ranThere(any.run), ...ranHere(any.run)].map((text) => text.split(" ")[1] ?? "");
    expect(mails(it)[0]).toContain("mona@example.com");
    expect(mails(it)[0]).toContain(node ?? "a node");
    const [next] = await it.ask<{ next: string[] }[]>("next", "all");
    expect(next?.next[0]).toContain("T20:45:00");
  });

  test("--check finds nothing wrong with it, and says which roles nobody has", async () => {
    const { it, words } = exampleScene({ "job1.json": job1 });
    await using _ = it;
    const checked = await hosts.run(
      join(project, "dist/rcrond"),
      "--check",
      ...words,
      "--conf",
      it.at("conf"),
    );
    expect(checked.exitCode).toBe(0);
    expect(checked.stdout + checked.stderr).toContain("web");
  });

  test("a job that nobody owns is refused, unless --allowNoOwner", async () => {
    const ownerless = job1.replace(/"owners": \[[^\]]*\],/, "").replace('"web", "db"', '"role1"');
    const { it, words } = exampleScene({ "job1.json": ownerless });
    await using _ = it;
    const life = await it.start({ words });
    expect(await it.ctl("run", "job1")).toMatchObject({ exitCode: 1 });
    await life.end();
    await it.start({ words: [...words, "--allowNoOwner"] });
    expect(await it.once("job1")).toMatchObject({ isOk: true });
  });
});

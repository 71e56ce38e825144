/** Who we are for a node: a key by its path, an agent, a certificate; each with the real programs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { until } from "./hosting-scene.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { connectionTo } from "./ssh-scene.ts";

describeWith("who we are for a node", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  const authority = join(folder.path, "ca");
  const mine = join(folder.path, "mine");
  let node: SshNode;

  const run = (...words: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(words, { env: process.env, stderr: "pipe" });
    if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr.toString()}`);
  };

  beforeAll(async () => {
    for (const key of [authority, mine]) run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
    node = await startNode(folder.path, { sshd: `TrustedUserCAKeys ${authority}.pub` });
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("a key that the node does not know does not let us in, and the message names its other half", async () => {
    const connection = connectionTo(folder.path, node, "sh", { keyFile: mine });
    expect(await connection.open()).toMatchObject({
      code: "denied",
      hint: expect.stringContaining(`${mine}.pub`),
    });
    await connection.close();
  });

  const mistakes: readonly [what: string, lines: string, message: RegExp, hint: RegExp][] = [
    ["that is not there", "", /^\S+\/key: a node's key must be readable: no such file or directory$/, /^$/],
    [
      "of mode 0644",
      "chmod 644 $k",
      /^\S+\/key: a node's key must be of mode 0600 at most: it has 0644$/,
      /^chmod 600 \S+\/key$/,
    ],
    [
      "that is a folder",
      "rm $k; mkdir $k",
      /^\S+\/key: a node's key must be a regular file$/,
      /^name the file of a private key$/,
    ],
    [
      "of another user",
      "chown 4711 $k",
      /^\S+\/key: a node's key must be root's .*: it is that of uid 4711$/,
      /^chown root \S+\/key$/,
    ],
    [
      "with a passphrase",
      "ssh-keygen -q -p -N secret -f $k",
      /does not let us in: the key \S+\/key can't be loaded: .*passphrase/,
      /^ssh-keygen -p -f \S+\/key, or give rcrond an agent/,
    ],
    [
      "with a passphrase, without its other half",
      "ssh-keygen -q -p -N secret -f $k; rm $k.pub",
      /does not let us in: the key \S+\/key can't be loaded: .*passphrase/,
      /^ssh-keygen -p -f /,
    ],
    [
      "that is none",
      "echo none >$k",
      /does not let us in: the key \S+\/key can't be loaded: /,
      /^ssh-keygen -y -f \S+\/key must print its other half$/,
    ],
    [
      "that is the public one",
      "cp $k.pub $k",
      /does not let us in: the key \S+\/key can't be loaded: /,
      /^ssh-keygen -y -f /,
    ],
  ];
  for (const [what, lines, message, hint] of mistakes) {
    test(`a key ${what} is told as that, though the node knows it`, async () => {
      using own = temporaryFolder();
      const keyFile = join(own.path, "key");
      if (lines !== "") {
        run(
          "sh",
          "-ec",
          `k=${keyFile}; cp -p ${node.keyFile} $k; cp -p ${node.keyFile}.pub $k.pub; ${lines}`,
        );
      }
      const connection = connectionTo(folder.path, node, "sh", { keyFile });
      const problem = await connection.open();
      expect(problem?.code).toBe(lines === "" ? "not-found" : "denied");
      expect(problem?.message).toMatch(message);
      expect(problem?.hint ?? "").toMatch(hint);
      await connection.close();
    });
  }

  test("a key's public half is no key; the private one is named", async () => {
    const connection = connectionTo(folder.path, node, "sh", { keyFile: `${node.keyFile}.pub` });
    expect(await connection.open()).toMatchObject({
      code: "denied",
      message: `${node.keyFile}.pub: a node's key must be the private one`,
      hint: `name ${node.keyFile}`,
    });
    await connection.close();
  });

  test("a key that an agent holds does, without a path", async () => {
    const socket = join(folder.path, "agent");
    const agent = Bun.spawn(["ssh-agent", "-D", "-a", socket], { stdout: "ignore", stderr: "ignore" });
    const before = process.env["SSH_AUTH_SOCK"];
    try {
      await until(() => existsSync(socket), "the agent");
      process.env["SSH_AUTH_SOCK"] = socket;
      run("ssh-add", "-q", node.keyFile);
      const connection = connectionTo(folder.path, node, "sh", { keyFile: undefined });
      expect(await connection.open()).toBeUndefined();
      await connection.close();
      // Its public half says which of the agent's keys is meant.
      const named = connectionTo(folder.path, node, "bash", { keyFile: `${node.keyFile}.pub` });
      expect(await named.open()).toBeUndefined();
      await named.close();
    } finally {
      if (before === undefined) delete process.env["SSH_AUTH_SOCK"];
      else process.env["SSH_AUTH_SOCK"] = before;
      agent.kill();
      await agent.exited;
    }
  });

  test("a certificate beside the key does, where the node trusts who signed it", async () => {
    run("ssh-keygen", "-q", "-s", authority, "-I", "rcron", "-n", "sh", "-V", "+1d", `${mine}.pub`);
    const connection = connectionTo(folder.path, node, "sh", { keyFile: mine });
    expect(await connection.open()).toBeUndefined();
    await connection.close();
  });
});

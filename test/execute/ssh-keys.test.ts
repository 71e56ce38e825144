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

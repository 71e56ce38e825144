/** Who is told a node's password: the node, and nobody on the way to it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAskpass } from "../../src/execute/ssh/askpass.ts";
import { Problem } from "../../src/model/problem.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

const password = "of the node alone";

describeWith("a node with a password behind a jump host", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  const passwordFile = join(folder.path, "password");
  let jump: SshNode;
  let node: SshNode;

  beforeAll(async () => {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    // Same host, same user, same password: by nothing that it says can the one be told from the other, and who is told the
    // password of the one lets us in to the other.
    jump = await startNode(folder.path, { password, sshd: "LogLevel VERBOSE" });
    node = await startNode(folder.path, { password });
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    await jump[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  function through(lines: string) {
    const configFile = join(folder.path, "ssh_config");
    const known = `UserKnownHostsFile ${jump.knownHosts} ${node.knownHosts}\nGlobalKnownHostsFile /dev/null\n`;
    const way = `Host jump\n  HostName 127.0.0.1\n  Port ${jump.port}\n  User sh\n  ${lines}\nHost *\n  StrictHostKeyChecking yes\n`;
    writeFileSync(
      configFile,
      `${known}${way}Match host 127.0.0.1 exec "test %p = ${node.port}"\n  ProxyJump jump\n`,
    );
    return connectionTo(folder.path, node, "sh", { keyFile: undefined, passwordFile, configFile });
  }

  test("the jump host that asks for one is not told it", async () => {
    const connection = through("PubkeyAuthentication no");
    expect(await connection.open()).toMatchObject({ code: expect.stringMatching(/^(denied|unreachable)$/) });
    const log = readFileSync(join(jump.folder, "sshd.log"), "utf8");
    expect(log).toContain("Connection from 127.0.0.1"); // it was there, and had the chance to ask
    // ssh tries an empty one then; with the right one it would have been let in.
    expect(log).not.toMatch(/Accepted (password|keyboard)/);
    await connection.close();
  });

  test("the node is, through a jump host that takes a key", async () => {
    const connection = through(`IdentityFile ${jump.keyFile}\n  IdentitiesOnly yes\n  BatchMode yes`);
    expect(await connection.open()).toBeUndefined();
    expect((await runThere(folder.path, connection, "echo in")).output).toBe("in\n");
    const log = readFileSync(join(jump.folder, "sshd.log"), "utf8");
    expect(log).toContain("Accepted publickey for sh");
    expect(log).not.toMatch(/Accepted (password|keyboard)/);
    await connection.close();
  });

  const prompts: readonly [prompt: string, isAnswered: boolean][] = [
    ["sh@127.0.0.1's password: ", true],
    ["(sh@127.0.0.1) Password: ", true],
    ["(sh@127.0.0.1) Passwort: ", true],
    ["Password: ", true],
    ["Enter passphrase for key '/root/password: ': ", false],
    ["Enter PIN for ED25519-SK key /root/.ssh/id: ", false],
    ["(sh@127.0.0.1) New password: ", false],
    ["Enter sh@127.0.0.1's old password: ", false],
    ["Are you sure you want to continue connecting (yes/no/[fingerprint])? ", false],
    ["Verification code: ", false],
  ];
  for (const [prompt, isAnswered] of prompts) {
    test(`${prompt}is ${isAnswered ? "" : "not "}answered`, () => {
      using askpass = askpassOf();
      // In place of ssh, our child: who asks is its own child.
      const asked = (words: readonly string[]) =>
        Bun.spawnSync(["sh", "-c", ...words, "sh", prompt], {
          env: { ...process.env, ...askpass.environment },
        });
      const ours = asked(['"$SSH_ASKPASS" "$1"; exit $?']);
      expect(ours.stdout.toString()).toBe(isAnswered ? `${password}\n` : "");
      expect(ours.exitCode).toBe(isAnswered ? 0 : 1);
      const further = asked([`sh -c '"$SSH_ASKPASS" "$1"; exit $?' sh "$1"; exit $?`]);
      expect(further.stdout.toString()).toBe("");
      expect(further.exitCode).toBe(1);
    });
  }

  function askpassOf() {
    const askpass = openAskpass(passwordFile);
    if (askpass instanceof Problem) throw askpass;
    return askpass;
  }
});

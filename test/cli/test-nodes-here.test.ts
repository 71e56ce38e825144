/**
 * `rcronctl nodes test` where no rcrond runs: a real sshd, and the built program in a mount namespace of its own, so that the
 * ~/.ssh that ssh reads is the test's.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../execute/hosting-scene.ts";
import { type SshNode, startNode } from "../execute/ssh-node.ts";
import { describeWith } from "../support/debian.ts";
import { binary, run, temporaryFolder } from "../support/program.ts";

setDefaultTimeout(120_000);

describeWith("rcronctl nodes test, without rcrond", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  const conf = join(folder.path, "rcron.conf");
  const scratch = join(folder.path, "tmp");
  let node: SshNode;

  beforeAll(async () => {
    node = await startNode(folder.path);
    mkdirSync(scratch);
    const section = (name: string, host: string, key: string) =>
      `[node ${name}]\nhost = ${host}\nport = ${node.port}\nuser = sh\nkey = ${key}\n`;
    const sections = [
      section("web1", "127.0.0.1", node.keyFile),
      section("web2", "127.0.0.1", node.keyFile),
      section("other", "localhost", node.keyFile),
      section("shut", "127.0.0.1", node.keyFile.replace(/user$/, "host")),
    ];
    writeFileSync(conf, `[daemon]\nsocket = ${folder.path}/none.sock\n${sections.join("")}`);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** As root with a ~/.ssh that knows this node as 127.0.0.1 alone. */
  const ctl = (...words: string[]) => {
    const home = "home=$(getent passwd 0 | cut -d: -f6); mkdir -p $home/.ssh";
    const own = `mount -t tmpfs -o mode=700 tmpfs $home/.ssh; cp ${node.knownHosts} $home/.ssh/known_hosts`;
    return run(
      ["unshare", "-m", "sh", "-ec", `${home}; ${own}; exec "$@"`, "sh", binary, "--as", "rcronctl"].concat(
        words,
        ["--conf", conf],
      ),
      { env: { ...process.env, TMPDIR: scratch }, timeoutMs: 90_000 },
    );
  };

  test("says of each node whether it is there, with the key that would have to be known, and leaves nothing", async () => {
    const { exitCode, stdout, stderr } = await ctl("nodes", "test", "--json");
    expect(stderr).toContain("the nodes of rcron.conf are asked from here, as root\n");
    expect(exitCode).toBe(1);
    const { nodes, ...counts } = JSON.parse(stdout);
    expect(counts).toEqual({ tested: 4, failed: 2 });
    const byName = new Map(nodes.map((each: { node: string }) => [each.node, each]));
    expect(byName.get("web1")).toMatchObject({ up: true, why: null });
    expect(byName.get("web2")).toMatchObject({ up: true, why: null });
    expect(byName.get("other")).toMatchObject({
      up: false,
      why: "the host key of localhost is not known",
      hint: expect.stringContaining(`[localhost]:${node.port} ssh-`),
    });
    expect(byName.get("shut")).toMatchObject({
      up: false,
      why: expect.stringContaining("127.0.0.1 does not let us in: "),
    });
    expect(readdirSync(scratch)).toEqual([]);
    await until(
      () => node.run("pgrep -f '[s]shd.*: sh' || echo none") === "none\n",
      "the end of all connections",
    );
  });

  test("of one node, exits with 0", async () => {
    const { exitCode, stdout } = await ctl("nodes", "test", "web1");
    expect(stdout).toMatch(/^testing node web1\nweb1 {2}up, \d+ ms\n$/);
    expect(exitCode).toBe(0);
  });

  test("says what to do by hand about one that can't be reached", async () => {
    const own = join(folder.path, "refused.conf");
    writeFileSync(
      own,
      `[daemon]\nsocket = ${folder.path}/none.sock\n[node gone]\nhost = 127.0.0.1\nport = 1\n`,
    );
    const { exitCode, stdout } = await run([binary, "--as", "rcronctl", "nodes", "test", "--conf", own], {
      env: { ...process.env, TMPDIR: scratch },
      timeoutMs: 90_000,
    });
    const [, told, hint] = stdout.split("\n");
    expect(told).toStartWith("gone  down: 127.0.0.1 can't be reached: ");
    expect(hint).toBe("      hint: as the user that rcrond is: ssh -v -p 1 127.0.0.1 true");
    expect(exitCode).toBe(1);
  });

  test("is ended by Ctrl-C, with nothing left, while nodes keep silent", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const own = join(folder.path, "silent.conf");
    const pidFile = join(folder.path, "hung.pid");
    writeFileSync(
      own,
      `[daemon]\nsocket = ${folder.path}/none.sock\n[node mute]\nhost = 127.0.0.1\nport = ${silent.port}\n[node here]\nconnection = local\n[node hung]\nconnection = command sh -c "echo $$ >${pidFile}; exec sleep 600"\n`,
    );
    const child = Bun.spawn([binary, "--as", "rcronctl", "nodes", "test", "--conf", own], {
      env: { ...process.env, TMPDIR: scratch },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    let stdout = "";
    for await (const part of child.stdout) {
      stdout += Buffer.from(part).toString();
      if (!stdout.includes("here  up")) continue;
      await until(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n"), "the program");
      child.kill("SIGINT");
    }
    expect(await child.exited).toBe(130);
    expect(stdout).not.toMatch(/mute|hung/);
    expect(existsSync(`/proc/${readFileSync(pidFile, "utf8").trim()}`)).toBe(false);
    expect(readdirSync(scratch)).toEqual([]);
    silent.stop(true);
  });
});

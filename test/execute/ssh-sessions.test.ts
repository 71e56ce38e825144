/** Runs on a node that allows one session a connection, and a reader that takes nothing. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RemoteRun } from "../../src/execute/ssh/remote-run.ts";
import { closeWriters, StreamWriter } from "../../src/execute/ssh/stream-writer.ts";
import { pipeLibc } from "../../src/system/libc.ts";
import { closeFd } from "../../src/system/pipe.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { newId, until } from "./hosting-scene.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

describeWith("a node with two owners", ["root", "unshare", "sshd"], () => {
  test("each has a connection of its own, and leaves the other's alone", async () => {
    using folder = temporaryFolder();
    await using node = await startNode(folder.path);
    const [former, latter] = [connectionTo(folder.path, node), connectionTo(folder.path, node)];
    const go = "until [ -e ~/go ]; do sleep 0.1; done; exit";
    const first = runThere(folder.path, former, `echo 1 >>~/begun; ${go} 7`);
    await until(() => node.run("cat /mnt/homes/sh/begun 2>/dev/null || true") === "1\n", "the first run");
    const [pid] = former.pids;
    const second = runThere(folder.path, latter, `echo 2 >>~/begun; ${go} 8`);
    await until(() => node.run("cat /mnt/homes/sh/begun") === "1\n2\n", "the second run");
    expect(former.pids).toEqual([pid ?? 0]);
    node.run("touch /mnt/homes/sh/go");
    expect((await first).outcome).toEqual({ kind: "exited", exitCode: 7 });
    expect((await second).outcome).toEqual({ kind: "exited", exitCode: 8 });
    expect(former.pids).toEqual([pid ?? 0]);
    for (const connection of [former, latter]) await connection.close();
  });
});

describeWith("a folder of sockets with an odd name", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  let node: SshNode;

  beforeAll(async () => {
    node = await startNode(folder.path);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("is taken as it is, where ssh would put something in the place of a part of it", async () => {
    const controlFolder = join(folder.path, "p%h %zz");
    const connection = connectionTo(folder.path, node, "sh", {}, { controlFolder });
    expect((await runThere(folder.path, connection, "exit 7")).outcome).toEqual({
      kind: "exited",
      exitCode: 7,
    });
    expect(readdirSync(controlFolder)).toHaveLength(1);
    await connection.close();
    const trusting = join(folder.path, "no_known_hosts");
    writeFileSync(
      trusting,
      `Host *\n  UserKnownHostsFile ${folder.path}/none\n  GlobalKnownHostsFile /dev/null\n`,
    );
    const stranger = connectionTo(
      folder.path,
      { ...node, configFile: trusting },
      "sh",
      {},
      { controlFolder },
    );
    expect((await stranger.open())?.hint).toMatch(/ itself can tell: \[127\.0\.0\.1\]:\d+ ssh-/);
    expect(readdirSync(controlFolder)).toEqual([]);
  });

  test("is refused, where nothing can keep ssh from that", async () => {
    const controlFolder = join(folder.path, "${HOME");
    const refused = await connectionTo(folder.path, node, "sh", {}, { controlFolder }).open();
    expect(refused?.message).toMatch(
      /^the folder of the connections' sockets must have no \$\{ in its path: got /,
    );
    expect(existsSync(controlFolder)).toBe(false);
  });
});

describeWith("a node with one session a connection", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  let node: SshNode;

  beforeAll(async () => {
    node = await startNode(folder.path, { sshd: "MaxSessions 1" });
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** A job that waits for a file in the home there. */
  const waiting = (word: string) =>
    `echo ${word} >>~/begun; until [ -e ~/${word} ]; do sleep 0.1; done; echo ${word}`;
  const begun = () => node.run("cat /mnt/homes/sh/begun 2>/dev/null || true").split("\n").filter(Boolean);

  test("a run that is stopped while it waits for a session ends at once, and never starts", async () => {
    const connection = connectionTo(folder.path, node);
    // All that runs may have, of ten connections with one session each.
    const others = Array.from({ length: 8 }, () => runThere(folder.path, connection, waiting("a")));
    await until(() => begun().length === 8, "eight runs");
    const lost = new AbortController();
    const ninth = runThere(folder.path, connection, waiting("b"), {
      ports: { lost: lost.signal, lostGraceMs: 100 },
    });
    await Bun.sleep(200); // it waits; where it has not come so far, it is stopped even earlier
    lost.abort();
    expect(await ninth).toMatchObject({ cause: "stopped", isOk: false, outcome: { kind: "not-started" } });
    node.run("touch /mnt/homes/sh/a");
    for (const end of await Promise.all(others)) expect(end).toMatchObject({ isOk: true, output: "a\n" });
    expect(begun()).not.toContain("b");
    await connection.close();
  });

  test("all connections are lost while a further one is made: the node is asked anew, and runs are picked up", async () => {
    const [slow, go] = [join(folder.path, "slow"), join(folder.path, "go")];
    const sshPath = join(folder.path, "ssh");
    writeFileSync(
      sshPath,
      `#!/bin/sh\n[ -e ${slow} ] && until [ -e ${go} ]; do sleep 0.05; done\nexec ssh "$@"\n`,
    );
    chmodSync(sshPath, 0o755);
    const connection = connectionTo(folder.path, node, "bash", {}, { sshPath });
    const first = runThere(
      folder.path,
      connection,
      "echo 1 >>~/first; until [ -e ~/c ]; do sleep 0.1; done; exit 7",
    );
    await until(() => node.run("cat /mnt/homes/bash/first 2>/dev/null || true") === "1\n", "the first run");
    writeFileSync(slow, "");
    const second = runThere(folder.path, connection, "exit 8");
    await until(
      () => node.run("true") === "" && Bun.spawnSync(["pgrep", "-f", sshPath]).exitCode === 0,
      "a second one",
    );
    for (const pid of connection.pids) process.kill(pid, "SIGKILL");
    await until(() => !connection.isUp, "the loss");
    const opening = connection.open();
    writeFileSync(go, "");
    expect(await opening).toBeUndefined();
    expect(connection.facts?.folders).not.toBeEmpty();
    node.run("touch /mnt/homes/bash/c");
    expect((await first).outcome).toEqual({ kind: "exited", exitCode: 7 });
    expect((await second).outcome).toEqual({ kind: "exited", exitCode: 8 });
    await connection.close();
  });

  test("a reader that has no room for the last of the output is not waited for without an end", async () => {
    const connection = connectionTo(folder.path, node, "fish");
    const warnings: string[] = [];
    let bytes = 0;
    const run = new RemoteRun(
      connection,
      { runId: newId(), attempt: 1, isStderrApart: false },
      {
        onBytes: (part) => {
          bytes += part.length;
          return false;
        },
        onStarted: () => {},
        onWarning: (sentence) => void warnings.push(sentence),
        readerMs: 100,
      },
    );
    const words = ["sh", "-c", "head -c 3000000 /dev/zero; exit 9"];
    const header = {
      words,
      environment: [],
      workingFolder: undefined,
      umask: undefined,
      niceLevel: undefined,
    };
    expect(await run.start(header, undefined)).toEqual({ kind: "exited", exitCode: 9 });
    expect(bytes).toBeLessThan(3_000_000);
    expect(warnings).toEqual(["nobody took the end of the output, and it was not waited for any longer"]);
    await connection.close();
  });
});

test("closeWriters() waits no longer than it may, and what was written still comes", async () => {
  const c = pipeLibc();
  const ends = new Int32Array(2);
  c?.pipe2(ends, 0o2000000);
  const [readFd = -1, writeFd = -1] = ends;
  const writer = StreamWriter.open(writeFd, () => {});
  if ("code" in writer) throw new Error(writer.text);
  closeFd(writeFd);
  const sent = new Uint8Array(1_000_000).fill(0x78);
  expect(writer.write(sent)).toBe(false);
  await closeWriters([writer, writer], 50);
  const fs = process.getBuiltinModule("node:fs");
  const buffer = new Uint8Array(64 * 1024);
  let bytes = 0;
  for (let got = -1; got !== 0; bytes += got) {
    got = await new Promise<number>((resolve) => {
      fs.read(readFd, buffer, 0, buffer.length, null, (error, count) => resolve(error === null ? count : 0));
    });
  }
  closeFd(readFd);
  expect(bytes).toBe(sent.length);
});

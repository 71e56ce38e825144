/**
 * Runs on a node, over a real sshd: what comes through, whatever shell the node's user has.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { NodeConnection } from "../../src/execute/ssh/node-connection.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { until } from "./hosting-scene.ts";
import { type SshNode, shells, startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

const noisy = `
for each in sh bash fish csh; do mkdir -p $homes/$each/.config/fish; done
echo 'echo noise from bashrc; echo noise from bashrc >&2' >$homes/bash/.bashrc
echo 'echo noise from fish; echo noise from fish >&2' >$homes/fish/.config/fish/config.fish
echo 'echo noise from cshrc' >$homes/csh/.cshrc
for n in $(seq 10000); do echo "Permission denied $n"; done >/mnt/banner
`;

describeWith("runs on a node", ["root", "unshare", "sshd", "fish", "/bin/csh"], () => {
  const folder = temporaryFolder();
  let node: SshNode;
  const connections = new Map<string, NodeConnection>();
  const as = (user: keyof typeof shells) => {
    const known = connections.get(user) ?? connectionTo(folder.path, node, user);
    connections.set(user, known);
    return known;
  };

  beforeAll(async () => {
    node = await startNode(folder.path, { prepare: noisy, sshd: "Banner /mnt/banner" });
  });
  afterAll(async () => {
    for (const connection of connections.values()) await connection.close();
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  for (const user of Object.keys(shells) as (keyof typeof shells)[]) {
    test(`a user whose shell is ${shells[user]} and prints when it starts: output and status are the job's alone`, async () => {
      const end = await runThere(folder.path, as(user), "echo out; echo err >&2; exit 3");
      expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 3 }, cause: "exit", isOk: false });
      expect(end.output).toBe("out\nerr\n");
    });

    test(`${shells[user]}: values reach the job in their very bytes, and nothing of a run is left`, async () => {
      const value = `a'b"c\n\n$HOME \`id\` \\ !x \udc81\udc82\udc88\udcff é\t`;
      const end = await runThere(folder.path, as(user), 'printf %s "$ODD" | od -An -v -tx1 | tr -d " \\n"', {
        job: { environment: [{ name: "ODD", value }] },
      });
      const bytes = [
        Buffer.from(`a'b"c\n\n$HOME \`id\` \\ !x `),
        Buffer.from([0x81, 0x82, 0x88, 0xff]),
        Buffer.from(" é\t"),
      ];
      expect(end.output).toBe(Buffer.concat(bytes).toString("hex"));
      await until(() => filesOf(user) === "", "an empty folder");
    });
  }

  const filesOf = (user: string) => node.run(`ls /mnt/homes/${user}/.cache/rcron/runs`);

  const statuses: readonly [line: string, outcome: object, cause: string][] = [
    ["exit 0", { kind: "exited", exitCode: 0 }, "exit"],
    ["exit 255", { kind: "exited", exitCode: 255 }, "exit"],
    ["exit 127", { kind: "exited", exitCode: 127 }, "exit"],
    ["kill -9 $$", { kind: "signalled", signal: 9 }, "signal"],
    ["kill -HUP $$", { kind: "signalled", signal: 1 }, "signal"],
    ["kill -INT $$; exit 7", { kind: "signalled", signal: 2 }, "signal"],
    ["kill -QUIT $$; exit 7", { kind: "signalled", signal: 3 }, "signal"],
    ["kill -PIPE $$; exit 7", { kind: "signalled", signal: 13 }, "signal"],
  ];
  for (const [line, outcome, cause] of statuses) {
    test(`${line}: comes through as it is`, async () => {
      expect(await runThere(folder.path, as("sh"), line)).toMatchObject({ outcome, cause });
    });
  }

  test("a program that is not there, or can't be executed, was not started", async () => {
    const words = (program: string) => ({ job: { command: { kind: "words", words: [program] } as const } });
    const missing = await runThere(folder.path, as("sh"), "", words("no-such-program"));
    expect(missing).toMatchObject({ outcome: { kind: "not-started", exitCode: 127 }, cause: "not-started" });
    const barred = await runThere(folder.path, as("sh"), "", words("/etc/passwd"));
    expect(barred.outcome).toMatchObject({ kind: "not-started", exitCode: 126 });
    const nowhere = await runThere(folder.path, as("sh"), "true", { rules: { workingFolder: "/no/such" } });
    expect(nowhere.outcome).toMatchObject({
      kind: "not-started",
      exitCode: 125,
      problem: { code: "denied", message: "it can't change to /no/such on 127.0.0.1" },
    });
    await until(() => filesOf("sh") === "", "an empty folder");
  });

  test("standard error is told apart where the rules want it", async () => {
    const failsWhen = { ifNonzero: true, ifStderr: true, success: [0] };
    const bad = await runThere(folder.path, as("sh"), "echo out; echo err >&2", { rules: { failsWhen } });
    expect(bad).toMatchObject({ outcome: { kind: "exited", exitCode: 0 }, cause: "stderr", isOk: false });
    expect(bad.output.split("\n").sort()).toEqual(["", "err", "out"]);
    const good = await runThere(folder.path, as("sh"), "echo out", { rules: { failsWhen } });
    expect(good).toMatchObject({ cause: "exit", isOk: true });
  });

  test("an input of a megabyte arrives whole; without one, standard input is empty", async () => {
    const stdin = `${"0123456789abcdef".repeat(65_536)}\udcff`;
    const hash = new Bun.CryptoHasher("sha256")
      .update(Buffer.concat([Buffer.from(stdin.slice(0, -1)), Buffer.from([255])]))
      .digest("hex");
    expect((await runThere(folder.path, as("sh"), "sha256sum", { job: { stdin } })).output).toBe(
      `${hash}  -\n`,
    );
    expect((await runThere(folder.path, as("sh"), "wc -c")).output.trim()).toBe("0");
  });

  test("output of many files on the node arrives whole, and the node has never more than a few of them", async () => {
    const hash = new Bun.CryptoHasher("sha256");
    let bytes = 0;
    const end = await runThere(
      folder.path,
      as("sh"),
      "head -c 120000000 /dev/zero | tr '\\0' x; ls ~/.cache/rcron/runs | wc -l; exit 4",
      {
        ports: {
          onOutput: (part) => {
            bytes += part.length;
            hash.update(part);
          },
        },
      },
    );
    expect(end.outcome).toEqual({ kind: "exited", exitCode: 4 });
    expect(bytes).toBeGreaterThan(120_000_000);
    const count = Number(end.output.slice(end.output.lastIndexOf("x") + 1));
    expect(count).toBeLessThan(9);
    const wanted = new Bun.CryptoHasher("sha256");
    for (let n = 0; n < 120; n++) wanted.update("x".repeat(1_000_000));
    expect(hash.digest("hex")).toBe(wanted.update(`${count}\n`).digest("hex"));
  });

  test("a job's descriptors, its session and its signals are its own", async () => {
    const line =
      "ls -l /proc/$$/fd | wc -l; cut -d' ' -f1,5,6 /proc/$$/stat; grep ^Sig[IC] /proc/$$/status; pwd";
    const { output } = await runThere(folder.path, as("sh"), line);
    const [descriptors, ids = "", ignored, caught, place] = output.split("\n");
    expect(Number(descriptors)).toBe(4); // a heading, and three
    const [pid, group, session] = ids.split(" ");
    expect([group, session]).toEqual([pid, pid]);
    expect(ignored).toMatch(/^SigIgn:\s*0+$/);
    expect(caught).toMatch(/^SigCgt:\s*0+(?:10002)?$/); // dash's own, where it has some
    expect(place).toBe("/mnt/homes/sh");
  });

  test("a job whose time is over is ended with all that it has started", async () => {
    const line =
      "setsid sh -c 'trap \"\" TERM; sleep 7001; sleep 7001' & (unset RCRON_RUN_ID; exec sleep 7002) & sleep 7003";
    const end = await runThere(folder.path, as("sh"), line, { rules: { timeoutMs: 300, graceMs: 300 } });
    expect(end).toMatchObject({ outcome: { kind: "signalled", signal: 15 }, cause: "timeout", survivors: 0 });
    expect(node.run("ps -eo args | grep '^sleep 700' || true")).toBe("");
  });

  test("each of its processes has TERM once, in its process group and out of it", async () => {
    const counts = (who: string) =>
      `trap "echo ${who} >>~/terms" TERM; echo ${who} >>~/counting; for n in 1 2 3 4 5 6 7 8 9; do sleep 7.1; done`;
    const line = `setsid sh -c '${counts("other")}' & sh -c '${counts("child")}' & ${counts("leader")}`;
    const read = (name: string) => node.run(`sort /mnt/homes/sh/${name} || true`).split("\n").filter(Boolean);
    const stop = new AbortController();
    const ended = runThere(folder.path, as("sh"), line, { ports: { lost: stop.signal, lostGraceMs: 1000 } });
    await until(() => read("counting").length === 3, "all three count");
    stop.abort();
    expect(await ended).toMatchObject({ cause: "stopped", survivors: 0 });
    expect(read("terms")).toEqual(["child", "leader", "other"]);
  });

  test("a condition is asked on the node, and a retry is made there", async () => {
    const rules = { condition: "test -e ~/wanted" };
    expect(runThere(folder.path, as("sh"), "echo ran", { rules })).rejects.toThrow("not started: condition");
    node.run("touch /mnt/homes/sh/wanted");
    const line = "echo x >>~/tries; [ $(wc -l <~/tries) -ge 3 ]";
    const end = await runThere(folder.path, as("sh"), line, {
      rules: { ...rules, retries: 5, retryDelayMs: 1 },
    });
    expect(end).toMatchObject({ isOk: true, attempts: 3 });
  });

  test("what a job leaves behind is not waited for", async () => {
    const end = await runThere(folder.path, as("sh"), "setsid sleep 7100 & echo done");
    expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 0 }, isOk: true });
    expect(end.output).toBe("done\n");
    expect(node.run("pkill -f '[s]leep 7100'; echo $?")).toBe("0\n");
  });

  test("fifty runs at once, on a server that allows ten sessions a connection: each has its own output", async () => {
    const runs = Array.from({ length: 50 }, (_, n) =>
      runThere(folder.path, as("sh"), `sleep 0.2; echo ${n}; exit ${n}`),
    );
    const ends = await Promise.all(runs);
    expect(ends.map(({ output }) => output)).toEqual(ends.map((_, n) => `${n}\n`));
    expect(ends.map(({ outcome }) => outcome)).toEqual(ends.map((_, n) => ({ kind: "exited", exitCode: n })));
    expect(as("sh").pids.length).toBeGreaterThan(1);
    await until(() => filesOf("sh") === "", "an empty folder");
  });

  test("the sockets of connections are in a folder that is ours alone", () => {
    expect(readdirSync(`${folder.path}/c`).length).toBeGreaterThan(0);
  });
});

const busybox = `
mkdir /mnt/bb
for each in $(busybox --list); do ln -s "$(command -v busybox)" /mnt/bb/$each; done
`;

describeWith("a node that has busybox alone", ["root", "unshare", "sshd", "busybox"], () => {
  test("status, output, input and a stop are as everywhere", async () => {
    using folder = temporaryFolder();
    await using node = await startNode(folder.path, { prepare: busybox, sshd: "SetEnv PATH=/mnt/bb" });
    const connection = connectionTo(folder.path, node);
    const there = await runThere(folder.path, connection, "readlink -f $(command -v dd); cat; exit 3", {
      job: { stdin: "in\n" },
    });
    expect(there).toMatchObject({ outcome: { kind: "exited", exitCode: 3 } });
    expect(there.output).toEndWith("/busybox\nin\n");
    let bytes = 0;
    const long = await runThere(folder.path, connection, "head -c 30000000 /dev/zero; kill -9 $$", {
      ports: {
        onOutput: (part) => {
          bytes += part.length;
        },
      },
    });
    expect(long.outcome).toEqual({ kind: "signalled", signal: 9 });
    expect(bytes).toBe(30_000_000);
    const line = "trap '' TERM; (setsid sleep 7401 &); sleep 7402; sleep 7402";
    const end = await runThere(folder.path, connection, line, { rules: { timeoutMs: 300, graceMs: 300 } });
    expect(end).toMatchObject({ outcome: { kind: "signalled", signal: 9 }, cause: "timeout", survivors: 0 });
    expect(node.run("ps -eo args | grep '^sleep 740' || true")).toBe("");
    await connection.close();
  });
});

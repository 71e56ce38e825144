/**
 * What can go wrong between us and a node, and that every run's fate is told as it is: the real sshd, and real signals.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import type { NodeConnection } from "../../src/execute/ssh/node-connection.ts";
import type { RemoteMark } from "../../src/execute/ssh/remote-mark.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { newId, until } from "./hosting-scene.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

const counting = "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.25; done; exit 7";
const counted = "1\n2\n3\n4\n5\n6\n7\n8\n";

describeWith("a node in trouble", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  let node: SshNode;
  let connection: NodeConnection;

  beforeAll(async () => {
    node = await startNode(folder.path);
    connection = connectionTo(folder.path, node);
  });
  afterAll(async () => {
    await connection.close();
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Begins a run, and waits for its first output. In an array, or the run itself would be waited for. */
  async function running(line: string, hosting: Parameters<typeof runThere>[3] = {}) {
    let heard = "";
    const ended = runThere(folder.path, connection, line, {
      ...hosting,
      ports: {
        ...hosting.ports,
        onOutput: (bytes) => {
          heard += Buffer.from(bytes).toString();
        },
      },
    });
    await until(() => heard.includes("1\n"), "its first output");
    return [ended] as const;
  }

  const sessions = "[s]shd: sh";
  const signalSessions = (signal: string) => node.run(`pkill -${signal} -f '${sessions}'`);

  const signalOurs = (signal: "SIGKILL" | "SIGSTOP") => {
    for (const pid of connection.pids) process.kill(pid, signal);
  };

  const losses: readonly [what: string, lose: () => void][] = [
    ["our end of the connection is killed", () => signalOurs("SIGKILL")],
    ["the node's end of the connection is killed", () => signalSessions("KILL")],
    ["the node's end of the connection stands still", () => signalSessions("STOP")],
  ];
  for (const [what, lose] of losses) {
    test(`${what}: the run is picked up, with its own status and all of its output`, async () => {
      const [ended] = await running(counting);
      lose();
      const end = await ended;
      expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 7 }, cause: "exit" });
      expect(end.output).toBe(counted);
    });
  }

  test("a connection whose other end stands still is told to be down", async () => {
    signalSessions("KILL"); // those that stood still
    await until(() => !connection.isUp, "down");
    expect(await connection.open()).toBeUndefined();
    expect(await connection.check()).toBeUndefined();
    signalSessions("STOP");
    await until(() => !connection.isUp, "down");
    expect(connection.lostBecause).toContain("not responding");
    expect(await connection.check()).toMatchObject({ code: "unreachable" });
    signalSessions("KILL");
    expect(await connection.open()).toBeUndefined();
  });

  test("a run that ended while the connection was lost: status and output are had afterwards", async () => {
    const [ended] = await running("echo 1; sleep 0.5; echo 2; exit 9");
    signalOurs("SIGSTOP");
    await until(() => node.run("cat /mnt/homes/sh/.cache/rcron/runs/*.c").includes("\nd o"), "its end");
    signalOurs("SIGKILL");
    const end = await ended;
    expect(end.outcome).toEqual({ kind: "exited", exitCode: 9 });
    expect(end.output).toBe("1\n2\n");
  });

  test("its files are removed while it runs: its end is not known, and not told to be fine", async () => {
    const [ended] = await running("echo 1; sleep 2; exit 0");
    node.run("rm -f /mnt/homes/sh/.cache/rcron/runs/*");
    await until(() => {
      if (connection.isUp) signalSessions("KILL");
      return !connection.isUp;
    }, "the loss of the connection");
    expect(await ended).toMatchObject({ outcome: { kind: "unseen" }, cause: "unseen", isOk: false });
  });

  test("job and script are killed while the connection is lost: its end is not known", async () => {
    const [ended] = await running("echo 1; exec sleep 7200");
    node.run(
      `pkill -KILL -f '[r]cron-run|sh -c [a]='; pkill -KILL -f '[s]leep 7200'; pkill -KILL -f '${sessions}'`,
    );
    expect(await ended).toMatchObject({ outcome: { kind: "unseen" }, isOk: false });
  });

  test("a run is to be stopped while the connection is lost: it is stopped when it is back", async () => {
    const [ended] = await running("echo 1; exec sleep 7300", { rules: { timeoutMs: 800, graceMs: 500 } });
    signalOurs("SIGKILL");
    expect(await ended).toMatchObject({ outcome: { kind: "signalled", signal: 15 }, cause: "timeout" });
    expect(node.run("pgrep -f '[s]leep 7300' || true")).toBe("");
  });

  test("a run that never came to the node is proved not to be there, is started anew, and can't come late", async () => {
    expect(await connection.open()).toBeUndefined();
    const runId = newId();
    const mark: RemoteMark = {
      runId,
      attempt: 1,
      isStderrApart: false,
      startedAtMs: Date.now(),
      isStarted: false,
      bootId: connection.facts?.bootId,
      positions: {},
    };
    const end = await runThere(folder.path, connection, "echo ran", { runId, hosting: { resumed: mark } });
    expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 0 }, output: "ran\n" });
    const late = await runThere(folder.path, connection, "echo ran", { runId });
    expect(late.outcome).toMatchObject({ kind: "not-started", problem: { code: "conflict" } });
    expect(late.output).toBe("");
  });

  test("a run that is known to have been started, and of which nothing is there: its end is not known", async () => {
    const runId = newId();
    const started = { attempt: 1, isStderrApart: false, startedAtMs: Date.now(), positions: {} };
    for (const mark of [
      { ...started, runId, isStarted: true, bootId: connection.facts?.bootId },
      { ...started, runId: newId(), isStarted: false, bootId: "another boot" },
    ]) {
      const end = await runThere(folder.path, connection, "", {
        runId: mark.runId,
        hosting: { resumed: mark },
      });
      expect(end.outcome).toEqual({ kind: "unseen" });
    }
  });

  test.each([
    ["the node has told how much there is", ["x 0", "d o 1 12"]],
    ["it has not", ["x 0"]],
  ])(
    "a file of output that was had, and removed, before its position was noted: what follows it is had, %s",
    async (_, told) => {
      expect(await connection.open()).toBeUndefined();
      const runId = newId();
      const full = 16 * 1024 * 1024;
      const bootId = connection.facts?.bootId;
      const stat = node.run("cat /proc/1/stat");
      const lines = [`b ${bootId} ${stat}`, `p ${stat}`, `c o 0 ${full}`, ...told];
      const files = `/mnt/homes/sh/.cache/rcron/runs/${runId}.1`;
      node.run(`printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")} >${files}.c`);
      node.run(`echo hello world >${files}.o1`);
      const resumed: RemoteMark = {
        runId,
        attempt: 1,
        isStderrApart: false,
        startedAtMs: Date.now(),
        isStarted: true,
        bootId,
        positions: { o: { chunk: 0, offset: full - 1000 } },
      };
      const end = await runThere(folder.path, connection, "", {
        runId,
        hosting: { resumed },
        ports: { isResumed: true },
      });
      expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 0 }, output: "hello world\n" });
    },
  );

  describe("a login shell that hangs", () => {
    const home = "/mnt/homes/bash";
    let other: NodeConnection;

    beforeAll(async () => {
      node.run(`echo 'while [ -e ~/hangs ]; do sleep 0.05; done' >${home}/.bashrc`);
      other = connectionTo(folder.path, node, "bash");
      expect(await other.open()).toBeUndefined();
    });
    afterAll(() => other.close());

    const shells = () => node.run("pgrep -f '[r]cron [0-9a-f]{16}' || true");
    /** Lets it go on, and waits until nobody is there who could still do what he was told. */
    const letGo = async () => {
      node.run(`rm ${home}/hangs`);
      await until(() => shells() === "", "the end of the shells");
    };

    test("nothing is started, now or later: another node may have the run", async () => {
      node.run(`touch ${home}/hangs`);
      const end = await runThere(folder.path, other, "touch ran", { hosting: { answerMs: 500 } });
      expect(end.outcome).toMatchObject({
        kind: "not-started",
        problem: {
          code: "unreachable",
          message: "127.0.0.1 lets us in, but its shell does not start sh within 0.5 s",
        },
      });
      await letGo();
      expect(node.run(`ls ${home}`)).toBe("");
    });

    test("a stop does not wait for it", async () => {
      node.run(`touch ${home}/hangs`);
      const stop = new AbortController();
      const ended = runThere(folder.path, other, "touch ran", {
        ports: { lost: stop.signal, lostGraceMs: 100 },
      });
      await until(() => shells() !== "", "its shell");
      stop.abort();
      expect(await ended).toMatchObject({ cause: "stopped", outcome: { kind: "not-started" } });
      await letGo();
      expect(node.run(`ls ${home}`)).toBe("");
    });
  });

  test("a run that hangs on its node before its job is there is stopped for good", async () => {
    expect(await connection.open()).toBeUndefined();
    const runId = newId();
    const files = `/mnt/homes/sh/.cache/rcron/runs/${runId}.1`;
    // In place of a script that can't change to a folder: one that lives, and has not told of a job.
    node.run(`echo "b $(cat /proc/sys/kernel/random/boot_id) $(cat /proc/1/stat)" >${files}.c`);
    const bootId = connection.facts?.bootId;
    const started = { attempt: 1, isStderrApart: false, startedAtMs: Date.now(), positions: {} };
    const lost = new AbortController();
    const ended = runThere(folder.path, connection, "", {
      runId,
      hosting: { resumed: { ...started, runId, isStarted: false, bootId } },
      ports: { lost: lost.signal, lostGraceMs: 100 },
    });
    setTimeout(() => lost.abort(), 300);
    const end = await ended;
    expect(end).toMatchObject({ cause: "stopped", outcome: { kind: "not-started" } });
    const { outcome } = end;
    expect(outcome.kind === "not-started" && outcome.problem.message).toBe(
      "it was stopped before it was started",
    );
    expect(node.run(`ls ${files}.s`)).toBe(`${files}.s\n`); // by which it would know, should it go on
  });

  test("output that somebody has removed on the node is given up, and not asked for again and again", async () => {
    await using own = await startNode(folder.path, { sshd: "LogLevel VERBOSE" });
    const there = connectionTo(folder.path, own);
    const warnings: string[] = [];
    let heard = "";
    const ended = runThere(folder.path, there, "echo 1; until [ -e ~/go ]; do sleep 0.1; done; exit 7", {
      ports: {
        onOutput: (bytes) => {
          heard += Buffer.from(bytes).toString();
        },
        onWarning: (sentence) => void warnings.push(sentence),
      },
    });
    await until(() => heard === "1\n", "its first output");
    own.run("rm /mnt/homes/sh/.cache/rcron/runs/*.o0");
    for (const pid of there.pids) process.kill(pid, "SIGKILL");
    await until(() => warnings.includes("the node has lost the output"), "the warning");
    own.run("touch /mnt/homes/sh/go");
    expect((await ended).outcome).toEqual({ kind: "exited", exitCode: 7 });
    const sessions = readFileSync(`${own.folder}/sshd.log`, "utf8").split("Starting session").length - 1;
    expect(sessions).toBeLessThan(20);
    await there.close();
  });

  test("a node that is full: the job runs all the same, and what could not be kept is told", async () => {
    await using full = await startNode(folder.path, { homeBytes: 4 * 1024 * 1024 });
    const there = connectionTo(folder.path, full);
    expect(await there.open()).toBeUndefined();
    full.run("head -c 5000000 /dev/zero >/mnt/homes/fill");
    const warnings: string[] = [];
    const onWarning = (sentence: string) => void warnings.push(sentence);
    const end = await runThere(folder.path, there, "echo hello; exit 5", { ports: { onWarning } });
    expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 5 }, output: "hello\n" });
    full.run("mount -t tmpfs -o size=8192 tmpfs /dev/shm");
    const none = await runThere(folder.path, there, "echo hello", { ports: { onWarning } });
    expect(none.outcome).toMatchObject({ kind: "not-started", problem: { code: "unreachable" } });
    full.run("mount -o remount,size=1m /dev/shm");
    full.run("mkdir -p -m 700 /dev/shm/rcron-0");
    const long = "head -c 3000000 /dev/zero | tr '\\0' x; echo the end >~/end 2>/dev/null; exit 6";
    const cut = await runThere(folder.path, there, long, { ports: { onWarning } });
    expect(cut.outcome).toEqual({ kind: "exited", exitCode: 6 });
    expect(warnings.join("\n")).toContain("the node had no room for all of the output");
    await there.close();
  });
});

describeWith("a node that lets us not in", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  let node: SshNode;

  beforeAll(async () => {
    node = await startNode(folder.path, { password: 'it\'s a "secret" $HOME' });
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const lineOf = () => readFileSync(node.knownHosts, "utf8").trim();

  test("an unknown host key is refused, and the line to add is named", async () => {
    const configFile = `${folder.path}/empty`;
    writeFileSync(configFile, `UserKnownHostsFile ${folder.path}/none\nGlobalKnownHostsFile /dev/null\n`);
    const connection = connectionTo(folder.path, node, "sh", { configFile, name: "web1" });
    const problem = await connection.open();
    expect(problem).toMatchObject({ code: "denied" });
    expect(problem?.message).toBe("the host key of web1 (127.0.0.1) is not known");
    expect(problem?.hint).toContain(`${folder.path}/none`);
    expect(problem?.hint).toContain(lineOf());
    const end = await runThere(folder.path, connection, "true");
    expect(end.outcome).toMatchObject({ kind: "not-started", problem: { code: "denied" } });
    await connection.close();
  });

  test("a new host key is accepted where that was asked for, a changed one never", async () => {
    const configFile = `${folder.path}/accepting`;
    const known = `${folder.path}/known`;
    writeFileSync(configFile, `UserKnownHostsFile ${known}\nGlobalKnownHostsFile /dev/null\n`);
    const terms = { configFile, isNewHostKeyAccepted: true };
    const connection = connectionTo(folder.path, node, "sh", terms);
    expect(await connection.open()).toBeUndefined();
    await connection.close();
    const other = readFileSync(`${node.keyFile}.pub`, "utf8").split(" ");
    writeFileSync(known, `[127.0.0.1]:${node.port} ${other[0]} ${other[1]}\n`);
    const again = connectionTo(folder.path, node, "sh", terms);
    const problem = await again.open();
    expect(problem).toMatchObject({ code: "denied" });
    expect(problem?.message).toContain("has changed");
    expect(problem?.hint).toContain(`line 1 of ${known}`);
    expect(problem?.hint).toContain(lineOf());
    await again.close();
  });

  test("a wrong key, a port without anybody, a name without an address: each is told as it is", async () => {
    const keyFile = `${folder.path}/stranger`;
    Bun.spawnSync(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keyFile]);
    const stranger = connectionTo(folder.path, node, "sh", { keyFile });
    expect(await stranger.open()).toMatchObject({
      code: "denied",
      message: expect.stringMatching(/^127\.0\.0\.1 does not let us in: .*Permission denied/),
      hint: expect.stringContaining(".pub"),
    });
    const nobody = connectionTo(folder.path, node, "sh", { port: 1, name: "web1" });
    const refused = await nobody.open();
    expect(refused).toMatchObject({ code: "unreachable" });
    expect(refused?.message).toMatch(/^web1 \(127\.0\.0\.1\) can't be reached: .*Connection refused/);
    const unknown = connectionTo(folder.path, node, "sh", { host: "no-such-host.invalid" });
    expect(await unknown.open()).toMatchObject({ code: "unreachable" });
  });

  test("a password comes from a file that is nobody else's, and from nowhere else", async () => {
    const passwordFile = `${folder.path}/password`;
    writeFileSync(passwordFile, "wrong\n", { mode: 0o600 });
    const terms = { passwordFile, keyFile: undefined };
    const wrong = connectionTo(folder.path, node, "sh", terms);
    expect(await wrong.open()).toMatchObject({ code: "denied" });
    chmodSync(passwordFile, 0o644);
    const loose = await connectionTo(folder.path, node, "sh", terms).open();
    expect(loose?.message).toContain("of mode 0600 at most: it has 0644");
    chmodSync(passwordFile, 0o600);
    writeFileSync(passwordFile, 'it\'s a "secret" $HOME\n');
    const right = connectionTo(folder.path, node, "sh", terms);
    expect(await right.open()).toBeUndefined();
    const end = await runThere(folder.path, right, "echo in");
    expect(end.output).toBe("in\n");
    await right.close();
    const missing = connectionTo(folder.path, node, "sh", { ...terms, passwordFile: `${passwordFile}x` });
    expect(await missing.open()).toMatchObject({ code: "not-found" });
  });
});

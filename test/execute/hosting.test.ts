import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, constants, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { asUser } from "../../src/execute/as-user.ts";
import { Hosting } from "../../src/execute/hosting.ts";
import { Problem } from "../../src/model/problem.ts";
import { cString, libc } from "../../src/system/libc.ts";
import { project, temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";
import type { Told } from "./host-program.ts";
import { baseEnvironment, hosted, hostingPorts, jobOf, runOf, until } from "./hosting-scene.ts";

setDefaultTimeout(60_000);

const isRoot = process.getuid?.() === 0;

/** Runs a shell line with the plainest of rules. @returns its output */
async function outputOf(line: string, more: Parameters<typeof jobOf>[1] = {}): Promise<string> {
  using work = temporaryFolder();
  return (await hosted(runOf(jobOf(line, more)), hostingPorts(work.path))).output;
}

describe("Hosting", () => {
  test("many at once: each has its own output, exit status and signal", async () => {
    using work = temporaryFolder();
    const hosting = new Hosting({ baseEnvironment });
    const ports = hostingPorts(work.path, { hosting });
    const ends = await Promise.all(
      Array.from({ length: 200 }, (_, n) => {
        const end = n % 10 === 0 ? "kill -TERM $$" : `exit ${n % 7}`;
        return hosted(runOf(jobOf(`echo out ${n}; echo err ${n} >&2; sleep 0.${n % 3}; ${end}`)), ports);
      }),
    );
    for (const [n, end] of ends.entries()) {
      expect(end.output).toBe(`out ${n}\nerr ${n}\n`);
      expect(end.outcome).toEqual(
        n % 10 === 0 ? { kind: "signalled", signal: 15 } : { kind: "exited", exitCode: n % 7 },
      );
      expect(end.isOk).toBe(n % 10 !== 0 && n % 7 === 0);
    }
  });

  test("leaves the runtime's own children their status, also those that end first", async () => {
    using work = temporaryFolder();
    const ports = hostingPorts(work.path);
    const statuses: Promise<number>[] = [];
    const ends: Promise<{ output: string }>[] = [];
    for (let n = 0; n < 40; n++) {
      statuses.push(Bun.spawn(["sh", "-c", `exit ${n}`]).exited);
      ends.push(hosted(runOf(jobOf(`echo ${n}`)), ports));
      if (n % 8 === 7) await Bun.sleep(1);
    }
    expect(await Promise.all(statuses)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect((await Promise.all(ends)).map(({ output }) => output)).toEqual(
      Array.from({ length: 40 }, (_, n) => `${n}\n`),
    );
  });

  test("a job's environment is what was given, its own on top, and nothing of this process's", async () => {
    process.env["NOTIFY_SOCKET"] = "/run/ours";
    const text = await outputOf("exec env", {
      environment: [
        { name: "OWN", value: "1" },
        { name: "BASE", value: "own" },
        { name: "BYTES", value: "\udcff" },
      ],
    });
    delete process.env["NOTIFY_SOCKET"];
    const lines = text.trimEnd().split("\n").sort();
    // PWD is the shell's own doing; the byte that is no UTF-8 was decoded with the rest.
    expect(lines.filter((line) => !/^(PWD|RCRON_RUN_ID|_|SHLVL|OLDPWD)=/.test(line))).toEqual([
      "BASE=own",
      "BYTES=\ufffd",
      "OWN=1",
      "PATH=/usr/local/bin:/usr/bin:/bin",
    ]);
  });

  test("a job has three descriptors and no more, whatever this process has open", async () => {
    using work = temporaryFolder();
    using server = Bun.listen({ unix: join(work.path, "socket"), socket: { data() {} } });
    const { Database } = await import("bun:sqlite");
    using database = new Database(join(work.path, "db"));
    database.run("create table t (x)");
    const leaky = libc()?.open(cString("/dev/null"), 0, 0) ?? -1; // not close-on-exec
    expect(leaky).toBeGreaterThan(2);
    const stop = new AbortController();
    const staying = hosted(runOf(jobOf("sleep 60")), hostingPorts(work.path, { lost: stop.signal }));
    const text = await outputOf(
      "cd /proc/$$/fd; for fd in *; do [ ! -e $fd ] || echo $fd $(readlink $fd); done",
    );
    libc()?.close(leaky);
    stop.abort();
    await staying;
    expect(server).toBeDefined();
    const links = text.trimEnd().split("\n");
    expect(links.map((link) => link.split(" ")[0])).toEqual(["0", "1", "2"]);
    expect(links[0]).toBe("0 /dev/null");
    expect(links[1]).toMatch(/^1 pipe:/);
    expect(links[2]?.slice(2)).toBe(links[1]?.slice(2) ?? "");
  });

  test("a job has default signals, an empty mask, and leads a session of its own", async () => {
    process.on("SIGHUP", ignore);
    const text = await outputOf("exec cat /proc/self/status /proc/self/stat");
    process.off("SIGHUP", ignore);
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(text)?.[1];
    expect(field("SigIgn")).toBe("0000000000000000");
    expect(field("SigBlk")).toBe("0000000000000000");
    expect(field("SigCgt")).toBe("0000000000000000");
    const [pid, , , , group, session] = (text.trimEnd().split("\n").at(-1) ?? "").split(" ");
    expect([group, session]).toEqual([pid, pid]);
  });

  test("a signal that this process ignores is a job's again", async () => {
    using work = temporaryFolder();
    const script = join(project, "test/execute/host-program.ts");
    const line = "grep SigIgn /proc/self/status";
    const host = Bun.spawn(
      ["sh", "-c", 'trap "" HUP; exec "$0" "$@"', process.execPath, script, work.path, "quiet", line],
      {
        stdout: "pipe",
        timeout: 30_000,
      },
    );
    const told = (await host.stdout.text())
      .trimEnd()
      .split("\n")
      .map((text): Told => JSON.parse(text));
    expect(told.find(({ kind }) => kind === "end")).toMatchObject({ output: "SigIgn:\t0000000000000000\n" });
  });

  test("priority: the job's group has the one it asks for, this process keeps its own", async () => {
    const own = os.getPriority();
    expect(await outputOf("sleep 0.2; nice; (nice)", { niceLevel: own + 5 })).toBe(
      `${own + 5}\n${own + 5}\n`,
    );
    expect(os.getPriority()).toBe(own);
  });

  test("umask: as asked, and this process's own else", async () => {
    using work = temporaryFolder();
    const before = process.umask();
    const asked = await hosted(runOf(jobOf("umask"), { umask: 0o027 }), hostingPorts(work.path));
    expect(asked.output).toBe("0027\n");
    expect(await outputOf("umask")).toBe(`${before.toString(8).padStart(4, "0")}\n`);
    expect(process.umask()).toBe(before);
  });

  test("the working folder, and a program that PATH finds from there", async () => {
    using work = temporaryFolder();
    writeFileSync(join(work.path, "tool"), "echo from $PWD\n"); // no first line: the shell's
    chmodSync(join(work.path, "tool"), 0o755);
    const job = { ...jobOf(""), command: { kind: "words", words: ["tool"] } as const };
    const own = { ...job, environment: [{ name: "PATH", value: "." }] };
    const end = await hosted(runOf(own, { workingFolder: work.path }), hostingPorts(work.path));
    expect(end.output).toBe(`from ${work.path}\n`);
    const missing = await hosted(runOf(job, { workingFolder: work.path }), hostingPorts(work.path));
    expect(missing.outcome).toMatchObject({ kind: "not-started", exitCode: 127 });
    const nowhere = await hosted(
      runOf(own, { workingFolder: join(work.path, "no") }),
      hostingPorts(work.path),
    );
    expect(nowhere.outcome).toMatchObject({ kind: "not-started", exitCode: 125 });
    expect(nowhere.cause).toBe("not-started");
  });

  test("words and environment that are too long are told, and what comes next runs", async () => {
    using work = temporaryFolder();
    const job = { ...jobOf(""), command: { kind: "words", words: ["echo", "x".repeat(200_000)] } as const };
    const end = await hosted(runOf(job), hostingPorts(work.path));
    expect(end.outcome).toMatchObject({ kind: "not-started", exitCode: 126 });
    expect(await outputOf("echo on")).toBe("on\n");
  });

  const texts = [
    ["none", ""],
    ["lines", "first\nsecond\n"],
    ["as much as a pipe holds", "p".repeat(65_536)],
    ["more than a pipe holds", "long\n".repeat(60_000)],
  ] as const;
  test.each(texts)("standard input: %s", async (_, text) => {
    const digest = new Bun.CryptoHasher("md5").update(text).digest("hex");
    expect(await outputOf("exec md5sum", { stdin: text })).toBe(`${digest}  -\n`);
    // A job that does not read it holds up nobody.
    expect(await outputOf("echo done", { stdin: text })).toBe("done\n");
  });

  test("each attempt has the input from its beginning; the condition has none", async () => {
    using work = temporaryFolder();
    const end = await hosted(
      runOf(jobOf("cat; exit 1", { stdin: "text\n" }), {
        retries: 1,
        retryDelayMs: 1,
        condition: "! read line",
      }),
      hostingPorts(work.path),
    );
    expect(end).toMatchObject({ attempts: 2, output: "text\ntext\n" });
  });

  test.if(isRoot)("another user's rights, with the groups that are theirs", async () => {
    using work = temporaryFolder();
    const user = asUser("nobody");
    if (user instanceof Problem) throw user;
    const line = "id -un; id -Gn; echo $0";
    const end = await hosted(runOf(jobOf(line), {}, { user }), hostingPorts(work.path));
    expect(end.output).toBe("nobody\nnogroup\n/bin/sh\n");
  });

  test("timeout: all of the job's group and what left it is ended", async () => {
    using work = temporaryFolder();
    const line = `setsid sh -c 'echo $$ >${work.path}/far; exec sleep 60' & sleep 60 & echo $! >${work.path}/near; trap "" TERM; wait; sleep 60`;
    const end = await hosted(runOf(jobOf(line), { timeoutMs: 500, graceMs: 200 }), hostingPorts(work.path));
    expect(end).toMatchObject({ cause: "timeout", isOk: false, survivors: 0 });
    for (const name of ["far", "near"]) {
      expect(isAlive(Number(readFileSync(join(work.path, name), "utf8")))).toBe(false);
    }
  });

  test("tells the processor time of all attempts", async () => {
    using work = temporaryFolder();
    const line = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    const end = await hosted(runOf(jobOf(line)), hostingPorts(work.path));
    expect(end.cpuMs).toBeGreaterThan(5);
    expect(end.cpuMs).toBeLessThan(end.durationMs * 2 + 1000);
  });

  // Crowded, it must set the limit on the child, a moment after its start.
  test.each(["limits", "crowded"])(
    "open files: a host has room, its jobs have the limit that was there (%s)",
    async (how) => {
      using work = temporaryFolder();
      const script = join(project, "test/execute/host-program.ts");
      const line = `${how === "crowded" ? "sleep 0.5; " : ""}ulimit -Sn; ulimit -Hn`;
      const host = Bun.spawn([process.execPath, script, work.path, how, line], {
        stdout: "pipe",
        timeout: 30_000,
      });
      const told = (await host.stdout.text())
        .trimEnd()
        .split("\n")
        .map((text): Told => JSON.parse(text));
      const limit = told.find((one) => one.kind === "limit");
      const end = told.find((one) => one.kind === "end");
      expect(limit?.soft).toBe(Math.min(limit?.hard ?? 0, 65_536));
      expect(limit?.soft).toBeGreaterThan(800);
      expect(end?.output).toBe(`700\n${limit?.hard}\n`);
    },
  );
});

describe("output of a hosted run", () => {
  test("onOutput has all as it comes; what it throws changes nothing", async () => {
    using work = temporaryFolder();
    const heard: string[] = [];
    const go = join(work.path, "go");
    const running = hosted(
      runOf(jobOf(`echo one; until [ -e ${go} ]; do sleep 0.01; done; echo two`)),
      hostingPorts(work.path, {
        onOutput: (bytes) => {
          heard.push(new TextDecoder().decode(bytes));
          throw new Error("nobody's business");
        },
      }),
    );
    await until(() => heard.join("") === "one\n", "the first line");
    writeFileSync(go, "");
    expect((await running).output).toBe("one\ntwo\n");
    expect(heard.join("")).toBe("one\ntwo\n");
  });

  test("runs that share this process's own standard output lose nothing to each other, however slow its reader", async () => {
    using work = temporaryFolder();
    const script = join(project, "test/execute/host-program.ts");
    const lines = ["a", "b", "c"].map((word) => `yes ${word} | head -c 400000`);
    const host = Bun.spawn([process.execPath, script, work.path, "cron", ...lines], {
      stdout: "pipe",
      timeout: 50_000,
    });
    await Bun.sleep(500);
    const text = (await host.stdout.text()).replaceAll(/^\{.*\}\n/gm, "");
    expect(await host.exited).toBe(0);
    for (const word of ["a", "b", "c"]) expect(text.split(word)).toHaveLength(200_001);
  });

  test("what the job leaves behind may write on, and is neither ended nor halted by it", async () => {
    using work = temporaryFolder();
    const [go, done] = [join(work.path, "go"), join(work.path, "done")];
    const later = `until [ -e ${go} ]; do sleep 0.01; done; head -c 3000000 /dev/zero && echo yes >${done}`;
    const end = await hosted(runOf(jobOf(`echo first; (${later}) & exit 3`)), hostingPorts(work.path));
    expect(end).toMatchObject({ isDetached: true, output: "first\n", outcome: { exitCode: 3 } });
    writeFileSync(go, "");
    await until(() => existsSync(done), "the end of what was left behind");
  });

  test("a receiver that has gone does not end the job", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "fifo");
    Bun.spawnSync(["mkfifo", path]);
    const reader = Bun.spawn(["head", "-c", "10", path], { stdout: "ignore" });
    await until(() => hasReader(path), "the reader of the FIFO");
    const outputs = [{ isIfError: false, sink: { kind: "file", path } as const }];
    const end = await hosted(
      runOf(jobOf("head -c 2000000 /dev/zero; echo $? >&2; sleep 0.1; echo on"), { outputs }),
      hostingPorts(work.path),
    );
    expect(await reader.exited).toBe(0);
    expect(end).toMatchObject({ isOk: true, outcome: { kind: "exited", exitCode: 0 } });
    expect(end.kept?.bytes).toBe(2_000_005);
  });
});

function ignore(): void {}

/** Stays its writer, so that the reader does not see the end. */
function hasReader(fifo: string): boolean {
  try {
    openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    return true;
  } catch {
    return false;
  }
}

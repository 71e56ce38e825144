/**
 * Runs by a program that takes the job on its standard input. What is shown with real programs: shells as they are, behind
 * `env`, `unshare` and `nsenter`, and scripts of our own that behave as such programs may. No container runs here: these stand in
 * for `docker exec`, `kubectl exec` and the like, whose clients were tried by hand as far as they go without a daemon.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandHosting, checkCommandNode } from "../../src/execute/command-hosting.ts";
import { pipeLibc } from "../../src/system/libc.ts";
import { closeFd, PipeReader } from "../../src/system/pipe.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";
import { hosting, openDescriptors, programOf, runBy, type Words } from "./command-scene.ts";
import { jobOf, until } from "./hosting-scene.ts";

setDefaultTimeout(60_000);

const sh: Words = ["sh"];

const ways: readonly [needs: readonly string[], words: Words][] = [
  [[], ["sh"]],
  [["bash"], ["bash", "-s"]],
  [["busybox"], ["busybox", "sh"]],
  [[], ["env", "-i", "/bin/sh"]],
  [[], ["sh", "-c", "cat | sh"]],
  [[], ["sh", "-c", 'exec sh -c "$(cat)"']],
  [
    ["root", "unshare"],
    ["unshare", "-p", "-f", "--kill-child", "sh"],
  ],
  [
    ["root", "nsenter"],
    ["nsenter", "-t", String(process.pid), "-m", "-u", "sh"],
  ],
];

for (const [needs, words] of ways) {
  const shown = words.join(" ").replace(String(process.pid), "PID");
  describeWith(`a job by ${shown}`, needs, () => {
    test("has its own input, environment and status", async () => {
      using work = temporaryFolder();
      const value = "a'b\"c\n\n$HOME `id` \\ !x \udcff é\t";
      const end = await runBy(work.path, words, 'cat; printf %s "$ODD"; exit 3', {
        job: { stdin: "first\0second\n", environment: [{ name: "ODD", value }] },
      });
      expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 3 }, cause: "exit", warnings: [] });
      expect(end.output).toBe(`first\0second\n${value.replace("\udcff", "\ufffd")}`);
    });

    test("is ended with the program, and with all that it has started", async () => {
      using work = temporaryFolder();
      const far = join(work.path, "far");
      const lost = new AbortController();
      const line = `setsid sh -c 'echo $$ >${far}.new; mv ${far}.new ${far}; exec sleep 60' & sleep 60 & wait; sleep 60`;
      const running = runBy(work.path, words, line, { ports: { lost: lost.signal, lostGraceMs: 200 } });
      await until(() => existsSync(far), "the job");
      lost.abort();
      expect(await running).toMatchObject({ cause: "stopped", isOk: false, survivors: 0 });
      const pid = Number(readFileSync(far, "utf8"));
      if (words[0] !== "unshare") expect(isAlive(pid)).toBe(false); // there, numbers are others
    });
  });
}

describe("what comes through", () => {
  test("ten megabytes of any bytes, without a last line's end, as they are", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "bytes");
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    writeFileSync(path, Buffer.concat([...Array.from({ length: 160 }, () => bytes), Buffer.from([0, 0x7e])]));
    const hash = new Bun.CryptoHasher("sha256");
    const end = await runBy(work.path, sh, `cat ${path}`, {
      ports: { onOutput: (part) => void hash.update(part) },
    });
    expect(end.outcome).toEqual({ kind: "exited", exitCode: 0 });
    const wanted = new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
    expect(hash.digest("hex")).toBe(wanted);
  });

  test("an input of two megabytes", async () => {
    using work = temporaryFolder();
    const stdin = "0123456789abcde\n".repeat(131_072);
    const end = await runBy(work.path, sh, "sha256sum", { job: { stdin } });
    expect(end.output).toBe(`${new Bun.CryptoHasher("sha256").update(stdin).digest("hex")}  -\n`);
  });

  const statuses: readonly [line: string, outcome: object, cause: string][] = [
    ["exit 0", { kind: "exited", exitCode: 0 }, "exit"],
    ["exit 125", { kind: "exited", exitCode: 125 }, "exit"],
    ["exit 127", { kind: "exited", exitCode: 127 }, "exit"],
    ["exit 255", { kind: "exited", exitCode: 255 }, "exit"],
    ["kill -9 $$", { kind: "signalled", signal: 9 }, "signal"],
    ["kill -HUP $$", { kind: "signalled", signal: 1 }, "signal"],
    ["kill -INT $$; exit 7", { kind: "signalled", signal: 2 }, "signal"],
    ["kill -PIPE $$; exit 7", { kind: "signalled", signal: 13 }, "signal"],
  ];
  for (const [line, outcome, cause] of statuses) {
    test(`${line}: the job's own end`, async () => {
      using work = temporaryFolder();
      expect(await runBy(work.path, sh, line)).toMatchObject({ outcome, cause, output: "" });
    });
  }

  test("a banner of any length is nobody's output, and the program's own status counts for nothing", async () => {
    using work = temporaryFolder();
    const words = programOf(
      work.path,
      "banners",
      "i=0; while [ $i -lt 10000 ]; do echo welcome $i; i=$((i+1)); done; printf 'prompt$ '; sh; echo bye; exit 9",
    );
    const end = await runBy(work.path, words, "printf out");
    expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 0 }, output: "outbye\n" });
  });

  test("a terminal between, or a program that gives all output at the end in its own way, hides no status", async () => {
    using work = temporaryFolder();
    const terminal = programOf(work.path, "terminal", "sh | sed 's/$/\\r/'");
    expect(await runBy(work.path, terminal, "echo out; exit 4")).toMatchObject({
      outcome: { kind: "exited", exitCode: 4 },
      output: "out\r\n",
    });
    const late = programOf(
      work.path,
      "late",
      'out=$(sh -c "$(cat)"); printf \'web:\\n%s\' "$out" | sed "s/^/    /"',
    );
    expect(await runBy(work.path, late, "echo out; exit 5")).toMatchObject({
      outcome: { kind: "exited", exitCode: 5 },
      output: "    out\n    ",
    });
  });

  test("both streams in the order in which they come, or apart where the rules want it", async () => {
    using work = temporaryFolder();
    const step = (word: string) => `echo ${word}; until [ -e ${work.path}/${word} ]; do sleep 0.01; done`;
    const line = [step("out1"), `{ ${step("err1")}; } >&2`, step("out2"), `{ ${step("err2")}; } >&2`].join(
      "; ",
    );
    const one = await runBy(work.path, sh, line, {
      // Each word is said when the one before has come.
      ports: {
        onOutput: (bytes) => writeFileSync(join(work.path, Buffer.from(bytes).toString().trim()), ""),
      },
    });
    expect(one.output).toBe("out1\nerr1\nout2\nerr2\n");
    const failsWhen = { ifNonzero: true, ifStderr: true, success: [0] };
    const apart = await runBy(work.path, sh, "echo out; echo err >&2", { rules: { failsWhen } });
    expect(apart).toMatchObject({ cause: "stderr", isOk: false });
    expect(await runBy(work.path, sh, "echo out", { rules: { failsWhen } })).toMatchObject({ isOk: true });
  });

  test("a condition is asked there, and a retry is made there", async () => {
    using work = temporaryFolder();
    const rules = { condition: `test -e ${work.path}/wanted` };
    await expect(runBy(work.path, sh, "echo ran", { rules })).rejects.toThrow("not started: condition");
    writeFileSync(join(work.path, "wanted"), "");
    const line = `echo x >>${work.path}/tries; [ $(wc -l <${work.path}/tries) -ge 3 ]`;
    const end = await runBy(work.path, sh, line, { rules: { ...rules, retries: 5, retryDelayMs: 1 } });
    expect(end).toMatchObject({ isOk: true, attempts: 3 });
  });

  test("the program has nothing of the job's environment, and starts in no folder of ours", async () => {
    using work = temporaryFolder();
    const words = programOf(work.path, "shows", `{ pwd; env; } >${work.path}/shown; sh`);
    const environment = [
      { name: "PATH", value: "/nowhere:/usr/bin:/bin" },
      { name: "SECRET", value: "of the job" },
    ];
    const end = await runBy(work.path, words, 'echo "$PATH $SECRET"', { job: { environment } });
    expect(end.output).toBe("/nowhere:/usr/bin:/bin of the job\n");
    const shown = readFileSync(join(work.path, "shown"), "utf8");
    expect(shown).toStartWith("/\n");
    expect(shown).not.toContain("of the job");
    expect(shown).toContain("BASE=given\n");
  });

  test("onBegun is told when the shell is there, before the job's output comes", async () => {
    using work = temporaryFolder();
    const told: string[] = [];
    await runBy(work.path, sh, "echo out", {
      node: { onBegun: () => told.push("begun") },
      ports: { onOutput: () => told.push("output") },
    });
    expect(told).toEqual(["begun", "output"]);
  });
});

describe("what is said where no end was told", () => {
  const unreachable = (sentence: RegExp) => ({
    kind: "not-started",
    exitCode: 125,
    problem: { code: "unreachable", message: expect.stringMatching(sentence) },
  });

  test("a program that is not there, or ends without taking the job: it was not started", async () => {
    using work = temporaryFolder();
    const rows: readonly [Words, RegExp][] = [
      [["no-such-program", "exec"], /^web: "no-such-program": command not found$/],
      [["false"], /^web: the program false ended with exit status 1 before the job was started$/],
      [
        programOf(work.path, "down", "echo banner; echo 'no such container' >&2; exit 1"),
        /: no such container$/,
      ],
      [
        programOf(work.path, "some", "head -c 30 >/dev/null; echo lost; exit 255"),
        /exit status 255 .*: lost$/,
      ],
      [programOf(work.path, "shot", "kill -9 $$"), /ended with SIGKILL before the job was started/],
      // As docker exec has it where a container has no shell.
      [
        programOf(work.path, "bare", "cat >/dev/null; exit 127"),
        /exit status 127 before the job was started$/,
      ],
    ];
    for (const [words, sentence] of rows) {
      const end = await runBy(work.path, words, `touch ${work.path}/ran`);
      expect(end).toMatchObject({ outcome: unreachable(sentence), cause: "not-started", warnings: [] });
    }
    expect(existsSync(join(work.path, "ran"))).toBe(false);
  });

  test("also where the job's input is longer than a pipe", async () => {
    using work = temporaryFolder();
    const stdin = "x".repeat(3_000_000);
    const end = await runBy(work.path, ["false"], "cat", { job: { stdin } });
    expect(end.outcome).toMatchObject(unreachable(/before the job was started$/));
  });

  test("a program that takes all of it and says nothing: nobody knows", async () => {
    using work = temporaryFolder();
    const swallows = programOf(work.path, "swallows", "cat >/dev/null; echo timed out >&2; exit 1");
    const end = await runBy(work.path, swallows, "true");
    expect(end).toMatchObject({ outcome: { kind: "unseen" }, cause: "unseen", isOk: false });
    expect(end.warnings.join()).toEndWith(
      "ended with exit status 1 when it had taken the job, and nobody told that it was started: timed out",
    );
    expect((await runBy(work.path, ["cat"], "true")).outcome).toEqual({ kind: "unseen" });
  });

  test("a shell or a program that dies in the middle: nobody knows, and the output so far is there", async () => {
    using work = temporaryFolder();
    const shell = await runBy(work.path, sh, "echo out; kill -9 $PPID");
    expect(shell).toMatchObject({ outcome: { kind: "unseen" }, output: "out\n", isOk: false });
    expect(shell.warnings).toEqual([
      "web: the program sh ended with SIGKILL before it told how the job ended",
    ]);
    // The shell loses its program, as it would lose its connection.
    const [go, pid] = [join(work.path, "go"), join(work.path, "pid")];
    const lost = programOf(
      work.path,
      "lost",
      `exec 4<&0; sh <&4 & until [ -e ${go} ]; do sleep 0.05; done; exit 255`,
    );
    const middle = await runBy(work.path, lost, `echo $$ >${pid}; echo out; touch ${go}; exec sleep 60`);
    expect(middle).toMatchObject({ outcome: { kind: "unseen" }, output: "out\n" });
    expect(middle.warnings.join()).toEndWith("ended with exit status 255 before it told how the job ended");
    process.kill(Number(readFileSync(pid, "utf8")), "SIGKILL");
  });

  test("a run whose time is over needs no other reason", async () => {
    using work = temporaryFolder();
    const end = await runBy(work.path, sh, "sleep 60", { rules: { timeoutMs: 200, graceMs: 200 } });
    expect(end).toMatchObject({ outcome: { kind: "signalled", signal: 15 }, cause: "timeout", warnings: [] });
    const silent = await runBy(work.path, ["sleep", "60"], "true", {
      rules: { timeoutMs: 200, graceMs: 200 },
    });
    expect(silent).toMatchObject({ outcome: { kind: "signalled", signal: 15 }, cause: "timeout" });
  });

  test("a job that can't be started there is told apart", async () => {
    using work = temporaryFolder();
    const words = (program: string) => ({ job: { command: { kind: "words", words: [program] } as const } });
    const missing = await runBy(work.path, sh, "", words("no-such-program"));
    expect(missing.outcome).toMatchObject({
      kind: "not-started",
      exitCode: 127,
      problem: { code: "not-found" },
    });
    const barred = await runBy(work.path, sh, "", words("/etc/passwd"));
    expect(barred.outcome).toMatchObject({ kind: "not-started", exitCode: 126 });
    const nowhere = await runBy(work.path, sh, "true", { rules: { workingFolder: "/no/such" } });
    expect(nowhere.outcome).toMatchObject({
      kind: "not-started",
      exitCode: 125,
      problem: { code: "denied", message: "it can't change to /no/such on web" },
    });
    const odd = await runBy(work.path, sh, "true", { job: { environment: [{ name: "a-b", value: "" }] } });
    expect(odd.outcome).toMatchObject({ kind: "not-started", problem: { code: "invalid" } });
  });
});

describe("what stays behind", () => {
  test("a job's own leftover is not waited for, and not ended", async () => {
    using work = temporaryFolder();
    const end = await runBy(work.path, sh, `sleep 60 & echo $! >${work.path}/pid; echo done`);
    expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 0 }, output: "done\n" });
    const pid = Number(readFileSync(join(work.path, "pid"), "utf8"));
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  });

  test("a program that goes on when the job has ended is left to itself", async () => {
    using work = temporaryFolder();
    const words = programOf(work.path, "lingers", `echo $$ >${work.path}/pid; sh; exec sleep 60`);
    const end = await runBy(work.path, words, "echo out; exit 6");
    expect(end).toMatchObject({ outcome: { kind: "exited", exitCode: 6 }, output: "out\n" });
    const pid = Number(readFileSync(join(work.path, "pid"), "utf8"));
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
    await until(() => !isAlive(pid), "its end");
  });

  test("no descriptor of ours, however it ended", async () => {
    const ends = async () => {
      const all: Words[] = [sh, ["no-such-program"], ["false"], ["cat"]];
      for (const words of all) {
        const run = new CommandHosting({ hosting, words, host: "web" }).prepare(jobOf("echo out"), {
          isGroup: true,
        });
        const pipe = PipeReader.open({ onBytes: () => true, onEnd: () => {} });
        if ("code" in pipe) throw new Error(pipe.text);
        await run.run({ streams: { stdout: pipe.writeFd, stderr: pipe.writeFd } });
        closeFd(pipe.writeFd);
        pipe.close();
      }
    };
    await ends();
    const before = openDescriptors();
    await ends();
    await until(() => openDescriptors() <= before, "as many descriptors as before");
  });
});

describe("a reader that takes nothing", () => {
  test("halts the job, and has all of it when it goes on", async () => {
    using work = temporaryFolder();
    const c = pipeLibc();
    const ends = new Int32Array(2);
    c?.pipe2(ends, 0o2000000);
    const [readFd = -1, writeFd = -1] = ends;
    const count = join(work.path, "count");
    const line = `i=0; while [ $i -lt 64 ]; do head -c 1000000 /dev/zero; i=$((i+1)); echo $i >${count}; done`;
    const run = new CommandHosting({ hosting, words: sh, host: "web" }).prepare(jobOf(line), {
      isGroup: true,
    });
    const ended = run.run({
      streams: { stdout: writeFd, stderr: writeFd },
      onStarted: () => closeFd(writeFd),
    });
    const counted = () => {
      try {
        return readFileSync(count, "utf8");
      } catch {
        return ""; // not even the first megabyte
      }
    };
    let [before, same] = ["", 0];
    await until(() => {
      const now = counted();
      same = now !== "" && now === before ? same + 1 : 0;
      before = now;
      return same === 100;
    }, "a halt");
    expect(Number(before)).toBeLessThan(20);
    let bytes = 0;
    const buffer = new Uint8Array(1024 * 1024);
    const reading = (async () => {
      for (;;) {
        const got = await new Promise<number>((resolve) => {
          process
            .getBuiltinModule("node:fs")
            .read(readFd, buffer, 0, buffer.length, null, (error, n) => resolve(error === null ? n : 0));
        });
        if (got === 0) return;
        bytes += got;
      }
    })();
    expect(await ended).toEqual({ kind: "exited", exitCode: 0 });
    await reading;
    expect(bytes).toBe(64_000_000);
    closeFd(readFd);
  });
});

describe("checkCommandNode()", () => {
  const check = (words: Words, timeoutMs = 30_000) => checkCommandNode(hosting, words, "web", timeoutMs);

  test("finds a shell where one is, and runs nothing", async () => {
    expect(await check(sh)).toBeUndefined();
    expect(await check(["env", "-i", "/bin/sh"])).toBeUndefined();
  });

  test("says why there is no sign of life", async () => {
    using work = temporaryFolder();
    const down = programOf(work.path, "down", "echo 'daemon not running' >&2; exit 1");
    expect((await check(down))?.message).toEndWith("before the job was started: daemon not running");
    expect((await check(["no-such-program"]))?.message).toBe('web: "no-such-program": command not found');
    expect(await check(["cat"])).toMatchObject({ code: "unreachable" });
  });

  test("ends a program that does not answer, with all that it has started", async () => {
    using work = temporaryFolder();
    const silent = programOf(work.path, "silent", `sleep 60 & echo $! >${work.path}/pid; wait; sleep 60`);
    expect(await check(silent, 3000)).toMatchObject({
      code: "unreachable",
      message: `web: no shell answered by the program ${silent[0]} within 3 s`,
    });
    expect(isAlive(Number(readFileSync(join(work.path, "pid"), "utf8")))).toBe(false);
  });
});

/**
 * How a run under rules ends: timeout, failure, retries, exit statuses, signals.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describeWith } from "../support/debian.ts";
import { binary } from "../support/program.ts";
import { isAlive, runScene } from "../support/run-scene.ts";

setDefaultTimeout(40_000);

describe("--timeout", () => {
  test("ends the job with TERM; exit status 124, and everybody is told", async () => {
    using scene = runScene();
    const begun = performance.now();
    const ended = await scene.rcron(["--timeout", "1s", "sleep", "30"]);
    expect(performance.now() - begun).toBeWithin(1000, 5000);
    expect(ended).toEqual({
      exitCode: 124,
      stdout: "",
      stderr: "rcron: sleep was ended: it had not finished within 1 s\n",
    });
    expect(scene.lastEnd()).toMatchObject({ ok: false, cause: "timeout", signal: 15 });
  });

  test("kills after the grace what ignores TERM, and is as long again without --grace", async () => {
    using scene = runScene();
    const job = "trap '' TERM; while :; do sleep 0.1; done";
    for (const grace of [["--grace", "1s"], []]) {
      const begun = performance.now();
      const ended = await scene.rcron(["--timeout", "1s", ...grace, "sh", "-c", job]);
      expect(ended.exitCode).toBe(124);
      expect(performance.now() - begun).toBeWithin(2000, 6000);
      expect(scene.lastEnd()).toMatchObject({ cause: "timeout", signal: 9 });
    }
  });

  test("a job that ends in its grace has that long; --preserve-status tells its own exit status", async () => {
    using scene = runScene();
    const job = "trap 'sleep 0.3; : >cleaned; exit 7' TERM; sleep 30 & wait";
    const options = ["--timeout", "1s", "--grace", "10s"];
    expect((await scene.rcron([...options, "--preserve-status", "sh", "-c", job])).exitCode).toBe(7);
    expect(existsSync(scene.at("cleaned"))).toBe(true);
    expect((await scene.rcron([...options, "sh", "-c", job])).exitCode).toBe(124);
    expect((await scene.rcron([...options, "--preserve-status", "sleep", "30"])).exitCode).toBe(128 + 15);
  });

  test("is not for a job that is quicker", async () => {
    using scene = runScene();
    expect(await scene.rcron(["--timeout", "1000d", "sh", "-c", "exit 3"])).toEqual({
      exitCode: 3,
      stdout: "",
      stderr: "",
    });
    expect(scene.lastEnd()).toMatchObject({ ok: false, cause: "exit", exit: 3 });
  });

  test("ends a tree of two hundred", async () => {
    using scene = runScene();
    const job =
      "i=0; while [ $i -lt 200 ]; do sleep 60 & echo $! >>pids; i=$((i+1)); done; : >all; echo 1 >ready; wait";
    const child = scene.start(["--timeout", "2s", "sh", "-c", job]);
    await scene.sees("ready");
    const pids = readFileSync(scene.at("pids"), "utf8").trim().split("\n").map(Number);
    expect(pids).toHaveLength(200);
    expect(pids.every(isAlive)).toBe(true);
    expect(await child.exited).toBe(124);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("ends what left the session, what ignores TERM there, and what is halted", async () => {
    using scene = runScene();
    const job = `
      setsid sh -c 'echo $$ >daemon; trap "" TERM; while :; do sleep 0.1; done' &
      setsid setsid sh -c 'echo $$ >twice; exec sleep 60' &
      (setsid sh -c 'echo $$ >orphan; exec sleep 60' &)
      sh -c 'echo $$ >halted; kill -STOP $$; sleep 60' &
      wait`;
    const child = scene.start(["--timeout", "1s", "--grace", "1s", "sh", "-c", job]);
    const pids: number[] = [];
    for (const name of ["daemon", "twice", "orphan", "halted"]) pids.push(Number(await scene.sees(name)));
    expect(pids.every(isAlive)).toBe(true);
    expect(await child.exited).toBe(124);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(scene.lastEnd().survivors).toBeUndefined();
  });

  test("leaves alone what is not the job's: a process that rcron's own caller started", async () => {
    using scene = runScene();
    const bystander = Bun.spawn(["sleep", "60"]);
    await scene.rcron(["--timeout", "1s", "sleep", "30"]);
    expect(isAlive(bystander.pid)).toBe(true);
    bystander.kill();
  });
});

describe("--success and --error", () => {
  test.each([
    ["0", "exit 0", 0, true],
    ["0,3", "exit 3", 3, true],
    ["0,3", "exit 4", 4, false],
    ["3", "exit 0", 0, false],
  ] as const)("--success %s, %s: exit status %i, ok %p", async (success, job, exitCode, ok) => {
    using scene = runScene();
    const ended = await scene.rcron(["--success", success, "sh", "-c", job]);
    expect(ended.exitCode).toBe(exitCode);
    expect(scene.lastEnd()).toMatchObject({ ok, cause: "exit" });
  });

  test.each([
    ["if-stderr", "echo word >&2", 0, false, "stderr"],
    ["if-stderr", "exit 5", 5, true, "exit"],
    ["if-nonzero", "echo word >&2", 0, true, "exit"],
    ["if-nonzero,if-stderr", "exit 5", 5, false, "exit"],
    ["if-nonzero,if-stderr", "echo word", 0, true, "exit"],
    ["if-stderr", "kill -9 $$", 137, false, "signal"],
  ] as const)("--error %s: %s", async (error, job, exitCode, ok, cause) => {
    using scene = runScene();
    const ended = await scene.rcron(["--error", error, "sh", "-c", job]);
    expect(ended.exitCode).toBe(exitCode);
    if (job.startsWith("echo")) expect(ended.stdout + ended.stderr).toBe("word\n");
    expect(scene.lastEnd()).toMatchObject({ ok, cause });
  });
});

describe("--retry", () => {
  const counting = "echo x >>tries; n=$(wc -l <tries)";

  test("starts a failed job again until it succeeds", async () => {
    using scene = runScene();
    const begun = performance.now();
    const job = `${counting}; [ $n -ge 3 ] || exit 9`;
    const ended = await scene.rcron(["--retry", "5", "--retry-delay", "1s", "sh", "-c", job]);
    expect(ended.exitCode).toBe(0);
    expect(performance.now() - begun).toBeWithin(3000, 8000); // 1 s, and twice that
    expect(scene.lastEnd()).toMatchObject({ ok: true, attempts: 3, exit: 0 });
  });

  test("gives up after so many, with the last exit status", async () => {
    using scene = runScene();
    const job = `${counting}; exit $((n + 10))`;
    const ended = await scene.rcron(["--retry", "1", "--retry-delay", "1s", "sh", "-c", job]);
    expect(ended.exitCode).toBe(12);
    expect(scene.lastEnd()).toMatchObject({ ok: false, attempts: 2, exit: 12 });
    expect(scene.events().map(({ kind }) => kind)).toEqual(["start", "end"]);
  });

  test("after a timeout, too", async () => {
    using scene = runScene();
    const job = `${counting}; [ $n -ge 2 ] || exec sleep 30`;
    const options = ["--timeout", "1s", "--retry", "1", "--retry-delay", "1s"];
    expect((await scene.rcron([...options, "sh", "-c", job])).exitCode).toBe(0);
    expect(scene.lastEnd()).toMatchObject({ ok: true, attempts: 2 });
  });

  test("TERM while it waits ends the run; nothing is started any more", async () => {
    using scene = runScene();
    const child = scene.start(["--retry", "3", "--retry-delay", "30s", "sh", "-c", "echo x >>tries; exit 6"]);
    await scene.sees("tries");
    await Bun.sleep(300);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(6);
    expect(readFileSync(scene.at("tries"), "utf8")).toBe("x\n");
    expect(scene.lastEnd()).toMatchObject({ ok: false, exit: 6 });
    expect(scene.lastEnd().attempts).toBeUndefined();
  });

  test("asks the gate before each attempt", async () => {
    using scene = runScene();
    const child = scene.start(["--retry", "3", "--retry-delay", "1s", "sh", "-c", "echo x >>tries; exit 6"]);
    await scene.sees("tries");
    scene.say("passive");
    expect(await child.exited).toBe(6);
    expect(readFileSync(scene.at("tries"), "utf8")).toBe("x\n");
  });

  test("is not for a job that TERM ended by way of rcron", async () => {
    using scene = runScene();
    const job = "echo x >>tries; exec sleep 30";
    const child = scene.start(["--retry", "3", "--retry-delay", "1s", "sh", "-c", job]);
    await scene.sees("tries");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(128 + 15);
    expect(readFileSync(scene.at("tries"), "utf8")).toBe("x\n");
  });
});

describe("exit statuses under rules", () => {
  const supervised = ["--timeout", "20s"];

  test.each([
    ["exit 0", 0],
    ["exit 7", 7],
    ["exit 255", 255],
    ["kill -9 $$", 137],
    ["kill -TERM $$", 143],
  ] as const)("%s: %i", async (job, exitCode) => {
    using scene = runScene();
    expect((await scene.rcron([...supervised, "sh", "-c", job])).exitCode).toBe(exitCode);
    const signal = exitCode > 128 && exitCode < 255;
    expect(scene.lastEnd()).toMatchObject(signal ? { signal: exitCode - 128 } : { exit: exitCode });
  });

  test("127 and 126 for a command that can't be started, said once", async () => {
    using scene = runScene();
    writeFileSync(scene.at("plain"), "text");
    const missing = await scene.rcron([...supervised, "--output", "cron", "no-such-program"]);
    expect(missing.exitCode).toBe(127);
    expect(missing.stderr.match(/command not found/g)).toHaveLength(1);
    expect(scene.lastEnd()).toMatchObject({ ok: false, cause: "not-started", exit: 127 });
    expect((await scene.rcron([...supervised, scene.at("plain")])).exitCode).toBe(126);
  });

  test("--skip-exit on a passive machine", async () => {
    using scene = runScene();
    scene.say("passive");
    expect((await scene.rcron(["--skip-exit", "75", "touch", "ran"])).exitCode).toBe(75);
    expect((await scene.rcron(["--timeout", "1s", "touch", "ran"])).exitCode).toBe(0);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip()).toMatchObject({ why: "passive" });
  });
});

describe("signals to rcron under rules", () => {
  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
    ["SIGUSR1", 138],
  ] as const)("%s reaches the job, once, and its end is rcron's", async (signal, exitCode) => {
    using scene = runScene();
    const child = scene.start(["--output", "cron", "sh", "-c", "echo 1 >ready; exec sleep 30"]);
    await scene.sees("ready");
    child.kill(signal);
    expect(await child.exited).toBe(exitCode);
    expect(scene.lastEnd()).toMatchObject({ signal: exitCode - 128 });
  });

  test("a signal is passed on once, though the job has a group of its own", async () => {
    using scene = runScene();
    const job = "trap 'echo got >>log' TERM; echo 1 >ready; until [ -e go ]; do sleep 0.02; done; exit 7";
    const child = scene.start(["--timeout", "20s", "sh", "-c", job]);
    await scene.sees("ready");
    child.kill("SIGTERM");
    await scene.sees("log");
    await Bun.sleep(300);
    writeFileSync(scene.at("go"), "");
    expect(await child.exited).toBe(7);
    expect(readFileSync(scene.at("log"), "utf8")).toBe("got\n");
  });

  test("TERM during the splay's wait ends the run before the job, and the record has it", async () => {
    using scene = runScene();
    const child = scene.start(["--jitter", "1000d", "touch", "ran"]);
    await Bun.sleep(400);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip()).toMatchObject({
      why: "failed-before-start",
      sentence: "ended by SIGTERM before the job was started",
    });
  });

  test("a signal in the first moments never leaves a job behind, and never a run without an end", async () => {
    using scene = runScene();
    for (let run = 0; run < 60; run++) {
      const child = scene.start(["--output", "cron", "--overlap", "skip", "sleep", `301.${process.pid}`]);
      await Bun.sleep((run % 30) * 0.8);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(143);
    }
    const left = Bun.spawnSync(["pgrep", "-xf", `sleep 301.${process.pid}`]);
    expect(left.stdout.toString()).toBe("");
    const kinds = scene.events().map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "start").length).toBe(
      kinds.filter((kind) => kind === "end").length,
    );
  });
});

describeWith("a run under rules on a terminal", ["python3"], () => {
  test("reads what is typed; Ctrl-C reaches the job once, by way of rcron", async () => {
    using scene = runScene();
    const typist = `
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
def wait_for(name):
    end = time.monotonic() + 8
    while time.monotonic() < end and not os.path.exists(name):
        time.sleep(0.02)
wait_for("ready")
os.write(fd, b"typed\\n")
wait_for("read")
os.write(fd, b"\\x03")
wait_for("INT")
time.sleep(0.3)
open("end", "w").close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
    const job =
      'trap "echo INT >>INT" INT; : >ready; read word; echo $word >read; until [ -e end ]; do sleep 0.05; done; exit 7';
    const words = [binary, "--conf", scene.at("conf"), "--timeout", "20s", "sh", "-c", job];
    const child = Bun.spawn(["python3", "-c", typist, ...words], { cwd: scene.at("."), timeout: 30_000 });
    expect(await child.exited).toBe(7);
    expect(readFileSync(scene.at("read"), "utf8")).toBe("typed\n");
    expect(readFileSync(scene.at("INT"), "utf8")).toBe("INT\n");
  });
});

describeWith("rcron without libc, under rules", [], () => {
  const env = { ...process.env, BUN_JSC_useJIT: "0" };

  test("still has a timeout, retries and failures", async () => {
    using scene = runScene();
    expect((await scene.rcron(["--timeout", "1s", "sleep", "30"], { env })).exitCode).toBe(124);
    const job = "echo x >>tries; [ $(wc -l <tries) -ge 2 ]";
    const ended = await scene.rcron(["--retry", "1", "--retry-delay", "1s", "sh", "-c", job], { env });
    expect(ended.exitCode).toBe(0);
  });

  test("does not copy output, and says so; the job runs, and its output is where it would be without us", async () => {
    using scene = runScene();
    const job = "echo one; echo two >&2; exit 5";
    const ended = await scene.rcron(["--output", scene.at("out"), "sh", "-c", job], { env });
    expect(ended.exitCode).toBe(5);
    expect(ended.stdout).toBe("one\n");
    expect(ended.stderr).toContain("can't be copied: this process can't call the C library");
    expect(ended.stderr).toContain("two\n");
  });

  test("refuses what it can't do: a lock, another user", async () => {
    using scene = runScene();
    for (const options of [
      ["--overlap", "skip"],
      ["--user", "nobody"],
    ]) {
      const ended = await scene.rcron([...options, "touch", "ran"], { env });
      expect(ended.exitCode).toBe(125);
      expect(ended.stderr).toContain("can't call the C library");
    }
    expect(existsSync(scene.at("ran"))).toBe(false);
  });
});

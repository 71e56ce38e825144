/**
 * Whether and when a run starts: overlap, splay, condition, and the gate that is asked again.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { isAlive, type RunScene, runScene } from "../support/run-scene.ts";

setDefaultTimeout(40_000);

/** Says that it is there in the file `ready`, and goes on until `go` is there. */
const longJob =
  "echo $$ >>ready; tries=0; until [ -e go ] || [ $tries -ge 500 ]; do sleep 0.02; tries=$((tries+1)); done";

const go = (scene: RunScene) => writeFileSync(scene.at("go"), "");

describe("--overlap", () => {
  test("allow: both run", async () => {
    using scene = runScene();
    const first = scene.start(["--timeout", "20s", "--name", "one", "sh", "-c", longJob]);
    await scene.sees("ready");
    expect(
      (await scene.rcron(["--overlap", "allow", "--timeout", "20s", "--name", "one", "true"])).exitCode,
    ).toBe(0);
    go(scene);
    expect(await first.exited).toBe(0);
    expect(scene.events().filter(({ kind }) => kind === "skip")).toEqual([]);
  });

  test("skip: the second one does not run, and the record has who holds the lock, and since when", async () => {
    using scene = runScene();
    const first = scene.start(["--overlap", "skip", "--name", "one", "sh", "-c", longJob]);
    const pid = Number(await scene.sees("ready"));
    const second = ["--overlap", "skip", "--name", "one"];
    expect(await scene.rcron([...second, "touch", "ran"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect((await scene.rcron([...second, "--skip-exit", "75", "touch", "ran"])).exitCode).toBe(75);
    expect(existsSync(scene.at("ran"))).toBe(false);
    const start = scene.events().find((event) => event.kind === "start");
    const skip = scene.lastSkip();
    expect(skip).toMatchObject({ why: "overlap", holder: { pid, run: start?.run ?? "none" } });
    expect(skip.holder?.since).toBeWithin(Date.now() - 20_000, Date.now());
    expect(skip.sentence).toMatch(/^the run of \d\d:\d\d:\d\d still goes on \(pid \d+, \d+ s\)$/);
    go(scene);
    expect(await first.exited).toBe(0);
    expect((await scene.rcron([...second, "touch", "ran"])).exitCode).toBe(0);
    expect(existsSync(scene.at("ran"))).toBe(true);
  });

  test("one lock per job and cluster: another job, and the same one of another cluster, are not held up", async () => {
    using scene = runScene();
    using elsewhere = runScene();
    const first = scene.start(["--overlap", "skip", "--name", "one", "sh", "-c", longJob]);
    await scene.sees("ready");
    await scene.rcron(["--overlap", "skip", "--name", "two", "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(true);
    await elsewhere.rcron(["--overlap", "skip", "--name", "one", "touch", "ran"]);
    expect(existsSync(elsewhere.at("ran"))).toBe(true);
    go(scene);
    await first.exited;
  });

  test("wait: the second one runs when the first has ended", async () => {
    using scene = runScene();
    const first = scene.start(["--overlap", "wait", "--name", "one", "sh", "-c", longJob]);
    await scene.sees("ready");
    const second = scene.start(["--overlap", "wait", "--name", "one", "sh", "-c", "cat go; touch ran"]);
    await Bun.sleep(600);
    expect(existsSync(scene.at("ran"))).toBe(false);
    go(scene);
    expect(await first.exited).toBe(0);
    expect(await second.exited).toBe(0);
  });

  test("wait=1s: gives up", async () => {
    using scene = runScene();
    const first = scene.start(["--overlap", "wait", "--name", "one", "sh", "-c", longJob]);
    await scene.sees("ready");
    const begun = performance.now();
    const second = await scene.rcron([
      "--overlap=wait=1s",
      "--name",
      "one",
      "--skip-exit",
      "9",
      "touch",
      "ran",
    ]);
    expect(performance.now() - begun).toBeWithin(1000, 4000);
    expect(second.exitCode).toBe(9);
    expect(scene.lastSkip().why).toBe("overlap");
    go(scene);
    await first.exited;
  });

  test("wait: the state is asked again; a machine that is passive by then runs nothing", async () => {
    using scene = runScene();
    const first = scene.start(["--overlap", "wait", "--name", "one", "sh", "-c", longJob]);
    await scene.sees("ready");
    const second = scene.start(["--overlap", "wait", "--skip-exit", "9", "--name", "one", "touch", "ran"]);
    await Bun.sleep(800);
    scene.say("passive");
    go(scene);
    await first.exited;
    expect(await second.exited).toBe(9);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip().why).toBe("passive");
  });

  test("wait: TERM ends the waiting", async () => {
    using scene = runScene();
    const first = scene.start(["--overlap", "wait", "--name", "one", "sh", "-c", longJob]);
    await scene.sees("ready");
    const second = scene.start(["--overlap", "wait", "--name", "one", "touch", "ran"]);
    await Bun.sleep(300);
    second.kill("SIGTERM");
    expect(await second.exited).toBe(143);
    expect(isAlive(first.pid)).toBe(true);
    go(scene);
    await first.exited;
  });

  test.each([
    ["that ends by the signal", "echo $$ >>ready; exec sleep 30", 143],
    ["that ends with a status of its own", "trap 'exit 7' TERM; echo $$ >>ready; sleep 30 & wait", 7],
    ["that calls it a success", "trap 'exit 0' TERM; echo $$ >>ready; sleep 30 & wait", 0],
  ] as const)("clobber: ends a run %s; it is not tried again", async (_, job, exitCode) => {
    using scene = runScene();
    const options = ["--overlap", "clobber", "--name", "one", "--retry", "3", "--retry-delay", "1s"];
    const first = scene.start([...options, "sh", "-c", job]);
    await scene.sees("ready");
    const second = await scene.rcron([...options, "touch", "ran"]);
    expect(second).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(existsSync(scene.at("ran"))).toBe(true);
    expect(await first.exited).toBe(exitCode);
    expect(await new Response(first.stderr).text()).toContain("was ended for the next run of it");
    await Bun.sleep(1200);
    expect(readFileSync(scene.at("ready"), "utf8").trim().split("\n")).toHaveLength(1);
    const ends = scene.events().filter((event) => event.kind === "end");
    expect(ends.find(({ cause }) => cause === "clobbered")?.ok).toBe(false);
    expect(ends.find(({ cause }) => cause === "exit")?.ok).toBe(true);
  });

  test("clobber: ends a run that waits for its retry", async () => {
    using scene = runScene();
    const options = ["--overlap", "clobber", "--name", "one"];
    const first = scene.start([
      ...options,
      "--retry",
      "3",
      "--retry-delay",
      "1h",
      "sh",
      "-c",
      "echo 1 >ready; exit 4",
    ]);
    await scene.sees("ready");
    await Bun.sleep(200);
    const second = await scene.rcron([...options, "touch", "ran"]);
    expect(second.exitCode).toBe(0);
    expect(existsSync(scene.at("ran"))).toBe(true);
    expect(await first.exited).toBe(4);
    const ends = scene.events().filter((event) => event.kind === "end");
    expect(ends.map(({ cause }) => cause)).toEqual(["clobbered", "exit"]);
  });

  test("clobber: TERM while the earlier run has its grace ends the later one, too", async () => {
    using scene = runScene();
    const options = ["--overlap", "clobber", "--name", "one", "--grace", "20s"];
    const job = "trap 'echo 1 >told' TERM; echo 1 >ready; until [ -e go ]; do sleep 0.02; done";
    const first = scene.start([...options, "sh", "-c", job]);
    await scene.sees("ready");
    const second = scene.start([...options, "touch", "ran"]);
    await scene.sees("told");
    second.kill("SIGTERM");
    await Bun.sleep(100);
    go(scene);
    await first.exited;
    expect(await second.exited).toBe(143);
    expect(existsSync(scene.at("ran"))).toBe(false);
  });

  test("a daemon that the job starts does not inherit the lock: the next run starts", async () => {
    using scene = runScene();
    const job = "setsid sleep 60 >/dev/null 2>&1 & echo $! >daemon";
    const options = ["--overlap", "skip", "--name", "one"];
    expect((await scene.rcron([...options, "sh", "-c", job])).exitCode).toBe(0);
    const pid = Number(await scene.sees("daemon"));
    expect(isAlive(pid)).toBe(true);
    await scene.rcron([...options, "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(true);
    process.kill(pid);
  });

  test("--overlap-scope tree: the next run starts when all that the job started has ended", async () => {
    using scene = runScene();
    const job = "setsid sleep 60 >/dev/null 2>&1 & echo $! >daemon";
    const options = ["--overlap", "skip", "--overlap-scope", "tree", "--name", "one"];
    expect((await scene.rcron([...options, "sh", "-c", job])).exitCode).toBe(0);
    const pid = Number(await scene.sees("daemon"));
    await scene.rcron([...options, "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip().why).toBe("overlap");
    process.kill(pid);
    while (isAlive(pid)) await Bun.sleep(5);
    await scene.rcron([...options, "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(true);
  });

  test("a killed rcron leaves its job with the lock, until the job ends", async () => {
    using scene = runScene();
    const options = ["--overlap", "skip", "--name", "one"];
    const first = scene.start([...options, "sh", "-c", longJob]);
    const pid = Number(await scene.sees("ready"));
    first.kill("SIGKILL");
    await first.exited;
    await scene.rcron([...options, "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip().holder?.pid).toBe(pid);
    go(scene);
    while (isAlive(pid)) await Bun.sleep(5);
    await scene.rcron([...options, "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(true);
  });

  test("clobber: ends the job of an rcron that was killed", async () => {
    using scene = runScene();
    const options = ["--overlap", "clobber", "--name", "one"];
    const first = scene.start([...options, "sh", "-c", "echo $$ >ready; exec sleep 60"]);
    const pid = Number(await scene.sees("ready"));
    first.kill("SIGKILL");
    await first.exited;
    await scene.rcron([...options, "touch", "ran"]);
    expect(existsSync(scene.at("ran"))).toBe(true);
    expect(isAlive(pid)).toBe(false);
  });

  test("forty at once: exactly one runs", async () => {
    using scene = runScene();
    const all = Array.from({ length: 40 }, () =>
      scene.rcron([
        "--overlap",
        "skip",
        "--skip-exit",
        "9",
        "--name",
        "one",
        "sh",
        "-c",
        "echo x >>ran; sleep 3",
      ]),
    );
    const statuses = (await Promise.all(all)).map(({ exitCode }) => exitCode);
    expect(statuses.filter((status) => status === 0)).toHaveLength(1);
    expect(statuses.filter((status) => status === 9)).toHaveLength(39);
    expect(readFileSync(scene.at("ran"), "utf8")).toBe("x\n");
  });
});

describeOnPrivateHost("--overlap skip in syslog", ["dist/rcron", "python3"], () => {
  test("says who holds the lock, and since when", async () => {
    const { stdout, stderr } = await onPrivateHost(`
mkdir -p /etc/rcron; echo active >/run/state
printf 'state_file = /run/state\\nhistory = none\\ncluster_name = blue\\n' >/run/conf
python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("/dev/log"); open("/run/ready", "w").close()
while True: open("/run/heard", "ab").write(s.recv(9000) + b"\\n")' &
until_ok test -e /run/ready
rcron --conf /run/conf --overlap skip --name one sh -c 'echo $$ >/run/pid; until [ -e /run/go ]; do sleep 0.02; done' & first=$!
until_ok test -s /run/pid
rcron --conf /run/conf --overlap skip --name one true
cat /run/pid; : >/run/go; wait $first
cat /run/heard`);
    const pid = stdout.split("\n", 1)[0] ?? "";
    expect(stderr).toBe("");
    expect(stdout.replaceAll(pid, "PID")).toMatch(
      /status=skip why=overlap \(the run of [\d:]+ still goes on \(pid PID, \d+ s\)\) cmd=true/,
    );
  });
});

describe("--jitter and --splay", () => {
  test("--jitter starts later, by less than was said", async () => {
    using scene = runScene();
    const begun = performance.now();
    expect((await scene.rcron(["--jitter", "1s", "true"])).exitCode).toBe(0);
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  test("--splay of a second is no delay; the state is asked after a long one", async () => {
    using scene = runScene();
    const begun = performance.now();
    expect((await scene.rcron(["--splay", "1s", "true"])).exitCode).toBe(0);
    expect(performance.now() - begun).toBeLessThan(3000);
  });
});

describe("--if", () => {
  test.each([
    ["exit 0", true, undefined],
    ["exit 1", false, "the condition said no: exit status 1"],
    ["echo first; echo 'not today' >&2; exit 3", false, "the condition said no: exit status 3: not today"],
    ["no-such-program-at-all", false, /^the condition said no: exit status 127: .*not found$/],
    ["kill -9 $$", false, "the condition said no: SIGKILL"],
    ['test -z "$(cat)"', true, undefined],
    ['test -n "$RCRON_RUN_ID"', true, undefined],
  ] as const)("%s", async (condition, isRun, sentence) => {
    using scene = runScene();
    const ended = await scene.rcron(["--if", condition, "--skip-exit", "9", "touch", "ran"]);
    expect(ended).toEqual({ exitCode: isRun ? 0 : 9, stdout: "", stderr: "" });
    expect(existsSync(scene.at("ran"))).toBe(isRun);
    if (sentence === undefined) return;
    expect(scene.lastSkip().why).toBe("condition");
    if (typeof sentence === "string") expect(scene.lastSkip().sentence).toBe(sentence);
    else expect(scene.lastSkip().sentence).toMatch(sentence);
  });

  test("has a timeout of its own, which ends all that it has started", async () => {
    using scene = runScene();
    const condition = "sleep 60 & echo $! >child; wait";
    const ended = await scene.rcron([
      "--if",
      condition,
      "--if-timeout",
      "1s",
      "--skip-exit",
      "9",
      "touch",
      "ran",
    ]);
    expect(ended.exitCode).toBe(9);
    expect(scene.lastSkip().sentence).toBe("the condition gave no answer within 1 s");
    expect(isAlive(Number(readFileSync(scene.at("child"), "utf8")))).toBe(false);
  });

  test("the last line of much that it says is the reason", async () => {
    using scene = runScene();
    const condition = "head -c 3000000 /dev/zero | tr '\\\\0' x; echo; echo why; exit 1";
    await scene.rcron(["--if", condition, "true"]);
    expect(scene.lastSkip().sentence).toBe("the condition said no: exit status 1: why");
  });

  test("TERM while it is asked ends it and the run", async () => {
    using scene = runScene();
    const child = scene.start(["--if", "echo $$ >ready; exec sleep 30", "touch", "ran"]);
    const pid = Number(await scene.sees("ready"));
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(isAlive(pid)).toBe(false);
    expect(scene.lastSkip().why).toBe("failed-before-start");
  });

  test("the state is asked again after a long one", async () => {
    using scene = runScene();
    const child = scene.start(["--if", "echo 1 >ready; sleep 1.2", "--skip-exit", "9", "touch", "ran"]);
    await scene.sees("ready");
    scene.say("passive");
    expect(await child.exited).toBe(9);
    expect(existsSync(scene.at("ran"))).toBe(false);
  });
});

describeWith("--overlap without a folder for locks", ["root", "unshare"], () => {
  test("runs nothing, and says what is in the way", async () => {
    using scene = runScene();
    const script = `mount -t tmpfs -o ro tmpfs /run && exec "$@"`;
    const { binary } = await import("../support/program.ts");
    const child = Bun.spawnSync(
      [
        "unshare",
        "-m",
        "sh",
        "-c",
        script,
        "sh",
        binary,
        "--conf",
        scene.at("conf"),
        "--overlap",
        "skip",
        "touch",
        "ran",
      ],
      { cwd: scene.at(".") },
    );
    expect(child.exitCode).toBe(125);
    expect(child.stderr.toString()).toMatch(/the lock \/run\/rcron\/.* can't be used: read-only file system/);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip()).toMatchObject({ why: "failed-before-start" });
  });
});

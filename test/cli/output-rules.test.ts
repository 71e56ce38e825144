/**
 * What becomes of a job's output: receivers, order, amount, and readers that go away or stand still.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { binary } from "../support/program.ts";
import { isAlive, runScene } from "../support/run-scene.ts";

setDefaultTimeout(60_000);

const both = ["sh", "-c", "echo one; echo two >&2; echo three; exit 4"];

describe("--output", () => {
  test("a file: appended to, by all attempts, readable for owner and group alone", async () => {
    using scene = runScene();
    const out = scene.at("out");
    writeFileSync(out, "before\n");
    expect(await scene.rcron(["--output", out, ...both])).toEqual({ exitCode: 4, stdout: "", stderr: "" });
    expect(readFileSync(out, "utf8")).toBe("before\none\ntwo\nthree\n");
    const fresh = scene.at("fresh");
    await scene.rcron([
      "--output",
      fresh,
      "--retry",
      "1",
      "--retry-delay",
      "1s",
      "sh",
      "-c",
      "echo x; exit 1",
    ]);
    expect(readFileSync(fresh, "utf8")).toBe("x\nx\n");
    expect(statSync(fresh).mode & 0o777 & ~0o640).toBe(0);
  });

  test("a file that can't be written is told; the job runs, with its own exit status", async () => {
    using scene = runScene();
    const ended = await scene.rcron(["--output", "/no-such-folder/out", ...both]);
    expect(ended.exitCode).toBe(4);
    expect(ended.stdout).toBe("");
    expect(ended.stderr).toBe(
      "rcron: warning: can't write output to /no-such-folder/out: no such file or directory\n",
    );
  });

  test("cron: this process's own two streams, each to its own", async () => {
    using scene = runScene();
    expect(await scene.rcron(["--output", "cron", ...both])).toEqual({
      exitCode: 4,
      stdout: "one\nthree\n",
      stderr: "two\n",
    });
  });

  test("cron: in the job's order where both lead to the same place, as cron has it", async () => {
    using scene = runScene();
    const job = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo $i >&2; done";
    const { stdout } = await scene.shell(`R --output cron sh -c '${job}' 2>&1 | cat`);
    expect(stdout).toBe([1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `${i}\n${i}\n`).join(""));
  });

  test("if-error:cron says nothing of a job that succeeds, and all of one that fails", async () => {
    using scene = runScene();
    const ok = await scene.rcron(["--output", "if-error:cron", "sh", "-c", "echo one; echo two >&2"]);
    expect(ok).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    const failed = await scene.rcron(["--output", "if-error:cron", ...both]);
    expect(failed).toEqual({ exitCode: 4, stdout: "one\ntwo\nthree\n", stderr: "" });
  });

  test("if-error:FILE has what was printed before the failure was known, and of every attempt", async () => {
    using scene = runScene();
    const out = scene.at("out");
    await scene.rcron(["--output", `if-error:${out}`, "sh", "-c", "echo quiet"]);
    expect(existsSync(out)).toBe(false);
    const options = ["--output", `if-error:${out}`, "--retry", "1", "--retry-delay", "1s"];
    await scene.rcron([...options, "sh", "-c", "head -c 700000 /dev/zero | tr '\\0' x; exit 1"]);
    expect(statSync(out).size).toBe(1_400_000);
  });

  test("several receivers, each with all of it", async () => {
    using scene = runScene();
    const [a, b] = [scene.at("a"), scene.at("b")];
    const ended = await scene.rcron([
      "--output",
      a,
      "--output",
      "cron",
      "--output",
      `if-error:${b}`,
      ...both,
    ]);
    expect(ended).toEqual({ exitCode: 4, stdout: "one\nthree\n", stderr: "two\n" });
    expect(readFileSync(a, "utf8").split("\n").sort()).toEqual(["", "one", "three", "two"]);
    expect(readFileSync(b, "utf8").split("\n").sort()).toEqual(["", "one", "three", "two"]);
  });

  test("the record keeps head and tail, and says how much was left out between", async () => {
    using scene = runScene();
    await scene.rcron([
      "--output",
      "/dev/null",
      "sh",
      "-c",
      "echo first; head -c 100000 /dev/zero; echo last",
    ]);
    const { output } = scene.lastEnd();
    expect(output).toMatchObject({ bytes: 100_011, leftOut: 100_011 - 32 * 1024 });
    const text = (part = "") => new TextDecoder().decode(Bun.gunzipSync(Buffer.from(part, "base64")));
    expect(text(output?.head)).toStartWith("first\n");
    expect(text(output?.tail)).toEndWith("last\n");
  });
});

describe("nothing is wrapped or cut", () => {
  test("some megabytes of random bytes arrive as they are, in each receiver", async () => {
    using scene = runScene();
    const random = new Uint8Array(5_000_000);
    for (let at = 0; at < random.length; at += 50_000)
      crypto.getRandomValues(random.subarray(at, at + 50_000));
    writeFileSync(scene.at("random"), random);
    const { exitCode, stdout } = await scene.shell(
      `R --output "$PWD/file" --output cron --output "if-error:$PWD/held" sh -c 'cat random; exit 1' >direct
       R --output cron cat random | cat >piped
       R --output cron cat random | (sleep 0.5; cat) >late
       for copy in direct piped late file held; do cmp random $copy && echo same; done`,
    );
    expect(exitCode).toBe(0);
    expect(stdout).toBe("same\n".repeat(5));
  });

  test("single bytes, a line without an end, and no output at all", async () => {
    using scene = runScene();
    const { stdout } = await scene.rcron([
      "--output",
      "cron",
      "dd",
      "if=/dev/zero",
      "bs=1",
      "count=20000",
      "status=none",
    ]);
    expect(stdout).toBe("\0".repeat(20_000));
    expect((await scene.rcron(["--output", "cron", "printf", "no end"])).stdout).toBe("no end");
    expect((await scene.rcron(["--output", "cron", "true"])).stdout).toBe("");
    expect(scene.lastEnd().output).toBeUndefined();
  });

  test("the last words of a job that ends at once, a hundred times", async () => {
    using scene = runScene();
    for (let run = 0; run < 100; run++) {
      expect((await scene.rcron(["--output", "cron", "echo", "last words"])).stdout).toBe("last words\n");
    }
  });

  test("a terminal gets it as well", async () => {
    using scene = runScene();
    const typist = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    const words = [binary, "--conf", scene.at("conf"), "--output", "cron", "seq", "1", "20000"];
    const child = Bun.spawn(["python3", "-c", typist, ...words], { stdin: "ignore", stdout: "pipe" });
    const text = await child.stdout.text();
    expect(text.replaceAll("\r", "")).toBe(Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join(""));
  });
});

describe("what the job leaves behind with its output open", () => {
  test("does not keep the run: after a short grace it ends, output=detached", async () => {
    using scene = runScene("log_format = extended");
    const begun = performance.now();
    const job = "sleep 60 & echo $! >daemon; echo word";
    const ended = await scene.rcron(["--output", "cron", "sh", "-c", job]);
    expect(performance.now() - begun).toBeWithin(400, 4000);
    expect(ended).toEqual({ exitCode: 0, stdout: "word\n", stderr: "" });
    expect(scene.lastEnd()).toMatchObject({ ok: true, detached: true });
    const pid = Number(readFileSync(scene.at("daemon"), "utf8"));
    expect(isAlive(pid)).toBe(true);
    process.kill(pid);
  });

  test("does not keep it by talking without a pause, either", async () => {
    using scene = runScene();
    const job = "yes & echo $! >daemon";
    const ended = await scene.rcron(["--output", scene.at("out"), "sh", "-c", job], { timeoutMs: 8000 });
    expect(ended.exitCode).toBe(0);
    expect(scene.lastEnd()).toMatchObject({ detached: true });
    const pid = Number(readFileSync(scene.at("daemon"), "utf8"));
    for (let tries = 0; isAlive(pid) && tries < 200; tries++) await Bun.sleep(5);
    expect(isAlive(pid)).toBe(false); // SIGPIPE
  });

  test("what it says within the grace is taken", async () => {
    using scene = runScene();
    const ended = await scene.rcron(["--output", "cron", "sh", "-c", "(sleep 0.2; echo late) & echo early"]);
    expect(ended.stdout).toBe("early\nlate\n");
    expect(scene.lastEnd().detached).toBeUndefined();
  });
});

describe("an rcron that is killed", () => {
  test("leaves its job, which gets SIGPIPE when it writes; the record has a start and no end", async () => {
    using scene = runScene();
    const job =
      "echo 1 >ready; until [ -e go ]; do sleep 0.02; done; (yes; echo $? >status) 2>/dev/null; echo $$ >alive";
    const child = scene.start(["--output", "cron", "sh", "-c", job]);
    await scene.sees("ready");
    child.kill("SIGKILL");
    await child.exited;
    writeFileSync(scene.at("go"), "");
    expect(await scene.sees("status")).toBe("141\n");
    await scene.sees("alive");
    expect(scene.events().map(({ kind }) => kind)).toEqual(["start"]);
  });
});

describe("a reader", () => {
  test("that has seen enough ends the job by SIGPIPE, as without rcron", async () => {
    using scene = runScene();
    const { stdout } = await scene.shell(
      `R --output cron yes | head -n 1; R --output cron yes 2>&1 | head -n 1`,
    );
    expect(stdout).toBe("y\ny\n");
    const status = await scene.shell(
      `R --output cron yes | head -n 1 >/dev/null; R --output cron sh -c 'yes 2>/dev/null; echo $? >status' | head -n 1`,
    );
    expect(status.stdout).toBe("y\n");
    expect(readFileSync(scene.at("status"), "utf8")).toBe("141\n");
  });

  test("that has gone does not keep another receiver from its share", async () => {
    using scene = runScene();
    await scene.shell(`R --output cron --output "$PWD/out" seq 1 300000 | head -n 1`);
    expect(readFileSync(scene.at("out"), "utf8")).toEndWith("\n299999\n300000\n");
    await scene.shell(`R --output cron sh -c 'yes 2>/dev/null; echo after >&2' 2>err | head -n 1`);
    expect(readFileSync(scene.at("err"), "utf8")).toBe("after\n");
  });

  test("that stands still does not hold up the timeout", async () => {
    using scene = runScene();
    const begun = performance.now();
    const line = `(R --timeout 1s --output cron yes; echo $? >status) | (until [ -e status ] || [ -e enough ]; do sleep 0.05; done; cat >/dev/null)`;
    const watching = (async () => {
      const end = Date.now() + 20_000;
      while (Bun.spawnSync(["pgrep", "-f", `${scene.at("conf")}.*yes`]).exitCode === 1 && Date.now() < end)
        await Bun.sleep(20);
      await Bun.sleep(2500);
      writeFileSync(scene.at("enough"), "");
    })();
    await scene.shell(line);
    await watching;
    expect(readFileSync(scene.at("status"), "utf8")).toBe("124\n");
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(scene.lastEnd().ms).toBeWithin(1000, 2400);
  });
});

describeWith("a pipe that another user made", ["root", "setpriv"], () => {
  test("can't be opened a second time, and is written to all the same, without waiting for its reader", async () => {
    using scene = runScene();
    chmodSync(scene.at("."), 0o777);
    const as = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    const { stdout } = await scene.shell(
      `${as} rcron --conf conf --timeout 20s --output cron seq 1 300000 | (sleep 0.3; cat) | cksum
       seq 1 300000 | cksum
       (${as} rcron --conf conf --timeout 1s --output cron yes; echo $? >status) | sleep 2.5
       cat status`,
    );
    const [copied, original, status] = stdout.split("\n");
    expect(copied).toBe(original ?? "");
    expect(status).toBe("124");
  });
});

describeWith("a gigabyte", ["python3"], () => {
  test("goes through in less than 60 MB, whoever receives it", async () => {
    using scene = runScene();
    const measure = `
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=open("/dev/null", "w"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)`;
    writeFileSync(scene.at("measure.py"), measure);
    for (const [options, status] of [
      [["--output", "cron"], 0],
      [["--output", scene.at("out")], 0],
      [["--output", "if-error:cron"], 1],
    ] as const) {
      const words = [...options, "sh", "-c", `head -c 1000000000 /dev/zero; exit ${status}`];
      const child = Bun.spawn(
        ["python3", scene.at("measure.py"), binary, "--conf", scene.at("conf"), ...words],
        {
          stderr: "pipe",
        },
      );
      const peak = Number(await child.stderr.text());
      expect(peak).toBeWithin(10_000, 60_000);
      expect(scene.lastEnd().output?.bytes).toBe(1_000_000_000);
      if (existsSync(scene.at("out"))) expect(statSync(scene.at("out")).size).toBe(1_000_000_000);
    }
  });
});

describe("a file that is rotated while the job writes", () => {
  test.each([
    ["by rename", (from: string, to: string) => renameSync(from, to)],
    [
      "by copytruncate",
      (from: string, to: string) => Bun.spawnSync(["sh", "-c", `cp ${from} ${to}; : >${from}`]),
    ],
  ] as const)("%s: what comes later is in the new one", async (_, rotate) => {
    using scene = runScene();
    const out = scene.at("out");
    const job = "echo before; echo 1 >ready; until [ -e go ]; do sleep 0.05; done; echo after";
    const child = scene.start(["--output", out, "sh", "-c", job]);
    await scene.sees("out");
    rotate(out, scene.at("out.1"));
    await Bun.sleep(1100);
    writeFileSync(scene.at("go"), "");
    expect(await child.exited).toBe(0);
    expect(readFileSync(scene.at("out.1"), "utf8")).toBe("before\n");
    expect(readFileSync(out, "utf8")).toBe("after\n");
  });
});

describeOnPrivateHost("output on a machine of its own", ["dist/rcron", "python3"], () => {
  const prelude = `
mkdir -p /etc/rcron; echo active >/run/state
printf 'state_file = /run/state\\nhistory = none\\ncluster_name = blue\\n' >/run/conf
`;

  test("syslog has each line, in order, under the job's name; redacted where that is asked for", async () => {
    const { stdout, stderr } = await onPrivateHost(`${prelude}
echo 'redact = pass=\\S+' >>/run/conf
python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("/dev/log"); open("/run/ready", "w").close()
while True: open("/run/heard", "ab").write(s.recv(9000) + b"\\n")' &
until_ok test -e /run/ready
rcron --conf /run/conf --output syslog --name one sh -c 'seq 1 500; printf "pass=secret \\033[1m\\n\\nlast"'
until_ok grep -q status=ok /run/heard
sed -n 's/.*rcron.[0-9]*.: one: //p' /run/heard`);
    expect(stderr).toBe("");
    const lines = stdout.trimEnd().split("\n");
    expect(lines.slice(0, 500)).toEqual(Array.from({ length: 500 }, (_, i) => String(i + 1)));
    expect(lines.slice(500)).toHaveLength(2);
    expect(lines[500]).not.toContain("secret");
    expect(lines[501]).toBe("last");
  });

  test("a full disk: the job runs on, and both file and person have what is lost", async () => {
    const { stdout, stderr } = await onPrivateHost(`${prelude}
mkdir /run/small; mount -t tmpfs -o size=256k tmpfs /run/small
rcron --conf /run/conf --output /run/small/out sh -c 'head -c 1000000 /dev/zero; exit 3' 2>/run/err || echo $?
stat -c %s /run/small/out; cat /run/err`);
    expect(stderr).toBe("");
    expect(stdout).toBe(
      "3\n262144\nrcron: warning: /run/small/out: no space left on device\nrcron: warning: /run/small/out: 737856 bytes of output were lost\n",
    );
  });
});

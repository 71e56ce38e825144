/**
 * As whom, where and with what a job runs: `--nice`, `--user`, `--cwd`, `--umask`, `--env-file`; and nothing besides.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { describeWith } from "../support/debian.ts";
import { binary } from "../support/program.ts";
import { runScene } from "../support/run-scene.ts";

setDefaultTimeout(40_000);

describe("--nice", () => {
  test.each([
    ["5", "5\n"],
    ["19", "19\n"],
    ["none", "0\n"],
  ])("%s", async (nice, shown) => {
    using scene = runScene("nice_level = 0");
    expect((await scene.rcron(["--nice", nice, "nice"])).stdout).toBe(shown);
    expect((await scene.rcron(["--nice", nice, "--timeout", "9s", "nice"])).stdout).toBe(shown);
  });
});

describe("--umask", () => {
  test("is the job's alone, read as octal", async () => {
    using scene = runScene();
    const ended = await scene.rcron([
      "--umask",
      "027",
      "--output",
      scene.at("out"),
      "sh",
      "-c",
      "umask; echo x >made; stat -c %a made",
    ]);
    expect(ended.exitCode).toBe(0);
    const shown = await scene.rcron(["--umask", "0077", "sh", "-c", "umask"]);
    expect(shown.stdout).toBe("0077\n");
    expect(await Bun.file(scene.at("out")).text()).toBe("0027\n640\n");
  });

  test("with a caller that wants exactness", async () => {
    using scene = runScene();
    const line = `umask 002; nohup '${binary}' --conf '${scene.at("conf")}' --umask 077 sh -c umask 2>/dev/null`;
    const child = Bun.spawnSync(["sh", "-c", line]);
    expect(child.stdout.toString()).toBe("0077\n");
  });
});

describe("--cwd", () => {
  test.each([
    ["", ""],
    ["with the caller ignoring HUP, ", "nohup "],
  ])("%sis where the job runs; a relative program is looked for there", async (_, before) => {
    using scene = runScene();
    mkdirSync(scene.at("there"));
    writeFileSync(scene.at("there/here"), "#!/bin/sh\npwd\n", { mode: 0o755 });
    const line = `${before}'${binary}' --conf '${scene.at("conf")}' --cwd '${scene.at("there")}' ./here 2>/dev/null`;
    const child = Bun.spawnSync(["sh", "-c", line], { cwd: scene.at(".") });
    expect(child.stdout.toString()).toBe(`${scene.at("there")}\n`);
    expect(child.exitCode).toBe(0);
  });

  test.each([
    ["missing", "no such file or directory"],
    ["file", "not a directory"],
  ])("%s: nothing runs, and the folder is named, not the program", async (name, reason) => {
    using scene = runScene();
    writeFileSync(scene.at("file"), "");
    for (const before of [[], ["env", "-i", "nohup"]]) {
      const words = [
        ...before,
        binary,
        "--conf",
        scene.at("conf"),
        "--cwd",
        scene.at(name),
        "/bin/echo",
        "word",
      ];
      const child = Bun.spawnSync(words, { stdin: "ignore" });
      expect(child.exitCode).toBe(125);
      expect(child.stdout.toString()).toBe("");
      expect(child.stderr.toString()).toContain(
        `rcron: the working folder must be one that can be entered: got "${scene.at(name)}": ${reason}\n`,
      );
      expect(scene.lastEnd()).toMatchObject({ ok: false, cause: "not-started", exit: 125 });
    }
  });
});

describe("--env-file", () => {
  test("is for the job; what stands before the command beats it, and the facts of the run are not its to set", async () => {
    using scene = runScene();
    writeFileSync(
      scene.at("env"),
      "# a comment\nA=1\nexport B='two words'\nC=file\nRCRON_CLUSTER=mine\nPATH=/usr/bin:/bin\n",
    );
    const { stdout } = await scene.rcron([
      "--env-file",
      scene.at("env"),
      "C=own",
      "sh",
      "-c",
      'echo "$A/$B/$C/$RCRON_CLUSTER/$PATH"',
    ]);
    expect(stdout).toBe(`1/two words/own/${scene.cluster}/usr/bin:/bin\n`.replace("usr", "/usr"));
  });

  test("a value that is not UTF-8 arrives in its own bytes", async () => {
    using scene = runScene();
    writeFileSync(scene.at("env"), Buffer.from([0x41, 0x3d, 0xff, 0x62, 0x0a]));
    const { stdout } = await scene.rcron([
      "--env-file",
      scene.at("env"),
      "sh",
      "-c",
      'printf %s "$A" | od -An -tx1',
    ]);
    expect(stdout.trim()).toBe("ff 62");
  });

  test.each([
    [
      "a bad line",
      "A=1\nSECRET value\n",
      ":2: a line must be NAME=value, a comment or empty: got a line without =",
    ],
    ["quotes that don't match", "A='secret\n", ":1: the quotes of A must match"],
  ])("%s: nothing runs, and no value is shown", async (_, text, message) => {
    using scene = runScene();
    writeFileSync(scene.at("env"), text);
    const ended = await scene.rcron(["--env-file", scene.at("env"), "touch", "ran"]);
    expect(ended.exitCode).toBe(125);
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toMatch(/secret/i);
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip()).toMatchObject({ why: "failed-before-start" });
  });

  test("one that is missing, or too long: nothing runs", async () => {
    using scene = runScene();
    const missing = await scene.rcron(["--env-file", scene.at("missing"), "touch", "ran"]);
    expect(missing.exitCode).toBe(125);
    expect(missing.stderr).toContain("the environment file must be readable: no such file or directory");
    writeFileSync(scene.at("long"), `A=${"x".repeat(70_000)}\n`);
    expect((await scene.rcron(["--env-file", scene.at("long"), "touch", "ran"])).exitCode).toBe(125);
    expect(existsSync(scene.at("ran"))).toBe(false);
  });
});

describeWith("--user, as root,", ["root", "setpriv"], () => {
  const show =
    'id -u; id -g; id -G; echo "$HOME $LOGNAME $USER $SHELL"; pwd; grep -c . /proc/self/status >/dev/null && ps -o sid= -p $$ | tr -d " "';

  test("user, groups, HOME, LOGNAME, SHELL and folder are that user's, as cron has them", async () => {
    using scene = runScene();
    const lines = (await scene.rcron(["--user", "daemon", "sh", "-c", show])).stdout.trim().split("\n");
    const of = (option: string) => Bun.spawnSync(["id", option, "daemon"]).stdout.toString().trim();
    expect(lines.slice(0, 3)).toEqual([of("-u"), of("-g"), of("-G")]);
    expect(lines.slice(3, 5)).toEqual(["/usr/sbin daemon daemon /bin/sh", "/usr/sbin"]);
    expect(scene.events()[0]).toMatchObject({ kind: "start", user: "daemon" });
  });

  test("by number; at the root where the home is missing; --cwd and the job's own assignments win", async () => {
    using scene = runScene();
    const job = ["sh", "-c", "id -un; pwd; echo $HOME"];
    expect((await scene.rcron(["--user", "1", ...job])).stdout).toStartWith("daemon\n/usr/sbin\n");
    expect((await scene.rcron(["--user", "nobody", ...job])).stdout).toBe("nobody\n/\n/nonexistent\n");
    const own = await scene.rcron(["--user", "daemon", "--cwd", "/var", "HOME=/own", ...job]);
    expect(own.stdout).toBe("daemon\n/var\n/own\n");
  });

  test("nobody of that name: nothing runs, exit status 125, and the record has it", async () => {
    using scene = runScene();
    const ended = await scene.rcron(["--user", "no-such-user", "touch", "ran"]);
    expect(ended.exitCode).toBe(125);
    expect(ended.stderr).toBe(
      'rcron: user must be one of this machine: got "no-such-user"\nrcron: hint: getent passwd no-such-user\n',
    );
    expect(existsSync(scene.at("ran"))).toBe(false);
    expect(scene.lastSkip()).toMatchObject({ why: "failed-before-start" });
  });

  test("with --if, --timeout and --output: the condition is asked as that user, and the job can be ended", async () => {
    using scene = runScene();
    chmodSync(scene.at("."), 0o755);
    const options = ["--user", "daemon", "--if", "test $(id -un) = daemon", "--output", "cron"];
    expect((await scene.rcron([...options, "id", "-un"])).stdout).toBe("daemon\n");
    expect((await scene.rcron([...options, "--timeout", "1s", "sleep", "30"])).exitCode).toBe(124);
    expect((await scene.rcron([...options, "no-such-program"])).exitCode).toBe(127);
  });

  test("who is not root is refused, with the way out", async () => {
    using scene = runScene();
    chmodSync(scene.at("."), 0o777);
    const asNobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    const words = [binary, "--conf", scene.at("conf"), "--user"];
    const other = Bun.spawnSync([...asNobody, ...words, "daemon", "touch", "ran"], { cwd: scene.at(".") });
    expect(other.exitCode).toBe(125);
    expect(other.stderr.toString()).toBe(
      'rcron: only root can run a job as another user: got "daemon"\nrcron: hint: put the line into the crontab of daemon: crontab -u daemon -e\n',
    );
    expect(existsSync(scene.at("ran"))).toBe(false);
    const self = Bun.spawnSync([...asNobody, ...words, "nobody", "id", "-un"], { cwd: scene.at(".") });
    expect(self.stdout.toString()).toBe("nobody\n");
  });

  test("who is not root has his locks in a folder of his own, and where there is none, no run under a lock", async () => {
    using scene = runScene();
    chmodSync(scene.at("."), 0o777);
    const run = (env: Record<string, string>) =>
      Bun.spawnSync(
        [
          "setpriv",
          "--reuid",
          "65534",
          "--regid",
          "65534",
          "--clear-groups",
          binary,
          "--conf",
          scene.at("conf"),
          "--overlap",
          "skip",
          "id",
          "-un",
        ],
        { cwd: scene.at("."), env: { PATH: "/usr/bin:/bin", ...env } },
      );
    expect(run({ HOME: scene.at("home") }).stdout.toString()).toBe("nobody\n");
    expect(existsSync(scene.at("home/.local/state/rcron/locks"))).toBe(true);
    const homeless = run({ HOME: "/nonexistent" });
    expect(homeless.exitCode).toBe(125);
    expect(homeless.stderr.toString()).toContain("can't be used: permission denied");
  });
});

describe("what the job gets besides", () => {
  test("no descriptor but its three, and nothing in its environment but what it would have without rules", async () => {
    using scene = runScene();
    mkdirSync(scene.at("bin"));
    writeFileSync(
      scene.at("bin/look"),
      "#!/bin/sh\nls -l /proc/self/fd | sed -n 's/.* \\([0-9]* -> .*\\)/\\1/p'\nenv | sort\n",
    );
    chmodSync(scene.at("bin/look"), 0o755);
    const look = (options: string[]) =>
      scene.rcron([...options, scene.at("bin/look")], { env: { A: "b", XDG_STATE_HOME: scene.at("home") } });
    const plain = (await look([])).stdout;
    const ruled = await look([
      "--output",
      "cron",
      "--output",
      scene.at("out"),
      "--output",
      "if-error:syslog",
      "--overlap",
      "skip",
      "--if",
      "true",
      "--timeout",
      "20s",
    ]);
    const facts = (text: string) =>
      text
        .replace(/RCRON_RUN_ID=.*/, "")
        .replace(/(pipe|socket):\[\d+\]/g, "pipe")
        .replace(/3 -> \/proc\/\d+\/fd/, "3 -> its own");
    expect(facts(ruled.stdout)).toBe(facts(plain));
    expect(plain.match(/^\d+ -> /gm)).toHaveLength(4); // the fourth is ls's own
  });

  test("nor where the caller left descriptors and ignores signals: those are handed on, and none of rcron's own", async () => {
    using scene = runScene();
    const { stdout } = await scene.shell(
      `(R --output cron --output "$PWD/out" --overlap skip --if true --timeout 20s sh -c 'ls /proc/self/fd; trap "" 0; grep SigIgn /proc/self/status') 5</etc/passwd 9>nine`,
    );
    expect(stdout).toMatch(/^0\n1\n2\n3\n5\n9\nSigIgn/); // the 3 is ls's own
  });

  test("its standard input is this process's own", async () => {
    using scene = runScene();
    const { stdout } = await scene.shell(`echo words | R --output cron --timeout 5s cat`);
    expect(stdout).toBe("words\n");
  });
});

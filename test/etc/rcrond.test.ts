/** rcrond as a service: its unit, by what it says and by systemd's reading of it, and its init script, run for real. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { confDefaults } from "../../src/gate/gate.ts";
import { parseDuration } from "../../src/model/duration.ts";
import { describeOnPrivateHost, etc, onPrivateHost } from "../support/private-host.ts";

setDefaultTimeout(60_000);

const unit = readFileSync(join(etc, "rcrond.service"), "utf8");
const settings = [...unit.matchAll(/^([A-Za-z]+)=(.*)$/gm)].map(([, key = "", value = ""]) => ({
  key,
  value,
}));
const settingOf = (wanted: string) => settings.find(({ key }) => key === wanted)?.value;

describe("rcrond.service", () => {
  test("puts no job into a sandbox: none of its settings is one that a job would inherit and miss", () => {
    const sandbox =
      /^(Protect|Private|NoNewPrivileges|Restrict(?!PreventExitStatus)|SystemCall|ReadOnly|ReadWrite|Inaccessible|NoExec|Temporary|Mount|Capability|Ambient|Secure|MemoryDeny|LimitAS|LockPersonality|Device|IPAddress|RootDirectory|DynamicUser|User|Runtime|State|Keyring|Nice|OOMScore|Bind)/;
    expect(settings.filter(({ key }) => sandbox.test(key))).toEqual([]);
  });

  test("a crash of rcrond leaves its jobs, and a kill is followed by a start, as often as it takes", () => {
    expect(settingOf("KillMode")).toBe("process");
    expect(settingOf("Restart")).toBe("on-failure");
    expect(settingOf("StartLimitIntervalSec")).toBe("0");
    expect(settingOf("OOMPolicy")).toBe("continue");
  });

  test("a stop has more time than rcrond's own defaults take", () => {
    const page = readFileSync(join(etc, "rcron.conf.example"), "utf8");
    const stopTimeout = parseDuration(/^#stop_timeout = (.*)$/m.exec(page)?.[1] ?? "") ?? 0;
    const stopGrace = parseDuration(confDefaults.stop_grace) ?? 0;
    expect(stopTimeout).toBeGreaterThan(0);
    expect(Number(settingOf("TimeoutStopSec")) * 1000).toBeGreaterThan(stopTimeout + stopGrace);
  });

  test("jobs have the soft limit of files that other services have, and their SIGPIPE", () => {
    expect(settingOf("LimitNOFILE")).toStartWith("1024:");
    expect(settingOf("IgnoreSIGPIPE")).toBe("no");
  });
});

describeOnPrivateHost("systemd's reading of rcrond", ["systemd-analyze", "dist/rcron"], () => {
  const install = "ln -s rcron /usr/bin/rcrond; cp $etc/rcrond.service /etc/systemd/system/;";
  const verify = "systemd-analyze verify --man=no /etc/systemd/system/rcrond.service";

  test("systemd-analyze verify has nothing to say about the unit", async () => {
    const ended = await onPrivateHost(`${install} ${verify}`);
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("would have, were the program missing: the check above is a live one", async () => {
    const ended = await onPrivateHost(`${install} rm /usr/bin/rcrond; ${verify}`);
    expect(ended.stderr).toContain("/usr/bin/rcrond");
    expect(ended.exitCode).not.toBe(0);
  });

  test("the unit stands for the init script, which gets none of its own", async () => {
    const ended = await onPrivateHost(`${install}
      install -m 755 $etc/rcrond.init /etc/init.d/rcrond
      ln -s ../init.d/rcrond /etc/rc2.d/S01rcrond
      generate() { mkdir /run/$1; SYSTEMD_LOG_TARGET=console /lib/systemd/system-generators/systemd-sysv-generator /run/$1 /run/$1 /run/$1 2>/dev/null; ls /run/$1 | grep rcrond || echo none; }
      generate with
      rm /etc/systemd/system/rcrond.service
      generate without`);
    expect(ended).toMatchObject({ exitCode: 0, stdout: "none\nrcrond.service\n" });
  });
});

/**
 * In rcrond's place: says READY unless a file `mute` is there, notes what it gets, and drains at the first TERM until a
 * file `drained` is there; the second one ends it.
 */
const fake = String.raw`
cat >/usr/bin/rcrond <<'END'
#!/usr/bin/env python3
import os, pathlib, signal, socket, sys, time
open("/proc/self/comm", "w").write("rcrond")
note = lambda text: open("/run/noted", "a").write(text + "\n")
terms = 0
def on_term(number, frame):
    global terms
    terms += 1
    note("TERM %d" % terms)
signal.signal(signal.SIGTERM, on_term)
signal.signal(signal.SIGHUP, lambda number, frame: note("HUP"))
note(" ".join(sys.argv[1:]) + " umask %03o in %s" % (os.umask(0o22), os.getcwd()))
if os.path.exists("/run/mute"):
    sys.exit(1)
if "NOTIFY_SOCKET" in os.environ:
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.environ["NOTIFY_SOCKET"]
    notify.sendto(b"READY=1\nSTATUS=no jobs", "\0" + address[1:] if address[0] == "@" else address)
else:
    note("no NOTIFY_SOCKET")
while terms < 2 and not (terms == 1 and os.path.exists("/run/drained")):
    time.sleep(0.02)
END
chmod 755 /usr/bin/rcrond
install -m 755 $etc/rcrond.init /etc/init.d/rcrond
init=/etc/init.d/rcrond
mkdir -p /etc/default
act() { code=0; "$init" "$@" 2>&1 || code=$?; echo "exit $code"; }
noted() { grep -qx "$1" /run/noted; }
`;

/** Runs a script that calls `act ACTION`. @returns what was said, without pids and what lsb adds, which may be there or not */
async function play(script: string): Promise<string[]> {
  const { exitCode, stdout, stderr } = await onPrivateHost(fake + script, 50_000);
  if (exitCode !== 0) throw new Error(`the test's own script failed: ${stdout}${stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/pid \d+/, "pid N").replace(/^failed: | \.\.\. failed!$|\.$/g, ""));
}

describeOnPrivateHost("rcrond.init", ["start-stop-daemon", "python3"], () => {
  test("starts rcrond with its options, waits until it is ready, tells that it runs, and starts it once", async () => {
    expect(
      await play(`
        echo 'RCROND_OPTIONS="--mailto ops@example.org --crontab /etc/cron.d"' >/etc/default/rcrond
        cd /tmp; umask 077
        act status; act start; cat /run/noted; act start; act status
        stat -c '%a %U' /run/rcrond.pid
        : >/run/drained; act stop; act stop; act status; ls /run/rcrond.pid 2>&1 || :`),
    ).toEqual([
      "rcrond: does not run",
      "exit 3",
      "rcrond: started (pid N)",
      "exit 0",
      "--mailto ops@example.org --crontab /etc/cron.d umask 022 in /",
      "rcrond: runs already (pid N)",
      "exit 0",
      "rcrond: runs (pid N)",
      "exit 0",
      "644 root",
      "rcrond: stopped",
      "exit 0",
      "rcrond: stopped",
      "exit 0",
      "rcrond: does not run",
      "exit 3",
      "ls: cannot access '/run/rcrond.pid': No such file or directory",
    ]);
  });

  test("stop waits while jobs run, then sends the second TERM", async () => {
    expect(
      await play(`
        echo STOP_WAIT=1 >/etc/default/rcrond
        act start; act stop; act status; tail -n +2 /run/noted`),
    ).toEqual([
      "rcrond: started (pid N)",
      "exit 0",
      "rcrond: stopped",
      "exit 0",
      "rcrond: does not run",
      "exit 3",
      "TERM 1",
      "TERM 2",
    ]);
  });

  test("reload and force-reload send HUP, and 7 where nothing runs", async () => {
    expect(
      await play(`
        act reload; act start; act reload; until_ok noted HUP
        : >/run/noted; act force-reload; until_ok noted HUP; act status
        : >/run/drained; act stop`),
    ).toEqual([
      "rcrond: does not run",
      "exit 7",
      "rcrond: started (pid N)",
      "exit 0",
      "rcrond: reads its configuration and its jobs again",
      "exit 0",
      "rcrond: reads its configuration and its jobs again",
      "exit 0",
      "rcrond: runs (pid N)",
      "exit 0",
      "rcrond: stopped",
      "exit 0",
    ]);
  });

  test("restart starts another one, try-restart only where one runs", async () => {
    const said = await play(`
      : >/run/drained
      act try-restart; act restart; first=$(cat /run/rcrond.pid); act try-restart; second=$(cat /run/rcrond.pid)
      [ $first != $second ] && [ ! -e /proc/$first ] && echo another one; act stop`);
    expect(said).toEqual([
      "exit 0",
      ...["rcrond: stopped", "rcrond: started (pid N)", "exit 0"],
      ...["rcrond: stopped", "rcrond: started (pid N)", "exit 0"],
      "another one",
      ...["rcrond: stopped", "exit 0"],
    ]);
  });

  test("a start fails where rcrond does, and says how to find out why", async () => {
    const said = await play(": >/run/mute; act start; act status");
    expect(said.at(0)).toContain("did not come up");
    expect(said.filter((line) => line.startsWith("exit"))).toEqual([
      "exit 1",
      expect.stringMatching(/^exit [13]$/),
    ]);
  });

  test("after an upgrade, which replaces the program's file, it still finds the one that runs", async () => {
    const said = await play(`
      act start; cp /usr/bin/rcrond /usr/bin/rcrond.new; mv /usr/bin/rcrond.new /usr/bin/rcrond
      : >/run/drained; act status; act stop; act status`);
    expect(said.filter((line) => line.startsWith("exit"))).toEqual(["exit 0", "exit 0", "exit 0", "exit 3"]);
  });

  test("a pid that is another process's by now is not touched", async () => {
    const said = await play(`
      sleep 50 & echo $! >/run/rcrond.pid
      act status; act reload; act stop; kill -0 $! && echo alive`);
    expect(said.filter((line) => /^(exit|alive)/.test(line))).toEqual([
      expect.stringMatching(/^exit [13]$/),
      "exit 7",
      "exit 0",
      "alive",
    ]);
  });

  test.each([
    { exitCode: 2, action: "", says: "Usage: " },
    { exitCode: 2, action: "status-all", says: "Usage: " },
    { exitCode: 5, action: "start", before: "rm /usr/bin/rcrond", says: "no program at /usr/bin/rcrond" },
    {
      exitCode: 4,
      action: "stop",
      before: "init='setpriv --reuid nobody --clear-groups /etc/init.d/rcrond'",
      says: "only root may stop it",
    },
  ])("'$action' exits $exitCode: $says", async ({ exitCode, action, before = ":", says }) => {
    const said = await play(`${before}; code=0; $init ${action} 2>&1 || code=$?; echo "exit $code"`);
    expect(said.at(-1)).toBe(`exit ${exitCode}`);
    expect(said.join("\n")).toContain(says);
  });
});

describeOnPrivateHost("rcrond.init with rcrond itself", ["start-stop-daemon", "dist/rcron"], () => {
  const real = `
    ln -s rcron /usr/bin/rcrond; ln -s rcron /usr/bin/rcronctl
    install -m 755 $etc/rcrond.init /etc/init.d/rcrond
    init=/etc/init.d/rcrond
    act() { code=0; "$init" "$@" >/run/said 2>&1 || code=$?; echo "$1 $code"; }
    mkdir -p /etc/rcron/jobs.d /etc/default
    ran() { [ -s /run/ran-$1 ]; }
    ended() { [ ! -e /proc/$1 ]; }
    job() { printf 'every 1s\\nrun echo "$PPID \${NOTIFY_SOCKET-none}" >>/run/ran-%s%s\\n' "$1" "\${2:-}" >/etc/rcron/jobs.d/$1; }
    `;

  test("starts when it is ready, runs jobs that can't speak in its name, reloads, and stops", async () => {
    const ended = await onPrivateHost(
      `${real}
      job first
      act start; until_ok ran first; head -n 1 /run/ran-first | cut -d ' ' -f 2
      act status; job second; act reload; until_ok ran second
      pid=$(cat /run/rcrond.pid); act stop; ended $pid && echo gone; act status`,
      50_000,
    );
    expect(ended).toEqual({
      exitCode: 0,
      stdout: "start 0\nnone\nstatus 0\nreload 0\nstop 0\ngone\nstatus 3\n",
      stderr: "",
    });
  });

  test("stop waits for a job that runs", async () => {
    const ended = await onPrivateHost(
      `${real}
      job long '; until [ -e /run/enough ]; do sleep 0.05; done; echo whole >/run/whole'
      act start; until_ok ran long
      (sleep 1; : >/run/enough) &
      act stop; cat /run/whole`,
      50_000,
    );
    expect(ended).toMatchObject({ exitCode: 0, stdout: "start 0\nstop 0\nwhole\n" });
  });

  test.each([
    ["a configuration that it can't take", "printf '[daemon]\\nconcurency = 5\\n' >/etc/rcron/rcron.conf"],
    ["an option that there is not", "echo RCROND_OPTIONS=--mail-to=x >/etc/default/rcrond"],
  ])("a start fails with %s", async (_, before) => {
    const ended = await onPrivateHost(`${real} ${before}; act start; act status`, 50_000);
    expect(ended.stdout).toMatch(/^start 1\nstatus [13]\n$/);
  });
});

describeOnPrivateHost("update-rc.d with insserv", ["insserv", "update-rc.d"], () => {
  test("puts rcrond behind rcron, which seeds the word, and stops it at shutdown", async () => {
    const { stdout } = await onPrivateHost(`
      for name in rcron rcrond; do install -m 755 $etc/$name.init /etc/init.d/$name; update-rc.d $name defaults; done
      ls /etc/rc2.d /etc/rc0.d`);
    const rank = (name: string) => Number(new RegExp(`^S(\\d\\d)${name}$`, "m").exec(stdout)?.[1]);
    expect(rank("rcron")).toBeLessThan(rank("rcrond"));
    expect(stdout).toMatch(/^K\d\drcrond$/m);
  });
});

/** The notify scripts: what they write through rcronctl, and what a reader of the state file can never see. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCurrent } from "../../src/election/election.ts";
import { lacking } from "../support/debian.ts";
import { describeOnPrivateHost, etc, onPrivateHost, project, rcron, run } from "../support/private-host.ts";
import { linesOf, logNeeds, play } from "../system/daemons.ts";

setDefaultTimeout(30_000);

const scripts = join(etc, "keepalived");
const rcronctl = join(project, "dist/rcronctl");
let folder: string;
let stateFile: string;
let programs: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rcron-notify-"));
  stateFile = join(folder, "rcron.state");
  programs = join(folder, "programs");
  mkdirSync(programs);
  standIn("logger", `printf '%s\\n' "$*" >>'${folder}/syslog'`);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that the scripts find before the system's. */
function standIn(name: string, body: string): string {
  const path = join(programs, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const environment = () => ({
  PATH: `${programs}:${process.env["PATH"]}`,
  RCRON_STATE_FILE: stateFile,
  RCRONCTL: rcronctl,
});

function notify(words: string, more: Record<string, string> = {}) {
  const [script = "", ...args] = words.split(" ");
  return run([join(scripts, script), ...args], { env: { ...environment(), ...more } });
}

const now = () => readCurrent(stateFile);
const word = () => now()?.word;
/** What the scripts said by logger(1). */
const syslog = () => (existsSync(join(folder, "syslog")) ? readFileSync(join(folder, "syslog"), "utf8") : "");
/** Temporary files that were left behind. */
const leftovers = () => readdirSync(folder).filter((name) => /^\.rcron\.state\.(?!lock$)/.test(name));

async function until(claim: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 8000; !holds(); await Bun.sleep(5)) {
    if (Date.now() > deadline) throw new Error(`never happened: ${claim}`);
  }
}

/** describe, skipped where the program is not built or a need is not met. */
function describeBuilt(title: string, needs: readonly string[], body: () => void): void {
  const reason = existsSync(rcron) ? lacking(...needs) : "needs dist/rcron (npm run build)";
  if (reason === undefined) describe(title, body);
  else describe.skip(`${title} [skipped: ${reason}]`, body);
}

describeBuilt("notify.sh", [], () => {
  test.each([
    ["INSTANCE VI_1 MASTER 100", "active"],
    ["INSTANCE VI_1 MASTER", "active"],
    ["INSTANCE VI_1 MASTER_RX_LOWER_PRI 100", "active"],
    ["INSTANCE VI_1 MASTER_PRIORITY 101", "active"],
    ["INSTANCE VI_1 BACKUP 100", "passive"],
    ["INSTANCE VI_1 BACKUP_PRIORITY 101", "passive"],
    ["INSTANCE VI_1 FAULT 100", "passive"],
    ["INSTANCE VI_1 STOP 100", "passive"],
    ["INSTANCE VI_1 DELETED 100", "passive"],
    ["GROUP G MASTER 0", "active"],
    ["GROUP G BACKUP 0", "passive"],
    ["GROUP G FAULT 0", "passive"],
    ["GROUP G STOP 0", "passive"],
  ] as const)("%s: %s, with instance and event", async (args, expected) => {
    const ended = await notify(`notify.sh ${args}`);
    expect(ended).toEqual({
      exitCode: 0,
      stdout: `${stateFile} says ${expected} now, epoch ${now()?.provenance.epoch}\n`,
      stderr: "",
    });
    const [, instance, event] = args.split(" ");
    expect(now()).toMatchObject({ word: expected, provenance: { instance, event } });
    expect(leftovers()).toEqual([]);
  });

  test.each([
    ["INSTANCE VI_1 LEADER 100", "unknown state 'LEADER' of INSTANCE VI_1"],
    ["INSTANCE VI_1 master 100", "unknown state 'master'"],
    ["INSTANCE VI_1 MASTERS 100", "unknown state 'MASTERS'"],
    ["INSTANCE VI_1  100", "unknown state ''"],
    ["VS VI_1 MASTER 100", "unknown type 'VS'"],
    ["MASTER", "wants TYPE NAME STATE"],
    ["INSTANCE VI_1 MASTER 100 more", "wants TYPE NAME STATE"],
  ])("refuses %s on stderr and in syslog, and does not touch the file", async (args, complaint) => {
    writeFileSync(stateFile, "active\n");
    const before = statSync(stateFile);
    const ended = await notify(`notify.sh ${args}`);
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain(complaint);
    expect(syslog()).toContain(complaint);
    const after = statSync(stateFile);
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
  });

  test("refuses a relative RCRON_STATE_FILE: keepalived's folder is not yours", async () => {
    const ended = await notify("notify.sh INSTANCE VI_1 MASTER 100", { RCRON_STATE_FILE: "rcron.state" });
    expect([ended.exitCode, ended.stderr]).toEqual([2, expect.stringContaining("absolute path")]);
  });

  test("says on stderr and in syslog that there is no program", async () => {
    const ended = await notify("notify.sh INSTANCE VI_1 MASTER 100", { RCRONCTL: "/no/such/rcronctl" });
    expect(ended.exitCode).toBe(1);
    for (const said of [ended.stderr, syslog()])
      expect(said).toContain(
        "no program at /no/such/rcronctl (set RCRONCTL): INSTANCE VI_1 MASTER is not written",
      );
  });

  test("takes RCRON_CONF for its state_file", async () => {
    const conf = join(folder, "rcron.conf");
    writeFileSync(conf, `state_file = ${folder}/of-conf\ncluster_name = web\n`);
    const ended = await notify("notify.sh INSTANCE VI_1 MASTER", { RCRON_STATE_FILE: "", RCRON_CONF: conf });
    expect([ended.exitCode, ended.stderr]).toEqual([0, ""]);
    expect(readCurrent(join(folder, "of-conf"))?.word).toBe("active");
  });

  test("takes instances with blanks and shell characters in their names", async () => {
    const name = "VI 1; $(touch x) * 'q'";
    const ended = await run([join(scripts, "notify.sh"), "INSTANCE", name, "MASTER", "100"], {
      cwd: folder,
      env: environment(),
    });
    expect([ended.exitCode, ended.stderr]).toEqual([0, ""]);
    expect(now()?.provenance.instance).toBe(name);
    expect(existsSync(join(folder, "x"))).toBe(false);
  });

  test("gives the file mode 644 and a missing folder 755, whatever the umask", async () => {
    const deep = join(folder, "a/b/rcron.state");
    const command = `umask 077; exec '${scripts}/notify.sh' INSTANCE VI_1 MASTER 100`;
    await run(["sh", "-c", command], { env: { ...environment(), RCRON_STATE_FILE: deep } });
    const modes = ["a", "a/b", "a/b/rcron.state"].map((path) => statSync(join(folder, path)).mode & 0o777);
    expect(modes).toEqual([0o755, 0o755, 0o644]);
  });

  test("refuses a state file that is a folder", async () => {
    mkdirSync(stateFile);
    const ended = await notify("notify.sh INSTANCE VI_1 MASTER 100");
    expect([ended.exitCode, readdirSync(stateFile)]).toEqual([1, []]);
    expect(ended.stderr).toBe(`rcronctl: ${stateFile} must be writable: is a directory\n`);
  });

  test("works with an empty environment but for the state file and the program", async () => {
    const ended = await run([join(scripts, "notify-master.sh")], {
      env: { RCRON_STATE_FILE: stateFile, RCRONCTL: rcronctl },
    });
    expect([ended.exitCode, ended.stderr, word()]).toEqual([0, "", "active"]);
  });

  test.each(["keepalived", "keepalived_vrrp"])(
    "called by %s: that process stands behind the word",
    async (name) => {
      const caller = join(folder, name);
      copyFileSync("/bin/sh", caller); // /proc has the name of the file
      chmodSync(caller, 0o755);
      const script = `'${scripts}/notify.sh' INSTANCE VI_1 MASTER 100 >/dev/null; echo $$ $(cut -d' ' -f22 /proc/$$/stat)`;
      const ended = await run([caller, "-c", script], { env: environment() });
      const [pid, start] = ended.stdout.trim().split(" ");
      expect(now()?.provenance.writer).toBe(`${name}/${pid}/${start}`);
    },
  );

  test("called by hand: a person stands behind the word, and no process", async () => {
    await notify("notify.sh INSTANCE by-hand BACKUP", { SUDO_USER: "jane" });
    expect(now()).toMatchObject({ word: "passive", provenance: { writer: "jane", instance: "by-hand" } });
  });

  test("MASTER_RX_LOWER_PRI is a new epoch of the same word, MASTER again is not", async () => {
    const epochAfter = async (state: string) => {
      await notify(`notify.sh INSTANCE VI_1 ${state} 100`);
      return now()?.provenance.epoch ?? 0;
    };
    const first = await epochAfter("MASTER");
    expect(await epochAfter("MASTER")).toBe(first);
    expect(await epochAfter("MASTER_RX_LOWER_PRI")).toBeGreaterThan(first);
  });
});

describeBuilt("notify-*.sh", [], () => {
  test.each([
    ["notify-master.sh", "active", "MASTER"],
    ["notify-backup.sh", "passive", "BACKUP"],
    ["notify-fault.sh", "passive", "FAULT"],
    ["notify-stop.sh", "passive", "STOP"],
  ] as const)("%s writes %s, and the instance that it is given", async (script, expected, event) => {
    expect((await notify(`${script} VI_1`)).exitCode).toBe(0);
    expect(now()).toMatchObject({ word: expected, provenance: { instance: "VI_1", event } });
    expect((await notify(script)).exitCode).toBe(0);
    expect(now()).toMatchObject({ word: expected, provenance: { instance: "unnamed", event } });
  });
});

describeBuilt("two changes at once", [], () => {
  /** Starts a change, and waits until it has begun and stands still; `go()` lets it take its turn. */
  const heldBack = async (words: string) => {
    const wait = `: >'${folder}/reached'; for i in $(seq 1000); do [ ! -e '${folder}/go' ] || break; sleep 0.01; done`;
    const ended = notify(words, { RCRONCTL: standIn("held", `${wait}; exec '${rcronctl}' "$@"`) });
    await until("it waits", () => existsSync(join(folder, "reached")));
    return {
      go: () => {
        writeFileSync(join(folder, "go"), "");
        return ended;
      },
    };
  };

  test("notify.sh that comes late does not overwrite the word of a later change", async () => {
    const late = await heldBack("notify.sh INSTANCE VI_1 MASTER 100");
    await notify("notify.sh INSTANCE VI_1 BACKUP 100");
    const before = readFileSync(stateFile, "utf8");
    const { exitCode, stdout, stderr } = await late.go();
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toStartWith(`overtaken: a newer change is in ${stateFile} already: passive, epoch `);
    expect(readFileSync(stateFile, "utf8")).toBe(before);
  });

  test("notify.sh that comes late writes nevertheless when the state file is gone", async () => {
    const late = await heldBack("notify.sh INSTANCE VI_1 MASTER 100");
    await notify("notify.sh INSTANCE VI_1 BACKUP 100");
    rmSync(stateFile);
    expect((await late.go()).exitCode).toBe(0);
    expect(word()).toBe("active");
  });
});

describeBuilt("notify.sh while another one holds the lock", ["flock"], () => {
  const holdLock = async () => {
    const held = join(folder, "held");
    const lockFile = join(folder, ".rcron.state.lock");
    const holder = Bun.spawn(["flock", "--no-fork", lockFile, "sh", "-c", `: >'${held}'; exec sleep 60`]);
    await until("the lock is held", () => existsSync(held));
    return {
      lockFile,
      release: async () => {
        holder.kill("SIGKILL");
        await holder.exited;
      },
    };
  };

  test("goes on without it after a while, for keepalived gives a script a second to stop", async () => {
    const { release } = await holdLock();
    const ended = await notify("notify-stop.sh");
    expect([ended.exitCode, word()]).toEqual([0, "passive"]);
    expect(ended.stderr).toContain("going on without");
    await release();
  });

  test("writes its word although keepalived dies and TERM, HUP and INT reach it", async () => {
    const { release, lockFile } = await holdLock();
    const child = Bun.spawn([join(scripts, "notify-stop.sh")], {
      env: environment(),
      stdout: "ignore",
      timeout: 20_000,
    });
    const waits = () =>
      readdirSync(`/proc/${child.pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${child.pid}/fd/${fd}`) === lockFile;
        } catch {
          return false; // closed meanwhile
        }
      });
    await until("it waits for the lock", waits);
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) child.kill(signal);
    await release();
    expect([await child.exited, word()]).toEqual([0, "passive"]);
  });
});

describeOnPrivateHost("notify.sh where the state file can't be written", ["dist/rcron"], () => {
  const attempt = `code=0; $etc/keepalived/notify.sh INSTANCE VI_1 MASTER 100 || code=$?; echo "exit $code"; cat /run/s/rcron.state; ls -A /run/s`;
  const link = "ln -s rcron /usr/bin/rcronctl";

  test("notify.sh leaves the old word when the disk is full", async () => {
    const ended = await onPrivateHost(`${link}; mkdir /run/s; mount -t tmpfs -o size=16k,mode=755 tmpfs /run/s
      echo passive >/run/s/rcron.state; cat /dev/zero >/run/s/ballast 2>/dev/null || :
      export RCRON_STATE_FILE=/run/s/rcron.state; ${attempt}`);
    expect(ended.stdout).toBe("exit 1\npassive\n.rcron.state.lock\nballast\nrcron.state\n");
    expect(ended.stderr).toBe("rcronctl: /run/s/rcron.state must be writable: no space left on device\n");
  });

  test("notify.sh leaves the old word when the folder is read-only", async () => {
    const ended = await onPrivateHost(`${link}; mkdir /run/s; mount -t tmpfs -o mode=755 tmpfs /run/s
      echo passive >/run/s/rcron.state; mount -o remount,ro /run/s
      export RCRON_STATE_FILE=/run/s/rcron.state; ${attempt}`);
    expect(ended.stdout).toBe("exit 1\npassive\nrcron.state\n");
    expect(ended.stderr).toBe("rcronctl: /run/s/rcron.state must be writable: read-only file system\n");
  });
});

describeOnPrivateHost("notify.sh without RCRON_STATE_FILE", ["dist/rcron"], () => {
  test("notify.sh writes /var/run/rcron.state, which is /run/rcron.state", async () => {
    const ended = await onPrivateHost(
      "ln -s rcron /usr/bin/rcronctl; $etc/keepalived/notify-master.sh >/dev/null; stat -c '%a %U' /run/rcron.state; head -n 1 -q /run/rcron.state /var/run/rcron.state",
    );
    expect(ended).toEqual({ exitCode: 0, stdout: "644 root\nactive\nactive\n", stderr: "" });
  });
});

describeOnPrivateHost("the log of rcronctl state set", [...logNeeds, "flock"], () => {
  test("has each change with its cause, one that was overtaken, and why one failed", async () => {
    const scene = await play(`
ln -s rcron /usr/bin/rcronctl
conf 'cluster_name = web' 'syslog_facility = LOG_LOCAL3'
start_rsyslog
try() { code=0; rcronctl state set "$@" >/dev/null 2>&1 || code=$?; echo "$code" >>/run/out/codes; }
try passive --instance RCRON --event BACKUP --writer test
try active --instance RCRON --event MASTER --writer 'two words'
sh -c ': >/run/started; until [ -e /run/go ]; do sleep 0.01; done; exec rcronctl state set active --writer late' >/dev/null & late=$!
until_ok test -e /run/started
printf 'passive\\nepoch=7\\nboot_id=%s\\norder=%s/4194304\\nwriter=later\\n' "$(cat /proc/sys/kernel/random/boot_id)" "$(cut -d' ' -f22 /proc/$late/stat)" >/run/rcron.state
touch /run/go; wait $late
rm /run/rcron.state; mkdir /run/rcron.state; try active --writer test; rmdir /run/rcron.state
echo 'nice_level = high' >>/etc/rcron/rcron.conf; try active --state-file /run/rcron.state --writer test
try active --instance "$(printf 'a\\nb')" --writer test --state-file /run/other.state`);
    expect(scene.files["codes"]).toBe("0\n0\n1\n0\n0\n");
    const said = linesOf(scene, "rcronctl").map(({ facility, severity, message }) =>
      `${facility} ${severity} ${message}`.replace(/epoch=\d{13}/, "epoch=NOW"),
    );
    const broken =
      'warning: /etc/rcron/rcron.conf:3: nice_level must be an integer from -20 to 19: got "high": going on with';
    expect(said).toEqual([
      "local3 notice cluster=web state=passive status=set was=unknown epoch=NOW instance=RCRON event=BACKUP writer=test file=/var/run/rcron.state",
      "local3 notice cluster=web state=active status=set was=passive epoch=NOW instance=RCRON event=MASTER writer=two,words file=/var/run/rcron.state",
      "local3 notice cluster=web state=passive status=overtaken was=passive epoch=7 writer=later file=/var/run/rcron.state",
      "cron err error: state not set: /var/run/rcron.state must be writable: is a directory",
      `cron warning ${broken} /run/rcron.state`,
      "cron notice cluster=unknown state=active status=set was=unknown epoch=NOW writer=test file=/run/rcron.state",
      `cron warning ${broken} /run/other.state`,
      "cron notice cluster=unknown state=active status=set was=unknown epoch=NOW instance=a\\nb writer=test file=/run/other.state",
    ]);
  });
});

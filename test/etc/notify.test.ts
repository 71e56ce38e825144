/** The notify scripts: what they write, and what a reader of the state file can never see. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, etc, onPrivateHost, run } from "../support/private-host.ts";

const scripts = join(etc, "keepalived");
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
function standIn(name: string, body: string): void {
  writeFileSync(join(programs, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(programs, name), 0o755);
}

const environment = () => ({ PATH: `${programs}:${process.env["PATH"]}`, RCRON_STATE_FILE: stateFile });

function notify(words: string, more: Record<string, string> = {}) {
  const [script = "", ...args] = words.split(" ");
  return run([join(scripts, script), ...args], { env: { ...environment(), ...more } });
}

const readWord = () => readFileSync(stateFile, "utf8");
const syslog = () => (existsSync(join(folder, "syslog")) ? readFileSync(join(folder, "syslog"), "utf8") : "");
/** Temporary files that a script left behind. */
const leftovers = () => readdirSync(folder).filter((name) => /^\.rcron\.state\.(?!order$)/.test(name));

async function until(claim: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 5_000; !holds(); await Bun.sleep(5)) {
    if (Date.now() > deadline) throw new Error(`never happened: ${claim}`);
  }
}

describe("notify.sh", () => {
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
  ])("%s: %s", async (args, word) => {
    const ended = await notify(`notify.sh ${args}`);
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(readWord()).toBe(`${word}\n`);
    expect(syslog()).toContain(`${word}: ${args.split(" ").slice(0, 3).join(" ")}, written to ${stateFile}`);
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

  test("gives the file mode 644 and a missing folder 755, whatever the umask", async () => {
    const deep = join(folder, "a/b/rcron.state");
    const command = `umask 077; exec '${scripts}/notify.sh' INSTANCE VI_1 MASTER 100`;
    await run(["sh", "-c", command], { env: { ...environment(), RCRON_STATE_FILE: deep } });
    const modes = ["a", "a/b", "a/b/rcron.state"].map((path) => statSync(join(folder, path)).mode & 0o777);
    expect(modes).toEqual([0o755, 0o755, 0o644]);
  });

  test("replaces the file and never writes into it, so that an open reader keeps the old word whole", async () => {
    writeFileSync(stateFile, "passive\n");
    const before = statSync(stateFile).ino;
    await notify("notify.sh INSTANCE VI_1 MASTER 100");
    expect(statSync(stateFile).ino).not.toBe(before);
  });

  test("writes through a folder that is a link, as /var/run is", async () => {
    mkdirSync(join(folder, "run"));
    symlinkSync("run", join(folder, "link"));
    await notify("notify.sh INSTANCE VI_1 MASTER 100", {
      RCRON_STATE_FILE: join(folder, "link/rcron.state"),
    });
    expect(readFileSync(join(folder, "run/rcron.state"), "utf8")).toBe("active\n");
  });

  test("refuses a state file that is a folder", async () => {
    mkdirSync(stateFile);
    const ended = await notify("notify.sh INSTANCE VI_1 MASTER 100");
    expect([ended.exitCode, readdirSync(stateFile)]).toEqual([1, []]);
    expect(ended.stderr).toContain("is a folder");
  });

  test("works with an empty environment but for the state file", async () => {
    const ended = await run([join(scripts, "notify-master.sh")], { env: { RCRON_STATE_FILE: stateFile } });
    expect([ended.exitCode, readWord()]).toEqual([0, "active\n"]);
  });

  test("writes its word although keepalived dies and TERM, HUP and INT reach it", async () => {
    standIn(
      "mktemp",
      `: >'${folder}/reached'; for i in $(seq 500); do [ ! -e '${folder}/go' ] || break; sleep 0.01; done; exec /usr/bin/mktemp "$@"`,
    );
    const child = Bun.spawn([join(scripts, "notify-stop.sh")], { env: environment(), timeout: 10_000 });
    await until("the script makes its temporary file", () => existsSync(join(folder, "reached")));
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) child.kill(signal);
    writeFileSync(join(folder, "go"), "");
    expect([await child.exited, readWord()]).toEqual([0, "passive\n"]);
  });
});

describe("notify-*.sh", () => {
  test.each([
    ["notify-master.sh", "active", "MASTER"],
    ["notify-backup.sh", "passive", "BACKUP"],
    ["notify-fault.sh", "passive", "FAULT"],
    ["notify-stop.sh", "passive", "STOP"],
  ])("%s writes %s, and syslog names the instance that it is given", async (script, word, state) => {
    expect((await notify(`${script} VI_1`)).exitCode).toBe(0);
    expect(readWord()).toBe(`${word}\n`);
    expect(syslog()).toContain(`INSTANCE VI_1 ${state}`);
    expect((await notify(script)).exitCode).toBe(0);
  });
});

describeWith("two changes at once", ["flock"], () => {
  /** Lets the copy that is started with HELD in its environment wait before it takes its turn. */
  const holdBack = () =>
    standIn(
      "flock",
      `[ -z "\${HELD-}" ] || { : >'${folder}/reached'; for i in $(seq 500); do [ ! -e '${folder}/go' ] || break; sleep 0.01; done; }; exec /usr/bin/flock "$@"`,
    );

  test("notify.sh that comes late does not overwrite the word of a later change", async () => {
    holdBack();
    const late = notify("notify.sh INSTANCE VI_1 MASTER 100", { HELD: "yes" });
    await until("the older copy waits", () => existsSync(join(folder, "reached")));
    await notify("notify.sh INSTANCE VI_1 BACKUP 100");
    writeFileSync(join(folder, "go"), "");
    expect((await late).exitCode).toBe(0);
    expect(readWord()).toBe("passive\n");
    expect(syslog()).toContain("INSTANCE VI_1 MASTER came late");
  });

  test("notify.sh that comes late writes nevertheless when the state file is gone", async () => {
    holdBack();
    const late = notify("notify.sh INSTANCE VI_1 MASTER 100", { HELD: "yes" });
    await until("the older copy waits", () => existsSync(join(folder, "reached")));
    await notify("notify.sh INSTANCE VI_1 BACKUP 100");
    rmSync(stateFile);
    writeFileSync(join(folder, "go"), "");
    await late;
    expect(readWord()).toBe("active\n");
  });

  test.each([
    ["of another boot", "00000000-0000-0000-0000-000000000000 99999999999 1\n"],
    ["that is empty", ""],
    ["that is no record", "active\n"],
  ])("notify.sh heeds no order record %s", async (_, record) => {
    writeFileSync(stateFile, "active\n");
    writeFileSync(join(folder, ".rcron.state.order"), record);
    const ended = await notify("notify.sh INSTANCE VI_1 BACKUP 100");
    expect([ended.stderr, readWord()]).toEqual(["", "passive\n"]);
  });

  test("notify.sh waits for a copy that hangs less than the second that keepalived gives it to stop", async () => {
    writeFileSync(stateFile, "active\n");
    const record = join(folder, ".rcron.state.order");
    writeFileSync(record, "");
    const hung = Bun.spawn(["flock", "--no-fork", record, "sh", "-c", `: >'${folder}/held'; exec sleep 10`]);
    try {
      await until("the lock is held", () => existsSync(join(folder, "held")));
      const before = performance.now();
      await notify("notify-stop.sh");
      expect(performance.now() - before).toBeLessThan(900);
      expect(readWord()).toBe("passive\n");
      expect(syslog()).toContain("going on without");
    } finally {
      hung.kill("SIGKILL");
      await hung.exited;
    }
  });

  test("a reader sees whole words alone while eight writers change the file 160 times", async () => {
    await notify("notify-backup.sh");
    const writer = `for i in 1 2 3 4 5 6 7 8 9 10; do '${scripts}/notify-master.sh'; '${scripts}/notify-stop.sh'; done`;
    const writers = Array.from({ length: 8 }, () =>
      run(["sh", "-euc", writer], { env: environment(), timeoutMs: 15_000 }),
    );
    let writing = true;
    const ended = Promise.all(writers).finally(() => {
      writing = false;
    });
    const seen = new Map<string, number>();
    while (writing) {
      for (let reads = 0; reads < 200; reads++) {
        const word = readWord();
        seen.set(word, (seen.get(word) ?? 0) + 1);
      }
      await Bun.sleep(0);
    }
    expect((await ended).map((one) => [one.exitCode, one.stderr])).toEqual(writers.map(() => [0, ""]));
    expect([...seen.keys()].sort()).toEqual(["active\n", "passive\n"]);
    expect(leftovers()).toEqual([]);
  }, 20_000);
});

describeOnPrivateHost("notify.sh where the state file can't be written", [], () => {
  const attempt = `code=0; $etc/keepalived/notify.sh INSTANCE VI_1 MASTER 100 || code=$?; echo "exit $code"; cat /run/s/rcron.state; ls -A /run/s`;

  test("notify.sh leaves the old word when the disk is full", async () => {
    const ended = await onPrivateHost(`mkdir /run/s; mount -t tmpfs -o size=16k,mode=755 tmpfs /run/s
      echo passive >/run/s/rcron.state; cat /dev/zero >/run/s/ballast 2>/dev/null || :
      export RCRON_STATE_FILE=/run/s/rcron.state; ${attempt}`);
    expect(ended.stdout).toBe("exit 1\npassive\n.rcron.state.order\nballast\nrcron.state\n");
    expect(ended.stderr).toContain("active not written to /run/s/rcron.state, which stays as it was: ");
  });

  test("notify.sh leaves the old word when the folder is read-only", async () => {
    const ended = await onPrivateHost(`mkdir /run/s; mount -t tmpfs -o mode=755 tmpfs /run/s
      echo passive >/run/s/rcron.state; mount -o remount,ro /run/s
      export RCRON_STATE_FILE=/run/s/rcron.state; ${attempt}`);
    expect(ended.stdout).toBe("exit 1\npassive\nrcron.state\n");
    expect(ended.stderr).toContain("Read-only file system");
  });
});

describeOnPrivateHost("notify.sh without RCRON_STATE_FILE", [], () => {
  test("notify.sh writes /var/run/rcron.state, which is /run/rcron.state", async () => {
    const ended = await onPrivateHost(
      "$etc/keepalived/notify-master.sh; stat -c '%a %U' /run/rcron.state; cat /run/rcron.state /var/run/rcron.state",
    );
    expect(ended).toEqual({ exitCode: 0, stdout: "644 root\nactive\nactive\n", stderr: "" });
  });
});

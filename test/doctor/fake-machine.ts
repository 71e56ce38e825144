/**
 * A machine of a map of files, for the checks of the doctor. `healthyMachine()` is one on which all is well: a pair's
 * active half, with keepalived and rcron's notify scripts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FileFacts, Machine, RunningProcess } from "../../src/doctor/machine.ts";
import { type SystemError, systemError } from "../../src/system/libc.ts";
import { project } from "../support/program.ts";

interface Entry {
  kind: FileFacts["kind"];
  content: string | Uint8Array;
  target: string;
  uid: number;
  gid: number;
  mode: number;
  modifiedAtMs: number;
  id: string;
}

/** What a test says of a file; the rest is a file of root's, 0644, written an hour ago. */
export type FakeFile = Partial<Omit<Entry, "kind">> & { readonly kind?: Entry["kind"] };

export const nowMs = Date.parse("2026-11-21T11:29:11Z");
const uptimeS = 100_000;
export const bootId = "8f1d0e5c-0b9a-4a3c-9a50-6d2f1c2b7e11";
/** keepalived was started a day ago. */
const keepalivedTicks = 1_360_000;

export class FakeMachine implements Machine {
  readonly #entries = new Map<string, Entry>();
  readonly #running: RunningProcess[] = [];
  readonly #accounts = [
    { name: "root", uid: 0, gid: 0 },
    { name: "daemon", uid: 1, gid: 1 },
    { name: "app", uid: 1000, gid: 1000 },
  ];
  /** What tests change at will. */
  uid = 0;
  nowMs = nowMs;
  ownPath = "/usr/bin/rcron";
  log: "reached" | SystemError = "reached";
  clockState: ReturnType<Machine["clock"]> = "synchronised";
  ownAddresses: string[] = [];
  /** Paths that may not be read. */
  readonly denied = new Set<string>();

  constructor() {
    this.folder("/", {});
  }

  /** Puts a file there, with the folders above it where they are missing; root's, 0755. */
  file(path: string, file: FakeFile | string = {}): this {
    const given = typeof file === "string" ? { content: file } : file;
    this.#makeFoldersAbove(path);
    this.#entries.set(path, {
      kind: "file",
      content: "",
      target: "",
      uid: 0,
      gid: 0,
      mode: 0o644,
      modifiedAtMs: nowMs - 3_600_000,
      id: path,
      ...given,
    });
    return this;
  }

  folder(path: string, facts: FakeFile): this {
    return this.file(path, { mode: 0o755, ...facts, kind: "folder" });
  }

  link(path: string, target: string, facts: FakeFile = {}): this {
    return this.file(path, { mode: 0o777, ...facts, kind: "link", target });
  }

  /** Changes what is there already. */
  change(path: string, facts: FakeFile): this {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw new Error(`the test changes ${path}, which is not there`);
    this.#entries.set(path, { ...entry, ...facts });
    return this;
  }

  /** Replaces a piece of a text. */
  edit(path: string, before: string | RegExp, after: string): this {
    const text = String(this.#entries.get(path)?.content ?? "");
    const edited = text.replace(before, () => after);
    if (edited === text) throw new Error(`the test edits ${path}, and nothing changes: ${before}`);
    return this.change(path, { content: edited });
  }

  remove(path: string): this {
    this.#entries.delete(path);
    return this;
  }

  runs(process: Partial<RunningProcess> & { readonly name: string }): this {
    const pid = process.pid ?? 100 + this.#running.length;
    this.#running.push({
      pid,
      parentPid: 1,
      words: [process.name],
      state: "S",
      startTicks: 1000,
      ...process,
    });
    return this;
  }

  ends(name: string): this {
    for (let at = this.#running.length - 1; at >= 0; at--) {
      if (this.#running[at]?.name === name) this.#running.splice(at, 1);
    }
    return this;
  }

  hasAccount(name: string, uid: number): this {
    this.#accounts.push({ name, uid, gid: uid });
    return this;
  }

  read(path: string, limit: number) {
    const entry = this.#follow(path);
    if ("code" in entry) return { error: entry };
    if (this.denied.has(path)) return { error: systemError(13) };
    if (entry.kind === "folder") return { error: systemError(21) };
    if (entry.kind !== "file") return { error: systemError(29) };
    const bytes = typeof entry.content === "string" ? new TextEncoder().encode(entry.content) : entry.content;
    return { bytes: bytes.slice(0, limit), isWhole: bytes.length <= limit };
  }

  stat(path: string): FileFacts | SystemError {
    return this.#follow(path);
  }

  lstat(path: string): FileFacts | SystemError {
    const slash = path.lastIndexOf("/");
    const folder = this.realPath(path.slice(0, slash) || "/");
    if (typeof folder !== "string") return folder;
    return this.#entries.get(path === "/" ? "/" : joined(folder, path.slice(slash + 1))) ?? systemError(2);
  }

  realPath(path: string): string | SystemError {
    let real = "/";
    const names = path.split("/").filter((name) => name !== "");
    for (let steps = 0; names.length > 0; steps++) {
      if (steps > 100) return systemError(40);
      const next = joined(real, names.shift() ?? "");
      const entry = this.#entries.get(next);
      if (entry === undefined) return systemError(2);
      if (entry.kind !== "link") real = next;
      else {
        names.unshift(...entry.target.split("/").filter((name) => name !== ""));
        if (entry.target.startsWith("/")) real = "/";
      }
    }
    return real;
  }

  list(folder: string): string[] | SystemError {
    const real = this.realPath(folder);
    if (typeof real !== "string") return real;
    if (this.denied.has(folder)) return systemError(13);
    const prefix = real === "/" ? "/" : `${real}/`;
    return [...this.#entries.keys()]
      .filter((path) => path.startsWith(prefix) && path !== "/" && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length))
      .sort();
  }

  processes(): readonly RunningProcess[] {
    return this.#running;
  }

  lifeOf({ pid, startTicks }: { pid: number; startTicks: number }) {
    const found = this.#running.find((process) => process.pid === pid && process.startTicks === startTicks);
    if (found === undefined) return "dead";
    return found.state === "T" ? "stopped" : "alive";
  }

  account(who: string | number) {
    return this.#accounts.find(({ name, uid }) => name === who || uid === who);
  }

  whereIs(address: Uint8Array) {
    return this.ownAddresses.includes(address.join(".")) ? "here" : "absent";
  }

  connectLog() {
    return this.log;
  }

  clock() {
    return this.clockState;
  }

  versionOf(program: string) {
    return program.endsWith("keepalived") ? "Keepalived v2.2.7 (01/16,2022)" : undefined;
  }

  #makeFoldersAbove(path: string): void {
    const slash = path.lastIndexOf("/");
    const above = path.slice(0, slash) || "/";
    if (path === "/" || this.#entries.has(above)) return;
    this.folder(above, {});
  }

  #follow(path: string): Entry | SystemError {
    const real = this.realPath(path);
    return typeof real === "string" ? (this.#entries.get(real) ?? systemError(2)) : real;
  }
}

function joined(folder: string, name: string): string {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

/** A file of the project's etc/. */
export function shipped(name: string): string {
  return readFileSync(join(project, "etc", name), "utf8");
}

export const confPath = "/etc/keepalived/keepalived.conf";
const scripts = ["notify", "notify-master", "notify-backup", "notify-fault", "notify-stop"];

/** The active one of two machines, set up as the README says. */
export function healthyMachine(): FakeMachine {
  const machine = new FakeMachine()
    .folder("/run", {})
    .link("/var/run", "/run")
    .folder("/tmp", { mode: 0o1777 })
    .file("/proc/self/mountinfo", mounts)
    .file("/proc/uptime", `${uptimeS}.00 180000.00\n`)
    .file("/proc/sys/kernel/random/boot_id", `${bootId}\n`)
    .file("/proc/sys/kernel/hostname", "alpha.example\n")
    .file("/etc/debian_version", "12\n")
    .file("/etc/rcron/rcron.conf", "default_state = passive\nrequire_writer = yes\n")
    .file(confPath, pairConf)
    .file("/usr/sbin/keepalived", { mode: 0o755 })
    .file("/usr/bin/env", { mode: 0o755 })
    .file("/bin/echo", { mode: 0o755 })
    .file("/bin/sh", { mode: 0o755 })
    .file("/usr/bin/my-job", { mode: 0o755 })
    .file("/usr/bin/rcron", { mode: 0o755, id: "rcron" })
    .link("/usr/bin/rcrond", "rcron")
    .link("/usr/bin/rcronctl", "rcron")
    .file("/sys/class/net/eth0", "")
    .file("/sys/class/net/eth1", "")
    .file("/etc/crontab", "SHELL=/bin/sh\n0 3 * * * root rcron my-job --flag\n")
    .file("/run/rcron.state", stateText("active"))
    .runs({ name: "cron" })
    .runs({ name: "rsyslogd" })
    .runs({ name: "chronyd" })
    .runs({ name: "keepalived", pid: 500, startTicks: keepalivedTicks })
    .runs({ name: "keepalived", pid: 501, parentPid: 500, startTicks: keepalivedTicks + 2 });
  for (const name of scripts) {
    machine.file(`/etc/keepalived/rcron/${name}.sh`, {
      mode: 0o755,
      content: shipped(`keepalived/${name}.sh`),
    });
  }
  return machine.change(confPath, { modifiedAtMs: nowMs - 30 * 86_400_000 });
}

/** As `rcronctl state set` leaves it. */
export function stateText(word: "active" | "passive", more = ""): string {
  return `${word}\nepoch=1795260551123\ninstance=RCRON\nwriter=keepalived/501/${keepalivedTicks + 2}\nboot_id=${bootId}\nwritten_at=2026-11-21T10:29:11.123Z\nuptime=96400.00\n${more}`;
}

const mounts = `21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:5 / /run rw,nosuid - tmpfs tmpfs rw
23 21 0:44 / /srv/share rw - nfs4 server:/share rw
24 21 0:45 / /with\\040blank rw - xfs /dev/sdb rw
`;

/** A configuration like that of etc/keepalived/two-machines.conf, for tests to put faults into. */
const pairConf = `# The pair.
global_defs {
	# Above all scripts.
	script_user root
	enable_script_security
}

vrrp_instance RCRON {
	state BACKUP
	interface eth0
	virtual_router_id 31
	priority 100
	#nopreempt
	advert_int 1
	authentication {
		auth_type PASS
		auth_pass 1111
	}
	notify_master /etc/keepalived/rcron/notify-master.sh
	notify_backup /etc/keepalived/rcron/notify-backup.sh
	notify_fault  /etc/keepalived/rcron/notify-fault.sh
	notify_stop   /etc/keepalived/rcron/notify-stop.sh
	#notify /etc/keepalived/rcron/notify.sh
}
`;

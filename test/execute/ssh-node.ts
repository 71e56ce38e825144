/**
 * Nodes for tests: a real sshd on this machine's loopback, in a pid and mount namespace of its own, so that its homes and
 * temporary folders are its own, /proc shows its processes alone, and nothing of it is left when it ends.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./hosting-scene.ts";

/** The users of a node: all of them are root, and differ by their login shells. */
export const shells = {
  sh: "/bin/sh",
  bash: "/bin/bash",
  fish: "/usr/bin/fish",
  csh: "/bin/csh",
} as const;

export interface NodeOptions {
  /** Lines for its sshd_config. */
  readonly sshd?: string;
  /** Its users may come with that, besides their key. */
  readonly password?: string;
  /** The room in its homes. */
  readonly homeBytes?: number;
  /** Where its sshd listens; 127.0.0.1. */
  readonly address?: string;
  /** Words that put it somewhere else: `ip netns exec NAME`. */
  readonly within?: readonly string[];
  /** A shell script that is run there as root before sshd is started, at each boot; `$homes` has a folder for each user. */
  readonly prepare?: string;
  /** Where its sshd listens; else one that nobody else has. */
  readonly port?: number;
  /** Further users, with their login shells. */
  readonly users?: Readonly<Record<string, string>>;
  /** True: its homes are on a disk, which outlives a boot, and each boot has an id of its own. Else they are in memory. */
  readonly hasDisk?: boolean;
}

/** A running node. */
export interface SshNode extends AsyncDisposable {
  readonly port: number;
  /** Its user's private key. */
  readonly keyFile: string;
  /** An ssh configuration whose known_hosts has its host key. */
  readonly configFile: string;
  readonly knownHosts: string;
  /** Runs a shell line there, outside of ssh; what it printed. */
  run(line: string): string;
  /** The pid of its first process, seen from here. */
  firstPid(): number;
  /** Where its host key is, and other things of its own. */
  readonly folder: string;
  /** Where its homes are, seen from here, if it has a disk. */
  readonly homes: string;
  /** Ends its sshd, or what else it is told, by a signal, and starts it again. */
  restartSshd(): Promise<void>;
  /** Takes its power away: nothing that ran there has a word left to say. */
  powerOff(): Promise<void>;
  /** Starts it anew. */
  powerOn(): Promise<void>;
}

let nextPort = 20_000 + (process.pid % 20_000);

/** Starts a node; `folder` is for its keys and files. */
export async function startNode(folder: string, options: NodeOptions = {}): Promise<SshNode> {
  nextPort += 1;
  const { password, address = "127.0.0.1", within = [], port = nextPort, users = {} } = options;
  const root = join(folder, `node-${nextPort}`);
  mkdirSync(root);
  chmodSync(folder, 0o755);
  makeKey(join(root, "host"));
  makeKey(join(root, "user"));
  const word =
    password === undefined
      ? "x"
      : Bun.spawnSync(["openssl", "passwd", "-6", "--", password]).stdout.toString().trim();
  const all = { ...shells, ...users };
  const lines = Object.entries(all).map(
    ([name, shell]) => `${name}:${word}:0:0::/mnt/homes/${name}:${shell}`,
  );
  writeFileSync(
    join(root, "passwd"),
    `root:x:0:0:root:/mnt/homes/sh:/bin/sh\n${lines.join("\n")}\nsshd:x:104:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\n`,
  );
  writeFileSync(
    join(root, "sshd.conf"),
    `Port ${port}\nListenAddress ${address}\nHostKey ${root}/host\nAuthorizedKeysFile ${root}/user.pub\nPidFile ${root}/sshd.pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication ${password === undefined ? "no" : "yes"}\nMaxStartups 100\n${options.sshd ?? ""}\n`,
  );
  const [type, key] = readFileSync(join(root, "host.pub"), "utf8").split(" ");
  const knownHosts = join(root, "known_hosts");
  writeFileSync(knownHosts, `[${address}]:${port} ${type} ${key}\n`);
  const configFile = join(root, "ssh_config");
  writeFileSync(configFile, `Host *\n  UserKnownHostsFile ${knownHosts}\n  GlobalKnownHostsFile /dev/null\n`);
  writeFileSync(join(root, "start.sh"), startScript(root, Object.keys(all), options));
  const pidFile = join(root, "sshd.pid");
  let boot = await bootNode(root, within);
  const run = (line: string) => {
    const ran = Bun.spawnSync(["nsenter", "-t", boot.first, "-m", "-n", "-p", "sh", "-c", line], {
      timeout: 20_000,
    });
    return ran.stdout.toString() + ran.stderr.toString();
  };
  const powerOff = async () => {
    boot.child.kill("SIGKILL");
    await boot.child.exited;
    rmSync(pidFile, { force: true });
  };
  return {
    port,
    keyFile: join(root, "user"),
    configFile,
    knownHosts,
    folder: root,
    homes: join(root, "disk"),
    firstPid: () => Number(boot.first),
    run,
    async restartSshd() {
      run(
        `kill $(cat ${pidFile}); while [ -e ${pidFile} ]; do sleep 0.02; done; /usr/sbin/sshd -f ${root}/sshd.conf -E ${root}/sshd.log`,
      );
      await until(() => existsSync(pidFile), "sshd");
    },
    powerOff,
    async powerOn() {
      boot = await bootNode(root, within);
    },
    [Symbol.asyncDispose]: powerOff,
  };
}

/** What its first process does. */
function startScript(
  root: string,
  users: readonly string[],
  { homeBytes = 256 * 1024 * 1024, hasDisk = false, prepare = "" }: NodeOptions,
): string {
  const boot = `cat /proc/sys/kernel/random/uuid >${root}/boot_id; mount --bind ${root}/boot_id /proc/sys/kernel/random/boot_id`;
  const disk = `mkdir -p ${root}/disk; mount --bind ${root}/disk $homes`;
  return `set -eu
mount -t tmpfs -o mode=755,size=${homeBytes} tmpfs /mnt
homes=/mnt/homes
mkdir $homes
${hasDisk ? `${boot}\n${disk}` : ""}
for user in ${users.join(" ")}; do mkdir -p -m 700 $homes/$user; done
for place in /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $place; done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
mount --bind ${root}/passwd /etc/passwd
${prepare}
echo $$ >/run/first
/usr/sbin/sshd -f ${root}/sshd.conf -E ${root}/sshd.log
while :; do sleep 1 || :; done
`;
}

/** @returns what keeps it alive, and the pid of its first process as it is seen from here */
async function bootNode(
  root: string,
  within: readonly string[],
): Promise<{ readonly child: Bun.Subprocess; readonly first: string }> {
  const child = Bun.spawn(
    [
      ...within,
      "setpriv",
      "--pdeathsig",
      "KILL",
      "--",
      "unshare",
      "-m",
      "-p",
      "-f",
      "--kill-child=KILL",
      "--mount-proc",
      "bash",
      join(root, "start.sh"),
    ],
    { stdin: "ignore", stdout: "ignore", stderr: Bun.file(join(root, "start.log")) },
  );
  const pidFile = join(root, "sshd.pid");
  await until(() => existsSync(pidFile) || child.exitCode !== null, `a node: ${root}`);
  if (child.exitCode !== null) throw new Error(readFileSync(join(root, "start.log"), "utf8"));
  const first = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  return { child, first };
}

function makeKey(path: string): void {
  Bun.spawnSync(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path]);
}

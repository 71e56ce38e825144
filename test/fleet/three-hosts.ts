/**
 * A machine for rcrond and three hosts with a real sshd each, every one in a network of its own, with a cable from the first one
 * to each of the others, and one from web1 to web2.
 *
 * ssh reads the configuration of the home that passwd names, whatever HOME says. So rcrond's machine is a mount namespace of its
 * own as well, where /root, /home, /run and /etc/hosts are folders of the bed: rcrond starts the ssh that is in its PATH, with its
 * usual words. All of it ends with the test's process, however that ends.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../daemon/system/scheduler.ts";
import { type NodeOptions, type SshNode, startNode } from "../execute/ssh-node.ts";
import { type Ended, run, temporaryFolder } from "../support/program.ts";

export type HostName = "web1" | "web2" | "web3";
export const hostNames: readonly HostName[] = ["web1", "web2", "web3"];

/** What the machine must have for them. */
export const needs = ["root", "unshare", "nsenter", "setpriv", "ip", "sshd", "ssh"];

/** One of the three. */
export interface Host extends SshNode {
  readonly name: HostName;
  /** As rcrond's machine knows it. */
  readonly address: string;
  /** The lines of a file in the home of one of its users; none where there is no file. */
  lines(file: string, user?: string): string[];
  /** Pulls its cable out, here, where the kernel says so at once, or there, where nobody hears of it. */
  pull(end?: "here" | "there"): void;
  /** Puts it back. */
  plug(): void;
  /** Gives it another host key, as if it had been set up anew. */
  changeHostKey(): Promise<void>;
  /** The line of known_hosts for the key that it has now. */
  knownHostsLine(): string;
}

export interface ThreeHosts extends AsyncDisposable, Readonly<Record<HostName, Host>> {
  /** What stands before a program that shall run on rcrond's machine. It ends with the test. */
  readonly before: readonly string[];
  /** The folder that is /root there. */
  readonly home: string;
  /** The folder that is /home there. */
  readonly homes: string;
  /** /etc/hosts there. */
  readonly hostsFile: string;
  /** Runs a program there to its end. */
  run(...words: string[]): Promise<Ended>;
  /** Writes root's ssh configuration there, with these lines before those that all tests have. */
  configureSsh(lines?: readonly string[]): void;
  /** Writes root's known_hosts there anew: all three with the keys that they have now. */
  knowHosts(): void;
  /** `[node NAME]`, with all that is needed to reach it, and further lines. */
  section(name: HostName, ...lines: string[]): string[];
}

/** The way from web1 to web2 that nobody else has. */
export const privateAddress = "10.77.12.2";

/** Starts them, with further options for each. */
export async function threeHosts(
  options: Partial<Readonly<Record<HostName, NodeOptions>>> = {},
): Promise<ThreeHosts> {
  const folder = temporaryFolder();
  Bun.spawnSync(["chmod", "755", folder.path]);
  const at = (name: string) => join(folder.path, name);
  for (const name of ["root", "root/.ssh", "home"]) mkdirSync(at(name), { mode: 0o700 });
  writeFileSync(at("hosts"), "127.0.0.1 localhost\n");
  writeFileSync(at("machine.sh"), machineScript(folder.path));
  const machine = Bun.spawn(
    ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "-m", "-n", "sh", at("machine.sh")],
    {
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(at("machine.log")),
    },
  );
  const nodes: SshNode[] = [];
  const dispose = async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    machine.kill("SIGKILL");
    await machine.exited;
    folder[Symbol.dispose]();
  };
  try {
    await until("rcrond's machine", () => existsSync(at("ready")) || machine.exitCode !== null);
    if (machine.exitCode !== null) throw new Error(readFileSync(at("machine.log"), "utf8"));
    const enter = ["nsenter", "-t", String(machine.pid), "-m", "-n"];
    const start = async (name: HostName): Promise<Host> => {
      const within = [...enter, "ip", "netns", "exec", name];
      const more = options[name] ?? {};
      const address = addressOf(name);
      const sshd =
        name === "web2" ? `ListenAddress ${privateAddress}\n${more.sshd ?? ""}` : (more.sshd ?? "");
      const node = await startNode(folder.path, { hasDisk: true, address, within, ...more, sshd });
      nodes.push(node);
      return hostOf(name, node, (...words) => {
        const ran = Bun.spawnSync([...enter, "ip", ...words], { timeout: 20_000 });
        if (ran.exitCode !== 0) throw new Error(`ip ${words.join(" ")}: ${ran.stderr.toString()}`);
      });
    };
    const [web1, web2, web3] = [await start("web1"), await start("web2"), await start("web3")];
    const all = { web1, web2, web3 };
    const before = [...enter, "setpriv", "--pdeathsig", "KILL", "--"];
    const hosts: ThreeHosts = {
      ...all,
      before,
      home: at("root"),
      homes: at("home"),
      hostsFile: at("hosts"),
      run: (...words) => run([...before, ...words], { timeoutMs: 30_000 }),
      configureSsh: (lines = []) => {
        // A key exchange that costs a tenth of the usual one's time.
        const common = ["Host *", "  KexAlgorithms curve25519-sha256", "  GlobalKnownHostsFile /dev/null"];
        writeFileSync(at("root/.ssh/config"), `${[...lines, ...common].join("\n")}\n`, { mode: 0o600 });
      },
      knowHosts: () => {
        const lines = hostNames.map((name) => all[name].knownHostsLine());
        writeFileSync(at("root/.ssh/known_hosts"), lines.join(""), { mode: 0o600 });
      },
      section: (name, ...lines) => [
        `[node ${name}]`,
        `host = ${all[name].address}`,
        `port = ${all[name].port}`,
        ...(lines.some((line) => line.startsWith("user =")) ? [] : ["user = sh"]),
        ...(lines.some((line) => line.startsWith("password_file =")) ? [] : [`key = ${all[name].keyFile}`]),
        ...lines,
      ],
      [Symbol.asyncDispose]: dispose,
    };
    hosts.configureSsh();
    hosts.knowHosts();
    return hosts;
  } catch (error) {
    await dispose();
    throw error;
  }
}

const addressOf = (name: HostName) => `10.77.${hostNames.indexOf(name) + 1}.2`;

/** Makes the networks, and stays. */
function machineScript(root: string): string {
  const cables = hostNames.map((name) => {
    const address = addressOf(name);
    return `ip netns add ${name}
ip link add ${name} type veth peer name eth0 netns ${name}
ip addr add ${address.replace(/2$/, "1")}/24 dev ${name}
ip link set ${name} up
ip -n ${name} addr add ${address}/24 dev eth0
ip -n ${name} link set eth0 up
ip -n ${name} link set lo up
`;
  });
  return `set -eu
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind ${root}/root /root
mount --bind ${root}/home /home
mount --bind ${root}/hosts /etc/hosts
ip link set lo up
${cables.join("")}
ip -n web1 link add eth1 type veth peer name eth1 netns web2
ip -n web1 addr add ${privateAddress.replace(/2$/, "1")}/24 dev eth1
ip -n web1 link set eth1 up
ip -n web2 addr add ${privateAddress}/24 dev eth1
ip -n web2 link set eth1 up
: >${root}/ready
exec sleep infinity
`;
}

function hostOf(name: HostName, node: SshNode, ip: (...words: string[]) => void): Host {
  const address = addressOf(name);
  return {
    ...node,
    name,
    address,
    lines: (file, user = "sh") => {
      const path = join(node.homes, user, file);
      return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
    },
    pull: (end = "here") =>
      end === "here" ? ip("link", "set", name, "down") : ip("-n", name, "link", "set", "eth0", "down"),
    plug: () => {
      ip("link", "set", name, "up");
      ip("-n", name, "link", "set", "eth0", "up");
    },
    changeHostKey: async () => {
      const key = join(node.folder, "host");
      for (const file of [key, `${key}.pub`]) rmSync(file);
      Bun.spawnSync(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
      await node.restartSshd();
    },
    knownHostsLine: () => {
      const [type, key] = readFileSync(join(node.folder, "host.pub"), "utf8").split(" ");
      const where = node.port === 22 ? address : `[${address}]:${node.port}`;
      return `${where} ${type} ${key}\n`;
    },
  };
}

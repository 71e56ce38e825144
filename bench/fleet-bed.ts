/**
 * The bed of the fleets' measurement: a real sshd on loopback with a user for each node, so that each has a home of its own;
 * the ssh configuration by which `ssh n007` works as by hand; and the built rcrond, asked by the built rcronctl.
 *
 * To be used on a private host as root, in which {@link homeFolder} is root's home: ssh reads the configuration of the home that
 * passwd names.
 */
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type SshNode, startNode } from "../test/execute/ssh-node.ts";
import { scratchFolder } from "./private-host.ts";

/** Inside: root's home. */
export const homeFolder = "/run/bench/home";

/** More at once, an sshd with the bed's `MaxStartups` would turn away. */
export const mostNodes = 100;

/** A key exchange for the ssh configuration; undefined: what OpenSSH prefers by itself. */
export type KeyExchange = "curve25519-sha256" | undefined;

/** The machine that all nodes are. */
export interface FleetBed extends AsyncDisposable {
  readonly names: readonly string[];
  /** The folder of the programs. */
  readonly programs: string;
  /** The socket of the connection that OpenSSH's own client shares with itself. */
  readonly masterSocket: string;
  /** Writes root's ssh configuration. */
  configureSsh(keyExchange?: KeyExchange): void;
  /** Processor time of all that has run on the nodes, their sshd included, in ms since their start. */
  nodeCpuMs(): number;
  /** Waits until no connection is left on the nodes' side. */
  untilLeft(): Promise<void>;
}

/** rcrond at work. */
export interface FleetDaemon {
  readonly pid: number;
  /** `rcronctl run JOB --follow`, from before its start to after its end, in ms. @throws where the job has failed */
  follow(job: string): number;
  /** The same without holding up this process. */
  followed(job: string): Promise<number>;
  /** `rcronctl WORD… --json`. */
  ask<Value>(...words: string[]): Value;
  stop(): Promise<void>;
}

/** What the programs have of the environment. */
export const environment = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: homeFolder,
  USER: "root",
  LOGNAME: "root",
  LANG: "C.UTF-8",
};

const readyLimitMs = 30_000;
const followLimitMs = 120_000;

/**
 * Starts the nodes' machine.
 * @param folder for its keys and files; not below /run, which the machine has for itself
 * @param programs the folder of rcrond and rcronctl
 * @param count of nodes, 1 to {@link mostNodes}
 */
export async function startBed(folder: string, programs: string, count: number): Promise<FleetBed> {
  const names = Array.from({ length: count }, (_, index) => `n${String(index).padStart(3, "0")}`);
  const users = Object.fromEntries(names.map((name) => [name, "/bin/sh"]));
  const node = await startNode(folder, { users });
  mkdirSync(join(homeFolder, ".ssh"), { recursive: true, mode: 0o700 });
  const configureSsh = (keyExchange?: KeyExchange) => {
    writeFileSync(join(homeFolder, ".ssh/config"), sshConfiguration(node, keyExchange), { mode: 0o600 });
  };
  configureSsh();
  return {
    names,
    programs,
    masterSocket: join(scratchFolder, "master"),
    configureSsh,
    nodeCpuMs: () => cpuMsOf(node.run(tellProcesses)),
    untilLeft: async () => {
      // One listens; each of the others has a connection.
      const isLeft = () => Number(node.run("grep -lx sshd /proc/[0-9]*/comm | wc -l")) <= 1;
      await until(isLeft, "the end of all connections on the nodes");
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}

function sshConfiguration({ port, keyFile, knownHosts }: SshNode, keyExchange: KeyExchange): string {
  const lines = [
    "Host n*",
    "HostName 127.0.0.1",
    `Port ${port}`,
    `IdentityFile ${keyFile}`,
    "IdentitiesOnly yes",
    `UserKnownHostsFile ${knownHosts}`,
    "GlobalKnownHostsFile /dev/null",
    ...(keyExchange === undefined ? [] : [`KexAlgorithms ${keyExchange}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** A line a process: what its one thread took, in ns, and then its stat. */
const tellProcesses = `cd /proc; for p in [0-9]*; do { read -r ns rest <$p/schedstat; read -r stat <$p/stat; } 2>/dev/null && echo "$ns $stat"; done; :`;

/** Of processes of one thread each, and of what they have waited for. */
function cpuMsOf(told: string): number {
  let ms = 0;
  for (const line of told.trim().split("\n")) {
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    ms += Number(line.split(" ")[0]) / 1e6 + (Number(fields[13]) + Number(fields[14])) * 10;
  }
  return ms;
}

/** The words of OpenSSH's own client for a node, up to the command. */
export function sshWords(name: string, ...options: readonly string[]): string[] {
  return ["/usr/bin/ssh", ...options, "-l", name, name];
}

/** A `[node NAME]` for each, with a role `fleet`; the first ten have `few` as well. */
function nodeSections(names: readonly string[]): string[] {
  return names.flatMap((name, index) => [
    `[node ${name}]`,
    `roles = ${index < 10 ? "fleet, few" : "fleet"}`,
    `user = ${name}`,
  ]);
}

/** A job file that is never due by itself, unless it says when. */
export function jobFile(run: string, { on, every = "1000d" }: { on?: string; every?: string } = {}): string {
  const lines = [`every ${every}`, ...(on === undefined ? [] : [`on ${on}`]), `run ${run}`];
  return `${lines.join("\n")}\n`;
}

/** Starts rcrond with these jobs, and waits until it takes questions. */
export async function startDaemon(
  { programs, names }: FleetBed,
  jobs: Readonly<Record<string, string>>,
): Promise<FleetDaemon> {
  const folder = join(scratchFolder, "fleet");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "jobs"), { recursive: true });
  const at = (name: string) => join(folder, name);
  for (const [name, text] of Object.entries(jobs)) writeFileSync(at(`jobs/${name}`), text);
  writeFileSync(at("word"), "active\n");
  const lines = [
    `history = ${at("record")}`,
    `state_file = ${at("word")}`,
    "[daemon]",
    `state_folder = ${at("state")}`,
    `socket = ${at("socket")}`,
    "log = stderr",
    ...nodeSections(names),
  ];
  writeFileSync(at("conf"), `${lines.join("\n")}\n`);
  const child = Bun.spawn([join(programs, "rcrond"), "--cron-dir", at("jobs"), "--conf", at("conf")], {
    stdio: ["ignore", "ignore", openSync(at("log"), "a")],
    env: environment,
  });
  const log = () => readFileSync(at("log"), "utf8");
  await until(() => existsSync(at("socket")) || child.exitCode !== null, "rcrond's socket");
  if (child.exitCode !== null) throw new Error(`rcrond did not start: ${log()}`);
  const ctl = (...words: string[]) => [join(programs, "rcronctl"), ...words, "--conf", at("conf")];
  const heeded = (job: string, status: number | null) => {
    if (status !== 0)
      throw new Error(`${job}: exit status ${status}; rcrond's log ends:\n${log().slice(-2000)}`);
  };
  const options = { env: environment, stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const;
  return {
    pid: child.pid,
    follow: (job) => {
      const begun = Bun.nanoseconds();
      const { exitCode } = Bun.spawnSync(ctl("run", job, "--follow"), { ...options, timeout: followLimitMs });
      const ms = (Bun.nanoseconds() - begun) / 1e6;
      heeded(job, exitCode);
      return ms;
    },
    followed: async (job) => {
      const begun = Bun.nanoseconds();
      const asked = Bun.spawn(ctl("run", job, "--follow"), { ...options, timeout: followLimitMs });
      heeded(job, await asked.exited);
      return (Bun.nanoseconds() - begun) / 1e6;
    },
    ask: <Value>(...words: string[]) => {
      const { exitCode, stdout, stderr } = Bun.spawnSync(ctl(...words, "--json"), { env: environment });
      if (exitCode !== 0) throw new Error(`rcronctl ${words.join(" ")}: ${stderr}`);
      return JSON.parse(stdout.toString()) as Value; // what rcronctl prints
    },
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/** Polls. @throws where it has not come in half a minute */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const endMs = performance.now() + readyLimitMs; !isSo(); await Bun.sleep(2)) {
    if (performance.now() > endMs) throw new Error(`never came: ${what}`);
  }
}

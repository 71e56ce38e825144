/**
 * What the fleet's soak is made of: its jobs, which write down on their nodes when they begin and how they end; its rcrond, that is
 * killed and started; and the faults.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Life } from "../daemon/system/scheduler.ts";
import type { FleetScene } from "./fleet-scene.ts";
import type { DaemonStart, Fault, SoakedJob } from "./soak-account.ts";
import { type HostName, hostNames, type ThreeHosts } from "./three-hosts.ts";

/** How it is due and placed, what it does, and what it may do. */
interface Soaked extends Omit<SoakedJob, "policy" | "isOnceInFleet" | "retries" | "overlap"> {
  readonly on: string;
  readonly line: string;
  readonly rules?: readonly string[];
}

const printedLines = 2000;
const printedBytes = 27 * 700_000;
/** True for so many of 16 runs, the same on each node. */
const luck = (of16: number) => `[ $((0x$(echo $RCRON_RUN_ID | cut -c16))) -lt ${of16} ]`;

/** The jobs, by name. */
export const jobs: Readonly<Record<string, Soaked>> = {
  quick: { seconds: 3, on: "any of web", line: "true", rules: ["overlap allow"] },
  once: { seconds: 4, on: "any", line: "sleep 3; exit 4", rules: ["overlap skip"] },
  queued: { seconds: 5, on: "any of web", line: "sleep 2", rules: ["overlap wait=15s"] },
  replaced: { seconds: 7, on: "any of web", line: "sleep 9", rules: ["overlap clobber"] },
  flaky: {
    seconds: 6,
    on: "any",
    line: '[ $(grep -c "^B flaky $RCRON_RUN_ID " ran) -ge 3 ] || exit 5',
    rules: ["retry 2", "retry_delay 1s"],
  },
  each: { seconds: 6, on: "all of web", line: `sleep 1; ${luck(12)} || [ $RCRON_NODE != web2 ] || exit 3` },
  renewed: { seconds: 11, on: "all", line: "sleep 14", rules: ["overlap clobber"] },
  long: { seconds: 20, on: "all of web", line: "sleep 27; exit 6", rules: ["overlap allow"] },
  late: {
    seconds: 9,
    on: "all of web2,web3",
    line: "sleep 40",
    rules: ["timeout 3s", "grace 2s"],
    isCut: true,
  },
  stubborn: {
    seconds: 13,
    on: "any",
    line: "trap : TERM; while :; do sleep 0.3; done",
    rules: ["timeout 2s", "grace 1s"],
    isCut: true,
  },
  inTurn: {
    seconds: 8,
    on: "ordered of web2,web1,web3",
    line: "sleep 1; [ $RCRON_NODE = web3 ] || exit 7",
    rules: ["overlap skip", "retry 1", "retry_delay 1s"],
  },
  mixed: { seconds: 6, on: "shuffle of web", line: `sleep 1; ${luck(8)} || exit 8` },
  killed: { seconds: 7, on: "any of web", line: "say E 137; kill -9 $$" },
  asks: { seconds: 6, on: "all", line: "sleep 1", rules: [`if sleep 0.5; ${luck(8)}`] },
  prints: {
    seconds: 9,
    on: "any of web",
    line: 'for i in $(seq 40); do seq -f "$RCRON_RUN_ID $RCRON_NODE $i.%g" 50; sleep 0.1; done',
    rules: ["overlap skip"], // two at once would write into one another's lines
    lines: printedLines,
  },
  floods: {
    seconds: 30,
    on: "any of web1,web3",
    line: 'seq -f "$RCRON_RUN_ID %09.0f" 700000',
    bytes: printedBytes,
  },
};

/** What a node has of a job: it says that it begins, and how it ends, and does its work between the two. */
function scriptOf(name: string, line: string): string {
  return `say() { read -r up rest </proc/uptime; echo "$1 ${name} $RCRON_RUN_ID $RCRON_NODE $$ $2 $up" >> ran; }
say B 0
trap 'say E $?' EXIT
trap 'exit 143' TERM
${line}
`;
}

/** Brings each node what it must have of the jobs. */
export function putScripts(hosts: ThreeHosts): void {
  for (const node of hostNames) {
    for (const [name, { line }] of Object.entries(jobs))
      writeFileSync(join(hosts[node].homes, "sh", name), scriptOf(name, line));
  }
}

/** The text of a job's file. @param every as in the file: when it is due */
export function jobText(it: FleetScene, name: string, every: string): string {
  const { on, rules = [], lines } = jobs[name] ?? { on: "any", line: "true" };
  const output = lines === undefined ? "none" : it.at(`printed-${name}`);
  const texts = [`every ${every}`, `output ${output}`, `on ${on}`, ...rules];
  return `${texts.join("\n")}\nrun . ./${name}\n`;
}

/** What the account must know of a job. */
export function termsOf({ on, seconds, rules = [], isCut = false, lines, bytes }: Soaked): SoakedJob {
  const said = rules.find((rule) => rule.startsWith("overlap "));
  const word = (said?.split(" ")[1] ?? "skip").split("=")[0];
  const policy = on.split(" ")[0] as SoakedJob["policy"]; // of the table above
  return {
    policy,
    seconds,
    overlap: word as SoakedJob["overlap"], // likewise
    isOnceInFleet: said !== undefined && policy !== "all",
    retries: Number(rules.find((rule) => rule.startsWith("retry "))?.split(" ")[1] ?? 0),
    isCut,
    ...(lines !== undefined && { lines }),
    ...(bytes !== undefined && { bytes }),
  };
}

/** Numbers by chance that a seed repeats, 0 ≤ x < 1 (mulberry32). */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What rcrond has taken. */
export interface Taken {
  readonly residentKb: number;
  readonly descriptors: number;
  readonly bookKb: number;
}

/** The scene, and what befalls it. */
export class Soak {
  readonly hosts: ThreeHosts;
  readonly it: FleetScene;
  readonly faults: Fault[] = [];
  readonly daemons: DaemonStart[] = [];
  readonly promised: string[] = [];
  readonly wrong: string[] = [];
  readonly #chance: () => number;
  readonly #busy = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #nodes: readonly HostName[] = hostNames;
  #deadSinceMs = Date.now();
  life: Life | undefined;

  constructor(hosts: ThreeHosts, it: FleetScene, seed: number) {
    this.hosts = hosts;
    this.it = it;
    this.#chance = chanceOf(seed);
  }

  /** One of them by chance, for a time by chance, unless what it is for has one already. */
  strike(): void {
    const node = this.#oneOf(hostNames);
    const seconds = 0.3 + 19 * this.#chance() ** 2;
    const isHard = this.#chance() < 0.5;
    const choices: readonly (readonly [
      weight: number,
      place: string,
      kind: string,
      act: () => Promise<void>,
    ])[] = [
      [4, `cable ${node}`, "cable", () => this.#cable(node, isHard ? "here" : "there", seconds)],
      [3, `sshd ${node}`, "sshd", () => this.#sshd(node, isHard, seconds)],
      [3, "master", isHard ? "master killed" : "master halted", () => this.#master(isHard, seconds)],
      [1, "rcrond", "rcrond killed", () => this.#restart("SIGKILL", seconds / 4)],
      [1, "rcrond", "rcrond ended", () => this.#restart("SIGTERM", seconds / 4)],
      [1, "nodes", "nodes changed", () => this.#change(node, isHard, seconds)],
      [2, "stop", "stop", () => this.#stop()],
      [2, "run", "run", () => this.#run()],
      [1, "disk", "disk", () => this.#disk(seconds)],
    ];
    const [, place, kind, act] = this.#oneOf(choices.flatMap((choice) => Array(choice[0]).fill(choice)));
    if (this.#busy.has(place)) return;
    this.#busy.add(place);
    const isOfNode = place.endsWith(node) || kind === "disk";
    const fault: Fault = {
      kind,
      ...(isOfNode && { node: kind === "disk" ? "web3" : node }),
      fromMs: Date.now(),
      untilMs: Number.POSITIVE_INFINITY,
    };
    this.faults.push(fault);
    const over = act()
      .catch((error: unknown) => {
        this.wrong.push(`${kind}: ${error}`);
        console.log(`wrong: ${kind}: ${String(error).slice(-600)}`);
      })
      .finally(() => {
        fault.untilMs = Date.now();
        this.#busy.delete(place);
        this.#underWay.delete(over);
      });
    this.#underWay.add(over);
  }

  /** Waits for the end of all faults. */
  async calm(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async start(): Promise<void> {
    for (let tries = 1; this.life === undefined; tries++) {
      const nodes = this.#nodes;
      const atMs = Date.now();
      // One that was killed may hold its lock for as long as a child of it is not yet another program.
      this.life = await this.it.start().catch((error: unknown) => {
        if (tries === 3) throw error;
        return undefined;
      });
      this.daemons.push({ atMs, workMs: Date.now(), nodes, deadSinceMs: this.#deadSinceMs });
    }
  }

  taken(): Taken {
    const pid = this.life?.pid ?? 0;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kept = this.it.at("kept");
    const sizes = readdirSync(kept, { recursive: true }).map((name) => {
      return statSync(join(kept, String(name)), { throwIfNoEntry: false })?.size ?? 0;
    });
    return {
      residentKb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      bookKb: Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1024),
    };
  }

  async #cable(node: HostName, end: "here" | "there", seconds: number): Promise<void> {
    this.hosts[node].pull(end);
    await Bun.sleep(seconds * 1000);
    this.hosts[node].plug();
  }

  /** The one that listens, and with it those of all connections. */
  async #sshd(node: HostName, isEach: boolean, seconds: number): Promise<void> {
    const { folder, run } = this.hosts[node];
    const each = `for p in /proc/[0-9]*; do read -r c <$p/comm; case $c in sshd*) kill -9 \${p#/proc/};; esac; done 2>/dev/null`;
    run(isEach ? `${each}; rm -f ${folder}/sshd.pid` : `kill $(cat ${folder}/sshd.pid)`);
    await Bun.sleep(Math.min(seconds, 8) * 1000);
    run(`until /usr/sbin/sshd -f ${folder}/sshd.conf -E ${folder}/sshd.log; do sleep 0.2; done`);
  }

  async #master(isKilled: boolean, seconds: number): Promise<void> {
    const pid = this.#oneOf(childrenOf(this.life?.pid).filter((child) => nameOf(child) === "ssh"));
    if (pid === undefined) return;
    const parent = this.life?.pid;
    process.kill(pid, isKilled ? "SIGKILL" : "SIGSTOP");
    if (isKilled) return;
    await Bun.sleep(seconds * 1000);
    // It has another parent where its rcrond is gone; no other process has its pid while it is halted.
    const isOurs = childrenOf(parent).includes(pid) || /State:\s+T/.test(textOf(`/proc/${pid}/status`));
    if (isOurs && nameOf(pid) === "ssh") process.kill(pid, "SIGCONT");
  }

  async #restart(signal: "SIGKILL" | "SIGTERM", seconds: number): Promise<void> {
    const { life } = this;
    if (life === undefined) return;
    this.#deadSinceMs = Date.now();
    this.life = undefined;
    const isOver = await Promise.race([signal === "SIGKILL" ? life.kill() : life.end(), Bun.sleep(30_000)]);
    if (isOver === undefined) {
      this.wrong.push("rcrond has not ended within 30 s of TERM");
      await life.kill();
    }
    await Bun.sleep(seconds * 1000);
    await this.start();
  }

  /** One node less, or bounds and an order of their own, and back. */
  async #change(node: HostName, isGone: boolean, seconds: number): Promise<void> {
    const others = hostNames.filter((name) => name !== node);
    const nodes = Object.fromEntries(others.map((name) => [name, ["runs_at_once = 9"]]));
    this.#define(isGone ? nodes : { ...nodes, [node]: ["runs_at_once = 3"] });
    await Bun.sleep(seconds * 1000);
    this.#define({ web1: [], web2: [], web3: [] });
  }

  #define(nodes: Partial<Readonly<Record<HostName, readonly string[]>>>): void {
    this.#nodes = hostNames.filter((name) => name in nodes);
    this.it.define({ nodes });
    this.life?.signal("SIGHUP");
  }

  async #stop(): Promise<void> {
    const going = await this.going();
    const run = this.#oneOf(going);
    if (run !== undefined) await this.it.ctl("stop", run);
  }

  async #run(): Promise<void> {
    const job = this.#oneOf(Object.keys(jobs));
    const said = await this.it.ctl("run", job ?? "", "--json");
    if (said.exitCode !== 0) return; // there may be no rcrond to ask
    this.promised.push((JSON.parse(said.stdout) as { run: string }).run); // what rcronctl prints
  }

  async #disk(seconds: number): Promise<void> {
    const { run } = this.hosts.web3;
    const filler = "/mnt/homes/sh/.cache/filler";
    run(`dd if=/dev/zero of=${filler} bs=64k 2>/dev/null; dd if=/dev/zero of=${filler}2 bs=4k 2>/dev/null`);
    await Bun.sleep(seconds * 1000);
    run(`rm ${filler} ${filler}2`);
  }

  /** The ids of the runs that go on or wait for their nodes. */
  async going(): Promise<string[]> {
    const { stdout, exitCode } = await this.it.ctl("status", "--json");
    if (exitCode !== 0 || stdout === "") return [];
    const { running } = JSON.parse(stdout) as { readonly running: readonly { readonly run: string }[] }; // what rcronctl prints
    return running.map(({ run }) => run);
  }

  #oneOf<Value>(values: readonly Value[]): Value;
  #oneOf<Value>(values: readonly Value[]): Value | undefined {
    return values[Math.floor(this.#chance() * values.length)];
  }
}

/** The pids of a process's children, of its first thread's. */
export function childrenOf(pid: number | undefined): number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(" ");
  return children.filter((child) => child.trim() !== "").map(Number);
}

/** What a process is called. */
export const nameOf = (pid: number) => textOf(`/proc/${pid}/comm`).trim();

/** A file's text; nothing where there is no such file, or no more. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

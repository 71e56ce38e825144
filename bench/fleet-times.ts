/**
 * How long a run of `true` on a node takes, on a connection that is there and on one that has to be made, beside the same
 * through OpenSSH's own client.
 *
 * All ways have their turns one after the other, each turn in another order; ratios are those within a turn. Two things are timed: the
 * way to the node itself, in this process, under all rules of a job; and `rcronctl run --follow`, with all that rcrond does
 * for a run. What is not the way's there – a start of rcronctl, the question, book, record – a job of this machine takes as well.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { NodeConnection } from "../src/execute/ssh/node-connection.ts";
import { runThere } from "../test/execute/ssh-scene.ts";
import { compareTwo, median } from "./figures.ts";
import {
  environment,
  type FleetBed,
  type FleetDaemon,
  jobFile,
  sshWords,
  startDaemon,
  until,
} from "./fleet-bed.ts";
import type { FleetRow } from "./fleet-figures.ts";
import { scratchFolder } from "./private-host.ts";

/** The first turns are not counted: what runs for weeks has run before. */
const warmUpTurns = 10;

/** Runs each way once a turn, in an order of its own. @returns the times in ms, turn by turn */
async function inTurns<Way extends string>(
  turns: number,
  ways: Readonly<Record<Way, (turn: number) => number | Promise<number>>>,
  uncounted = warmUpTurns,
): Promise<Record<Way, number[]>> {
  const names = Object.keys(ways) as Way[]; // the keys of that very record
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Way, number[]>;
  for (let turn = -uncounted; turn < turns; turn++) {
    for (const name of shuffled(names)) {
      const ms = await ways[name](turn);
      if (turn >= 0) times[name].push(ms);
    }
  }
  return times;
}

/** On a connection that is there, to the first node. */
export async function measureWarm(bed: FleetBed, turns: number): Promise<FleetRow[]> {
  const [name = ""] = bed.names;
  const shared = sshWords(name, "-S", bed.masterSocket);
  const daemon = await startDaemon(bed, {
    here: jobFile("true"),
    there: jobFile("true", { on: `any of ${name}` }),
    "by-ssh": jobFile(`exec ${shared.join(" ")} true`),
  });
  const connection = connectionTo(name);
  const master = await startMaster(bed, name);
  try {
    const times = await inTurns(turns, {
      ssh: () => timeOf([...shared, "true"]),
      ours: () => timeOfOurs(connection),
      here: () => daemon.follow("here"),
      there: () => daemon.follow("there"),
      bySsh: () => daemon.follow("by-ssh"),
    });
    const there = difference(times.there, times.here);
    return [
      timeRow("ssh -S SOCKET NODE true", times.ssh),
      timeRow("our way there, in this process", times.ours),
      ratioRow("  to ssh -S", times.ours, times.ssh, 1),
      timeRow("rcronctl run --follow, a job of this machine", times.here),
      timeRow("rcronctl run --follow, on a node", times.there),
      timeRow("  more than on this machine", there),
      ratioRow("  this to ssh -S", there, times.ssh, 1),
      timeRow("rcronctl run --follow, a job here: ssh -S SOCKET NODE true", times.bySsh),
      ratioRow("  on a node to this", times.there, times.bySsh),
      recordRow("the run on a node by its record", daemon, "there", turns),
      recordRow("the run of ssh -S by its record", daemon, "by-ssh", turns),
    ];
  } finally {
    await connection.close();
    await endMaster(bed, master, name);
    await daemon.stop();
    await bed.untilLeft();
  }
}

/** The connection and `true`: each turn reaches a node that rcrond has not reached before. */
export async function measureCold(bed: FleetBed, turns: number): Promise<FleetRow[]> {
  const counted = Math.min(turns, bed.names.length - 1);
  const nodeOf = (turn: number) => bed.names[turn + 1] ?? "";
  const jobs = bed.names.map((name) => [`to-${name}`, jobFile("true", { on: `any of ${name}` })] as const);
  const daemon = await startDaemon(bed, { here: jobFile("true"), ...Object.fromEntries(jobs) });
  const connections: NodeConnection[] = [];
  try {
    const times = await inTurns(
      counted,
      {
        ssh: (turn) => timeOf([...sshWords(nodeOf(turn)), "true"]),
        ours: async (turn) => {
          const connection = connectionTo(nodeOf(turn));
          connections.push(connection);
          return await timeOfOurs(connection);
        },
        here: () => daemon.follow("here"),
        there: (turn) => daemon.follow(`to-${nodeOf(turn)}`),
      },
      1,
    );
    const there = difference(times.there, times.here);
    return [
      timeRow("ssh NODE true", times.ssh),
      timeRow("our way there, in this process", times.ours),
      ratioRow("  to ssh", times.ours, times.ssh, 1.3),
      timeRow("rcronctl run --follow, on a node", times.there),
      timeRow("  more than on this machine", there),
      ratioRow("  this to ssh", there, times.ssh, 1.3),
    ];
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
    await daemon.stop();
    await bed.untilLeft();
  }
}

/** In this process, whose ssh reads the same configuration. */
function connectionTo(name: string): NodeConnection {
  return new NodeConnection({ host: name, user: name }, { controlFolder: `${ownFolder()}/c` });
}

/** For what a run in this process keeps. */
function ownFolder(): string {
  const folder = join(scratchFolder, "own");
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function timeOfOurs(connection: NodeConnection): Promise<number> {
  const begun = Bun.nanoseconds();
  const { isOk, outcome } = await runThere(ownFolder(), connection, "true");
  const ms = (Bun.nanoseconds() - begun) / 1e6;
  if (!isOk) throw new Error(`our way: ${JSON.stringify(outcome)}`);
  return ms;
}

/** Of a program, from before its start to after its end. */
function timeOf(words: readonly string[]): number {
  const begun = Bun.nanoseconds();
  const { exitCode, stderr } = Bun.spawnSync([...words], {
    env: environment,
    stdin: "ignore",
    stdout: "ignore",
  });
  const ms = (Bun.nanoseconds() - begun) / 1e6;
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: exit status ${exitCode}: ${stderr}`);
  return ms;
}

/** OpenSSH's own connection for {@link FleetBed.masterSocket}. */
async function startMaster({ masterSocket }: FleetBed, name: string): Promise<Bun.Subprocess> {
  const [ssh = "", ...words] = sshWords(name, "-M", "-N", "-S", masterSocket);
  const master = Bun.spawn([ssh, ...words], { env: environment, stdio: ["ignore", "ignore", "inherit"] });
  await until(() => existsSync(masterSocket) || master.exitCode !== null, "the socket of ssh -M");
  return master;
}

async function endMaster({ masterSocket }: FleetBed, master: Bun.Subprocess, name: string): Promise<void> {
  Bun.spawnSync(sshWords(name, "-O", "exit", "-S", masterSocket), { env: environment, timeout: 5000 });
  master.kill("SIGKILL"); // if it has not done so
  await master.exited;
}

/** What rcrond itself says of the last runs of a job, in whole ms. */
function recordRow(name: string, daemon: FleetDaemon, job: string, count: number): FleetRow {
  const words = ["runs", "--job", job, "--limit", String(count)];
  const runs = daemon.ask<readonly { readonly durationMs: number }[]>(...words);
  return timeRow(
    name,
    runs.map(({ durationMs }) => durationMs),
  );
}

function timeRow(name: string, all: readonly number[]): FleetRow {
  return { name, value: median(all), all, unit: "ms" };
}

function ratioRow(
  name: string,
  first: readonly number[],
  second: readonly number[],
  bound?: number,
): FleetRow {
  const { value } = compareTwo("ratio", [[first, second]]);
  return { name, unit: "x", value, ...(bound !== undefined && { bound }) };
}

function difference(first: readonly number[], second: readonly number[]): number[] {
  return first.map((ms, turn) => ms - (second[turn] ?? Number.NaN));
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

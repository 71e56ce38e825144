/**
 * What a whole fleet costs: one run on all nodes, a thousand runs a minute on a few of them, and connections that rest.
 */
import { median } from "./figures.ts";
import { type FleetBed, type FleetDaemon, jobFile, type KeyExchange, startDaemon } from "./fleet-bed.ts";
import { type CpuCost, cpuBetween, cpuOf, type MemoryCost, memoryOf } from "./fleet-costs.ts";
import type { FleetRow } from "./fleet-figures.ts";

const bounds = { allMs: 3000, memoryMB: 250, ratePercent: 60 };
const runsAMinute = 1000;
/** A job each second each: 1,020 runs a minute. */
const rateJobs = 17;
/** For connections, and the runtime's housekeeping after its start. */
const settleMs = 3000;
const sampleMs = 100;
const connectedTurns = 5;

/** A fleet's turn. */
interface AllTurn {
  readonly coldMs: number;
  readonly connectedMs: readonly number[];
  /** Of the first run, with which the connections were made. */
  readonly ours: CpuCost;
  readonly nodesMs: number;
  /** After all runs. */
  readonly memory: MemoryCost;
}

/** `on all` of them: with connections still to be made, and then with these. Each turn has an rcrond of its own. */
export async function measureAll(
  bed: FleetBed,
  keyExchange: KeyExchange,
  turns: number,
): Promise<FleetRow[]> {
  bed.configureSsh(keyExchange);
  try {
    // Memory is looked at while it goes on, which takes time: so that one's times don't count.
    const seenMB = await withFleet(bed, (daemon) => peakOf(daemon, followedOften(daemon)));
    const all: AllTurn[] = [];
    for (let turn = 0; turn < turns; turn++) {
      all.push(await withFleet(bed, (daemon) => allTurn(bed, daemon)));
    }
    // OpenSSH's own choice takes 90 ms of a core for each connection at our end alone: on two cores, no bound but arithmetic.
    return rowsOfAll(all, seenMB, keyExchange === undefined ? undefined : bounds.allMs);
  } finally {
    bed.configureSsh();
  }
}

/** An rcrond that has come to rest and has no connection yet. */
async function withFleet<Value>(
  bed: FleetBed,
  measure: (daemon: FleetDaemon) => Value | Promise<Value>,
): Promise<Value> {
  const daemon = await startDaemon(bed, { everywhere: jobFile("true", { on: "all of fleet" }) });
  try {
    await Bun.sleep(settleMs);
    return await measure(daemon);
  } finally {
    await daemon.stop();
    await bed.untilLeft();
  }
}

function allTurn(bed: FleetBed, daemon: FleetDaemon): AllTurn {
  const before = { ours: cpuOf(daemon.pid), nodesMs: bed.nodeCpuMs() };
  const coldMs = daemon.follow("everywhere");
  const ours = cpuBetween(before.ours, cpuOf(daemon.pid));
  const nodesMs = bed.nodeCpuMs() - before.nodesMs;
  const connectedMs = Array.from({ length: connectedTurns }, () => daemon.follow("everywhere"));
  return { coldMs, connectedMs, ours, nodesMs, memory: memoryOf(daemon.pid) };
}

function rowsOfAll(turns: readonly AllTurn[], seenMB: number, coldBoundMs: number | undefined): FleetRow[] {
  const time = (name: string, of: (turn: AllTurn) => number | readonly number[]): FleetRow => {
    const all = turns.flatMap(of);
    return { name, value: median(all), all, unit: "ms" };
  };
  const memory = (name: string, of: (cost: MemoryCost) => number): FleetRow => {
    return { name, value: median(turns.map((turn) => of(turn.memory))), unit: "MB" };
  };
  const ownMB = (cost: MemoryCost) => cost.ownMB;
  const wholeMB = (cost: MemoryCost) => cost.ownMB + cost.startedMB;
  const peakMB = Math.max(seenMB, ...turns.map((turn) => wholeMB(turn.memory)));
  return [
    {
      ...time("connect and run", ({ coldMs }) => coldMs),
      ...(coldBoundMs !== undefined && { bound: coldBoundMs }),
    },
    time("  processor time: rcrond", ({ ours }) => ours.ownMs),
    time("  processor time: what rcrond starts", ({ ours }) => ours.startedMs),
    time("  processor time: the nodes, which are this machine too", ({ nodesMs }) => nodesMs),
    { ...time("run, connected", ({ connectedMs }) => connectedMs), bound: bounds.allMs },
    {
      name: "memory at its peak: rcrond and all that it starts",
      value: peakMB,
      unit: "MB",
      bound: bounds.memoryMB,
    },
    { ...memory("memory after these runs", wholeMB), bound: bounds.memoryMB },
    memory("  rcrond's", ownMB),
    memory("  resident: rcrond", (cost) => cost.ownResidentMB),
    memory("  resident: what it starts, shared pages counted each time", (cost) => cost.startedResidentMB),
  ];
}

/** As often as in the turns that count. */
async function followedOften(daemon: FleetDaemon): Promise<void> {
  for (let again = 0; again <= connectedTurns; again++) await daemon.followed("everywhere");
}

/** The largest sum that was seen until something is over. */
async function peakOf({ pid }: FleetDaemon, going: Promise<unknown>): Promise<number> {
  let peakMB = 0;
  let isOver = false;
  const ended = going.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const { ownMB, startedMB } = memoryOf(pid);
    peakMB = Math.max(peakMB, ownMB + startedMB);
    await Promise.race([ended, Bun.sleep(sampleMs)]);
  }
  await ended;
  return peakMB;
}

/** A thousand short runs a minute, on any of ten nodes. */
export async function measureRate(
  bed: FleetBed,
  minutes: number,
  tell: (text: string) => void,
): Promise<FleetRow[]> {
  const jobs = Array.from({ length: rateJobs }, (_, index) => [
    `rate-${String(index).padStart(2, "0")}`,
    jobFile("true", { on: "any of few", every: "1s" }),
  ]);
  const daemon = await startDaemon(bed, Object.fromEntries(jobs));
  try {
    await Bun.sleep(2 * settleMs);
    // From the middle of a second to the middle of another, so that no tick is at the border.
    await Bun.sleep(1500 - (Date.now() % 1000));
    const beginMs = Date.now();
    const before = { ours: cpuOf(daemon.pid), nodeMs: bed.nodeCpuMs(), memory: memoryOf(daemon.pid) };
    const begunMs = performance.now();
    for (let minute = 1; minute <= minutes; minute++) {
      tell(`runs each second, minute ${minute} of ${minutes}`);
      await Bun.sleep(beginMs + minute * 60_000 - Date.now());
    }
    const tookMs = performance.now() - begunMs;
    const cpu = cpuBetween(before.ours, cpuOf(daemon.pid));
    const nodeMs = bed.nodeCpuMs() - before.nodeMs;
    const memory = memoryOf(daemon.pid);
    await Bun.sleep(settleMs);
    const mine = runsBetween(daemon, beginMs, beginMs + minutes * 60_000);
    const succeeded = mine.filter(({ state }) => state === "succeeded");
    const durations = succeeded.map(({ durationMs }) => durationMs ?? Number.NaN);
    const percent = (ms: number) => (ms / tookMs) * 100;
    return [
      {
        name: "of one core: rcrond and all that it starts",
        value: percent(cpu.ownMs + cpu.startedMs),
        unit: "%",
        bound: bounds.ratePercent,
      },
      { name: "  rcrond", value: percent(cpu.ownMs), unit: "%" },
      { name: "  what it starts", value: percent(cpu.startedMs), unit: "%" },
      { name: "  the nodes", value: percent(nodeMs), unit: "%" },
      { name: "a run by its record", value: median(durations), all: durations, unit: "ms" },
      { name: "runs", value: mine.length, unit: "" },
      { name: "  that did not succeed", value: mine.length - succeeded.length, unit: "", bound: 0 },
      {
        name: `  missing to ${runsAMinute} a minute`,
        value: Math.max(0, runsAMinute * minutes - succeeded.length),
        unit: "",
        bound: 0,
      },
      { name: "rcrond resident before", value: before.memory.ownResidentMB, unit: "MB" },
      { name: "rcrond resident after", value: memory.ownResidentMB, unit: "MB" },
    ];
  } finally {
    await daemon.stop();
    await bed.untilLeft();
  }
}

/** What was due in that time, by the record. */
function runsBetween(daemon: FleetDaemon, fromMs: number, toMs: number): RecordedRun[] {
  const found = daemon.ask<readonly RecordedRun[]>("runs", "--all", "--limit", "1000000");
  return found.filter(({ tick }) => Date.parse(tick) > fromMs && Date.parse(tick) <= toMs);
}

/** Of `rcronctl runs --json`. */
interface RecordedRun {
  readonly tick: string;
  readonly state: string;
  readonly durationMs: number | null;
}

/** What connections cost that rest: all nodes connected, against none. */
export function measureMemory(bed: FleetBed): Promise<FleetRow[]> {
  return withFleet(bed, async (daemon) => {
    const none = memoryOf(daemon.pid);
    daemon.follow("everywhere");
    await Bun.sleep(2 * settleMs);
    const all = memoryOf(daemon.pid);
    const row = (name: string, value: number): FleetRow => ({ name, value, unit: "MB" });
    const own = (all.ownMB - none.ownMB) / bed.names.length;
    const started = (all.startedMB - none.startedMB) / bed.names.length;
    return [
      row("rcrond, before any connection", none.ownMB),
      row("rcrond, all nodes connected", all.ownMB),
      row("  more for each node: rcrond's own", own),
      row("  and its connection's process", started),
      row("each node's, together", own + started),
      { name: "processes that rcrond keeps for them", value: all.count, unit: "" },
    ];
  });
}

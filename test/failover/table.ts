/**
 * `npm run failover`: plays every fault with every method on both topologies and prints the tables of docs/failover.md.
 *
 *     bun test/failover/table.ts [--repetitions N] [--only TEXT]
 *
 * Takes about 4 minutes a repetition; --only plays the faults whose name holds TEXT. Exits 1 where a scenario could not
 * be played, 2 where this machine lacks something.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { lacking } from "../support/debian.ts";
import { binary } from "../support/program.ts";
import { bedNeeds } from "./bed.ts";
import { type Fault, faults } from "./faults.ts";
import { advertMs, hostsOf, type Method, methods, type Topology, topologies } from "./methods.ts";
import type { Played } from "./play.ts";
import { Stage } from "./stage.ts";

const { values: options } = parseArgs({
  options: { repetitions: { type: "string", default: "3" }, only: { type: "string", default: "" } },
});

interface Cell {
  readonly topology: Topology;
  readonly fault: Fault;
  readonly method: Method;
  readonly played: readonly Played[];
}

async function main(): Promise<number> {
  if (!/^[1-9]\d?$/.test(options.repetitions)) {
    console.error(`table: --repetitions must be a number from 1 to 99: got "${options.repetitions}"`);
    return 2;
  }
  const missing = lacking("root", "unshare", "ip", ...bedNeeds.filter((need) => need !== "dist/rcron"));
  if (missing !== undefined || !existsSync(binary)) {
    console.error(`table: ${missing ?? "needs dist/rcron (npm run build)"}`);
    return 2;
  }
  using stage = new Stage();
  const repetitions = Number(options.repetitions);
  const wanted = topologies.flatMap((topology) =>
    faults
      .filter(({ name, on }) => name.includes(options.only) && on.includes(topology))
      .flatMap((fault) => methods.map((method) => ({ topology, fault, method }))),
  );
  let failed = 0;
  const playOne = async (scenario: Parameters<Stage["play"]>[0]) => {
    try {
      return await stage.play(scenario);
    } catch (error) {
      failed++;
      console.error(`${scenario.fault.name}, ${scenario.method.name}, ${scenario.topology}:`, error);
      return undefined;
    }
  };
  const cells: Cell[] = await Promise.all(
    wanted.map(async (cell) => {
      const phases = Array.from({ length: repetitions }, (_, index) => (index + 0.5) / repetitions);
      const played = await Promise.all(phases.map((phase) => playOne({ ...cell, phase })));
      return { ...cell, played: played.filter((one) => one !== undefined) };
    }),
  );
  printFaults();
  for (const topology of topologies) printTable(topology, cells);
  printDelays(cells);
  const lateness = Math.max(...cells.flatMap(({ played }) => played.map(({ latenessMs }) => latenessMs)));
  console.log(
    `Advert interval ${advertMs} ms, ${repetitions} repetitions; the latest tick was ${lateness} ms late.`,
  );
  return failed === 0 ? 0 : 1;
}

function printFaults(): void {
  console.log("| fault | what is done | and healed |\n|---|---|---|");
  for (const { name, what, healing } of faults) console.log(`| ${name} | ${what} | ${healing} |`);
  console.log();
}

function printTable(topology: Topology, all: readonly Cell[]): void {
  const cells = all.filter((cell) => cell.topology === topology);
  const words: Readonly<Record<number, string>> = { 2: "Two", 3: "Three" };
  console.log(`${words[hostsOf[topology].length]} hosts, ${topology}:\n`);
  const headings = ["fault", ...methods.map(({ name }) => name), "healing costs"];
  console.log(`| ${headings.join(" | ")} |\n|${headings.map(() => "---").join("|")}|`);
  for (const [fault, its] of Map.groupBy(cells, (cell) => cell.fault)) {
    console.log(`| ${[fault.name, ...its.map(describeCell), describeHealing(its)].join(" | ")} |`);
  }
  console.log();
}

/** `missed / extra / takeover` from the fault to the healing: the most, the most, the median. */
function describeCell({ played }: Cell): string {
  const struck = played.map(({ judgement: { missed, extra }, struckAfter, healedAfter }) => {
    const count = (ticks: readonly number[]) =>
      ticks.filter((tick) => tick > struckAfter && tick <= healedAfter).length;
    return {
      missed: count(all(missed)),
      extra: count(all(extra)),
      names: [...(count(extra.lasting) > 0 ? ["stale"] : []), ...(count(extra.inSplit) > 0 ? ["split"] : [])],
    };
  });
  const missed = Math.max(...struck.map((its) => its.missed));
  const extra = Math.max(...struck.map((its) => its.extra));
  const names = [...new Set(struck.flatMap((its) => its.names))].sort().join(" ");
  const times = played.flatMap(({ takeover }) =>
    takeover === undefined ? [] : [takeover.afterMs / advertMs],
  );
  const takeover = times.length === 0 ? "–" : median(times).toFixed(1);
  return [missed, `${extra} ${names}`.trim(), takeover].join(" / ");
}

/** What the healing costs, `missed / extra`, and how often the fence is lower after it than it was before. */
function describeHealing(cells: readonly Cell[]): string {
  const healed = cells.flatMap(({ played }) =>
    played.map(({ judgement: { missed, extra, olderEpochs }, healedAfter }) => {
      const count = (ticks: readonly number[]) => ticks.filter((tick) => tick > healedAfter).length;
      return { missed: count(all(missed)), extra: count(all(extra)), older: count(olderEpochs.lasting) };
    }),
  );
  const older = healed.filter((its) => its.older > 0).length;
  const costs = [Math.max(...healed.map((its) => its.missed)), Math.max(...healed.map((its) => its.extra))];
  return costs.join(" / ") + (older > 0 ? `; older epoch in ${older} of ${healed.length}` : "");
}

function printDelays(cells: readonly Cell[]): void {
  for (const [writer, its] of Map.groupBy(cells, ({ method }) => method.writer)) {
    const delays = its.flatMap(({ played }) => played.flatMap(({ delaysMs }) => delaysMs));
    const worst = Math.max(...delays);
    console.log(
      `From keepalived's change to the written word, ${writer}: median ${median(delays)} ms, worst ${worst} ms of ${delays.length}.`,
    );
  }
}

const all = ({ inWindow, inSplit, lasting }: Played["judgement"]["missed"]) => [
  ...inWindow,
  ...inSplit,
  ...lasting,
];

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2;
}

process.exit(await main());

/**
 * The measurement itself; `run.ts` starts it on a private host where there is one.
 *
 *     bun bench/measure.ts FOLDER ROUNDS RUNS text|json HOST-DESCRIPTION
 *
 * FOLDER holds the two built programs. Each round begins with a fresh copy of both, because the layout of a file in
 * the page cache changes a program's start by up to a fifth, and ends up different in each copy. In a round all rows
 * run in turn, each turn in another order. A row's ratio is that of its median to the floor's median of the same round.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { join } from "node:path";
import { type Comparison, compare, compareTwo, type Figure, isOver, table } from "./figures.ts";
import { measureMemory } from "./memory.ts";
import { logFile } from "./private-host.ts";
import {
  confFor,
  environment,
  type Pair,
  type Places,
  placesIn,
  type Row,
  rowsFor,
  stateFor,
} from "./rows.ts";

const [folder = "", rounds = "", runs = "", format = "", hostKind = "", host = ""] = process.argv.slice(2);
const warmUpTurns = 3;
const waitingInstances = 24;

/** A row's run times in ms, round by round. */
type Times = Map<Row, number[][]>;

async function main(): Promise<void> {
  const isPrivate = hostKind === "private";
  const places = placesIn(folder, isPrivate);
  const { rows, pairs } = rowsFor(places);
  const present = rows.filter(({ missing }) => missing === undefined);
  const loadBefore = loadavg();
  const times: Times = new Map(present.map((row) => [row, []]));
  for (let round = 0; round < Number(rounds); round++) {
    copyPrograms(places, round);
    runRound(places, present, times);
    progress(`round ${round + 1} of ${rounds}`);
  }
  const turns = Number(rounds) * (Number(runs) + warmUpTurns);
  const expected = turns * present.reduce((sum, { logLines }) => sum + logLines, 0);
  const log = isPrivate ? await countLines(expected) : undefined;
  const expectedRecord = turns * present.reduce((sum, { recordLines }) => sum + recordLines, 0);
  const record = countRecords(places.history);

  const loadAfter = loadavg(); // before the memory's many processes
  progress(`memory of ${waitingInstances} waiting rcrons`);
  writeMachine(places, { state: "active", niceLevel: 19, hasRecord: true });
  const options = isPrivate ? [] : ["--conf", places.namedConf];
  const memory = await measureMemory([places.rcron, ...options], waitingInstances);

  const figures = rows.map((row) => figureOf(row, rows[0], times));
  const comparisons = pairs.map((pair) => comparisonOf(pair, times));
  const about = {
    machine: machine(),
    load: `${loadBefore[0]?.toFixed(2)} before, ${loadAfter[0]?.toFixed(2)} after`,
    host,
    runs: `${rounds} rounds, each with fresh copies and ${runs} turns of all rows`,
    log: log === undefined ? "not counted" : `${log} of ${expected} expected lines delivered`,
    record: `${record} of ${expectedRecord} expected lines written`,
  };
  const isShort = (log !== undefined && log !== expected) || record !== expectedRecord;
  if (format === "json")
    console.log(JSON.stringify({ ...about, figures, comparisons, memory }, undefined, 2));
  else {
    for (const [name, value] of Object.entries(about)) console.log(`${name}: ${value}`);
    console.log(`\n${table(figures, comparisons, memory)}`);
  }
  process.exitCode = isOver(figures, comparisons, memory) || isShort ? 1 : 0;
}

/** Made together and in the same way; which one comes first changes from round to round. */
function copyPrograms({ floor, rcron }: Places, round: number): void {
  const copies = join(folder, "copy");
  rmSync(copies, { recursive: true, force: true });
  mkdirSync(copies);
  const pairs = [
    [join(folder, "floor/rcron"), floor],
    [join(folder, "rcron/rcron"), rcron],
  ] as const;
  for (const [from, to] of round % 2 === 0 ? pairs : pairs.toReversed()) command("cp", from, to);
  command("sync", floor, rcron); // or it would be written out while the runs go on
}

function runRound(places: Places, rows: readonly Row[], times: Times): void {
  const ofRound = new Map(rows.map((row) => [row, [] as number[]]));
  for (let turn = -warmUpTurns; turn < Number(runs); turn++) {
    for (const row of shuffled(rows)) {
      writeMachine(places, row);
      const ms = timeOf(row);
      if (turn >= 0) ofRound.get(row)?.push(ms);
    }
  }
  for (const [row, list] of ofRound) times.get(row)?.push(list);
}

type MachineOf = Pick<Row, "state" | "niceLevel" | "hasRecord" | "hasWitnesses">;

/** What the next run finds; written before every run alike, so that no row is the only one behind a write. */
function writeMachine(places: Places, row: MachineOf): void {
  const conf = confFor(places, row);
  writeFileSync(places.namedConf, conf);
  if (places.defaultConf !== undefined) writeFileSync(places.defaultConf, conf);
  writeFileSync(places.state, stateFor(row));
}

/**
 * From before the start to the end of one run. The runtime's spawnSync adds as little as a loop of posix_spawn and wait4
 * in Python (bench/README.md); its children have no ignored signal and no descriptor but the three.
 */
function timeOf({ name, words }: Row): number {
  const begun = Bun.nanoseconds();
  const { exitCode } = Bun.spawnSync([...words], {
    env: environment,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const ms = (Bun.nanoseconds() - begun) / 1e6;
  if (exitCode !== 0) throw new Error(`${name}: exit ${exitCode}: ${words.join(" ")}`);
  return ms;
}

function figureOf(row: Row, floor: Row | undefined, times: Times): Figure {
  const floorTimes = floor && times.get(floor);
  const { name, bound, missing } = row;
  const shared = { name, ...(bound !== undefined && { bound }) };
  const own = times.get(row);
  if (missing !== undefined || own === undefined || floorTimes === undefined) {
    return { ...shared, missing: missing ?? "no floor", ms: Number.NaN, ratio: Number.NaN, spread: [0, 0] };
  }
  return { ...shared, ...compare(own.map((list, round) => ({ row: list, floor: floorTimes[round] ?? [] }))) };
}

function comparisonOf({ name, kind, rows, bound }: Pair, times: Times): Comparison {
  const [first, second] = rows.map((row) => times.get(row));
  if (first === undefined || second === undefined) {
    return {
      name,
      kind,
      bound,
      missing: "one of the two is not measured",
      value: Number.NaN,
      spread: [0, 0],
    };
  }
  return {
    name,
    kind,
    bound,
    ...compareTwo(
      kind,
      first.map((list, round) => [list, second[round] ?? []]),
    ),
  };
}

/** The lines of the journal, and of those that were full and set aside. */
function countRecords(folder: string): number {
  const journals = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("journal")) : [];
  const lines = journals.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  return lines.filter((line) => line.startsWith("{") && line.endsWith("}")).length;
}

/** The lines that rcron and the script logged; the daemon is given a moment for the last ones. */
async function countLines(expected: number): Promise<number> {
  let count = 0;
  for (let tries = 0; tries < 100 && count < expected; tries++) {
    await Bun.sleep(20);
    count = readFileSync(logFile, "utf8").split(" cluster=default_cluster ").length - 1;
  }
  return count;
}

function machine(): string {
  const [processor] = cpus();
  const debian = existsSync("/etc/debian_version")
    ? readFileSync("/etc/debian_version", "utf8").trim()
    : "no";
  return `${processor?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Debian ${debian}`;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function command(...words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(words, { timeout: 60_000 });
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
}

function progress(text: string): void {
  console.error(text);
}

main().catch((error) => {
  console.error("bench:", error);
  process.exit(2);
});

/**
 * `npm run bench:output`: a gigabyte of a job's output through rcron and through cat.
 *
 * The job is dd, which reads /dev/zero and writes in cat's own pieces, so that nothing is measured but the copying. Files
 * are in a tmpfs, one at a time, emptied before each run. All rows run in turn, each turn in another order; a row's speed
 * is told in parts of cat's in the same turn.
 *
 *     bun bench/output.ts [--turns N] [--json]
 *
 * Exits 0 if every bound is kept, 1 if one is not, 2 if it could not measure.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "./figures.ts";
import {
  build,
  findHost,
  project,
  requireNumber,
  runOn,
  scratchFolder,
  stoppedBySignal,
} from "./private-host.ts";
import { environment } from "./rows.ts";

const { values: options } = parseArgs({
  options: {
    turns: { type: "string", default: "11" },
    json: { type: "boolean", default: false },
    /** The folder of the built program, on the host where it is measured. */
    inside: { type: "string" },
    scratch: { type: "string", default: scratchFolder },
  },
});

/** A row's speed is at least so many times cat's. */
const speedBound = 0.5;
/** VmHWM of rcron, in MB (a million bytes). */
const memoryBound = 60;
const bytes = 1_000_000_000;
const pieces = ["bs=131072", `count=${bytes}`, "iflag=count_bytes"];
const job = `dd if=/dev/zero ${pieces.join(" ")} status=none`;
/** How often rcron's memory is looked at: what it says is the most there has been. */
const lookMs = 10;

interface Row {
  readonly name: string;
  /** For sh; $file is where the output goes, $rcron the program and its configuration. */
  readonly script: string;
  readonly isToFile: boolean;
  /** The row that it is compared to; undefined for a row of cat's. */
  readonly cat?: Row;
  /** False for a row that is there for comparison only. */
  readonly isBound: boolean;
}

const catToFile: Row = {
  name: "job | cat >FILE",
  script: `${job} | cat >"$file"`,
  isToFile: true,
  isBound: false,
};
/** In rcron's place stands a cat: the job's output is copied once on its way to whoever reads it. */
const catToReader: Row = {
  name: "job | cat | cat >/dev/null",
  script: `${job} | cat | cat >/dev/null`,
  isToFile: false,
  isBound: false,
};
const rows: readonly Row[] = [
  catToFile,
  {
    name: "rcron --output FILE job",
    script: `$rcron --output "$file" ${job}`,
    isToFile: true,
    cat: catToFile,
    isBound: true,
  },
  catToReader,
  {
    name: "rcron --output cron job | cat >/dev/null",
    script: `$rcron --output cron ${job} | cat >/dev/null`,
    isToFile: false,
    cat: catToReader,
    isBound: true,
  },
  {
    name: "job | cat >/dev/null, copied by nobody",
    script: `${job} | cat >/dev/null`,
    isToFile: false,
    cat: catToReader,
    isBound: false,
  },
];

interface Measured {
  readonly ms: number;
  /** The largest VmHWM of a process named rcron, in MB; NaN where there was none. */
  readonly peakMB: number;
}

/** On the host. */
async function measure(folder: string, scratch: string): Promise<number> {
  const file = join(scratch, "output");
  const conf = join(folder, "rcron.conf");
  writeFileSync(join(folder, "state"), "active\n");
  writeFileSync(conf, `state_file = ${folder}/state\nhistory = ${folder}/history\n`);
  const rcron = `${join(folder, "rcron")} --conf ${conf}`;
  const loadBefore = loadavg();
  const runs = new Map(rows.map((row) => [row, [] as Measured[]]));
  try {
    for (let turn = -1; turn < Number(options.turns); turn++) {
      const order = rows.map((row) => ({ row, key: Math.random() })).sort((a, b) => a.key - b.key);
      for (const { row } of order) {
        const measured = await run(row, { ...environment, file, rcron });
        if (turn >= 0) runs.get(row)?.push(measured);
      }
      console.error(turn < 0 ? "warmed up" : `turn ${turn + 1} of ${options.turns}`);
    }
  } finally {
    rmSync(file, { force: true });
  }
  const loadAfter = loadavg();
  const figures = rows.map((row) => figureOf(row, runs));
  const load = `${loadBefore[0]?.toFixed(2)} before, ${loadAfter[0]?.toFixed(2)} after`;
  if (options.json)
    console.log(JSON.stringify({ bytes, load, figures, speedBound, memoryBound }, undefined, 2));
  else tell(load, figures);
  return figures.every(({ isOver }) => !isOver) ? 0 : 1;
}

async function run({ name, script, isToFile }: Row, env: Record<string, string>): Promise<Measured> {
  const { file = "" } = env;
  writeFileSync(file, "");
  const begun = Bun.nanoseconds();
  const shell = Bun.spawn(["/bin/sh", "-c", script], { env, stdio: ["ignore", "ignore", "inherit"] });
  let peakMB = Number.NaN;
  const looking = setInterval(() => {
    for (const pid of [shell.pid, ...childrenOf(shell.pid)]) peakMB = largest(peakMB, peakOf(pid));
  }, lookMs);
  const exitCode = await shell.exited;
  const ms = (Bun.nanoseconds() - begun) / 1e6;
  clearInterval(looking);
  if (exitCode !== 0) throw new Error(`${name}: exit ${exitCode}`);
  const { size } = statSync(file);
  if (size !== (isToFile ? bytes : 0)) throw new Error(`${name}: ${size} bytes arrived in the file`);
  truncateSync(file); // the room it takes is given back before the next run's time begins
  return { ms, peakMB };
}

function largest(a: number, b: number): number {
  return Number.isNaN(a) || b > a ? b : a;
}

/** Of the main thread, which is a shell's only one; none where it has ended. */
function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === "" ? [] : children.split(" ").map(Number);
  } catch {
    return [];
  }
}

/** VmHWM in MB of a process that is rcron; NaN for any other, and for one that has ended. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    if (!status.startsWith("Name:\trcron\n")) return Number.NaN;
    return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
  } catch {
    return Number.NaN;
  }
}

interface Figure {
  readonly name: string;
  readonly ms: number;
  readonly megabytesPerSecond: number;
  /** Parts of cat's speed: the median of the turns, the smallest and the largest. */
  readonly ofCat?: number;
  readonly spread?: readonly [number, number];
  readonly peakMB?: number;
  readonly isBound: boolean;
  readonly isOver: boolean;
}

function figureOf(row: Row, runs: ReadonlyMap<Row, readonly Measured[]>): Figure {
  const own = runs.get(row) ?? [];
  const ms = median(own.map((measured) => measured.ms));
  const shared = { name: row.name, ms, megabytesPerSecond: bytes / 1e3 / ms, isBound: row.isBound };
  const cats = row.cat && runs.get(row.cat);
  if (cats === undefined) return { ...shared, isOver: false };
  const parts = own.map((measured, turn) => (cats[turn]?.ms ?? Number.NaN) / measured.ms);
  const ofCat = median(parts);
  const spread = [Math.min(...parts), Math.max(...parts)] as const;
  if (!row.isBound) return { ...shared, ofCat, spread, isOver: false };
  const peakMB = own.reduce((peak, measured) => largest(peak, measured.peakMB), Number.NaN);
  const isOver = !(ofCat >= speedBound && peakMB < memoryBound);
  return { ...shared, ofCat, spread, peakMB, isOver };
}

function tell(load: string, figures: readonly Figure[]): void {
  console.log(`load: ${load}\n${bytes / 1e6} MB a run, ${options.turns} turns of all rows\n`);
  for (const { name, ms, megabytesPerSecond, ofCat, spread, peakMB, isBound, isOver } of figures) {
    const cells = [name.padEnd(42), `${ms.toFixed(0)} ms`.padStart(8)];
    cells.push(`${megabytesPerSecond.toFixed(0)} MB/s`.padStart(10));
    if (ofCat !== undefined && spread !== undefined) {
      cells.push(`  ${ofCat.toFixed(2)} x cat (${spread[0].toFixed(2)}-${spread[1].toFixed(2)})`);
    }
    if (peakMB !== undefined) cells.push(`  at most ${peakMB.toFixed(1)} MB of memory`);
    if (isBound) cells.push(`  bounds ${speedBound}, ${memoryBound} MB: ${isOver ? "over" : "PASS"}`);
    console.log(cells.join(""));
  }
}

async function main(): Promise<number> {
  requireNumber("turns", options.turns);
  if (options.inside !== undefined) return await measure(options.inside, options.scratch);
  const stop = stoppedBySignal();
  const folder = mkdtempSync(join(tmpdir(), "rcron-bench-"));
  const host = findHost();
  // Without mounts of our own: a folder in the tmpfs that every Linux has.
  const scratch = host.isPrivate ? scratchFolder : mkdtempSync("/dev/shm/rcron-bench-");
  try {
    build("bin/rcron.ts", folder);
    const self = [process.execPath, join(project, "bench/output.ts"), "--inside", folder];
    const given = ["--scratch", scratch, "--turns", options.turns, ...(options.json ? ["--json"] : [])];
    return await runOn(host, [...self, ...given], stop);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    if (!host.isPrivate) rmSync(scratch, { recursive: true, force: true });
  }
}

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error("bench:", error instanceof Error ? error.message : error);
    process.exit(2);
  },
);

/**
 * When jobs are started: a thousand in one second, and one alone, by rcrond and by Debian's cron.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { median } from "./figures.ts";
import { writeIdleJobs, writeLagJob, writeStorm } from "./job-files.ts";
import { type Consumption, consumptionOf, type Scheduler, startCron, startRcrond } from "./schedulers.ts";

/** One storm: from its tick to the first, the middle and the last job's own first act, in ms. */
export interface Storm {
  readonly firstMs: number;
  readonly medianMs: number;
  readonly lastMs: number;
  /** Of the scheduler itself. */
  readonly cpuMs: number;
}

/** All storms of one kind. */
export interface Storms {
  readonly name: string;
  readonly isCron: boolean;
  readonly storms: readonly Storm[];
  /** How many jobs never came, in all storms together. */
  readonly lost: number;
  readonly after: Consumption;
}

/** What is to be measured. */
export interface StartTerms {
  readonly program: string;
  readonly folder: string;
  readonly minutes: number;
  readonly jobs: number;
  readonly hasCron: boolean;
}

interface StormRow {
  readonly name: string;
  readonly isCron: boolean;
  /** When in the minute. */
  readonly atS: number;
  readonly folder: string;
  readonly scheduler: Scheduler;
  readonly storms: Storm[];
  lost: number;
}

/** The next storm comes so long after the last one. */
const apartS = 15;

/**
 * Storms in turn, one of each kind a minute: rcrond's at 15, 30 and 45 s, cron's when the minute begins. All schedulers are
 * there all the time.
 */
export async function measureStorms(terms: StartTerms, tell: (text: string) => void): Promise<Storms[]> {
  const { program, folder, jobs, hasCron, minutes } = terms;
  const rows: StormRow[] = [];
  const add = async (name: string, atS: number, extra: readonly string[], command: string) => {
    const own = join(folder, `storm-${rows.length}`);
    mkdirSync(own, { recursive: true });
    const isCron = atS === 0;
    writeStorm(own, jobs, { at: `${atS} * * * * *`, extra, command });
    const scheduler = isCron ? startCron(own) : await startRcrond(program, own, "syslog");
    rows.push({ name, isCron, atS, folder: own, scheduler, storms: [], lost: 0 });
  };
  try {
    await add("rcrond, output none", apartS, ["output none"], "");
    await add("rcrond, output kept for mail", 2 * apartS, [], "");
    await add("rcrond, kept for mail, jobs that sleep", 3 * apartS, [], "; exec sleep 5");
    if (hasCron) await add("Debian's cron", 0, [], "");
    // To begin with the row that is due first, and never in the middle of one.
    await Bun.sleep(((65_000 - (Date.now() % 60_000)) % 60_000) + 1);
    for (let minute = 1; minute <= minutes; minute++) {
      tell(`storms, minute ${minute} of ${minutes}`);
      for (const row of rows) await weather(row, jobs);
    }
    return rows.map(({ name, isCron, storms, lost, scheduler }) => {
      return { name, isCron, storms, lost, after: consumptionOf(scheduler) };
    });
  } finally {
    await Promise.all(rows.map(({ scheduler }) => scheduler.stop()));
  }
}

/** Waits for a row's next storm, and counts it out. */
async function weather(row: StormRow, jobs: number): Promise<void> {
  const { atS, folder, scheduler, storms } = row;
  const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
  const tickMs = minuteMs + (atS === 0 ? 60 : atS) * 1000;
  rmSync(join(folder, "seen"), { recursive: true, force: true });
  mkdirSync(join(folder, "seen"));
  await Bun.sleep(tickMs - 1000 - Date.now());
  const { cpuMs } = consumptionOf(scheduler);
  await Bun.sleep(tickMs + 12_000 - Date.now());
  const delays: number[] = [];
  for (let index = 0; index < jobs; index++) {
    const path = join(folder, "seen", String(index));
    if (existsSync(path)) delays.push(statSync(path).mtimeMs - tickMs);
    else row.lost += 1;
  }
  storms.push({
    firstMs: Math.min(...delays),
    medianMs: median(delays),
    lastMs: Math.max(...delays),
    cpuMs: consumptionOf(scheduler).cpuMs - cpuMs,
  });
}

/** From the tick to the job's own first act, in ms, run by run. */
export interface Lags {
  readonly name: string;
  readonly isBounded: boolean;
  readonly lags: readonly number[];
}

/**
 * One job alone: by rcrond each second, and each minute among ten thousand that rest, there by cron as well.
 * @returns the rows, and what the job itself takes from its start to its act
 */
export async function measureLags(
  { program, folder, minutes, hasCron }: StartTerms,
  restingJobs: number,
  tell: (text: string) => void,
): Promise<{ readonly rows: Lags[]; readonly ownMs: number }> {
  const alone = join(folder, "lag-alone");
  const among = join(folder, "lag-among");
  const aloneTimes = writeLagJob(alone, "* * * * * *");
  writeIdleJobs(among, restingJobs);
  const amongTimes = writeLagJob(among, "* * * * *");
  const cronFolder = join(folder, "lag-cron");
  writeIdleJobs(cronFolder, restingJobs);
  const cronTimes = writeLagJob(cronFolder, "* * * * *");
  const ownMs = measureJob(aloneTimes);
  const schedulers: Scheduler[] = [];
  try {
    schedulers.push(await startRcrond(program, alone, "syslog"));
    schedulers.push(await startRcrond(program, among, "syslog"));
    if (hasCron) schedulers.push(startCron(cronFolder));
    // The first seconds are the schedulers' own.
    await Bun.sleep(5000);
    rmSync(aloneTimes, { force: true });
    await Bun.sleep(45_000 - (Date.now() % 60_000) + (Date.now() % 60_000 > 45_000 ? 60_000 : 0));
    for (const times of [amongTimes, cronTimes]) rmSync(times, { force: true });
    for (let minute = 1; minute <= minutes; minute++) {
      tell(`a job alone, minute ${minute} of ${minutes}`);
      await Bun.sleep(60_000);
    }
    const rows: Lags[] = [
      { name: "rcrond, a job each second", isBounded: true, lags: lagsIn(aloneTimes, 1000) },
      {
        name: `rcrond, a job each minute among ${restingJobs}`,
        isBounded: false,
        lags: lagsIn(amongTimes, 60_000),
      },
    ];
    if (hasCron) {
      rows.push({
        name: `Debian's cron, a job each minute among ${restingJobs}`,
        isBounded: false,
        lags: lagsIn(cronTimes, 60_000),
      });
    }
    return { rows, ownMs };
  } finally {
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
  }
}

/** The same line, started by this program. */
function measureJob(times: string): number {
  const delays: number[] = [];
  for (let turn = 0; turn < 50; turn++) {
    const fromMs = performance.timeOrigin + performance.now();
    Bun.spawnSync(["/bin/sh", "-c", `date +%s%N >${times}`]);
    delays.push((readTimes(times)[0] ?? Number.NaN) - fromMs);
  }
  rmSync(times);
  return median(delays);
}

function lagsIn(path: string, unitMs: number): number[] {
  return readTimes(path).map((ms) => ms % unitMs);
}

/** Of nanoseconds, a line each; in ms. */
function readTimes(path: string): number[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => Number(BigInt(line) / 1000n) / 1000);
}

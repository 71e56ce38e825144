/**
 * How load, memory and idling grow with the number of jobs, for rcrond and for Debian's cron; and how soon rcrond takes up
 * a file that was changed.
 *
 * All schedulers idle at the same time: what each takes is counted by itself, and together they take no hundredth of the
 * machine. Each number of jobs is loaded alone.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { median } from "./figures.ts";
import { changedJob, writeIdleJobs } from "./job-files.ts";
import { consumptionOf, mainThreadMs, type Scheduler, startCron, startRcrond } from "./schedulers.ts";

/** What so many jobs cost one scheduler. */
export interface Growth {
  readonly count: number;
  /** From the start to the first answer; undefined for cron, which gives none. */
  readonly loadMs: number | undefined;
  /** Each start. */
  readonly loads: readonly number[];
  /** Up to the load's end, and one minute's rest. */
  readonly loadCpuMs: number;
  readonly residentMB: number;
  readonly peakMB: number;
  /** Per cent of one core. */
  readonly idlePercent: number;
  /** Processor time of one look at the clock, at the minute. */
  readonly lookMs: number;
}

/** What was found. */
export interface Growths {
  readonly rcrond: readonly Growth[];
  /** Empty where cron can't be measured. */
  readonly cron: readonly Growth[];
  /** From the rename of a changed file, among the largest number, to its job being the new one; one by one. */
  readonly changesMs: readonly number[];
  /** Resident memory of the largest one after them. */
  readonly changedMB: number;
}

/** What is to be measured. */
export interface GrowthTerms {
  readonly program: string;
  readonly folder: string;
  readonly counts: readonly number[];
  /** How often each number of jobs is loaded. */
  readonly starts: number;
  readonly minutes: number;
  readonly changes: number;
  readonly hasCron: boolean;
}

/** For the runtime's housekeeping after the load. */
const settleMs = 10_000;
const changeLimitMs = 10_000;
/** cron wakes a second after the minute begins; a look of ours is over long before. */
const aroundMinuteMs = 2500;

interface Idler {
  readonly scheduler: Scheduler;
  readonly count: number;
  readonly loads: readonly number[];
  loadCpuMs: number;
  readonly looks: number[];
  peakMB: number;
}

/** Loads, rests, changes. @param tell told what goes on */
export async function measureGrowth(terms: GrowthTerms, tell: (text: string) => void): Promise<Growths> {
  const { counts, folder, program, hasCron, starts } = terms;
  const idlers: { readonly kind: "rcrond" | "cron"; readonly idler: Idler }[] = [];
  try {
    for (const count of counts) {
      const own = join(folder, `idle-${count}`);
      mkdirSync(own, { recursive: true });
      writeIdleJobs(own, count);
      tell(`loading ${count} jobs`);
      const loads: number[] = [];
      for (let start = 1; start < starts; start++) {
        const once = await startRcrond(program, own, "stderr");
        loads.push(once.readyMs ?? Number.NaN);
        await once.stop();
      }
      const scheduler = await startRcrond(program, own, "stderr");
      loads.push(scheduler.readyMs ?? Number.NaN);
      idlers.push({ kind: "rcrond", idler: newIdler(scheduler, count, loads) });
      if (hasCron) idlers.push({ kind: "cron", idler: newIdler(startCron(own), count, []) });
    }
    await Bun.sleep(settleMs);
    const all = idlers.map(({ idler }) => idler);
    for (const idler of all) idler.loadCpuMs = consumptionOf(idler.scheduler).cpuMs;
    const idle = await rest(all, terms.minutes, tell);
    const growthOf = (wanted: "rcrond" | "cron") =>
      idlers.filter(({ kind }) => kind === wanted).map(({ idler }) => toldOf(idler, idle));
    const found = { rcrond: growthOf("rcrond"), cron: growthOf("cron") };
    const largest = idlers.findLast(({ kind }) => kind === "rcrond")?.idler;
    tell(`changing a file among ${largest?.count}`);
    const changesMs = largest === undefined ? [] : await changeFiles(largest, terms);
    const changedMB = largest === undefined ? Number.NaN : consumptionOf(largest.scheduler).residentMB;
    return { ...found, changesMs, changedMB };
  } finally {
    await Promise.all(idlers.map(({ idler }) => idler.scheduler.stop()));
  }
}

function newIdler(scheduler: Scheduler, count: number, loads: readonly number[]): Idler {
  return { scheduler, count, loads, loadCpuMs: Number.NaN, looks: [], peakMB: Number.NaN };
}

/** Whole minutes, beginning in the middle of one. @returns what each took, in per cent of a core */
async function rest(
  idlers: readonly Idler[],
  minutes: number,
  tell: (text: string) => void,
): Promise<ReadonlyMap<Idler, number>> {
  await Bun.sleep((90_000 - (Date.now() % 60_000)) % 60_000);
  const beforeMs = performance.now();
  const before = new Map(idlers.map((idler) => [idler, consumptionOf(idler.scheduler).cpuMs]));
  for (let minute = 1; minute <= minutes; minute++) {
    tell(`resting, minute ${minute} of ${minutes}`);
    const nextMs = Math.ceil(Date.now() / 60_000) * 60_000;
    await Bun.sleep(nextMs - aroundMinuteMs - Date.now());
    const quiet = idlers.map(({ scheduler }) => mainThreadMs(scheduler));
    await Bun.sleep(nextMs + aroundMinuteMs - Date.now());
    for (const [index, { scheduler, looks }] of idlers.entries()) {
      looks.push(mainThreadMs(scheduler) - (quiet[index] ?? Number.NaN));
    }
    await Bun.sleep(nextMs + 30_000 - Date.now());
  }
  const tookMs = performance.now() - beforeMs;
  return new Map(
    idlers.map((idler) => {
      const { cpuMs, peakMB } = consumptionOf(idler.scheduler);
      idler.peakMB = peakMB;
      return [idler, ((cpuMs - (before.get(idler) ?? Number.NaN)) / tookMs) * 100];
    }),
  );
}

function toldOf(idler: Idler, idle: ReadonlyMap<Idler, number>): Growth {
  const { scheduler, count, loads, loadCpuMs, looks, peakMB } = idler;
  return {
    count,
    loadMs: loads.length === 0 ? undefined : median(loads),
    loads,
    loadCpuMs,
    residentMB: consumptionOf(scheduler).residentMB,
    peakMB,
    idlePercent: idle.get(idler) ?? Number.NaN,
    lookMs: median(looks),
  };
}

/** Each time the same job gets another command, as an editor writes it: beside the file, and renamed. */
async function changeFiles({ scheduler, count }: Idler, { folder, changes }: GrowthTerms): Promise<number[]> {
  const delays: number[] = [];
  for (let version = 1; version <= changes; version++) {
    const { path, text } = changedJob(join(folder, `idle-${count}`), version);
    const said = scheduler.said().length;
    writeFileSync(`${path}.tmp`, text);
    const fromMs = performance.now();
    renameSync(`${path}.tmp`, path);
    while (!scheduler.said().includes("jobs: changed", said)) {
      if (performance.now() - fromMs > changeLimitMs) throw new Error(`a change was not taken up: ${path}`);
      await Bun.sleep(1);
    }
    delays.push(performance.now() - fromMs);
    await Bun.sleep(200 + ((version * 37) % 100));
  }
  return delays;
}

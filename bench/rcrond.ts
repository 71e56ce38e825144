/**
 * `npm run bench:rcrond`: the scheduler's load, memory, idling and starts beside those of Debian's cron, in one run.
 * bench/README.md has how to read it.
 *
 *     bun bench/rcrond.ts [--minutes N] [--starts N] [--jobs N] [--json] [--plot FILE]
 *
 * Root's, because cron is: on a private host, whose crontabs are empty and of which nothing is left. Exits 0 if every bound is
 * kept and no job was lost, 1 if not, 2 if it could not measure.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureGrowth } from "./growth.ts";
import { drawPanels } from "./plot.ts";
import { build, findHost, requireNumber, runOn, scratchFolder, stoppedBySignal } from "./private-host.ts";
import { growthPanels, isOver, type SchedulerFigures, schedulerTables } from "./scheduler-figures.ts";
import { whyNoCron } from "./schedulers.ts";
import { measureLags, measureStorms } from "./starts.ts";

const { values: options } = parseArgs({
  options: {
    /** How long is rested, how many minutes have storms, and how many a job alone. */
    minutes: { type: "string", default: "4" },
    /** How often each number of jobs is loaded. */
    starts: { type: "string", default: "5" },
    /** The largest number of jobs. */
    jobs: { type: "string", default: "10000" },
    json: { type: "boolean", default: false },
    /** Where the growth is drawn to. */
    plot: { type: "string" },
    /** What is left out: growth, storms, lags. */
    skip: { type: "string", multiple: true, default: [] },
    /** Set where this is the measurement itself: the folder of the program and of the result. */
    inside: { type: "string" },
  },
});

const stormJobs = 1000;
const changes = 21;

/** On the private host. */
async function measure(results: string): Promise<SchedulerFigures> {
  const missing = whyNoCron();
  const hasCron = missing === undefined;
  const minutes = Number(options.minutes);
  const most = Number(options.jobs);
  const counts = [100, 300, 1000, 3000, 10_000].filter((count) => count < most).concat(most);
  const tell = (text: string) => console.error(text);
  const program = join(results, "rcron/rcrond");
  const folderOf = (part: string) => {
    const folder = join(scratchFolder, part);
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  const isWanted = (part: string) => !options.skip.includes(part);
  const loadBefore = loadavg()[0] ?? Number.NaN;
  const shared = { program, minutes, hasCron };
  const starts = Number(options.starts);
  const growth = isWanted("growth")
    ? await measureGrowth({ ...shared, folder: folderOf("growth"), counts, starts, changes }, tell)
    : undefined;
  const startTerms = { ...shared, folder: folderOf("starts"), jobs: stormJobs };
  const storms = isWanted("storms") ? await measureStorms(startTerms, tell) : [];
  const lags = isWanted("lags") ? await measureLags(startTerms, most, tell) : undefined;
  const [processor] = cpus();
  return {
    machine: `${processor?.model.trim()}, ${cpus().length} cores, Linux ${release()}`,
    load: `${loadBefore.toFixed(2)} before, ${(loadavg()[0] ?? Number.NaN).toFixed(2)} after`,
    cron: missing ?? "measured",
    stormJobs,
    growth,
    storms,
    lags,
  };
}

async function main(): Promise<number> {
  for (const name of ["minutes", "starts"] as const) requireNumber(name, options[name]);
  if (!/^[1-9]\d{1,4}$/.test(options.jobs))
    throw new Error(`--jobs must be a number from 10 to 99999: got "${options.jobs}"`);
  if (options.inside !== undefined) {
    writeFileSync(join(options.inside, "figures.json"), JSON.stringify(await measure(options.inside)));
    return 0;
  }
  const stop = stoppedBySignal();
  const folder = mkdtempSync(join(tmpdir(), "rcron-bench-"));
  try {
    build("bin/rcron.ts", join(folder, "rcron"));
    const host = findHost();
    if (!host.isPrivate || process.getuid?.() !== 0)
      throw new Error("rcrond is measured as root, on a private host");
    const given = ["--minutes", options.minutes, "--starts", options.starts, "--jobs", options.jobs];
    const words = [process.execPath, import.meta.path, "--inside", folder, ...given];
    for (const part of options.skip) words.push("--skip", part);
    const { prefix } = host;
    const privately = { ...host, prefix: [...prefix, "sh", "-euc", ownCrontabs, "sh"] };
    const status = await runOn(privately, words, stop);
    if (status !== 0) throw new Error(`the measurement ended with exit status ${status}`);
    const figures: SchedulerFigures = JSON.parse(readFileSync(join(folder, "figures.json"), "utf8"));
    if (options.json) console.log(JSON.stringify(figures, undefined, 2));
    else console.log(schedulerTables(figures));
    if (options.plot !== undefined && figures.growth !== undefined) {
      writeFileSync(options.plot, drawPanels(growthPanels(figures.growth), "jobs"));
    }
    return isOver(figures) ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Nobody's jobs but those of the measurement. */
const ownCrontabs = `mkdir /run/bench/crontabs
for folder in /etc/cron.d /var/spool/cron/crontabs; do [ ! -d $folder ] || mount --bind /run/bench/crontabs $folder; done
exec "$@"`;

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error("bench:", error instanceof Error ? error.message : error);
    process.exit(2);
  },
);

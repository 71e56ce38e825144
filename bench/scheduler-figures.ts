/**
 * What was measured of the schedulers, as tables and as a picture, and whether the bounds are kept.
 */
import { median } from "./figures.ts";
import type { Growth, Growths } from "./growth.ts";
import type { Panel } from "./plot.ts";
import type { Lags, Storms } from "./starts.ts";

/** All of it; a part that was left out is undefined or empty. */
export interface SchedulerFigures {
  readonly machine: string;
  readonly load: string;
  /** Why cron was not measured; or that it was. */
  readonly cron: string;
  readonly stormJobs: number;
  readonly growth: Growths | undefined;
  readonly storms: readonly Storms[];
  readonly lags: { readonly rows: readonly Lags[]; readonly ownMs: number } | undefined;
}

/** For the largest number of jobs, 10,000. */
const bounds = { loadMs: 1500, changeMs: 200, idlePercent: 0.5, residentMB: 120, stormMs: 1500, lagMs: 5 };

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** All values, for their range. */
  readonly all?: readonly number[];
  readonly bound?: number;
  readonly digits?: number;
}

/** The tables, ready to print. */
export function schedulerTables(figures: SchedulerFigures): string {
  const { machine, load, cron, growth, storms, lags } = figures;
  const parts = [`machine: ${machine}\nload: ${load}\nDebian's cron: ${cron}`];
  parts.push(tableOf(rowsOf(figures).map(cellsOf), ["", "median", "range", "bound", ""]));
  if (growth !== undefined) parts.push(growthTable(growth));
  if (storms.length > 0) parts.push(stormTable(storms));
  if (lags !== undefined)
    parts.push(
      `what the single job takes from its start to its look at the clock, left out above: ${lags.ownMs.toFixed(2)} ms`,
    );
  return parts.join("\n\n");
}

/** True if a bound is not kept, or a job was lost. */
export function isOver(figures: SchedulerFigures): boolean {
  const isLost = figures.storms.some(({ lost }) => lost > 0);
  return isLost || rowsOf(figures).some(({ value, bound }) => bound !== undefined && !(value <= bound));
}

/** How it grows with the number of jobs. */
export function growthPanels({ rcrond, cron }: Growths): Panel[] {
  const curves = (of: (growth: Growth) => number | undefined) =>
    [
      { name: "rcrond", color: "#0969da", all: rcrond },
      { name: "Debian's cron", color: "#bf8700", all: cron },
    ].flatMap(({ name, color, all }) => {
      const points = all.flatMap((growth): [number, number][] => {
        const y = of(growth);
        return y === undefined ? [] : [[growth.count, y]];
      });
      return points.length === 0 ? [] : [{ name, color, points }];
    });
  return [
    { title: "load", unit: "ms", curves: curves(({ loadMs }) => loadMs), bound: bounds.loadMs },
    {
      title: "resident memory",
      unit: "MB",
      curves: curves(({ residentMB }) => residentMB),
      bound: bounds.residentMB,
    },
    {
      title: "idle",
      unit: "% of a core",
      curves: curves(({ idlePercent }) => idlePercent),
      bound: bounds.idlePercent,
    },
    { title: "one look at the minute", unit: "ms of a core", curves: curves(({ lookMs }) => lookMs) },
  ];
}

function rowsOf({ growth, storms, lags, stormJobs }: SchedulerFigures): Row[] {
  const rows: Row[] = [];
  const largest = growth?.rcrond.at(-1);
  const beside = growth?.cron.at(-1);
  if (growth !== undefined && largest !== undefined) {
    const { count } = largest;
    rows.push({
      name: `rcrond: load ${count} files`,
      value: largest.loadMs ?? Number.NaN,
      all: largest.loads,
      unit: "ms",
      bound: bounds.loadMs,
    });
    rows.push({
      name: `rcrond: a changed file among ${count}`,
      value: median(growth.changesMs),
      all: growth.changesMs,
      unit: "ms",
      bound: bounds.changeMs,
    });
    rows.push({
      name: `rcrond: idle with ${count} jobs`,
      value: largest.idlePercent,
      unit: "%",
      bound: bounds.idlePercent,
      digits: 3,
    });
    if (beside !== undefined) {
      rows.push({
        name: `  cron: idle with ${count} lines`,
        value: beside.idlePercent,
        unit: "%",
        digits: 3,
      });
    }
    rows.push({ name: "rcrond: resident", value: largest.residentMB, unit: "MB", bound: bounds.residentMB });
    rows.push({
      name: "  at its peak, the load included",
      value: largest.peakMB,
      unit: "MB",
      bound: bounds.residentMB,
    });
    rows.push({ name: "  after all the changes", value: growth.changedMB, unit: "MB" });
    if (beside !== undefined) rows.push({ name: "  cron: resident", value: beside.residentMB, unit: "MB" });
  }
  for (const { name, isCron, storms: all } of storms) {
    const lasts = all.map(({ lastMs }) => lastMs);
    rows.push({
      name: `${name}: the last of ${stormJobs}`,
      value: median(lasts),
      all: lasts,
      unit: "ms",
      ...(!isCron && { bound: bounds.stormMs }),
    });
  }
  for (const { name, isBounded, lags: all } of lags?.rows ?? []) {
    // From the tick to its process: what the job itself takes until it looks at the clock is not the scheduler's.
    const toProcess = all.map((ms) => ms - (lags?.ownMs ?? 0));
    const value = median(toProcess);
    const bound = isBounded ? { bound: bounds.lagMs } : {};
    rows.push({ name, value, all: toProcess, unit: "ms", digits: 2, ...bound });
  }
  return rows;
}

function cellsOf({ name, value, unit, all, bound, digits = 0 }: Row): string[] {
  const range =
    all === undefined ? "" : `${Math.min(...all).toFixed(digits)}-${Math.max(...all).toFixed(digits)}`;
  const verdict = bound === undefined ? "" : value <= bound ? "PASS" : "over";
  return [name, `${value.toFixed(digits)} ${unit}`, range, bound === undefined ? "" : String(bound), verdict];
}

function growthTable({ rcrond, cron }: Growths): string {
  const cells = (name: string, all: readonly Growth[]) =>
    all.map(({ count, loadMs, loadCpuMs, residentMB, peakMB, idlePercent, lookMs }) => [
      name,
      String(count),
      loadMs === undefined ? "" : loadMs.toFixed(0),
      loadCpuMs.toFixed(0),
      residentMB.toFixed(1),
      peakMB.toFixed(1),
      idlePercent.toFixed(3),
      lookMs.toFixed(2),
    ]);
  const head = ["growth", "jobs", "load ms", "its CPU ms", "resident MB", "peak MB", "idle %", "look CPU ms"];
  return tableOf([...cells("rcrond", rcrond), ...cells("cron", cron)], head);
}

function stormTable(storms: readonly Storms[]): string {
  const rows = storms.map(({ name, storms: all, lost, after }) => [
    name,
    ...(["firstMs", "medianMs", "lastMs", "cpuMs"] as const).map((key) =>
      median(all.map((storm) => storm[key])).toFixed(0),
    ),
    String(lost),
    after.residentMB.toFixed(1),
    after.peakMB.toFixed(1),
  ]);
  return tableOf(rows, [
    "storm",
    "first ms",
    "middle",
    "last",
    "own CPU ms",
    "lost",
    "resident MB",
    "peak MB",
  ]);
}

/** The first column to the left, all others to the right. */
function tableOf(rows: readonly (readonly string[])[], head: readonly string[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/**
 * Medians and the table that tells them.
 */

/** The middle one; NaN of nothing. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export interface Figure {
  readonly name: string;
  /** Why there is none. */
  readonly missing?: string;
  /** Median of all runs. */
  readonly ms: number;
  /** Median of the rounds' ratios to the floor of the same round. */
  readonly ratio: number;
  /** The smallest and the largest of these. */
  readonly spread: readonly [number, number];
  readonly bound?: number;
}

/** Two rows against each other. */
export interface Comparison {
  readonly name: string;
  readonly missing?: string;
  readonly kind: "difference" | "ratio";
  /** In ms or as a ratio: the median of the rounds' values. */
  readonly value: number;
  readonly spread: readonly [number, number];
  readonly bound: number;
}

export interface Memory {
  readonly instances: number;
  /** Medians, in MB (a million bytes). */
  readonly privateMB: number;
  readonly proportionalMB: number;
  readonly residentMB: number;
  readonly boundMB: number;
}

/** @param rounds the floor's and the row's run times, round by round */
export function compare(
  rounds: readonly { floor: readonly number[]; row: readonly number[] }[],
): Pick<Figure, "ms" | "ratio" | "spread"> {
  const ratios = rounds.map(({ floor, row }) => median(row) / median(floor));
  return {
    ms: median(rounds.flatMap(({ row }) => row)),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
  };
}

/**
 * Each turn's two runs against each other, because they share whatever the machine did besides.
 * @param rounds both rows' run times, round by round
 */
export function compareTwo(
  kind: Comparison["kind"],
  rounds: readonly (readonly [readonly number[], readonly number[]])[],
): Pick<Comparison, "value" | "spread"> {
  const values = rounds.map(([first, second]) =>
    median(
      first.map((ms, turn) => {
        const other = second[turn] ?? Number.NaN;
        return kind === "ratio" ? ms / other : ms - other;
      }),
    ),
  );
  return { value: median(values), spread: [Math.min(...values), Math.max(...values)] };
}

/** The table, a row a line. */
export function table(
  figures: readonly Figure[],
  comparisons: readonly Comparison[],
  memory: Memory,
): string {
  const lines = [["", "median", "x floor", "rounds", "bound", ""]];
  for (const { name, missing, ms, ratio, spread, bound } of figures) {
    if (missing !== undefined) {
      lines.push([name, "-", "-", "-", bound?.toFixed(1) ?? "", `not measured: ${missing}`]);
      continue;
    }
    const between = `${spread[0].toFixed(2)}-${spread[1].toFixed(2)}`;
    const limit = bound === undefined ? ["", ""] : [bound.toFixed(1), verdict(ratio, bound)];
    lines.push([name, `${ms.toFixed(2)} ms`, ratio.toFixed(2), between, ...limit]);
  }
  for (const { name, missing, kind, value, spread, bound } of comparisons) {
    if (missing !== undefined) {
      lines.push([name, "-", "-", "-", bound.toFixed(2), `not measured: ${missing}`]);
      continue;
    }
    const between = `${spread[0].toFixed(2)}-${spread[1].toFixed(2)}`;
    const told = kind === "ratio" ? value.toFixed(2) : `${value.toFixed(2)} ms`;
    lines.push([name, told, "", between, bound.toFixed(2), verdict(value, bound)]);
  }
  lines.push([
    `memory of each of ${memory.instances} waiting rcrons: private`,
    `${memory.privateMB.toFixed(2)} MB`,
    "",
    "",
    memory.boundMB.toFixed(1),
    verdict(memory.privateMB, memory.boundMB),
  ]);
  lines.push(["  its share of all (PSS)", `${memory.proportionalMB.toFixed(2)} MB`]);
  lines.push(["  resident, shared file pages included (RSS)", `${memory.residentMB.toFixed(2)} MB`]);
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  return lines.map((cells) => layOut(cells, widths)).join("\n");
}

function layOut(cells: readonly string[], widths: readonly number[]): string {
  const laid = cells.map((cell, column) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
  );
  return laid.join("  ").trimEnd();
}

function verdict(value: number, bound: number): string {
  return value <= bound ? "PASS" : "over";
}

/** True if a bound is not kept. A row that could not be measured has said so, and is not held against its bound. */
export function isOver(
  figures: readonly Figure[],
  comparisons: readonly Comparison[],
  memory: Memory,
): boolean {
  const times = figures.some(
    ({ bound, ratio, missing }) => bound !== undefined && missing === undefined && !(ratio <= bound),
  );
  const pairs = comparisons.some(({ bound, value, missing }) => missing === undefined && !(value <= bound));
  return times || pairs || !(memory.privateMB <= memory.boundMB);
}

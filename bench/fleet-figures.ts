/**
 * What was measured of fleets, as a table, and whether the bounds are kept.
 */

/** One figure. */
export interface FleetRow {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "MB" | "%" | "x" | "";
  /** All values, for their range, where the figure is their median. */
  readonly all?: readonly number[];
  /** At most so much. */
  readonly bound?: number;
}

/** All of it. */
export interface FleetFigures {
  readonly machine: string;
  readonly load: string;
  readonly nodes: number;
  /** By what was measured, in this order. */
  readonly parts: readonly { readonly title: string; readonly rows: readonly FleetRow[] }[];
}

/** The tables, ready to print. */
export function fleetTables({ machine, load, nodes, parts }: FleetFigures): string {
  const lines = parts.flatMap(({ title, rows }) => [
    [title, "", "", "", ""],
    ...rows.map((row) => cellsOf(row)),
  ]);
  const all = [["", "median", "range", "bound", ""], ...lines];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)));
  const laid = all.map((cells) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return `machine: ${machine}\nload: ${load}\nnodes: ${nodes}\n\n${laid.join("\n")}`;
}

/** True if a bound is not kept; what is not a number keeps none. */
export function isOver({ parts }: FleetFigures): boolean {
  return parts.some(({ rows }) => rows.some(({ value, bound }) => bound !== undefined && !(value <= bound)));
}

function cellsOf({ name, value, unit, all, bound }: FleetRow): string[] {
  const told = (number: number) => number.toFixed(digitsOf(unit, value));
  const range = all === undefined ? "" : `${told(Math.min(...all))}-${told(Math.max(...all))}`;
  const verdict = bound === undefined ? "" : value <= bound ? "PASS" : "over";
  return [
    `  ${name}`,
    `${told(value)} ${unit}`.trim(),
    range,
    bound === undefined ? "" : String(bound),
    verdict,
  ];
}

function digitsOf(unit: FleetRow["unit"], value: number): number {
  if (unit === "") return 0;
  if (unit === "x" || unit === "MB") return 2;
  return Math.abs(value) < 100 ? 1 : 0;
}

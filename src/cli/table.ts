/**
 * Tables for people: they fit the terminal, and have colours on nothing else. What is piped is neither cut nor coloured.
 */
import { printable } from "../model/printable.ts";

/** Where a table is printed. */
export interface Screen {
  /** In characters; undefined where nothing need be cut. */
  readonly width: number | undefined;
  readonly hasColours: boolean;
  readonly isTerminal: boolean;
}

/** A column. */
export interface Column {
  readonly heading: string;
  readonly align?: "right";
  /** Set for what is cut where the table is too wide: those that say `first` before the others, and the last of them first. */
  readonly gives?: "first" | true;
}

/** A cell: its text, and its colour. */
export type Cell = string | { readonly text: string; readonly colour: Colour };
export type Colour = keyof typeof codes;

const codes = { red: 31, green: 32, yellow: 33, cyan: 36, grey: 90 } as const;
const gap = "  ";
/** A column that gives way is not cut below this. */
const leastWidth = 8;

/** Looks at standard output and the environment (COLUMNS, NO_COLOR, TERM). */
export function screen(): Screen {
  const { COLUMNS: columns = "", NO_COLOR: noColour = "", TERM: terminal } = process.env;
  const isTerminal = isCharacterDevice() && process.stdout.isTTY === true;
  const given = /^[1-9]\d{0,4}$/.test(columns) ? Number(columns) : undefined;
  return {
    width: given ?? (isTerminal ? process.stdout.columns || undefined : undefined),
    hasColours: isTerminal && noColour === "" && terminal !== "dumb",
    isTerminal,
  };
}

/** Asked first, because asking `process.stdout` alone costs more than an empty table. */
function isCharacterDevice(): boolean {
  try {
    return process.getBuiltinModule("node:fs").fstatSync(1).isCharacterDevice();
  } catch {
    return false; // Standard output is closed: there is no terminal.
  }
}

/**
 * Lays out a table. Control characters in cells are shown as escapes.
 * @returns lines, each with its end; the headings first unless there are none
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { width, hasColours }: Screen,
  isHeaded = true,
): string {
  const headings = columns.map(({ heading }) => heading);
  const texts = [...(isHeaded ? [headings] : []), ...rows.map((row) => row.map(textOf))];
  const widths = columns.map((_, at) => Math.max(...texts.map((row) => Bun.stringWidth(row[at] ?? "")), 0));
  let surplus = widths.reduce((sum, each) => sum + each + gap.length, -gap.length) - (width ?? Infinity);
  for (const column of givingColumns(columns)) {
    const given = widths[column] ?? 0;
    const kept = surplus > 0 ? Math.max(Math.min(given, leastWidth), given - surplus) : given;
    widths[column] = kept;
    surplus -= given - kept;
  }
  return texts
    .map((row, index) => {
      const cells = columns.map(({ align }, at) => {
        const text = cut(row[at] ?? "", widths[at] ?? 0);
        const pad = " ".repeat(Math.max(0, (widths[at] ?? 0) - Bun.stringWidth(text)));
        const cell = rows[index - (isHeaded ? 1 : 0)]?.[at];
        const shown =
          hasColours && typeof cell === "object" ? `\x1b[${codes[cell.colour]}m${text}\x1b[0m` : text;
        return align === "right" ? pad + shown : at === columns.length - 1 ? shown : shown + pad;
      });
      return `${cells.join(gap).trimEnd()}\n`;
    })
    .join("");
}

/** The places of the columns that are cut, in this order. */
function givingColumns(columns: readonly Column[]): readonly number[] {
  const places = columns.map((_, at) => at).reverse();
  return [
    ...places.filter((at) => columns[at]?.gives === "first"),
    ...places.filter((at) => columns[at]?.gives === true),
  ];
}

function textOf(cell: Cell): string {
  return printable(typeof cell === "string" ? cell : cell.text).replaceAll('\\"', '"');
}

function cut(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (Bun.stringWidth(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

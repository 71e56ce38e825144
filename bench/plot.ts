/**
 * A small drawing of curves: SVG without any library, readable on white and on dark ground.
 */

/** One curve. */
export interface Curve {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** One picture of several curves, over a logarithmic x. */
export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** A line across, where there is a bound. */
  readonly bound?: number;
}

const width = 360;
const height = 240;
const margin = { left: 52, right: 14, top: 34, bottom: 34 };
const perRow = 2;
const ink = "#57606a";
const grid = "#d0d7de";

/** Draws panels side by side, two in a row. @param xName what the x axes count */
export function drawPanels(panels: readonly Panel[], xName: string): string {
  const rows = Math.ceil(panels.length / perRow);
  const size = { width: width * perRow, height: height * rows };
  const drawn = panels.map((panel, index) => {
    const [column, row] = [index % perRow, Math.floor(index / perRow)];
    return `<g transform="translate(${column * width} ${row * height})">\n${drawPanel(panel, xName)}</g>\n`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="11" fill="${ink}">
<title>${panels.map(({ title }) => title).join(", ")}, by the number of ${xName}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${drawn.join("")}</svg>
`;
}

function drawPanel({ title, unit, curves, bound }: Panel, xName: string): string {
  const points = curves.flatMap((curve) => curve.points);
  const xs = points.map(([x]) => x);
  const [low, high] = [Math.log10(Math.min(...xs)), Math.log10(Math.max(...xs))];
  const top = roundUp(Math.max(...points.map(([, y]) => y), bound ?? 0));
  const x = (value: number) => {
    const share = high === low ? 0.5 : (Math.log10(value) - low) / (high - low);
    return margin.left + share * (width - margin.left - margin.right);
  };
  const y = (value: number) => height - margin.bottom - (value / top) * (height - margin.top - margin.bottom);
  const parts = [text(margin.left, 16, `${title}, ${unit}`, 'font-weight="bold"')];
  for (let step = 0; step <= 4; step++) {
    const value = (top * step) / 4;
    parts.push(line(margin.left, y(value), width - margin.right, y(value), grid));
    parts.push(text(margin.left - 6, y(value) + 4, shown(value), 'text-anchor="end"'));
  }
  for (const value of [...new Set(xs)].sort((a, b) => a - b)) {
    parts.push(text(x(value), height - margin.bottom + 15, shown(value), 'text-anchor="middle"'));
  }
  parts.push(text(width - margin.right, height - 4, xName, 'text-anchor="end"'));
  if (bound !== undefined) {
    parts.push(
      line(margin.left, y(bound), width - margin.right, y(bound), "#cf222e", ' stroke-dasharray="5 4"'),
    );
    parts.push(text(margin.left + 4, y(bound) - 4, `bound ${shown(bound)}`, 'fill="#cf222e"'));
  }
  for (const [index, { name, color, points: own }] of curves.entries()) {
    const path = own.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>`);
    for (const [px, py] of own) {
      parts.push(`<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="2.5" fill="${color}"/>`);
    }
    parts.push(text(width - margin.right - 90, 16 + index * 13, name, `fill="${color}"`));
  }
  return `${parts.join("\n")}\n`;
}

function line(x1: number, y1: number, x2: number, y2: number, color: string, more = ""): string {
  return `<line x1="${x1}" y1="${y1.toFixed(1)}" x2="${x2}" y2="${y2.toFixed(1)}" stroke="${color}"${more}/>`;
}

function text(x: number, y: number, content: string, more: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped}</text>`;
}

/** The next of 1, 2, 4, 5, 8 and 10, with as many zeros as it takes. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  const step = [1, 2, 4, 5, 8, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
}

function shown(value: number): string {
  if (value >= 1000) return value.toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

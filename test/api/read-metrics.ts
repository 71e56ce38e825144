/** A strict reader of Prometheus's text format 0.0.4: it throws at whatever node_exporter would refuse. */

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function readMetrics(text: string): ReadSample[] {
  const samples: ReadSample[] = [];
  const types = new Map<string, string>();
  const seen = new Set<string>();
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end");
  for (const line of text.split("\n").slice(0, -1)) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? [];
    if (kind === "TYPE") {
      if (types.has(name)) throw new Error(`${name} has two types`);
      if (rest !== "gauge" && rest !== "counter") throw new Error(`unknown type ${rest}`);
      if ((rest === "counter") !== name.endsWith("_total"))
        throw new Error(`${name} is no name for a ${rest}`);
      types.set(name, rest);
    }
    if (kind !== undefined) continue;
    const [, metric = "", labelText = "", value = ""] =
      /^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line) ??
      [];
    if (!types.has(metric) || [...types.keys()].at(-1) !== metric)
      throw new Error(`misplaced or misshapen: ${line}`);
    const key = `${metric}{${labelText}}`;
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    const labels = [...labelText.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = "", raw = ""]) => [
        label,
        raw.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)),
      ],
    );
    samples.push({ name: metric, labels: Object.fromEntries(labels), value: Number(value) });
  }
  return samples;
}

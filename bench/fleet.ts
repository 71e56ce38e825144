/**
 * `npm run bench:fleet`: runs on nodes, beside OpenSSH's own client, against a real sshd on loopback. bench/README.md has how
 * to read it.
 *
 *     bun bench/fleet.ts [--nodes N] [--turns N] [--minutes N] [--only warm|cold|all|rate|memory]… [--json]
 *
 * Root's, because the nodes are: on a private host, of which nothing is left. Exits 0 if every bound is kept and each run
 * succeeded, 1 if not, 2 if it could not measure.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { homeFolder, mostNodes, startBed } from "./fleet-bed.ts";
import { type FleetFigures, type FleetRow, fleetTables, isOver } from "./fleet-figures.ts";
import { measureAll, measureMemory, measureRate } from "./fleet-load.ts";
import { measureCold, measureWarm } from "./fleet-times.ts";
import { build, findHost, requireNumber, runOn, stoppedBySignal } from "./private-host.ts";

const { values: options } = parseArgs({
  options: {
    nodes: { type: "string", default: "100" },
    /** How often each way has its turn, warm and cold. */
    turns: { type: "string", default: "50" },
    /** How long there are runs each second. */
    minutes: { type: "string", default: "1" },
    /** What is measured; without it, everything. */
    only: { type: "string", multiple: true, default: [] },
    json: { type: "boolean", default: false },
    /** Set where this is the measurement itself: the folder of the program and of the result. */
    inside: { type: "string" },
  },
});

const parts = ["warm", "cold", "all", "rate", "memory"] as const;
/** How often a fleet is connected anew. */
const allTurns = 3;

/** On the private host. */
async function measure(results: string): Promise<FleetFigures> {
  const [nodes, turns, minutes] = [Number(options.nodes), Number(options.turns), Number(options.minutes)];
  const loadBefore = loadavg()[0] ?? Number.NaN;
  const measured: { title: string; rows: readonly FleetRow[] }[] = [];
  const tell = (text: string) => console.error(text);
  await using bed = await startBed(results, join(results, "rcron"), nodes);
  const part = async (
    name: (typeof parts)[number],
    title: string,
    of: () => Promise<readonly FleetRow[]>,
  ) => {
    if (options.only.length > 0 && !options.only.includes(name)) return;
    tell(title);
    measured.push({ title, rows: await of() });
  };
  await part("warm", "a run of true, connected", () => measureWarm(bed, turns));
  await part("cold", "a run of true, to be connected", () => measureCold(bed, turns));
  await part("all", `on all of ${nodes}, OpenSSH's own key exchange`, () =>
    measureAll(bed, undefined, allTurns),
  );
  await part("all", `on all of ${nodes}, KexAlgorithms curve25519-sha256`, () =>
    measureAll(bed, "curve25519-sha256", allTurns),
  );
  await part("rate", "17 runs each second on any of ten", () => measureRate(bed, minutes, tell));
  await part("memory", `${nodes} connections that rest`, () => measureMemory(bed));
  const [processor] = cpus();
  const ssh = Bun.spawnSync(["/usr/bin/ssh", "-V"]).stderr.toString().split(",")[0];
  return {
    machine: `${processor?.model.trim()}, ${cpus().length} cores, Linux ${release()}, ${ssh}`,
    load: `${loadBefore.toFixed(2)} before, ${(loadavg()[0] ?? Number.NaN).toFixed(2)} after`,
    nodes,
    parts: measured,
  };
}

async function main(): Promise<number> {
  for (const name of ["nodes", "turns", "minutes"] as const) requireNumber(name, options[name]);
  if (Number(options.nodes) > mostNodes) throw new Error(`--nodes must be at most ${mostNodes}`);
  const stray = options.only.find((name) => !parts.some((part) => part === name));
  if (stray !== undefined) throw new Error(`--only must be one of ${parts.join(", ")}: got "${stray}"`);
  if (options.inside !== undefined) {
    writeFileSync(join(options.inside, "figures.json"), JSON.stringify(await measure(options.inside)));
    return 0;
  }
  for (const program of ["/usr/bin/ssh", "/usr/sbin/sshd"]) {
    if (!existsSync(program)) throw new Error(`${program} is missing: apt install openssh-server`);
  }
  const stop = stoppedBySignal();
  const folder = mkdtempSync(join(tmpdir(), "rcron-bench-"));
  try {
    build("bin/rcron.ts", join(folder, "rcron"));
    const host = findHost();
    if (!host.isPrivate || process.getuid?.() !== 0)
      throw new Error("fleets are measured as root, on a private host");
    const given = (["nodes", "turns", "minutes"] as const).flatMap((name) => [`--${name}`, options[name]]);
    const words = [process.execPath, import.meta.path, "--inside", folder, ...given];
    for (const name of options.only) words.push("--only", name);
    const privately = { ...host, prefix: [...host.prefix, "sh", "-euc", ownHome, "sh"] };
    const status = await runOn(privately, words, stop);
    if (status !== 0) throw new Error(`the measurement ended with exit status ${status}`);
    const figures: FleetFigures = JSON.parse(readFileSync(join(folder, "figures.json"), "utf8"));
    console.log(options.json ? JSON.stringify(figures, undefined, 2) : fleetTables(figures));
    return isOver(figures) ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Nobody's ssh configuration but that of the measurement: ssh asks passwd for the home, whatever HOME says. */
const ownHome = `mkdir -p -m 700 ${homeFolder}; mkdir -p /dev/shm
sed 's|^root:.*|root:x:0:0:root:${homeFolder}:/bin/sh|' /etc/passwd >/run/bench/passwd
mount --bind /run/bench/passwd /etc/passwd
exec "$@"`;

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error("bench:", error instanceof Error ? error.message : error);
    process.exit(2);
  },
);

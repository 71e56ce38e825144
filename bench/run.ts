/**
 * `npm run bench`: rcron's speed and memory beside an empty program and the usual prefixes. bench/README.md has how to
 * read it.
 *
 *     bun bench/run.ts [--rounds N] [--runs N] [--json]
 *
 * Exits 0 if every bound is kept, 1 if one is not or a line of log or record is missing, 2 if it could not measure.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build, findHost, requireNumber, runOn, stoppedBySignal } from "./private-host.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    runs: { type: "string", default: "20" },
    json: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  for (const name of ["rounds", "runs"] as const) requireNumber(name, options[name]);
  const stop = stoppedBySignal();
  const folder = mkdtempSync(join(tmpdir(), "rcron-bench-"));
  try {
    build("bench/empty.ts", join(folder, "floor"));
    build("bin/rcron.ts", join(folder, "rcron"));
    const host = findHost();
    const words = [process.execPath, join(import.meta.dir, "measure.ts"), folder];
    const settings = [options.rounds, options.runs, options.json ? "json" : "text"];
    const description = [host.isPrivate ? "private" : "shared", host.description];
    return await runOn(host, [...words, ...settings, ...description], stop);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error("bench:", error instanceof Error ? error.message : error);
    process.exit(2);
  },
);

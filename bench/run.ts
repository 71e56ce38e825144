/**
 * `npm run bench`: rcron's speed and memory beside an empty program and the usual prefixes. bench/README.md has how to
 * read it.
 *
 *     bun bench/run.ts [--rounds N] [--runs N] [--json]
 *
 * Exits 0 if every bound is kept, 1 if one is not or a log line is missing, 2 if it could not measure.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findHost, project } from "./private-host.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    runs: { type: "string", default: "20" },
    json: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  for (const name of ["rounds", "runs"] as const) {
    if (/^[1-9]\d{0,3}$/.test(options[name])) continue;
    console.error(`bench: --${name} must be a number from 1 to 9999: got "${options[name]}"`);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  const folder = mkdtempSync(join(tmpdir(), "rcron-bench-"));
  try {
    build("bench/empty.ts", join(folder, "floor"));
    build("bin/rcron.ts", join(folder, "rcron"));
    const host = findHost();
    const words = [process.execPath, join(import.meta.dir, "measure.ts"), folder];
    const settings = [options.rounds, options.runs, options.json ? "json" : "text"];
    const description = [host.isPrivate ? "private" : "shared", host.description];
    const measuring = [...host.prefix, ...words, ...settings, ...description];
    // KILL, because unshare itself ignores the milder signals; what is in its namespace ends with it.
    const { signal } = stop;
    const child = Bun.spawn(measuring, {
      stdio: ["ignore", "inherit", "inherit"],
      signal,
      killSignal: "SIGKILL",
    });
    return await child.exited;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** By the project's own build script, with its flags and its patches. */
function build(entry: string, outdir: string): void {
  const words = [process.execPath, "bin/build.ts", "--entry", join(project, entry), "--outdir", outdir];
  const { exitCode } = Bun.spawnSync(words, {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 300_000,
  });
  if (exitCode !== 0) throw new Error(`the build of ${entry} failed`);
}

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error("bench:", error);
    process.exit(2);
  },
);

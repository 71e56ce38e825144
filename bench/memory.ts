/**
 * What a waiting rcron costs in memory: several at once, each with a job that sleeps, so that what they share is seen
 * to be shared.
 */
import { readFileSync } from "node:fs";
import { type Memory, median } from "./figures.ts";
import { environment } from "./rows.ts";

const boundMB = 3;
/** Long enough after the job's start for the runtime's own housekeeping to be over. */
const settleMs = 2000;

/**
 * Starts `instances` rcrons, measures them while their jobs run, and ends them.
 * @param words rcron and its options, without a job
 */
export async function measureMemory(words: readonly string[], instances: number): Promise<Memory> {
  const wrappers = Array.from({ length: instances }, () =>
    Bun.spawn([...words, "sleep", "120"], {
      env: environment,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    }),
  );
  try {
    const end = performance.now() + 20_000;
    while (!wrappers.every(({ pid }) => hasJob(pid))) {
      if (performance.now() > end) throw new Error("memory: not every rcron started its job");
      await Bun.sleep(20);
    }
    await Bun.sleep(settleMs);
    const sums = wrappers.map(({ pid }) => readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    const of = (...keys: string[]) =>
      median(sums.map((text) => keys.reduce((sum, key) => sum + bytesOf(text, key), 0) / 1e6));
    return {
      instances,
      privateMB: of("Private_Clean", "Private_Dirty"),
      proportionalMB: of("Pss"),
      residentMB: of("Rss"),
      boundMB,
    };
  } finally {
    for (const wrapper of wrappers) wrapper.kill("SIGTERM"); // rcron hands it on to its job
    await Promise.all(wrappers.map(({ exited }) => exited));
  }
}

/** True once a child of the process is the job itself. */
function hasJob(pid: number): boolean {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  return children.some((child) => child !== "" && readFileSync(`/proc/${child}/comm`, "utf8") === "sleep\n");
}

/** Of a line `Key:   1234 kB`. */
function bytesOf(smaps: string, key: string): number {
  const found = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(smaps);
  if (found === null) throw new Error(`memory: no ${key} in smaps_rollup`);
  return Number(found[1]) * 1024;
}

/**
 * How fast the record answers: a store of 1,000,000 records is built in a temporary folder, by journal and folding as in
 * life, and the built program is asked.
 *
 *     bun bench/runs.ts [--records N] [--runs N]
 *
 * A question is timed from before the start of `rcronctl` to after its end, the median of 15. Exit status 1 if one of
 * `rcronctl runs` takes longer than 300 ms.
 */
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { withHistory } from "../src/history/history.ts";
import { Problem } from "../src/model/problem.ts";
import type { RunEvent } from "../src/model/run-event.ts";

const boundMs = 300;
const partRecords = 50_000;
const jobCount = 200;
const { values } = parseArgs({
  options: { records: { type: "string", default: "1000000" }, runs: { type: "string", default: "15" } },
});
const records = Number(values.records);
const binary = resolve(import.meta.dir, "../dist/rcronctl");

/** Three days at the pace of ten records a second and more: one in a thousand runs fails, every third is a passive tick. */
function eventsOf(index: number, startMs: number): RunEvent[] {
  const at = startMs + index * 250;
  const run = index.toString(16).padStart(16, "0");
  const context = {
    at,
    tick: at - 40,
    cluster: "default_cluster",
    reason: "state-file",
    epoch: 41,
    instance: "VI_1",
    since: startMs,
    words: [`/usr/local/bin/job-${index % jobCount}`, "--all", `--part=${index % 7}`],
  };
  if (index % 3 === 0) return [{ kind: "skip", why: "passive", run, ...context }];
  const isOk = index % 1000 !== 1;
  return [
    { kind: "start", run, pid: 1000 + (index % 30_000), ticks: index, boot: "bench", ...context },
    {
      kind: "end",
      run,
      at: at + 900,
      ms: 900,
      ok: isOk,
      cause: "exit",
      exit: isOk ? 0 : 3,
      cpuMs: 12,
      ...(index % 100 === 1 && { output: sampleOutput }),
    },
  ];
}

const zipped = (text: string) => Buffer.from(Bun.gzipSync(Buffer.from(text))).toString("base64");
const sampleOutput = { bytes: 4000, leftOut: 0, head: zipped("a line of output\n".repeat(235)), tail: "" };

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "rcron-bench-runs-"));
  try {
    const builtMs = await build(folder);
    const megabytes = (statSync(join(folder, "history.db")).size / 1e6).toFixed(0);
    console.log(`${records} records built in ${(builtMs / 1000).toFixed(1)} s, ${megabytes} MB`);
    const questions = [
      "runs",
      "runs --all",
      "runs --failed",
      "runs --skipped",
      "runs --job job-17",
      "runs --job job-17 --failed",
      "runs --since 1h",
      "runs --since 1s",
      "runs --failed --since 1s",
      "runs --job job-17 --failed --since 1s",
      "runs --limit 1000",
      "runs --job no-such-job",
      "jobs",
      "why job-17",
      "metrics",
    ];
    let isOver = false;
    for (const question of questions) {
      const ms = median(question.split(" "), folder);
      if (question.startsWith("runs") && ms > boundMs) isOver = true;
      console.log(`${ms.toFixed(0).padStart(6)} ms  rcronctl ${question}`);
    }
    return isOver ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns how long it took */
async function build(folder: string): Promise<number> {
  const begun = performance.now();
  const startMs = Date.now() - records * 250;
  for (let from = 0; from < records; from += partRecords) {
    writeFileSync(join(folder, "journal"), "");
    let text = "";
    for (let index = from; index < Math.min(records, from + partRecords); index++) {
      for (const event of eventsOf(index, startMs)) text += `\n${JSON.stringify(event)}\n`;
    }
    appendFileSync(join(folder, "journal"), text);
    const options = { host: "bench", keepMs: 90 * 86_400_000, sizeBytes: 2 ** 40 };
    const done = await withHistory(folder, options, () => true);
    if (done instanceof Problem) throw done;
    rmSync(join(folder, "journal"));
    process.stderr.write(".");
  }
  process.stderr.write("\n");
  return performance.now() - begun;
}

function median(words: readonly string[], folder: string): number {
  const times: number[] = [];
  for (let run = -2; run < Number(values.runs); run++) {
    const begun = Bun.nanoseconds();
    const { exitCode, stderr } = Bun.spawnSync([binary, ...words, "--history", folder], { stdin: "ignore" });
    if (exitCode !== 0 && words[0] !== "why")
      throw new Error(`${words.join(" ")}: exit ${exitCode}: ${stderr}`);
    if (run >= 0) times.push((Bun.nanoseconds() - begun) / 1e6);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

main().then((status) => process.exit(status));

/**
 * A process of many runs that a test may kill: `bun host-program.ts FOLDER WHAT LINE…`. It has each line run by the shell,
 * tells each run's mark on its standard output, and its end.
 *
 * - `quiet`: output is kept alone;
 * - `cron`: it goes to this process's own standard output;
 * - `limits`: as `quiet`, and this process has a soft limit of 700 open files when it becomes a host; `crowded`: it opens
 *   as many before it starts the first job;
 * - `adopt`: each line is a mark that another one has told, behind its run's id and a colon.
 */
import { openSync } from "node:fs";
import { loadHosting } from "../../src/execute/execute.ts";
import { openFilesLimit, setOpenFilesLimit } from "../../src/system/open-files.ts";
import { adoptionPorts, hostingPorts, jobOf, newId, runOf, textOf } from "./hosting-scene.ts";

/** What the program tells, each on a line of its own, as JSON. */
export type Told =
  | { readonly kind: "mark"; readonly id: string; readonly mark: string }
  | { readonly kind: "end"; readonly outcome: unknown; readonly cause: string; readonly output: string }
  | { readonly kind: "limit"; readonly soft: number; readonly hard: number }
  | { readonly kind: "warning"; readonly sentence: string };

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

async function main([folder = "", what = "", ...lines]: readonly string[]): Promise<void> {
  const { adoptRun, Hosting, parseMark, superviseHosted } = await loadHosting();
  const before = openFilesLimit();
  const isLimited = what === "limits" || what === "crowded";
  if (isLimited && before !== undefined) setOpenFilesLimit(0, { ...before, soft: 700 });
  const hosting = new Hosting({ baseEnvironment: [{ name: "PATH", value: "/usr/bin:/bin" }] });
  const after = openFilesLimit();
  if (isLimited && after !== undefined) tell({ kind: "limit", ...after });
  if (what === "crowded") for (let n = 0; n < 700; n++) openSync("/dev/null", "r");
  const onWarning = (sentence: string) => tell({ kind: "warning", sentence });
  const runs = lines.map(async (line) => {
    if (what === "adopt") {
      const id = line.slice(0, line.indexOf(":"));
      const mark = parseMark(line.slice(id.length + 1));
      if (mark === undefined) throw new Error(`no mark: ${line}`);
      const end = await adoptRun(
        runOf(jobOf(""), {}, { runId: id }),
        adoptionPorts(folder, { onWarning }),
        mark,
      );
      tell({ kind: "end", outcome: end.outcome, cause: end.cause, output: textOf(end) });
      return;
    }
    const id = newId();
    const end = await superviseHosted(
      runOf(jobOf(line), {}, { runId: id }),
      hostingPorts(folder, {
        hosting,
        onWarning,
        ...(what === "cron" && { usualOutputs: [{ isIfError: false, sink: { kind: "cron" } }] }),
        onLaunched: (mark) => tell({ kind: "mark", id, mark: JSON.stringify(mark) }),
      }),
    );
    if (end.kind === "ended" && what !== "cron") {
      tell({ kind: "end", outcome: end.outcome, cause: end.cause, output: textOf(end) });
    }
  });
  await Promise.all(runs);
}

if (import.meta.main) void main(process.argv.slice(2));

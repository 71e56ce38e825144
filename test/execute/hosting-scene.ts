/**
 * Jobs under a `Hosting`, for tests: what is said of none is plain, and output is kept.
 */
import { join } from "node:path";
import { Hosting } from "../../src/execute/hosting.ts";
import { superviseHosted } from "../../src/execute/supervise.ts";
import type {
  AdoptionPorts,
  Hosted,
  HostingPorts,
  RunEnd,
  SupervisedJob,
} from "../../src/execute/supervised-run.ts";
import type { Job } from "../../src/model/job.ts";
import { noRules, type Rules } from "../../src/model/rules.ts";
import type { Verdict } from "../../src/model/state.ts";

/** What jobs have in these tests, and nothing else. */
export const baseEnvironment = [
  { name: "PATH", value: "/usr/local/bin:/usr/bin:/bin" },
  { name: "BASE", value: "given" },
];

const active: Verdict = {
  state: "active",
  reason: "state-file",
  sentence: "the state file says so",
  stateFile: "state",
  isDefault: false,
  epoch: 0,
  provenance: {},
};

export const passive: Verdict = { ...active, state: "passive" };

let runs = 0;

/** An id that no other test's run has. */
export function newId(): string {
  runs += 1;
  return `${process.pid.toString(16).padStart(8, "0")}${runs.toString(16).padStart(8, "0")}`;
}

/** A job of a shell line. */
export function jobOf(line: string, more: Partial<Job> = {}): Job {
  return { name: "job", command: { kind: "shell", line }, environment: [], niceLevel: 0, ...more };
}

/** A run of it; its processes have its id in their environment. */
export function runOf(
  job: Job,
  rules: Partial<Rules> = {},
  more: Partial<SupervisedJob> = {},
): SupervisedJob {
  const runId = more.runId ?? newId();
  return {
    job: { ...job, environment: [{ name: "RCRON_RUN_ID", value: runId }, ...job.environment] },
    rules: { ...noRules, ...rules },
    runId,
    cluster: "blue",
    user: undefined,
    delayMs: 0,
    ...more,
  };
}

/** What an adoption is given. */
export function adoptionPorts(folder: string, more: Partial<AdoptionPorts> = {}): AdoptionPorts {
  return {
    lockFolder: join(folder, "locks"),
    holdFolders: [folder],
    lost: undefined,
    lostGraceMs: 5000,
    onWarning: (sentence) => {
      throw new Error(`a warning: ${sentence}`);
    },
    logLine: () => {},
    isLogBusy: () => false,
    ...more,
  };
}

/** What each run is given. */
export function hostingPorts(folder: string, more: Partial<HostingPorts> = {}): HostingPorts {
  return {
    ...adoptionPorts(folder),
    hosting: new Hosting({ baseEnvironment }),
    mayRun: () => active,
    onStart: () => {},
    onRetry: () => {},
    ...more,
  };
}

/** Runs it to its end. */
export async function hosted(what: SupervisedJob, ports: HostingPorts): Promise<RunEnd & { output: string }> {
  const end = await superviseHosted(what, ports);
  if (end.kind !== "ended") throw new Error(`not started: ${end.kind}`);
  return { ...end, output: textOf(end) };
}

/** All that was kept of a run's output. */
export function textOf(end: Pick<RunEnd, "kept"> | Hosted): string {
  const kept = "kept" in end ? end.kept : undefined;
  return kept === undefined ? "" : Buffer.concat([kept.head, kept.tail]).toString();
}

/** Waits, up to half a minute, until it is so. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 30_000; !isSo(); await Bun.sleep(5)) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
  }
}

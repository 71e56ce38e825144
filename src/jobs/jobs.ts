/**
 * WHAT is there? Job files in acron's manner, crontabs and distcrond's files, read into jobs and nodes that are proven; kept up to date
 * while they are edited; checked without being run. docs/jobs.md and docs/fleet.md have every word.
 *
 * `watchJobs()` is what the daemon uses, `checkJobs()` what `rcrond --check` does; the two parsers are pure.
 */
import { findUser } from "../system/users.ts";
import type { JobTerms } from "./file-reading.ts";

export { parseAcronFile } from "./acron-file.ts";
export { type CheckOptions, checkJobs, type JobFinding, type JobReport } from "./check.ts";
export { type CrontabKind, parseCrontabFile } from "./crontab-file.ts";
export { parseDistcrondJob } from "./distcrond-job.ts";
export { parseDistcrondNode } from "./distcrond-node.ts";
export { intervalRule, parseGoDuration } from "./distcrond-schedule.ts";
export type { FileReading, JobTerms } from "./file-reading.ts";
export { fileLimit, type JobPlaces } from "./find-files.ts";
export type { BrokenFile, JobSet } from "./job-set.ts";
export { type JobChange, JobTree, type NodeChange, type TreeOptions } from "./job-tree.ts";
export { type JobWatch, type WatchOptions, watchJobs } from "./watch.ts";

/** Where the tree is looked for without `--cron-dir`. */
export const defaultTree = "/etc/rcron/jobs.d";

/** Where distcrond's files are looked for. @see distcrond README "Running distcrond" */
export const distcrondFolders = { jobs: "/etc/distcron/jobs.d", nodes: "/etc/distcron/nodes.d" } as const;

/** Who gets the output of jobs that name nobody, without `--mailto`. @see acron README "cron definition" */
export const defaultMailTo = "root@localhost";

/** The users of this machine, for {@link JobTerms}; each is asked for once. */
export function machineUsers(): NonNullable<JobTerms["findUser"]> {
  const known = new Map<string, { uid: number; home: string } | "unknown" | undefined>();
  return (name) => {
    if (known.has(name)) return known.get(name);
    const user = findUser(name);
    const found = user === "no-libc" ? "unknown" : user && { uid: user.uid, home: user.home };
    known.set(name, found);
    return found;
  };
}

/**
 * Whose jobs, and in whose time: what the options of `rcrond` name, with the defaults of what they leave open.
 */
import { type LoadedConf, loadConf, readJobSections, readNodes } from "../gate/gate.ts";
import {
  defaultMailTo,
  defaultTree,
  distcrondFolders,
  intervalRule,
  JobTree,
  machineUsers,
  parseGoDuration,
  type TreeOptions,
} from "../jobs/jobs.ts";
import type { NextFacts } from "../model/control-message.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { isMailAddress } from "../model/output-rule.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Zone } from "../model/schedule.ts";
import { findZone, nextFacts } from "../schedule/schedule.ts";
import { readHostName } from "../system/host-name.ts";
import { readMachineZone } from "../system/zone.ts";

/** What names the jobs; undefined for what was not said. */
export interface NamedPlaces {
  /** The tree of job files. */
  readonly tree: string | undefined;
  /** Crontabs and folders of them. With some, the default tree is not meant as well. */
  readonly crontabs: readonly string[];
  readonly distcrond: DistcrondOptions;
  readonly zoneName: string | undefined;
  readonly mailTo: string | undefined;
  /** rcron.conf's path. */
  readonly conf: string | undefined;
}

/** What distcrond's own options say; undefined for what was not said. */
export interface DistcrondOptions {
  /** The folder of its job files. With it, the default tree is not meant as well, and its node files are looked for. */
  readonly jobsFolder: string | undefined;
  readonly nodesFolder: string | undefined;
  readonly healthCheckInterval: string | undefined;
  readonly isOwnerOptional: boolean;
}

/** None of its options. */
export const noDistcrond: DistcrondOptions = {
  jobsFolder: undefined,
  nodesFolder: undefined,
  healthCheckInterval: undefined,
  isOwnerOptional: false,
};

/** Where the jobs are and what their files leave open, and the machine's zone. */
export interface JobSource {
  readonly options: TreeOptions;
  readonly zone: Zone;
  /** How often nodes are looked at, in milliseconds; undefined: as the configuration says. */
  readonly healthCheckMs: number | undefined;
  /** The configuration that they were read with. */
  readonly loaded: LoadedConf;
}

/** @returns the Problem for which they can't be read: a wrong value, a configuration that is broken */
export async function findJobs(named: NamedPlaces): Promise<JobSource | Problem> {
  const { zoneName, mailTo = defaultMailTo, crontabs, distcrond } = named;
  if (!isMailAddress(mailTo)) {
    return new Problem("invalid", `--mailto must be an address: got ${quoted(mailTo)}`, {
      hint: "rcrond --help",
    });
  }
  const zone = findZone(zoneName ?? readMachineZone(process.env["TZ"]).name);
  if (zone instanceof Problem) return zone;
  const loaded = loadConf(named.conf);
  if (loaded instanceof Problem) return loaded;
  const sections = await readJobSections(loaded);
  if (sections instanceof Problem) return sections;
  const nodes = await readNodes(loaded);
  if (nodes instanceof Problem) return nodes;
  const { healthCheckInterval, isOwnerOptional, jobsFolder } = distcrond;
  const healthCheckMs = healthCheckInterval === undefined ? undefined : parseGoDuration(healthCheckInterval);
  if (healthCheckInterval !== undefined && healthCheckMs === undefined) {
    const got = quoted(healthCheckInterval);
    return new Problem("invalid", `--healthCheckInterval must be ${intervalRule}: got ${got}`, {
      hint: "rcrond --help",
    });
  }
  const hasOthers = crontabs.length > 0 || jobsFolder !== undefined;
  const tree = named.tree ?? (hasOthers ? undefined : defaultTree);
  const nodesFolder = distcrond.nodesFolder ?? (jobsFolder && distcrondFolders.nodes);
  const absolute = (path: string) => process.getBuiltinModule("node:path").resolve(path);
  return {
    zone,
    healthCheckMs,
    loaded,
    options: {
      places: {
        tree: tree && absolute(tree),
        crontabs: crontabs.map(absolute),
        ...(jobsFolder !== undefined && { distcrondJobs: absolute(jobsFolder) }),
        ...(nodesFolder !== undefined && { distcrondNodes: absolute(nodesFolder) }),
      },
      terms: { hostName: readHostName(), mailTo, sections, findUser: machineUsers(), nodes, isOwnerOptional },
      uid: process.getuid?.() ?? 0,
    },
  };
}

/**
 * What the files say of when jobs are due.
 * @param name the job that is meant; undefined: all of them
 * @param count the ticks of each, at most
 * @returns the Problem `not-found` where there is no such job
 */
export async function dueByFiles(
  { options, zone }: JobSource,
  name: string | undefined,
  count: number,
): Promise<readonly NextFacts[] | Problem> {
  const tree = new JobTree(options);
  await tree.look();
  const { jobs } = tree.set;
  const place = { zone, hostName: options.terms.hostName };
  const nowMs = Date.now();
  if (name === undefined) return [...jobs.values()].map((job) => nextFacts(job, nowMs, place, count));
  const job = jobs.get(name);
  if (job !== undefined) return [nextFacts(job, nowMs, place, count)];
  const near = nearestWord(name, [...jobs.keys()]);
  return new Problem("not-found", `there is no job named ${quoted(name)}`, {
    hint: near === undefined ? "rcrond --next lists the jobs" : `did you mean ${near}?`,
  });
}

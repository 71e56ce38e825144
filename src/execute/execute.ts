/**
 * HOW and WHERE a job runs: on this machine, in its caller's place as the prefix runs it, or as one of many jobs of a
 * process that none of them sees anything of; or on another machine, over ssh or by any program that leads to a
 * shell there.
 */
import type { Found } from "./find-program.ts";

export type { UserTerms } from "./as-user.ts";
export type { CommandHosting, CommandHostingOptions } from "./command-hosting.ts";
export type { CommandNode } from "./command-run.ts";
export type { Hosting, HostingOptions } from "./hosting.ts";
export {
  type LocalRun,
  prepareLocal,
  type StartOptions,
  type StopRequest,
  type Streams,
} from "./local.ts";
export type { RunMark } from "./run-mark.ts";
export type { NodeConnection } from "./ssh/node-connection.ts";
export type { NodeTerms, SshTerms } from "./ssh/node-terms.ts";
export type { RemoteHostingOptions } from "./ssh/remote-hosting.ts";
export type { RemoteMark } from "./ssh/remote-mark.ts";
export type {
  AdoptedEnd,
  AdoptionPorts,
  HolderFacts,
  Hosted,
  HostingPorts,
  RunEnd,
  Stopped,
  Supervised,
  SupervisedJob,
  SupervisionPorts,
} from "./supervised-run.ts";

/** The supervision of runs, loaded only where a job has rules: a plain one shall not pay for it. */
export async function loadSupervision() {
  return import("./supervision.ts");
}

/** What {@link loadHosting} loads. */
export type HostingRoom = Awaited<ReturnType<typeof loadHosting>>;

/** All for a process that runs many jobs, loaded by a daemon alone. */
export async function loadHosting() {
  return import("./hosted-runs.ts");
}

/** What {@link loadRemote} loads. */
export type RemoteRoom = Awaited<ReturnType<typeof loadRemote>>;

/** All for runs on other machines, loaded by a daemon that has some. */
export async function loadRemote() {
  return import("./remote-runs.ts");
}

/** {@link Found}, loaded only where somebody asks: running a job needs no search of our own. */
export async function findProgram(program: string, searchPath: string | undefined): Promise<Found> {
  const search = await import("./find-program.ts");
  return search.findProgram(program, searchPath);
}

/**
 * Runs on a node of ssh-node.ts, under all the rules of a job.
 */
import { NodeConnection } from "../../src/execute/ssh/node-connection.ts";
import type { NodeTerms, SshTerms } from "../../src/execute/ssh/node-terms.ts";
import { RemoteHosting, type RemoteHostingOptions } from "../../src/execute/ssh/remote-hosting.ts";
import type { HostingPorts, RunEnd } from "../../src/execute/supervised-run.ts";
import type { Job } from "../../src/model/job.ts";
import type { Rules } from "../../src/model/rules.ts";
import { hosted, hostingPorts, jobOf, runOf } from "./hosting-scene.ts";
import type { SshNode, shells } from "./ssh-node.ts";

/** A connection to it, as one of its users. */
export function connectionTo(
  folder: string,
  { port, keyFile, configFile }: SshNode,
  user: keyof typeof shells = "sh",
  more: Partial<NodeTerms> = {},
  ssh: Partial<SshTerms> = {},
): NodeConnection {
  const node = { host: "127.0.0.1", port, user, keyFile, configFile, ...more };
  return new NodeConnection(node, { controlFolder: `${folder}/c`, ...ssh });
}

export interface RemoteScene {
  readonly job?: Partial<Job>;
  readonly rules?: Partial<Rules>;
  readonly runId?: string;
  readonly ports?: Partial<HostingPorts>;
  readonly hosting?: Partial<RemoteHostingOptions>;
}

/** Runs a shell line there, to its end. */
export function runThere(
  folder: string,
  connection: NodeConnection,
  line: string,
  { job, rules, runId, ports, hosting }: RemoteScene = {},
): Promise<RunEnd & { readonly output: string }> {
  const what = runOf(jobOf(line, job), rules, runId === undefined ? {} : { runId });
  const remote = new RemoteHosting(what.runId, { connection, ...hosting });
  return hosted(what, hostingPorts(folder, { hosting: remote, ...ports }));
}

/**
 * The fleet of `rcrond`: its nodes, the ways to them, and what runs on them; the part of the parts list that concerns nodes.
 */

import type { DaemonClock, DueRun, Executor, LeftRun, RunResult, RunWatch } from "../daemon/daemon.ts";
import { Fleet, PlacedRuns } from "../daemon/daemon.ts";
import { loadRemote, type RemoteRoom } from "../execute/execute.ts";
import type { DaemonConf } from "../gate/gate.ts";
import type { Node } from "../model/node.ts";
import { FleetRuns } from "./fleet-runs.ts";
import { type NodeWay, wayTo } from "./node-ways.ts";
import type { RunTeller } from "./run-teller.ts";
import { type RunSettings, ScheduledRuns } from "./scheduled-run.ts";

/** What all runs are made of, here and on nodes. */
export interface FleetSettings extends RunSettings {
  readonly clock: DaemonClock;
  /** What must outlive the daemon is there; connections have their sockets below it. */
  readonly stateFolder: string;
  readonly healthCheckMs: number;
  readonly limits: Pick<DaemonConf, "runsPerNode" | "runsOnNodes">;
}

/** All that runs jobs, and the nodes. */
export interface RunParts {
  readonly executor: Executor;
  readonly fleet: Fleet<NodeWay>;
  /** As {@link Fleet.setNodes}; with the first nodes, what reaches them is loaded. */
  readonly setNodes: (nodes: readonly Node[]) => Promise<void>;
}

/** Puts them together. */
export function runParts(settings: FleetSettings, teller: RunTeller): RunParts {
  const { clock, log, stateFolder, healthCheckMs, limits } = settings;
  let remote: RemoteRoom | undefined;
  const controlFolder = `${stateFolder}/ssh`;
  const fleet: Fleet<NodeWay> = new Fleet({
    linkTo: (node) => {
      if (remote === undefined) throw new Error("no nodes before setNodes()");
      return wayTo(node, { ...settings, remote, controlFolder });
    },
    healthCheckMs,
    clock,
    log: (level, sentence) => (level === "warning" ? log.warn(sentence) : log.info(sentence)),
    onChange: () => placed.wake(),
  });
  const placed: PlacedRuns<NodeWay> = new PlacedRuns({
    fleet,
    limits: { perNode: limits.runsPerNode, inAll: limits.runsOnNodes },
    clock,
    random: Math.random,
  });
  const onNodes = new FleetRuns({ ...settings, placed }, teller);
  let last = Promise.resolve();
  const setNodes = (nodes: readonly Node[]) => {
    // One after the other: a later reading of the files must not be overtaken while the first one loads.
    last = last.then(async () => {
      if (nodes.length > 0) remote ??= await loadRemote();
      await fleet.setNodes(nodes);
    });
    return last;
  };
  return { executor: new AllRuns(new ScheduledRuns(settings, teller), onNodes), fleet, setNodes };
}

/** Here, or on nodes: as the job says. */
class AllRuns implements Executor {
  readonly #here: Executor;
  readonly #onNodes: Executor;

  constructor(here: Executor, onNodes: Executor) {
    this.#here = here;
    this.#onNodes = onNodes;
  }

  run(due: DueRun, watch: RunWatch): Promise<RunResult> {
    const executor = due.job?.placement === undefined ? this.#here : this.#onNodes;
    return executor.run(due, watch);
  }

  /** By what was noted: its job's file may say something else by now. */
  adopt(due: DueRun, left: LeftRun, watch: RunWatch): Promise<RunResult> | undefined {
    return (left.nodes.size > 0 ? this.#onNodes : this.#here).adopt(due, left, watch);
  }
}

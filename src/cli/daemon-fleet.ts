/**
 * The fleet of `rcrond`: its nodes, the ways to them, and what runs on them; the part of the parts list that concerns nodes.
 */

import type { DaemonClock, DueRun, Executor, LeftRun, RunResult, RunWatch } from "../daemon/daemon.ts";
import { Fleet, PlacedRuns } from "../daemon/daemon.ts";
import { loadRemote } from "../execute/execute.ts";
import type { DaemonConf } from "../gate/gate.ts";
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
}

/** Puts them together. */
export async function runParts(settings: FleetSettings, teller: RunTeller): Promise<RunParts> {
  const { clock, log, stateFolder, healthCheckMs, limits } = settings;
  const remote = await loadRemote();
  const controlFolder = `${stateFolder}/ssh`;
  const fleet: Fleet<NodeWay> = new Fleet({
    linkTo: (node) => wayTo(node, { ...settings, remote, controlFolder }),
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
  return { executor: new AllRuns(new ScheduledRuns(settings, teller), onNodes), fleet };
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

/**
 * What a run over nodes is: what it is to do, who does it on a node, and what becomes of it.
 */
import type { Node } from "../model/node.ts";
import type { Placement } from "../model/placement.ts";
import type { Problem } from "../model/problem.ts";
import type { Overlap } from "../model/rules.ts";
import type { EndCause, NodeEnd } from "../model/run-event.ts";
import type { DaemonClock } from "./daemon-parts.ts";
import type { Fleet, NodeLink } from "./fleet.ts";
import type { PlacementCourse, PlacementLimits, PlacementVerdict } from "./placement-plan.ts";

export type { LeftOut, PlacementCourse } from "./placement-plan.ts";

/** A run whose job says on which nodes. */
export interface PlacedRun {
  readonly runId: string;
  readonly jobName: string;
  readonly placement: Placement;
  readonly overlap: Overlap;
}

/** An attempt that is over. */
export interface PlacedAttempt extends NodeEnd {
  /** Where the node could not be reached, or an earlier run there could not be ended. */
  readonly problem: Problem | undefined;
  /** Where the job was started: how it ended. */
  readonly cause?: EndCause;
}

/** What does the work of one run on its nodes. Nothing here throws or rejects. */
export interface PlacedWork<Link> {
  /**
   * Runs the job on a node.
   * @param stop ends it there, with all that it has started
   * @param isResumed another daemon has begun it, and left it
   */
  attempt(
    on: { readonly node: Node; readonly link: Link },
    stop: AbortSignal,
    isResumed: boolean,
  ): Promise<PlacedAttempt>;
  /**
   * What is to be known of a run on all nodes by who may have to go on with it: before anything of it is begun, and again when
   * what it has waited for has not come.
   */
  onCourse(course: PlacementCourse): void;
}

/** What another daemon has done of a run. */
export interface DoneBefore {
  readonly ended: readonly Omit<PlacedAttempt, "problem">[];
  /** The nodes on which it may go on. */
  readonly going: readonly string[];
  /** As `onCourse` has told it. */
  readonly course?: PlacementCourse | undefined;
}

/** How a run is steered. */
export interface PlacedSignals {
  /** Ends all of its attempts; what waits is given up. */
  readonly stop: AbortSignal;
  /** The daemon is about to end: nothing more is begun, and what goes on by itself is left alone. */
  readonly leave: AbortSignal;
}

/** What became of a run. */
export interface PlacedResult {
  readonly verdict: PlacementVerdict;
  /** In the order in which they ended. */
  readonly attempts: readonly PlacedAttempt[];
}

/** What the runs need. */
export interface PlacedRunsOptions<Link extends NodeLink> {
  readonly fleet: Fleet<Link>;
  readonly limits: PlacementLimits;
  readonly clock: DaemonClock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

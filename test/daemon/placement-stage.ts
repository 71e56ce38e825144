/**
 * A fleet in words, for the tests of placements: nodes with what goes on there, and a run that is driven step by step as a daemon
 * does it.
 */
import {
  type AttemptSoFar,
  type NodeState,
  type PlacementLimits,
  type PlacementStep,
  planPlacement,
} from "../../src/daemon/placement-plan.ts";
import { parsePlacement } from "../../src/model/placement.ts";
import { Problem } from "../../src/model/problem.ts";
import type { Overlap } from "../../src/model/rules.ts";
import type { NodeResult } from "../../src/model/run-event.ts";

type Changing = { -readonly [Key in keyof NodeState]: NodeState[Key] };

/** `web1 web,db running 2 limit 4 job`, `web2 web down no answer`. */
export function nodeOf(line: string): NodeState {
  const [, name = "", roles = "", rest = ""] = /^(\S+) (\S+)(.*)$/.exec(line) ?? [];
  const number = (word: string) => {
    const [, digits] = new RegExp(` ${word} (\\d+)`).exec(rest) ?? [];
    return digits === undefined ? undefined : Number(digits);
  };
  const [, downWhy] = / down ?(.*)$/.exec(rest) ?? [];
  return {
    node: { name, roles: roles === "-" ? [] : roles.split(","), runsAtOnce: number("limit") },
    isUp: downWhy === undefined,
    downWhy: downWhy || undefined,
    running: number("running") ?? 0,
    runsJob: / job\b/.test(rest),
  };
}

/** A run on a fleet. */
export class PlacementStage {
  readonly nodes: Changing[];
  readonly attempts: AttemptSoFar[] = [];
  isWaitOver = false;
  private readonly asked: Pick<
    Parameters<typeof planPlacement>[0],
    "placement" | "overlap" | "limits" | "random"
  >;

  /** @param job `any of web`, and behind it lines such as `overlap skip` and `earlier runs fleet` */
  constructor(job: string, nodes: readonly NodeState[], limits: PlacementLimits, random: () => number) {
    const [on = "", ...more] = job.trimEnd().split("\n");
    const placement = parsePlacement(on.replace(/ roles? .*/, ""), "");
    if (placement instanceof Problem) throw placement;
    const roles = / roles? (.*)/.exec(on)?.[1]?.split(",") ?? [];
    const mode = more.find((line) => line.startsWith("overlap "))?.slice("overlap ".length) ?? "skip";
    this.nodes = nodes.map((state) => ({ ...state }));
    this.asked = {
      placement: { ...placement, roles, earlierRuns: more.includes("earlier runs fleet") ? "fleet" : "node" },
      overlap: overlapOf(mode),
      limits,
      random,
    };
  }

  /** Asks, and begins what is to be begun. */
  step(): PlacementStep {
    const { nodes, attempts, isWaitOver } = this;
    const step = planPlacement({ ...this.asked, nodes, attempts, isWaitOver });
    for (const { node, ends } of step.starts) {
      for (const ended of ends) this.endEarlier(ended);
      this.attempts.push({ node, result: undefined });
      this.state(node).running += 1;
    }
    return step;
  }

  /** An attempt ends. */
  end(node: string, result: NodeResult): void {
    const at = this.attempts.findIndex((attempt) => attempt.node === node && attempt.result === undefined);
    if (at < 0) throw new Error(`${node} is not attempted`);
    this.attempts[at] = { node, result };
    this.state(node).running -= 1;
  }

  /** An earlier run of the job ends. */
  endEarlier(node: string): void {
    const state = this.state(node);
    state.runsJob = false;
    state.running -= 1;
  }

  state(name: string): Changing {
    const found = this.nodes.find(({ node }) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }
}

function overlapOf(mode: string): Overlap {
  if (mode === "wait") return { mode, waitMs: 60_000 };
  if (mode === "allow" || mode === "skip" || mode === "clobber") return { mode };
  throw new Error(`no overlap ${mode}`);
}

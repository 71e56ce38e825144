/**
 * WHERE a run goes on: from a job's placement, the nodes as they are and what became of the run's attempts so far, to what is to be done
 * now. One pure function, asked again and again:
 *
 * - when the run begins, with no attempts;
 * - when one of its attempts has ended, or where something waits: a run on some node has ended, a node has come up or gone down, the time for
 *   waiting is over;
 * - until there is a verdict. Then nothing of the run is left to be started.
 *
 * It remembers nothing. What was decided is in the attempts, and a daemon that is started anew goes on from those in its record.
 *
 * A node is tried once in a run. What proves unreachable was not started there, so that the next node may be tried; what is
 * unknown – the connection is gone, and what the job left on the node as well – may have run to its end, and so `any`, `ordered` and
 * `shuffle` end with it: nobody may run a job twice by taking silence for a failure. docs/fleet.md has it as tables.
 */
import type { Node } from "../model/node.ts";
import type { Placement } from "../model/placement.ts";
import type { Overlap } from "../model/rules.ts";
import type { NodeResult } from "../model/run-event.ts";
import {
  busy,
  down,
  earlierWaits,
  noLongerMeant,
  sentenceOf,
  unknownNode,
  waitedInVain,
} from "./placement-words.ts";

/** What is to be known of a node. */
export interface NodeState {
  readonly node: Pick<Node, "name" | "roles" | "runsAtOnce">;
  readonly isUp: boolean;
  /** Where it is down, since when and why: a clause that follows "is down". */
  readonly downWhy?: string | undefined;
  /** How many runs go on there, of any job; those of this run count. */
  readonly running: number;
  /** An earlier run of this job goes on there. */
  readonly runsJob: boolean;
}

/** How much may go on at once; undefined: as much as there is. */
export interface PlacementLimits {
  /** On a node that has no bound of its own. */
  readonly perNode: number | undefined;
  /** On all nodes together. */
  readonly inAll: number | undefined;
}

/** One node's part of a run. */
export interface AttemptSoFar {
  readonly node: string;
  /** undefined: it goes on. */
  readonly result: NodeResult | undefined;
  /** Why it is no success: a clause. */
  readonly reason?: string | undefined;
}

/** What is asked. */
export interface PlacementQuestion {
  readonly placement: Placement;
  readonly overlap: Overlap;
  /** All that there are, in their order. */
  readonly nodes: readonly NodeState[];
  /** Nodes that are defined no more, where an earlier run of the job goes on. */
  readonly former?: readonly string[];
  /** An earlier run of the job has ended on one node, and waits for its next one. */
  readonly isOneBetween?: boolean;
  /** Who has a part in it and who has none, as that was when the run began; undefined: as it is now. */
  readonly course?: PlacementCourse | undefined;
  /** Nobody waits any longer: what could not be begun by now has no part. */
  readonly isGivenUp?: boolean;
  readonly limits: PlacementLimits;
  /** Of this run, in the order in which they began. */
  readonly attempts: readonly AttemptSoFar[];
  /** The time that `overlap wait` gives is over. */
  readonly isWaitOver: boolean;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** An attempt that is to be begun now. */
export interface PlacementStart {
  readonly node: string;
  /** The nodes whose earlier runs of the job are to be ended before. */
  readonly ends: readonly string[];
}

/** What could be begun later. */
export interface PlacementWait {
  /** One of these; each of them with `all`. */
  readonly nodes: readonly string[];
  /** `room`: a run must end there, or anywhere. `earlier-run`: that of the job must. */
  readonly for: "room" | "earlier-run";
}

/** A node, or a name of one, that has no part in the run as things are. */
export interface LeftOut {
  readonly node: string;
  readonly why: "down" | "busy" | "unknown";
  /** A clause: `web1 is down: no answer since 03:10`. */
  readonly sentence: string;
  /** The same below the node's name: `down: no answer since 03:10`. */
  readonly reason: string;
}

/** Of a run on all nodes: nobody joins it later, and what was left out stays so. */
export interface PlacementCourse {
  /** The nodes that were begun at once, or are waited for. */
  readonly among: ReadonlySet<string>;
  readonly leftOut: readonly LeftOut[];
}

/** How a run ended, over all its attempts. */
export interface PlacementVerdict {
  /** `unreachable`: it was started nowhere, since no node could be reached; `skipped`: nowhere, and that is as it should be. */
  readonly kind: NodeResult;
  /** Each node with what became of it. */
  readonly sentence: string;
  /** The nodes that had no part in it, of those that should have had. */
  readonly leftOut: readonly LeftOut[];
}

/** What is to be done. Where there is a verdict, there is nothing else. */
export interface PlacementStep {
  readonly starts: readonly PlacementStart[];
  readonly waits: readonly PlacementWait[];
  readonly leftOut: readonly LeftOut[];
  readonly verdict: PlacementVerdict | undefined;
}

/** Decides. */
export function planPlacement(question: PlacementQuestion): PlacementStep {
  const { placement, attempts } = question;
  const found = candidatesOf(placement, question.nodes);
  if (attempts.length === 0) {
    const held = heldByFleet(question);
    if (held !== undefined) return held;
  }
  const tried = new Set(attempts.map(({ node }) => node));
  const untried = found.nodes.filter(({ node }) => {
    return !tried.has(node.name) && question.course?.among.has(node.name) !== false;
  });
  const sorted = sortOut(untried, question);
  // A node that had a part and is defined no more by now is no stranger.
  const strangers = found.strangers.filter(({ node }) => !tried.has(node));
  const { leftOut: leftOutBefore = strangers, among = [] } = question.course ?? {};
  const isKnown = (name: string) => tried.has(name) || found.nodes.some(({ node }) => node.name === name);
  const takenAway = [...among].filter((name) => !isKnown(name)).map(noLongerMeant);
  const leftOut = [...leftOutBefore, ...takenAway, ...sorted.leftOut];
  const planned = isOver(question) ? nothing : next(sorted, question);
  const open = question.isGivenUp === true ? { starts: planned.starts, waits: [] } : planned;
  if (open !== planned) leftOut.push(...planned.waits.flatMap(({ nodes }) => nodes.map(waitedInVain)));
  const isGoing = attempts.some(({ result }) => result === undefined);
  const isEnd = !isGoing && open.starts.length + open.waits.length === 0;
  if (!isEnd) return { ...open, leftOut, verdict: undefined };
  return { starts: [], waits: [], leftOut, verdict: verdictOf(question, leftOut, found.nodes) };
}

const nothing: Pick<PlacementStep, "starts" | "waits"> = { starts: [], waits: [] };

/** The nodes that a placement names, in its order, each once. */
function candidatesOf(
  { hosts, names, roles }: Placement,
  nodes: readonly NodeState[],
): { readonly nodes: readonly NodeState[]; readonly strangers: readonly LeftOut[] } {
  if (hosts.length + names.length + roles.length === 0) return { nodes, strangers: [] };
  const byName = new Map(nodes.map((state) => [state.node.name, state]));
  const withRole = (role: string) => nodes.filter(({ node }) => node.roles.includes(role));
  const found = new Set<NodeState>();
  const strangers: LeftOut[] = [];
  const add = (name: string, meant: readonly NodeState[], kind: string) => {
    for (const state of meant) found.add(state);
    if (meant.length > 0) return;
    strangers.push(unknownNode(name, kind));
  };
  const named = (name: string) => [byName.get(name)].filter((state) => state !== undefined);
  for (const host of hosts) add(host, named(host), "node");
  for (const name of names) add(name, byName.has(name) ? named(name) : withRole(name), "node or role");
  // A role may be one that nobody has just now.
  for (const role of roles) for (const state of withRole(role)) found.add(state);
  return { nodes: [...found], strangers };
}

/** Where `overlap` looks at the whole fleet, an earlier run anywhere keeps this one from beginning, or has it wait. */
function heldByFleet(question: PlacementQuestion): PlacementStep | undefined {
  const { placement, overlap, isWaitOver, isOneBetween = false } = question;
  if (placement.earlierRuns !== "fleet") return undefined;
  const running = runningInFleet(question);
  if (running.length === 0 && !isOneBetween) return undefined;
  if (overlap.mode === "allow" || overlap.mode === "clobber") return undefined;
  const leftOut = running.map(busy);
  if (overlap.mode === "wait" && !isWaitOver) {
    const waits = [{ nodes: running, for: "earlier-run" }] as const;
    return { starts: [], waits, leftOut: [], verdict: undefined };
  }
  return {
    starts: [],
    waits: [],
    leftOut,
    verdict: {
      kind: "skipped",
      sentence: running.length === 0 ? earlierWaits : sentenceOf([], leftOut),
      leftOut,
    },
  };
}

/** Where an earlier run of the job goes on, be it a node that is defined no more. */
function runningInFleet({ nodes, former = [] }: PlacementQuestion): readonly string[] {
  return [...nodes.filter(({ runsJob }) => runsJob).map(({ node }) => node.name), ...former];
}

/** The untried nodes by what can be done with them now. */
interface Sorted {
  /** Those of the next two, in the placement's order. */
  readonly open: readonly NodeState[];
  /** In the placement's order. Not all of them need have room. */
  readonly ready: readonly NodeState[];
  /** In the placement's order, likewise: those where an earlier run is waited for. */
  readonly held: readonly NodeState[];
  readonly leftOut: readonly LeftOut[];
}

function sortOut(
  untried: readonly NodeState[],
  { placement, overlap, isWaitOver }: PlacementQuestion,
): Sorted {
  const open: NodeState[] = [];
  const ready: NodeState[] = [];
  const held: NodeState[] = [];
  const leftOut: LeftOut[] = [];
  for (const state of untried) {
    const isHeld = state.runsJob && placement.earlierRuns === "node";
    const isAtOnce = !isHeld || overlap.mode === "allow" || overlap.mode === "clobber";
    const isLater = overlap.mode === "wait" && !isWaitOver;
    if (!state.isUp) leftOut.push(down(state));
    else if (!isAtOnce && !isLater) leftOut.push(busy(state.node.name));
    else {
      open.push(state);
      (isAtOnce ? ready : held).push(state);
    }
  }
  return { open, ready, held, leftOut };
}

/** Nothing more is begun, whatever is still untried. */
function isOver({ placement, attempts }: PlacementQuestion): boolean {
  return attempts.some(({ result }) => {
    if (placement.policy === "all") return result === "stopped";
    // One node at a time, and the next one only where this one was never begun, or has failed.
    if (result === "unreachable") return false;
    return placement.policy === "any" || (result !== "failure" && result !== "skipped");
  });
}

function next(sorted: Sorted, question: PlacementQuestion): Pick<PlacementStep, "starts" | "waits"> {
  const { placement } = question;
  return placement.policy === "all" ? nextOfAll(sorted, question) : nextOfOne(sorted, question);
}

function nextOfAll(
  { ready, held }: Sorted,
  question: PlacementQuestion,
): Pick<PlacementStep, "starts" | "waits"> {
  let free = freeInAll(question);
  const starts: PlacementStart[] = [];
  const full: string[] = [];
  for (const state of ready) {
    const ends = endedFor(state, question);
    const room = free + freedBy(ends, question);
    if (room > 0 && hasRoom(state, question)) {
      starts.push({ node: state.node.name, ends });
      free = room - 1;
    } else full.push(state.node.name);
  }
  const waits: PlacementWait[] = [];
  if (full.length > 0) waits.push({ nodes: full, for: "room" });
  if (held.length > 0) waits.push({ nodes: held.map(({ node }) => node.name), for: "earlier-run" });
  return { starts, waits };
}

function nextOfOne(
  { open, ready, held }: Sorted,
  question: PlacementQuestion,
): Pick<PlacementStep, "starts" | "waits"> {
  const { placement, random } = question;
  const waitFor = (nodes: readonly NodeState[], what: PlacementWait["for"]) => {
    return { starts: [], waits: [{ nodes: nodes.map(({ node }) => node.name), for: what }] };
  };
  const [first] = open;
  if (first === undefined) return { starts: [], waits: [] };
  // In order, the next one is waited for: to pass it over would be another order.
  const isOrdered = placement.policy === "ordered";
  if (ready.length === 0 || (isOrdered && held.includes(first))) {
    return waitFor(isOrdered ? [first] : held, "earlier-run");
  }
  const eligible = isOrdered ? [first] : ready;
  const free = freeInAll(question);
  const withRoom = eligible.filter((state) => {
    return hasRoom(state, question) && free + freedBy(endedFor(state, question), question) > 0;
  });
  if (withRoom.length === 0) return waitFor(eligible, "room");
  const least = Math.min(...withRoom.map(({ running }) => running));
  const choice = placement.policy === "any" ? withRoom.filter(({ running }) => running === least) : withRoom;
  const chosen = choice[Math.min(choice.length - 1, Math.floor(random() * choice.length))] ?? first;
  return { starts: [{ node: chosen.node.name, ends: endedFor(chosen, question) }], waits: [] };
}

/** The nodes whose earlier runs `clobber` ends before this one is begun. */
function endedFor({ node, runsJob }: NodeState, question: PlacementQuestion): readonly string[] {
  const { placement, overlap } = question;
  if (overlap.mode !== "clobber") return [];
  if (placement.earlierRuns === "node") return runsJob ? [node.name] : [];
  return runningInFleet(question);
}

/** How many of the ended runs count among those of {@link freeInAll}. */
function freedBy(ends: readonly string[], { former = [] }: PlacementQuestion): number {
  return ends.filter((name) => !former.includes(name)).length;
}

/** A run that is ended before makes room for this one. */
function hasRoom(state: NodeState, question: PlacementQuestion): boolean {
  const limit = state.node.runsAtOnce ?? question.limits.perNode;
  const isFreed = endedFor(state, question).includes(state.node.name);
  return limit === undefined || state.running - (isFreed ? 1 : 0) < limit;
}

function freeInAll({ limits, nodes }: PlacementQuestion): number {
  if (limits.inAll === undefined) return Number.POSITIVE_INFINITY;
  return limits.inAll - nodes.reduce((sum, { running }) => sum + running, 0);
}

/** All is done: what does it come to? */
function verdictOf(
  { placement, attempts }: PlacementQuestion,
  all: readonly LeftOut[],
  candidates: readonly NodeState[],
): PlacementVerdict {
  // Of one node that ran it, nobody asks which others could not have; in order, those before it should have.
  const isDone = placement.policy !== "all" && attempts.some(({ result }) => result === "success");
  const place = (name: string | undefined) => candidates.findIndex(({ node }) => node.name === name);
  const last = place(attempts.at(-1)?.node);
  const isBefore = ({ node }: LeftOut) => placement.policy === "ordered" && place(node) < last;
  const leftOut = isDone ? all.filter(isBefore) : all;
  const verdict = (kind: NodeResult) => ({ kind, sentence: sentenceOf(attempts, leftOut), leftOut });
  const has = (result: NodeResult) => attempts.some((attempt) => attempt.result === result);
  if (has("stopped")) return verdict("stopped");
  const isBusy = leftOut.some(({ why }) => why === "busy") || has("skipped");
  if (placement.policy !== "all") {
    const kind = (["success", "unknown", "failure"] as const).find(has);
    return verdict(kind ?? (isBusy ? "skipped" : "unreachable"));
  }
  if (has("failure")) return verdict("failure");
  const isMissing = leftOut.some(({ why }) => why !== "busy") || has("unreachable");
  // Where some were reached and others not, it did not run on all.
  if (isMissing) return verdict(has("success") || has("unknown") ? "failure" : "unreachable");
  const kind = (["unknown", "success"] as const).find(has);
  return verdict(kind ?? (isBusy ? "skipped" : "unreachable"));
}

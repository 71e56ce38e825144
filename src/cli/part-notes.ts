/**
 * What the daemon's book has of a run over nodes, for the next daemon: of each part, how it is reached again or how it ended; of
 * the whole, who has a part in it.
 */
import type { DoneBefore, DueRun, LeftRun, PlacementCourse } from "../daemon/daemon.ts";
import { count, instant, list, object, oneOf, parseObject, text, whole } from "../model/json-reader.ts";
import { type Placement, type Policy, policyWords } from "../model/placement.ts";
import type { EndCause } from "../model/run-event.ts";

/** A part that is over. */
type EndedPart = DoneBefore["ended"][number];

/** What the book has of a part, in JSON. */
export type PartNote = ({ readonly ended: EndedPart } | { readonly way: string }) & {
  /** When the run's job was first started, in milliseconds since 1970; missing: the record has no start yet. */
  readonly since?: number;
  /** When this part began, likewise. */
  readonly begun?: number;
  /** It was to be stopped, for this reason, and its node was away. */
  readonly stopped?: string;
};

const causes = [
  "exit",
  "signal",
  "stderr",
  "timeout",
  "not-started",
  "stopped",
  "clobbered",
  "unseen",
] as const satisfies readonly EndCause[];
const readEnded = object(
  {
    node: text(100),
    result: oneOf(["success", "failure", "unreachable", "unknown", "skipped", "stopped"]),
    ms: count,
  },
  { exit: whole(0, 255), signal: whole(0, 127), sentence: text(64 * 1024), cause: oneOf(causes) },
);

/** What another daemon has done, and knew. */
export interface Before extends DoneBefore {
  readonly policy: Policy | undefined;
  readonly sinceMs: number | undefined;
  readonly stopped: string | undefined;
}

const readCourse = object({
  among: list(text(100)),
  leftOut: list(
    object({
      node: text(100),
      why: oneOf(["down", "busy", "unknown"]),
      sentence: text(64 * 1024),
      reason: text(64 * 1024),
    }),
  ),
});
const readPolicy = oneOf(policyWords);

/** The run as a whole, under a name that no node can have. */
export const wholeRun = "";

/** What the book is to have of the whole. */
export function courseNote(
  policy: Policy | undefined,
  course: PlacementCourse | undefined,
  stopped?: string,
): string {
  return JSON.stringify({ policy, course: course && { ...course, among: [...course.among] }, stopped });
}

/**
 * Where a run goes on that another daemon has begun: as its job says now, unless that has another policy by now, or is gone;
 * then what was begun is brought to its end, and nothing else is begun.
 */
export function placementOf({ job }: DueRun, { ended, going, policy }: Before): Placement {
  const said = job?.placement;
  if (said !== undefined && (policy === undefined || policy === said.policy)) return said;
  const hosts = [...ended.map(({ node }) => node), ...going];
  return { policy: policy ?? "all", hosts, names: [], roles: [], earlierRuns: "node" };
}

/** What the notes of another daemon tell; of a part whose note can't be read, that nobody knows. */
export function doneBefore(notes: LeftRun["nodes"]): Before {
  let stopped: string | undefined;
  const ended: EndedPart[] = [];
  const going: string[] = [];
  let sinceMs: number | undefined;
  const whole = parseObject(notes.get(wholeRun) ?? "");
  const course = readCourse(whole?.["course"]);
  stopped = text(1024)(whole?.["stopped"]);
  for (const [node, note] of notes) {
    if (node === wholeRun) continue;
    const read = parseObject(note);
    const end = readEnded(read?.["ended"]);
    if (end !== undefined) ended.push(end);
    else if (read?.["ended"] === undefined && read !== undefined) going.push(node);
    else ended.push({ node, result: "unknown", ms: 0, sentence: "what the book had of it can't be read" });
    const since = instant(read?.["since"]);
    if (since !== undefined) sinceMs = Math.min(since, sinceMs ?? since);
    stopped ??= text(1024)(read?.["stopped"]);
  }
  return {
    ended,
    going,
    sinceMs,
    stopped,
    policy: readPolicy(whole?.["policy"]),
    course: course && { among: new Set(course.among), leftOut: course.leftOut },
  };
}

/**
 * WHERE a job runs: on which of the nodes, and on how many of them.
 *
 * `clobber` is no policy here, though pyrcron counts it as one (its 3: all hosts, and the run before is ended first). What becomes of a
 * run that still goes on is `overlap`, which exists once and holds on every node; pyrcron's policy 3 is `all` with
 * `overlap clobber`, and the other policies can have it as well.
 */
import { nearestWord } from "./nearest-word.ts";
import { isNodeName, nodeNameRule } from "./node.ts";
import { quoted } from "./printable.ts";
import { Problem } from "./problem.ts";

/**
 * - `any`: one node, the least busy that is up; the next one only if this one proves unreachable before the job started.
 * - `all`: each node, at the same time.
 * - `ordered`: one after the other as they are named, until one succeeds.
 * - `shuffle`: the same in another order each time.
 */
export type Policy = "any" | "all" | "ordered" | "shuffle";

/** The words of {@link Policy}. */
export const policyWords = ["any", "all", "ordered", "shuffle"] as const satisfies readonly Policy[];

/**
 * A policy, and the nodes that it chooses among: those that one of the three lists names, in this order, each once; every node
 * where all three are empty. Which nodes there are is known when a run is planned, and not before.
 */
export interface Placement {
  readonly policy: Policy;
  /** Nodes by their names. */
  readonly hosts: readonly string[];
  /** A node where one has this name, and else the nodes that have this role. */
  readonly names: readonly string[];
  readonly roles: readonly string[];
  /**
   * Which earlier runs the job's `overlap` looks at: those on the same node, or those on any. `fleet` where the job says
   * `overlap` itself and its policy runs it once: "not while it runs elsewhere" is what is meant then.
   */
  readonly earlierRuns: "node" | "fleet";
}

/** Somebody who answers for a job, and is told when it fails and when it works again. */
export interface Owner {
  readonly name: string;
  /** `name@host`. */
  readonly address: string;
}

/** A list of more names is taken for a mistake. */
const mostNames = 1000;
/** What stands where "of" is meant; anything else there is the first name. */
const slipsOfOf: ReadonlySet<string> = new Set(["for", "from", "in", "on", "off", "to"]);
/** What `on` must look like, for messages. */
export const placementRule = `must be ${policyWords.join(", ")}, and behind it nothing, or "of" with roles and hosts`;

/**
 * Reads `any|all|ordered|shuffle [of ROLE,HOST,…]`, as it stands behind `on` in a job file.
 * @param before what messages call it: `on `
 * @returns the placement, which looks at earlier runs on the same node; or the Problem (`invalid`)
 */
export function parsePlacement(text: string, before: string): Placement | Problem {
  const [, policyWord = "", of, list = ""] = /^(\S+)(?:\s+(\S+)(?:\s+(.*\S))?)?\s*$/.exec(text) ?? [];
  const policy = policyWords.find((word) => word === policyWord);
  if (policy === undefined) {
    const near = nearestWord(policyWord, policyWords);
    const hint =
      policyWord === "clobber"
        ? "write all here, and overlap clobber on a line of its own"
        : near === undefined
          ? undefined
          : `did you mean ${near}?`;
    return refusal(`${before}${placementRule}`, text, hint);
  }
  if (of === undefined) return placementOf(policy, []);
  if (of !== "of") {
    const meant = list !== "" && slipsOfOf.has(of) ? list : `${of} ${list}`.trim();
    const hint = `write: ${before === "on " ? before : ""}${policy} of ${meant}`;
    return refusal(`${before}${placementRule}`, text, hint);
  }
  const names = list.split(/[\s,]+/).filter((name) => name !== "");
  if (names.length === 0 || names.length > mostNames) {
    return refusal(`${before}must name 1 to ${mostNames} roles and hosts behind "of"`, text);
  }
  const odd = names.find((name) => !isNodeName(name));
  if (odd !== undefined) return refusal(`a role's or host's name ${nodeNameRule}`, odd);
  return placementOf(policy, [...new Set(names)]);
}

/** `any of web, db1`, `all of role web`, `any`; for people. */
export function placementInWords({ policy, hosts, names, roles }: Placement): string {
  const parts = [...hosts.map((host) => `host ${host}`), ...names, ...roles.map((role) => `role ${role}`)];
  return parts.length === 0 ? policy : `${policy} of ${parts.join(", ")}`;
}

function placementOf(policy: Policy, names: readonly string[]): Placement {
  return { policy, hosts: [], names, roles: [], earlierRuns: "node" };
}

function refusal(rule: string, value: string, hint?: string): Problem {
  return new Problem("invalid", `${rule}: got ${quoted(value)}`, hint === undefined ? {} : { hint });
}

/**
 * What a placement changes in a job's rules, whichever kind of file it stands in.
 */
import type { Placement } from "../model/placement.ts";
import type { RuleLayer } from "../model/rule-table.ts";
import type { Rules } from "../model/rules.ts";

/**
 * A job on nodes has one run at a time on each, unless it says `overlap`. Where it does, and its policy runs it once, what it says
 * holds for the runs on all nodes: `skip` is meant as "not while it runs", and not as "not while it runs on just this machine".
 * @param layers where the rules come from
 */
export function placedRules(
  placement: Placement,
  rules: Rules,
  layers: readonly RuleLayer[],
): { readonly placement: Placement; readonly rules: Rules } {
  const isSaid = layers.some((layer) => layer.some(({ key }) => key === "overlap"));
  if (!isSaid) return { placement, rules: { ...rules, overlap: { mode: "skip" } } };
  return {
    placement: placement.policy === "all" ? placement : { ...placement, earlierRuns: "fleet" },
    rules,
  };
}

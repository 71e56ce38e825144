/**
 * The golden placements: a small file in test/golden/placement with a job, nodes and what happens, and what is decided each time.
 *
 * - `job`: `any of web`, or `all of a,b role db`; further lines: `overlap clobber` (`skip` else), `earlier runs fleet`
 * - `nodes`: a line each: name, roles, `limit 2` (its own bound), `running 1`, `job` (an earlier run of this one), `down WHY`
 * - `limits`: `per node 2`, `in all 4`; none else. `random`: numbers below 1, one for each choice; 0 else
 * - `events`: `NODE success|failure|unreachable|unknown|skipped|stopped` ends an attempt; `NODE running 1`, `NODE up`, `NODE down WHY`,
 *   `NODE earlier run ends`; `the wait is over`
 * - `decisions`: at the beginning, and after each event
 *
 * And what holds for all placements, whatever the nodes do.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type NodeState, type PlacementStep, planPlacement } from "../../src/daemon/placement-plan.ts";
import type { Overlap } from "../../src/model/rules.ts";
import type { NodeResult } from "../../src/model/run-event.ts";
import { project } from "../support/program.ts";
import { readSections } from "../support/sections.ts";
import { nodeOf, PlacementStage } from "./placement-stage.ts";

const folder = join(project, "test/golden/placement");
/** Set by whoever changes what is decided, and looks at the difference afterwards. */
const isRewriting = process.env["RCRON_GOLDEN"] === "write";
const results = ["success", "failure", "unreachable", "unknown", "skipped", "stopped"] as const;

describe("planPlacement(): docs/fleet.md", () => {
  const files = readdirSync(folder).sort();
  for (const file of files) {
    const text = readFileSync(join(folder, file), "utf8");
    const { heading, sections } = readSections(text);
    test(`${file.replace(/\.txt$/, "")}: ${heading}`, () => {
      const told = `-- decisions --\n${decisions(sections).join("\n")}\n`;
      if (isRewriting)
        writeFileSync(join(folder, file), `${text.replace(/^-- decisions --\n[\s\S]*/m, "")}${told}`);
      expect(told).toBe(isRewriting ? told : text.slice(text.search(/^-- decisions --$/m)));
    });
  }

  test("has 40 golden decisions at least", () => expect(files.length).toBeGreaterThanOrEqual(40));
});

function decisions(sections: ReadonlyMap<string, string>): string[] {
  const lines = (name: string) => (sections.get(name) ?? "").split("\n").filter((line) => line !== "");
  const limit = (what: string) => {
    const line = lines("limits").find((each) => each.startsWith(`${what} `));
    return line === undefined ? undefined : Number(line.slice(what.length));
  };
  const numbers = lines("random").flatMap((line) => line.split(" ").map(Number));
  const stage = new PlacementStage(
    sections.get("job") ?? "",
    lines("nodes").map(nodeOf),
    { perNode: limit("per node"), inAll: limit("in all") },
    () => numbers.shift() ?? 0,
  );
  const told = tellStep("begin", stage.step());
  for (const event of lines("events")) {
    happen(event, stage);
    told.push(...tellStep(event, stage.step()));
  }
  return told;
}

function happen(event: string, stage: PlacementStage): void {
  if (event === "the wait is over") {
    stage.isWaitOver = true;
    return;
  }
  const [, node = "", what = ""] = /^(\S+) (.*)$/.exec(event) ?? [];
  const result = results.find((word) => word === what);
  if (result !== undefined) stage.end(node, result);
  else if (what === "earlier run ends") stage.endEarlier(node);
  else if (what.startsWith("running ")) stage.state(node).running = Number(what.slice("running ".length));
  else {
    const now = nodeOf(`${node} - ${what}`);
    stage.state(node).isUp = now.isUp;
    stage.state(node).downWhy = now.downWhy;
  }
}

function tellStep(when: string, { starts, waits, leftOut, verdict }: PlacementStep): string[] {
  const told = [
    ...starts.map(({ node, ends }) =>
      ends.length === 0 ? `start ${node}` : `start ${node}, ending the run on ${ends.join(", ")}`,
    ),
    ...waits.map(({ nodes, for: what }) => `wait for ${what} on ${nodes.join(", ")}`),
    ...(verdict === undefined ? leftOut.map(({ sentence }) => `without: ${sentence}`) : []),
    ...(verdict === undefined ? [] : [`${verdict.kind}: ${verdict.sentence}`]),
  ];
  return [`${when}:`, ...(told.length === 0 ? ["nothing"] : told).map((line) => `  ${line}`)];
}

const state: fc.Arbitrary<NodeState> = fc.record({
  node: fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    roles: fc.subarray(["web", "db"]),
    runsAtOnce: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  }),
  isUp: fc.boolean(),
  downWhy: fc.constant(undefined),
  running: fc.integer({ min: 1, max: 3 }),
  runsJob: fc.boolean(),
});
const fleet = fc.uniqueArray(state, { selector: ({ node }) => node.name, maxLength: 6 });
const mode = fc.constantFrom<Overlap["mode"]>("allow", "skip", "wait", "clobber");
const policy = fc.constantFrom("any", "all", "ordered", "shuffle");
const of = fc.constantFrom("", " of web", " of a,b,c", " of db,a,nobody");
const bound = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });

interface Played {
  readonly steps: readonly PlacementStep[];
  readonly stage: PlacementStage;
  /** How many attempts went on at most at the same time. */
  readonly most: number;
}

/** Plays a run to its end: attempts end in any order with any result, and when all waits, an earlier run ends or the wait does. */
function play(stage: PlacementStage, any: () => number, onStep: (step: PlacementStep) => void): Played {
  const steps: PlacementStep[] = [];
  let most = 0;
  for (let turn = 0; turn < 200; turn++) {
    const step = stage.step();
    onStep(step);
    steps.push(step);
    if (step.verdict !== undefined) return { steps, stage, most };
    const going = stage.attempts.filter(({ result }) => result === undefined);
    most = Math.max(most, going.length);
    const one = going[Math.floor(any() * going.length)];
    if (one !== undefined) stage.end(one.node, results[Math.floor(any() * results.length)] as NodeResult);
    else if (any() < 0.3) stage.isWaitOver = true;
    else {
      const busy = stage.nodes.find(({ running }) => running > 0);
      if (busy?.runsJob) stage.endEarlier(busy.node.name);
      else if (busy !== undefined) busy.running -= 1;
      else stage.isWaitOver = true;
    }
  }
  throw new Error("the run comes to no end");
}

const scene = fc.record({
  policy,
  of,
  mode,
  nodes: fleet,
  perNode: bound,
  inAll: bound,
  isFleet: fc.boolean(),
  seed: fc.integer(),
});

/** Numbers below 1, always the same for a seed. */
function numbersOf(seed: number): () => number {
  let value = seed >>> 0;
  return () => {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
    return value / 2 ** 32;
  };
}

describe("planPlacement(), whatever the nodes do", () => {
  test("comes to an end; each node is tried once, only while it is up, within all bounds, and alone unless overlap allows it", () => {
    fc.assert(
      fc.property(scene, ({ policy, of, mode, nodes, perNode, inAll, isFleet, seed }) => {
        const any = numbersOf(seed);
        const job = `${policy}${of}\noverlap ${mode}${isFleet && policy !== "all" ? "\nearlier runs fleet" : ""}`;
        const stage = new PlacementStage(job, nodes, { perNode, inAll }, any);
        let before = new Map<string, NodeState>();
        let sum = 0;
        const remember = () => {
          before = new Map(stage.nodes.map((each) => [each.node.name, { ...each }]));
          sum = stage.nodes.reduce((total, { running }) => total + running, 0);
        };
        remember();
        const { steps, most } = play(
          stage,
          () => {
            remember();
            return any();
          },
          (step) => {
            for (const { node, ends } of step.starts) {
              const was = before.get(node);
              const limit = was?.node.runsAtOnce ?? perNode ?? Number.POSITIVE_INFINITY;
              const now = stage.state(node);
              expect(was?.isUp).toBe(true);
              // What was too much before is not made more.
              expect(now.running <= Math.max(limit, 0) || now.running <= (was?.running ?? 0)).toBe(true);
              if (mode !== "allow") expect(now.runsJob && (!isFleet || policy === "all")).toBe(false);
              if (mode !== "clobber") expect(ends).toEqual([]);
              for (const ended of ends) expect(before.get(ended)?.runsJob).toBe(true);
            }
            const total = stage.nodes.reduce((all, { running }) => all + running, 0);
            if (step.starts.length > 0 && inAll !== undefined)
              expect(total <= Math.max(inAll, 0) || total <= sum).toBe(true);
            if (step.verdict !== undefined) expect([step.starts, step.waits]).toEqual([[], []]);
            remember();
          },
        );
        const tried = stage.attempts.map(({ node }) => node);
        expect(new Set(tried).size).toBe(tried.length);
        if (policy !== "all") expect(most).toBeLessThanOrEqual(1);
        const begun = stage.attempts.filter(({ result }) => result !== "unreachable");
        if (policy === "any") expect(begun.length).toBeLessThanOrEqual(1);
        const verdict = steps.at(-1)?.verdict;
        if (verdict?.kind === "success") {
          const kinds = new Set(stage.attempts.map(({ result }) => result));
          expect(kinds.has("success")).toBe(true);
          if (policy === "all")
            for (const kind of kinds) expect(["success", "skipped"]).toContain(kind ?? "");
        }
        if (stage.attempts.length === 0) expect(["unreachable", "skipped"]).toContain(verdict?.kind ?? "");
        // One after the other, nothing is begun behind what has succeeded, may have, or was stopped.
        if (policy === "ordered" || policy === "shuffle") {
          for (const { result } of stage.attempts.slice(0, -1))
            expect(["unreachable", "failure", "skipped"]).toContain(result ?? "");
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("any takes one of the least busy nodes that are up and free", () => {
    fc.assert(
      fc.property(fleet, bound, fc.double({ min: 0, max: 0.999, noNaN: true }), (nodes, perNode, random) => {
        const placement = { policy: "any", hosts: [], names: [], roles: [], earlierRuns: "node" } as const;
        const { starts } = planPlacement({
          placement,
          overlap: { mode: "skip" },
          nodes,
          limits: { perNode, inAll: undefined },
          attempts: [],
          isWaitOver: false,
          random: () => random,
        });
        const free = nodes.filter(
          ({ node, isUp, runsJob, running }) =>
            isUp && !runsJob && running < (node.runsAtOnce ?? perNode ?? Number.POSITIVE_INFINITY),
        );
        const least = Math.min(...free.map(({ running }) => running));
        const meant = free.filter(({ running }) => running === least).map(({ node }) => node.name);
        expect(starts.length).toBe(free.length > 0 ? 1 : 0);
        if (starts[0] !== undefined) expect(meant).toContain(starts[0].node);
      }),
    );
  });

  test("any and shuffle choose evenly among equals", () => {
    for (const policy of ["any", "shuffle"]) {
      const nodes = ["a", "b", "c", "d"].map((name) => nodeOf(`${name} web`));
      const random = numbersOf(7);
      const counts = new Map<string, number>();
      for (let run = 0; run < 4000; run++) {
        const stage = new PlacementStage(
          `${policy} of web`,
          nodes,
          { perNode: undefined, inAll: undefined },
          random,
        );
        const node = stage.step().starts[0]?.node ?? "";
        counts.set(node, (counts.get(node) ?? 0) + 1);
      }
      expect([...counts.keys()].sort()).toEqual(["a", "b", "c", "d"]);
      for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
    }
  });
});

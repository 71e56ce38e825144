/**
 * Two hosts and three, with the real keepalived and the built rcron: what must hold, however long it takes.
 * How long it takes is measured by table.ts, and stands in docs/failover.md.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, project, run } from "../support/private-host.ts";
import { bedNeeds } from "./bed.ts";
import { faults } from "./faults.ts";
import { methods } from "./methods.ts";
import type { Played, Scenario } from "./play.ts";
import { Stage } from "./stage.ts";

/** On three hosts only what is another matter with a third one; table.ts plays everything everywhere. */
const withThree = ["kill -9", "cable pulled, both ways", "cable pulled, way out", "kill -9 and a cable"];

const scenarios: Scenario[] = methods.flatMap((method) => [
  ...faults
    .filter(({ on }) => on.includes("multicast"))
    .map((fault) => ({ fault, method, topology: "multicast" as const, phase: 0.5 })),
  ...faults
    .filter(({ name }) => method.hasWitnesses && withThree.includes(name))
    .map((fault) => ({ fault, method, topology: "unicast" as const, phase: 0.5 })),
]);
const titleOf = ({ fault, method, topology }: Scenario) => `${fault.name}: ${method.name}, ${topology}`;

/** The last scenario waits for all the others. */
const patienceMs = 400_000;

describeOnPrivateHost("failover", bedNeeds, () => {
  const results = new Map<string, Promise<Played | Error>>();
  let stage: Stage | undefined;
  beforeAll(() => {
    const opened = new Stage();
    stage = opened;
    for (const scenario of scenarios)
      results.set(
        titleOf(scenario),
        opened.play(scenario).catch((cause) => new Error("the scenario could not be played", { cause })),
      );
  });
  afterAll(async () => {
    await Promise.all(results.values());
    stage?.[Symbol.dispose]();
  }, patienceMs);

  test.each(scenarios.map((scenario) => [titleOf(scenario), scenario] as const))(
    "%s",
    async (title, { fault, method }) => {
      const played = await results.get(title);
      if (played === undefined || played instanceof Error) throw played;
      const { judgement, atLast, healedAfter } = played;
      const staysActive = fault.staysActive?.(method) ?? false;
      const shown = `${played.line}\n${played.story}`;

      // Healed, the group has one active host: that of the highest priority. Nobody waited in vain for ever.
      expect(atLast, shown).toEqual(["a"]);
      expect(judgement.missed.lasting, shown).toEqual([]);
      expect(judgement.strays, shown).toEqual([]);
      // A tick is run twice for longer than a failover takes only where this method is known to leave a stale
      // `active` behind, or in a split, and that has the name that it should have.
      expect(judgement.extra.lasting.length > 0, shown).toBe(staysActive);
      expect([...new Set(judgement.splits.map(({ kind }) => kind))], shown).toEqual(
        fault.split === undefined ? [] : [fault.split],
      );
      // The fence: the later term has the larger epoch, and no two hosts share one. After a split it depends on who
      // was heard first: the one who stays active has a new epoch only if it heard the other.
      expect(judgement.sharedEpochs.lasting, shown).toEqual([]);
      if (!staysActive && fault.split === undefined) expect(judgement.olderEpochs.lasting, shown).toEqual([]);

      // Where keepalived dies or freezes, the witnesses say at once what the word does not: no tick is run twice.
      if (fault.staysActive === undefined || !method.hasWitnesses) return;
      const twice = judgement.extra.inWindow.filter((tick) => tick <= healedAfter);
      expect(twice, shown).toEqual([]);
      expect(JSON.parse(played.told("a", "struck")), shown).toMatchObject({
        state: "passive",
        wouldRun: false,
      });
    },
    patienceMs,
  );
});

test("docs/failover.md has a row for every fault on every topology, and a column for every method", () => {
  const page = readFileSync(join(project, "docs/failover.md"), "utf8");
  for (const { name } of methods) expect(page).toContain(`| ${name} |`);
  for (const { name, what, healing, on } of faults) {
    expect(page).toContain(`\n| ${name} | ${what} | ${healing} |\n`);
    expect(page.split(`\n| ${name} | `).length - 1, name).toBe(1 + on.length);
  }
});

describeWith("shellcheck", ["shellcheck"], () => {
  test.each(["bed.sh", "host.sh"])("finds nothing in %s", async (script) => {
    const { stdout, exitCode } = await run(["shellcheck", join(import.meta.dir, script)]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 0 });
  });
});

/**
 * The golden rules: a small file in test/golden/rules with a configuration and a crontab line's words, and the rules that
 * must come of them.
 *
 * - `rcron.conf`: the configuration; missing: an empty one
 * - `words`: what stands behind `rcron`, a word a line; missing: `backup`
 * - `rules`: what differs from the rules of a plain line; or `refused: …`, and `hint: …`
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseWrapOptions } from "../../src/cli/wrap-options.ts";
import { loadRules, parseConf } from "../../src/gate/gate.ts";
import { parseCommand } from "../../src/model/job.ts";
import { Problem } from "../../src/model/problem.ts";
import { noRules, type Rules } from "../../src/model/rules.ts";
import { project } from "../support/program.ts";
import { readSections } from "../support/sections.ts";

const folder = join(project, "test/golden/rules");

describe("loadRules(): docs/rules.md", () => {
  for (const file of readdirSync(folder).sort()) {
    const { heading, sections } = readSections(readFileSync(join(folder, file), "utf8"));
    test(`${file.replace(/\.txt$/, "")}: ${heading}`, async () => {
      const rules = await rulesFor(sections);
      const told = rules instanceof Problem ? refusal(rules) : differences(rules);
      expect(told.join("\n")).toBe((sections.get("rules") ?? "").trimEnd());
    });
  }
});

async function rulesFor(sections: ReadonlyMap<string, string>): Promise<Rules | Problem> {
  const words = (sections.get("words") ?? "backup\n").trimEnd().split("\n");
  const invocation = await parseWrapOptions(words);
  if (invocation instanceof Problem) return invocation;
  if (invocation.kind !== "run") throw new Error(`the words must run something: got ${invocation.kind}`);
  const parsed = parseConf(sections.get("rcron.conf") ?? "", "rcron.conf");
  if (parsed instanceof Problem) return parsed;
  const command = parseCommand(invocation.words, invocation.shell ?? parsed.conf.shell);
  if (command instanceof Problem) return command;
  return loadRules({ conf: parsed.conf, path: "rcron.conf" }, invocation.rules, command.name);
}

function refusal({ message, hint }: Problem): string[] {
  return [`refused: ${message}`, ...(hint === undefined ? [] : [`hint: ${hint}`])];
}

function differences(rules: Rules): string[] {
  const plain: Readonly<Record<string, unknown>> = { ...noRules };
  return Object.entries(rules)
    .filter(([key, value]) => !Bun.deepEquals(value, plain[key]))
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
}

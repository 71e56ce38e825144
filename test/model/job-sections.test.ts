import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { layersOf, parseJobSections, proveJobSections } from "../../src/model/job-sections.ts";
import { Problem } from "../../src/model/problem.ts";
import { isJobName, type RuleKey, ruleKeys } from "../../src/model/rule-table.ts";

const keys = ruleKeys.filter((key) => key !== "name");
const anyText = fc.string({ unit: "binary", maxLength: 30 });
const near = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        "[job]",
        "[job x]",
        "[job  y ]",
        "[Job z",
        "[jobs]",
        "# ",
        ...keys,
        "timeot",
        "__proto__",
      ),
      fc.constantFrom("=", " = ", ":", " ", "", "\0"),
      fc.oneof(fc.constantFrom("5m", "none", '"x"', "'", "/x", ""), anyText),
      fc.constantFrom("\n", "\r\n", ""),
    ),
    { maxLength: 12 },
  )
  .map((lines) => lines.map((parts) => parts.join("")).join(""));

/** A value that stays what it is in a line of its own. */
const plainValue = fc.stringMatching(/^[a-z0-9/][a-z0-9 /=:.@,-]{0,20}[a-z0-9]$/);
const layer = fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), plainValue), { selector: ([key]) => key });
const name = fc.stringMatching(/^[a-z0-9._+-]([a-z0-9 ._+-]{0,30}[a-z0-9._+-])?$/);

describe("parseJobSections()", () => {
  test("is total, with its own lines in what it refuses, and so is proveJobSections()", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, near), fc.nat(1000), (text, before) => {
        const sections = parseJobSections({ text: `[job]\n${text}`, fromLine: before + 1 }, "f");
        const problem = sections instanceof Problem ? sections : proveJobSections(sections);
        if (!(sections instanceof Problem)) {
          for (const each of sections.jobs.keys()) expect(isJobName(each)).toBe(true);
        }
        if (problem === undefined) return;
        expect(problem.code).toBe("invalid");
        expect(problem.message).not.toMatch(/[\x00-\x1f\x7f]/);
        const line = Number(/^f:(\d+)$/.exec(problem.where ?? "")?.[1]);
        expect(line).toBeWithin(before + 1, before + 2 + text.split("\n").length);
      }),
      { numRuns: 5000 },
    );
  });

  test("reads back what was written, each value with its line", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, layer), { selector: ([each]) => each }),
        layer,
        (jobs, all) => {
          const lines: string[] = [];
          const write = (header: string, rules: readonly (readonly [RuleKey, string])[]) => {
            lines.push(header);
            return rules.map(([key, text]) => ({ key, text, where: `f:${lines.push(`${key} = ${text}`)}` }));
          };
          const expected = new Map(jobs.map(([each, rules]) => [each, write(`[job ${each}]`, rules)]));
          const defaults = write("[job]", all);
          const text = lines.join("\n");
          expect(parseJobSections({ text, fromLine: 1 }, "f")).toEqual({ jobs: expected, defaults });
        },
      ),
    );
  });

  test("a configuration without sections has no rules", () => {
    expect(parseJobSections(undefined, "f")).toEqual({ jobs: new Map(), defaults: [] });
  });
});

describe("layersOf()", () => {
  const sections = parseJobSections(
    { text: "[job a]\nretry = 1\n[job b]\nretry = 2\n[job]\nretry = 3\n", fromLine: 1 },
    "f",
  );
  if (sections instanceof Problem) throw sections;
  const texts = (options: Parameters<typeof layersOf>[0], command: string) =>
    layersOf(options, sections, command).map((each) => each.map(({ text }) => text));

  test("the command's name picks the section", () => {
    expect(texts([], "a")).toEqual([[], ["1"], ["3"]]);
    expect(texts([], "c")).toEqual([[], [], ["3"]]);
  });

  test("--name picks another one, or none", () => {
    expect(texts([{ key: "name", text: "b", where: undefined }], "a")).toEqual([["b"], ["2"], ["3"]]);
    expect(texts([{ key: "name", text: "c", where: undefined }], "a")).toEqual([["c"], [], ["3"]]);
  });
});

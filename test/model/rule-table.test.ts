/** The table of rules: what every row promises. test/golden/rules has the rules one by one. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Problem } from "../../src/model/problem.ts";
import {
  isJobName,
  optionOf,
  proveRules,
  type RuleLayer,
  type RuleText,
  ruleGroups,
  ruleKeys,
  ruleOf,
  rulesInForce,
  shownText,
} from "../../src/model/rule-table.ts";
import { needSupervision, noRules } from "../../src/model/rules.ts";
import { project } from "../support/program.ts";

const anyText = fc.string({ unit: "binary", maxLength: 40 });
const nearValue = fc.constantFrom(
  ...[
    "none",
    "5m",
    "1d",
    "day",
    "0",
    "7",
    "-20",
    "+19",
    "-0",
    "255",
    "yes",
    "No",
    "tree",
    "wait=5m",
    "wait=",
    "skip",
  ],
  ...[
    "if-stderr",
    "if-nonzero if-stderr",
    "0, 3",
    "0,,3",
    "/x",
    "cron",
    "if-error:a@b",
    "a@b",
    "022",
    "0022",
    "root",
  ],
  ...["https://u:p@h/x", "http://h", "http://", "true", " ", "constructor", "__proto__"],
);
const rule = fc.record<RuleText>({
  key: fc.constantFrom(...ruleKeys),
  text: fc.oneof(anyText, nearValue),
  where: fc.constantFrom(undefined, "f:7"),
});
const layer = fc.array(rule, { maxLength: 6 });

describe("proveRules()", () => {
  test("is total; what it refuses is told with rule and value, without a control character", () => {
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 3 }), (layers) => {
        const rules = proveRules(layers);
        if (!(rules instanceof Problem)) {
          expect(Object.keys(rules).sort()).toEqual(Object.keys(noRules).sort());
          return;
        }
        expect(rules.code).toBe("invalid");
        expect(rules.message).toMatch(/^(f:7: [a-z_]+|--[a-z-]+) must .*: got "/);
        expect(rules.message).not.toMatch(/[\x00-\x1f\x7f]/);
      }),
      { numRuns: 5000 },
    );
  });

  test("a layer beats those behind it, key by key", () => {
    fc.assert(
      fc.property(layer, layer, (above, below) => {
        const both = proveRules([above, below]);
        if (both instanceof Problem) return;
        const keys = new Set(above.map(({ key }) => key));
        const rest = below.filter(({ key }) => !keys.has(key));
        expect<unknown>(both).toEqual(proveRules([[...above, ...rest]]));
      }),
    );
  });

  test("says the same, whatever the order of the layer's keys", () => {
    const some: RuleLayer = [
      { key: "success", text: "0,3", where: undefined },
      { key: "error", text: "if-stderr", where: undefined },
    ];
    expect(proveRules([some])).toEqual(proveRules([some.toReversed()]));
    expect(proveRules([some])).toMatchObject({
      failsWhen: { ifNonzero: false, ifStderr: true, success: [0, 3] },
    });
  });

  test("changes nothing in noRules", () => {
    const before = structuredClone(noRules);
    proveRules([
      [
        { key: "output", text: "cron", where: undefined },
        { key: "success", text: "3", where: undefined },
      ],
    ]);
    expect(noRules).toEqual(before);
  });

  test("a minus zero is a zero", () => {
    const rules = proveRules([[{ key: "nice", text: "-0", where: undefined }]]);
    expect(rules).toHaveProperty("niceLevel", 0);
  });
});

describe("ruleTable", () => {
  const rows = ruleKeys.map((key) => [key, ruleOf(key)] as const);

  test.each(rows)("%s: its default is what noRules has", (key, { byDefault, isOptionOnly }) => {
    if (isOptionOnly) return;
    expect(proveRules([[{ key, text: byDefault, where: undefined }]])).toEqual(noRules);
  });

  test.each(rows)("%s: every word of its own is sound", (key, { words }) => {
    for (const word of words ?? []) {
      expect(proveRules([[{ key, text: word, where: undefined }]])).not.toBeInstanceOf(Problem);
    }
  });

  test("each group has rules, and each rule a group", () => {
    expect(new Set(rows.map(([, { group }]) => group))).toEqual(
      new Set(Object.keys(ruleGroups) as (keyof typeof ruleGroups)[]),
    );
  });

  test("docs/rules.md has every rule with its default, and no other", () => {
    const page = readFileSync(join(project, "docs/rules.md"), "utf8");
    const documented = [
      ...page.matchAll(/^\| `(--[a-z-]+)[^`]*` \|[^|]*\| (?:`([^`|]*)`|([^|]*?)) \|/gm),
    ].map(([, option, code, words]) => [option, code ?? words]);
    expect(documented.sort()).toEqual(rows.map(([key, { byDefault }]) => [optionOf(key), byDefault]).sort());
  });
});

describe("the manual pages", () => {
  const sourceOf = (page: string) => readFileSync(join(project, "docs/man", page), "utf8");

  test("rcron.conf(5) names every key of a section, and no other", () => {
    const [, list = ""] = /where each is told:\n\.Cm ([\s\S]*?) \.\n/.exec(sourceOf("rcron.conf.5")) ?? [];
    const sectionKeys = ruleKeys.filter((key) => ruleOf(key).isOptionOnly !== true);
    expect(list.split(/ , |\nand\n\.Cm /)).toEqual(sectionKeys);
  });

  test.each(ruleKeys)("rcron(8) tells the rule %s", (key) => {
    expect(sourceOf("rcron.8")).toContain(`\n.It Fl -${optionOf(key).slice(2)}`);
  });
});

describe("shownText()", () => {
  test.each([
    ["https://me:secret@host/x", "https://[redacted]@host/x"],
    ["https://me:se@cret@host/x", "https://[redacted]@host/x"],
    ["me:secret@host", "[redacted]@host"],
    ["https://host/x\n", "https://host/x\\n"],
  ])("a password in %p is not shown", (text, shown) => {
    expect(shownText({ key: "ping", text })).toBe(shown);
  });

  test.each([
    ["https://hooks.example.org/services/T/B/secret", "https://hooks.example.org/..."],
    ["https://hooks.example.org?secret", "https://hooks.example.org/..."],
    ["https://hooks.example.org#secret", "https://hooks.example.org/..."],
    ["https://hooks.example.org:8443", "https://hooks.example.org:8443"],
    ["https://me:secret@hooks.example.org/secret", "https://[redacted]@hooks.example.org/..."],
    ["https://hooks.example.org/a@secret", "https://..."],
    ["https://me:se/cret@hooks.example.org", "https://..."],
    ["https:/hooks.example.org/secret", "https:/hooks.example.org/..."],
    ["hooks.example.org/secret", "hooks.example.org/..."],
    ["https://hooks.example.org secret", "https://hooks.example.org/..."],
    ["https:/TOKEN.SECRET", "https:/..."],
    ["https:///TOKEN.SECRET", "https:///..."],
    ["TOKEN.SECRET", "..."],
    ["TOKEN/SECRET", "..."],
    ["https:TOKEN/SECRET", "..."],
    ["", ""],
    ["none", "none"],
  ])("of %p nothing is shown behind the host", (text, shown) => {
    for (const key of ["webhook", "slack"] as const) expect(shownText({ key, text })).toBe(shown);
  });
});

describe("rulesInForce()", () => {
  test("gives each rule once, output as often as its layer has it, with the place that it comes from", () => {
    const of = (key: RuleText["key"], where: string): RuleText => ({ key, text: "none", where });
    const options = [of("timeout", "1")];
    const job = [of("output", "2"), of("timeout", "3"), of("output", "4")];
    const all = [of("output", "5"), of("if", "6")];
    expect(rulesInForce([options, job, all]).map(({ where }) => where)).toEqual(["6", "1", "2", "4"]);
  });
});

describe("isJobName()", () => {
  test.each([
    ["backup", true],
    ["nightly run: all", true],
    ["ünïcode", true],
    ["x".repeat(100), true],
    ["x".repeat(101), false],
    ["", false],
    [" backup", false],
    ["a[b]", false],
    ["a\nb", false],
    ["a\u202eb", false],
    ['"a"', false],
  ])("%p: %p", (text, is) => {
    expect(isJobName(text)).toBe(is);
  });
});

describe("needSupervision()", () => {
  test.each([
    ["nothing", [], false],
    ["a name alone", [{ key: "name", text: "x", where: undefined }], false],
    ["defaults that are written down", [{ key: "overlap", text: "allow", where: undefined }], false],
    ["an output", [{ key: "output", text: "cron", where: undefined }], true],
  ] satisfies [string, RuleLayer, boolean][])("%s: %p", (_claim, rules, is) => {
    const proven = proveRules([rules]);
    if (proven instanceof Problem) throw proven;
    expect(needSupervision(proven)).toBe(is);
  });
});

/** JSON with lines: the runtime's parser is asked for every text, and must agree. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDistcrondJob, parseDistcrondNode } from "../../src/jobs/jobs.ts";
import { type Json, parseJson } from "../../src/jobs/located-json.ts";
import { Problem } from "../../src/model/problem.ts";
import { terms } from "./terms.ts";

/** As the runtime gives it. */
function plain(json: Json): unknown {
  switch (json.kind) {
    case "text":
      return json.text;
    case "number":
      return json.number;
    case "flag":
      return json.flag;
    case "null":
      return null;
    case "list":
      return json.items.map(plain);
    case "object": {
      const object: Record<string, unknown> = Object.create(null);
      for (const { key, value } of json.entries) object[key] = plain(value);
      return { ...object };
    }
  }
}

function runtimes(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // no JSON
  }
}

describe("parseJson()", () => {
  test("reads what the runtime's parser reads, and the same from it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 1, "\t"), (value, space) => {
        const text = JSON.stringify(value, null, space);
        const json = parseJson(text, "f");
        if (json instanceof Problem) throw json;
        expect(plain(json)).toEqual(runtimes(text));
      }),
    );
  });

  test("refuses what the runtime's parser refuses, with a line", () => {
    const piece = fc.constantFrom(
      ...'{}[],:"\\/- \n\t.0123eE+tnu',
      "true",
      "null",
      '"a"',
      "\\u00e9",
      '{"a":',
      "[1,",
      "//",
      "\ufeff",
      "\0",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        const json = parseJson(text, "f");
        if (json instanceof Problem) {
          expect(json.message).toMatch(/^f:\d+: a JSON file must /);
          expect(runtimes(text.replace(/^\ufeff/, ""))).toBeUndefined();
        } else expect(plain(json)).toEqual(runtimes(text.replace(/^\ufeff/, "")));
      }),
      { numRuns: 20_000 },
    );
  });

  test("each value and each key has its line", () => {
    const json = parseJson('\n{"a":\n[1,\n{"b": null}\n],\r\n"c": "d"}', "f");
    expect(json).toMatchObject({
      line: 2,
      entries: [
        { key: "a", line: 2, value: { line: 3, items: [{ line: 3 }, { line: 4, entries: [{ line: 4 }] }] } },
        { key: "c", line: 6, value: { line: 6 } },
      ],
    });
  });

  test.each([
    ["", "f:1: a JSON file must have a value here: got the end of the file"],
    ["\n\n{", "f:3: a JSON file must have a key in double quotes here: got the end of the file"],
    ["{'a': 1}", `f:1: a JSON file must have a key in double quotes here: got "'a': 1}"`],
    ['{"a" 1}', 'f:1: a JSON file must have a colon behind the key "a": got "1}"'],
    ["[1 2]", 'f:1: a JSON file must have a comma or ] here: got "2]"'],
    ["[1,]", 'f:1: a JSON file must have no comma before ]: got "]"'],
    ["[01]", 'f:1: a JSON file must have a comma or ] here: got "1]"'],
    [
      '"a\nb"',
      'f:1: a JSON file must have a string here that ends on its line, with known escapes: got "\\"a"',
    ],
    ["{}\n{}", 'f:2: a JSON file must end behind its value: got "{}"'],
    ["// a\n{}", 'f:1: a JSON file must have a value here: got "// a"'],
  ])("%j", (text, message) => {
    const problem = parseJson(text, "f");
    if (!(problem instanceof Problem)) throw new Error(JSON.stringify(problem));
    expect(problem.message).toBe(message);
  });

  test("20 lists within one another, and no more", () => {
    expect(parseJson("[".repeat(20) + "]".repeat(20), "f")).not.toBeInstanceOf(Problem);
    expect(String(parseJson("[".repeat(30_000), "f"))).toContain("at most 20 lists and objects");
  });
});

describe("distcrond's files, whatever stands in them", () => {
  const keys = [
    ...["description", "owners", "policy", "schedule", "command", "shell_command", "environment", "name"],
    ...["notifications", "webhook", "slack", "mail"],
    ...["select", "hosts", "roles", "host_list", "interval", "reference", "spread", "email_address"],
    ...[
      "connection_type",
      "connection_options",
      "ssh_host",
      "ssh_user",
      "runs_at_once",
      "Constructor",
      "__proto__",
    ],
  ];
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(
        "any",
        "all",
        "ssh",
        "local",
        "command",
        "10m",
        "03:10",
        "1d",
        "0 0 3 * * *",
        "web1",
        "a@b",
        "",
      ),
      fc.constantFrom(null, true, 5, -1, 1e300),
      fc.string({ maxLength: 8 }),
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...keys), tie("any"), { maxKeys: 9, noNullPrototype: true }),
    ),
  })).any;
  const file = fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 12, noNullPrototype: true });

  test("give jobs and nodes, or Problems with a line each", () => {
    fc.assert(
      fc.property(file, (object) => {
        const text = JSON.stringify(object, null, 1);
        for (const reading of [
          parseDistcrondJob(text, "f", "job", terms),
          parseDistcrondNode(text, "f", "node"),
        ]) {
          for (const { message } of [...reading.problems, ...reading.warnings])
            expect(message).toMatch(/^f:\d+: /);
          const found = reading.jobs.length + (reading.nodes ?? []).length;
          expect(found).toBe(reading.problems.length > 0 ? 0 : 1);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("and any text at all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        expect(parseDistcrondJob(text, "f", "job", terms).jobs).toEqual([]);
        expect(parseDistcrondNode(text, "f", "node").problems.length).toBeGreaterThan(0);
      }),
    );
  });
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseEnvironmentFile } from "../../src/model/environment-file.ts";
import { Problem } from "../../src/model/problem.ts";

function parsed(text: string) {
  const result = parseEnvironmentFile(text, "/etc/job.env");
  if (result instanceof Problem) return result.message;
  return result.map(({ name, value }) => `${name}=${value}`);
}

const wrongName =
  "/etc/job.env:1: a line must be NAME=value, a comment or empty: got a name that is not made of letters, digits and _, or begins with a digit";

describe("parseEnvironmentFile()", () => {
  test.each([
    ["", []],
    ["A=1", ["A=1"]],
    ["A=1\nB=2\n", ["A=1", "B=2"]],
    ["A=1\r\nB=2\r\n", ["A=1", "B=2"]],
    ["\ufeffA=1", ["A=1"]],
    ["# comment\n\n  # another\nA=1", ["A=1"]],
    ["export A=1", ["A=1"]],
    ["export=1", ["export=1"]],
    ["A=", ["A="]],
    ["A=a=b", ["A=a=b"]],
    ["A = spaces around ", ["A=spaces around"]],
    ["A=' kept '", ["A= kept "]],
    ['A="it\'s"', ["A=it's"]],
    ["A=''", ["A="]],
    ["A=$HOME `id` \\n # all as it stands", ["A=$HOME `id` \\n # all as it stands"]],
    ["A=1\nA=2", ["A=1", "A=2"]],
    ["_a9=x", ["_a9=x"]],
  ] as const)("%j", (text, expected) => {
    expect(parsed(text)).toEqual([...expected]);
  });

  test.each([
    ["A=1\nword", "/etc/job.env:2: a line must be NAME=value, a comment or empty: got a line without ="],
    ["9A=1", wrongName],
    ["A-B=1", wrongName],
    ["=1", wrongName],
    ["A='1", "/etc/job.env:1: the quotes of A must match"],
    ["A='", "/etc/job.env:1: the quotes of A must match"],
    ["A='1' x", "/etc/job.env:1: the quotes of A must match"],
    ["A=1\0", "/etc/job.env:1: A must hold no NUL"],
  ] as const)("%j is refused", (text, message) => {
    expect(parsed(text)).toBe(message);
  });

  test("a line of a secret that spans several is not shown", () => {
    const message = parsed("KEY=-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh/kiG9w0BAQEFAASC+w==");
    expect(message).not.toContain("MIIE");
  });

  test("is total, and never shows a value", () => {
    const line = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc
        .tuple(fc.string(), fc.constantFrom("=", "='", '="', " = "))
        .map(([name, equals]) => `${name}${equals}SECRET`),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const result = parseEnvironmentFile(lines.join("\n"), "/etc/job.env");
        if (result instanceof Problem)
          expect(`${result.message}${result.hint ?? ""}`).not.toContain("SECRET");
        else for (const { name, value } of result) expect(`${name}${value}`).not.toContain("\0");
      }),
      { numRuns: 2000 },
    );
  });
});

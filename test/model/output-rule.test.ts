import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatOutputRule, isMailAddress, parseOutputRule } from "../../src/model/output-rule.ts";

const anyText = fc.string({ unit: "binary", maxLength: 60 });
const near = fc
  .tuple(
    fc.constantFrom("", "if-error:", "if-error ", "IF-ERROR:", "if-error", "if-error: "),
    fc.oneof(fc.constantFrom("cron", "Syslog", "/var/log/x", "/", "a@b", "none", "@", ""), anyText),
  )
  .map((parts) => parts.join(""));

describe("parseOutputRule()", () => {
  test("is total, and what it accepts is read back from what formatOutputRule() writes", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, near), (text) => {
        const rule = parseOutputRule(text);
        if (typeof rule === "string") {
          expect(rule).toStartWith("must ");
          return;
        }
        expect(parseOutputRule(formatOutputRule(rule))).toEqual(rule);
        const { sink } = rule;
        if (sink.kind === "file") expect(sink.path).toMatch(/^\/[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f]$/);
        if (sink.kind === "mail") expect(sink.address).toMatch(/^[^-@\s][^@\s]*@[^@\s]+$/);
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    [
      "/var/log/acron/myjob.log",
      { isIfError: false, sink: { kind: "file", path: "/var/log/acron/myjob.log" } },
    ],
    ["if-error mark@example.com", { isIfError: true, sink: { kind: "mail", address: "mark@example.com" } }],
    ["if-error:mark@example.com", { isIfError: true, sink: { kind: "mail", address: "mark@example.com" } }],
    ["/dev/null", { isIfError: false, sink: { kind: "file", path: "/dev/null" } }],
    ["/srv/a@b/log", { isIfError: false, sink: { kind: "file", path: "/srv/a@b/log" } }],
    ["if-error:cron", { isIfError: true, sink: { kind: "cron" } }],
    ["CRON", { isIfError: false, sink: { kind: "cron" } }],
  ] as const)("%p, as acron writes it or we do", (text, rule) => {
    expect(parseOutputRule(text)).toEqual(rule);
  });
});

describe("isMailAddress()", () => {
  test.each([
    ["root@localhost", true],
    ["a+b.c_d@mail.example.org", true],
    ["r@h", true],
    ["", false],
    ["root", false],
    ["@host", false],
    ["root@", false],
    ["a@b@c", false],
    ["-f@example.org", false],
    ["|cat@example.org", false],
    ["a@-host", false],
    ["a@host-", false],
    ["a..b@host", false],
    ["a@b..c", false],
    ["a b@host", false],
    ["a@ho st", false],
    ["a@host\n", false],
    ["a@host\r\nBcc: b@host", false],
    ["a,b@host", false],
    ["a@host,b", false],
    ['"a"@host', false],
    [`${"a".repeat(300)}@host`, false],
  ])("%p: %p", (text, is) => {
    expect(isMailAddress(text)).toBe(is);
  });
});

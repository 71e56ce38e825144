import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hidePassword, proveRedaction, redactor } from "../../src/model/redact.ts";

describe("redactor()", () => {
  test.each([
    ["without one", undefined, "a secret", "a secret"],
    ["one match", "secret", "a secret word", "a [redacted] word"],
    ["each match", "s\\w+", "secret, some", "[redacted], [redacted]"],
    [
      "what stands before is kept",
      "(?<=--password[= ])\\S+",
      "x --password=abc y",
      "x --password=[redacted] y",
    ],
    ["no dollar of the replacement is special", "a", "a$&", "[redacted]$&"],
    ["with the flag u", "^.$", "\u{1f600}", "[redacted]"],
    ["line by line", "x$", "x\nx", "x\n[redacted]"],
    ["an expression that does not compile replaces nothing", "(", "(", "("],
  ])("%s", (_claim, source, text, expected) => {
    expect(redactor(source)(text)).toBe(expected);
  });

  test("leaves a text alone in which nothing matches, however it is made and however long", () => {
    const redact = redactor("\\u{10fffd}{3}");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(5000), (text, count) => {
        const long = `${"\u{1f600}".repeat(count)}${text}`;
        expect(redact(long)).toBe(long);
      }),
    );
  });

  test("finds what is deep within a long text", () => {
    expect(redactor("secret")(`${"x".repeat(10_000)} secret ${"y".repeat(10_000)}`)).toContain(
      " [redacted] ",
    );
  });

  test("a pattern that takes quadratic time does not stop at a megabyte", () => {
    const started = performance.now();
    redactor("a*b|a*c")("a".repeat(1_000_000));
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe("proveRedaction()", () => {
  test.each([
    ["(", /^must be a regular expression of JavaScript \(/],
    ["\\p{Nothing}", /^must be a regular expression/],
    ["a*", /^must not match the empty text/],
    ["a|", /^must not match the empty text/],
    ["a".repeat(1001), /^must not be longer than 1000 characters$/],
  ])("refuses %p", (source, rule) => {
    expect(proveRedaction(source)).toMatch(rule);
  });

  test("is total", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (source) => {
        const proven = proveRedaction(source);
        if (typeof proven === "string") expect(proven).toStartWith("must ");
        else expect(proven.flags).toBe("gu");
      }),
    );
  });
});

describe("hidePassword()", () => {
  test.each([
    ["https://host/x", "https://host/x"],
    ["https://me:secret@host/x", "https://[redacted]@host/x"],
    ["secret@host", "[redacted]@host"],
  ])("%p becomes %p", (url, shown) => {
    expect(hidePassword(url)).toBe(shown);
  });
});

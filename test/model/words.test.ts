import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nearestWord } from "../../src/model/nearest-word.ts";
import { printable, printableText, quoted } from "../../src/model/printable.ts";
import { Problem } from "../../src/model/problem.ts";
import { decodeWord, encodeWord, isRaw } from "../../src/model/raw-text.ts";

describe("decodeWord() and encodeWord()", () => {
  test("bytes of any kind come back as they were", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect([...encodeWord(decodeWord(bytes))]).toEqual([...bytes]);
      }),
      { numRuns: 3000 },
    );
  });

  test("text is left as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const word = decodeWord(new TextEncoder().encode(text));
        expect(word).toBe(text);
        expect(isRaw(word)).toBe(false);
      }),
    );
  });

  test("overlong forms, surrogates and cut characters are bytes, not text", () => {
    for (const bytes of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf5, 0x80, 0x80, 0x80], [0xff]]) {
      expect(isRaw(decodeWord(Uint8Array.from(bytes)))).toBe(true);
    }
  });
});

describe("printable()", () => {
  test("nothing that a terminal obeys comes through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(text)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e\ufeff]/);
      }),
    );
  });

  test("nor what turns the direction of writing, or can't be seen", () => {
    for (const char of [
      "\u061c",
      "\u200b",
      "\u200f",
      "\u202a",
      "\u202e",
      "\u2060",
      "\u2066",
      "\u2069",
      "\u206f",
    ]) {
      expect(printable(`a${char}b`)).toBe(`a\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}b`);
    }
  });

  test("outside of quotes, quotes and backslashes stay, and what is printable stays as it is", () => {
    const text = printableText('/a"b\\c\n\x1b[31m\u2066ä');
    expect(text).toBe('/a"b\\c\\n\\x1b[31m\\u2066ä');
    expect(printableText(text)).toBe(text);
  });

  test("what is cut says so", () => {
    expect(quoted("x".repeat(100), 10)).toBe('"xxxxxxxxxx"…');
    expect(quoted("a\tb\x1b[31m")).toBe('"a\\tb\\x1b[31m"');
  });
});

describe("a Problem", () => {
  test("names its place on one line, whatever a file is called; and the place itself stays as it is", () => {
    const where = "/etc/\x1b[31mred\nfile.json:3";
    const problem = new Problem("invalid", "must be so", { where });
    expect(problem.message).toBe("/etc/\\x1b[31mred\\nfile.json:3: must be so");
    expect(problem.where).toBe(where);
  });
});

describe("nearestWord()", () => {
  test.each([
    ["nice_levle", "nice_level"],
    ["statefile", "state_file"],
    ["colour", undefined],
    ["x".repeat(1000), undefined],
  ])("for %p is %p", (word, nearest) => {
    expect(nearestWord(word, ["cluster_name", "state_file", "nice_level"])).toBe(nearest as string);
  });
});

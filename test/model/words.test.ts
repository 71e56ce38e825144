import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nearestWord } from "../../src/model/nearest-word.ts";
import { printable, quoted } from "../../src/model/printable.ts";
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

  test("what is cut says so", () => {
    expect(quoted("x".repeat(100), 10)).toBe('"xxxxxxxxxx"…');
    expect(quoted("a\tb\x1b[31m")).toBe('"a\\tb\\x1b[31m"');
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

/** What jobs print, on a terminal. */
import { expect, test } from "bun:test";
import { harmless, harmlessLine } from "../../src/cli/harmless-output.ts";

test("what steers a terminal, or turns the direction of writing, is not shown", () => {
  expect(harmless("a\x1b[31m\x9b\x00\rb")).toBe("a\ufffd[31m\ufffd\ufffd\ufffdb");
  for (const char of ["\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"]) {
    expect(harmless(`a${char}b`)).toBe("a\ufffdb");
    expect(harmlessLine(`a${char}b`)).not.toContain(char);
  }
});

test("lines, tabs and all scripts stay as they are", () => {
  for (const text of ["a\tb\n", "größer – 大きい", "\u05e9\u05dc\u05d5\u05dd", "\u{1f469}\u200d\u{1f680}"])
    expect(harmless(text)).toBe(text);
});

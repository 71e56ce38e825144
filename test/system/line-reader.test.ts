/** Lines out of bytes, however these come. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LineReader } from "../../src/system/line-reader.ts";

describe("LineReader", () => {
  test("gives the same lines however the bytes are cut", () => {
    const text = fc
      .array(fc.string({ unit: "grapheme", maxLength: 20 }), { maxLength: 20 })
      .map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(text, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (whole, sizes) => {
        const reader = new LineReader(1000);
        const bytes = Buffer.from(whole);
        const lines: string[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value ?? 1;
          const part = new Uint8Array(bytes.subarray(at, at + size));
          const read = reader.push(part);
          part.fill(0); // what was read from must not be needed any more
          if (read === "too-long") throw new Error("too long");
          lines.push(...read);
          at += size;
        }
        expect(lines).toEqual(whole.split("\n").slice(0, -1));
      }),
      { numRuns: 500 },
    );
  });

  test("keeps no more of a line than it may have", () => {
    const exact = new LineReader(4);
    expect(exact.push(Buffer.from("abcd"))).toEqual([]);
    expect(exact.push(Buffer.from("\nefgh\n"))).toEqual(["abcd", "efgh"]);
    expect(new LineReader(4).push(Buffer.from("abcde"))).toBe("too-long");
    expect(new LineReader(4).push(Buffer.from("abcde\n"))).toBe("too-long");
    expect(new LineReader(4).push(Buffer.from("ab\ncdefg\n"))).toBe("too-long");
  });
});

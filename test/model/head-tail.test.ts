import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HeadTail, keptBytes } from "../../src/model/head-tail.ts";

/** What is to be kept, from all that came. */
function naive(all: Uint8Array, size: number) {
  if (all.length <= 2 * size) return { head: [...all], tail: [], bytes: all.length, leftOut: 0 };
  const leftOut = all.length - 2 * size;
  return { head: [...all.slice(0, size)], tail: [...all.slice(-size)], bytes: all.length, leftOut };
}

function shown(kept: ReturnType<HeadTail["kept"]>) {
  return { ...kept, head: [...kept.head], tail: [...kept.tail] };
}

describe("HeadTail", () => {
  test("keeps head and tail, whatever the pieces in which the bytes come", () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), pieces, (size, chunks) => {
        const keeper = new HeadTail(size);
        const all: number[] = [];
        for (const chunk of chunks) {
          keeper.add(chunk);
          all.push(...chunk);
          expect(shown(keeper.kept())).toEqual(naive(Uint8Array.from(all), size));
          expect(keeper.bytes).toBe(all.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("keeps copies: the bytes may be overwritten, and what was kept does not change with what comes", () => {
    const keeper = new HeadTail(4);
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    keeper.add(bytes);
    const kept = keeper.kept();
    bytes.fill(0);
    keeper.add(new Uint8Array([10, 11]));
    expect(shown(kept)).toEqual({ head: [1, 2, 3, 4], tail: [6, 7, 8, 9], bytes: 9, leftOut: 1 });
    expect(shown(keeper.kept())).toEqual({ head: [1, 2, 3, 4], tail: [8, 9, 10, 11], bytes: 11, leftOut: 3 });
  });

  test("of nothing keeps nothing", () => {
    expect(shown(new HeadTail().kept())).toEqual({ head: [], tail: [], bytes: 0, leftOut: 0 });
  });

  test("needs no more memory for a gigabyte than for a page", () => {
    const keeper = new HeadTail();
    const piece = new Uint8Array(64 * 1024).fill(7);
    for (let at = 0; at < 2 ** 30; at += piece.length) keeper.add(piece);
    const { head, tail, bytes, leftOut } = keeper.kept();
    expect([head.length, tail.length, bytes, leftOut]).toEqual([
      keptBytes,
      keptBytes,
      2 ** 30,
      2 ** 30 - 2 * keptBytes,
    ]);
  });

  test("what was skipped counts as left out, and what came before it stands in no tail", () => {
    const keeper = new HeadTail(4);
    keeper.add(new Uint8Array([1, 2, 3]));
    keeper.skip(0);
    keeper.add(new Uint8Array([4, 5, 6]));
    keeper.skip(100);
    expect(shown(keeper.kept())).toEqual({ head: [1, 2, 3, 4], tail: [], bytes: 106, leftOut: 102 });
    keeper.add(new Uint8Array([7, 8]));
    expect(shown(keeper.kept())).toEqual({ head: [1, 2, 3, 4], tail: [7, 8], bytes: 108, leftOut: 102 });
    const early = new HeadTail(4);
    early.add(new Uint8Array([1]));
    early.skip(10);
    early.add(new Uint8Array([2, 3, 4, 5, 6]));
    expect(shown(early.kept())).toEqual({ head: [1], tail: [3, 4, 5, 6], bytes: 16, leftOut: 11 });
  });
});

import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { HeldOutput } from "../../src/execute/held-output.ts";
import { temporaryFolder } from "../support/program.ts";

async function given(held: HeldOutput): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await held.give(async (bytes) => {
    pieces.push(bytes.slice());
  });
  return Buffer.concat(pieces);
}

describe("HeldOutput", () => {
  test("gives all that it took, in order, from memory and file", async () => {
    using work = temporaryFolder();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 30 }), async (pieces) => {
        const held = new HeldOutput([work.path], { memory: 500, file: 100_000 });
        for (const piece of pieces) {
          const bytes = piece.slice();
          expect(held.take(bytes)).toBe(true);
          bytes.fill(0);
        }
        expect((await given(held)).equals(Buffer.concat(pieces))).toBe(true);
        held.close();
        expect(held.warnings).toEqual([]);
      }),
    );
    expect(readdirSync(work.path)).toEqual([]); // the file has no name
  });

  test("holds what the usual limits allow, in few megabytes of memory, also of single bytes", async () => {
    using work = temporaryFolder();
    const held = new HeldOutput([work.path]);
    const before = process.memoryUsage().rss;
    const byte = new Uint8Array([7]);
    for (let n = 0; n < 250_000; n++) held.take(byte);
    const piece = new Uint8Array(100_000).fill(8);
    for (let n = 0; n < 500; n++) held.take(piece);
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
    expect(await given(held)).toHaveLength(50_250_000);
    held.close();
  });

  test("beyond its limit: the end is lost, and said to be", async () => {
    using work = temporaryFolder();
    const held = new HeldOutput([work.path], { memory: 10, file: 20 });
    for (const text of ["0123456789", "abcdefghij", "ABCDEFGHIJ", "lost", ""]) held.take(Buffer.from(text));
    expect((await given(held)).toString()).toBe("0123456789abcdefghijABCDEFGHIJ\n[4 bytes left out]\n");
  });

  test("takes the first folder that can be written; without any: what memory holds, and a warning", async () => {
    using work = temporaryFolder();
    writeFileSync(join(work.path, "file"), "");
    const second = new HeldOutput(["/no-such-folder", join(work.path, "file"), "/proc", work.path], {
      memory: 2,
      file: 100,
    });
    second.take(Buffer.from("word"));
    expect((await given(second)).toString()).toBe("word");
    const none = new HeldOutput(["/no-such-folder"], { memory: 1024, file: 100 });
    none.take(Buffer.from("kept"));
    none.take(new Uint8Array(2000));
    none.take(Buffer.from("after"));
    expect((await given(none)).toString()).toBe("kept\n[2005 bytes left out]\n");
    expect(none.warnings).toEqual(["output beyond 1 kB can't be held: no folder takes a temporary file"]);
  });

  test("of nothing gives nothing; closed, it has nothing left", async () => {
    const held = new HeldOutput([]);
    expect(await given(held)).toHaveLength(0);
    held.take(Buffer.from("word"));
    held.close();
    held.close();
    expect(await given(held)).toHaveLength(0);
  });
});

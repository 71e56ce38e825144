/** Turns: never more at once than allowed, each in its order, and none lost where one fails. */
import { expect, test } from "bun:test";
import { Turns } from "../../src/model/turns.ts";

test("so many at once, in their order, whether they succeed or not", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3].map((number) =>
    turns
      .take(async () => {
        begun.push(number);
        await new Promise<void>((resolve) => ends.push(resolve));
        if (number === 0) throw new Error("failed");
        return number;
      })
      .catch((error: Error) => error.message),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  ends[0]?.();
  expect(await all[0]).toBe("failed");
  expect(begun).toEqual([0, 1, 2]);
  ends[2]?.();
  expect(await all[2]).toBe(2);
  expect(begun).toEqual([0, 1, 2, 3]);
  ends[1]?.();
  ends[3]?.();
  expect(await Promise.all(all)).toEqual(["failed", 1, 2, 3]);
});

/** Places in a period: even, the same after every restart, and mostly the same when jobs come and go. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { spreadPlaces } from "../../src/schedule/schedule.ts";

const day = 86_400_000;
const name = fc.string({ minLength: 1, maxLength: 30 });
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 200 });

/** The widest distance between two neighbours, round the period's end as well. */
function widestGap(places: ReadonlyMap<string, number>, periodMs: number): number {
  const sorted = [...places.values()].sort((a, b) => a - b);
  const first = sorted[0] ?? 0;
  return Math.max(...sorted.map((at, index) => (sorted[index + 1] ?? first + periodMs) - at));
}

function movedBetween(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return [...before].filter(([key, at]) => after.has(key) && after.get(key) !== at).length;
}

const team = (count: number, of = "team") => Array.from({ length: count }, (_, n) => `${of}/backup-${n}`);

describe("spreadPlaces()", () => {
  test("leaves no gap of more than 3 periods / n, for any names", () => {
    fc.assert(
      fc.property(names, fc.constantFrom(3600_000, day, 7 * day), (list, periodMs) => {
        const places = spreadPlaces(list, periodMs);
        expect(places.size).toBe(list.length);
        for (const at of places.values()) {
          expect(at % 1000).toBe(0);
          expect(at >= 0 && at < periodMs).toBe(true);
        }
        expect(widestGap(places, periodMs)).toBeLessThanOrEqual((3 * periodMs) / list.length + 1000);
      }),
    );
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 50, 1000, 5000])(
    "and for %d jobs",
    (count) => {
      for (let round = 0; round < 5; round++) {
        const places = spreadPlaces(team(count, `team-${round}`), day);
        expect(widestGap(places, day)).toBeLessThanOrEqual((3 * day) / count + 1000);
      }
    },
  );

  test("is the same after a restart and on another machine: neither history nor order counts", () => {
    fc.assert(
      fc.property(names, fc.nat(), (list, turn) => {
        const at = turn % list.length;
        const other = [...list.slice(at), ...list.slice(0, at)].reverse();
        const places = spreadPlaces(list, day);
        for (const [key, place] of spreadPlaces(other, day))
          expect(place).toBe(places.get(key) ?? Number.NaN);
      }),
    );
  });

  test("these very places, so that an upgrade moves nobody", () => {
    expect(Object.fromEntries(spreadPlaces(["a", "b", "c", "d", "e", "f"], 3600_000))).toEqual({
      a: 2_618_000,
      b: 2_110_000,
      c: 1_024_000,
      d: 2_453_000,
      e: 3_466_000,
      f: 1000,
    });
  });

  test("few move when one comes or goes", () => {
    let moved = 0;
    let most = 0;
    let rounds = 0;
    for (const count of [5, 20, 100, 400]) {
      for (let round = 0; round < 10; round++) {
        const list = team(count, `team-${round}`);
        const count1 = movedBetween(spreadPlaces(list, day), spreadPlaces([...list, "newcomer"], day));
        moved += count1;
        most = Math.max(most, count1);
        rounds += 1;
      }
    }
    expect(moved / rounds).toBeLessThan(4);
    expect(most).toBeLessThan(20);
  });

  test("of 300 that come one after the other, each moves a few of those that are there", () => {
    const list = team(300);
    let moved = 0;
    let before = new Map<string, number>();
    for (let count = 1; count <= list.length; count++) {
      const places = spreadPlaces(list.slice(0, count), day);
      moved += movedBetween(before, places);
      before = places;
    }
    // Growth of the number of buckets included, which moves a share of them now and then.
    expect(moved / list.length).toBeLessThan(6);
  });

  test("none", () => expect(spreadPlaces([], day).size).toBe(0));

  test("more jobs than seconds", () => {
    const places = spreadPlaces(team(500), 60_000);
    expect(new Set(places.values()).size).toBe(60);
  });
});

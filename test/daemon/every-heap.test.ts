/**
 * The heap of intervals, beside one that asks each interval at each look.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EveryHeap, everyEntry } from "../../src/daemon/every-heap.ts";
import type { EverySchedule } from "../../src/model/schedule.ts";
import { advanceEvery, startEveryClock } from "../../src/schedule/schedule.ts";
import { jobAt } from "./scheduled.ts";

const second = 1000;
const startMs = Date.UTC(2026, 5, 10, 12);

const interval: fc.Arbitrary<EverySchedule> = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 0.999, noNaN: true }))
  .map(([seconds, place]) => ({
    kind: "every",
    periodMs: seconds * second,
    offsetMs: Math.floor(place * seconds) * second,
  }));

describe("EveryHeap", () => {
  test("gives what asking each interval gives, forward and back", () => {
    const steps = fc.array(
      fc.oneof({ weight: 4, arbitrary: fc.nat(200_000) }, fc.integer({ min: -600_000, max: 0 })),
    );
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 40 }), steps, (schedules, moves) => {
        const asked = schedules.map((schedule, rank) => ({
          schedule,
          rank,
          clock: startEveryClock(schedule, startMs),
        }));
        const heap = new EveryHeap(
          asked.map(({ schedule, rank, clock }) =>
            everyEntry({ job: jobAt(`job${rank}`, schedule), rank }, schedule, clock),
          ),
        );
        let nowMs = startMs;
        for (const by of moves) {
          nowMs += by;
          const due: [rank: number, atMs: number][] = [];
          if (by < 0) heap.rewind(nowMs);
          heap.advance(nowMs, ({ rank, schedule }, { atMs }, firstMs) => {
            due.push([rank, atMs]);
            expect((atMs - firstMs) % schedule.periodMs).toBe(0);
            expect(firstMs).toBeLessThanOrEqual(atMs);
          });
          const expected = asked.flatMap((one): [number, number][] => {
            const step = advanceEvery(one.schedule, one.clock, nowMs);
            one.clock = step.clock;
            return step.due === undefined ? [] : [[one.rank, step.due.atMs]];
          });
          expect(due.toSorted(([a], [b]) => a - b)).toEqual(expected);
          const nexts = asked.map(({ clock, schedule }) => clock.lastMs + schedule.periodMs);
          expect(heap.nextMs).toBe(Math.min(...nexts));
        }
      }),
      { numRuns: 500 },
    );
  });
  test("gives them in the order in which they were due", () => {
    const schedules = [7, 3, 5, 2].map(
      (n): EverySchedule => ({ kind: "every", periodMs: n * second, offsetMs: 0 }),
    );
    const heap = new EveryHeap(
      schedules.map((schedule, rank) =>
        everyEntry({ job: jobAt(`job${rank}`, schedule), rank }, schedule, { lastMs: 0 }),
      ),
    );
    const firsts: number[] = [];
    heap.advance(8 * second, (_, __, firstMs) => firsts.push(firstMs));
    expect(firsts).toEqual([2000, 3000, 5000, 7000]);
  });
  test("is never due while it is empty", () => {
    const heap = new EveryHeap();
    heap.rewind(startMs);
    heap.advance(startMs, () => expect.unreachable());
    expect(heap.nextMs).toBe(Number.POSITIVE_INFINITY);
  });
});

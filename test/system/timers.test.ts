import { describe, expect, jest, test } from "bun:test";
import { longTimer, sleepUntilAborted } from "../../src/system/timers.ts";

const day = 86_400_000;

/** The fake clock can't be advanced by more than 49 days at once. */
function advance(ms: number): void {
  for (let left = ms; left > 0; left -= 20 * day) jest.advanceTimersByTime(Math.min(left, 20 * day));
}

describe("longTimer()", () => {
  test("calls once when the time is over, also beyond the 24.8 days of the runtime's own", () => {
    jest.useFakeTimers();
    try {
      for (const ms of [2, 1000, 24 * day, 25 * day, 1000 * day]) {
        let calls = 0;
        longTimer(ms, () => calls++);
        advance(ms - 1);
        expect(calls).toBe(0);
        advance(1);
        expect(calls).toBe(1);
        advance(30 * day);
        expect(calls).toBe(1);
      }
    } finally {
      jest.useRealTimers();
    }
  });

  test("can be cancelled, in its second part too", () => {
    jest.useFakeTimers();
    try {
      let calls = 0;
      const timer = longTimer(60 * day, () => calls++);
      advance(30 * day);
      timer.cancel();
      advance(60 * day);
      expect(calls).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe("sleepUntilAborted()", () => {
  test("waits; returns at once where the signal is aborted, or was", async () => {
    const begun = performance.now();
    await sleepUntilAborted(30, new AbortController().signal);
    expect(performance.now() - begun).toBeGreaterThan(25);
    await sleepUntilAborted(1000 * day, AbortSignal.abort());
    const stopping = new AbortController();
    const waiting = sleepUntilAborted(1000 * day, stopping.signal);
    stopping.abort();
    await waiting;
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

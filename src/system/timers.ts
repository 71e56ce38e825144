/**
 * Waits that can be cut short, and timers that last longer than the runtime's own can (24.8 days).
 */

const longestMs = 2 ** 31 - 1;

/** Calls once when so many milliseconds have gone by on the clock that does not step; suspended time does not count. */
export function longTimer(ms: number, onTime: () => void): { cancel(): void } {
  let timer: Timer;
  const arm = (leftMs: number) => {
    const nextMs = Math.min(leftMs, longestMs);
    timer = setTimeout(() => (leftMs > nextMs ? arm(leftMs - nextMs) : onTime()), nextMs);
  };
  arm(ms);
  return { cancel: () => clearTimeout(timer) };
}

/** Waits; returns at once when `signal` is aborted, or was. */
export function sleepUntilAborted(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const onAbort = () => {
      timer.cancel();
      resolve();
    };
    const timer = longTimer(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

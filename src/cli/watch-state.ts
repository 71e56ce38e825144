/**
 * `on_passive = stop`: watching the state while a job runs, so that the job ends when its machine is no longer active.
 */
import { type Conf, judge } from "../gate/gate.ts";
import type { Verdict } from "../model/state.ts";

const pollMs = 1000;

/** A watch that goes on until it is stopped. */
export interface StateWatch {
  stop(): void;
}

/**
 * Asks the gate every second, and calls once when the machine is no longer active. A passive word counts at once; a doubt
 * counts when it is still there a second later, so that a writer that is just being replaced stops no job.
 */
export function watchState(conf: Conf, onLost: (verdict: Verdict) => void): StateWatch {
  let doubts = 0;
  const timer = setInterval(() => {
    const verdict = judge(conf);
    if (verdict.state === "active") {
      doubts = 0;
      return;
    }
    doubts += 1;
    if (verdict.isDefault && doubts < 2) return;
    clearInterval(timer);
    onLost(verdict);
  }, pollMs);
  return { stop: () => clearInterval(timer) };
}

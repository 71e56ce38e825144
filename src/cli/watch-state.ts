/**
 * `on_passive = stop`: watching the state while a job runs, so that the job ends when its machine is no longer active.
 */
import { type Conf, judge } from "../gate/gate.ts";
import { type LineContext, stopLine } from "../model/log-line.ts";
import { printable } from "../model/printable.ts";
import type { Verdict } from "../model/state.ts";
import type { GatedRun, NamedRun } from "./gated-run.ts";
import { say } from "./terminal.ts";

const pollMs = 1000;

/** A watch that goes on until it is stopped. */
interface StateWatch {
  stop(): void;
}

/** The same, over a running job. */
export interface LossWatch extends StateWatch {
  /** The verdict that the job is stopped for; undefined while the machine is active. */
  readonly lost: Verdict | undefined;
}

/** Watches the state while a job runs; when the machine is no longer active, says so to person and log, and aborts. */
export function watchForLoss(
  { program, conf, log }: GatedRun,
  { name }: NamedRun,
  context: LineContext,
  stopping: AbortController,
): LossWatch {
  let lost: Verdict | undefined;
  const { stop } = watchState(conf, (now) => {
    lost = now;
    say(program, `stopping ${printable(name)}: no longer active: ${now.sentence}`);
    log.log(conf.syslogFacility, "LOG_WARNING", stopLine(context, now.reason));
    stopping.abort();
  });
  return {
    stop,
    get lost() {
      return lost;
    },
  };
}

/**
 * Asks the gate every second, and calls once when the machine is no longer active. A passive word counts at once; a doubt
 * counts when it is still there a second later, so that a writer that is just being replaced stops no job.
 */
function watchState(conf: Conf, onLost: (verdict: Verdict) => void): StateWatch {
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

/**
 * The gate, as the scheduler asks it: for its `cluster` jobs, often, and many times in one moment.
 */
import type { Gate } from "../daemon/daemon.ts";
import { type Conf, judge } from "../gate/gate.ts";
import { noProvenance } from "../model/provenance.ts";
import type { Verdict } from "../model/state.ts";

/** A thousand jobs that are due in one second have one answer. */
const freshMs = 100;

/** @param conf the configuration of this moment */
export function daemonGate(conf: () => Conf): Gate {
  let verdict: Verdict | undefined;
  let asked: Conf | undefined;
  let askedMs = 0;
  return {
    judge: () => {
      const nowMs = performance.now();
      const current = conf();
      if (verdict === undefined || asked !== current || nowMs - askedMs > freshMs) {
        verdict = judge(current);
        asked = current;
        askedMs = nowMs;
      }
      return verdict;
    },
    always: {
      state: "active",
      reason: "every-machine",
      sentence: "the job runs on every machine",
      stateFile: "",
      isDefault: false,
      epoch: 0,
      provenance: noProvenance,
    },
    get endsJobs() {
      return conf().onPassive === "stop";
    },
  };
}

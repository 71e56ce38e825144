/**
 * The run of a watcher that was killed, watched by another process until it ends.
 *
 * It is nobody's child any more (or that of whoever takes orphans), so its exit status can't be learned; all else is as
 * before: its output is brought to its receivers, from what stood in the pipe on, its time is bounded, it can be stopped.
 */
import type { EndCause } from "../model/run-event.ts";
import { findTree } from "../system/process-tree.ts";
import { longTimer, sleepUntilAborted } from "../system/timers.ts";
import { Capture } from "./capture.ts";
import type { LockRequest } from "./job-lock.ts";
import { endTree } from "./process-tree.ts";
import { ageMsOf, isThere, pathOfPipe, type RunMark } from "./run-mark.ts";
import { clobberedEnd } from "./supervise.ts";
import { type AdoptedEnd, type AdoptionPorts, graceOf, type SupervisedJob } from "./supervised-run.ts";

/** How often is looked whether the run has ended. */
const lookMs = 200;

/**
 * Watches a run that another process has started, to its end. Never throws but for a defect.
 *
 * What is left of the timeout counts from the start of the marked process. What was printed before is not known here: head
 * and tail, a mail, and `error if-stderr` have what comes from now on.
 * @param what the job as its rules are now, and the id of the run
 */
export async function adoptRun(
  what: SupervisedJob,
  ports: AdoptionPorts,
  mark: RunMark,
): Promise<AdoptedEnd> {
  const { rules, runId } = what;
  const tree = { leaderPid: mark.pid, leaderStartTicks: mark.startTicks, runId };
  const wasThere = isThere(mark);
  const capture = new Capture({
    ...ports,
    outputs: rules.outputs.length > 0 ? rules.outputs : (ports.usualOutputs ?? []),
    isStderrApart: rules.failsWhen.ifStderr,
    withoutReader: "waits",
  });
  attach(capture, mark, () => findTree(tree).map(({ pid }) => pid), ports);

  const { cause, survivors } = await watch(what, ports, mark);
  const endedAtMs = Date.now();
  ports.onEnded?.();
  const isDetached = await capture.end();
  await capture.finish(true);
  for (const warning of capture.warnings) ports.onWarning(warning);
  const end = {
    kind: "ended",
    outcome: { kind: "unseen" },
    isOk: false,
    cause,
    sentence: cause === "stopped" ? ports.stopSentence?.() : undefined,
    attempts: mark.attempt,
    durationMs: Math.max(0, endedAtMs - mark.startedAtMs),
    kept: capture.kept(),
    isDetached,
    survivors,
    wasThere,
  } as const;
  const clobbered = rules.overlap.mode === "allow" ? undefined : clobberedEnd(lockRequestOf(what, ports));
  return clobbered === undefined ? end : { ...end, ...clobbered };
}

function lockRequestOf({ cluster, job, runId, rules }: SupervisedJob, ports: AdoptionPorts): LockRequest {
  return { folder: ports.lockFolder, cluster, job: job.name, runId, scope: rules.overlapScope };
}

/** The leader may have given its own streams away, or have ended: then somebody else of the run has the pipe. */
function attach(
  capture: Capture,
  { pid, stdout, stderr }: RunMark,
  others: () => readonly number[],
  { onWarning }: AdoptionPorts,
): void {
  if (stdout === undefined && stderr === undefined) return;
  const isOne = stdout === stderr;
  let pids: readonly number[] | undefined;
  const find = (inode: number | undefined) => {
    if (inode === undefined) return undefined;
    let path = pathOfPipe(inode, [pid]);
    if (path === undefined) {
      pids ??= others();
      path = pathOfPipe(inode, pids);
    }
    return path === undefined ? undefined : { path, inode };
  };
  const refused = capture.adopt({ stdout: find(stdout), stderr: isOne ? undefined : find(stderr) });
  if (refused !== undefined) onWarning(`the job's output can't be read on: ${refused.text}`);
}

/** Waits for the end, and brings it about when its time is over or it is to be stopped. */
async function watch(
  { rules, runId }: SupervisedJob,
  { lost, lostGraceMs }: AdoptionPorts,
  mark: RunMark,
): Promise<{ readonly cause: EndCause; readonly survivors: number }> {
  const stopping = new AbortController();
  let stoppedFor: "timeout" | "stopped" | undefined;
  const stopFor = (cause: "timeout" | "stopped") => {
    stoppedFor ??= cause;
    stopping.abort();
  };
  const onLost = () => stopFor("stopped");
  lost?.addEventListener("abort", onLost);
  if (lost?.aborted && isThere(mark)) onLost();
  const leftMs =
    rules.timeoutMs === undefined ? undefined : Math.max(0, rules.timeoutMs - (ageMsOf(mark) ?? 0));
  const timer = leftMs === undefined ? undefined : longTimer(leftMs, () => stopFor("timeout"));
  while (stoppedFor === undefined && isThere(mark)) await sleepUntilAborted(lookMs, stopping.signal);
  timer?.cancel();
  lost?.removeEventListener("abort", onLost);
  if (stoppedFor === undefined) return { cause: "unseen", survivors: 0 };
  const tree = { leaderPid: mark.pid, leaderStartTicks: mark.startTicks, runId };
  const survivors = await endTree(tree, stoppedFor === "stopped" ? lostGraceMs : graceOf(rules));
  return { cause: stoppedFor, survivors };
}

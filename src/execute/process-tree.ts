/**
 * Ending a job with all that it has started: TERM to everything, and KILL to what is left when its grace is over.
 *
 * A job leads a process group, and most of what it starts stays there. What left the group is found by its parents, its
 * session, and the run's id in its environment, which everything inherits that does not throw it away on purpose.
 */
import type { Outcome } from "../model/outcome.ts";
import { findProcess, signalProcess } from "../system/other-processes.ts";
import { findTree, signalGroup, type TreeMark, type TreeMember } from "../system/process-tree.ts";
import type { StopRequest } from "./local.ts";

const firstPollMs = 10;
const lastPollMs = 200;
const killWaitMs = 2000;

/**
 * Waits for the job's end; if `stop` is asked for, ends its whole tree and waits until nobody is left in it.
 * @param leaderPid the job's process, which leads the group
 */
export async function endTreeOnStop(
  leaderPid: number,
  ended: Promise<Outcome>,
  stop: StopRequest,
): Promise<Outcome> {
  const { signal, runId, onSurvivors } = stop;
  const leaderStartTicks = findProcess(leaderPid)?.startTicks;
  const stopped = Promise.withResolvers<"stopped">();
  const onAbort = () => stopped.resolve("stopped");
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const first = await Promise.race([ended, stopped.promise]);
  signal.removeEventListener("abort", onAbort);
  if (first !== "stopped") return first;

  const survivors = await endTree({ leaderPid, leaderStartTicks, runId }, stop.graceMs);
  if (survivors === 0) return ended;
  onSurvivors?.(survivors);
  return Promise.race([ended, Bun.sleep(lastPollMs).then((): Outcome => ({ kind: "signalled", signal: 9 }))]);
}

/**
 * Ends a tree. KILL can't be refused, but a process in a hung system call dies late; nobody waits long for that.
 * @returns how many of its processes are still there
 */
export async function endTree(tree: TreeMark, graceMs: number): Promise<number> {
  if ((await signalUntilGone(tree, "SIGTERM", graceMs)) === 0) return 0;
  return signalUntilGone(tree, "SIGKILL", killWaitMs);
}

/** Signals each process of the tree once, those that come up later too. @returns how many are left */
async function signalUntilGone(
  tree: TreeMark,
  signal: "SIGTERM" | "SIGKILL",
  waitMs: number,
): Promise<number> {
  let seenMs = performance.now();
  const end = seenMs + waitMs;
  const told = new Set<string>();
  for (let pollMs = 0; ; pollMs = Math.min(Math.max(pollMs * 2, firstPollMs), lastPollMs)) {
    const members = findTree(tree, seenMs);
    if (members.length === 0) return 0;
    const isInGroup = ({ groupId }: TreeMember) => groupId === tree.leaderPid;
    const toldAsGroup = pollMs === 0 && members.some(isInGroup);
    if (toldAsGroup && tree.leaderPid !== undefined) {
      // In one step, so that a tree that grows can't outrun it. What is halted can't end itself.
      signalGroup(tree.leaderPid, signal);
      signalGroup(tree.leaderPid, "SIGCONT");
    }
    for (const member of members) {
      const key = `${member.pid}/${member.startTicks}`;
      if (told.has(key)) continue;
      told.add(key);
      if (toldAsGroup && isInGroup(member)) continue;
      signalProcess(member.pid, signal);
      signalProcess(member.pid, "SIGCONT");
    }
    seenMs = performance.now();
    const leftMs = end - seenMs;
    if (leftMs <= 0) return members.length;
    await Bun.sleep(Math.min(pollMs, leftMs));
  }
}

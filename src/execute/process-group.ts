/**
 * Ending a job with all that it has started: its process group gets TERM, and KILL when its grace is over.
 *
 * What a job starts stays in its group unless it leaves it of its own will, as a daemon does with setsid(2); such a
 * process is out of reach, and is meant to be.
 */
import type { Outcome } from "../model/outcome.ts";
import type { StopRequest } from "./local.ts";

const pollMs = 20;
/** KILL can't be refused, but a process in a hung system call dies late; nobody waits longer than this for it. */
const killWaitMs = 2000;

/**
 * Waits for the job's end; if `stop` is asked for, ends its whole group and waits until nobody is left in it.
 * @param leaderPid the job's process, which leads the group
 */
export async function endGroupOnStop(
  leaderPid: number,
  ended: Promise<Outcome>,
  { signal, graceMs }: StopRequest,
): Promise<Outcome> {
  const stopped = Promise.withResolvers<"stopped">();
  const onAbort = () => stopped.resolve("stopped");
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const first = await Promise.race([ended, stopped.promise]);
  signal.removeEventListener("abort", onAbort);
  if (first !== "stopped") return first;

  signalGroup(leaderPid, "SIGTERM");
  signalGroup(leaderPid, "SIGCONT"); // what is halted can't end itself
  if (!(await isEmptyWithin(leaderPid, graceMs))) {
    signalGroup(leaderPid, "SIGKILL");
    await isEmptyWithin(leaderPid, killWaitMs);
  }
  return ended;
}

async function isEmptyWithin(leaderPid: number, waitMs: number): Promise<boolean> {
  const end = performance.now() + waitMs;
  while (hasGroup(leaderPid)) {
    if (performance.now() >= end) return false;
    await Bun.sleep(pollMs);
  }
  return true;
}

function hasGroup(leaderPid: number): boolean {
  return signalGroup(leaderPid, 0);
}

/** @returns false where nobody is left in the group */
function signalGroup(leaderPid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leaderPid, signal);
    return true;
  } catch (error) {
    // EPERM: what is left runs as another user; it is there all the same.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

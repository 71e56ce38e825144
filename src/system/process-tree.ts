/**
 * All processes that belong to one run: who they are, and how they are signalled.
 */
import { readFileStart } from "./files.ts";
import { type ProcessStat, readStat, signalProcess } from "./other-processes.ts";

/** How a run's processes are told from others. */
export interface TreeMark {
  /** The process that leads the run's session and group; undefined where nobody had time to write it down. */
  readonly leaderPid: number | undefined;
  /** When it was started; a later process may have got its pid. Undefined where that was never known. */
  readonly leaderStartTicks: number | undefined;
  /** The run's id: its processes have it in their environment. */
  readonly runId: string;
}

/** A process of a run. */
export interface TreeMember {
  readonly pid: number;
  readonly startTicks: number;
  readonly groupId: number;
}

const environmentLimit = 256 * 1024;
const decoder = new TextDecoder("latin1");

/**
 * Looks through all processes of this machine that can be seen. Zombies don't count: they are gone, and only their parents
 * don't know.
 *
 * As long as anybody is left in the leader's group or session, no other process gets its pid; so where there is another
 * one, neither group nor session tell anything any more, and only the mark does.
 */
export function findTree({ leaderPid, leaderStartTicks, runId }: TreeMark): TreeMember[] {
  const mark = `RCRON_RUN_ID=${runId}\0`;
  const all = listProcesses();
  const isMember = new Map<number, boolean>();
  const leader = leaderPid === undefined ? undefined : all.get(leaderPid);
  const isReused =
    leader !== undefined && leaderStartTicks !== undefined && leader.startTicks !== leaderStartTicks;
  if (!isReused && leaderPid !== undefined) isMember.set(leaderPid, true);
  isMember.set(process.pid, false);
  const belongs = (one: Listed): boolean => {
    const known = isMember.get(one.pid);
    if (known !== undefined) return known;
    isMember.set(one.pid, false); // a circle can't be, but pids change under our eyes
    const parent = all.get(one.parentPid);
    const is =
      (!isReused && (one.groupId === leaderPid || one.sessionId === leaderPid)) ||
      (parent !== undefined && parent.pid !== process.pid && belongs(parent)) ||
      hasMark(one, mark, leaderStartTicks ?? 0);
    isMember.set(one.pid, is);
    return is;
  };
  return [...all.values()].filter((one) => belongs(one) && one.state !== "Z" && one.state !== "X");
}

interface Listed extends ProcessStat {
  readonly pid: number;
}

function listProcesses(): Map<number, Listed> {
  const all = new Map<number, Listed>();
  for (const name of process.getBuiltinModule("node:fs").readdirSync("/proc")) {
    const first = name.charCodeAt(0);
    if (first < 0x31 || first > 0x39) continue;
    const pid = Number(name);
    const stat = readStat(pid);
    if (stat !== undefined) all.set(pid, { ...stat, pid }); // else it has ended meanwhile
  }
  return all;
}

/** For a moment, while it executes another program, a process has no environment. */
const execMs = 2;
const execLooks = 5;
const PF_KTHREAD = 0x200000;

/** @param sinceTicks who was started before that can't be the run's */
function hasMark({ pid, state, flags, startTicks }: Listed, mark: string, sinceTicks: number): boolean {
  if (startTicks < sinceTicks || state === "Z" || (flags & PF_KTHREAD) !== 0) return false;
  for (let look = 1; ; look++) {
    const file = readFileStart(`/proc/${pid}/environ`, environmentLimit);
    if (file.error !== undefined) return false; // another user's: not for us to see
    const text = decoder.decode(file.bytes);
    if (text !== "" || look === execLooks) return text.startsWith(mark) || text.includes(`\0${mark}`);
    Bun.sleepSync(execMs);
  }
}

/** @returns false where nobody is left in the group */
export function signalGroup(leaderPid: number, signal: NodeJS.Signals | 0): boolean {
  return signalProcess(-leaderPid, signal);
}

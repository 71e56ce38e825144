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
  /** The run's id, or that of its part on one node: its processes have it in their environment. */
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
const runIdVariable = /(?<=^|\0)RCRON_(?:RUN|ATTEMPT)_ID=([^\0]*)(?=\0)/g;

/**
 * Looks through all processes of this machine that can be seen. Zombies don't count: they are gone, and only their parents
 * don't know.
 *
 * As long as anybody is left in the leader's group or session, no other process gets its pid; so where there is another
 * one, neither group nor session tell anything any more, and only the mark does.
 *
 * @param sinceMs (of performance.now()) what another call of this turn of the event loop has seen since then will do, and
 *   what it has seen at all if it has seen the leader: so to end many runs at once takes not many looks. Undefined: a look
 *   of its own
 */
export function findTree({ leaderPid, leaderStartTicks, runId }: TreeMark, sinceMs?: number): TreeMember[] {
  const { all, runIds } = lookAround(leaderPid, sinceMs);
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
      hasMark(one, runId, leaderStartTicks ?? 0, runIds);
    isMember.set(one.pid, is);
    return is;
  };
  return [...all.values()].filter((one) => belongs(one) && one.state !== "Z" && one.state !== "X");
}

interface Listed extends ProcessStat {
  readonly pid: number;
}

/** What a look at the machine has shown. */
interface Look {
  readonly atMs: number;
  readonly all: Map<number, Listed>;
  /** The ids that processes have in their environment, for those where that was asked. */
  readonly runIds: Map<number, readonly string[]>;
}

/** The last one of this turn of the event loop. */
let lastLook: Look | undefined;

function lookAround(leaderPid: number | undefined, sinceMs: number | undefined): Look {
  if (lastLook !== undefined && sinceMs !== undefined) {
    if (lastLook.atMs >= sinceMs || (leaderPid !== undefined && lastLook.all.has(leaderPid))) return lastLook;
  }
  if (lastLook === undefined) {
    setImmediate(() => {
      lastLook = undefined;
    });
  }
  lastLook = { atMs: performance.now(), all: listProcesses(), runIds: new Map() };
  return lastLook;
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
function hasMark(
  { pid, state, flags, startTicks }: Listed,
  runId: string,
  sinceTicks: number,
  known: Look["runIds"],
): boolean {
  if (startTicks < sinceTicks || state === "Z" || (flags & PF_KTHREAD) !== 0) return false;
  let ids = known.get(pid);
  if (ids === undefined) {
    ids = readRunIds(pid);
    known.set(pid, ids);
  }
  return ids.includes(runId);
}

/** @returns none where it has none, or it is another user's, and not for us to see */
function readRunIds(pid: number): readonly string[] {
  for (let look = 1; ; look++) {
    const file = readFileStart(`/proc/${pid}/environ`, environmentLimit);
    if (file.error !== undefined) return [];
    const text = decoder.decode(file.bytes);
    if (text === "" && look < execLooks) Bun.sleepSync(execMs);
    else return Array.from(text.matchAll(runIdVariable), ([, id = ""]) => id);
  }
}

/** @returns false where nobody is left in the group */
export function signalGroup(leaderPid: number, signal: NodeJS.Signals | 0): boolean {
  return signalProcess(-leaderPid, signal);
}

/**
 * The lock that one job of one cluster has on this machine, so that its runs don't overlap.
 *
 * Two proofs of life, and both must fail for the lock to be free: flock(2), which the kernel frees when the watching rcron
 * ends, however that happens; and what is written in the file: the job's own process, which may outlive an rcron that was
 * killed, or, for `overlap_scope = tree`, anything that the run has started. Pids are proven by boot and start time, so
 * that nothing stale blocks for ever. Nothing that the job starts inherits the descriptor.
 */
import { durationInWords } from "../model/duration.ts";
import { Problem } from "../model/problem.ts";
import { readBootId } from "../system/boot.ts";
import { readFileStart } from "../system/files.ts";
import { type HeldFile, holdFile } from "../system/lock.ts";
import { findProcess, lifeOf, signalProcess } from "../system/other-processes.ts";
import { findTree, type TreeMark } from "../system/process-tree.ts";
import { sleepUntilAborted } from "../system/timers.ts";
import { endTree } from "./process-tree.ts";

const contentLimit = 4096;
const firstWaitMs = 10;
const lastWaitMs = 250;
const clobberPollMs = 20;
/** After KILL, for the other rcron to take note and let go. */
const clobberExtraMs = 5000;

/** Who holds a lock, as far as the file tells. */
export interface Holder {
  readonly runId: string;
  readonly sinceMs: number;
  readonly boot: string | undefined;
  /** The rcron that watches the run. */
  readonly watcher: ProcessMark;
  /** The job's process; undefined while it is not started. */
  readonly leader: ProcessMark | undefined;
  readonly scope: "job" | "tree";
  /** True where the watcher has other runs too: it must not be signalled, and looks for a note by itself. */
  readonly isHosted?: boolean;
}

interface ProcessMark {
  readonly pid: number;
  readonly startTicks: number;
}

/** A lock that is held. */
export interface JobLock {
  /** The job's process is there: from here on the lock outlives this process. */
  setLeader(pid: number): void;
  /** The run that asked this one to end (`--overlap clobber`); undefined if none did. */
  clobberedBy(): string | undefined;
  /** Gives it up; for the scope `tree` nobody gets it before the run's last process has ended. */
  release(): void;
}

/** What is asked for. */
export interface LockRequest {
  /** Mode 0700, made if it is missing. */
  readonly folder: string;
  readonly cluster: string;
  readonly job: string;
  readonly runId: string;
  readonly scope: "job" | "tree";
  /** For a run that waits in a process of many: it asks {@link JobLock.clobberedBy} itself, again and again. */
  readonly isHosted?: boolean;
}

/** Somebody else has the lock. */
export interface Held {
  readonly holder: Holder | undefined;
}

/**
 * Takes the lock if it is free.
 * @returns the lock; who holds it; or the Problem (`denied`, `internal`) for which it can't be had or asked for at all
 */
export function tryJobLock(request: LockRequest): JobLock | Held | Problem {
  const path = lockPath(request);
  const held = holdFile(path);
  if (held === "taken") return { holder: readHolder(path) };
  if ("code" in held) {
    return new Problem("denied", `the lock ${path} can't be used: ${held.text}`, {
      hint: "mend the folder, or run the job without --overlap",
    });
  }
  const last = readHolder(path);
  const holder = last === undefined ? undefined : stillGoing(last);
  if (holder !== undefined) {
    held.release();
    return { holder };
  }
  return new HeldLock(held, request);
}

/** Waits for the lock. @returns as {@link tryJobLock} does; who holds it when `waitMs` are over or `signal` is aborted */
export async function waitForJobLock(
  request: LockRequest,
  waitMs: number,
  signal: AbortSignal,
): Promise<JobLock | Held | Problem> {
  const end = performance.now() + waitMs;
  for (let pauseMs = firstWaitMs; ; pauseMs = Math.min(pauseMs * 2, lastWaitMs)) {
    const lock = tryJobLock(request);
    const leftMs = end - performance.now();
    if (!("holder" in lock) || leftMs <= 0 || signal.aborted) return lock;
    await sleepUntilAborted(Math.min(pauseMs, leftMs), signal);
  }
}

/**
 * Ends the run that has the lock, its whole tree, and takes the lock.
 * @param graceMs from TERM to KILL
 * @returns as {@link tryJobLock} does; the holder where it could not be ended in time, or `signal` is aborted
 */
export async function clobber(
  request: LockRequest,
  graceMs: number,
  signal: AbortSignal,
): Promise<JobLock | Held | Problem> {
  const end = performance.now() + graceMs + clobberExtraMs;
  let asked: string | undefined;
  for (;;) {
    const lock = tryJobLock(request);
    if (!("holder" in lock) || signal.aborted || performance.now() >= end) return lock;
    const { holder } = lock;
    if (holder === undefined || !isOfThisBoot(holder)) {
      await Bun.sleep(clobberPollMs); // it has the lock, and has not written down yet who it is
      continue;
    }
    const { runId, leader, watcher } = holder;
    const isWaiting = isAlive(watcher) && (leader === undefined || stillGoing(holder) === undefined);
    const step = `${runId} ${isWaiting ? "waits" : leader?.pid}`;
    if (step === asked) {
      await Bun.sleep(clobberPollMs);
      continue;
    }
    asked = step;
    noteClobber(request, runId);
    // Between two attempts, or before the first one, there is nobody but the rcron that waits.
    if (!isWaiting) await endTree(treeOf(leader, runId), graceMs);
    else if (!holder.isHosted) signalProcess(watcher.pid, "SIGTERM");
  }
}

/** For the other rcron, which would take the end for the job's own, and start it again under --retry. */
function noteClobber(request: LockRequest, victim: string): void {
  const note = holdFile(`${lockPath(request)}.clobber`);
  if (note === "taken" || "code" in note) return; // then the end reads as one by a signal
  note.write(`${victim} ${request.runId}`);
  note.release();
}

/** The run that asked this one to end, whoever has its lock by now; undefined if none did. */
export function clobbererOf(request: LockRequest): string | undefined {
  const file = readFileStart(`${lockPath(request)}.clobber`, contentLimit);
  if (file.error !== undefined) return undefined;
  const [victim, other] = new TextDecoder().decode(file.bytes).split(" ");
  return victim === request.runId ? other : undefined;
}

/** `the run of 02:00:01 still goes on (pid 4711, 1 h 3 min)` */
export function holderInWords(holder: Holder | undefined, nowMs: number): string {
  if (holder === undefined) return "an earlier run still goes on";
  const since = new Date(holder.sinceMs);
  const clock = [since.getHours(), since.getMinutes(), since.getSeconds()];
  const time = clock.map((part) => String(part).padStart(2, "0")).join(":");
  const { pid } = holder.leader ?? holder.watcher;
  return `the run of ${time} still goes on (pid ${pid}, ${durationInWords(nowMs - holder.sinceMs)})`;
}

function lockPath({ folder, cluster, job }: LockRequest): string {
  const name = `${encodeURIComponent(cluster.toWellFormed())}.${encodeURIComponent(job.toWellFormed())}`;
  const short = name.length <= 200 ? name : `${name.slice(0, 180)}.${Bun.hash(name).toString(16)}`;
  return `${folder}/${short}.lock`;
}

class HeldLock implements JobLock {
  readonly #file: HeldFile;
  readonly #request: LockRequest;
  #holder: Holder;

  constructor(file: HeldFile, request: LockRequest) {
    const { runId, scope, isHosted = false } = request;
    this.#file = file;
    this.#request = request;
    const watcher = markOf(process.pid);
    this.#holder = {
      runId,
      sinceMs: Date.now(),
      boot: readBootId(),
      watcher,
      leader: undefined,
      scope,
      isHosted,
    };
    file.write(JSON.stringify(this.#holder));
  }

  setLeader(pid: number): void {
    this.#holder = { ...this.#holder, leader: markOf(pid) };
    this.#file.write(JSON.stringify(this.#holder));
  }

  clobberedBy(): string | undefined {
    return clobbererOf(this.#request);
  }

  release(): void {
    const { scope, leader, runId } = this.#holder;
    const isTreeLeft = scope === "tree" && findTree(treeOf(leader, runId)).length > 0;
    if (!isTreeLeft) this.#file.write("");
    this.#file.release();
  }
}

function markOf(pid: number): ProcessMark {
  return { pid, startTicks: findProcess(pid)?.startTicks ?? 0 };
}

/** @returns who holds it, where the run goes on though nobody has its lock */
function stillGoing(holder: Holder): Holder | undefined {
  const { leader, runId, scope } = holder;
  if (!isOfThisBoot(holder)) return undefined;
  if (leader !== undefined && isAlive(leader)) return holder;
  if (leader !== undefined && scope !== "tree") return undefined;
  const members = findTree(treeOf(leader, runId));
  if (members.length === 0) return undefined;
  // Without a leader its rcron was killed before it could write down whom it had started.
  const started = leader === undefined ? members.find(({ pid, groupId }) => pid === groupId) : undefined;
  return started === undefined
    ? holder
    : { ...holder, leader: { pid: started.pid, startTicks: started.startTicks } };
}

function isOfThisBoot({ boot }: Holder): boolean {
  return boot === readBootId();
}

function isAlive(mark: ProcessMark): boolean {
  return lifeOf({ name: "", ...mark }) !== "dead";
}

function treeOf(leader: ProcessMark | undefined, runId: string): TreeMark {
  return { leaderPid: leader?.pid, leaderStartTicks: leader?.startTicks, runId };
}

/** @returns undefined where the file tells nothing that can be used */
function readHolder(path: string): Holder | undefined {
  const file = readFileStart(path, contentLimit);
  if (file.error !== undefined || file.bytes.length === 0) return undefined;
  try {
    return asHolder(JSON.parse(new TextDecoder().decode(file.bytes)));
  } catch {
    return undefined; // torn by a power cut: then nobody lives who could hold it
  }
}

function asHolder(value: unknown): Holder | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { runId, sinceMs, boot, watcher, leader, scope, isHosted } = value as Record<string, unknown>;
  const isMark = (mark: unknown): mark is ProcessMark =>
    typeof mark === "object" &&
    mark !== null &&
    Number.isSafeInteger((mark as ProcessMark).pid) &&
    (mark as ProcessMark).pid > 1 &&
    Number.isSafeInteger((mark as ProcessMark).startTicks);
  if (typeof runId !== "string" || !/^[0-9a-f]{16}$/.test(runId) || typeof sinceMs !== "number")
    return undefined;
  if (!isMark(watcher) || !(leader === undefined || isMark(leader))) return undefined;
  if (!(boot === undefined || typeof boot === "string")) return undefined;
  return {
    runId,
    sinceMs,
    boot,
    watcher,
    leader,
    scope: scope === "tree" ? "tree" : "job",
    isHosted: isHosted === true,
  };
}

/**
 * The ends of this process's own children, those that were started past the runtime: how each one ended, and the processor
 * time that it took.
 *
 * One listener serves them all, however many there are. SIGCHLD does not say who has ended, so the system is asked who,
 * and only a child that is waited for here is taken: one of the runtime's own would be lost to it.
 */
import { Problem } from "../model/problem.ts";
import { errno, exactLibc, systemError } from "./libc.ts";

/** How a child ended. */
export interface ChildEnd {
  /** The status word of wait(2). */
  readonly status: number;
  /** Processor time of the child, and of those of its own that it waited for, in milliseconds. */
  readonly cpuMs: number;
}

const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
/** SIGCHLD tells of an end at once; this is how often is looked besides, should one get lost. */
const pollMs = 5000;

/** Where a siginfo_t of 64-bit Linux has the pid, counted in 32 bits. */
const pidAt = 4;
const signalInfo = new Int32Array(32);
const status = new Int32Array(1);
/** A struct rusage begins with user and system time, each in seconds and microseconds of 64 bits. */
const usage = new BigInt64Array(18);

interface Awaited {
  readonly resolve: (end: ChildEnd) => void;
  readonly reject: (problem: Problem) => void;
}

const awaited = new Map<number, Awaited>();
let poll: Timer | undefined;
let isListening = false;

/** To be called before a start, so that not even the shortest child's end is missed. */
export function listenForEnds(): void {
  if (isListening) return;
  isListening = true;
  // For ever: where the caller ignores SIGCHLD, children would vanish without a status, and a listener ends that.
  process.on("SIGCHLD", takeEnded);
}

/**
 * Waits for a child's end, which nobody else may wait for.
 * @throws {Problem} `internal`, where its status was lost: not to be taken for an end with status 0
 */
export function endOfChild(pid: number): Promise<ChildEnd> {
  if (awaited.size === 0) poll = setInterval(lookForEach, pollMs);
  return new Promise((resolve, reject) => {
    awaited.set(pid, { resolve, reject });
    take(pid);
  });
}

/** Takes those that have ended, without a look at those that have not. */
function takeEnded(): void {
  const c = exactLibc();
  while (c !== undefined && awaited.size > 0) {
    signalInfo[pidAt] = 0;
    const isRefused = c.waitid(P_ALL, 0, signalInfo, WEXITED | WNOHANG | WNOWAIT) !== 0;
    const pid = signalInfo[pidAt] ?? 0;
    if (isRefused || (pid !== 0 && !awaited.has(pid))) {
      lookForEach(); // somebody else's child stands in front of ours
      return;
    }
    if (pid === 0) return;
    take(pid);
  }
}

function lookForEach(): void {
  for (const pid of awaited.keys()) take(pid);
}

function take(pid: number): void {
  const reaped = exactLibc()?.wait4(pid, status, WNOHANG, usage);
  const waiter = awaited.get(pid);
  if (reaped === 0 || waiter === undefined) return;
  awaited.delete(pid);
  if (awaited.size === 0) clearInterval(poll);
  if (reaped === pid) waiter.resolve({ status: status[0] ?? 0, cpuMs: cpuMs() });
  else waiter.reject(new Problem("internal", `the job's exit status was lost: ${systemError(errno()).text}`));
}

function cpuMs(): number {
  const [userS = 0n, userUs = 0n, systemS = 0n, systemUs = 0n] = usage;
  return Number((userS + systemS) * 1000n) + Number(userUs + systemUs) / 1000;
}

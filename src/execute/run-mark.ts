/**
 * A run that goes on, as another process can find it again when the one that watches it has been killed.
 */
import { count, instant, object, whole } from "../model/json-reader.ts";
import { ticksSinceBoot } from "../system/boot.ts";
import { readFileStart } from "../system/files.ts";
import { lifeOf, readStat } from "../system/other-processes.ts";
import { inodeOfPipe } from "../system/pipe.ts";
import { findTree } from "../system/process-tree.ts";
import type { PipeMarks } from "./capture.ts";

/** A started attempt. */
export interface RunMark extends PipeMarks {
  /** The job's process, which leads the run's session and group. */
  readonly pid: number;
  /** When it was started, as /proc tells it: a later process may have got its pid. */
  readonly startTicks: number;
  /** When the run's first attempt was started, in milliseconds since 1970. */
  readonly startedAtMs: number;
  /** From 1. */
  readonly attempt: number;
}

/** Of the times that /proc tells. */
const msPerTick = 10;
const markLimit = 1000;

/** @returns undefined for anything but a mark in JSON; unknown keys are left out */
export function parseMark(text: string): RunMark | undefined {
  if (text.length > markLimit) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // No JSON is no mark, which is the answer.
  }
  const mark = readMark(value);
  return mark && { ...mark, stdout: mark.stdout, stderr: mark.stderr };
}

const readMark = object(
  { pid: whole(2, 2 ** 31 - 1), startTicks: count, startedAtMs: instant, attempt: whole(1, 1_000_000) },
  { stdout: count, stderr: count },
);

/** True where the very process that was marked still runs, or is halted. */
export function isThere({ pid, startTicks }: Pick<RunMark, "pid" | "startTicks">): boolean {
  return lifeOf({ name: "", pid, startTicks }) !== "dead";
}

/** For how long the marked process has been there, suspended time included; undefined where no clock tells. */
export function ageMsOf({ startTicks }: Pick<RunMark, "startTicks">): number | undefined {
  const now = ticksSinceBoot();
  return now === undefined ? undefined : Math.max(0, now - startTicks) * msPerTick;
}

/**
 * The mark of a run whose watcher was killed before it could write one down: found by the run's id in its environment.
 * @returns undefined where nobody has it, or only what the job left behind
 */
export function findRun(runId: string): RunMark | undefined {
  const members = findTree({ leaderPid: undefined, leaderStartTicks: undefined, runId });
  const leader = members.find(({ pid, groupId }) => pid === groupId && readStat(pid)?.sessionId === pid);
  if (leader === undefined) return undefined;
  const { pid, startTicks } = leader;
  const startedAtMs = Math.round(Date.now() - (ageMsOf(leader) ?? 0));
  return { pid, startTicks, startedAtMs, attempt: 1, stdout: ownPipe(pid, 1), stderr: ownPipe(pid, 2) };
}

const O_ACCMODE = 3;
const O_RDWR = 2;

/**
 * Only a pipe that its holder can read itself is one of ours: from any other, between two processes of the job, bytes would
 * be stolen.
 */
function ownPipe(pid: number, fd: number): number | undefined {
  const file = readFileStart(`/proc/${pid}/fdinfo/${fd}`, 4096);
  if (file.error !== undefined) return undefined;
  const [, flags = "0"] = /^flags:\s*([0-7]+)$/m.exec(new TextDecoder().decode(file.bytes)) ?? [];
  if ((Number.parseInt(flags, 8) & O_ACCMODE) !== O_RDWR) return undefined;
  return inodeOfPipe(`/proc/${pid}/fd/${fd}`);
}

/** Where somebody of the run has a pipe of that inode; undefined where nobody does. The leader is asked first. */
export function pathOfPipe(inode: number, pids: readonly number[]): string | undefined {
  const fs = process.getBuiltinModule("node:fs");
  for (const pid of pids) {
    for (const fd of ["1", "2", ...descriptorsOf(fs, pid)]) {
      const path = `/proc/${pid}/fd/${fd}`;
      if (inodeOfPipe(path) === inode) return path;
    }
  }
  return undefined;
}

function descriptorsOf(fs: typeof import("node:fs"), pid: number): string[] {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`);
  } catch {
    return []; // it has ended meanwhile, or is another user's
  }
}

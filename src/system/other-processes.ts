/**
 * Other processes of this machine: what one is, and whether it is still the same.
 */
import type { WriterProcess } from "../model/provenance.ts";
import { readFileStart } from "./files.ts";

/** `stopped`: it is there, but was halted (SIGSTOP, a debugger's user) and does nothing. */
export type ProcessLife = "alive" | "stopped" | "dead";

/**
 * Whether a process that was seen before still lives. A later process with its pid is not it.
 * Where /proc hides it (hidepid=), a process with that pid counts as alive, because no more can be known.
 */
export function lifeOf({ pid, startTicks }: WriterProcess): ProcessLife {
  const stat = readStat(pid);
  if (stat === undefined) return signalProcess(pid, 0) ? "alive" : "dead";
  if (stat.startTicks !== startTicks) return "dead";
  if (stat.state === "Z" || stat.state === "X") return "dead";
  return stat.state === "T" ? "stopped" : "alive";
}

let own: ProcessStat | undefined;

/** What a process is; undefined if there is none, or /proc hides it. Of this process it is read once. */
export function findProcess(pid: number): (WriterProcess & { readonly parentPid: number }) | undefined {
  const stat = pid === process.pid ? (own ?? readStat(pid)) : readStat(pid);
  if (pid === process.pid) own = stat;
  if (stat === undefined) return undefined;
  const { name, startTicks, parentPid } = stat;
  return { name, pid, startTicks, parentPid };
}

/** What /proc tells of a process. */
export interface ProcessStat {
  readonly name: string;
  /** One letter: `R`, `S`, `T`, `Z`, … */
  readonly state: string;
  readonly parentPid: number;
  readonly groupId: number;
  readonly sessionId: number;
  /** The kernel's PF_… */
  readonly flags: number;
  readonly startTicks: number;
}

const decoder = new TextDecoder();

/** @returns undefined if there is no such process, or /proc hides it */
export function readStat(pid: number): ProcessStat | undefined {
  const file = readFileStart(`/proc/${pid}/stat`, 1024);
  if (file.error !== undefined) return undefined;
  const text = decoder.decode(file.bytes);
  // PID (NAME) STATE PPID PGRP SESSION …: the name may hold blanks and parentheses.
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const startTicks = Number(fields[19]);
  if (open < 0 || close < open || !Number.isSafeInteger(startTicks)) return undefined;
  return {
    name: text.slice(open + 1, close),
    state: fields[0] ?? "",
    parentPid: Number(fields[1]),
    groupId: Number(fields[2]),
    sessionId: Number(fields[3]),
    flags: Number(fields[6]),
    startTicks,
  };
}

/**
 * Sends a signal; 0 only asks.
 * @param pid a process, or with a minus its group
 * @returns false where there is no such process
 */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    // EPERM: it runs as another user; it is there all the same.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

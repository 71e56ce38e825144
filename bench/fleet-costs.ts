/**
 * What rcrond costs the machine with all that it has started: processor time, and memory.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Of processes, in MB, a million bytes. */
export interface MemoryCost {
  /** Each one's share of what several have (PSS), of itself and of all that it has started. */
  readonly ownMB: number;
  readonly startedMB: number;
  /** With shared pages counted for each (RSS). */
  readonly ownResidentMB: number;
  readonly startedResidentMB: number;
  /** How many it has started. */
  readonly count: number;
}

/** In ms, since the start. */
export interface CpuCost {
  /** Of the process itself, all its threads; counted in steps of 10. */
  readonly ownMs: number;
  /** Of all that it has started, gone or not. */
  readonly startedMs: number;
}

/** What a process and its descendants have in memory now. */
export function memoryOf(pid: number): MemoryCost {
  const started = descendantsOf(pid);
  const sum = (pids: readonly number[], key: string) =>
    pids.reduce((all, each) => all + bytesOf(readProcess(each, "smaps_rollup"), key), 0) / 1e6;
  return {
    ownMB: sum([pid], "Pss"),
    startedMB: sum(started, "Pss"),
    ownResidentMB: sum([pid], "Rss"),
    startedResidentMB: sum(started, "Rss"),
    count: started.length,
  };
}

/** The processor time of a process and of its descendants. Those have one thread each. */
export function cpuOf(pid: number): CpuCost {
  const own = cpuTicks(readProcess(pid, "stat"));
  let startedMs = own.waitedFor * 10;
  for (const each of descendantsOf(pid)) {
    startedMs += Number(readProcess(each, "schedstat").split(" ")[0]) / 1e6;
    startedMs += cpuTicks(readProcess(each, "stat")).waitedFor * 10;
  }
  return { ownMs: own.own * 10, startedMs };
}

/** What lies between two looks. */
export function cpuBetween(before: CpuCost, after: CpuCost): CpuCost {
  return { ownMs: after.ownMs - before.ownMs, startedMs: after.startedMs - before.startedMs };
}

/** All that a process has started, and what those have, as far as they are there. */
function descendantsOf(pid: number): number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    readProcess(pid, `task/${thread}/children`).trim().split(" ").filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended since it was seen
  }
}

/** Empty where it has ended since it was seen. */
function readProcess(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

function cpuTicks(stat: string): { readonly own: number; readonly waitedFor: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const sum = (at: number) => Number(fields[at] ?? 0) + Number(fields[at + 1] ?? 0);
  return { own: sum(11), waitedFor: sum(13) };
}

/** Of a line `Key:   1234 kB`. */
function bytesOf(smaps: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(smaps)?.[1] ?? 0) * 1024;
}

/**
 * What a daemon is made of: what the wiring hands to it, and a test hands in fakes for.
 */
import type { Problem } from "../model/problem.ts";
import type { Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { Executor, Gate, Recorder } from "./executor.ts";
import type { TickBook } from "./tick-book.ts";

/** The machine's clock, and timers by it. */
export interface DaemonClock {
  nowMs(): number;
  /** Calls once after so many milliseconds of the clock that does not step. */
  after(ms: number, call: () => void): { cancel(): void };
}

/** Jobs, as the files say them. */
export interface KnownJobs {
  readonly jobs: ReadonlyMap<string, ScheduledJob>;
  readonly fileCount: number;
  /** What could not be read as it stands. */
  readonly broken: readonly { readonly path: string; readonly problems: readonly Problem[] }[];
}

/** What a daemon is made of. */
export interface DaemonOptions {
  readonly zone: Zone;
  readonly hostName: string;
  /** Differs after each start of the machine; undefined: not known. */
  readonly boot: string | undefined;
  /** How many runs may go on at once; undefined: any number. */
  readonly concurrency: number | undefined;
  /** How long {@link Daemon.drain} waits for the runs that go on. */
  readonly stopTimeoutMs: number;
  /** When this machine becomes active, nobody may have run the ticks of so long before. */
  readonly lookBackMs: number;
  readonly clock: DaemonClock;
  readonly executor: Executor;
  readonly recorder: Recorder;
  readonly gate: Gate;
  readonly book: TickBook;
  readonly log: (level: "info" | "warning", sentence: string) => void;
  /** For jitter: 0 ≤ x < 1. */
  readonly random: () => number;
}

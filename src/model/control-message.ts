/**
 * What `rcronctl` and `rcrond` say to each other over the Unix socket: one line of JSON for the request, one for each
 * thing told in answer. The last line is `done` or `refused`; a connection carries one request.
 *
 * Requests are read strictly: a key that is not known could change what is meant. Of answers, keys that are not known are
 * left out, so that an older `rcronctl` understands a later `rcrond`. control-lines.ts has both parsers.
 */
import type { Pause } from "./pause.ts";
import type { ProblemCode } from "./problem.ts";

/** What is asked for. */
export type ControlRequest =
  | { readonly ask: "status" | "jobs" | "nodes" | "reload" }
  /** The coming ticks of one job, or the next one of each. */
  | { readonly ask: "next"; readonly job?: string; readonly count?: number }
  /** Starts a job now. With `follow` the answer lasts until the run is over. */
  | { readonly ask: "run"; readonly job: string; readonly follow?: boolean }
  /** Ends a run: its id, or the first characters of it where no other run that goes on begins so. */
  | { readonly ask: "stop"; readonly run: string }
  /** Without `job`: all jobs. */
  | { readonly ask: "pause"; readonly job?: string; readonly untilMs: number; readonly why: string }
  | { readonly ask: "resume"; readonly job?: string }
  /** Asks a node whether it is there, or without `node` all of them; each that answers is told as it does. */
  | { readonly ask: "test-nodes"; readonly node?: string };

/** One line of an answer. */
export type ControlAnswer =
  /** The last line where it could not be done: a Problem. */
  | { readonly told: "refused"; readonly code: ProblemCode; readonly message: string; readonly hint?: string }
  /** The last line: what was asked for. */
  | { readonly told: "done"; readonly result: ControlResult }
  /** `run --follow`: the request has been taken up, and the rest may take its time. */
  | { readonly told: "heard" }
  /** `run --follow`: the run has its turn. */
  | { readonly told: "started"; readonly run: string }
  /** `run --follow`: what it printed, in base64. */
  | { readonly told: "output"; readonly bytes: string }
  /** `test-nodes`, the first line: the nodes that are asked. */
  | { readonly told: "testing"; readonly nodes: readonly string[] }
  /** `test-nodes`: a node has answered, or will not. */
  | ({ readonly told: "node" } & NodeTest);

/** By the request's word. */
export type ControlResult =
  | { readonly kind: "status"; readonly status: DaemonStatus }
  | { readonly kind: "jobs"; readonly jobs: readonly JobFacts[] }
  | { readonly kind: "next"; readonly jobs: readonly NextFacts[] }
  /** `exitStatus`: what `rcronctl run --follow` ends with; without `follow` the run has only been queued, and there is none. */
  | { readonly kind: "run"; readonly run: string; readonly sentence: string; readonly exitStatus?: number }
  | { readonly kind: "stop"; readonly run: string; readonly job: string }
  | { readonly kind: "pause"; readonly pauses: readonly Pause[] }
  | { readonly kind: "resume"; readonly ended: readonly Pause[] }
  /** The counts are those of jobs; `nodes` is there where there are nodes, or were. */
  | ({
      readonly kind: "reload";
      readonly nodes?: ChangeCounts;
      readonly broken: readonly string[];
    } & ChangeCounts)
  | { readonly kind: "nodes"; readonly nodes: readonly NodeFacts[] }
  /** `tested` counts the failed ones too. */
  | { readonly kind: "test-nodes"; readonly tested: number; readonly failed: number };

/** How many are different from before. */
export interface ChangeCounts {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

/** How the daemon is. */
export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  readonly sinceMs: number;
  readonly host: string;
  readonly cluster: string;
  /** The gate's verdict, for jobs with `cluster`. */
  readonly state: string;
  readonly stateSentence: string;
  readonly jobs: number;
  readonly files: number;
  /** Files and folders that could not be read as they stand, each a sentence with its place. */
  readonly broken: readonly string[];
  readonly running: readonly RunFactsNow[];
  /** Runs whose turn has not come: put off by splay, or because there are too many at once. */
  readonly waiting: number;
  /** Undefined: unbounded. */
  readonly concurrency?: number;
  readonly pauses: readonly Pause[];
  /** The next tick of any job. */
  readonly nextMs?: number;
  /** Where there are nodes: how many, and the names of those that are down. */
  readonly nodes?: { readonly count: number; readonly down: readonly string[] };
  /** It ends as soon as its runs have. */
  readonly isDraining: boolean;
  /** What it can't do as asked, each a sentence: no record, no book, no log. */
  readonly warnings: readonly string[];
}

/** A run that goes on. */
export interface RunFactsNow {
  readonly run: string;
  readonly job: string;
  readonly sinceMs: number;
  readonly tickMs: number;
  readonly pid?: number;
  /** The nodes on which it goes on; missing: it is a run of this machine, or waits for a node. */
  readonly nodes?: readonly string[];
  /** Nothing of it was started yet: it waits for a node, an earlier run, or its condition. */
  readonly isWaiting?: boolean;
}

/** A job as the daemon has it. */
export interface JobFacts {
  readonly job: string;
  /** `FILE:LINE`. */
  readonly where: string;
  readonly schedule: string;
  readonly nextMs?: number;
  readonly running: number;
  readonly waiting: number;
  readonly isCluster: boolean;
  readonly pausedUntilMs?: number;
  readonly description?: string;
  /** On which nodes it runs: `any of web, db1`; missing: on this machine. */
  readonly on?: string;
}

/** When a job is due. */
export interface NextFacts {
  readonly job: string;
  readonly where: string;
  readonly schedule: string;
  readonly nextMs: readonly number[];
  /** Whose clocks it goes by; missing: those of whoever reads it. */
  readonly zone?: string;
  /** What is to be known of all of them; sentences. */
  readonly about?: readonly string[];
  /** What is odd about single ones; `at` is the place in `nextMs`. */
  readonly notes?: readonly { readonly at: number; readonly note: string }[];
  /** Why the next one would not be started as things are: paused, passive machine; a sentence. */
  readonly but?: string;
  /** As in {@link JobFacts}. */
  readonly on?: string;
}

/** A node as the daemon knows it. */
export interface NodeFacts {
  readonly node: string;
  /** `FILE:LINE`. */
  readonly where: string;
  readonly roles: readonly string[];
  readonly connection: "ssh" | "local" | "command";
  /** What a person knows it by: `user@host:port` as far as they are said, or the program with its words. */
  readonly address: string;
  /** A node counts as up until it proves otherwise. */
  readonly isUp: boolean;
  /** Whether there is a connection now; one that nobody has needed is none. */
  readonly isConnected: boolean;
  /** Since when it is up or down, as far as the daemon knows. */
  readonly sinceMs: number;
  /** Why it is down, and what can be done about it; sentences. */
  readonly why?: string;
  readonly hint?: string;
  /** When it is asked again. */
  readonly nextCheckMs?: number;
  /** The runs that go on there. */
  readonly running: number;
  /** How many it may have at once; missing: as many as any node. */
  readonly runsAtOnce?: number;
}

/** What came of asking a node. */
export interface NodeTest {
  readonly node: string;
  /** How long that took. */
  readonly ms: number;
  /** Why it is down, and what can be done about it; without `why` it is up. */
  readonly why?: string;
  readonly hint?: string;
}

/**
 * What a run on a node is known by, what it needs of the outside, and what of its progress outlives us.
 */
import type { Outcome } from "../../model/outcome.ts";
import type { StreamName } from "./node-script.ts";
import type { Positions } from "./run-output.ts";

/** What a run needs of the outside. */
export interface RemotePorts {
  /** @param bytes valid during the call alone @returns false to be given no more until `resumeOutput` of the run */
  readonly onBytes: (stream: StreamName, bytes: Uint8Array) => boolean;
  /** The job's process is there, or was. Told once. */
  readonly onStarted: () => void;
  /** How it ended, before anything of it is removed from the node. */
  readonly onEnd?: ((outcome: Outcome) => void) | undefined;
  /** What could not be done as asked; a sentence. */
  readonly onWarning: (sentence: string) => void;
  /** Where the job starts, for messages. */
  readonly workingFolder?: string | undefined;
  /** How long the node may be away, with the run's fate unknown; 24 hours. */
  readonly awayMs?: number | undefined;
  /**
   * How long the node may take to reach its shell, to start the job then, or to say how a run stands, before the connection is not
   * trusted any more; a minute.
   */
  readonly answerMs?: number | undefined;
  /** How long a receiver that has no room is waited for at the end; a minute. */
  readonly readerMs?: number | undefined;
}

/** Which run it is. */
export interface RemoteIdentity {
  /** As its processes have it in RCRON_RUN_ID. */
  readonly runId: string;
  /** From 1; with the run's id, it names the files on the node. */
  readonly attempt: number;
  readonly isStderrApart: boolean;
}

/** How far a run has come, for who may have to pick it up. */
export interface Progress {
  readonly positions: Positions;
  /** True where the node has told that the job was started. */
  readonly isStarted: boolean;
  /** The node's boot; undefined where it has not even been asked. */
  readonly bootId?: string | undefined;
}

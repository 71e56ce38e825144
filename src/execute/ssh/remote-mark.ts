/**
 * A run on a node, as another process can find it again when the one that watches it has been killed.
 */
import { count, flag, instant, object, oneOf, parseObject, text, whole } from "../../model/json-reader.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Progress } from "./remote-run-terms.ts";

/** What must be kept of a started run, for another process to pick it up. */
export interface RemoteMark extends Progress {
  readonly runId: string;
  /** From 1; a condition counts. */
  readonly attempt: number;
  readonly isStderrApart: boolean;
  /** When this attempt was started, in milliseconds since 1970. */
  readonly startedAtMs: number;
  /** It is the job's condition, and not the job. */
  readonly isCondition?: boolean;
  /** How it ended, where that is known; the node's files of it may be gone. */
  readonly end?: KnownEnd;
}

/** An end that the node has told, as a shell does: 128 and the signal; undefined where nobody could tell. */
export interface KnownEnd {
  readonly kind: "exited" | "signalled" | "unseen";
  /** The exit status, or the signal. */
  readonly number: number;
}

/** @returns undefined for what was not started: to find that out again does no harm */
export function knownEnd(outcome: Outcome): KnownEnd | undefined {
  if (outcome.kind === "not-started") return undefined;
  if (outcome.kind === "unseen") return { kind: "unseen", number: 0 };
  return { kind: outcome.kind, number: outcome.kind === "exited" ? outcome.exitCode : outcome.signal };
}

/** The outcome again. */
export function outcomeOfEnd({ kind, number }: KnownEnd): Outcome {
  if (kind === "unseen") return { kind };
  return kind === "exited" ? { kind, exitCode: number } : { kind, signal: number };
}

const markLimit = 1000;
const position = object({ chunk: count, offset: count });
const readMark = object(
  {
    runId: (value) => (typeof value === "string" && /^[0-9a-f]{16}$/.test(value) ? value : undefined),
    attempt: whole(1, 1_000_000),
    isStderrApart: flag,
    startedAtMs: instant,
    isStarted: flag,
    positions: object({}, { o: position, e: position }),
  },
  {
    bootId: text(100),
    isCondition: flag,
    end: object({ kind: oneOf(["exited", "signalled", "unseen"]), number: whole(0, 255) }),
  },
);

/** @returns undefined for anything but a mark in JSON; unknown keys are left out */
export function parseRemoteMark(line: string): RemoteMark | undefined {
  return line.length > markLimit ? undefined : readMark(parseObject(line));
}

/**
 * A run on a node, as another process can find it again when the one that watches it has been killed.
 */
import { count, flag, instant, object, parseObject, text, whole } from "../../model/json-reader.ts";
import type { Progress } from "./remote-run.ts";

/** What must be kept of a started run, for another process to pick it up. */
export interface RemoteMark extends Progress {
  readonly runId: string;
  /** From 1; a condition counts. */
  readonly attempt: number;
  readonly isStderrApart: boolean;
  /** When this attempt was started, in milliseconds since 1970. */
  readonly startedAtMs: number;
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
  { bootId: text(100) },
);

/** @returns undefined for anything but a mark in JSON; unknown keys are left out */
export function parseRemoteMark(line: string): RemoteMark | undefined {
  return line.length > markLimit ? undefined : readMark(parseObject(line));
}

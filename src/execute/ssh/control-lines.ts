/**
 * What the scripts of node-script.ts tell of a run, line by line.
 */
import { chunkLimit, fullChunkBytes, type StreamName } from "./node-script.ts";

/** A process of the node: its pid alone may be another one's by now. */
export interface NodeProcess {
  readonly pid: number;
  /** As /proc tells it. */
  readonly startTicks: number;
}

/** One line. */
export type ControlLine =
  /** What boot of the node it is. */
  | { readonly kind: "boot"; readonly bootId: string }
  | { readonly kind: "setsid"; readonly path: string }
  | { readonly kind: "folder"; readonly path: string }
  /** The script that is to start the job is there, and owns the run. */
  | { readonly kind: "begun"; readonly bootId: string; readonly process: NodeProcess }
  /** The job's process, a moment before it is the job. */
  | { readonly kind: "started"; readonly process: NodeProcess }
  /** A file of output is full. */
  | { readonly kind: "chunk"; readonly stream: StreamName; readonly chunk: number; readonly bytes: number }
  /** All output was read, and stands in the files up to this one; cut where the node had no room. */
  | {
      readonly kind: "drained";
      readonly stream: StreamName;
      readonly chunk: number;
      readonly bytes: number;
      readonly isCut: boolean;
    }
  /** As a shell tells it: 128+N for signal N. */
  | { readonly kind: "exit"; readonly status: number }
  /** It has ended, and how can't be told. */
  | { readonly kind: "unclear" }
  /** It could not be executed; or its folder is not to be had. */
  | { readonly kind: "not-started"; readonly status: number; readonly isFolder?: true }
  | { readonly kind: "alive"; readonly who: "script" | "job"; readonly process: NodeProcess }
  /** How many processes could not be ended. */
  | { readonly kind: "left"; readonly count: number }
  /**
   * `taken`: somebody else owns the run. `void`: it never was, and never will be. `nofolder`: no file can be made. `input`: its
   * input did not come whole. `gone`: there is no such file. `live`: all there was has been told. `end`: no more comes.
   */
  | { readonly kind: "taken" | "void" | "nofolder" | "input" | "gone" | "live" | "end" };

const longestBootId = 100;

/** @returns undefined for a line that is none of ours */
export function parseControlLine(line: string): ControlLine | undefined {
  const [word = "", ...rest] = line.split(" ");
  const behind = line.slice(word.length + 1);
  switch (word) {
    case "boot":
      return behind.length <= longestBootId ? { kind: "boot", bootId: behind } : undefined;
    case "setsid":
    case "folder":
      return { kind: word, path: behind };
    case "b": {
      const process = parseStat(rest.slice(1).join(" "));
      return process && { kind: "begun", bootId: rest[0] ?? "", process };
    }
    case "p": {
      const process = parseStat(behind);
      return process && { kind: "started", process };
    }
    case "alive": {
      const process = parseStat(rest.slice(1).join(" "));
      return process && { kind: "alive", who: rest[0] === "b" ? "script" : "job", process };
    }
    case "c":
    case "d":
      return outputLine(word, rest);
    case "x":
      return statusOf(rest[0], (status) => ({ kind: "exit", status }));
    case "q":
      return statusOf(rest[0], (status) => ({
        kind: "not-started",
        status,
        ...(rest[1] === "cd" && { isFolder: true }),
      }));
    case "left":
      return numbered(rest[0], (count) => ({ kind: "left", count }));
    case "n":
      return rest[0] === "input" ? { kind: "input" } : undefined;
    case "taken":
    case "void":
    case "nofolder":
    case "gone":
    case "live":
    case "end":
      return { kind: word };
    default:
      return undefined;
  }
}

function outputLine(word: "c" | "d", [stream, chunkText, bytesText, cut]: string[]): ControlLine | undefined {
  if (stream !== "o" && stream !== "e") return undefined;
  const [chunk, bytes] = [Number(chunkText), Number(bytesText)];
  if (!Number.isSafeInteger(chunk) || !Number.isSafeInteger(bytes) || chunk < 0 || bytes < 0)
    return undefined;
  if (bytes > chunkLimit) return undefined;
  if (word === "c") return bytes < fullChunkBytes ? undefined : { kind: "chunk", stream, chunk, bytes };
  return { kind: "drained", stream, chunk, bytes, isCut: cut === "cut" };
}

/** No shell knows a higher one. Whatever else is told, it is told of an end, and must not be waited for any longer. */
function statusOf(text: string | undefined, line: (status: number) => ControlLine): ControlLine {
  const told = numbered(text, (status) => (status <= 255 ? line(status) : undefined));
  return told ?? { kind: "unclear" };
}

function numbered(
  text: string | undefined,
  line: (value: number) => ControlLine | undefined,
): ControlLine | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? line(Number(text)) : undefined;
}

const startTimeField = 19; // behind the name, which may hold anything

/** A line of /proc/PID/stat; a node without /proc has none, and then the process is nobody that can be found again. */
function parseStat(text: string): NodeProcess | undefined {
  if (text === "") return { pid: 0, startTicks: 0 };
  const pid = Number.parseInt(text, 10);
  const startTicks = Number(text.slice(text.lastIndexOf(") ") + 2).split(" ")[startTimeField]);
  return pid > 0 && Number.isSafeInteger(startTicks) ? { pid, startTicks } : undefined;
}

/** True for the very same process. */
export function isSameProcess(one: NodeProcess | undefined, other: NodeProcess | undefined): boolean {
  return one !== undefined && one.pid === other?.pid && one.startTicks === other.startTicks;
}

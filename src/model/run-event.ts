/**
 * The record's events: what the journal has a line for. A run is a `start` and an `end`; a run that did not happen is a
 * `skip`. An event without its end tells of a run that goes on, or was interrupted.
 *
 * A line is a JSON object. Readers pass over keys that they don't know, and later versions only ever add some.
 */
import { parseCommand } from "./job.ts";
import { Problem } from "./problem.ts";

/** A job is about to start; written before it does, so that not even a power cut leaves a run without a trace. */
export interface StartEvent extends EventContext {
  readonly kind: "start";
  readonly run: string;
  /** The process that watches the run: with `ticks` (of its start) and `boot` it can't be taken for another one. */
  readonly pid: number;
  readonly ticks?: number;
  readonly boot?: string;
  /** The job's user where it is not the record's owner. */
  readonly user?: string;
  /** Its job is on nodes, and goes on there when the watching process is gone; missing: on this machine. */
  readonly onNodes?: boolean;
}

/** A job has ended. */
export interface EndEvent {
  readonly kind: "end";
  readonly run: string;
  readonly at: number;
  /** From the first attempt's start to the last one's end, in milliseconds. */
  readonly ms: number;
  readonly ok: boolean;
  /** What made it a failure, or would have. */
  readonly cause: EndCause;
  /** Of the last attempt. None where the job was ended by a signal or never started. */
  readonly exit?: number;
  readonly signal?: number;
  /** For people: why it could not be started, or who ended it. */
  readonly sentence?: string;
  /** How often it was started; missing: once. */
  readonly attempts?: number;
  readonly output?: RecordedOutput;
  /** Something that the job started still held its output when the run was over. */
  readonly detached?: boolean;
  /** Processes of the job's tree that outlived KILL. */
  readonly survivors?: number;
  /** Processor time of the job and of its children that it waited for, in milliseconds. */
  readonly cpuMs?: number;
  /** What became of it on each node, in the order in which they ended; missing for a run on this machine. */
  readonly nodes?: readonly NodeEnd[];
}

/** A run's part on one node. */
export interface NodeEnd {
  readonly node: string;
  readonly result: NodeResult;
  /** As in {@link EndEvent}, as are the next two. */
  readonly exit?: number;
  readonly signal?: number;
  readonly ms: number;
  /** For people: why. */
  readonly sentence?: string;
}

/**
 * What became of a run on a node. `unreachable`: the job was certainly not started. `unknown`: it may have been, and how it ended
 * can't be learned. `skipped`: the node was reached, and the job's condition said no. `stopped`: somebody has ended the run.
 */
export type NodeResult = "success" | "failure" | "unreachable" | "unknown" | "skipped" | "stopped";

/**
 * `exit`: as its exit status says. `stopped`: the machine is no longer active, or an operator wanted it. `clobbered`: for
 * the next run. `unseen`: whoever watched it was killed, and so nobody was there to learn how it ended.
 */
export type EndCause =
  | "exit"
  | "signal"
  | "stderr"
  | "timeout"
  | "not-started"
  | "stopped"
  | "clobbered"
  | "unseen";

/** A run whose watcher was killed is watched by another one now: it goes on, and its end will be told. */
export interface AdoptEvent {
  readonly kind: "adopt";
  readonly run: string;
  readonly at: number;
  /** The new watcher, as in {@link StartEvent}. */
  readonly pid: number;
  readonly ticks?: number;
  readonly boot?: string;
}

/** Head and tail of what a job printed, each gzip in base64. */
export interface RecordedOutput {
  /** All that it printed; of several nodes, with the lines that name them. */
  readonly bytes: number;
  /** Of these, not kept; they stood between head and tail. */
  readonly leftOut: number;
  readonly head: string;
  readonly tail: string;
}

/** A run that was due and did not happen. */
export interface SkipEvent extends EventContext {
  readonly kind: "skip";
  readonly run?: string;
  readonly why: SkipReason;
  /** For people, where `why` and the keys of the state do not tell all. */
  readonly sentence?: string;
  /** `overlap`: the run that holds the lock. */
  readonly holder?: { readonly run?: string; readonly pid?: number; readonly since?: number };
}

/**
 * Why a run did not happen. `paused`: by an operator. `missed`: the scheduler did not work when it was due, and its job's
 * `missed` or `start_deadline` says to leave it at that. `queue`: too many ticks of the job were waiting for their turn.
 */
export type SkipReason =
  | "passive"
  | "overlap"
  | "condition"
  | "failed-before-start"
  | "paused"
  | "missed"
  | "queue";

/** What `start` and `skip` have in common. Times are milliseconds since 1970. */
export interface EventContext {
  readonly at: number;
  /** When it was due. */
  readonly tick: number;
  /** The name given by `--name`; missing: that of the command in `words`. */
  readonly job?: string;
  /** The words behind the prefix; missing where `log_command` or `redact` keep them out, which leaves `text`. */
  readonly words?: readonly string[];
  /** The words were joined for the shell. */
  readonly joined?: boolean;
  /** The command as it may be shown; missing: the words joined with blanks. */
  readonly text?: string;
  readonly cluster: string;
  /** The verdict's reason code, and what the state file said of it. */
  readonly reason: string;
  readonly epoch?: number;
  readonly instance?: string;
  readonly since?: number;
}

/** One line of the journal. */
export type RunEvent = StartEvent | EndEvent | SkipEvent | AdoptEvent;

/** No run has more nodes than this. */
export const nodesLimit = 10_000;
/** A line longer than this is none of ours, in characters. */
export const eventLimit = 4 * 1024 * 1024;

/**
 * Reads a journal line. Total: whatever the text, it returns, and what it returns has the types that it says.
 * Unknown keys are left out; a known key with a value that it can't have makes the line no event.
 * @returns undefined for anything but an event
 */
export function parseEvent(text: string): RunEvent | undefined {
  if (text.length > eventLimit) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // No JSON is no event, which is the answer.
  }
  if (!isObject(value)) return undefined;
  const shape = shapeOf(value["kind"]);
  // Every known key was checked against its type's rule.
  return shape && (pick(value, shape) as RunEvent | undefined);
}

type Check = (value: unknown) => boolean;
/** The rule of each key; a key that ends in `?` may be missing. */
type Shape = Readonly<Record<string, Check>>;

/** Made when it is asked for, because writers of events load this file too, and never need it. */
function shapeOf(kind: unknown): Shape | undefined {
  const isKind = (given: unknown) => given === kind;
  const context: Shape = {
    at: isTime,
    tick: isTime,
    "job?": isText(1024),
    "words?": isWords,
    "joined?": isBoolean,
    "text?": isText(eventLimit),
    cluster: isText(1024),
    reason: isText(200),
    "epoch?": isCount,
    "instance?": isText(1024),
    "since?": isTime,
  };
  switch (kind) {
    case "start":
      return {
        kind: isKind,
        run: isRunId,
        pid: isPid,
        "ticks?": isCount,
        "boot?": isText(100),
        "user?": isText(256),
        "onNodes?": isBoolean,
        ...context,
      };
    case "end":
      return {
        kind: isKind,
        run: isRunId,
        at: isTime,
        ms: isLength,
        ok: isBoolean,
        cause: isOneOf(endCauses),
        "exit?": isUpTo(255),
        "signal?": isUpTo(127),
        "sentence?": isText(64 * 1024),
        "attempts?": isCount,
        "output?": isOutput,
        "detached?": isBoolean,
        "survivors?": isCount,
        "cpuMs?": isLength,
        "nodes?": isNodes,
      };
    case "skip":
      return {
        kind: isKind,
        "run?": isRunId,
        why: isOneOf(skipReasons),
        "sentence?": isText(64 * 1024),
        "holder?": isHolder,
        ...context,
      };
    case "adopt":
      return {
        kind: isKind,
        run: isRunId,
        at: isTime,
        pid: isPid,
        "ticks?": isCount,
        "boot?": isText(100),
      };
    default:
      return undefined;
  }
}

/** @returns undefined where a key breaks its rule */
function pick(value: Record<string, unknown>, shape: Shape): Record<string, unknown> | undefined {
  const picked: Record<string, unknown> = {};
  for (const [name, isRight] of Object.entries(shape)) {
    const isOptional = name.endsWith("?");
    const key = isOptional ? name.slice(0, -1) : name;
    if (isOptional && !Object.hasOwn(value, key)) continue;
    if (!Object.hasOwn(value, key) || !isRight(value[key])) return undefined;
    picked[key] = value[key];
  }
  return picked;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isBoolean: Check = (value) => typeof value === "boolean";
/** What a Date can be: a later time could not even be shown. */
const isTime: Check = (value) => typeof value === "number" && value >= 0 && value <= 8.64e15;
const isLength: Check = (value) => typeof value === "number" && value >= 0 && value <= 8.64e15;
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isPid: Check = (value) => isCount(value) && Number(value) >= 1 && Number(value) < 2 ** 31;
const isUpTo =
  (limit: number): Check =>
  (value) =>
    isCount(value) && Number(value) <= limit;
const isText =
  (limit: number): Check =>
  (value) =>
    typeof value === "string" && value.length <= limit;
const isRunId: Check = (value) => typeof value === "string" && /^[\w.-]{1,64}$/.test(value);
const isWords: Check = (value) => Array.isArray(value) && value.every((word) => typeof word === "string");
const isOneOf =
  (names: Readonly<Record<string, true>>): Check =>
  (value) =>
    typeof value === "string" && Object.hasOwn(names, value);
const isBase64: Check = (value) => typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
const isOutput: Check = (value) =>
  isObject(value) &&
  isCount(value["bytes"]) &&
  isCount(value["leftOut"]) &&
  isBase64(value["head"]) &&
  isBase64(value["tail"]);
const isHolder: Check = (value) =>
  isObject(value) && pick(value, { "run?": isRunId, "pid?": isPid, "since?": isTime }) !== undefined;

const isNodes: Check = (value) =>
  Array.isArray(value) && value.length <= nodesLimit && value.every(isNodeEnd);
const isNodeEnd: Check = (value) =>
  isObject(value) &&
  pick(value, {
    node: isText(100),
    result: isOneOf(nodeResults),
    "exit?": isUpTo(255),
    "signal?": isUpTo(127),
    ms: isLength,
    "sentence?": isText(64 * 1024),
  }) !== undefined;

const nodeResults: Readonly<Record<NodeResult, true>> = {
  success: true,
  failure: true,
  unreachable: true,
  unknown: true,
  skipped: true,
  stopped: true,
};
const endCauses: Readonly<Record<EndCause, true>> = {
  exit: true,
  signal: true,
  stderr: true,
  timeout: true,
  "not-started": true,
  stopped: true,
  clobbered: true,
  unseen: true,
};
const skipReasons: Readonly<Record<SkipReason, true>> = {
  passive: true,
  overlap: true,
  condition: true,
  "failed-before-start": true,
  paused: true,
  missed: true,
  queue: true,
};

/** The job's name in an event: the one given, or the base name of its command. */
export function jobNameOf({ job, words, joined }: EventContext): string {
  if (job !== undefined) return job;
  const command = parseCommand(words ?? [], joined ? "joined" : "words");
  return command instanceof Problem ? "job" : command.name;
}

/** The command in an event, as it may be shown. */
export function commandTextOf({ text, words, job }: EventContext): string {
  return text ?? words?.join(" ") ?? job ?? "";
}

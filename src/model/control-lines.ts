/**
 * The lines between `rcronctl` and `rcrond`, read: what control-message.ts promises, proven. Total and pure.
 */
import type {
  ControlAnswer,
  ControlRequest,
  ControlResult,
  DaemonStatus,
  NodeFacts,
} from "./control-message.ts";
import {
  count,
  flag,
  instant,
  list,
  object,
  oneOf,
  parseObject,
  type Reader,
  text,
  whole,
} from "./json-reader.ts";
import { nearestWord } from "./nearest-word.ts";
import type { Pause } from "./pause.ts";
import { quoted } from "./printable.ts";
import { Problem } from "./problem.ts";

/** A request has at most so many bytes. */
export const requestLimit = 64 * 1024;
/** A line of an answer has at most so many bytes: 100,000 jobs in one fit. */
export const answerLimit = 64 * 1024 * 1024;
/** The coming ticks of a job that can be asked for. */
export const countLimit = 1000;
/** The length of a job's name in a message, in characters. */
const nameLimit = 4096;
/** The length of a sentence for people, in characters. */
const sentenceLimit = 64 * 1024;
/** The length of the reason for a pause, in characters. */
export const pauseWhyLimit = 1000;

const name = text(nameLimit, 1);
const sentence = text(sentenceLimit);
const pid = whole(1, 2 ** 31 - 1);
const runId: Reader<string> = (value) =>
  typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? value : undefined;

/** By the word of the request. */
const requests: Readonly<Record<ControlRequest["ask"], Reader<ControlRequest>>> = {
  status: strict({ ask: oneOf(["status"]) }),
  jobs: strict({ ask: oneOf(["jobs"]) }),
  reload: strict({ ask: oneOf(["reload"]) }),
  next: strict({ ask: oneOf(["next"]) }, { job: name, count: whole(1, countLimit) }),
  run: strict({ ask: oneOf(["run"]), job: name }, { follow: flag }),
  // What a person typed: the daemon says what it finds under it.
  stop: strict({ ask: oneOf(["stop"]), run: name }),
  pause: strict({ ask: oneOf(["pause"]), untilMs: instant, why: text(pauseWhyLimit) }, { job: name }),
  resume: strict({ ask: oneOf(["resume"]) }, { job: name }),
  nodes: strict({ ask: oneOf(["nodes"]) }),
  // As a person typed it, too.
  "test-nodes": strict({ ask: oneOf(["test-nodes"]) }, { node: name }),
};

function strict<
  Required extends Readonly<Record<string, Reader<unknown>>>,
  Optional extends Readonly<Record<string, Reader<unknown>>> = Record<never, never>,
>(required: Required, optional?: Optional) {
  return object(required, optional, "refused");
}

/**
 * Reads a request.
 * @returns the Problem `invalid` for what is none
 */
export function parseRequest(line: string): ControlRequest | Problem {
  const value = parseObject(line);
  if (value === undefined) return new Problem("invalid", "a request must be one line of JSON, an object");
  const ask = value["ask"];
  const known = Object.keys(requests);
  const reader = typeof ask === "string" && Object.hasOwn(requests, ask) ? readerOf(ask) : undefined;
  if (reader === undefined) {
    const given = typeof ask === "string" ? ask : "";
    const near = nearestWord(given, known);
    return new Problem("invalid", `ask must be one of ${known.join(", ")}: got ${quoted(given)}`, {
      ...(near !== undefined && { hint: `did you mean ${near}?` }),
    });
  }
  return (
    reader(value) ??
    new Problem("invalid", `a request for ${ask} must have its own keys and no others: got ${quoted(line)}`)
  );
}

function readerOf(ask: string): Reader<ControlRequest> {
  return requests[ask as ControlRequest["ask"]]; // a key of the table, as the caller has looked
}

/** JSON has no undefined: a pause of all jobs comes without `job`. */
const readPause: Reader<Pause> = (value) => {
  const read = object(
    { sinceMs: instant, untilMs: instant, why: sentence, by: sentence },
    { job: name },
  )(value);
  return read && { ...read, job: read.job };
};

const runNow = object(
  { run: runId, job: name, sinceMs: instant, tickMs: instant },
  { pid, nodes: list(text(100)), isWaiting: flag },
);

const status: Reader<DaemonStatus> = object(
  {
    version: sentence,
    pid,
    sinceMs: instant,
    host: sentence,
    cluster: sentence,
    state: sentence,
    stateSentence: sentence,
    jobs: count,
    files: count,
    broken: list(sentence),
    running: list(runNow),
    waiting: count,
    pauses: list(readPause),
    isDraining: flag,
    warnings: list(sentence),
  },
  { concurrency: count, nextMs: instant, nodes: object({ count, down: list(name) }) },
);

const jobFacts = object(
  { job: name, where: sentence, schedule: sentence, running: count, waiting: count, isCluster: flag },
  { nextMs: instant, pausedUntilMs: instant, description: sentence, on: sentence },
);

const nextFacts = object(
  { job: name, where: sentence, schedule: sentence, nextMs: list(instant) },
  {
    zone: sentence,
    about: list(sentence),
    notes: list(object({ at: count, note: sentence })),
    but: sentence,
    on: sentence,
  },
);

const nodeFacts: Reader<NodeFacts> = object(
  {
    node: name,
    where: sentence,
    roles: list(sentence),
    connection: oneOf(["ssh", "local", "command"]),
    address: sentence,
    isUp: flag,
    isConnected: flag,
    sinceMs: instant,
    running: count,
  },
  { why: sentence, hint: sentence, nextCheckMs: instant, runsAtOnce: count },
);

const changeCounts = { added: count, changed: count, removed: count };

const results: { readonly [Kind in ControlResult["kind"]]: Reader<Extract<ControlResult, { kind: Kind }>> } =
  {
    status: object({ kind: oneOf(["status"]), status }),
    jobs: object({ kind: oneOf(["jobs"]), jobs: list(jobFacts) }),
    next: object({ kind: oneOf(["next"]), jobs: list(nextFacts) }),
    run: object({ kind: oneOf(["run"]), run: runId, sentence }, { exitStatus: whole(0, 255) }),
    stop: object({ kind: oneOf(["stop"]), run: runId, job: name }),
    pause: object({ kind: oneOf(["pause"]), pauses: list(readPause) }),
    resume: object({ kind: oneOf(["resume"]), ended: list(readPause) }),
    reload: object(
      { kind: oneOf(["reload"]), ...changeCounts, broken: list(sentence) },
      { nodes: object(changeCounts) },
    ),
    nodes: object({ kind: oneOf(["nodes"]), nodes: list(nodeFacts) }),
    "test-nodes": object({ kind: oneOf(["test-nodes"]), tested: count, failed: count }),
  };

const readResult: Reader<ControlResult> = (value) => {
  for (const reader of Object.values<Reader<ControlResult>>(results)) {
    const result = reader(value);
    if (result !== undefined) return result;
  }
  return undefined;
};

const codes = ["invalid", "not-found", "conflict", "unreachable", "denied", "internal"] as const;

const answers: {
  readonly [Told in ControlAnswer["told"]]: Reader<Extract<ControlAnswer, { told: Told }>>;
} = {
  refused: object({ told: oneOf(["refused"]), code: oneOf(codes), message: sentence }, { hint: sentence }),
  done: object({ told: oneOf(["done"]), result: readResult }),
  heard: object({ told: oneOf(["heard"]) }),
  started: object({ told: oneOf(["started"]), run: runId }),
  output: object({ told: oneOf(["output"]), bytes: text(answerLimit) }),
  testing: object({ told: oneOf(["testing"]), nodes: list(name) }),
  node: object({ told: oneOf(["node"]), node: name, ms: count }, { why: sentence, hint: sentence }),
};

/**
 * Reads a line of an answer.
 * @returns undefined for what is none
 */
export function parseAnswer(line: string): ControlAnswer | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  for (const reader of Object.values<Reader<ControlAnswer>>(answers)) {
    const answer = reader(value);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

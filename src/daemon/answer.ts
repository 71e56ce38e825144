/**
 * What the daemon answers to `rcronctl`.
 */
import type {
  ControlAnswer,
  ControlRequest,
  ControlResult,
  DaemonStatus,
  JobFacts,
} from "../model/control-message.ts";
import { nearestWord } from "../model/nearest-word.ts";
import type { Pause } from "../model/pause.ts";
import { placementInWords } from "../model/placement.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import { nextFacts, nextTicks, scheduleInWords } from "../schedule/schedule.ts";
import { nodeFacts, nodesInShort, testNodes } from "./answer-nodes.ts";
import type { Daemon } from "./daemon.ts";
import type { KnownJobs } from "./daemon-parts.ts";
import type { Fleet } from "./fleet.ts";
import { pausedSentence } from "./sentences.ts";

/** What only the wiring knows. */
export interface AnswerContext {
  readonly daemon: Daemon;
  /** Undefined: there are no nodes. */
  readonly fleet?: Pick<Fleet, "reports" | "find" | "test" | "whereabouts"> | undefined;
  readonly about: Pick<DaemonStatus, "version" | "pid" | "sinceMs" | "host" | "cluster">;
  readonly warnings: () => readonly string[];
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string;
  readonly reload: () => Promise<Extract<ControlResult, { kind: "reload" }> | Problem>;
}

/** Who asks, and how he is told. */
export interface Asker {
  /** His name, or number. */
  readonly name: string;
  /** A line before the last one. */
  readonly tell: (answer: ControlAnswer) => void;
  /** Aborted when he has gone: what is done for his eyes alone ends then. */
  readonly gone?: AbortSignal | undefined;
}

const longestPauseMs = 30 * 86_400_000;
const pausesLimit = 1000;
const ticksLimit = 1000;
const brokenLimit = 100;

/** Answers a request. Never throws but for a defect. @returns the last line */
export async function answerRequest(
  context: AnswerContext,
  request: ControlRequest,
  asker: Asker,
): Promise<ControlAnswer> {
  const result = await resultOf(context, request, asker);
  if (!(result instanceof Problem)) return { told: "done", result };
  const { code, message, hint } = result;
  return { told: "refused", code, message, ...(hint !== undefined && { hint }) };
}

async function resultOf(
  context: AnswerContext,
  request: ControlRequest,
  asker: Asker,
): Promise<ControlResult | Problem> {
  const { daemon, fleet, clean } = context;
  switch (request.ask) {
    case "status":
      return { kind: "status", status: statusOf(context) };
    case "jobs":
      return { kind: "jobs", jobs: [...daemon.known.jobs.values()].map((job) => jobFacts(daemon, job)) };
    case "next":
      return next(daemon, request.job, request.count ?? (request.job === undefined ? 1 : 10));
    case "run":
      return run(daemon, request.job, request.follow === true, asker);
    case "stop":
      return stop(daemon, request.run, asker);
    case "pause":
      return pause(daemon, request, asker);
    case "resume":
      return resume(daemon, request.job, asker);
    case "reload":
      return context.reload();
    case "nodes":
      return nodeFacts({ fleet, clean });
    case "test-nodes": {
      const { clock } = daemon.options;
      return testNodes({ fleet, clean, clock }, request.node, asker.tell, asker.gone);
    }
  }
}

function statusOf({ daemon, fleet, about, warnings, clean }: AnswerContext): DaemonStatus {
  const { known, queue, options } = daemon;
  const verdict = options.gate.judge();
  const nodes = nodesInShort(fleet);
  const whereabouts = fleet?.whereabouts();
  const nowMs = daemon.nowMs;
  let coming: number | undefined;
  for (const { schedule } of known.jobs.values()) {
    const [tick] = nextTicks(schedule, nowMs, options.zone, 1);
    if (tick !== undefined && (coming === undefined || tick.atMs < coming)) coming = tick.atMs;
  }
  return {
    ...about,
    state: verdict.state,
    stateSentence: verdict.sentence,
    jobs: known.jobs.size,
    files: known.fileCount,
    broken: brokenInWords(known.broken, clean),
    running: [...daemon.runs.all].map(({ run, sinceMs, pid, hasStarted }) => ({
      ...whereOf(run.runId, whereabouts),
      run: run.runId,
      job: run.jobName,
      sinceMs,
      tickMs: run.tick.atMs,
      ...(pid !== undefined && { pid }),
      ...(!hasStarted && { isWaiting: true }),
    })),
    waiting: queue.waiting,
    ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
    pauses: daemon.pauses,
    ...(coming !== undefined && { nextMs: coming }),
    ...(nodes !== undefined && { nodes }),
    isDraining: daemon.isDraining,
    warnings: warnings(),
  };
}

function whereOf(runId: string, whereabouts: ReadonlyMap<string, string[]> | undefined) {
  const nodes = whereabouts?.get(runId);
  return nodes === undefined ? {} : { nodes };
}

/** What is wrong with files, each a sentence with its hint; the first hundred. @param clean takes secrets out of a text */
export function brokenInWords(broken: KnownJobs["broken"], clean: (text: string) => string): string[] {
  return broken
    .flatMap(({ problems }) => problems)
    .slice(0, brokenLimit)
    .map(({ message, hint }) => clean(hint === undefined ? message : `${message} (${hint})`));
}

function jobFacts(daemon: Daemon, job: ScheduledJob): JobFacts {
  const { queue, nowMs, options } = daemon;
  const { name, source, schedule, description, isCluster } = job;
  const [tick] = nextTicks(schedule, nowMs, options.zone, 1);
  const paused = daemon.pauseOf(name);
  return {
    job: name,
    where: `${source.path}:${source.line}`,
    schedule: scheduleInWords(schedule),
    ...(tick !== undefined && { nextMs: tick.atMs }),
    running: queue.goingOf(name),
    waiting: queue.waitingOf(name),
    isCluster,
    ...(paused !== undefined && { pausedUntilMs: paused.untilMs }),
    ...(description !== undefined && { description }),
    ...onNodes(job),
  };
}

/** Where a job runs that is placed on nodes. */
function onNodes({ placement }: ScheduledJob): Pick<JobFacts, "on"> {
  return placement === undefined ? {} : { on: placementInWords(placement) };
}

function next(daemon: Daemon, name: string | undefined, count: number): ControlResult | Problem {
  const { jobs } = daemon.known;
  const asked = name === undefined ? [...jobs.values()] : [jobs.get(name)];
  const [first] = asked;
  if (name !== undefined && first === undefined) return noSuchJob(daemon, name);
  const { nowMs, options } = daemon;
  const ticks = Math.max(1, Math.min(count, ticksLimit));
  return {
    kind: "next",
    jobs: asked.flatMap((job) => {
      if (job === undefined) return [];
      const facts = nextFacts(job, nowMs, options, ticks);
      const but = obstacle(daemon, job, facts.nextMs[0]);
      return [but === undefined ? facts : { ...facts, but }];
    }),
  };
}

/** Why the next tick would not be run as things are. */
function obstacle(daemon: Daemon, job: ScheduledJob, nextMs: number | undefined): string | undefined {
  const paused = daemon.pauseOf(job.name);
  if (paused !== undefined && nextMs !== undefined && nextMs < paused.untilMs) return pausedSentence(paused);
  const verdict = daemon.verdictFor(job);
  if (verdict.state !== "active") return `passive: ${verdict.sentence}`;
  const waiting = [...daemon.runs.all].find(({ run, hasStarted }) => run.jobName === job.name && !hasStarted);
  if (waiting === undefined || job.rules.overlap.mode !== "skip") return undefined;
  return `its run ${waiting.run.runId} still waits to be started`;
}

async function run(
  daemon: Daemon,
  name: string,
  isFollowed: boolean,
  { name: askedBy, tell }: Asker,
): Promise<ControlResult | Problem> {
  if (!daemon.known.jobs.has(name)) return noSuchJob(daemon, name);
  const onOutput = isFollowed
    ? (bytes: Uint8Array) => tell({ told: "output", bytes: Buffer.from(bytes).toString("base64") })
    : undefined;
  const started = daemon.runNow(name, askedBy, onOutput);
  if (started instanceof Problem) return started;
  const { runId, ended } = started;
  daemon.options.log("info", `${name}: started by ${askedBy} (run ${runId})`);
  if (!isFollowed) return { kind: "run", run: runId, sentence: "started" };
  tell({ told: "started", run: runId });
  const { exitStatus, sentence } = await ended;
  return { kind: "run", run: runId, sentence, exitStatus };
}

function stop(daemon: Daemon, text: string, { name }: Asker): ControlResult | Problem {
  const found = daemon.runs.find(text);
  if (found instanceof Problem) return found;
  const { runId, jobName } = found.run;
  daemon.runs.stop(runId, `stopped by ${name}`);
  daemon.options.log("info", `${jobName}: the run ${runId} is stopped by ${name}`);
  return { kind: "stop", run: runId, job: jobName };
}

function pause(
  daemon: Daemon,
  { job, untilMs, why }: Extract<ControlRequest, { ask: "pause" }>,
  { name: by }: Asker,
): ControlResult | Problem {
  if (job !== undefined && !daemon.known.jobs.has(job)) return noSuchJob(daemon, job);
  const sinceMs = daemon.nowMs;
  if (untilMs <= sinceMs || untilMs > sinceMs + longestPauseMs) {
    return new Problem("invalid", "a pause must end within the next 30 days");
  }
  // A second pause of the same job takes the first one's place.
  const others = daemon.pauses.filter((each) => each.job !== job);
  if (others.length >= pausesLimit) {
    return new Problem("conflict", `there must not be more than ${pausesLimit} pauses`, {
      hint: "rcronctl pause all",
    });
  }
  const added: Pause = { job, sinceMs, untilMs, why, by };
  daemon.setPauses([...others, added]);
  daemon.options.log("info", `${job ?? "all jobs"}: ${pausedSentence(added)}`);
  return { kind: "pause", pauses: daemon.pauses };
}

function resume(daemon: Daemon, job: string | undefined, { name }: Asker): ControlResult | Problem {
  // `resume all` ends the pauses of single jobs too.
  const ended = daemon.pauses.filter((each) => job === undefined || each.job === job);
  if (ended.length === 0) {
    const isAll = job !== undefined && daemon.pauses.some((each) => each.job === undefined);
    const rule = job === undefined ? "nothing is paused" : `${quoted(job)} is not paused by itself`;
    return new Problem("not-found", rule, isAll ? { hint: "all jobs are: rcronctl resume all" } : {});
  }
  daemon.setPauses(daemon.pauses.filter((each) => !ended.includes(each)));
  for (const each of ended) daemon.options.log("info", `${each.job ?? "all jobs"}: resumed by ${name}`);
  return { kind: "resume", ended };
}

function noSuchJob(daemon: Daemon, name: string): Problem {
  const near = nearestWord(name, [...daemon.known.jobs.keys()]);
  return new Problem("not-found", `there is no job named ${quoted(name)}`, {
    hint: near === undefined ? "rcronctl jobs lists them" : `did you mean ${near}?`,
  });
}

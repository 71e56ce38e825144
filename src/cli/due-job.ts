/**
 * What a run of the scheduler is started with: a job whose turn has come, as supervision takes it – for this machine, or
 * for a node.
 */
import type { DueRun, RunWatch } from "../daemon/daemon.ts";
import type { HostingPorts, HostingRoom, SupervisedJob, UserTerms } from "../execute/execute.ts";
import type { Assignment, Command, Job } from "../model/job.ts";
import { retryLine } from "../model/log-line.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { redactor } from "../model/redact.ts";
import type { Verdict } from "../model/state.ts";
import type { DaemonLog } from "./daemon-log.ts";
import { environmentFor } from "./run-environment.ts";
import { homeOf, lockFolder } from "./run-supervised.ts";
import type { KnownRun } from "./run-teller.ts";

/** This machine, for who starts jobs on it. */
export interface HerePlace {
  readonly room: Pick<HostingRoom, "asUser">;
  /** What jobs start from, before their own. */
  readonly environment: readonly Assignment[];
  /** This process's own priority: that of jobs for which nobody names another. */
  readonly niceLevel: number;
}

/** A part of a run, on one node. */
export interface NodePart {
  readonly node: string;
  /** As processes of this part have it in their environment: two nodes may be one machine. 16 hexadecimal digits. */
  readonly attemptId: string;
}

/**
 * The job for this machine, with the rights of its user.
 * @param part undefined: the whole run
 * @returns a Problem where the user or the environment can't be had
 */
export function jobHere(known: KnownRun, { room, environment: base, niceLevel }: HerePlace, part?: NodePart) {
  const { due, conf, rules } = known;
  const user = rules.user === undefined ? undefined : room.asUser(rules.user);
  if (user instanceof Problem) return user;
  const environment = environmentOf(known, user, part);
  if (environment instanceof Problem) return environment;
  const home = [...base, ...environment].findLast(({ name }) => name === "HOME")?.value;
  // A crontab's lines start in HOME; where it is missing, as nobody's is, cron starts them nevertheless.
  const isHome = rules.workingFolder === undefined || rules.workingFolder === home;
  const workingFolder = isHome ? homeOf(home) : rules.workingFolder;
  const ownLevel = conf.lines.nice_level === undefined ? niceLevel : conf.niceLevel;
  const job = jobOf(due, environment, rules.niceLevel ?? ownLevel);
  return {
    job,
    rules: { ...rules, workingFolder },
    runId: part?.attemptId ?? due.runId,
    user,
    cluster: conf.clusterName,
    delayMs: 0,
  } satisfies SupervisedJob;
}

/**
 * The job for a node. It has the rights of the user that the node is reached as, and starts in that user's home unless it names
 * another folder.
 * @param login that user, where it is known: a job may name the very same
 * @param base what jobs of this machine start from: its HOME is the folder of a crontab's lines here, and not there
 * @returns a Problem where the job must have other rights, or its environment can't be had
 */
export function jobThere(
  known: KnownRun,
  part: NodePart,
  login: string | undefined,
  base: readonly Assignment[],
): (SupervisedJob & { readonly niceLevel: number | undefined }) | Problem {
  const { due, conf, rules } = known;
  if (rules.user !== undefined && rules.user !== login) {
    return new Problem(
      "invalid",
      `a job on a node has the rights of the user that the node is reached as: got user ${rules.user}`,
      { hint: `leave out user, or set user = ${rules.user} for the node ${part.node}` },
    );
  }
  const environment = environmentOf(known, undefined, part);
  if (environment instanceof Problem) return environment;
  const home = [...base, ...environment].findLast(({ name }) => name === "HOME")?.value;
  const workingFolder = rules.workingFolder === home ? undefined : rules.workingFolder;
  return {
    job: jobOf(due, environment, 0),
    rules: { ...rules, user: undefined, workingFolder },
    runId: part.attemptId,
    user: undefined,
    cluster: conf.clusterName,
    delayMs: 0,
    niceLevel: rules.niceLevel ?? (conf.lines.nice_level === undefined ? undefined : conf.niceLevel),
  };
}

/**
 * A run that goes on already, for who watches it: nothing of it is to be started.
 * @param runId as its processes have it in their environment
 */
export function jobGoing({ due, rules, conf }: KnownRun, runId: string, niceLevel = 0) {
  return {
    job: jobOf(due, [], niceLevel),
    rules,
    runId,
    user: undefined,
    cluster: conf.clusterName,
    delayMs: 0,
  } satisfies SupervisedJob;
}

function environmentOf(known: KnownRun, user: UserTerms | undefined, part: NodePart | undefined) {
  const own = known.due.job?.environment ?? [];
  return environmentFor(factsOf(known), known.rules, user, [...partEnvironment(part), ...own]);
}

function partEnvironment(part: NodePart | undefined): Assignment[] {
  if (part === undefined) return [];
  return [
    { name: "RCRON_NODE", value: part.node },
    { name: "RCRON_ATTEMPT_ID", value: part.attemptId },
  ];
}

function factsOf({ due, conf }: KnownRun) {
  return {
    cluster: conf.clusterName,
    stateEpoch: due.verdict.epoch,
    runId: due.runId,
    dueAtMs: due.tick.atMs,
    dueUnitMs: 1000,
  } as const;
}

/** @param environment on top of what it inherits */
function jobOf(due: DueRun, environment: readonly Assignment[], niceLevel: number): Job {
  return { name: due.jobName, command: commandOf(due), environment, niceLevel, stdin: due.job?.stdin };
}

/** Of a job whose file is gone nothing is started any more. */
function commandOf({ job }: DueRun): Command {
  return job?.command ?? { kind: "words", words: ["false"] };
}

/** What the ports of all runs are made of. */
export interface PortSettings {
  readonly log: DaemonLog;
  /** Undefined: no record is kept. */
  readonly recordFolder: () => string | undefined;
  /** Asks the gate again, for a job with `cluster`. */
  readonly judge: () => Verdict;
}

/** What a run needs of the outside, wherever it is started. @param name what the log calls it */
export function portsOf(
  { log, recordFolder, judge }: PortSettings,
  { due, conf, context }: KnownRun,
  watch: RunWatch,
  name = due.jobName,
): Omit<HostingPorts, "hosting" | "onStart"> {
  const clean = redactor(conf.redact);
  const shown = printable(name);
  return {
    // As the files' `output none` says it: to the daemon's own.
    usualOutputs: [{ isIfError: false, sink: { kind: "cron" } }],
    lockFolder: lockFolder(),
    holdFolders: [recordFolder(), "/var/tmp", "/tmp"].filter((path) => path !== undefined),
    mayRun: () => (due.job?.isCluster === true ? judge() : due.verdict),
    lost: watch.stop,
    lostGraceMs: conf.stopGraceMs,
    stopSentence: watch.stopSentence,
    ...(watch.onOutput !== undefined && { onOutput: watch.onOutput }),
    onRetry: (attempt, delayMs) => log.warn(retryLine(context, attempt, delayMs)),
    onWarning: (sentence) => log.warn(`${shown}: ${sentence}`),
    logLine: (line) => log.info(`${shown}: ${clean(line)}`),
    isLogBusy: () => log.isBusy,
  };
}

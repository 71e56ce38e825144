/**
 * A run that the scheduler starts: the wiring of supervision, log, record and notification, as run-supervised.ts is for
 * the prefix. One object serves all runs of a daemon.
 */
import type { DueRun, Executor, Recorder, RunResult, RunWatch, SkippedRun } from "../daemon/daemon.ts";
import type { Hosted, Hosting, HostingPorts, HostingRoom, RunEnd } from "../execute/execute.ts";
import type { Conf } from "../gate/gate.ts";
import { appendEvent, loadSentences } from "../history/history.ts";
import { type Assignment, argvOf, type Command, type Job } from "../model/job.ts";
import { endLine, ignoreLine, type LineContext, retryLine, skipLine, startLine } from "../model/log-line.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { redactor } from "../model/redact.ts";
import { noRules, type Rules } from "../model/rules.ts";
import type { EndEvent, EventContext, RunEvent } from "../model/run-event.ts";
import type { Verdict } from "../model/state.ts";
import { announceEnd, announceStart, isAnyoneTold, sendWhatIsDue } from "../notify/notify.ts";
import type { DaemonLog } from "./daemon-log.ts";
import { shownCommand } from "./named-run.ts";
import { environmentFor } from "./run-environment.ts";
import { watcher } from "./run-events.ts";
import {
  exitStatusOfRun,
  homeOf,
  lockFolder,
  notifySettings,
  skipFacts,
  supervisedEnd,
} from "./run-supervised.ts";
import { ownFailure } from "./terminal.ts";

/** What all runs have in common; the configuration may be exchanged while they go on. */
export interface ScheduledRunsOptions {
  readonly room: HostingRoom;
  readonly hosting: Hosting;
  readonly log: DaemonLog;
  readonly hostName: string;
  /** What jobs start from, before their own. */
  readonly environment: readonly Assignment[];
  /** This process's own priority: that of jobs for which nobody names another. */
  readonly niceLevel: number;
  readonly conf: () => Conf;
  readonly confPath: string | undefined;
  /** Undefined: no record is kept. */
  readonly recordFolder: () => string | undefined;
  /** Asks the gate again, for a job with `cluster`. */
  readonly judge: () => Verdict;
}

/** All that is known of a run before it begins. */
interface Known {
  readonly due: DueRun;
  readonly conf: Conf;
  readonly rules: Rules;
  readonly context: LineContext;
  readonly commandText: string;
}

/** The outbox is looked through so often at most by runs that put nothing into it. */
const betweenDueLooksMs = 10_000;

/** Runs what is due, and records what is not run. */
export class ScheduledRuns implements Executor, Recorder {
  readonly #options: ScheduledRunsOptions;
  #trouble: string | undefined;
  #lastTurn: Promise<void> = Promise.resolve();
  #dueLookMs = Number.NEGATIVE_INFINITY;

  constructor(options: ScheduledRunsOptions) {
    this.#options = options;
  }

  /** Why the record is not kept now, in a sentence; undefined where it is. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  async run(due: DueRun, watch: RunWatch): Promise<RunResult> {
    const known = this.#know(due);
    const { conf, rules } = known;
    const { room, niceLevel } = this.#options;
    if (due.job?.placement !== undefined) return this.#end(known, { kind: "refused", problem: noNodes() });
    const user = rules.user === undefined ? undefined : room.asUser(rules.user);
    if (user instanceof Problem) return this.#end(known, { kind: "refused", problem: user });
    const facts = {
      cluster: conf.clusterName,
      stateEpoch: due.verdict.epoch,
      runId: due.runId,
      dueAtMs: due.tick.atMs,
      dueUnitMs: 1000,
    } as const;
    const environment = environmentFor(facts, rules, user, due.job?.environment ?? []);
    if (environment instanceof Problem) return this.#end(known, { kind: "refused", problem: environment });
    const job: Job = {
      name: due.jobName,
      command: commandOf(due),
      environment,
      niceLevel: rules.niceLevel ?? (conf.lines.nice_level === undefined ? niceLevel : conf.niceLevel),
      stdin: due.job?.stdin,
    };
    const home = [...this.#options.environment, ...environment].findLast(
      ({ name }) => name === "HOME",
    )?.value;
    // A crontab's lines start in HOME; where it is missing, as nobody's is, cron starts them nevertheless.
    const isHome = rules.workingFolder === undefined || rules.workingFolder === home;
    const workingFolder = isHome ? homeOf(home) : rules.workingFolder;
    const startedAtMs = Date.now();
    const running = room.superviseHosted(
      {
        job,
        rules: { ...rules, workingFolder },
        runId: due.runId,
        user,
        cluster: conf.clusterName,
        delayMs: 0,
      },
      this.#ports(known, watch),
    );
    try {
      const supervised = await running;
      if (supervised.kind === "stopped" && watch.isLeft()) {
        return { isOk: false, exitStatus: ownFailure, sentence: "left to the next rcrond" };
      }
      return await this.#end(known, supervised);
    } catch (error) {
      return this.#lose(known, startedAtMs, error);
    }
  }

  adopt(due: DueRun, text: string, watch: RunWatch): Promise<RunResult> | undefined {
    const { room, niceLevel, log } = this.#options;
    const mark = room.parseMark(text);
    if (mark === undefined || !room.isThere(mark)) return undefined;
    const known = this.#know(due);
    this.#record({ kind: "adopt", run: due.runId, at: Date.now(), ...watcher() });
    log.info(`${printable(due.jobName)}: the run ${due.runId} goes on (pid ${mark.pid})`);
    watch.onLaunched(text, mark.pid);
    const job: Job = { name: due.jobName, command: commandOf(due), environment: [], niceLevel };
    const what = {
      job,
      rules: known.rules,
      runId: due.runId,
      user: undefined,
      cluster: known.conf.clusterName,
      delayMs: 0,
    };
    return room
      .adoptRun(what, this.#ports(known, watch), mark)
      .then((end) => this.#end(known, end, mark.startedAtMs));
  }

  find(runId: string): string | undefined {
    const mark = this.#options.room.findRun(runId);
    return mark && JSON.stringify(mark);
  }

  skip({ job, runId, tickMs, why, sentence, verdict }: SkippedRun): void {
    const due = {
      runId: runId ?? "",
      jobName: job.name,
      job,
      tick: { atMs: tickMs, localMs: tickMs },
      isMadeUp: false,
      askedBy: undefined,
      verdict,
    };
    const known = this.#know(due);
    // Several ticks at once have no run, and so nothing to extend the line with.
    const context = runId === undefined ? { ...known.context, extension: undefined } : known.context;
    this.#options.log.info(
      why === "passive" && sentence === undefined
        ? ignoreLine(context)
        : skipLine(context, why, sentence ?? why),
    );
    this.#record({
      kind: "skip",
      ...eventContext(known),
      ...(runId !== undefined && { run: runId }),
      why,
      ...(sentence !== undefined && { sentence }),
    });
  }

  #know(due: DueRun): Known {
    const conf = this.#options.conf();
    const { job, jobName, runId, verdict } = due;
    const rules = job?.rules ?? noRules;
    const command = job === undefined ? jobName : textOf(job.command);
    const commandText = shownCommand(conf, jobName, command);
    const extension = conf.logFormat === "extended" ? { jobName, runId, reason: verdict.reason } : undefined;
    return {
      due,
      conf,
      rules,
      commandText,
      context: { clusterName: conf.clusterName, commandText, extension },
    };
  }

  #ports(known: Known, watch: RunWatch): HostingPorts {
    const { hosting, log, judge } = this.#options;
    const { due, conf, rules, context } = known;
    const clean = redactor(conf.redact);
    const name = printable(due.jobName);
    let startPing: { cancel(): void } | undefined;
    return {
      hosting,
      // As the files' `output none` says it: to the daemon's own.
      usualOutputs: [{ isIfError: false, sink: { kind: "cron" } }],
      lockFolder: lockFolder(),
      holdFolders: [this.#options.recordFolder(), "/var/tmp", "/tmp"].filter((path) => path !== undefined),
      mayRun: () => (due.job?.isCluster === true ? judge() : due.verdict),
      lost: watch.stop,
      lostGraceMs: conf.stopGraceMs,
      stopSentence: watch.stopSentence,
      onStart: () => {
        watch.onStarting();
        this.#record({
          kind: "start",
          run: due.runId,
          ...eventContext(known),
          ...watcher(),
          ...(rules.user !== undefined && { user: rules.user }),
        });
        log.info(startLine(context));
        if (rules.pingUrl !== undefined) startPing = announceStart(rules.pingUrl, due.runId);
      },
      onLaunched: (mark) => watch.onLaunched(JSON.stringify(mark), mark.pid),
      ...(watch.onOutput !== undefined && { onOutput: watch.onOutput }),
      onEnded: () => startPing?.cancel(),
      onRetry: (attempt, delayMs) => log.warn(retryLine(context, attempt, delayMs)),
      onWarning: (sentence) => log.warn(`${name}: ${sentence}`),
      logLine: (line) => log.info(`${name}: ${clean(line)}`),
      isLogBusy: () => log.isBusy,
    };
  }

  /** Log, record, mail and ping of a run's end, or of why there was none. */
  async #end(known: Known, supervised: Hosted, startedAtMs?: number): Promise<RunResult> {
    if (supervised.kind !== "ended") return this.#skipped(known, supervised);
    const { due, conf, context, rules } = known;
    const { log } = this.#options;
    const end = supervisedEnd(conf, due.runId, supervised);
    this.#record(end);
    const { outcome, durationMs } = supervised;
    log.info(endLine(context, { outcome, durationMs, state: due.verdict.state, supervised }));
    if (supervised.survivors > 0) {
      log.warn(`${due.jobName}: ${supervised.survivors} of its processes could not be ended`);
    }
    for (const warning of await this.#tellOthers(known, end, supervised, startedAtMs ?? end.at - end.ms))
      log.warn(warning);
    return {
      isOk: supervised.isOk,
      exitStatus: exitStatusOfRun(supervised, rules),
      sentence: (await loadSentences()).inShort({ ...end, state: end.ok ? "succeeded" : "failed" }),
    };
  }

  /** Its end could not be learned, for a defect or because the system lost it: that is recorded, and counts as a failure. */
  #lose({ due }: Known, startedAtMs: number, error: unknown): RunResult {
    const sentence = error instanceof Problem ? error.message : "rcrond failed while it watched the run";
    this.#options.log.warn(
      `${due.jobName}: ${sentence}${error instanceof Error && !(error instanceof Problem) ? `: ${error.stack}` : ""}`,
    );
    const at = Date.now();
    this.#record({
      kind: "end",
      run: due.runId,
      at,
      ms: at - startedAtMs,
      ok: false,
      cause: "unseen",
      sentence,
    });
    return { isOk: false, exitStatus: ownFailure, sentence };
  }

  #skipped(known: Known, skipped: Exclude<Hosted, { kind: "ended" }>): RunResult {
    const { due, conf, context, rules } = known;
    const { log } = this.#options;
    const common = { kind: "skip", run: due.runId, ...eventContext(known) } as const;
    if (skipped.kind === "passive") {
      log.info(ignoreLine(context));
      this.#record({ ...common, why: "passive" });
      return { isOk: true, exitStatus: rules.skipExit, sentence: `not run: ${skipped.verdict.sentence}` };
    }
    if (skipped.kind === "overlap" || skipped.kind === "condition") {
      const facts = skipFacts(skipped, conf);
      log.info(skipLine(context, facts.why, facts.sentence));
      this.#record({ ...common, ...facts });
      return { isOk: true, exitStatus: rules.skipExit, sentence: `skipped: ${facts.sentence}` };
    }
    const sentence =
      skipped.kind === "refused"
        ? skipped.problem.message
        : `${skipped.sentence ?? "stopped"}, before the job was started`;
    log.warn(`${due.jobName}: not started: ${sentence}`);
    this.#record({ ...common, why: "failed-before-start", sentence });
    return { isOk: false, exitStatus: ownFailure, sentence: `not started: ${sentence}` };
  }

  async #tellOthers(
    { due, conf, rules, commandText }: Known,
    end: EndEvent,
    { kept }: RunEnd,
    startedAtMs: number,
  ): Promise<string[]> {
    const { confPath, hostName, environment } = this.#options;
    const folder = this.#options.recordFolder();
    if (!isAnyoneTold(rules)) {
      const nowMs = performance.now();
      if (nowMs - this.#dueLookMs < betweenDueLooksMs) return [];
      this.#dueLookMs = nowMs;
      return sendWhatIsDue({ folder, confPath });
    }
    await this.#ownTurn();
    const shown = [...environment, ...(due.job?.environment ?? [])];
    const user = rules.user ?? shown.findLast(({ name }) => name === "LOGNAME")?.value ?? "";
    return announceEnd(
      {
        job: due.jobName,
        cluster: conf.clusterName,
        host: hostName,
        user,
        run: due.runId,
        commandText,
        tickMs: due.tick.atMs,
        startedAtMs,
        end,
        output: kept,
        environment: shown.map(({ name, value }) => [name, value] as const),
        rules,
      },
      notifySettings(conf, folder, confPath),
    );
  }

  /** Each in a turn of the event loop of its own: a thousand mails shall not stand before a thousand jobs that are due. */
  #ownTurn(): Promise<void> {
    this.#lastTurn = this.#lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.#lastTurn;
  }

  /** A record that can't be kept stops nobody; it is told once, until it can be kept again. */
  #record(event: RunEvent): void {
    const folder = this.#options.recordFolder();
    if (folder === undefined) return;
    const error = appendEvent(folder, event);
    const before = this.#trouble;
    this.#trouble = error && `the record can't be kept in ${folder}: ${error.text}`;
    if (this.#trouble !== undefined && this.#trouble !== before) this.#options.log.warn(this.#trouble);
  }
}

/** To run it here would be to run it on a machine that its file does not name. */
function noNodes(): Problem {
  return new Problem("invalid", "this version of rcrond sends no job to other nodes", {
    hint: "remove `on` from the job's file to run it here",
  });
}

/** What the record's events of a run have in common. */
function eventContext({ due, conf, commandText }: Known): EventContext {
  const { epoch, instance, sinceMs } = due.verdict.provenance;
  return {
    at: Date.now(),
    tick: Math.max(0, Math.round(due.tick.atMs)),
    job: due.jobName,
    text: commandText,
    cluster: conf.clusterName,
    reason: due.verdict.reason,
    ...(epoch !== undefined && { epoch }),
    ...(instance !== undefined && { instance }),
    ...(sinceMs !== undefined && { since: sinceMs }),
  };
}

/** Of a job whose file is gone nothing is started any more. */
function commandOf({ job }: DueRun): Command {
  return job?.command ?? { kind: "words", words: ["false"] };
}

function textOf(command: Command): string {
  return command.kind === "shell" ? command.line : argvOf(command).join(" ");
}

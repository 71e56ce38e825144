/**
 * What is told of the scheduler's runs, and to whom: log, record, mail and pings. The same for a run on this machine and
 * for one on nodes.
 */
import type { DueRun, Recorder, RunResult, SkippedRun } from "../daemon/daemon.ts";
import type { Hosted, RunEnd } from "../execute/execute.ts";
import type { Conf } from "../gate/gate.ts";
import { appendEvent, loadSentences } from "../history/history.ts";
import { type Assignment, argvOf, type Command } from "../model/job.ts";
import { endLine, ignoreLine, type LineContext, skipLine, startLine } from "../model/log-line.ts";
import { Problem } from "../model/problem.ts";
import { noRules, type Rules } from "../model/rules.ts";
import type { EndEvent, EventContext, NodeEnd, RunEvent } from "../model/run-event.ts";
import { announceEnd, isAnyoneTold, sendWhatIsDue } from "../notify/notify.ts";
import type { DaemonLog } from "./daemon-log.ts";
import { shownCommand } from "./named-run.ts";
import { watcher } from "./run-events.ts";
import { exitStatusOfRun, notifySettings, skipFacts, supervisedEnd } from "./run-supervised.ts";
import { ownFailure } from "./terminal.ts";

/** What a daemon's runs have in common for who tells of them; the configuration may be exchanged while they go on. */
export interface TellerSettings {
  readonly log: DaemonLog;
  readonly hostName: string;
  /** What jobs start from, before their own. */
  readonly environment: readonly Assignment[];
  readonly conf: () => Conf;
  readonly confPath: string | undefined;
  /** Undefined: no record is kept. */
  readonly recordFolder: () => string | undefined;
}

/** All that is known of a run before it begins. */
export interface KnownRun {
  readonly due: DueRun;
  readonly conf: Conf;
  readonly rules: Rules;
  readonly context: LineContext;
  readonly commandText: string;
}

/** What else is known of a run's end. */
export interface EndExtras {
  /** Undefined: as its duration says. */
  readonly startedAtMs?: number | undefined;
  /** What became of it on each node. */
  readonly nodes?: readonly NodeEnd[];
}

/** The outbox is looked through so often at most by runs that put nothing into it. */
const betweenDueLooksMs = 10_000;

/** Tells of all runs of a daemon. Nothing here throws or rejects: the jobs come first. */
export class RunTeller implements Recorder {
  readonly #settings: TellerSettings;
  #trouble: string | undefined;
  #lastTurn: Promise<void> = Promise.resolve();
  #dueLookMs = Number.NEGATIVE_INFINITY;

  constructor(settings: TellerSettings) {
    this.#settings = settings;
  }

  /** Why the record is not kept now, in a sentence; undefined where it is. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  know(due: DueRun): KnownRun {
    const conf = this.#settings.conf();
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

  /** Its job is about to be started. */
  started(known: KnownRun): void {
    const { due, context, rules } = known;
    this.#record({
      kind: "start",
      run: due.runId,
      ...eventContext(known),
      ...watcher(),
      ...(rules.user !== undefined && { user: rules.user }),
      ...(due.job?.placement !== undefined && { onNodes: true }),
    });
    this.#settings.log.info(startLine(context));
  }

  /** It goes on, and another daemon has started it. */
  adopted({ due }: KnownRun): void {
    this.#record({ kind: "adopt", run: due.runId, at: Date.now(), ...watcher() });
  }

  /** Log, record, mail and ping of a run's end. */
  async ended(
    known: KnownRun,
    supervised: RunEnd,
    { startedAtMs, nodes }: EndExtras = {},
  ): Promise<RunResult> {
    const { due, conf, context, rules } = known;
    const { log } = this.#settings;
    const end = {
      ...supervisedEnd(conf, due.runId, supervised),
      ...(nodes !== undefined && { nodes }),
    };
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
  lost({ due }: KnownRun, startedAtMs: number, error: unknown): RunResult {
    const sentence = error instanceof Problem ? error.message : "rcrond failed while it watched the run";
    this.#settings.log.warn(
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

  /** Its turn had come, and its job was not started. */
  notRun(known: KnownRun, skipped: Exclude<Hosted, { kind: "ended" }>): RunResult {
    const { due, conf, context, rules } = known;
    const { log } = this.#settings;
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
    const known = this.know(due);
    // Several ticks at once have no run, and so nothing to extend the line with.
    const context = runId === undefined ? { ...known.context, extension: undefined } : known.context;
    this.#settings.log.info(
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

  async #tellOthers(
    { due, conf, rules, commandText }: KnownRun,
    end: EndEvent,
    { kept }: RunEnd,
    startedAtMs: number,
  ): Promise<string[]> {
    const { confPath, hostName, environment } = this.#settings;
    const folder = this.#settings.recordFolder();
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
        owners: due.job?.owners,
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
    const folder = this.#settings.recordFolder();
    if (folder === undefined) return;
    const error = appendEvent(folder, event);
    const before = this.#trouble;
    this.#trouble = error && `the record can't be kept in ${folder}: ${error.text}`;
    if (this.#trouble !== undefined && this.#trouble !== before) this.#settings.log.warn(this.#trouble);
  }
}

/** What the record's events of a run have in common. */
function eventContext({ due, conf, commandText }: KnownRun): EventContext {
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

function textOf(command: Command): string {
  return command.kind === "shell" ? command.line : argvOf(command).join(" ");
}

/**
 * `rcron` on the active machine, for a job with rules: the wiring of supervision, log, record and notification.
 */
import { loadSupervision, type RunEnd, type Supervised } from "../execute/execute.ts";
import { type Conf, judge } from "../gate/gate.ts";
import { historyFolder } from "../history/history.ts";
import { durationInWords } from "../model/duration.ts";
import type { Kept } from "../model/head-tail.ts";
import { type Job, parseCommand } from "../model/job.ts";
import { endLine, newRunId, retryLine, skipLine, startLine } from "../model/log-line.ts";
import { exitStatusOf } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { redactor } from "../model/redact.ts";
import type { Rules } from "../model/rules.ts";
import type { EndEvent } from "../model/run-event.ts";
import { signalName } from "../model/signal-name.ts";
import {
  announceEnd,
  announceStart,
  isAnyoneTold,
  type NotifySettings,
  sendWhatIsDue,
} from "../notify/notify.ts";
import { readHostName } from "../system/host-name.ts";
import { readInheritance } from "../system/process.ts";
import { type GatedRun, ignore, type NamedRun } from "./gated-run.ts";
import { nameRun } from "./named-run.ts";
import { eventContext, recordEvent, recordFolder } from "./record.ts";
import { keepForRecord } from "./recorded-output.ts";
import { environmentFor } from "./run-environment.ts";
import { endEvent, startEvent, tellEnd } from "./run-events.ts";
import { say, sayWarnings } from "./terminal.ts";
import { type LossWatch, watchForLoss } from "./watch-state.ts";

/** The exit status after a timeout, as timeout(1) has it. */
const timedOutStatus = 124;

/**
 * Runs the job under its rules, and waits for its end.
 * @returns the exit status, or the Problem for which nothing was run
 */
export async function runSupervised(gated: GatedRun, rules: Rules): Promise<number | Problem> {
  // Before anything is opened here: it must not be taken for what the caller left for the job.
  const inheritance = readInheritance();
  const { program, run, conf, verdict, warnings, log } = gated;
  sayWarnings(program, warnings, conf, log);
  const command = parseCommand(run.words, run.shell ?? conf.shell);
  if (command instanceof Problem) return command;
  const name = rules.name ?? command.name;
  const runId = newRunId();
  const dueAtMs = performance.timeOrigin;
  const named = nameRun(gated, name, runId);
  const { superviseRun, asUser } = await loadSupervision();
  const user = rules.user === undefined ? undefined : asUser(rules.user);
  if (user instanceof Problem) return skip(gated, rules, named, runId, { kind: "refused", problem: user });
  const facts = { cluster: conf.clusterName, stateEpoch: verdict.epoch, runId, dueAtMs };
  const environment = environmentFor(facts, rules, user, command.environment);
  if (environment instanceof Problem) {
    return skip(gated, rules, named, runId, { kind: "refused", problem: environment });
  }
  const job: Job = {
    name,
    command: command.command,
    environment,
    niceLevel: rules.niceLevel ?? conf.niceLevel,
  };
  const workingFolder = rules.workingFolder ?? homeOf(user?.home);

  const context = { clusterName: conf.clusterName, ...named };
  const logAt = (level: "LOG_WARNING" | typeof conf.syslogLevel, line: string) =>
    log.log(conf.syslogFacility, level, line);
  const warn = (sentence: string) => sayWarnings(program, [sentence], conf, log);

  const clean = redactor(conf.redact);
  const stopping = (run.onPassive ?? conf.onPassive) === "stop" ? new AbortController() : undefined;
  let watch: LossWatch | undefined;
  let startPing: { cancel(): void } | undefined;
  let startedAtMs = Date.now();
  const supervised = await superviseRun(
    {
      job,
      rules: { ...rules, workingFolder },
      runId,
      user,
      cluster: conf.clusterName,
      delayMs: await delayOf(rules, dueAtMs),
    },
    {
      inheritance,
      lockFolder: lockFolder(),
      holdFolders: [recordFolder(gated), "/var/tmp", "/tmp"].filter((folder) => folder !== undefined),
      mayRun: () => judge(conf),
      lost: stopping?.signal,
      lostGraceMs: conf.stopGraceMs,
      onStart: () => {
        startedAtMs = Date.now();
        recordEvent(gated, {
          ...startEvent(gated, named, runId),
          ...(rules.user !== undefined && { user: rules.user }),
        });
        logAt(conf.syslogLevel, startLine(context));
        if (rules.pingUrl !== undefined) startPing = announceStart(rules.pingUrl, runId);
        watch = stopping && watchForLoss(gated, named, context, stopping);
      },
      onRetry: (attempt, delayMs) => logAt("LOG_WARNING", retryLine(context, attempt, delayMs)),
      onWarning: warn,
      logLine: (line) => logAt(conf.syslogLevel, `${printable(name)}: ${clean(line)}`),
      isLogBusy: () => log.isBusy,
    },
  );
  watch?.stop();
  startPing?.cancel();
  if (supervised.kind !== "ended") return skip(gated, rules, named, runId, supervised);

  const end = supervisedEnd(conf, runId, supervised);
  recordEvent(gated, end);
  const { outcome, durationMs } = supervised;
  logAt(
    conf.syslogLevel,
    endLine(context, { outcome, durationMs, state: watch?.lost?.state ?? verdict.state, supervised }),
  );
  tell(program, name, rules, supervised);
  for (const warning of await notify(
    gated,
    rules,
    name,
    { runId, startedAtMs, dueAtMs, commandText: named.commandText },
    end,
    supervised.kept,
  )) {
    warn(warning);
  }
  return exitStatusOfRun(supervised, rules);
}

/** What the prefix ends with, and who looks on at a scheduled run is told. */
export function exitStatusOfRun({ cause, outcome }: RunEnd, { preserveStatus }: Rules): number {
  return cause === "timeout" && !preserveStatus ? timedOutStatus : exitStatusOf(outcome);
}

/** The run did not happen: log and record have why. */
function skip(
  gated: GatedRun,
  rules: Rules,
  named: NamedRun,
  runId: string,
  skipped: Exclude<Supervised, { kind: "ended" }>,
): number | Problem {
  const { conf, log } = gated;
  const context = { clusterName: conf.clusterName, ...named };
  const logLine = (line: string) => log.log(conf.syslogFacility, conf.syslogLevel, line);
  const common = { kind: "skip", run: runId, ...eventContext(gated, named) } as const;
  if (skipped.kind === "refused") {
    const sentence = skipped.problem.message;
    recordEvent(gated, { ...common, why: "failed-before-start", sentence });
    return skipped.problem;
  }
  if (skipped.kind === "passive") {
    const now = { ...gated, verdict: skipped.verdict, warnings: [] };
    ignore(now, named);
    return rules.skipExit;
  }
  if (skipped.kind === "interrupted") {
    const sentence = `ended by ${signalName(skipped.signal)} before the job was started`;
    recordEvent(gated, { ...common, why: "failed-before-start", sentence });
    logLine(skipLine(context, "signal", sentence));
    return 128 + skipped.signal;
  }
  const facts = skipFacts(skipped, conf);
  recordEvent(gated, { ...common, ...facts });
  logLine(skipLine(context, facts.why, facts.sentence));
  return rules.skipExit;
}

/** What the record has of a run that its own rules kept from being started. */
export function skipFacts(
  skipped: Extract<Supervised, { kind: "overlap" | "condition" }>,
  { redact }: Pick<Conf, "redact">,
) {
  return {
    why: skipped.kind,
    sentence: redactor(redact)(skipped.sentence), // a condition's last line may be anything
    ...(skipped.kind === "overlap" && { holder: skipped.holder }),
  };
}

/** What the person must hear on standard error, which cron mails. */
function tell(program: string, name: string, rules: Rules, end: RunEnd): void {
  const { outcome, cause, survivors } = end;
  const job = printable(name);
  if (cause === "signal" || outcome.kind === "not-started") tellEnd(program, name, outcome);
  if (cause === "timeout") {
    say(program, `${job} was ended: it had not finished within ${durationInWords(rules.timeoutMs ?? 0)}`);
  } else if (cause === "clobbered") say(program, `${job} was ended for the next run of it`);
  if (survivors > 0) say(program, `${job}: ${survivors} of its processes could not be ended`);
}

/** What the record has of the end of a run under rules. */
export function supervisedEnd({ redact }: Pick<Conf, "redact">, runId: string, end: RunEnd): EndEvent {
  const { sentence, attempts, kept, isDetached, survivors, cpuMs } = end;
  const output = kept && kept.bytes > 0 ? keepForRecord(kept, redact) : undefined;
  return {
    ...endEvent(runId, end),
    ...(sentence !== undefined && { sentence }),
    ...(attempts > 1 && { attempts }),
    ...(output !== undefined && { output }),
    ...(isDetached && { detached: true }),
    ...(survivors > 0 && { survivors }),
    ...(cpuMs !== undefined && { cpuMs }),
  };
}

/** Of the moment for which cron started this process, and not of this one: so the start is the same to the second. */
async function delayOf({ splayMs, jitterMs }: Rules, dueAtMs: number): Promise<number> {
  const jitter = jitterMs === undefined ? 0 : Math.random() * jitterMs;
  if (splayMs === undefined) return jitter;
  const minuteMs = dueAtMs - (dueAtMs % 60_000);
  const { consistentSplayMs } = await import("../schedule/schedule.ts");
  const turnMs = minuteMs + consistentSplayMs(readHostName(), splayMs);
  return Math.max(0, turnMs - Date.now()) + jitter;
}

/**
 * In memory for root, so that nothing is left of a former boot; in the record's usual folder for others, who have no such
 * place under cron. Wherever the record is: two lines that name different ones may still be one job.
 */
export function lockFolder(): string {
  if (process.geteuid?.() === 0) return "/run/rcron/locks";
  return `${historyFolder("auto") ?? "/run/rcron"}/locks`;
}

/** As cron does it: a user without a home starts at the root. */
export function homeOf(home: string | undefined): string | undefined {
  if (home === undefined) return undefined;
  return process.getBuiltinModule("node:fs").existsSync(home) ? home : "/";
}

async function notify(
  gated: GatedRun,
  rules: Rules,
  job: string,
  about: {
    readonly runId: string;
    readonly startedAtMs: number;
    readonly dueAtMs: number;
    readonly commandText: string;
  },
  end: EndEvent,
  kept: Kept | undefined,
): Promise<string[]> {
  const { conf, run } = gated;
  const folder = recordFolder(gated);
  if (!isAnyoneTold(rules)) return sendWhatIsDue({ folder, confPath: run.confPath });
  const { LOGNAME, USER } = process.env;
  return announceEnd(
    {
      job,
      cluster: conf.clusterName,
      host: readHostName(),
      user: rules.user ?? LOGNAME ?? USER ?? String(process.getuid?.() ?? ""),
      run: about.runId,
      commandText: about.commandText,
      tickMs: Math.round(about.dueAtMs),
      startedAtMs: about.startedAtMs,
      end,
      output: kept,
      environment: ["SHELL", "HOME", "PATH", "LOGNAME", "USER", "LANG", "MAILTO"].flatMap((key) => {
        const value = process.env[key];
        return value === undefined ? [] : [[key, value] as const];
      }),
      rules,
    },
    notifySettings(conf, folder, run.confPath),
  );
}

/**
 * How others are told of a run's end, as the configuration says it.
 * @param folder of the record; undefined: none is kept
 * @param confPath undefined: the default one
 */
export function notifySettings(
  { mailThrough, mailFrom, mailPasswordFile, webhookSecretFile, redact }: Conf,
  folder: string | undefined,
  confPath: string | undefined,
): NotifySettings {
  return {
    folder,
    confPath,
    mailThrough,
    mailFrom,
    mailPasswordFile,
    webhookSecretFile,
    redact: redactor(redact),
  };
}

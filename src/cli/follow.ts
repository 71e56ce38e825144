/**
 * `rcronctl follow`: keepalived's notify FIFO becomes words in state files. keepalived starts it and gives it the FIFO.
 */
import { type FollowTarget, follow, type Written } from "../election/election.ts";
import { durationRule, parseDuration } from "../model/duration.ts";
import { setLine } from "../model/log-line.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { WriterProcess } from "../model/provenance.ts";
import { openFifo } from "../system/fifo.ts";
import { findProcess, lifeOf } from "../system/other-processes.ts";
import { Syslog } from "../system/syslog.ts";
import type { Given } from "./control-word.ts";
import { say } from "./terminal.ts";
import { readWritersConf } from "./writers-conf.ts";

const logWaitMs = 200;
/** After a TERM keepalived ends the FIFO within about a second; a person's TERM ends the reader after this. */
const termWaitMs = 5000;
const deathPollMs = 20;

/** @returns the exit status: 0 when the FIFO has ended */
export async function followFifo({ options, words }: Given): Promise<number | Problem> {
  const log = new Syslog({ ident: "rcronctl", pid: process.pid });
  let status: number | Problem;
  try {
    status = await run(options, words, log);
  } catch (error) {
    // Of the FIFO; keepalived's log does not have what is said on standard error.
    if (!(error instanceof Problem)) throw error;
    status = error;
  }
  if (status instanceof Problem) log.log("LOG_CRON", "LOG_ERR", `error: following ended: ${status.message}`);
  await log.close(logWaitMs);
  return status;
}

async function run(
  options: Given["options"],
  words: readonly string[],
  log: Syslog,
): Promise<number | Problem> {
  const path = words.at(-1);
  const names = words.slice(0, -1);
  if (path === undefined || names.length === 0 || !path.startsWith("/")) {
    return new Problem(
      "invalid",
      "follow must be given at least one NAME, and the FIFO's absolute path last",
      {
        hint: 'in keepalived.conf: vrrp_notify_fifo_script "/usr/bin/rcronctl follow NAME"; keepalived adds the FIFO',
      },
    );
  }
  const validFor = options["valid-for"];
  const validForMs = typeof validFor === "string" ? parseDuration(validFor) : undefined;
  if (typeof validFor === "string" && validForMs === undefined) {
    return new Problem("invalid", `--valid-for must be ${durationRule}: got ${quoted(validFor)}`);
  }
  const { conf, stateFile, problem } = readWritersConf(options);
  const targets = readTargets(names, stateFile);
  if (targets instanceof Problem) return stateFile === undefined && problem !== undefined ? problem : targets;

  const facility = conf?.syslogFacility ?? "LOG_CRON";
  const trouble = (sentence: string) => {
    say("rcronctl", `warning: ${sentence}`);
    log.log(facility, "LOG_WARNING", `warning: ${sentence}`);
  };
  if (problem !== undefined) trouble(`${problem.message}: going on with its state_file, and defaults`);
  const keepalived = findProcess(process.ppid);
  if (keepalived === undefined) {
    return new Problem(
      "unreachable",
      `process ${process.ppid}, which started this one, must be visible in /proc`,
    );
  }
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => stopSoon(keepalived, stop));
  }
  const maxAgeMs = conf?.witnesses?.maxAgeMs;
  const renewals = [validForMs, maxAgeMs].filter((ms) => ms !== undefined).map((ms) => ms / 3);
  const fifo = openFifo(path, stop.signal);
  await follow({
    events: fifo.bytes,
    putBack: fifo.putBack,
    targets,
    keepalived,
    validForMs,
    renewMs: renewals.length === 0 ? undefined : Math.min(...renewals),
    onTrouble: trouble,
    onWritten: (stateFile: string, written: Written) =>
      log.log(facility, "LOG_NOTICE", setLine({ ...written, stateFile, clusterName: conf?.clusterName })),
  });
  return 0;
}

/** After TERM: at once when keepalived is dead, for whoever writes to its FIFO now has a reader of his own. */
function stopSoon(keepalived: WriterProcess, stop: AbortController): void {
  const since = performance.now();
  const timer = setInterval(() => {
    if (lifeOf(keepalived) !== "dead" && performance.now() - since < termWaitMs) return;
    clearInterval(timer);
    stop.abort();
  }, deathPollMs);
  timer.unref();
}

/** `NAME`, `group:NAME`, either with `=STATE_FILE`. */
function readTargets(names: readonly string[], ownFile: string | undefined): FollowTarget[] | Problem {
  const targets: FollowTarget[] = [];
  for (const word of names) {
    const equals = word.indexOf("=");
    const full = equals < 0 ? word : word.slice(0, equals);
    const stateFile = equals < 0 ? ownFile : word.slice(equals + 1);
    const isGroup = full.startsWith("group:");
    const name = full.slice(isGroup ? "group:".length : 0);
    if (name === "") return new Problem("invalid", `a NAME must not be empty: got ${quoted(word)}`);
    if (stateFile === undefined) {
      return new Problem("invalid", `${quoted(word)} must have =STATE_FILE: the configuration can't be read`);
    }
    if (!stateFile.startsWith("/")) {
      return new Problem("invalid", `a state file must be an absolute path: got ${quoted(word)}`);
    }
    const kind = isGroup ? "GROUP" : "INSTANCE";
    const same = targets.find(
      (each) => each.stateFile === stateFile || (each.kind === kind && each.name === name),
    );
    if (same !== undefined) {
      const rule = `each name must have a state file of its own: got ${quoted(word)} beside ${quoted(same.name)}`;
      return new Problem("invalid", rule, {
        hint: "two that write one file overwrite each other: NAME=/run/NAME.state",
      });
    }
    targets.push({ kind, name, stateFile });
  }
  return targets;
}

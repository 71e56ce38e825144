/**
 * The record for the words of `rcronctl` that ask it: which folder, which bounds, and what is said while it is opened.
 */
import { loadConf } from "../gate/gate.ts";
import { type History, historyFolder, type RunRecord, withHistory } from "../history/history.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given } from "./control-word.ts";
import type { Colour } from "./table.ts";
import { say } from "./terminal.ts";

/** Folding that takes longer is told of. */
const silentMs = 2000;

/**
 * Opens the record that `--history`, or else the configuration, names, and answers from it.
 * @returns what `use` returns, or the Problem for which there is no answer
 */
export async function withRecord(
  options: Given["options"],
  use: (history: History) => Promise<number | Problem> | number | Problem,
): Promise<number | Problem> {
  const { conf: confPath, history } = options;
  if (typeof history === "string" && !history.startsWith("/")) {
    return new Problem("invalid", `--history must be an absolute path: got ${quoted(history)}`);
  }
  const loaded = loadConf(typeof confPath === "string" ? confPath : undefined);
  if (loaded instanceof Problem) return loaded;
  const { conf } = loaded;
  const folder = typeof history === "string" ? history : historyFolder(conf.history);
  if (folder === undefined) {
    const isOff = conf.history === "none";
    return new Problem(
      "not-found",
      isOff ? "no record is kept: history = none" : "there is no home to keep a record in",
      {
        hint: isOff ? `set history in ${loaded.path}` : "--history DIR names the record's folder",
      },
    );
  }
  const progress = progressTeller();
  return withHistory(
    folder,
    {
      host: process.getBuiltinModule("node:os").hostname(),
      keepMs: conf.historyKeepMs,
      sizeBytes: conf.historySizeBytes,
      onWarning: (sentence) => say("rcronctl", `warning: ${sentence}`),
      onProgress: progress,
    },
    use,
  );
}

/** Says how far the folding is, each time that two more seconds have gone. */
function progressTeller(): (done: number, all: number) => void {
  let saidMs = performance.now();
  return (done, all) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < silentMs) return;
    saidMs = nowMs;
    say("rcronctl", `reading the journal: ${Math.floor((done / Math.max(1, all)) * 100)} %`);
  };
}

/** A run as `--json` has it; docs/record.md says what each key means. Keys are only ever added. */
export function runInJson(run: RunRecord): Record<string, unknown> {
  const { holder } = run;
  return {
    run: run.id,
    job: run.job,
    cluster: run.cluster,
    host: run.host,
    state: run.state,
    why: run.why ?? null,
    cause: run.cause ?? null,
    command: run.command,
    tick: instant(run.tickMs),
    at: instant(run.atMs),
    endedAt: run.ms === undefined ? null : instant(run.atMs + run.ms),
    durationMs: run.ms ?? null,
    exit: run.exit ?? null,
    signal: run.signal ?? null,
    attempts: run.attempts ?? null,
    cpuMs: run.cpuMs ?? null,
    pid: run.pid ?? null,
    user: run.user ?? null,
    reason: run.reason,
    epoch: run.epoch ?? null,
    instance: run.instance ?? null,
    since: instant(run.sinceMs),
    sentence: run.sentence ?? null,
    holder:
      holder === undefined
        ? null
        : { run: holder.run ?? null, pid: holder.pid ?? null, since: instant(holder.since) },
    detached: run.detached ?? false,
    survivors: run.survivors ?? 0,
    nodes:
      run.nodes?.map(({ node, result, exit, signal, ms, sentence }) => ({
        node,
        result,
        exit: exit ?? null,
        signal: signal ?? null,
        ms,
        sentence: sentence ?? null,
      })) ?? null,
  };
}

/** What to do about a run that was started nowhere; undefined where nothing is known to be done. */
export function nodesHint({ cause, nodes }: RunRecord): string | undefined {
  const isNoneReached =
    cause === "not-started" && nodes?.some(({ result }) => result === "unreachable") === true;
  return isNoneReached ? "rcronctl nodes tells what to do" : undefined;
}

/** ISO 8601 in UTC; null where there is none. */
export function instant(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

/** The colour in which a state is shown. */
export function colourOf({ state }: Pick<RunRecord, "state">): Colour {
  if (state === "succeeded") return "green";
  if (state === "failed" || state === "interrupted") return "red";
  return state === "running" ? "cyan" : "grey";
}

/**
 * `rcronctl runs`: what ran, and what was skipped.
 */
import { type History, loadSentences, type RunFilter, type RunRecord } from "../history/history.ts";
import { durationInWords, durationRule } from "../model/duration.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given } from "./control-word.ts";
import { localTime, momentRule, parseSince } from "./moment.ts";
import { colourOf, runInJson, withRecord } from "./open-record.ts";
import { print, writeOut } from "./standard-output.ts";
import { type Cell, type Column, formatTable, screen } from "./table.ts";

const defaultLimit = 20;
const largestLimit = 10_000_000;
const pollMs = 1000;
const interrupted = 130;

/**
 * Lists runs, the newest at the bottom.
 * @returns the exit status: 0; with `--follow` 130 where it was interrupted
 */
export async function listRuns({ options, words }: Given): Promise<number | Problem> {
  if (words.length > 0) {
    return new Problem("invalid", `runs takes no further word: got ${quoted(words.join(" "))}`, {
      hint: "--job NAME asks for one job; rcronctl show RUN shows one run",
    });
  }
  const filter = parseFilter(options);
  if (filter instanceof Problem) return filter;
  const isJson = options["json"] === true;
  const { inShort } = await loadSentences();
  return withRecord(options, async (history) => {
    const found = history.ask.runs(filter);
    if (!options["follow"]) {
      await print(isJson ? `${JSON.stringify(found.map(runInJson), undefined, 2)}\n` : table(found, inShort));
      return 0;
    }
    const show = (runs: readonly RunRecord[], isFirst: boolean) =>
      writeOut(
        Buffer.from(
          isJson
            ? runs.map((run) => `${JSON.stringify(runInJson(run))}\n`).join("")
            : table(runs, inShort, isFirst),
        ),
      );
    return follow(history, filter, found, show);
  });
}

function parseFilter(options: Given["options"]): RunFilter | Problem {
  const { job, host, since, limit, failed, skipped, all } = options;
  const shown = [failed && "failed", skipped && "skipped", all && "all"].filter(
    (each): each is "failed" | "skipped" | "all" => typeof each === "string",
  );
  if (shown.length > 1) {
    return new Problem("invalid", `--${shown[0]} and --${shown[1]} must not stand together`, {
      hint: "--all shows everything",
    });
  }
  const sinceMs = typeof since === "string" ? parseSince(since, Date.now()) : undefined;
  if (since !== undefined && sinceMs === undefined) {
    return new Problem(
      "invalid",
      `--since must be ${momentRule}, or ${durationRule}: got ${quoted(String(since))}`,
    );
  }
  const count = limit === undefined ? defaultLimit : Number(limit);
  if (limit !== undefined && !(/^\d{1,8}$/.test(String(limit)) && count >= 1 && count <= largestLimit)) {
    return new Problem(
      "invalid",
      `--limit must be a number from 1 to ${largestLimit}: got ${quoted(String(limit))}`,
    );
  }
  return {
    show: shown[0] ?? "usual",
    limit: count,
    ...(typeof job === "string" && { job }),
    ...(typeof host === "string" && { host }),
    ...(sinceMs !== undefined && { sinceMs }),
  };
}

/** Waits for what comes, until a signal, or until nobody reads any more. A run is shown when it starts and when it ends. */
async function follow(
  history: History,
  { sinceMs: _sinceMs, ...filter }: RunFilter,
  found: readonly RunRecord[],
  show: (runs: readonly RunRecord[], isFirst: boolean) => Promise<boolean>,
): Promise<number> {
  const stop = Promise.withResolvers<number>();
  const onInterrupt = () => stop.resolve(interrupted);
  const onTerminate = () => stop.resolve(0);
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  try {
    let afterSeq = history.ask.lastSeq();
    const watched = new Map(found.filter(hasNoEnd).map((run) => [run.id, run.state]));
    let goesOn = await show(found, true);
    while (goesOn) {
      const stopped = await Promise.race([Bun.sleep(pollMs), stop.promise]);
      if (typeof stopped === "number") return stopped;
      history.refresh();
      const ended = [...watched.keys()]
        .flatMap((id) => history.ask.find(id).slice(0, 1))
        .filter((run) => !hasNoEnd(run));
      const fresh = history.ask.runs({ ...filter, afterSeq, limit: largestLimit });
      afterSeq = history.ask.lastSeq();
      for (const { id } of ended) watched.delete(id);
      for (const run of fresh.filter(hasNoEnd)) watched.set(run.id, run.state);
      const news = [...ended, ...fresh];
      if (news.length > 0) goesOn = await show(news, false);
    }
    return 0;
  } finally {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
  }
}

/** What goes on on nodes while no rcrond is there has its end still to come. */
function hasNoEnd({ state, onNodes }: RunRecord): boolean {
  return state === "running" || (state === "interrupted" && onNodes === true);
}

const columns: readonly Column[] = [
  { heading: "WHEN" },
  { heading: "JOB" },
  { heading: "STATE" },
  { heading: "TOOK", align: "right" },
  { heading: "HOW", gives: true },
  { heading: "RUN" },
];

function table(runs: readonly RunRecord[], inShort: (run: RunRecord) => string, isHeaded = true): string {
  if (runs.length === 0) return "";
  const rows = runs.map((run): Cell[] => [
    localTime(run.atMs),
    run.job,
    { text: run.state, colour: colourOf(run) },
    run.ms === undefined ? "" : shortDuration(run.ms),
    how(run, inShort),
    run.id,
  ]);
  return formatTable(columns, rows, screen(), isHeaded);
}

/** What the state alone does not say. */
function how(run: RunRecord, inShort: (run: RunRecord) => string): string {
  if (run.state === "succeeded" || run.state === "running") return "";
  if (run.state === "interrupted") return run.sentence ?? "";
  if (run.state === "skipped") return run.sentence ?? run.why ?? "";
  return inShort(run)
    .replace(/^failed: /, "")
    .replace(/ after [^;]*$/, "");
}

/** `0.3 s` below ten seconds, `3 h 12 min` above. */
export function shortDuration(ms: number): string {
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : durationInWords(ms);
}

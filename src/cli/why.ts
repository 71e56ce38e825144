/**
 * `rcronctl why`: what became of a tick, and why.
 */
import { loadSentences, type RunRecord } from "../history/history.ts";
import type { NextFacts } from "../model/control-message.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askForMore } from "./ask-daemon.ts";
import { never } from "./coming-ticks.ts";
import type { Given } from "./control-word.ts";
import { harmlessLine } from "./harmless-output.ts";
import { momentRule, parseMoment, shortTime } from "./moment.ts";
import { instant, nodesHint, runInJson, withRecord } from "./open-record.ts";
import { print } from "./standard-output.ts";
import { failed } from "./terminal.ts";

const minuteMs = 60_000;
/** Between a tick and its record: splay, waiting for an earlier run, and a clock that was corrected meanwhile. */
const lateMs = 2 * 24 * 60 * minuteMs;
const earlyMs = 10 * minuteMs;

/**
 * Tells what became of a job's last tick, or of the one `--at` a time.
 * @returns the exit status: 0 if it ran and succeeded, 1 if not
 */
export async function explainWhy({ options, words }: Given): Promise<number | Problem> {
  const [job, ...others] = words;
  if (job === undefined || others.length > 0) {
    return new Problem("invalid", `why must be followed by one job's name: got ${words.length}`, {
      hint: "rcronctl jobs lists the jobs",
    });
  }
  const { at } = options;
  const nowMs = Date.now();
  const moment = typeof at === "string" ? parseMoment(at, nowMs) : undefined;
  if (at !== undefined && moment === undefined) {
    return new Problem("invalid", `--at must be ${momentRule}: got ${quoted(String(at))}`);
  }
  const tickMs = moment === undefined ? undefined : moment - (moment % minuteMs);
  const { explainTick } = await loadSentences();
  const next = (await askForMore(options, { ask: "next", job, count: 1 }))?.result.jobs[0];
  return withRecord(options, async ({ ask }) => {
    const newest = ask.lastBefore(job, Number.MAX_SAFE_INTEGER);
    if (newest === undefined && next !== undefined) {
      const sentences = [`nothing is recorded of ${job}`];
      await tell({ job, tickMs: undefined, isSuccess: false, sentences, found: [], next, nowMs }, options);
      return failed;
    }
    if (newest === undefined) {
      const near = nearestWord(job, ask.jobNames());
      return new Problem("not-found", `nothing is recorded of a job named ${quoted(job)}`, {
        hint: `${near === undefined ? "" : `did you mean ${printable(near)}? `}rcronctl jobs lists the jobs`,
      });
    }
    const found =
      tickMs === undefined
        ? [newest]
        : ask
            .inSpan(job, tickMs - earlyMs, tickMs + lateMs)
            .filter((run) => run.tickMs >= tickMs && run.tickMs < tickMs + minuteMs);
    const obstacle = found.at(-1)?.holder?.run;
    const answer = explainTick({
      job,
      tickMs,
      found,
      before: found.length > 0 || tickMs === undefined ? undefined : ask.lastBefore(job, tickMs),
      holder: obstacle === undefined ? undefined : ask.find(obstacle)[0],
      nowMs,
      showTime: (ms) => shortTime(ms, nowMs),
    });
    const { isSuccess, sentences } = answer;
    await tell({ job, tickMs: tickMs ?? newest.tickMs, isSuccess, sentences, found, next, nowMs }, options);
    return isSuccess ? 0 : failed;
  });
}

/** What is told of a tick. */
interface Told {
  readonly job: string;
  readonly tickMs: number | undefined;
  readonly isSuccess: boolean;
  readonly sentences: readonly string[];
  /** The runs of that minute. */
  readonly found: readonly RunRecord[];
  /** What the daemon says of the next one. */
  readonly next: NextFacts | undefined;
  readonly nowMs: number;
}

async function tell(told: Told, { json }: Given["options"]): Promise<void> {
  const { job, tickMs, isSuccess, sentences, found, next, nowMs } = told;
  if (json) {
    const object = {
      job,
      tick: instant(tickMs),
      succeeded: isSuccess,
      sentences,
      runs: found.map(runInJson),
      next: instant(next?.nextMs[0]),
      but: next?.but ?? null,
    };
    await print(`${JSON.stringify(object, undefined, 2)}\n`);
    return;
  }
  const hint = found.map(nodesHint).find((each) => each !== undefined);
  const lines = [
    ...sentences,
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
    ...(next === undefined ? [] : [nextInWords(next, nowMs)]),
  ];
  await print(lines.map(harmlessLine).join(""));
}

/** `it is due next at 03:00, but paused until 06:00 by root`. */
function nextInWords(next: NextFacts, nowMs: number): string {
  const [atMs] = next.nextMs;
  const when =
    atMs === undefined ? `it is due next: ${never(next)}` : `it is due next at ${shortTime(atMs, nowMs)}`;
  return next.but === undefined ? when : `${when}, but ${next.but}`;
}

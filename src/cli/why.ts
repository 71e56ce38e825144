/**
 * `rcronctl why`: what became of a tick, and why.
 */
import { loadSentences } from "../history/history.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { Given } from "./control.ts";
import { momentRule, parseMoment, shortTime } from "./moment.ts";
import { instant, runInJson, withRecord } from "./open-record.ts";
import { failed, print } from "./terminal.ts";

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
  return withRecord(options, async ({ ask }) => {
    const newest = ask.lastBefore(job, Number.MAX_SAFE_INTEGER);
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
    const text = options["json"]
      ? `${JSON.stringify(
          {
            job,
            tick: instant(tickMs ?? newest.tickMs),
            succeeded: answer.isSuccess,
            sentences: answer.sentences,
            runs: found.map(runInJson),
          },
          undefined,
          2,
        )}\n`
      : answer.sentences.map((sentence) => `${printable(sentence).replaceAll('\\"', '"')}\n`).join("");
    await print(text);
    return answer.isSuccess ? 0 : failed;
  });
}

/**
 * `rcronctl pause` and `rcronctl resume`: stretches in which an operator wants jobs not to be started.
 */
import { pauseWhyLimit } from "../model/control-lines.ts";
import { durationRule, parseDuration } from "../model/duration.ts";
import type { Pause } from "../model/pause.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { harmlessLine } from "./harmless-output.ts";
import { comingRule, parseComing, shortTime } from "./moment.ts";
import { instant } from "./open-record.ts";
import { print } from "./standard-output.ts";

const longestDays = 30;
const longestMs = longestDays * 24 * 3_600_000;

/**
 * Sets a pause, and says which ones hold now.
 * @returns the exit status 0, or the Problem for which there is none
 */
export async function pauseJobs({ options, words }: Given): Promise<number | Problem> {
  const target = targetOf("pause", words);
  if (target instanceof Problem) return target;
  const nowMs = Date.now();
  const untilMs = endOf(options, nowMs);
  if (untilMs instanceof Problem) return untilMs;
  const why = options["why"] ?? "";
  if (typeof why !== "string" || why.length > pauseWhyLimit) {
    return new Problem("invalid", `--why must be a text of at most ${pauseWhyLimit} characters`);
  }
  const answer = await askFor(options, { ask: "pause", untilMs, why, ...target });
  if (answer instanceof Problem) return answer;
  const { pauses } = answer;
  await print(
    options["json"]
      ? `${JSON.stringify(pauses.map(pauseInJson), undefined, 2)}\n`
      : pauses.map((pause) => harmlessLine(pauseInWords(pause, nowMs))).join(""),
  );
  return 0;
}

/**
 * Ends a pause, and says which ones hold still.
 * @returns the exit status 0, or the daemon's Problem where there was none to end
 */
export async function resumeJobs({ options, words }: Given): Promise<number | Problem> {
  const target = targetOf("resume", words);
  if (target instanceof Problem) return target;
  const answer = await askFor(options, { ask: "resume", ...target });
  if (answer instanceof Problem) return answer;
  const { ended } = answer;
  // A pause of all jobs still holds for the one that is resumed, and whoever resumes it has to know.
  const state = await askFor(options, { ask: "status" });
  const pauses = state instanceof Problem ? undefined : state.status.pauses;
  if (options["json"]) {
    const told = { ended: ended.map(pauseInJson), pauses: pauses?.map(pauseInJson) ?? null };
    await print(`${JSON.stringify(told, undefined, 2)}\n`);
    return 0;
  }
  const nowMs = Date.now();
  const lines = ended.map(({ job }) => `${nameOf(job)} resumed`);
  lines.push(...(pauses ?? []).map((pause) => `still: ${pauseInWords(pause, nowMs)}`));
  await print(lines.map(harmlessLine).join(""));
  return 0;
}

/** Whom a pause is for; no key for all jobs. */
function targetOf(word: string, words: readonly string[]): { readonly job?: string } | Problem {
  const [job, ...others] = words;
  if (job === undefined || job === "" || others.length > 0) {
    return new Problem("invalid", `${word} must be followed by one job's name, or all: got ${words.length}`, {
      hint: "rcronctl next lists the jobs",
    });
  }
  return job === "all" ? {} : { job };
}

function endOf({ until, for: length }: Given["options"], nowMs: number): number | Problem {
  if ((until === undefined) === (length === undefined)) {
    return new Problem("invalid", "pause must be given an end: either --until TIME or --for TIME", {
      hint: 'rcronctl pause all --until 06:00 --why "maintenance"',
    });
  }
  const lengthMs = typeof length === "string" ? parseDuration(length) : undefined;
  if (length !== undefined && lengthMs === undefined) {
    return new Problem("invalid", `--for must be ${durationRule}: got ${quoted(String(length))}`);
  }
  const untilMs = lengthMs === undefined ? parseComing(String(until), nowMs) : nowMs + lengthMs;
  if (untilMs === undefined) {
    return new Problem("invalid", `--until must be ${comingRule}: got ${quoted(String(until))}`);
  }
  if (untilMs - nowMs > longestMs) {
    return new Problem(
      "invalid",
      `a pause must end within ${longestDays} days: got ${quoted(String(length ?? until))}`,
      {
        hint: "rename a job's file to NAME.disabled to switch it off for good",
      },
    );
  }
  return untilMs;
}

/** Not yet harmless: `backup is paused until 06:00 by root: "the disk is full"`. */
export function pauseInWords({ job, untilMs, by, why }: Pause, nowMs: number): string {
  const reason = why === "" ? "" : `: "${why}"`;
  return `${nameOf(job)} ${job === undefined ? "are" : "is"} paused until ${shortTime(untilMs, nowMs)} by ${by}${reason}`;
}

/** A pause as `--json` has it. Keys are only ever added. */
export function pauseInJson({ job, sinceMs, untilMs, why, by }: Pause): object {
  return { job: job ?? null, since: instant(sinceMs), until: instant(untilMs), why, by };
}

function nameOf(job: string | undefined): string {
  return job === undefined ? "all jobs" : job;
}

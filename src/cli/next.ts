/**
 * `rcronctl next`: when jobs are due, as the running daemon has them; without one, as the files say.
 */
import { countLimit } from "../model/control-lines.ts";
import type { NextFacts } from "../model/control-message.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import { byNext, comingTicks, isEverDue, nextTable, shownTicks } from "./coming-ticks.ts";
import type { Given } from "./control-word.ts";
import { instant } from "./open-record.ts";
import { print } from "./standard-output.ts";
import { failed, say } from "./terminal.ts";

/**
 * Shows the next tick of each job, or the coming ones of one.
 * @returns the exit status: 0; 1 where nothing is to come
 */
export async function showNext({ options, words }: Given): Promise<number | Problem> {
  const [job, ...others] = words;
  if (others.length > 0) {
    return new Problem("invalid", `next may be followed by one job's name: got ${words.length}`, {
      hint: "without a name it shows the next time of every job",
    });
  }
  const { count: given } = options;
  const count = given === undefined ? (job === undefined ? 1 : shownTicks) : Number(given);
  if (given !== undefined && !(/^\d{1,4}$/.test(String(given)) && count >= 1 && count <= countLimit)) {
    return new Problem(
      "invalid",
      `--count must be a number from 1 to ${countLimit}: got ${quoted(String(given))}`,
    );
  }
  const found = await dueTimes(options, job, count);
  if (found instanceof Problem) return found;
  const jobs = found.toSorted(byNext);
  const [first] = jobs;
  if (options["json"]) await print(`${JSON.stringify(jobs.map(nextInJson), undefined, 2)}\n`);
  else
    await print(job !== undefined && first !== undefined ? comingTicks(first, Date.now()) : nextTable(jobs));
  return jobs.some(isEverDue) ? 0 : failed;
}

/** By the daemon, or where none runs by the files. */
async function dueTimes(
  options: Given["options"],
  job: string | undefined,
  count: number,
): Promise<readonly NextFacts[] | Problem> {
  const { "cron-dir": tree, conf } = options;
  if (tree === undefined) {
    const answer = await askFor(options, { ask: "next", count, ...(job !== undefined && { job }) });
    if (!(answer instanceof Problem)) return answer.jobs;
    if (answer.code !== "unreachable") return answer;
    say("rcronctl", `${answer.message}: this is what the job files say`);
  }
  const { dueByFiles, findJobs, noDistcrond } = await import("./find-jobs.ts");
  const source = await findJobs({
    tree: typeof tree === "string" ? tree : undefined,
    crontabs: [],
    distcrond: noDistcrond,
    zoneName: undefined,
    mailTo: undefined,
    conf: typeof conf === "string" ? conf : undefined,
  });
  return source instanceof Problem ? source : dueByFiles(source, job, count);
}

function nextInJson({ job, schedule, where, nextMs, zone, about, notes, but, on }: NextFacts): object {
  return {
    job,
    schedule,
    where,
    zone: zone ?? null,
    next: nextMs.map(instant),
    about: about ?? [],
    notes: notes ?? [],
    but: but ?? null,
    on: on ?? null,
  };
}

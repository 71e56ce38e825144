/**
 * `rcronctl stop`: ends a run.
 */
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { print } from "./standard-output.ts";

/**
 * Asks the daemon to end a run; does not wait for its end.
 * @returns the exit status 0, or the daemon's Problem where there is no such run, or more than one
 */
export async function stopRun({ options, words }: Given): Promise<number | Problem> {
  const [run, ...others] = words;
  if (run === undefined || run === "" || others.length > 0) {
    return new Problem(
      "invalid",
      `stop must be followed by one run's id, or its job's name: got ${words.length}`,
      {
        hint: "rcronctl status lists the runs that go on",
      },
    );
  }
  const answer = await askFor(options, { ask: "stop", run });
  if (answer instanceof Problem) return answer;
  await print(
    options["json"]
      ? `${JSON.stringify({ run: answer.run, job: answer.job }, undefined, 2)}\n`
      : `run ${answer.run} of ${printable(answer.job)} is being ended\n`,
  );
  return 0;
}

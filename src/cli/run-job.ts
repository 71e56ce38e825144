/**
 * `rcronctl run`: starts a job now, and follows it to its end if that is asked for.
 */
import type { ControlAnswer } from "../model/control-message.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { harmless } from "./harmless-output.ts";
import { print, writeOut } from "./standard-output.ts";
import { failed, say } from "./terminal.ts";

/** A run that has not begun by then is told of. */
const silentMs = 1000;

/** The signals that end the following, and the exit status of each. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Starts a job.
 * @returns the exit status: 0; with `--follow` the job's own, or 128 and the signal's number where the following was ended
 */
export async function runJob({ options, words }: Given): Promise<number | Problem> {
  const [job, ...others] = words;
  if (job === undefined || job === "" || others.length > 0) {
    return new Problem("invalid", `run must be followed by one job's name: got ${words.length}`, {
      hint: "rcronctl next lists the jobs",
    });
  }
  const isJson = options["json"] === true;
  if (options["follow"]) {
    if (!isJson) return follow(options, job);
    return new Problem("invalid", "--json and --follow must not stand together: the output is the job's own");
  }
  const answer = await askFor(options, { ask: "run", job });
  if (answer instanceof Problem) return answer;
  const { run, sentence } = answer;
  await print(
    isJson
      ? `${JSON.stringify({ run, job, sentence }, undefined, 2)}\n`
      : `run ${run} of ${printable(job)}: ${printable(sentence)}\nrcronctl show ${run} tells how it goes\n`,
  );
  return 0;
}

/** Output goes to standard output, all else to standard error. */
async function follow(options: Given["options"], job: string): Promise<number | Problem> {
  const abort = new AbortController();
  const stop = Promise.withResolvers<number>();
  const listeners = Object.entries(endings).map(([signal, status]) => {
    const onSignal = () => stop.resolve(status);
    process.on(signal, onSignal);
    return () => process.off(signal, onSignal);
  });
  const output = new JobOutput();
  let run: string | undefined;
  let patience: ReturnType<typeof setTimeout> | undefined;
  const onAnswer = async (answer: ControlAnswer) => {
    if (answer.told === "heard") {
      patience = setTimeout(() => say("rcronctl", `${printable(job)} waits for its turn`), silentMs);
    } else if (answer.told === "started") {
      clearTimeout(patience);
      run = answer.run;
      say("rcronctl", `run ${run} of ${printable(job)} has begun`);
    } else if (answer.told === "output" && !(await output.write(Buffer.from(answer.bytes, "base64")))) {
      stop.resolve(failed); // Nobody reads any more, and so nobody waits for the end.
    }
  };
  try {
    const asked = askFor(options, { ask: "run", job, follow: true }, { onAnswer, signal: abort.signal });
    const ended = await Promise.race([asked, stop.promise]);
    if (typeof ended === "number") {
      abort.abort();
      await asked.catch(() => {}); // It was given up: what it says now is that.
      say("rcronctl", goesOn(run));
      return ended;
    }
    if (ended instanceof Problem) {
      return run === undefined ? ended : new Problem(ended.code, `${ended.message}; ${goesOn(run)}`);
    }
    say("rcronctl", `run ${ended.run} of ${printable(job)}: ${printable(ended.sentence)}`);
    return ended.exitStatus ?? failed;
  } finally {
    clearTimeout(patience);
    for (const remove of listeners) remove();
  }
}

function goesOn(run: string | undefined): string {
  return run === undefined
    ? "the run is still to begin: rcronctl runs lists it then"
    : `the run goes on: rcronctl show ${run} tells how, rcronctl stop ${run} ends it`;
}

/** Standard output, for what a job prints. On a terminal nothing of it can steer the terminal. */
class JobOutput {
  readonly #decoder = process.stdout.isTTY ? new TextDecoder() : undefined;

  /** @returns false where nobody reads any more @throws {Problem} `internal` where it can't be written */
  write(bytes: Uint8Array): Promise<boolean> {
    const safe = this.#decoder && harmless(this.#decoder.decode(bytes, { stream: true }));
    return writeOut(safe === undefined ? bytes : Buffer.from(safe));
  }
}

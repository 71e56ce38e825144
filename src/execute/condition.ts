/**
 * `--if`: a command that says whether the job shall run.
 */

import { durationInWords } from "../model/duration.ts";
import { HeadTail } from "../model/head-tail.ts";
import { exitStatusOf, type Outcome } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { signalName } from "../model/signal-name.ts";
import { closeFd, PipeReader } from "../system/pipe.ts";
import { longTimer } from "../system/timers.ts";
import type { LocalRun } from "./local.ts";

const graceMs = 5000;
const keptBytes = 1024;
const shownLength = 200;

/**
 * Runs the line with `/bin/sh -c`, with the job's own environment, user, folder and priority, and nothing on its input.
 * What it prints is nobody's, but its last line tells why it said no.
 * @param stop ends it before its time; the caller knows why
 * @returns undefined where it exits 0; else why the job shall not run
 */
export async function askCondition(
  launch: LocalRun,
  line: string,
  timeoutMs: number,
  runId: string,
  stop?: AbortSignal,
): Promise<string | undefined> {
  const heard = new HeadTail(keptBytes);
  const pipe = PipeReader.open({
    onBytes: (bytes) => {
      heard.add(bytes);
      return true;
    },
    onEnd: () => {},
  });
  if ("code" in pipe) return `the condition can't be asked: ${pipe.text}`;
  const fs = process.getBuiltinModule("node:fs");
  const stdin = fs.openSync("/dev/null", "r");
  const stopping = new AbortController();
  const onStop = () => stopping.abort();
  stop?.addEventListener("abort", onStop);
  if (stop?.aborted) onStop();
  let timer: { cancel(): void } | undefined;
  const outcome = await launch.run({
    command: { kind: "shell", line },
    streams: { stdin, stdout: pipe.writeFd, stderr: pipe.writeFd },
    stop: { signal: stopping.signal, graceMs, runId },
    onStarted: () => {
      timer = longTimer(timeoutMs, () => stopping.abort());
    },
  });
  timer?.cancel();
  stop?.removeEventListener("abort", onStop);
  fs.closeSync(stdin);
  closeFd(pipe.writeFd);
  pipe.read();
  pipe.close();
  if (stopping.signal.aborted) return `the condition gave no answer within ${durationInWords(timeoutMs)}`;
  return why(outcome, lastLine(heard));
}

function why(outcome: Outcome, said: string): string | undefined {
  if (outcome.kind === "not-started") return `the condition can't be asked: ${outcome.problem.message}`;
  const how =
    outcome.kind === "signalled" ? signalName(outcome.signal) : `exit status ${exitStatusOf(outcome)}`;
  if (outcome.kind === "exited" && outcome.exitCode === 0) return undefined;
  return `the condition said no: ${how}${said === "" ? "" : `: ${said}`}`;
}

function lastLine(heard: HeadTail): string {
  const { head, tail } = heard.kept();
  const text = new TextDecoder().decode(tail.length > 0 ? tail : head).trimEnd();
  return printable(text.slice(text.lastIndexOf("\n") + 1).slice(0, shownLength));
}

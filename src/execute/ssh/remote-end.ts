/**
 * What the lines of a node mean for a run: who is still there, how it ended, why it was not started.
 */
import type { Outcome } from "../../model/outcome.ts";
import { printable } from "../../model/printable.ts";
import { Problem } from "../../model/problem.ts";
import { type ControlLine, isSameProcess, type NodeProcess } from "./control-lines.ts";
import { type NodeTerms, nodeInWords } from "./node-terms.ts";

/** What the node has told of who is there. */
export interface Facts {
  readonly boot?: string;
  readonly begunBoot?: string;
  readonly script?: NodeProcess;
  readonly job?: NodeProcess;
  readonly aliveScript?: NodeProcess;
  readonly aliveJob?: NodeProcess;
}

/** Before anything was told. */
export const noFacts: Facts = {};

/** The facts, and what one more line tells. */
export function factsWith(facts: Facts, line: ControlLine): Facts {
  if (line.kind === "boot") return { ...facts, boot: line.bootId };
  if (line.kind === "begun") return { ...facts, begunBoot: line.bootId, script: line.process };
  if (line.kind === "started") return { ...facts, job: line.process };
  if (line.kind !== "alive") return facts;
  return { ...facts, [line.who === "script" ? "aliveScript" : "aliveJob"]: line.process };
}

const signalLimit = 64;

/**
 * Who is there, of a run that was picked up: the script that waits for the job, the job; neither, if the node was started
 * anew since.
 */
export function whoIsThere({ boot, begunBoot, script, job, aliveScript, aliveJob }: Facts): {
  readonly isScriptAlive: boolean;
  readonly isJobAlive: boolean;
  readonly wasStarted: boolean;
} {
  const isSameBoot = boot === begunBoot;
  return {
    isScriptAlive: isSameBoot && isSameProcess(script, aliveScript),
    isJobAlive: isSameBoot && isSameProcess(job, aliveJob),
    wasStarted: job !== undefined,
  };
}

/**
 * What is known of a run without an end, when a node has told all that it knows: it goes on; nothing of it was started, and nothing
 * will be, by a stop or because it is void; nobody is left to tell; or the node has said nothing at all of it, which proves nothing.
 */
export function fateOf(
  facts: Facts,
  { isStarted, isStopped }: { readonly isStarted: boolean; readonly isStopped: boolean },
): "alive" | "stopped" | "void" | "unseen" | "silent" {
  const { isScriptAlive, isJobAlive, wasStarted } = whoIsThere(facts);
  if (!wasStarted && !isStarted) {
    if (isStopped) return "stopped";
    if (facts.script === undefined) return "silent";
    if (!isScriptAlive) return "void";
  }
  return isScriptAlive || isJobAlive ? "alive" : "unseen";
}

/** All that a shell tells of an end; who exits with a status above 128 by itself can't be told from who was killed. */
export function outcomeOf(status: number): Outcome {
  const signal = status - 128;
  return signal > 0 && signal <= signalLimit
    ? { kind: "signalled", signal }
    : { kind: "exited", exitCode: status };
}

/** Nothing of it ran. */
export function notStarted(problem: Problem, exitCode: 125 | 126 | 127 = 125): Outcome {
  return { kind: "not-started", exitCode, problem };
}

/** Why it was not started, and won't be. @returns undefined for a line that says nothing of the kind */
export function whyNotStarted(line: ControlLine, node: NodeTerms): Outcome | undefined {
  const named = nodeInWords(node);
  switch (line.kind) {
    case "taken":
      return notStarted(new Problem("conflict", `${named} has a run of that id already`));
    case "nofolder":
      return notStarted(
        new Problem("unreachable", `${named} has no room for a run's files`, {
          hint: `ssh ${node.host} df -h`,
        }),
      );
    case "input":
      return notStarted(new Problem("unreachable", "the job's input did not reach the node whole"));
    default:
      return undefined;
  }
}

/** It waited to be started, and the node knows that it shall not be any more. */
export function stoppedBefore(): Outcome {
  return notStarted(new Problem("conflict", "it was stopped before it was started"));
}

/** It is proved that another node may have the run. */
export function lostBefore(): Problem {
  return new Problem("unreachable", "the connection was lost before the job was started");
}

/** What a node's shell has told of a job that it did not start. */
export interface NotExecuted {
  /** As a shell tells it. */
  readonly status: number;
  /** True where it could not change to the job's folder. */
  readonly isFolder?: boolean;
}

/**
 * The node's shell found nothing to execute, or no folder to do so.
 * @param named the node, in words
 * @param folder where the job was to start; undefined where that is not known any more
 */
export function notExecuted(
  { status, isFolder = false }: NotExecuted,
  named: string,
  folder: string | undefined,
): Outcome {
  if (isFolder) {
    const where = folder === undefined ? "its working folder" : printable(folder);
    return notStarted(new Problem("denied", `it can't change to ${where} on ${named}`));
  }
  if (status === 127)
    return notStarted(new Problem("not-found", `the program was not found on ${named}`), 127);
  const rule = status === 126 ? "can't be executed" : "can't be started as it is to be";
  return notStarted(new Problem("denied", `the program ${rule} on ${named}`), status === 126 ? 126 : 125);
}

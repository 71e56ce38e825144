/**
 * `rcronctl nodes test`: asks nodes whether they are there, and tells each as it answers. The daemon asks, over the connections
 * that it has; where none runs, this process does.
 */
import { Problem } from "../model/problem.ts";
import { findUser } from "../system/users.ts";
import { askFor } from "./ask-daemon.ts";
import type { Given } from "./control-word.ts";
import { failed, say } from "./terminal.ts";
import { type NodeTestListener, TestReport } from "./test-nodes-report.ts";

/** rcrond gives up on a node after 60 s, so that by then it has told something. */
const silentMs = 120_000;

/**
 * Tests the node that is named, or all of them.
 * @returns the exit status: 0 where all are up, 1 where one is not; 128 and the signal's number where it was interrupted
 */
export async function testNodes({ options, words }: Given): Promise<number | Problem> {
  const [word = "all", ...others] = words;
  if (word === "" || others.length > 0) {
    return new Problem(
      "invalid",
      `nodes test may be followed by one node's name, or all: got ${words.length}`,
      {
        hint: "rcronctl nodes lists them",
      },
    );
  }
  const node = word === "all" ? undefined : word;
  const isJson = options["json"] === true;
  const stop = new AbortController();
  using report = new TestReport(isJson, () => stop.abort());
  const problem = await askDaemonToTest(options, node, report, stop);
  if (report.isUnread) return failed;
  if (problem === undefined) return report.end();
  if (problem.code !== "unreachable" || report.hasBegun) return problem;
  say("rcronctl", `${problem.message}: the nodes of rcron.conf are asked from here, as ${userName()}`);
  const { testNodesHere } = await import("./test-nodes-here.ts");
  const status = await testNodesHere({ conf: options["conf"], node, listener: report, stop });
  if (report.isUnread) return failed;
  if (status instanceof Problem) return status;
  return status ?? report.end();
}

/** @returns why the daemon has not asked them all; undefined where it has */
async function askDaemonToTest(
  options: Given["options"],
  node: string | undefined,
  { onNodes, onTest }: NodeTestListener,
  stop: AbortController,
): Promise<Problem | undefined> {
  let isSilent = false;
  const onSilence = () => {
    isSilent = true;
    stop.abort();
  };
  let silence: ReturnType<typeof setTimeout> | undefined;
  const answer = await askFor(
    options,
    { ask: "test-nodes", ...(node !== undefined && { node }) },
    {
      signal: stop.signal,
      onAnswer: async (told) => {
        clearTimeout(silence);
        if (told.told === "testing") await onNodes(told.nodes);
        else if (told.told === "node") await onTest(told);
        silence = setTimeout(onSilence, silentMs);
      },
    },
  ).finally(() => clearTimeout(silence));
  if (!(answer instanceof Problem)) return undefined;
  if (!isSilent) return answer;
  return new Problem("unreachable", `rcrond has told nothing for ${silentMs / 1000} s`, {
    hint: "its log may say why: journalctl -u rcrond",
  });
}

/** Whose keys count: not by the environment, which sudo and cron set as they like. */
function userName(): string {
  const uid = process.geteuid?.() ?? 0;
  const user = findUser(String(uid));
  return typeof user === "object" && user.name !== "" ? user.name : `uid ${uid}`;
}

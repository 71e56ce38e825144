/** What became of a run over nodes, told as every run's end is. */
import { describe, expect, test } from "bun:test";
import { type PartEnd, PartOutputs, partEnd, wholeEnd } from "../../src/cli/placed-end.ts";
import type { Hosted, RunEnd } from "../../src/execute/execute.ts";
import { HeadTail } from "../../src/model/head-tail.ts";
import type { Policy } from "../../src/model/placement.ts";
import { Problem } from "../../src/model/problem.ts";
import type { NodeResult } from "../../src/model/run-event.ts";

const end = (more: Partial<RunEnd> = {}): Hosted => ({
  kind: "ended",
  outcome: { kind: "exited", exitCode: 0 },
  isOk: true,
  cause: "exit",
  sentence: undefined,
  attempts: 1,
  durationMs: 1500.4,
  kept: undefined,
  isDetached: false,
  survivors: 0,
  ...more,
});
const exited = (exitCode: number) => end({ outcome: { kind: "exited", exitCode }, isOk: false });
const noRoute = new Problem("unreachable", "no route to host");
const part = (node: string, hosted: Hosted, lost?: Problem): PartEnd =>
  partEnd(node, { hosted, conditionLost: lost, hasStarted: false }, 20, { timeoutMs: 60_000 });
const whole = (kind: NodeResult, sentence: string, parts: readonly PartEnd[], stopSentence?: string) =>
  wholeEnd(
    { verdict: { kind, sentence, leftOut: [] }, attempts: parts.map(({ attempt }) => attempt) },
    parts,
    {
      stopSentence,
      output: undefined,
      ms: 2000,
    },
  );

describe("partEnd()", () => {
  test.each<[string, Hosted, object]>([
    ["a success", end(), { result: "success", exit: 0, ms: 1500 }],
    ["a failure", exited(3), { result: "failure", exit: 3, ms: 1500 }],
    [
      "a signal",
      end({ outcome: { kind: "signalled", signal: 9 }, isOk: false, cause: "signal" }),
      { result: "failure", signal: 9, ms: 1500 },
    ],
    [
      "a timeout",
      end({ outcome: { kind: "signalled", signal: 15 }, isOk: false, cause: "timeout" }),
      { result: "failure", signal: 15, ms: 1500, sentence: "it had not finished within 1 min" },
    ],
    [
      "a program that is not there",
      end({
        outcome: { kind: "not-started", exitCode: 127, problem: new Problem("not-found", "x is not there") },
        isOk: false,
        cause: "not-started",
      }),
      { result: "failure", ms: 1500, sentence: "x is not there" },
    ],
    [
      "a node that could not be reached",
      end({
        outcome: { kind: "not-started", exitCode: 125, problem: noRoute },
        isOk: false,
        cause: "not-started",
      }),
      { result: "unreachable", ms: 1500, sentence: "no route to host", problem: noRoute },
    ],
    [
      "an end that nobody saw",
      end({ outcome: { kind: "unseen" }, isOk: false, cause: "unseen" }),
      { result: "unknown", ms: 1500, sentence: "nobody could tell how it ended" },
    ],
    [
      "a stop",
      end({ outcome: { kind: "signalled", signal: 15 }, isOk: false, cause: "stopped", sentence: "by mona" }),
      { result: "stopped", signal: 15, ms: 1500, sentence: "by mona" },
    ],
    ["a condition", { kind: "condition", sentence: "no" }, { result: "skipped", ms: 20, sentence: "no" }],
    ["a stop before the start", { kind: "stopped", sentence: undefined }, { result: "stopped", ms: 20 }],
    [
      "a rule that can't be kept",
      { kind: "refused", problem: new Problem("invalid", "another user") },
      { result: "failure", ms: 20, sentence: "another user" },
    ],
  ])("%s", (_, hosted, expected) => {
    const cause = hosted.kind === "ended" ? { cause: hosted.cause } : {};
    const attempt = { node: "web1", problem: undefined, ...cause, ...expected };
    expect(part("web1", hosted).attempt).toEqual(attempt as never);
  });

  test("a node that went away while the condition was asked was not reached", () => {
    const { attempt } = part("web1", { kind: "condition", sentence: "can't be asked" }, noRoute);
    expect(attempt).toMatchObject({ result: "unreachable", problem: noRoute });
  });
});

describe("partEnd(), of a job that was started before", () => {
  test("a further attempt that did not get there is a failure: no other node may have the run", () => {
    const problem = noRoute;
    const hosted = end({
      outcome: { kind: "not-started", exitCode: 125, problem },
      isOk: false,
      attempts: 2,
    });
    const { attempt } = partEnd("a", { hosted, conditionLost: undefined, hasStarted: true }, 1, {
      timeoutMs: undefined,
    });
    expect(attempt).toMatchObject({ result: "failure", sentence: "no route to host" });
  });

  const notAgain = (before: Hosted & RunEnd, more: Partial<RunEnd> = {}) => {
    const outcome = { kind: "not-started", exitCode: 125, problem: noRoute } as const;
    const hosted = end({ outcome, isOk: false, cause: "not-started", attempts: 3, before, ...more });
    return partEnd("a", { hosted, conditionLost: undefined, hasStarted: true }, 1, { timeoutMs: 60_000 });
  };
  const again = "and it could not be started again: no route to host";
  test.each<[string, Partial<RunEnd>, object, string]>([
    ["an exit status", { outcome: { kind: "exited", exitCode: 5 } }, { exit: 5 }, "exit status 5"],
    [
      "a signal",
      { outcome: { kind: "signalled", signal: 9 }, cause: "signal" },
      { signal: 9 },
      "ended by SIGKILL",
    ],
    [
      "a time limit",
      { outcome: { kind: "signalled", signal: 15 }, cause: "timeout" },
      { signal: 15 },
      "it had not finished within 1 min",
    ],
  ])("its end is that of the last attempt that was started: %s", (_, started, told, how) => {
    const before = { ...end({ isOk: false, ...started }) } as Hosted & RunEnd;
    const failed = notAgain(before);
    const { outcome, cause } = before;
    const sentence = `${how}, ${again}`;
    expect(failed.attempt).toMatchObject({ result: "failure", cause, problem: undefined, ...told, sentence });
    expect(whole("failure", `failed on a: ${sentence}`, [failed])).toMatchObject({
      isOk: false,
      outcome,
      cause,
      attempts: 3,
    });
  });

  test("also where it is stopped before a further one gets there", () => {
    const before = exited(5) as Hosted & RunEnd;
    const { attempt } = notAgain(before, { cause: "stopped", sentence: "stopped by mona" });
    expect(attempt).toMatchObject({
      result: "stopped",
      exit: 5,
      cause: "stopped",
      sentence: "stopped by mona",
    });
  });
});

describe("wholeEnd()", () => {
  test("a success has the exit status of the node that ran it", () => {
    const succeeded = part("b", end({ outcome: { kind: "exited", exitCode: 2 } }));
    expect(whole("success", "failed on a; ran on b", [part("a", exited(1)), succeeded])).toMatchObject({
      isOk: true,
      cause: "exit",
      outcome: { kind: "exited", exitCode: 2 },
      durationMs: 2000,
      sentence: "failed on a; ran on b",
    });
    expect(whole("success", "ran on b", [succeeded]).sentence).toBeUndefined();
  });

  test("a failure has that of the first node that failed, and says what became of each", () => {
    expect(whole("failure", "ran on a; failed on b", [part("a", end()), part("b", exited(3))])).toMatchObject(
      {
        isOk: false,
        cause: "exit",
        outcome: { kind: "exited", exitCode: 3 },
        sentence: "ran on a; failed on b",
      },
    );
  });

  test("where nodes are missing, and nobody has failed, it was not started everywhere", () => {
    expect(whole("failure", "ran on a; b is down: no route", [part("a", end())])).toMatchObject({
      isOk: false,
      cause: "not-started",
      outcome: { kind: "not-started", exitCode: 125 },
      sentence: "ran on a; b is down: no route",
    });
  });

  test("a failure that another rcrond has seen counts with the status that it has noted", () => {
    const attempts = [{ node: "a", result: "failure", exit: 4, ms: 1, problem: undefined }] as const;
    const verdict = { kind: "failure", sentence: "failed on a", leftOut: [] } as const;
    expect(
      wholeEnd({ verdict, attempts }, [], { stopSentence: undefined, output: undefined, ms: 1 }),
    ).toMatchObject({ cause: "exit", outcome: { kind: "exited", exitCode: 4 } });
  });

  test("the first failure counts, be it one that another rcrond has seen, with its cause", () => {
    const { attempt, end: _ } = part(
      "a",
      end({ outcome: { kind: "signalled", signal: 15 }, isOk: false, cause: "timeout" }),
    );
    const later = part("b", exited(4));
    const verdict = { kind: "failure", sentence: "failed on a, b", leftOut: [] } as const;
    const attempts = [attempt, later.attempt];
    const more = { stopSentence: undefined, output: undefined, ms: 1 };
    expect(wholeEnd({ verdict, attempts }, [later], more)).toMatchObject({
      cause: "timeout",
      outcome: { kind: "signalled", signal: 15 },
    });
  });

  test("unknown is never fine", () => {
    const lost = part("a", end({ outcome: { kind: "unseen" }, isOk: false, cause: "unseen" }));
    expect(whole("unknown", "may have run on a", [lost])).toMatchObject({ isOk: false, cause: "unseen" });
  });

  test("a stop by an operator, and one for the next run", () => {
    const stopped = part(
      "a",
      end({ outcome: { kind: "signalled", signal: 15 }, isOk: false, cause: "stopped" }),
    );
    expect(whole("stopped", "was stopped on a", [stopped], "stopped by mona")).toMatchObject({
      cause: "stopped",
      sentence: "stopped by mona",
      outcome: { kind: "signalled", signal: 15 },
    });
    expect(whole("stopped", "was stopped on a", [stopped])).toMatchObject({ cause: "clobbered" });
  });
});

describe("PartOutputs", () => {
  const kept = (text: string) => {
    const all = new HeadTail();
    all.add(new TextEncoder().encode(text));
    return all.kept();
  };
  const ran = (node: string, text: string) => part(node, end({ kept: kept(text) }));
  const away = (node: string) =>
    part(
      node,
      end({ outcome: { kind: "not-started", exitCode: 125, problem: noRoute }, isOk: false, kept: kept("") }),
    );
  const lost = (node: string, text: string) =>
    part(node, end({ outcome: { kind: "unseen" }, isOk: false, cause: "unseen", kept: kept(text) }));
  const outputOf = (
    policy: Policy | undefined,
    parts: readonly PartEnd[],
    resumed: readonly string[] = [],
  ) => {
    const outputs = new PartOutputs();
    for (const each of parts) outputs.add(each, resumed.includes(each.attempt.node));
    return outputs.kept(
      parts.map(({ attempt }) => attempt),
      policy,
    );
  };
  const shown = (...given: Parameters<typeof outputOf>) => {
    const output = outputOf(...given);
    return output && new TextDecoder().decode(output.head);
  };

  test("of several, each stands below its node's name, on lines of its own", () => {
    expect(shown("all", [ran("a", "no end"), ran("b", "x\n"), ran("c", "y\n")])).toBe(
      "==> a <==\nno end\n==> b <==\nx\n==> c <==\ny\n",
    );
  });

  test.each<[string, Policy | undefined, readonly PartEnd[], string]>([
    [
      "an only printer of several parts stands below its name",
      "all",
      [ran("a", ""), ran("b", "x\n")],
      "==> b <==\nx\n",
    ],
    ["also where the others could not be reached", "all", [away("a"), ran("b", "x\n")], "==> b <==\nx\n"],
    [
      "also where one node was tried behind another",
      "ordered",
      [part("a", exited(1)), ran("b", "x\n")],
      "==> b <==\nx\n",
    ],
    ["what an only part printed is as it is", "all", [ran("b", "x\n")], "x\n"],
    ["and where those before it could not have it", "any", [away("a"), ran("b", "x\n")], "x\n"],
    ["and where the job is gone", undefined, [away("a"), ran("b", "x\n")], "x\n"],
  ])("%s", (_, policy, parts, expected) => {
    expect(shown(policy, parts)).toBe(expected);
  });

  test("the name above a long output takes nothing of it away", () => {
    const long = ran("b", "x".repeat(100_000));
    const output = outputOf("all", [ran("a", ""), long]);
    expect(output?.bytes).toBe(100_000 + "==> b <==\n".length);
    expect(output?.leftOut).toBe(long.end?.kept?.leftOut);
    expect((output?.head.length ?? 0) + (output?.tail.length ?? 0) + (output?.leftOut ?? 0)).toBe(
      output?.bytes ?? Number.NaN,
    );
  });

  test.each<[string, readonly PartEnd[]]>([
    ["each part was silent", [ran("a", ""), ran("b", "")]],
    ["no node was reached", [away("a")]],
    ["the condition said no", [part("a", { kind: "condition", sentence: "no" })]],
    ["a rule could not be kept", [part("a", { kind: "refused", problem: new Problem("invalid", "user") })]],
    ["there was no node", []],
  ])("nothing was printed, and that is known: %s", (_, parts) => {
    expect(outputOf("all", parts)).toEqual(kept(""));
  });

  test("what is not known is not taken for nothing", () => {
    expect(outputOf("all", [ran("a", ""), lost("b", "")])).toBeUndefined();
    expect(outputOf("all", [ran("a", ""), part("b", end())])).toBeUndefined();
    // The daemon before this one had what was printed until then.
    expect(outputOf("all", [ran("a", ""), ran("b", "")], ["b"])).toBeUndefined();
    expect(outputOf("all", [away("a")], ["a"])).toEqual(kept(""));
    expect(shown("all", [lost("a", "x\n"), ran("b", "")])).toBe("==> a <==\nx\n");
  });

  test("of a part that ended under another rcrond, nobody knows what it printed", () => {
    const outputs = new PartOutputs();
    outputs.add(ran("b", ""), false);
    const b = { node: "b", result: "success", exit: 0, ms: 1 } as const;
    expect(outputs.kept([{ ...b, node: "a" }, b], "all")).toBeUndefined();
    expect(outputs.kept([{ node: "a", result: "unreachable", ms: 1 }, b], "all")).toEqual(kept(""));
  });

  test("is bounded, however much all of them print, and counts all that they have printed", () => {
    const all = outputOf(
      "all",
      Array.from({ length: 100 }, (_, node) => ran(`n${node}`, "x".repeat(40_000))),
    );
    const kept = (all?.head.length ?? 0) + (all?.tail.length ?? 0);
    expect(kept).toBe(32 * 1024);
    const ofOurs = 10 * "==> n0 <==\n\n".length + 90 * "==> n10 <==\n\n".length;
    expect(all?.bytes).toBe(100 * 40_000 + ofOurs);
    expect(all?.leftOut).toBe(100 * 40_000 + ofOurs - kept);
  });

  test("of a long one behind a short one, beginning and end are told, and the gap is as long as it is", () => {
    const all = outputOf("all", [ran("a", "x\n"), ran("b", `${"y".repeat(100_000)}end\n`)]);
    const { head = new Uint8Array(), tail = new Uint8Array(), bytes, leftOut } = all ?? {};
    const text = (part: Uint8Array) => new TextDecoder().decode(part);
    expect(text(head)).toStartWith("==> a <==\nx\n==> b <==\ny");
    expect(text(head) + text(tail)).not.toContain("left out");
    expect(text(tail)).toEndWith("yend\n");
    expect(bytes).toBe(100_004 + "==> a <==\nx\n==> b <==\n".length);
    expect(leftOut).toBe(Number(bytes) - head.length - tail.length);
  });

  test("a line that looks like another node's name has a blank before it", () => {
    const liar = "==> b <==\nfine\r==> b <==\nx ==> b <==\n ==> b <==\n==> no name\n==> b <== \r\n==> b <==";
    const told =
      " ==> b <==\nfine\r ==> b <==\nx ==> b <==\n ==> b <==\n==> no name\n ==> b <== \r\n ==> b <==";
    expect(shown("all", [ran("a", liar), ran("b", "y\n")])).toBe(`==> a <==\n${told}\n==> b <==\ny\n`);
    // Also where the others were silent, and where a name could be cut in two; but not where no other name can stand.
    expect(shown("all", [ran("a", liar), ran("b", "")])).toBe(`==> a <==\n${told}`);
    expect(shown("all", [ran("a", liar)])).toBe(liar);
  });

  test("what has many such lines stays bounded, and loses no byte that is not counted", () => {
    for (const others of ["", "y\n"]) {
      const long = ran("a", "==> b <==\n".repeat(100_000));
      const all = outputOf("all", [long, ran("b", others)]);
      const kept = (all?.head.length ?? 0) + (all?.tail.length ?? 0);
      expect(kept).toBeLessThanOrEqual(40 * 1024);
      expect(kept + Number(all?.leftOut)).toBe(Number(all?.bytes));
      expect(all?.bytes).toBeGreaterThan(1_000_000);
      const text = Buffer.concat([all?.head ?? new Uint8Array(), all?.tail ?? new Uint8Array()]).toString();
      expect(text.match(/^==> b <==$/gm)?.length ?? 0).toBe(others === "" ? 0 : 1);
    }
  });
});

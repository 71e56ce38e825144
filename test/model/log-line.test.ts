import { describe, expect, test } from "bun:test";
import {
  endLine,
  generateLine,
  ignoreLine,
  newRunId,
  setLine,
  startLine,
  stopLine,
} from "../../src/model/log-line.ts";
import { exitStatusOf, type Outcome } from "../../src/model/outcome.ts";
import { Problem } from "../../src/model/problem.ts";

const plain = { clusterName: "web", commandText: "my-job --flag=a", extension: undefined };
const extended = {
  ...plain,
  extension: { jobName: "my-job", runId: "0badcafe", reason: "state-file" } as const,
};
const missing = new Problem("not-found", "x");

describe("docs/compatibility.md, the lines", () => {
  test.each([
    [ignoreLine(plain), "cluster=web state=passive status=ignore cmd=my-job --flag=a"],
    [startLine(plain), "cluster=web state=active status=start cmd=my-job --flag=a"],
    [
      endLine(plain, { outcome: { kind: "exited", exitCode: 0 }, durationMs: 12_999, state: "active" }),
      "cluster=web state=active status=ok dur=12 cmd=my-job --flag=a",
    ],
    [
      endLine(plain, { outcome: { kind: "exited", exitCode: 1 }, durationMs: 999, state: "active" }),
      "cluster=web state=active status=fail dur=0 cmd=my-job --flag=a",
    ],
    [
      endLine(plain, { outcome: { kind: "signalled", signal: 15 }, durationMs: 1000, state: "active" }),
      "cluster=web state=active status=fail dur=1 cmd=my-job --flag=a",
    ],
    [generateLine("web", "passive", "/run/s"), "cluster=web state=passive status=generate file=/run/s"],
  ])("%s", (line, expected) => {
    expect(line).toBe(expected);
  });
});

describe("docs/compatibility.md, the lines: log_format = extended adds keys before cmd=", () => {
  test.each([
    [
      ignoreLine(extended),
      "cluster=web state=passive status=ignore job=my-job run=0badcafe reason=state-file cmd=my-job --flag=a",
    ],
    [
      startLine(extended),
      "cluster=web state=active status=start job=my-job run=0badcafe reason=state-file cmd=my-job --flag=a",
    ],
    [
      endLine(extended, { outcome: { kind: "exited", exitCode: 3 }, durationMs: 0, state: "active" }),
      "cluster=web state=active status=fail dur=0 exit=3 job=my-job run=0badcafe reason=state-file cmd=my-job --flag=a",
    ],
    [
      endLine(extended, { outcome: { kind: "signalled", signal: 9 }, durationMs: 0, state: "active" }),
      "cluster=web state=active status=fail dur=0 signal=9 job=my-job run=0badcafe reason=state-file cmd=my-job --flag=a",
    ],
  ])("%s", (line, expected) => {
    expect(line).toBe(expected);
  });

  test("each run has an id of its own", () => {
    const ids = new Set(Array.from({ length: 1000 }, newRunId));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("the lines beside those of the older programs", () => {
  const set = { clusterName: "web", word: "active", stateFile: "/run/s" } as const;
  const provenance = { epoch: 7, instance: "VI_1", event: "MASTER", writer: "keepalived/1/2 rcronctl/3/4" };
  test.each([
    [
      stopLine(plain, "writer-dead"),
      "cluster=web state=passive status=stop reason=writer-dead cmd=my-job --flag=a",
    ],
    [
      stopLine(extended, "writer-dead"),
      "cluster=web state=passive status=stop job=my-job run=0badcafe reason=writer-dead cmd=my-job --flag=a",
    ],
    [
      endLine(plain, { outcome: { kind: "signalled", signal: 15 }, durationMs: 0, state: "passive" }),
      "cluster=web state=passive status=fail dur=0 cmd=my-job --flag=a",
    ],
    [
      setLine({ ...set, isWritten: true, previousWord: "passive", provenance }),
      "cluster=web state=active status=set was=passive epoch=7 instance=VI_1 event=MASTER writer=keepalived/1/2,rcronctl/3/4 file=/run/s",
    ],
    [
      setLine({ ...set, isWritten: false, previousWord: "active", provenance: {} }),
      "cluster=web state=active status=overtaken was=active file=/run/s",
    ],
    [
      setLine({ ...set, clusterName: undefined, isWritten: true, previousWord: undefined, provenance: {} }),
      "cluster=unknown state=active status=set was=unknown file=/run/s",
    ],
  ])("%s", (line, expected) => {
    expect(line).toBe(expected);
  });
});

describe("docs/compatibility.md, exit status", () => {
  test.each([
    [{ kind: "exited", exitCode: 0 }, 0],
    [{ kind: "exited", exitCode: 255 }, 255],
    [{ kind: "signalled", signal: 9 }, 137],
    [{ kind: "not-started", exitCode: 127, problem: missing }, 127],
  ] as [Outcome, number][])("%j gives %i", (outcome, status) => {
    expect(exitStatusOf(outcome)).toBe(status);
  });
});

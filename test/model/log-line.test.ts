import { describe, expect, test } from "bun:test";
import { endLine, extendLine, generateLine, ignoreLine, startLine } from "../../src/model/log-line.ts";
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
      endLine(plain, { kind: "exited", exitCode: 0 }, 12_999),
      "cluster=web state=active status=ok dur=12 cmd=my-job --flag=a",
    ],
    [
      endLine(plain, { kind: "exited", exitCode: 1 }, 999),
      "cluster=web state=active status=fail dur=0 cmd=my-job --flag=a",
    ],
    [
      endLine(plain, { kind: "signalled", signal: 15 }, 1000),
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
      endLine(extended, { kind: "exited", exitCode: 3 }, 0),
      "cluster=web state=active status=fail dur=0 exit=3 job=my-job run=0badcafe reason=state-file cmd=my-job --flag=a",
    ],
    [
      endLine(extended, { kind: "signalled", signal: 9 }, 0),
      "cluster=web state=active status=fail dur=0 signal=9 job=my-job run=0badcafe reason=state-file cmd=my-job --flag=a",
    ],
  ])("%s", (line, expected) => {
    expect(line).toBe(expected);
  });

  test("each run has an id of its own", () => {
    const ids = new Set(Array.from({ length: 1000 }, () => extendLine("my-job", "state-file").runId));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}$/);
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

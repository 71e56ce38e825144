/** What rcronctl and rcrond say to each other: what is a request, what is an answer, and what is neither. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAnswer, parseRequest } from "../../src/model/control-lines.ts";
import type { ControlAnswer, ControlRequest, ControlResult } from "../../src/model/control-message.ts";
import { Problem } from "../../src/model/problem.ts";

const requests: readonly ControlRequest[] = [
  { ask: "status" },
  { ask: "jobs" },
  { ask: "reload" },
  { ask: "next" },
  { ask: "next", job: "web/backup", count: 1000 },
  { ask: "run", job: "web/nightly:backup-74f495" },
  { ask: "run", job: "a", follow: true },
  { ask: "stop", run: "0123" },
  { ask: "pause", untilMs: 0, why: "" },
  { ask: "pause", job: "a", untilMs: 1.5e12, why: "the disk is full\n" },
  { ask: "resume" },
  { ask: "resume", job: "a" },
  { ask: "nodes" },
  { ask: "test-nodes" },
  { ask: "test-nodes", node: "web1" },
];

const pause = { job: "a", sinceMs: 0, untilMs: 1, why: "w", by: "root" };
const results: readonly ControlResult[] = [
  {
    kind: "status",
    status: {
      version: "0.4.0",
      pid: 1,
      sinceMs: 0,
      host: "h",
      cluster: "c",
      state: "active",
      stateSentence: "s",
      jobs: 2,
      files: 1,
      broken: ["b"],
      running: [{ run: "r", job: "a", sinceMs: 0, tickMs: 0, pid: 7 }],
      waiting: 0,
      concurrency: 3,
      pauses: [pause, { ...pause, job: undefined }],
      nextMs: 5,
      nodes: { count: 2, down: ["web2"] },
      isDraining: false,
      warnings: [],
    },
  },
  {
    kind: "jobs",
    jobs: [
      {
        job: "a",
        where: "/x:1",
        schedule: "@daily",
        nextMs: 1,
        running: 0,
        waiting: 0,
        isCluster: true,
        pausedUntilMs: 9,
        description: "d",
        on: "any of web",
      },
    ],
  },
  {
    kind: "next",
    jobs: [{ job: "a", where: "/x:1", schedule: "@daily", nextMs: [1, 2], zone: "UTC", but: "b", on: "all" }],
  },
  { kind: "next", jobs: [{ job: "a", where: "/x:1", schedule: "@reboot", nextMs: [] }] },
  { kind: "run", run: "r1", sentence: "s" },
  { kind: "run", run: "r1", sentence: "s", exitStatus: 255 },
  { kind: "stop", run: "r1", job: "a" },
  { kind: "pause", pauses: [pause] },
  { kind: "resume", ended: [] },
  { kind: "reload", added: 0, changed: 1, removed: 2, broken: ["x:1: bad"] },
  {
    kind: "reload",
    added: 0,
    changed: 0,
    removed: 0,
    nodes: { added: 1, changed: 2, removed: 3 },
    broken: [],
  },
  {
    kind: "nodes",
    nodes: [
      {
        node: "web1",
        where: "/x:1",
        roles: ["web"],
        connection: "ssh",
        address: "root@web1:22",
        isUp: false,
        isConnected: false,
        sinceMs: 0,
        why: "w",
        hint: "h",
        nextCheckMs: 1,
        running: 0,
        runsAtOnce: 4,
      },
      {
        node: "here",
        where: "/x:5",
        roles: [],
        connection: "local",
        address: "",
        isUp: true,
        isConnected: true,
        sinceMs: 0,
        running: 2,
      },
    ],
  },
  { kind: "test-nodes", tested: 2, failed: 1 },
];
const answers: readonly ControlAnswer[] = [
  ...results.map((result): ControlAnswer => ({ told: "done", result })),
  { told: "refused", code: "not-found", message: "m" },
  { told: "refused", code: "invalid", message: "m", hint: "h" },
  { told: "heard" },
  { told: "started", run: "r1" },
  { told: "output", bytes: "aGk=" },
  { told: "testing", nodes: ["web1", "web2"] },
  { told: "node", node: "web1", ms: 12 },
  { told: "node", node: "web2", ms: 0, why: "w", hint: "h" },
];

/** Lines near the right ones: a key with another value, and text put into them. */
function nearly(lines: readonly object[], check: (text: string) => void): void {
  const key = fc.constantFrom(...new Set(lines.flatMap((line) => Object.keys(line))));
  const numRuns = 3000;
  fc.assert(fc.property(fc.string({ unit: "binary" }), check));
  fc.assert(fc.property(fc.json(), check));
  fc.assert(
    fc.property(fc.constantFrom(...lines), key, fc.jsonValue(), (line, name, value) =>
      check(JSON.stringify({ ...line, [name]: value })),
    ),
    { numRuns },
  );
  fc.assert(
    fc.property(fc.constantFrom(...lines), fc.nat(), fc.nat(9), fc.string(), (line, from, count, text) => {
      const whole = JSON.stringify(line);
      const at = from % whole.length;
      check(whole.slice(0, at) + text + whole.slice(at + count));
    }),
    { numRuns },
  );
}

describe("parseRequest()", () => {
  test.each(requests)("reads what rcronctl writes: %j", (request) => {
    expect(parseRequest(JSON.stringify(request))).toEqual(request);
  });

  test.each([
    ["no JSON", "status", "a request must be one line of JSON, an object"],
    ["null", "null", "a request must be one line of JSON, an object"],
    [
      "no word",
      "{}",
      'ask must be one of status, jobs, reload, next, run, stop, pause, resume, nodes, test-nodes: got ""',
    ],
    ["a word that is a list", '{"ask":["status"]}', "ask must be one of"],
    ["a slip", '{"ask":"relaod"}', 'got "relaod"'],
    ["a name of every object", '{"ask":"toString"}', "ask must be one of"],
    ["a key that another word has", '{"ask":"status","job":"a"}', "must have its own keys and no others"],
    ["a key of a later version", '{"ask":"run","job":"a","dryRun":true}', "must have its own keys"],
    ["a missing key", '{"ask":"run"}', "a request for run must have its own keys"],
    ["an empty name", '{"ask":"run","job":""}', "a request for run must"],
    ["null for a name, which is not all jobs", '{"ask":"resume","job":null}', "a request for resume must"],
    ["a name that is long", `{"ask":"run","job":"${"x".repeat(4097)}"}`, "a request for run must"],
    ["a count of nothing", '{"ask":"next","count":0}', "a request for next must"],
    ["a count too high", '{"ask":"next","count":1001}', "a request for next must"],
    ["a fraction", '{"ask":"next","count":1.5}', "a request for next must"],
    ["a pause for ever", '{"ask":"pause","untilMs":1e300,"why":""}', "a request for pause must"],
    ["a pause without end", '{"ask":"pause","why":""}', "a request for pause must"],
    ["nodes with a key", '{"ask":"nodes","node":"web1"}', "a request for nodes must have its own keys"],
    ["an empty node", '{"ask":"test-nodes","node":""}', "a request for test-nodes must"],
    ["a list of nodes", '{"ask":"test-nodes","node":["web1"]}', "a request for test-nodes must"],
    ["a reason too long", `{"ask":"pause","untilMs":1,"why":"${"x".repeat(1001)}"}`, "a request for pause"],
  ])("refuses %s", (_, line, message) => {
    const problem = parseRequest(line);
    if (!(problem instanceof Problem)) throw new Error("taken for a request");
    expect(problem.code).toBe("invalid");
    expect(problem.message).toContain(message);
  });

  test("knows the nearest word", () => {
    expect(parseRequest('{"ask":"relaod"}')).toMatchObject({ hint: "did you mean reload?" });
  });

  test("is total, and what it takes is read again as the same", () => {
    nearly(requests, (text) => {
      const request = parseRequest(text);
      if (request instanceof Problem) expect(request.code).toBe("invalid");
      else expect(parseRequest(JSON.stringify(request))).toEqual(request);
    });
  });
});

describe("parseAnswer()", () => {
  test.each(answers)("reads what rcrond writes: %#", (answer) => {
    expect(parseAnswer(JSON.stringify(answer))).toEqual(answer);
  });

  test("leaves out the keys of a later version", () => {
    expect(parseAnswer('{"told":"heard","by":"a later one"}')).toEqual({ told: "heard" });
    expect(parseAnswer('{"told":"done","result":{"kind":"resume","ended":[],"more":1}}')).toEqual({
      told: "done",
      result: { kind: "resume", ended: [] },
    });
  });

  test.each([
    "",
    "done",
    "[]",
    "{}",
    '{"told":"__proto__"}',
    '{"told":"done"}',
    '{"told":"done","result":null}',
    '{"told":"done","result":{"kind":"resume"}}',
    '{"told":"done","result":{"kind":"run","run":"a b","sentence":""}}',
    '{"told":"done","result":{"kind":"run","run":"a","sentence":"","exitStatus":256}}',
    '{"told":"done","result":{"kind":"next","jobs":[{"job":"a"}]}}',
    '{"told":"done","result":{"kind":"next","jobs":[{"job":"a","where":"","schedule":"","nextMs":["1"]}]}}',
    '{"told":"refused","code":"tired","message":""}',
    '{"told":"output","bytes":[1]}',
    '{"told":"testing","nodes":"web1"}',
    '{"told":"node","node":"web1"}',
    '{"told":"node","node":"web1","ms":-1}',
    '{"told":"done","result":{"kind":"nodes"}}',
    '{"told":"done","result":{"kind":"nodes","nodes":[{"node":"web1"}]}}',
    '{"told":"done","result":{"kind":"test-nodes","tested":1}}',
  ])("is strict: %s", (line) => {
    expect(parseAnswer(line)).toBeUndefined();
  });

  test("is total, and what it takes is read again as the same", () => {
    nearly(answers, (text) => {
      const answer = parseAnswer(text);
      if (answer !== undefined) expect(parseAnswer(JSON.stringify(answer))).toEqual(answer);
    });
  });
});

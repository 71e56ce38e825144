/** The journal's lines: what is an event, and what is not. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { eventLimit, jobNameOf, parseEvent } from "../../src/model/run-event.ts";
import { end, skip, start } from "../history/events.ts";

const events = [
  start("a1", { user: "www-data", joined: true }),
  start("0123456789abcdef"),
  end("a1"),
  end("a1", {
    ok: false,
    cause: "signal",
    signal: 9,
    sentence: "s",
    attempts: 3,
    detached: true,
    survivors: 1,
    cpuMs: 0.5,
  }),
  end("a1", { output: { bytes: 3, leftOut: 0, head: "H4sI+/==", tail: "" } }),
  skip(),
  skip({ why: "overlap", run: "s1", holder: { run: "a0", pid: 1, since: 0 } }),
  skip({ why: "condition", sentence: "no" }),
  skip({ why: "paused", sentence: "until 06:00" }),
  end("a1", { ok: false, cause: "unseen" }),
  { kind: "adopt", run: "a1", at: 1, pid: 4711, ticks: 12, boot: "b" } as const,
];

describe("parseEvent()", () => {
  test.each(events)("reads back what the journal has: %#", (event) => {
    expect(parseEvent(JSON.stringify(event))).toEqual(event);
  });

  test("leaves out keys that it does not know", () => {
    expect(parseEvent(JSON.stringify({ ...end("a1"), later: { a: 1 } }))).toEqual(end("a1"));
  });

  test.each([
    ["", {}],
    ["kind is missing", { kind: undefined }],
    ["kind is unknown", { kind: "pause" }],
    ["run is missing", { run: undefined }],
    ["run is empty", { run: "" }],
    ["run has a blank", { run: "a b" }],
    ["run is long", { run: "a".repeat(65) }],
    ["at is text", { at: "0" }],
    ["at is null, as Infinity is written", { at: null }],
    ["at is negative", { at: -1 }],
    ["at is no date", { at: 1e300 }],
    ["ms is negative", { ms: -0.1 }],
    ["ok is a number", { ok: 1 }],
    ["cause is unknown", { cause: "boredom" }],
    ["cause is a name of every object", { cause: "constructor" }],
    ["exit is 256", { exit: 256 }],
    ["exit is a fraction", { exit: 0.5 }],
    ["exit is null", { exit: null }],
    ["signal is text", { signal: "SIGKILL" }],
    ["attempts is negative", { attempts: -1 }],
    ["output is a list", { output: [] }],
    ["output is no base64", { output: { bytes: 1, leftOut: 0, head: "§", tail: "" } }],
    ["sentence is long", { sentence: "s".repeat(65_537) }],
  ])("is strict: %s", (name, change) => {
    const event = parseEvent(JSON.stringify({ ...end("a1"), ...change }));
    if (name === "") expect(event).toEqual(end("a1"));
    else expect(event).toBeUndefined();
  });

  test.each([
    ["pid 0", { pid: 0 }],
    ["words with a number", { words: ["a", 1] }],
    ["a holder that is text", { holder: "a", kind: "skip", why: "overlap" }],
    ["a holder with a wrong pid", { holder: { pid: "1" }, kind: "skip", why: "overlap" }],
    ["no cluster", { cluster: undefined }],
    ["no tick", { tick: undefined }],
  ])("is strict with what begins: %s", (_, change) => {
    expect(parseEvent(JSON.stringify({ ...start("a1"), ...change }))).toBeUndefined();
  });

  test.each(["", "{", "null", "[]", '"start"', "1", '{"kind":"__proto__"}', " ".repeat(eventLimit + 1)])(
    "no event: %#",
    (text) => {
      expect(parseEvent(text)).toBeUndefined();
    },
  );

  test("is total: any text, any JSON, any cut or changed line", () => {
    const isEventOrNot = (text: string) => {
      const event = parseEvent(text);
      if (event === undefined) return;
      expect(["start", "end", "skip", "adopt"]).toContain(event.kind);
      expect(parseEvent(JSON.stringify(event))).toEqual(event);
      if (event.kind === "start" || event.kind === "skip") expect(typeof jobNameOf(event)).toBe("string");
    };
    fc.assert(fc.property(fc.string({ unit: "binary" }), isEventOrNot));
    fc.assert(fc.property(fc.json(), isEventOrNot));
    const key = fc.constantFrom(...events.flatMap((event) => Object.keys(event)));
    fc.assert(
      fc.property(fc.constantFrom(...events), key, fc.jsonValue(), (event, name, value) =>
        isEventOrNot(JSON.stringify({ ...event, [name]: value })),
      ),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...events), fc.nat(), fc.nat(), fc.string(), (event, from, count, text) => {
        const line = JSON.stringify(event);
        const at = from % line.length;
        isEventOrNot(line.slice(0, at) + text + line.slice(at + (count % 10)));
      }),
      { numRuns: 2000 },
    );
  });
});

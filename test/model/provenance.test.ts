import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatState,
  nameWriter,
  type Provenance,
  parseProvenance,
  writerProcesses,
} from "../../src/model/provenance.ts";

/** A value as it may stand in the file: nothing that is a line's end, blank at its ends or longer than is written. */
const value = fc
  .string({ unit: "grapheme-composite", maxLength: 60 })
  .filter(
    (text) => !/[\x00-\x1f\x7f]/.test(text) && text.trim() === text && text !== "" && text.length <= 200,
  );
const instant = fc
  .date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map(Number);
const known = fc.record(
  {
    epoch: fc.maxSafeNat(),
    instance: value,
    event: value,
    writer: value,
    bootId: value,
    sinceMs: instant,
    writtenAtMs: instant,
    validUntilMs: instant,
    uptimeS: fc.nat({ max: 2 ** 31 - 1 }).map((hundredths) => hundredths / 100),
    order: fc.record({ startTicks: fc.maxSafeNat(), pid: fc.nat() }),
  },
  { requiredKeys: [] },
);
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  // Lines that come near to being right.
  fc
    .array(
      fc.tuple(
        fc.constantFrom(
          "epoch",
          "order",
          "uptime",
          "since",
          "written_at",
          "valid_until",
          "writer",
          "x",
          "",
          " ",
        ),
        fc.constantFrom("=", " = ", "", "=="),
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 20 }),
          fc.constantFrom(
            "1/2",
            "-1",
            "1e400",
            "NaN",
            "Infinity",
            "0x10",
            "2026-11-21T12:00:00Z",
            "999999999999999999",
          ),
        ),
        fc.constantFrom("\n", "\r\n", "\r", ""),
      ),
    )
    .map((lines) => `active\n${lines.map((parts) => parts.join("")).join("")}`),
);

describe("formatState() and parseProvenance()", () => {
  test("what is written is read back", () => {
    fc.assert(
      fc.property(fc.constantFrom("active", "passive"), known, (word, provenance) => {
        const text = formatState(word, provenance as Provenance);
        expect(text.split("\n", 1)).toEqual([word]);
        expect(parseProvenance(text)).toEqual(provenance as Provenance);
      }),
      { numRuns: 2000 },
    );
  });

  test("whatever the values hold, the word is the first line, and no value makes a line of its own", () => {
    const rough = fc.string({ unit: "binary", maxLength: 400 });
    fc.assert(
      fc.property(rough, rough, rough, (instance, event, writer) => {
        const text = formatState("passive", { epoch: 5, instance, event, writer });
        const lines = text.split("\n");
        expect(lines[0]).toBe("passive");
        expect(lines.at(-1)).toBe("");
        for (const line of lines.slice(1, -1)) expect(line).toMatch(/^(epoch|instance|event|writer)=/);
        expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
        expect(parseProvenance(text).epoch).toBe(5);
      }),
    );
  });

  test("nothing known, and the file is the bare word", () => {
    expect(formatState("active", {})).toBe("active\n");
  });

  test("a value is cut at 200 characters, and all lines together stay far below what is read", () => {
    const long = "x".repeat(5000);
    const text = formatState("passive", {
      epoch: Number.MAX_SAFE_INTEGER,
      instance: long,
      event: long,
      writer: long,
      bootId: long,
      sinceMs: 0,
      writtenAtMs: 0,
      validUntilMs: 0,
      uptimeS: 1e9,
      order: { startTicks: Number.MAX_SAFE_INTEGER, pid: Number.MAX_SAFE_INTEGER },
    });
    expect(text.length).toBeLessThan(2048);
    expect(parseProvenance(text).instance).toBe("x".repeat(200));
  });
});

describe("parseProvenance()", () => {
  test("is total, and what it gives is in range", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { epoch, writtenAtMs, validUntilMs, sinceMs, uptimeS, order, writer } = parseProvenance(text);
        if (epoch !== undefined) expect(Number.isSafeInteger(epoch) && epoch >= 0).toBe(true);
        for (const ms of [writtenAtMs, validUntilMs, sinceMs]) {
          if (ms !== undefined) expect(() => new Date(ms).toISOString()).not.toThrow();
        }
        if (uptimeS !== undefined) expect(uptimeS >= 0 && uptimeS < 1e12).toBe(true);
        if (order !== undefined) expect(Object.values(order).every(Number.isSafeInteger)).toBe(true);
        for (const { pid, startTicks } of writerProcesses(writer)) {
          expect(Number.isSafeInteger(pid) && pid > 0 && Number.isSafeInteger(startTicks)).toBe(true);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    ["epoch=41\r\n", { epoch: 41 }, "lines that end as on other systems"],
    [" epoch = 41 \n", { epoch: 41 }, "blanks around key and value"],
    ["epoch=41", { epoch: 41 }, "a last line without an end"],
    ["epoch=1\nepoch=2\n", { epoch: 2 }, "of two lines the later one"],
    ["epoch=-1\nepoch=1.5\nepoch=x\nepoch=99999999999999999\n", {}, "an epoch that is none"],
    ["epoch=\nwriter=\n", {}, "a key without a value"],
    ["=41\n# epoch=41\nEpoch=41\nepoch 41\n", {}, "lines of another kind"],
    ["instance=a=b\n", { instance: "a=b" }, "a value with an equals sign"],
    ["instance=VI 1\n", { instance: "VI 1" }, "a value with a blank"],
    ["constructor=1\n__proto__=2\n", {}, "names that every object has"],
    ["written_at=2026-11-21T12:00:00Z\n", { writtenAtMs: 1795262400000 }, "an instant"],
    ["written_at=2026-11-21T13:00:00+01:00\n", { writtenAtMs: 1795262400000 }, "an instant with a zone"],
    ["written_at=2026-11-21T12:00:00\n", {}, "an instant without a zone"],
    ["written_at=yesterday\nsince=0\n", {}, "no instant"],
    ["valid_until=2026-11-21T12:00:00Z\n", { validUntilMs: 1795262400000 }, "a lease"],
    ["valid_until=tomorrow\n", { validUntilMs: 0 }, "a lease that can't be read is over"],
    ["valid_until=2026-11-21T12:00:00\n", { validUntilMs: 0 }, "a lease without a zone is over"],
    ["uptime=-1\nuptime=x\nuptime=1e300\n", {}, "no time since boot"],
    ["order=12/34\n", { order: { startTicks: 12, pid: 34 } }, "an order"],
    ["order=12\norder=/34\norder=a/b\norder=1.5/2\n", {}, "no order"],
  ])("%p: %o, %s", (lines, provenance) => {
    expect(parseProvenance(`active\n${lines}`)).toEqual(provenance as Provenance);
  });

  test("the first line is the word's, whatever else stands in it", () => {
    expect(parseProvenance("epoch=41\n")).toEqual({});
    expect(parseProvenance("active epoch=41\n")).toEqual({});
  });
});

describe("writerProcesses()", () => {
  test.each([
    [undefined, []],
    ["jane", []],
    ["jane doe", []],
    ["/usr/bin/it", []],
    ["keepalived/1/2", [{ name: "keepalived", pid: 1, startTicks: 2 }]],
    [
      "keepalived/1/2 rcronctl/3/4",
      [
        { name: "keepalived", pid: 1, startTicks: 2 },
        { name: "rcronctl", pid: 3, startTicks: 4 },
      ],
    ],
    ["a/b/1/2", [{ name: "a/b", pid: 1, startTicks: 2 }]],
    ["/1/2", [{ name: "", pid: 1, startTicks: 2 }]],
    ["keepalived/0/2", []],
    ["keepalived/-1/2", []],
    ["keepalived/one/2", []],
    ["keepalived/1/two", []],
    ["keepalived/1.5/2", []],
    ["keepalived//2", []],
    ["  keepalived/1/2  ", [{ name: "keepalived", pid: 1, startTicks: 2 }]],
  ])("%p", (writer, processes) => {
    expect(writerProcesses(writer)).toEqual(processes);
  });

  test("finds each process that nameWriter() wrote, whatever its program calls itself", () => {
    const process = fc.record({
      name: fc.string({ unit: "binary", maxLength: 100 }),
      pid: fc.integer({ min: 1, max: 4_194_304 }),
      startTicks: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(process, process, (one, other) => {
        const written = formatState("active", { writer: `${nameWriter(one)} ${nameWriter(other)}` });
        const found = writerProcesses(parseProvenance(written).writer);
        expect(found.map(({ pid, startTicks }) => [pid, startTicks])).toEqual(
          [one, other].map(({ pid, startTicks }) => [pid, startTicks]),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

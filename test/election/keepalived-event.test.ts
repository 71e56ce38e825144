import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseKeepalivedEvent } from "../../src/election/election.ts";
import { Problem } from "../../src/model/problem.ts";

const states = [
  "MASTER",
  "MASTER_RX_LOWER_PRI",
  "MASTER_PRIORITY",
  "BACKUP",
  "BACKUP_PRIORITY",
  "FAULT",
  "STOP",
  "DELETED",
];

describe("parseKeepalivedEvent()", () => {
  test.each([
    ["MASTER", "active", false],
    ["MASTER_RX_LOWER_PRI", "active", true],
    ["MASTER_PRIORITY", "active", false],
    ["BACKUP", "passive", false],
    ["BACKUP_PRIORITY", "passive", false],
    ["FAULT", "passive", false],
    ["STOP", "passive", false],
    ["DELETED", "passive", false],
  ] as const)("%s: %s", (state, word, isNewTerm) => {
    expect(parseKeepalivedEvent(`INSTANCE "VI_1" ${state} 100`)).toEqual({
      kind: "INSTANCE",
      name: "VI_1",
      state,
      word,
      isNewTerm,
    });
  });

  test.each([
    ['GROUP "G" BACKUP 0', "GROUP", "G"],
    ['INSTANCE "VI 1" BACKUP 100', "INSTANCE", "VI 1"],
    ["INSTANCE VI_1 BACKUP 100", "INSTANCE", "VI_1"],
    ["INSTANCE VI_1 BACKUP", "INSTANCE", "VI_1"],
    ['  INSTANCE  "VI_1"  BACKUP  100 \r', "INSTANCE", "VI_1"],
    ['INSTANCE "__proto__" BACKUP 100', "INSTANCE", "__proto__"],
  ] as const)("%s is about %s %s", (line, kind, name) => {
    expect(parseKeepalivedEvent(line)).toMatchObject({ kind, name, word: "passive" });
  });

  test.each(["", "  ", "VS [192.0.2.10]:tcp:80 UP", "RS [192.0.2.11]:tcp:80 [192.0.2.10]:tcp:80 DOWN"])(
    "%p is not for us",
    (line) => {
      expect(parseKeepalivedEvent(line)).toBeUndefined();
    },
  );

  test.each([
    ['INSTANCE "VI_1" LEADER 100', "a state must be one of MASTER, "],
    ['INSTANCE "VI_1" constructor 100', "a line must be TYPE"],
    ['INSTANCE "VI_1" master 100', "a line must be TYPE"],
    ['INSTANCE "" MASTER 100', "a line must be TYPE"],
    ['INSTANCE "VI_1 MASTER 100', "a line must be TYPE"],
    ['INSTANCE "VI_1" MASTER x', "a line must be TYPE"],
    ['INSTANCE "VI_1" MASTER 100 more', "a line must be TYPE"],
    ['INSTANCE "VI_1"', "a line must be TYPE"],
    ['instance "VI_1" MASTER 100', "a line must be TYPE"],
    ['INSTANCE "A" MASTER 100 INSTANCE "B" MASTER 100', "a line must be TYPE"],
    ["\x1b[31m", 'got "\\x1b[31m"'],
  ])("%p is not guessed at", (line, rule) => {
    const refused = parseKeepalivedEvent(line);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ code: "invalid", message: expect.stringContaining(rule) });
  });

  test("is total, quick, and gives a word for what keepalived can say alone", () => {
    const part = fc.oneof(
      fc.constantFrom("INSTANCE", "GROUP", '"VI_1"', "VI_1", "100", " ", "\t", '"', "VS ", ...states),
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.nat({ max: 300 }).map((count) => " ".repeat(count)),
    );
    const line = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(" "));
    fc.assert(
      fc.property(fc.oneof(line, fc.string({ unit: "binary" })), (text) => {
        const event = parseKeepalivedEvent(text);
        if (event === undefined) return;
        if (event instanceof Problem) expect(event.message).not.toMatch(/[\x00-\x1f\x7f]/);
        else {
          expect(event.name).not.toBe("");
          expect(states).toContain(event.state);
          expect(event.word).toBe(event.state.startsWith("MASTER") ? "active" : "passive");
        }
      }),
      { numRuns: 5000 },
    );
  });
});

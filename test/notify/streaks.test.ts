/**
 * When a run is mailed about.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decideMails,
  decideWebhook,
  noStreak,
  parseStreak,
  type Streak,
  streakName,
} from "../../src/notify/streaks.ts";

const minute = 60_000;
const start = 1_800_000_000_000;

/**
 * Plays runs, one a minute: `F` failed, `o` succeeded, `O` succeeded and printed.
 * @returns for each audience what it was to be told: `minute:result` and, where held back, `>minute`
 */
function play(runs: string, everyMin?: number): { always: string; ifError: string } {
  let streak: Streak = noStreak;
  const told = { always: [] as string[], ifError: [] as string[] };
  [...runs].forEach((run, index) => {
    const atMs = start + index * minute;
    const everyMs = everyMin === undefined ? undefined : everyMin * minute;
    const { next, plans } = decideMails(streak, { isOk: run !== "F", hasOutput: run !== "o", atMs, everyMs });
    streak = next;
    for (const [key, plan] of [
      ["always", plans.always],
      ["ifError", plans["if-error"]],
    ] as const) {
      if (plan === undefined) continue;
      const { occasion, dueMs } = plan;
      const what =
        run === "F" ? `F${occasion.failures}` : occasion.failures > 0 ? `r${occasion.failures}` : "o";
      const when = dueMs > atMs ? `>${(dueMs - start) / minute}` : "";
      const since = occasion.sinceLastMail;
      told[key].push(`${index}:${what}${when}${since ? `(${since.runs},${since.failed})` : ""}`);
    }
  });
  return { always: told.always.join(" "), ifError: told.ifError.join(" ") };
}

describe("decideMails()", () => {
  const rows: [why: string, runs: string, everyMin: number | undefined, always: string, ifError: string][] = [
    ["silence is no news, as with cron", "ooo", undefined, "", ""],
    ["output is, as with cron", "OoO", undefined, "0:o 2:o", ""],
    [
      "one mail when a streak begins, one when it ends",
      "oFFFo",
      undefined,
      "1:F1 2:F2 3:F3 4:r3",
      "1:F1 4:r3",
    ],
    ["and again", "FoFo", undefined, "0:F1 1:r1 2:F1 3:r1", "0:F1 1:r1 2:F1 3:r1"],
    [
      "a pause holds back all mails, the last of which counts",
      "OOOOO",
      3,
      "0:o 1:o>3(1,0) 2:o>3(2,0) 3:o(3,0) 4:o>6(1,0)",
      "",
    ],
    ["a recovery within the pause comes when it ends", "Fo", 60, "0:F1 1:r1>60(1,0)", "0:F1 1:r1>60(1,0)"],
    [
      "a failure after it takes its place",
      "FoF",
      60,
      "0:F1 1:r1>60(1,0) 2:F1>60(2,1)",
      "0:F1 1:r1>60(1,0) 2:F1>60(2,1)",
    ],
    ["after the pause all goes out at once", "Fooo", 2, "0:F1 1:r1>2(1,0)", "0:F1 1:r1>2(1,0)"],
  ];
  for (const [why, runs, everyMin, always, ifError] of rows) {
    test(`${why}: ${runs}${everyMin === undefined ? "" : `, mail_every ${everyMin}m`}`, () => {
      expect(play(runs, everyMin)).toEqual({ always, ifError });
    });
  }

  test("the last that an if-error address hears is true, whatever happened", () => {
    const runs = fc.array(fc.constantFrom("F", "o", "O"), { maxLength: 40 }).map((list) => list.join(""));
    fc.assert(
      fc.property(
        runs,
        fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
        (played, everyMin) => {
          const last = play(played, everyMin).ifError.split(" ").at(-1) ?? "";
          const isFailing = played.endsWith("F");
          if (isFailing) expect(last).toMatch(/:F/);
          else expect(last).not.toMatch(/:F/);
        },
      ),
    );
  });

  test("never two mails at once within mail_every", () => {
    const runs = fc.array(fc.constantFrom("F", "o", "O"), { maxLength: 40 }).map((list) => list.join(""));
    fc.assert(
      fc.property(runs, fc.integer({ min: 2, max: 10 }), (played, everyMin) => {
        const { always } = play(played, everyMin);
        const atOnce = always
          .split(" ")
          .filter((each) => each !== "" && !each.includes(">"))
          .map((each) => Number.parseInt(each, 10));
        atOnce.forEach((at, index) => {
          if (index > 0) expect(at - (atOnce[index - 1] ?? 0)).toBeGreaterThanOrEqual(everyMin);
        });
      }),
    );
  });

  test("a pause made under a clock that was ahead does not last", () => {
    const ahead: Streak = {
      ...noStreak,
      audiences: { ...noStreak.audiences, always: { untilMs: start * 2, runs: 0, failed: 0, heldBack: 0 } },
    };
    const { plans } = decideMails(ahead, { isOk: false, hasOutput: false, atMs: start, everyMs: minute });
    expect(plans.always?.dueMs).toBe(start);
  });
});

describe("parseStreak()", () => {
  test("reads what was written, and nothing else", () => {
    expect(parseStreak(JSON.stringify(noStreak))).toEqual(noStreak);
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      "{}",
      '{"failures":-1}',
      '{"failures":1,"sinceMs":2,"audiences":{}}',
      "\0\0",
    ]) {
      expect(parseStreak(text)).toBeUndefined();
    }
    fc.assert(fc.property(fc.json(), (text) => void parseStreak(text)));
  });
});

test("streakName() is safe, and tells job and cluster apart", () => {
  const names = [
    streakName("a/../b", "c"),
    streakName("a/../", "bc"),
    streakName("ä".repeat(500), "c"),
    streakName("..", "."),
  ];
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_@-]{1,160}$/);
  expect(new Set(names).size).toBe(4);
});

describe("decideWebhook()", () => {
  /** The same runs, for a webhook. */
  function told(runs: string, when: "change" | "failure" | "always"): string {
    let streak: Streak = noStreak;
    const found: string[] = [];
    [...runs].forEach((run, index) => {
      const given = { isOk: run !== "F", hasOutput: run === "O", atMs: start + index * minute };
      const plan = decideWebhook(streak, given, when);
      if (plan !== undefined) {
        expect(plan.dueMs).toBe(given.atMs);
        expect(plan.occasion.sinceLastMail).toBeUndefined();
        found.push(`${index}:${plan.occasion.failures}`);
      }
      streak = decideMails(streak, { ...given, everyMs: 10 * minute }).next;
    });
    return found.join(" ");
  }

  test.each([
    ["change", "1:1 4:3 6:1"],
    ["failure", "1:1 2:2 3:3 4:3 6:1"],
    ["always", "0:0 1:1 2:2 3:3 4:3 5:0 6:1"],
  ] as const)("%s, whatever mail_every says", (when, want) => {
    expect(told("oFFFoOF", when)).toBe(want);
  });
});

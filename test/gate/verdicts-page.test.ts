/** docs/verdicts.md tells the truth: its tables against the golden decisions, and against the reasons that the program knows. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { project } from "../support/program.ts";
import { goldenDecisions } from "./golden-decision.ts";

const page = readFileSync(join(project, "docs/verdicts.md"), "utf8");
const source = readFileSync(join(project, "src/model/state.ts"), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
/** Every verdict of the golden decisions, `STATE REASON`, by the file's name. */
const verdicts = new Map(
  goldenDecisions().map(({ name, decision }) => [
    name,
    decision.split("\n").find((line) => !line.startsWith("warning: ")),
  ]),
);

/** The rows of the table that has this heading, as cells, without the heading. */
function tableUnder(heading: string): string[][] {
  const part = page.split("\n## ").find((each) => each.startsWith(`${heading}\n`)) ?? "";
  const table = part.split("\n").filter((line) => line.startsWith("|"));
  return table.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

const bare = (cell = "") => cell.replaceAll("`", "");
const reasonsOf = (rows: string[][]) => rows.map((row) => bare(row.at(-1))).filter((reason) => reason !== "");
const withoutWord = tableUnder("Without a usable word");
const withWord = tableUnder("With a word");

describe("docs/verdicts.md", () => {
  test("has every reason that a verdict can have, in the order in which they are asked, and no other", () => {
    const [, own = "", doubts = ""] =
      /type VerdictReason =([\s\S]*?);[\s\S]*?type DoubtReason =([\s\S]*?);/.exec(source) ?? [];
    const named = (type: string) => [...type.matchAll(/"([a-z-]+)"/g)].map(([, reason]) => reason);
    expect(["state-file", ...reasonsOf(withoutWord)]).toEqual(named(own) as string[]);
    expect(reasonsOf(withWord)).toEqual(named(doubts) as string[]);
  });

  test.each(["state-file", ...reasonsOf(withoutWord), ...reasonsOf(withWord)])(
    "%s comes out of a golden decision",
    (reason) => {
      expect([...verdicts.values()].some((verdict) => verdict?.endsWith(` ${reason}`))).toBe(true);
    },
  );

  for (const [, found, active = "", passive = "", reason] of withWord) {
    const name = `witness-${bare(reason) || "writer-lease"}`;
    test(`${bare(found)}: active ${active}, passive ${passive}`, () => {
      const expected = (word: "active" | "passive", claim: string) => {
        const other = word === "active" ? "passive" : "active";
        return claim === "doubt"
          ? `${other} ${bare(reason)}`
          : claim === "holds"
            ? `${word} state-file`
            : claim;
      };
      const [claim = "", afterStop] = passive.split("; ");
      expect(verdicts.get(`${name}-active`)).toBe(expected("active", active));
      expect(verdicts.get(`${name}-passive`)).toBe(expected("passive", claim));
      // Where a leave excuses nothing, the page says nothing of it.
      if (claim === "doubt") {
        const claimAfterStop = afterStop === undefined ? "doubt" : afterStop.replace(/ after STOP$/, "");
        expect(verdicts.get(`${name}-passive-after-stop`)).toBe(expected("passive", claimAfterStop));
      }
    });
  }
});

import { describe, expect, test } from "bun:test";
import { parseAcronFile } from "../../src/jobs/acron-file.ts";
import { equalValues } from "../../src/jobs/equal-values.ts";

describe("equalValues()", () => {
  test("gives the first of several equal ones, and every other one as it is", () => {
    const same = equalValues<readonly string[]>();
    const first = ["a", "b"];
    expect(same(first)).toBe(first);
    expect(same(["a", "b"])).toBe(first);
    const other = ["ab"];
    expect(same(other)).toBe(other);
    expect(same([])).toEqual([]);
  });

  test("keeps some thousands at most: what comes later is its own", () => {
    const same = equalValues<readonly number[]>();
    const known = same([0]);
    for (let number = 1; number < 3000; number++) same([number]);
    expect(same([0])).toBe(known);
    const late = same([5000]);
    expect(same([5000])).not.toBe(late);
    expect(same([5000])).toEqual(late);
  });

  test("lets two job files share what they say alike, and nothing else", () => {
    const terms = { hostName: "alpha", mailTo: "root@localhost" };
    const [one, other] = ["one", "other"].map((name) => {
      const text = `every 10m\noverlap skip\nenv KEY=${name}\nrun ${name}\n`;
      return parseAcronFile(text, `/${name}`, name, terms).jobs[0];
    });
    expect(other?.rules.outputs).toBe(one?.rules.outputs ?? []);
    expect(other?.rules.overlap).toBe(one?.rules.overlap ?? { mode: "allow" });
    expect(other?.environment).toEqual([{ name: "KEY", value: "other" }]);
    expect(one?.environment).toEqual([{ name: "KEY", value: "one" }]);
    expect(other?.rules.name).toBe("other");
  });
});

/** The oracle by itself, on histories written by hand: ten ticks, 100 ms apart, the first at 100. */
import { describe, expect, test } from "bun:test";
import {
  type Cut,
  findSplits,
  findTakeover,
  type History,
  judge,
  type Mastery,
  type Run,
  type Takeover,
  type Tally,
} from "./oracle.ts";

const none: Tally = { inWindow: [], inSplit: [], lasting: [] };
type Epochs = Readonly<Record<string, number>>;
const ticks = Array.from({ length: 10 }, (_, index) => ({ number: index + 1, at: 100 * (index + 1) }));

/** `a` is whom the tick is run by, one letter a tick; `.` nobody; `2` both a and b; `3` a, b and c; `d` twice by a. */
function runsOf(line: string, epochs: Epochs = { a: 1, b: 2, c: 3 }): Run[] {
  const meaning: Readonly<Record<string, string>> = { ".": "", "2": "ab", "3": "abc", d: "aa" };
  return [...line].flatMap((letter, index) =>
    [...(meaning[letter] ?? letter)].map((host) => ({
      host,
      tick: index + 1,
      at: 100 * (index + 1) + 5,
      epoch: epochs[host] ?? 0,
    })),
  );
}

function history(line: string, rest: Partial<History> = {}): History {
  return { ticks, runs: runsOf(line), disturbances: [], windowMs: 300, masteries: [], cuts: [], ...rest };
}

const bothMaster: Mastery[] = [
  { host: "a", from: 0, to: 2000 },
  { host: "b", from: 350, to: 2000 },
];
const apart: Cut[] = [
  { speaker: "a", listener: "b", from: 350, to: 750 },
  { speaker: "b", listener: "a", from: 350, to: 750 },
];

describe("judge() counts the missed ticks and the extra runs", () => {
  const rows: [claim: string, line: string, missed: Tally, extra: Tally][] = [
    ["each tick once", "aaaaaaaaaa", none, none],
    ["the gap of a failover", "aaa..bbbbb", { ...none, inWindow: [4, 5] }, none],
    ["a longer gap", "aaa....bbb", { ...none, inWindow: [4, 5, 6], lasting: [7] }, none],
    ["nobody takes over", "aaa.......", { ...none, inWindow: [4, 5, 6], lasting: [7, 8, 9, 10] }, none],
    ["a stale active", "aaa2222222", none, { ...none, inWindow: [4, 5, 6], lasting: [7, 8, 9, 10] }],
    ["with no fault near", "a.aaaa2aaa", { ...none, lasting: [2] }, { ...none, lasting: [7] }],
    ["one host, twice", "aaaaaaaada", none, { ...none, lasting: [9] }],
    ["three hosts: two extra runs", "aaaaaaaa3a", none, { ...none, lasting: [9, 9] }],
  ];
  test.each(rows)("%s: %s", (_, line, missed, extra) => {
    const judgement = judge(history(line, { disturbances: [350] }));
    expect({ missed: judgement.missed, extra: judgement.extra }).toEqual({ missed, extra });
  });

  test("a split excuses the extra runs of the hosts that are split, while it lasts", () => {
    const split = { disturbances: [350], windowMs: 100, masteries: bothMaster, cuts: apart };
    expect(judge(history("aaa2222222", split)).extra).toEqual({
      inWindow: [],
      inSplit: [4, 5, 6, 7],
      lasting: [8, 9, 10],
    });
  });

  test("a split excuses neither a third host, nor one of its own that runs a tick twice, nor a missed tick", () => {
    const split = { disturbances: [], masteries: bothMaster, cuts: apart };
    const { extra, missed } = judge(history("aaaa3d.aaa", split));
    expect({ extra, missed }).toEqual({
      extra: { ...none, inSplit: [5], lasting: [5, 6] },
      missed: { ...none, lasting: [7] },
    });
  });

  test("a run of a tick that was none is a stray", () => {
    const stray: Run = { host: "a", tick: 11, at: 1105, epoch: 1 };
    expect(judge(history("aaaaaaaaaa", { runs: [...runsOf("aaaaaaaaaa"), stray] })).strays).toEqual([stray]);
  });
});

describe("findSplits() names a split", () => {
  const [there, back] = apart as [Cut, Cut];
  const [a, b] = bothMaster as [Mastery, Mastery];
  test.each([
    ["both are MASTER and neither hears the other", [a, b], [there, back], "true", 350, 750],
    ["one of them hears the other", [a, b], [there], "one-way", 350, 750],
    ["the other one does", [b, a], [there], "one-way", 350, 750],
    ["as long as both are MASTER", [a, { ...b, from: 500, to: 600 }], [there, back], "true", 500, 600],
  ] as const)("%s", (_, masteries, cuts, kind, from, to) => {
    expect(findSplits({ masteries, cuts })).toEqual([{ hosts: ["a", "b"], kind, from, to }]);
  });

  test.each([
    ["both are MASTER and hear each other", [a, b], []],
    ["only one is MASTER", [a], [there, back]],
    ["they were MASTER one after the other", [{ ...a, to: 350 }, b], [there, back]],
    ["the cut is to a third", [a, b], [{ ...there, listener: "c" }]],
    ["one host is MASTER twice", [a, { ...a, from: 300 }], [there, back]],
  ] as const)("not where %s", (_, masteries, cuts) => {
    expect(findSplits({ masteries, cuts })).toEqual([]);
  });
});

describe("judge() holds the fence", () => {
  const terms: [claim: string, line: string, epochs: Epochs, olderEpochs: Tally][] = [
    ["a later term has a larger epoch", "aaa..bbbbb", { a: 1, b: 2 }, none],
    ["a smaller one", "aaa..bbbbb", { a: 2, b: 1 }, { ...none, inWindow: [6], lasting: [7, 8, 9, 10] }],
    ["the old host and epoch are back", "aaa..bbaaa", { a: 1, b: 2 }, { ...none, lasting: [8, 9, 10] }],
    ["no epoch, no fence", "aaa..bbbbb", { a: 2 }, none],
    ["one term", "aaaaaaaaaa", { a: 1 }, none],
  ];
  test.each(terms)("%s: %s", (_, line, epochs, olderEpochs) => {
    const judgement = judge(history(line, { runs: runsOf(line, epochs), disturbances: [350] }));
    expect(judgement.olderEpochs).toEqual(olderEpochs);
  });

  test("in a split the fence does its work: the older epoch is expected there, and not after it", () => {
    const { olderEpochs } = judge(history("aaa2222aaa", { masteries: bothMaster, cuts: apart }));
    expect(olderEpochs).toEqual({ ...none, inSplit: [5, 6, 7], lasting: [8, 9, 10] });
  });

  const owners: [claim: string, line: string, epochs: Epochs, sharedEpochs: Tally][] = [
    ["the second host to have it is told", "bbbbbbbaaa", { a: 7, b: 7 }, { ...none, lasting: [8, 9, 10] }],
    ["in one tick as well", "aaaaaaa222", { a: 7, b: 7 }, { ...none, lasting: [8, 9, 10] }],
    ["each has its own", "aaaaaaabbb", { a: 1, b: 2 }, none],
    ["there is none", "aaaaaaabbb", {}, none],
  ];
  test.each(owners)("an epoch belongs to one host; %s: %s", (_, line, epochs, sharedEpochs) => {
    expect(judge(history("", { runs: runsOf(line, epochs) })).sharedEpochs).toEqual(sharedEpochs);
  });

  test("a shared epoch in a split is told as such", () => {
    const runs = runsOf("aaaa22.aaa", { a: 7, b: 7 });
    const { sharedEpochs } = judge(history("", { runs, masteries: bothMaster, cuts: apart }));
    expect(sharedEpochs).toEqual({ ...none, inSplit: [5, 6] });
  });
});

describe("findTakeover()", () => {
  const run = (host: string, at: number, epoch = 0): Run => ({ host, tick: at / 100, at, epoch });
  const ofB = (afterMs: number): Takeover => ({ host: "b", afterMs });
  const rows: [claim: string, runs: Run[], takeover: Takeover | undefined][] = [
    ["by the epoch, the moment of the change", [run("a", 300, 5), run("b", 700, 650)], ofB(300)],
    ["by the first run where there is no epoch", [run("b", 800), run("b", 700)], ofB(350)],
    ["by the first run where the epoch is from before", [run("b", 700, 200)], ofB(350)],
    ["by nobody", [run("a", 700, 5), run("b", 300, 5)], undefined],
  ];
  test.each(rows)("%s", (_, runs, takeover) => {
    expect(findTakeover({ runs }, 350, "a")).toEqual(takeover);
  });
});

/** What is read out of the hosts' log, on logs written by hand. */
import { describe, expect, test } from "bun:test";
import type { LogEntry } from "./bed.ts";
import { type Action, draw, findCuts, findDelays, findMasteries, mastersNow } from "./history.ts";

/** `AT HOST MESSAGE`, as keepalived says it; with `SET` before the message, as rcronctl does. */
function logOf(...lines: string[]): LogEntry[] {
  return lines.map((line) => {
    const [at, host = "", ...words] = line.split(" ");
    const isOurs = words[0] === "SET";
    const message = isOurs ? `cluster=x state=${words[1]} status=set was=x` : words.join(" ");
    return { at: Number(at), host, ident: isOurs ? "rcronctl" : "Keepalived_vrrp", message };
  });
}
const enters = (state: string) => `(RCRON) Entering ${state} STATE`;
const elected = logOf(`10 a ${enters("BACKUP")} (init)`, `20 a ${enters("MASTER")}`);
const done = (at: number, host: string, line: string): Action => ({ at, lines: [[host, line]] });

describe("findMasteries()", () => {
  const rows: [claim: string, log: LogEntry[], actions: Action[], spans: string][] = [
    ["to the end", elected, [], "a 20-100"],
    ["until it is BACKUP", [...elected, ...logOf(`50 a ${enters("BACKUP")}`)], [], "a 20-50"],
    ["until it is at FAULT", [...elected, ...logOf(`50 a ${enters("FAULT")}`)], [], "a 20-50"],
    ["until it is killed: it says nothing then", elected, [done(40, "a", "kill")], "a 20-40"],
    [
      "not while it is frozen",
      elected,
      [done(40, "a", "freeze"), done(60, "a", "thaw")],
      "a 20-40, a 60-100",
    ],
    [
      "not after a thaw that finds it no MASTER",
      logOf(),
      [done(40, "a", "freeze"), done(60, "a", "thaw")],
      "",
    ],
    ["whatever happens to another", elected, [done(40, "b", "kill")], "a 20-100"],
  ];
  test.each(rows)("%s", (_, log, actions, spans) => {
    const found = findMasteries(log, actions, 100).map(({ host, from, to }) => `${host} ${from}-${to}`);
    expect(found.join(", ")).toBe(spans);
  });
});

test("mastersNow() goes by the last thing that each host said", () => {
  expect(mastersNow([...elected, ...logOf(`30 b ${enters("MASTER")}`, `40 a ${enters("BACKUP")}`)])).toEqual([
    "b",
  ]);
});

describe("findCuts()", () => {
  const span = { from: 1, to: 2 };
  const rows: [claim: string, cutOff: Parameters<typeof findCuts>[0]["cutOff"], ways: string[]][] = [
    ["none", undefined, []],
    ["both ways, to each other host", { host: "a" }, ["a>b", "b>a", "a>c", "c>a"]],
    ["the way out", { host: "a", hears: true }, ["a>b", "a>c"]],
    ["the way in", { host: "a", isHeard: true }, ["b>a", "c>a"]],
  ];
  test.each(rows)("%s", (_, cutOff, ways) => {
    const cuts = findCuts(cutOff === undefined ? {} : { cutOff }, ["a", "b", "c"], span);
    expect(cuts.map(({ speaker, listener }) => `${speaker}>${listener}`)).toEqual(ways);
  });
});

test("findDelays() goes from keepalived's change to the same host's word that follows from it", () => {
  const log = logOf(
    `10 a ${enters("MASTER")}`,
    "12 b SET active", // another's
    "13 a SET passive", // an older one's
    "15 a SET active",
    `20 a ${enters("BACKUP")}`,
    `30 a ${enters("MASTER")}`, // overtakes it
    "37 a SET active",
  );
  expect(findDelays(log)).toEqual([5, 7]);
});

test("draw() shows who ran each tick, and where something was done", () => {
  const ticks = [1, 2, 3].map((number) => ({ number, at: number * 100 }));
  const runs = ["a1", "a2", "b2"].map(([host = "", tick]) => ({ host, tick: Number(tick), at: 0, epoch: 0 }));
  expect(draw(ticks, runs, [done(150, "a", "kill")])).toBe("a|(ab).");
});

/**
 * From what was done to the hosts and what they logged: who was MASTER when, and who could not hear whom. Pure.
 */
import type { LogEntry } from "./bed.ts";
import type { Fault, Line } from "./faults.ts";
import type { Cut, Mastery, Run, Tick } from "./oracle.ts";

/** Lines that were told at one moment. */
export interface Action {
  readonly at: number;
  readonly lines: readonly Line[];
}

const enters = /^\(\w+\) Entering (MASTER|BACKUP|FAULT) STATE/;

/** The hosts whose keepalived last said that it is MASTER. */
export function mastersNow(log: readonly LogEntry[]): string[] {
  const masters = new Set<string>();
  for (const { host, message } of log) {
    const state = enters.exec(message)?.[1];
    if (state === "MASTER") masters.add(host);
    else if (state !== undefined) masters.delete(host);
  }
  return [...masters].sort();
}

/** As keepalived tells it, but that one which is killed, stopped or frozen is no MASTER, and once thawed is again. */
export function findMasteries(
  log: readonly LogEntry[],
  actions: readonly Action[],
  endAt: number,
): Mastery[] {
  const events = [
    ...log.map(({ at, host, message }) => ({ at, host, what: enters.exec(message)?.[1] ?? "" })),
    ...actions.flatMap(({ at, lines }) => lines.map(([host, line]) => ({ at, host, what: line }))),
  ].sort((one, other) => one.at - other.at);
  const masteries: Mastery[] = [];
  const since = new Map<string, number>();
  const frozen = new Set<string>();
  const close = (host: string, to: number) => {
    const from = since.get(host);
    if (from !== undefined) masteries.push({ host, from, to });
    since.delete(host);
    return from !== undefined;
  };
  for (const { at, host, what } of events) {
    if (what === "MASTER" && !since.has(host)) since.set(host, at);
    else if (["BACKUP", "FAULT", "stop", "kill", "kill-all"].includes(what)) close(host, at);
    else if (what === "freeze" && close(host, at)) frozen.add(host);
    else if (what === "thaw" && frozen.delete(host)) since.set(host, at);
  }
  for (const host of [...since.keys()]) close(host, endAt);
  return masteries;
}

export function findCuts(
  { cutOff }: Pick<Fault, "cutOff">,
  hosts: readonly string[],
  span: { readonly from: number; readonly to: number },
): Cut[] {
  if (cutOff === undefined) return [];
  const { host, hears = false, isHeard = false } = cutOff;
  return hosts
    .filter((other) => other !== host)
    .flatMap((other) => [
      ...(isHeard ? [] : [{ speaker: host, listener: other, ...span }]),
      ...(hears ? [] : [{ speaker: other, listener: host, ...span }]),
    ]);
}

/** How long after a change of keepalived's the word was written, in milliseconds, for each change that had one. */
export function findDelays(log: readonly LogEntry[]): number[] {
  const waiting = new Map<string, { readonly at: number; readonly word: string }>();
  const delays: number[] = [];
  for (const { at, host, ident, message } of log) {
    const state = enters.exec(message)?.[1];
    const written = ident === "rcronctl" ? / state=(\w+) status=set /.exec(message)?.[1] : undefined;
    const change = waiting.get(host);
    if (state !== undefined) waiting.set(host, { at, word: state === "MASTER" ? "active" : "passive" });
    else if (change !== undefined && written === change.word) {
      delays.push(at - change.at);
      waiting.delete(host);
    }
  }
  return delays;
}

/** A log to read: what was done and said, with milliseconds since the beginning. */
export function retell(log: readonly LogEntry[], actions: readonly Action[]): string {
  const done = actions.flatMap(({ at, lines }) =>
    lines.map(([whom, line]) => ({ at, text: `DONE ${whom} ${line}` })),
  );
  const said = log
    .filter(({ message }) => !/gratuitous ARP|status=ok/.test(message))
    .map(({ at, host, ident, message }) => ({ at, text: `${host} ${ident} ${message}` }));
  const story = [...done, ...said].sort((one, other) => one.at - other.at);
  const start = story[0]?.at ?? 0;
  return story.map(({ at, text }) => `${String(at - start).padStart(6)} ${text}`).join("\n");
}

/** A line to look at: by whom each tick was run, `.` by nobody, `(ab)` by both; `|` where something was done. */
export function draw(ticks: readonly Tick[], runs: readonly Run[], actions: readonly Action[]): string {
  const byTick = Map.groupBy(runs, ({ tick }) => tick);
  return ticks
    .map(({ number, at }, index) => {
      const hosts = (byTick.get(number) ?? []).map(({ host }) => host).sort();
      const drawn = hosts.length === 0 ? "." : hosts.length === 1 ? hosts.join("") : `(${hosts.join("")})`;
      const next = ticks[index + 1]?.at ?? Number.POSITIVE_INFINITY;
      return actions.some((action) => action.at >= at && action.at < next) ? `${drawn}|` : drawn;
    })
    .join("");
}

/**
 * Judges what a group of hosts did with its ticks, in the manner of Jepsen's checker for Chronos: every tick is matched
 * to the runs that name it, and what is missing or too much is counted. Pure: a history in, a judgement out.
 *
 * A tick should be run once, by one host. Around a disturbance (a fault, or its healing) the group may take `windowMs`
 * to find a new active host; what goes wrong there is the price of a failover. What goes wrong elsewhere lasts, and has
 * one excuse: a split. Two hosts are split while the keepalived of both lives, is MASTER, and can't hear the other.
 *
 * Beside the count stands the fence: a store that refuses a writer whose epoch is older than one it has seen would
 * refuse every run of `olderEpochs`; and of two runs with one epoch it could not tell which is in its right.
 */

/** Milliseconds since 1970, as everywhere in a history. */
type Instant = number;

export interface Tick {
  readonly number: number;
  readonly at: Instant;
}

export interface Run {
  readonly host: string;
  readonly tick: number;
  readonly at: Instant;
  /** RCRON_STATE_EPOCH as the job had it; 0: unknown. */
  readonly epoch: number;
}

/** The keepalived of a host lives, is not stopped, and is MASTER. */
export interface Mastery {
  readonly host: string;
  readonly from: Instant;
  readonly to: Instant;
}

/** What `speaker` sends does not reach `listener`. */
export interface Cut {
  readonly speaker: string;
  readonly listener: string;
  readonly from: Instant;
  readonly to: Instant;
}

export interface History {
  readonly ticks: readonly Tick[];
  readonly runs: readonly Run[];
  readonly disturbances: readonly Instant[];
  readonly windowMs: number;
  readonly masteries: readonly Mastery[];
  readonly cuts: readonly Cut[];
}

export interface Split {
  readonly hosts: readonly [string, string];
  /** `one-way`: one of them hears the other. */
  readonly kind: "true" | "one-way";
  readonly from: Instant;
  readonly to: Instant;
}

/** Tick numbers, one for each case, by what excuses it. */
export interface Tally {
  readonly inWindow: readonly number[];
  readonly inSplit: readonly number[];
  readonly lasting: readonly number[];
}

export interface Judgement {
  /** Ticks that no host ran. A split is no excuse: `inSplit` is empty. */
  readonly missed: Tally;
  /** Runs of a tick beyond its first. */
  readonly extra: Tally;
  /** Ticks run under an epoch older than one that an earlier tick was run under. */
  readonly olderEpochs: Tally;
  /** Ticks run under an epoch that another host has run a tick under. */
  readonly sharedEpochs: Tally;
  /** Runs of no tick there was. */
  readonly strays: readonly Run[];
  readonly splits: readonly Split[];
}

export function judge(history: History): Judgement {
  const byTick = Map.groupBy(history.runs, ({ tick }) => tick);
  const splits = findSplits(history);
  const missed = new Sorting();
  const extra = new Sorting();
  const olderEpochs = new Sorting();
  const sharedEpochs = new Sorting();
  const holders = new Map<number, string>();
  let newest = 0;
  for (const tick of history.ticks) {
    const runs = byTick.get(tick.number) ?? [];
    const hosts = [...new Set(runs.map(({ host }) => host))];
    const inWindow = history.disturbances.some((at) => tick.at >= at && tick.at < at + history.windowMs);
    if (runs.length === 0) missed.add(tick, { inWindow });
    // Of hosts that are split each may run the tick; a third one may not, and none of them twice.
    const splitHosts = largestSplit(hosts, tick.at, splits);
    for (const index of runs.slice(1).keys()) extra.add(tick, { inWindow, inSplit: index < splitHosts - 1 });
    for (const { host, epoch } of runs.filter((run) => run.epoch > 0)) {
      const isSplitFrom = (other = host) => areSplit([host, other], tick.at, splits);
      if (epoch < newest) olderEpochs.add(tick, { inWindow, inSplit: isSplitFrom(holders.get(newest)) });
      const holder = holders.get(epoch) ?? host;
      if (holder !== host) sharedEpochs.add(tick, { inWindow, inSplit: isSplitFrom(holder) });
      holders.set(epoch, holder);
    }
    newest = Math.max(newest, ...runs.map(({ epoch }) => epoch));
  }
  const known = new Set(history.ticks.map(({ number }) => number));
  return {
    missed,
    extra,
    olderEpochs,
    sharedEpochs,
    strays: history.runs.filter(({ tick }) => !known.has(tick)),
    splits,
  };
}

export interface Takeover {
  readonly host: string;
  readonly afterMs: number;
}

/**
 * Who took over after a fault, and after how long: the moment that its word changed, which the epoch tells, and where
 * it does not, the start of its first run.
 * @returns undefined where no other host than `former` ran anything
 */
export function findTakeover(
  { runs }: Pick<History, "runs">,
  faultAt: Instant,
  former: string,
): Takeover | undefined {
  const first = runs
    .filter(({ host, at }) => host !== former && at >= faultAt)
    .reduce<Run | undefined>((best, run) => (best === undefined || run.at < best.at ? run : best), undefined);
  if (first === undefined) return undefined;
  const changedAt = first.epoch > faultAt && first.epoch <= first.at ? first.epoch : first.at;
  return { host: first.host, afterMs: changedAt - faultAt };
}

/** Every pair of masteries, as far as they overlap with a cut between their hosts. */
export function findSplits({ masteries, cuts }: Pick<History, "masteries" | "cuts">): Split[] {
  const splits: Split[] = [];
  for (const [index, one] of masteries.entries()) {
    for (const other of masteries.slice(index + 1)) {
      if (one.host === other.host) continue;
      const there = cuts.filter(({ speaker, listener }) => speaker === one.host && listener === other.host);
      const back = cuts.filter(({ speaker, listener }) => speaker === other.host && listener === one.host);
      const hosts = [one.host, other.host].sort() as [string, string];
      for (const cut of [...there, ...back]) {
        const from = Math.max(one.from, other.from, cut.from);
        const to = Math.min(one.to, other.to, cut.to);
        if (from >= to) continue;
        const opposite = (there.includes(cut) ? back : there).some((its) => its.from < to && its.to > from);
        const known = splits.some(
          (its) => its.hosts.join() === hosts.join() && its.from < to && its.to > from,
        );
        if (!known) splits.push({ hosts, kind: opposite ? "true" : "one-way", from, to });
      }
    }
  }
  return splits;
}

/** How many of these hosts are split, each from each. */
function largestSplit(hosts: readonly string[], at: Instant, splits: readonly Split[]): number {
  const sizes = hosts.map((first) => {
    const group: string[] = [];
    for (const host of [first, ...hosts]) {
      if (group.every((member) => areSplit([member, host], at, splits))) group.push(host);
    }
    return group.length;
  });
  return Math.max(0, ...sizes);
}

function areSplit(pair: readonly [string, string], at: Instant, splits: readonly Split[]): boolean {
  const hosts = [...pair].sort().join();
  return splits.some((split) => split.hosts.join() === hosts && split.from <= at && at < split.to);
}

class Sorting implements Tally {
  readonly inWindow: number[] = [];
  readonly inSplit: number[] = [];
  readonly lasting: number[] = [];

  /** The split comes first: it explains more than the window does. */
  add({ number }: Tick, { inWindow, inSplit = false }: { inWindow: boolean; inSplit?: boolean }): void {
    if (inSplit) this.inSplit.push(number);
    else if (inWindow) this.inWindow.push(number);
    else this.lasting.push(number);
  }
}

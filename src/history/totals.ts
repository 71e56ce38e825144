/**
 * Counts of what came of each job, for counters that outlive pruning. They go back only where a run was counted as interrupted
 * that was not: each run counts once.
 */
import { type Database, prepare } from "./database.ts";

interface Counted {
  readonly job: string;
  readonly cluster: string;
  readonly host: string;
  readonly state: number;
  readonly why: string;
  readonly at: number;
}

/** What is counted for good, whatever is pruned later. */
export class Totals {
  readonly #counts = new Map<string, { readonly what: Counted; count: number; last: number }>();

  add(what: Counted): void {
    this.#change(what, 1);
  }

  /** What came of it was another thing. */
  takeBack(what: Counted): void {
    this.#change({ ...what, at: 0 }, -1);
  }

  #change(what: Counted, by: 1 | -1): void {
    const key = JSON.stringify([what.job, what.cluster, what.host, what.state, what.why]);
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { what, count: by, last: what.at });
    else {
      entry.count += by;
      entry.last = Math.max(entry.last, what.at);
    }
  }

  write(db: Database): void {
    const add = prepare(
      db,
      `INSERT INTO totals (job, cluster, host, state, why, count, last) VALUES (?, ?, ?, ?, ?, max(0, ?), ?)
       ON CONFLICT DO UPDATE SET count = max(0, count + ?), last = max(last, excluded.last)`,
    );
    for (const { what, count, last } of this.#counts.values()) {
      add.run(what.job, what.cluster, what.host, what.state, what.why, count, Math.round(last), count);
    }
  }
}

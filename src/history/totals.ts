/**
 * Counts of what came of each job, for counters that never go back.
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
    const key = JSON.stringify([what.job, what.cluster, what.host, what.state, what.why]);
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { what, count: 1, last: what.at });
    else {
      entry.count++;
      entry.last = Math.max(entry.last, what.at);
    }
  }

  write(db: Database): void {
    const add = prepare(
      db,
      `INSERT INTO totals (job, cluster, host, state, why, count, last) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)`,
    );
    for (const { what, count, last } of this.#counts.values()) {
      add.run(what.job, what.cluster, what.host, what.state, what.why, count, Math.round(last));
    }
  }
}

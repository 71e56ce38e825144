/**
 * Pruning: the record stays within its time and its size, a bounded piece of work at each opening.
 */
import { type Database, prepare, rowState } from "./database.ts";

/** How long and how large the record may be. */
export interface Bounds {
  readonly keepMs: number;
  /** Of the database, without what is free in it. */
  readonly sizeBytes: number;
}

const batchRows = 5000;
const freePagesBack = 2000;
/** Of the last hundred, because one of them may have a wrong time itself. */
const newestOfLast = "SELECT max(at) AS at FROM (SELECT at FROM runs ORDER BY seq DESC LIMIT 100)";

/**
 * Removes rows that are too old, and then, while the database is too large, the oldest ones: those that a passive machine
 * skipped go first.
 *
 * The order is that of arrival, and age counts from the first row on: a run that a machine with a dead clock battery dates
 * to 1970 is not old. Nor is one old by a clock that was looked at once while it was wrong: the newest rows' time counts.
 * @param rows at most so many, besides a batch of 5000
 */
export function prune(db: Database, { keepMs, sizeBytes }: Bounds, rows: number): void {
  let left = batchRows + rows;
  const newest = prepare<{ at: number }>(db, newestOfLast).all()[0]?.at ?? 0;
  const before = Math.min(Date.now(), newest) - keepMs;
  while (left > 0) {
    const removed = removeOldest(db, Math.min(left, batchRows), before);
    left -= removed;
    if (removed < batchRows) break;
  }
  while (left > 0 && usedBytes(db) > sizeBytes) {
    const removed =
      removeOfState(db, rowState.passive, Math.min(left, batchRows)) ||
      removeOldest(db, Math.min(left, batchRows), Number.POSITIVE_INFINITY);
    if (removed === 0) break;
    left -= removed;
  }
  db.run(`PRAGMA incremental_vacuum(${freePagesBack})`);
}

/** Bytes of the database that hold something. */
function usedBytes(db: Database): number {
  const number = (name: string) =>
    Number(Object.values(db.query<Record<string, number>, []>(`PRAGMA ${name}`).get() ?? {})[0] ?? 0);
  return (number("page_count") - number("freelist_count")) * number("page_size");
}

/** Removes rows from the beginning, up to the first one that is young enough; runs that go on stay. */
function removeOldest(db: Database, limit: number, before: number): number {
  return db
    .transaction(() => {
      const rows = prepare<{ seq: number; at: number }>(
        db,
        "SELECT seq, at FROM runs ORDER BY seq LIMIT ?",
      ).all(limit);
      const end = rows.findIndex(({ at }) => at >= before);
      const last = end < 0 ? rows.at(-1) : rows[end - 1];
      if (last === undefined) return 0;
      prepare(db, "DELETE FROM outputs WHERE seq <= ?").run(last.seq);
      const { changes } = prepare(db, "DELETE FROM runs WHERE seq <= ? AND state <> ?").run(
        last.seq,
        rowState.running,
      );
      dropTexts(db);
      return changes;
    })
    .immediate();
}

function removeOfState(db: Database, state: number, limit: number): number {
  return db
    .transaction(
      () =>
        prepare(
          db,
          "DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE state = ? ORDER BY seq LIMIT ?)",
        ).run(state, limit).changes,
    )
    .immediate();
}

/** Texts whose last row has gone. */
function dropTexts(db: Database): void {
  prepare(
    db,
    "DELETE FROM texts WHERE id IN (SELECT id FROM texts WHERE used < (SELECT min(seq) FROM runs) LIMIT ?)",
  ).run(batchRows);
}

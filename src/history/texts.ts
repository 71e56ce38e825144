/**
 * Texts that recur, each kept once.
 */
import { type Database, prepare } from "./database.ts";

/** Texts that stand once. Each knows the last row that used it, so that it can go when that row has gone. */
export class Texts {
  readonly #db: Database;
  readonly #ids = new Map<string, number>();
  lastSeq = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  idOf(text: string): number {
    const cached = this.#ids.get(text);
    if (cached !== undefined) return cached;
    const row = prepare<{ id: number }>(
      this.#db,
      "INSERT INTO texts (text, used) VALUES (?, 0) ON CONFLICT DO UPDATE SET used = used RETURNING id",
    ).get(text);
    const id = row?.id ?? 0;
    this.#ids.set(text, id);
    return id;
  }

  idOfMaybe(text: string | undefined): number | null {
    return text === undefined ? null : this.idOf(text);
  }

  write(): void {
    const touch = prepare(this.#db, "UPDATE texts SET used = max(used, ?) WHERE id = ?");
    for (const id of this.#ids.values()) touch.run(this.lastSeq, id);
  }
}

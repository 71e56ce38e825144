/**
 * The database of the record: its tables, how it is opened, and what its errors mean.
 *
 * Times are whole milliseconds since 1970. `seq` is the order of arrival, which no step of the clock changes: what is
 * "last" goes by it. Texts that recur (names, commands, what the state file said) stand once, in `texts`.
 */
import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { openSqlite, sqlite } from "../system/sqlite.ts";

export type { Database, SQLQueryBindings, Statement } from "bun:sqlite";

/**
 * The state of a row. Skips on a passive machine are most of all rows there, and have a number of their own. So does what goes on
 * on nodes while nobody watches it: told as interrupted, because nobody sees it, it is neither a failure nor counted.
 */
export const rowState = {
  succeeded: 0,
  failed: 1,
  interrupted: 2,
  skipped: 3,
  passive: 4,
  running: 5,
  unwatched: 6,
} as const;

/** How long a query waits for somebody else's write, in milliseconds. */
const busyMs = 5000;
const schemaVersion = 1;

const schema = `
  CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, used INTEGER NOT NULL);
  CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT,
    job INTEGER NOT NULL, cluster INTEGER NOT NULL, host INTEGER NOT NULL,
    state INTEGER NOT NULL,
    at INTEGER NOT NULL, tick INTEGER NOT NULL, ms INTEGER,
    cause INTEGER, exit INTEGER, signal INTEGER, pid INTEGER, cpu INTEGER,
    command INTEGER NOT NULL, context INTEGER NOT NULL,
    extra TEXT
  );
  CREATE UNIQUE INDEX runs_by_id ON runs (id) WHERE id IS NOT NULL;
  CREATE INDEX runs_by_state ON runs (state, seq, at, cluster, host);
  CREATE INDEX runs_by_job ON runs (job, state, seq, at, cluster, host);
  CREATE TABLE outputs (
    seq INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, left_out INTEGER NOT NULL, head BLOB NOT NULL, tail BLOB NOT NULL
  );
  CREATE TABLE watchers (seq INTEGER PRIMARY KEY, pid INTEGER NOT NULL, ticks INTEGER, boot TEXT);
  CREATE TABLE early_ends (id TEXT PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE totals (
    job TEXT NOT NULL, cluster TEXT NOT NULL, host TEXT NOT NULL, state INTEGER NOT NULL, why TEXT NOT NULL,
    count INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (job, cluster, host, state, why)
  ) WITHOUT ROWID;
  CREATE TABLE journals (file TEXT PRIMARY KEY, offset INTEGER NOT NULL, start BLOB NOT NULL) WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};
`;

/**
 * Opens, or makes, the database file (mode 0600).
 * @throws {Error} of SQLite or the system; system/sqlite.ts tells them apart
 */
export function openDatabase(path: string): Database {
  const db = openSqlite(path, busyMs);
  try {
    if (versionOf(db) === 0) {
      db.run("PRAGMA auto_vacuum = INCREMENTAL");
      db.run("PRAGMA journal_mode = WAL");
      db.transaction(() => {
        if (versionOf(db) === 0) db.run(schema);
      }).immediate();
    } else db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA journal_size_limit = 16777216");
    checkVersion(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * A copy in memory of a database that can't be written, or an empty one: what can be read is shown, and nothing is changed.
 * @param path undefined for an empty one
 * @throws {Error} of SQLite or the system
 */
export function copyDatabase(path: string | undefined): Database {
  const { Database } = sqlite();
  if (path === undefined) {
    const db = new Database(":memory:");
    db.run(schema);
    return db;
  }
  const bytes = process.getBuiltinModule("node:fs").readFileSync(path);
  if (bytes.length === 0) return copyDatabase(undefined); // as far as it got on a full disk
  // Its header says WAL, which memory has none of; what was checkpointed is whole in itself.
  bytes[18] = 1;
  bytes[19] = 1;
  const db = Database.deserialize(bytes);
  checkVersion(db);
  if (versionOf(db) > 0) return db;
  db.close(); // its tables were not made any more
  return copyDatabase(undefined);
}

function versionOf(db: Database): number {
  return db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
}

function checkVersion(db: Database): void {
  const version = versionOf(db);
  if (version > schemaVersion)
    throw new NewerDatabase(`its version is ${version}, this program's ${schemaVersion}`);
}

/** Somebody with a later rcron has written it. */
export class NewerDatabase extends Error {}

/** Compiles a statement once per database and text. */
export function prepare<Row>(db: Database, sql: string): Statement<Row, SQLQueryBindings[]> {
  return db.query<Row, SQLQueryBindings[]>(sql);
}

/**
 * SQLite, as the runtime has it: how a database's file is made, and what its errors mean.
 */
import type { Database } from "bun:sqlite";

/** The runtime's SQLite; not imported, because an imported built-in module would be read at every start of rcron. */
export function sqlite(): typeof import("bun:sqlite") {
  const load = process.getBuiltinModule as (name: string) => unknown; // its types know Node's modules alone
  return load("bun:sqlite") as typeof import("bun:sqlite");
}

/**
 * Opens, or makes, a database file (mode 0600; a symlink is not followed).
 * @param busyMs how long a query waits for somebody else's write
 * @throws {Error} of SQLite or the system
 */
export function openSqlite(path: string, busyMs: number): Database {
  const fs = process.getBuiltinModule("node:fs");
  const { O_CREAT, O_NOFOLLOW, O_RDWR } = fs.constants;
  fs.closeSync(fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)); // SQLite itself would go by the umask
  const db = new (sqlite().Database)(path, { readwrite: true, create: false });
  db.run(`PRAGMA busy_timeout = ${busyMs}`);
  return db;
}

/** True for an error that says that the file is broken, or no database. */
export function isCorruption(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith("SQLITE_CORRUPT") || code.startsWith("SQLITE_NOTADB") || isForeign(error);
}

/** A database that lacks our tables is as useless as a broken one. */
function isForeign(error: unknown): boolean {
  return (
    codeOf(error) === "SQLITE_ERROR" &&
    error instanceof Error &&
    /^no such (table|column)/.test(error.message)
  );
}

/** True for an error that says that somebody else holds it. */
export function isLocked(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED");
}

/** True for an error that says that nothing can be written there. */
export function isUnwritable(error: unknown): boolean {
  return /^(SQLITE_(READONLY|FULL|CANTOPEN|IOERR|PERM|AUTH)|E(ACCES|PERM|ROFS|NOSPC|DQUOT|ISDIR|LOOP)$)/.test(
    codeOf(error),
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

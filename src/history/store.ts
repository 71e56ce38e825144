/**
 * The record as a whole: opened, brought up to date with the journal, asked, closed.
 *
 * What may be wrong with it is dealt with here. A broken database is moved aside and begun anew; one that can't be written,
 * or is somebody else's, is read from a copy in memory, so that a question never changes what it must not. Whoever
 * opens it holds its lock for that time; the lines of the journal are safe without it (fold.ts).
 */
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { readBootId } from "../system/boot.ts";
import { thrownSystemError } from "../system/libc.ts";
import { type Lock, takeLock } from "../system/lock.ts";
import { findProcess, lifeOf } from "../system/other-processes.ts";
import { isCorruption, isLocked, isUnwritable } from "../system/sqlite.ts";
import { copyDatabase, type Database, NewerDatabase, openDatabase, prepare, rowState } from "./database.ts";
import { type Folding, foldJournal } from "./fold.ts";
import { prune } from "./prune.ts";
import { Queries } from "./queries.ts";
import { Totals } from "./totals.ts";

/** How a record is opened. */
export interface HistoryOptions {
  /** This machine's name. */
  readonly host: string;
  /** Rows older than that are removed. */
  readonly keepMs: number;
  /** The oldest rows are removed where the database is larger than that. */
  readonly sizeBytes: number;
  /** Called with a sentence for the person about anything that is not as it should be. */
  readonly onWarning?: (sentence: string) => void;
  /** Called while the journal is folded, with the bytes that are read and those that there are. */
  readonly onProgress?: (done: number, all: number) => void;
  /** How long somebody else's work on the record is waited for; 10 s without. */
  readonly waitMs?: number;
}

/** An open record. */
export interface History {
  /** What can be asked; it answers from what was folded last. */
  readonly ask: Queries;
  /** Folds what has come to the journal since. @throws what SQLite throws */
  refresh(): void;
}

const brokenKept = 2;
const defaultWaitMs = 10_000;

/** @see history.ts */
export async function withHistory<Result>(
  folder: string,
  options: HistoryOptions,
  use: (history: History) => Promise<Result> | Result,
): Promise<Result | Problem> {
  for (let tries = 0; ; tries++) {
    let opened: Opened | undefined;
    try {
      const found = await open(folder, options);
      if (found instanceof Problem) return found;
      opened = found;
      return await use(found.history);
    } catch (error) {
      if (isCorruption(error) && tries === 0) {
        opened?.close();
        opened = undefined;
        const aside = await setAside(folder, options);
        if (aside instanceof Problem) return aside;
        continue;
      }
      return problemOf(folder, error);
    } finally {
      opened?.close();
    }
  }
}

interface Opened {
  readonly history: History;
  close(): void;
}

async function open(folder: string, options: HistoryOptions): Promise<Opened | Problem> {
  const fs = process.getBuiltinModule("node:fs");
  const warn = options.onWarning ?? (() => {});
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) {
    warn(`nothing has been recorded in ${printable(folder)} yet`);
    return openedWith(copyDatabase(undefined));
  }
  if (!stat.isDirectory()) {
    return new Problem("invalid", `the record must be in a folder: ${printable(folder)} is none`);
  }
  if (stat.uid !== process.geteuid?.()) return openCopy(folder, options, "it is another user's");
  let lock: Lock | string | undefined;
  try {
    const path = `${folder}/history.lock`;
    lock = await takeLock(path, options.waitMs ?? defaultWaitMs);
    if (typeof lock === "string") {
      try {
        fs.accessSync(folder, fs.constants.W_OK);
      } catch (error) {
        return openCopy(folder, options, thrownSystemError(error).text);
      }
      warn(`the record's lock ${printable(path)} can't be had: ${lock}; going on without it`);
    }
    return openOwn(folder, options);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    return openCopy(folder, options, reasonOf(error));
  } finally {
    if (typeof lock === "object") lock.release();
  }
}

function openOwn(folder: string, options: HistoryOptions): Opened {
  const db = openDatabase(`${folder}/history.db`);
  try {
    const rowsBefore = changesOf(db);
    const refresh = () => bringUpToDate(db, folder, options, true);
    refresh();
    prune(db, options, changesOf(db) - rowsBefore);
    return openedWith(db, refresh);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** @param why it can't be written, for the warning where that costs something */
function openCopy(folder: string, options: HistoryOptions, why: string): Opened | Problem {
  const fs = process.getBuiltinModule("node:fs");
  const warn = options.onWarning ?? (() => {});
  try {
    fs.readdirSync(folder); // its error says more than SQLite's
    const path = `${folder}/history.db`;
    const exists = fs.existsSync(path);
    let db: Database;
    try {
      db = copyDatabase(exists ? path : undefined);
    } catch (error) {
      if (!isCorruption(error)) throw error;
      warn(`the record ${printable(path)} is broken (${reasonOf(error)}): showing what the journal has`);
      db = copyDatabase(undefined);
    }
    const refresh = () => bringUpToDate(db, folder, options, false);
    refresh();
    if (why !== "it is another user's") warn(`the record in ${printable(folder)} can't be written: ${why}`);
    return openedWith(db, refresh);
  } catch (error) {
    return problemOf(folder, error);
  }
}

function openedWith(db: Database, refresh: () => void = () => {}): Opened {
  return { history: { ask: new Queries(db), refresh }, close: () => db.close() };
}

/** Folds the journal, and finds the runs that nobody watches any more. */
function bringUpToDate(db: Database, folder: string, options: HistoryOptions, removes: boolean): void {
  const warn = options.onWarning ?? (() => {});
  const folding: Folding = {
    host: options.host,
    removes,
    ...(options.onProgress && { onProgress: options.onProgress }),
  };
  const fold = () => {
    const { badLines, unreadable } = foldJournal(db, folder, folding);
    if (badLines > 0) {
      warn(
        `${badLines} ${badLines === 1 ? "line" : "lines"} of the journal can't be understood: passed over`,
      );
    }
    for (const each of unreadable) warn(`the journal can't be read: ${printable(each)}`);
  };
  fold();
  const lost = findLost(db);
  if (lost.length === 0) return;
  fold(); // A watcher that is gone by now may have written its end before it went.
  const still = new Set(findLost(db).map(({ seq }) => seq));
  markInterrupted(
    db,
    lost.filter(({ seq }) => still.has(seq)),
  );
}

interface Lost {
  readonly seq: number;
  /** What is to be said of it, where its job was on this machine. */
  readonly sentence: string;
}

const goesOnElsewhere = "rcrond is not there: it goes on on its nodes, and the next rcrond finds it again";

/** The runs without an end whose watching process has gone. */
function findLost(db: Database): Lost[] {
  interface Watcher {
    readonly seq: number;
    readonly pid: number;
    readonly ticks: number | null;
    readonly boot: string | null;
  }
  const thisBoot = readBootId();
  const lost: Lost[] = [];
  for (const { seq, pid, ticks, boot } of prepare<Watcher>(
    db,
    "SELECT seq, pid, ticks, boot FROM watchers",
  ).all()) {
    if (boot !== null && thisBoot !== undefined && boot !== thisBoot) {
      lost.push({ seq, sentence: "the machine went down while it ran" });
      continue;
    }
    const isAlive =
      ticks === null
        ? findProcess(pid) !== undefined
        : lifeOf({ name: "", pid, startTicks: ticks }) !== "dead";
    if (!isAlive) lost.push({ seq, sentence: "rcron was killed while it ran, so nobody saw its end" });
  }
  return lost;
}

/** Nothing on nodes ends with its watcher: that a run there is over is told by an end alone, and counted then. */
function markInterrupted(db: Database, lost: readonly Lost[]): void {
  interface Row {
    readonly job: string;
    readonly cluster: string;
    readonly host: string;
    readonly at: number;
    readonly extra: string | null;
  }
  db.transaction(() => {
    const totals = new Totals();
    for (const { seq, sentence } of lost) {
      const row = prepare<Row>(
        db,
        `SELECT job.text AS job, cluster.text AS cluster, host.text AS host, at, extra FROM runs
         JOIN texts AS job ON job.id = runs.job JOIN texts AS cluster ON cluster.id = runs.cluster
         JOIN texts AS host ON host.id = runs.host WHERE seq = ? AND state = ?`,
      ).get(seq, rowState.running);
      prepare(db, "DELETE FROM watchers WHERE seq = ?").run(seq);
      if (row === null) continue; // somebody else has found its end
      // What Rows has written there.
      const extra = row.extra === null ? {} : (JSON.parse(row.extra) as { readonly onNodes?: boolean });
      const isElsewhere = extra.onNodes === true;
      prepare(db, "UPDATE runs SET state = ?, extra = ? WHERE seq = ?").run(
        isElsewhere ? rowState.unwatched : rowState.interrupted,
        JSON.stringify({ ...extra, sentence: isElsewhere ? goesOnElsewhere : sentence }),
        seq,
      );
      if (!isElsewhere) totals.add({ ...row, state: rowState.interrupted, why: "" });
    }
    totals.write(db);
  }).immediate();
}

/** Moves a broken database aside, and removes what was moved aside before, but for the last. */
async function setAside(folder: string, { onWarning, waitMs }: HistoryOptions): Promise<Problem | undefined> {
  const fs = process.getBuiltinModule("node:fs");
  const lock = await takeLock(`${folder}/history.lock`, waitMs ?? defaultWaitMs);
  try {
    const aside = `history.db.broken-${new Date().toISOString().replaceAll(":", "")}`;
    fs.renameSync(`${folder}/history.db`, `${folder}/${aside}`);
    for (const end of ["-wal", "-shm"]) fs.rmSync(`${folder}/history.db${end}`, { force: true });
    onWarning?.(
      `the record's database was broken: it is ${printable(`${folder}/${aside}`)} now, and begun anew`,
    );
    const broken = fs
      .readdirSync(folder)
      .filter((name) => name.startsWith("history.db.broken-"))
      .sort();
    for (const name of broken.slice(0, -brokenKept)) fs.rmSync(`${folder}/${name}`, { force: true });
    return undefined;
  } catch (error) {
    return problemOf(folder, error);
  } finally {
    if (typeof lock === "object") lock.release();
  }
}

/** Rows that this connection has changed. */
function changesOf(db: Database): number {
  return prepare<{ count: number }>(db, "SELECT total_changes() AS count").get()?.count ?? 0;
}

function reasonOf(error: unknown): string {
  return thrownSystemError(error).text;
}

/** @throws what is no error of SQLite or the system */
function problemOf(folder: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  const where = printable(folder);
  if (error instanceof NewerDatabase) {
    return new Problem(
      "conflict",
      `the record in ${where} must be of a version that is known: ${error.message}`,
      {
        hint: "a later rcron has written it: use that one",
        cause: error,
      },
    );
  }
  const { code, text } = thrownSystemError(error);
  if (isLocked(error)) {
    return new Problem("conflict", `the record in ${where} is locked by another process`, {
      hint: `see who has it open: fuser ${where}/history.db`,
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new Problem("denied", `the record in ${where} must be readable: ${text}`, {
      hint: "run it as root, or as the user whose record it is",
      cause: error,
    });
  }
  if (!code.startsWith("SQLITE") && !(error instanceof Error && "errno" in error)) throw error;
  return new Problem("internal", `the record in ${where} must be readable: ${text}`, { cause: error });
}

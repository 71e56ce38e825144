/**
 * The daemon's memory: what must outlive it, however it ends. Up to when every tick has been planned, which runs are due,
 * about to start or going on, which jobs were known, and which pauses hold.
 *
 * Each tick is written here before anything is done about it, and again right before its job is started: so a daemon
 * that takes over from one that was killed starts nothing twice, and knows what was not started. What is promised holds
 * over the death of the daemon; a power cut may take the last moments with it.
 *
 * The job comes first: where this can't be written, the daemon goes on without, and says so.
 */
import type { Database } from "bun:sqlite";
import type { Pause } from "../model/pause.ts";
import { Problem } from "../model/problem.ts";
import { makeFolder } from "../system/files.ts";
import { thrownSystemError } from "../system/libc.ts";
import { isCorruption, openSqlite } from "../system/sqlite.ts";

/** How far a run has come. `starting`: its process may be there, or not. */
export type BookedState = "due" | "starting" | "running";

/** A run that is in the book until it is over. */
export interface BookedRun {
  readonly run: string;
  readonly job: string;
  /** The tick; both ends of it, because two ticks can have one instant. */
  readonly atMs: number;
  readonly localMs: number;
  /** When its start is planned. */
  readonly startAtMs: number;
  readonly isMadeUp: boolean;
  /** Who asked for it; undefined: the clock. */
  readonly askedBy: string | undefined;
  readonly state: BookedState;
  /** Of the process that leads it, in a form that is the executor's own; undefined before it is there. */
  readonly mark: string | undefined;
  /** Of a run on nodes: what is to be known of each, likewise. */
  readonly nodes: ReadonlyMap<string, string>;
  /** When it was started; undefined before. */
  readonly startedAtMs: number | undefined;
}

/** What an earlier daemon has left. */
export interface Remembered {
  /** Undefined: there was none. */
  readonly horizonMs: number | undefined;
  /** The boot of the machine that it wrote in. */
  readonly boot: string | undefined;
  readonly known: ReadonlyMap<string, string>;
  readonly runs: readonly BookedRun[];
  readonly pauses: readonly Pause[];
}

/** What is written down together with what is due, so that neither is ever there without the other. */
export interface BookNews {
  /** This boot of the machine. */
  readonly boot?: string | undefined;
  /** Jobs that have come, changed or gone; `put` has what tells a schedule from another one. */
  readonly known?:
    | { readonly put: ReadonlyMap<string, string>; readonly drop: readonly string[] }
    | undefined;
}

const busyMs = 1000;
const schemaVersion = 2;
/** What the second version has on top. */
const nodesSchema = `
  CREATE TABLE run_nodes (run TEXT NOT NULL, node TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (run, node)) WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};
`;
const schema = `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE known (job TEXT PRIMARY KEY, schedule TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE runs (
    run TEXT PRIMARY KEY, job TEXT NOT NULL, at REAL NOT NULL, local REAL NOT NULL, start REAL NOT NULL,
    made_up INTEGER NOT NULL, asked_by TEXT, state TEXT NOT NULL, mark TEXT, started REAL
  ) WITHOUT ROWID;
  CREATE TABLE pauses (job TEXT, since REAL NOT NULL, until REAL NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL);
  ${nodesSchema}
`;

/** The book of one daemon. Nothing here throws. */
export class TickBook {
  readonly #onTrouble: (sentence: string) => void;
  #db: Database | undefined;
  #trouble: string | undefined;
  /** The runs of which something about nodes is written. */
  readonly #onNodes = new Set<string>();

  /**
   * Opens the book in a folder, which is made (mode 0700) if it is missing; a broken one is moved aside.
   * @param onTrouble told in a sentence when it can't be kept, once for each reason
   */
  static open(folder: string, onTrouble: (sentence: string) => void): TickBook {
    const book = new TickBook(onTrouble);
    const path = `${folder}/daemon.db`;
    try {
      makeFolder(folder.slice(0, folder.lastIndexOf("/")));
      process.getBuiltinModule("node:fs").mkdirSync(folder, { recursive: true, mode: 0o700 });
      book.#db = openBook(path, onTrouble);
    } catch (error) {
      book.#tell(error);
    }
    return book;
  }

  private constructor(onTrouble: (sentence: string) => void) {
    this.#onTrouble = onTrouble;
  }

  /** Why it is not kept, in a sentence; undefined where it is. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** What an earlier daemon has left; nothing where the book can't be read. */
  read(): Remembered {
    const nothing = { horizonMs: undefined, boot: undefined, known: new Map(), runs: [], pauses: [] };
    const found = this.#try((db) => readBook(db)) ?? nothing;
    for (const { run, nodes } of found.runs) if (nodes.size > 0) this.#onNodes.add(run);
    return found;
  }

  /** Ticks were planned: they are due, and every tick up to `horizonMs` has been thought of; with what else is new. In one step. */
  plan(runs: readonly BookedRun[], horizonMs: number, news: BookNews = {}): void {
    const { boot, known } = news;
    this.#try((db) => {
      if (runs.length === 0 && boot === undefined && known === undefined)
        return setFact(db, "horizon", horizonMs);
      db.transaction(() => {
        for (const run of runs) insert(db, run);
        setFact(db, "horizon", horizonMs);
        if (boot !== undefined) setFact(db, "boot", boot);
        if (known !== undefined) changeKnown(db, known);
      }).immediate();
    });
  }

  /** The run's job is about to be started. */
  starting(run: string): void {
    this.#try((db) => db.query("UPDATE runs SET state = 'starting' WHERE run = ?").run(run));
  }

  /** It was. */
  running(run: string, mark: string, startedAtMs: number): void {
    this.#try((db) =>
      db
        .query("UPDATE runs SET state = 'running', mark = ?, started = coalesce(started, ?) WHERE run = ?")
        .run(mark, startedAtMs, run),
    );
  }

  /** What is to be known of a run's part on a node; takes the place of what was known. With the first one, the run is about to be started. */
  onNode(run: string, node: string, note: string): void {
    const isFirst = !this.#onNodes.has(run);
    this.#onNodes.add(run);
    this.#try((db) => {
      const put = db.query("INSERT OR REPLACE INTO run_nodes (run, node, note) VALUES (?, ?, ?)");
      if (!isFirst) return put.run(run, node, note);
      return db
        .transaction(() => {
          db.query("UPDATE runs SET state = 'starting' WHERE run = ?").run(run);
          put.run(run, node, note);
        })
        .immediate();
    });
  }

  /** It is over, and recorded. */
  over(run: string): void {
    const isOnNodes = this.#onNodes.delete(run);
    this.#try((db) => {
      db.query("DELETE FROM runs WHERE run = ?").run(run);
      if (isOnNodes) db.query("DELETE FROM run_nodes WHERE run = ?").run(run);
    });
  }

  setPauses(pauses: readonly Pause[]): void {
    this.#try((db) => {
      db.transaction(() => {
        db.run("DELETE FROM pauses");
        const put = db.query("INSERT INTO pauses (job, since, until, why, by) VALUES (?, ?, ?, ?, ?)");
        for (const { job, sinceMs, untilMs, why, by } of pauses)
          put.run(job ?? null, sinceMs, untilMs, why, by);
      }).immediate();
    });
  }

  close(): void {
    this.#db?.close();
    this.#db = undefined;
  }

  #try<Result>(use: (db: Database) => Result): Result | undefined {
    if (this.#db === undefined) return undefined;
    try {
      const result = use(this.#db);
      this.#trouble = undefined;
      return result;
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  #tell(error: unknown): void {
    const sentence = `what must outlive rcrond can't be kept: ${thrownSystemError(error).text}: a restart may miss ticks, or run them twice`;
    if (sentence === this.#trouble) return;
    this.#trouble = sentence;
    this.#onTrouble(sentence);
  }
}

function openBook(path: string, onTrouble: (sentence: string) => void): Database {
  try {
    return openWithSchema(path);
  } catch (error) {
    if (!isCorruption(error)) throw error;
    const fs = process.getBuiltinModule("node:fs");
    fs.renameSync(path, `${path}.broken`);
    for (const part of ["-wal", "-shm"]) fs.rmSync(path + part, { force: true });
    onTrouble(
      `${path} was broken: it is ${path}.broken now, and begun anew: what was due before is not known`,
    );
    return openWithSchema(path);
  }
}

function openWithSchema(path: string): Database {
  const db = openSqlite(path, busyMs);
  try {
    db.run("PRAGMA journal_mode = WAL");
    // The death of a process loses nothing; only a power cut may, and what a sync costs each start would have to pay.
    db.run("PRAGMA synchronous = OFF");
    db.run("PRAGMA cache_size = -512");
    const version = db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    if (version === 0) db.transaction(() => db.run(schema)).immediate();
    if (version === 1) db.transaction(() => db.run(nodesSchema)).immediate();
    if (version > schemaVersion) {
      throw new Problem("conflict", `${path} is of a later version of rcrond (${version})`);
    }
    db.query("SELECT count(*) FROM runs").get(); // a broken file shows itself now
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function changeKnown(db: Database, { put, drop }: NonNullable<BookNews["known"]>): void {
  const insertKnown = db.query("INSERT OR REPLACE INTO known (job, schedule) VALUES (?, ?)");
  for (const [job, schedule] of put) insertKnown.run(job, schedule);
  const deleteKnown = db.query("DELETE FROM known WHERE job = ?");
  for (const job of drop) deleteKnown.run(job);
}

function setFact(db: Database, name: string, value: string | number): void {
  db.query("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)").run(name, value);
}

function insert(db: Database, run: BookedRun): void {
  db.query(
    `INSERT OR REPLACE INTO runs (run, job, at, local, start, made_up, asked_by, state, mark, started)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    run.run,
    run.job,
    run.atMs,
    run.localMs,
    run.startAtMs,
    run.isMadeUp ? 1 : 0,
    run.askedBy ?? null,
    run.state,
    run.mark ?? null,
    run.startedAtMs ?? null,
  );
}

interface RunRow {
  readonly run: string;
  readonly job: string;
  readonly at: number;
  readonly local: number;
  readonly start: number;
  readonly made_up: number;
  readonly asked_by: string | null;
  readonly state: BookedState;
  readonly mark: string | null;
  readonly started: number | null;
}

function readBook(db: Database): Remembered {
  const fact = (name: string) =>
    db.query<{ value: unknown }, [string]>("SELECT value FROM facts WHERE name = ?").get(name)?.value;
  const horizonMs = fact("horizon");
  const boot = fact("boot");
  const known = db.query<{ job: string; schedule: string }, []>("SELECT job, schedule FROM known").all();
  const runs = db.query<RunRow, []>("SELECT * FROM runs ORDER BY at, local").all();
  const nodes = new Map<string, Map<string, string>>();
  const notes = db.query<{ run: string; node: string; note: string }, []>(
    "SELECT run, node, note FROM run_nodes",
  );
  for (const { run, node, note } of notes.all()) {
    const ofRun = nodes.get(run);
    if (ofRun === undefined) nodes.set(run, new Map([[node, note]]));
    else ofRun.set(node, note);
  }
  const pauses = db
    .query<{ job: string | null; since: number; until: number; why: string; by: string }, []>(
      "SELECT job, since, until, why, by FROM pauses",
    )
    .all();
  return {
    horizonMs: typeof horizonMs === "number" ? horizonMs : undefined,
    boot: typeof boot === "string" ? boot : undefined,
    known: new Map(known.map(({ job, schedule }) => [job, schedule])),
    runs: runs.map((row) => ({
      run: row.run,
      job: row.job,
      atMs: row.at,
      localMs: row.local,
      startAtMs: row.start,
      isMadeUp: row.made_up === 1,
      askedBy: row.asked_by ?? undefined,
      state: row.state,
      mark: row.mark ?? undefined,
      nodes: nodes.get(row.run) ?? new Map(),
      startedAtMs: row.started ?? undefined,
    })),
    pauses: pauses.map(({ job, since, until, why, by }) => ({
      job: job ?? undefined,
      sinceMs: since,
      untilMs: until,
      why,
      by,
    })),
  };
}

/**
 * Events become rows: a run has one, made by its start and completed by its end.
 */
import {
  type AdoptEvent,
  commandTextOf,
  type EndEvent,
  jobNameOf,
  parseEvent,
  type RunEvent,
  type SkipEvent,
  type StartEvent,
} from "../model/run-event.ts";
import { type Database, prepare, rowState } from "./database.ts";
import { Texts } from "./texts.ts";
import { Totals } from "./totals.ts";

const commandLimit = 4096;
const earlyEndsKept = 1000;

interface Row {
  readonly event: StartEvent | SkipEvent;
  end: EndEvent | undefined;
}

/** The rows of one part: a run whose start and end stand together is written once. */
export class Rows {
  readonly #db: Database;
  readonly #host: string;
  readonly #rows: Row[] = [];
  readonly #byRun = new Map<string, Row>();
  readonly #ends: EndEvent[] = [];
  readonly #adoptions: AdoptEvent[] = [];
  readonly #texts: Texts;

  constructor(db: Database, host: string) {
    this.#db = db;
    this.#host = host;
    this.#texts = new Texts(db);
  }

  add(event: RunEvent): void {
    if (event.kind === "end") {
      const row = this.#byRun.get(event.run);
      if (row === undefined) this.#ends.push(event);
      else row.end ??= event;
      return;
    }
    if (event.kind === "adopt") {
      this.#adoptions.push(event);
      return;
    }
    const row: Row = { event, end: undefined };
    this.#rows.push(row);
    if (event.kind === "start" && !this.#byRun.has(event.run)) this.#byRun.set(event.run, row);
  }

  write(): void {
    const totals = new Totals();
    for (const row of this.#rows) this.#insert(row, totals);
    for (const adoption of this.#adoptions) adopt(this.#db, adoption, totals);
    for (const end of this.#ends) applyEnd(this.#db, end, totals);
    if (this.#ends.length > 0) dropEarlyEnds(this.#db);
    this.#texts.write();
    totals.write(this.#db);
  }

  #insert({ event, end }: Row, totals: Totals): void {
    const db = this.#db;
    const names = { job: jobNameOf(event), cluster: event.cluster, host: this.#host };
    const { reason, epoch, instance, since } = event;
    const why = event.kind === "skip" ? event.why : undefined;
    const ended = end ?? (event.kind === "start" ? takeEarlyEnd(db, event.run) : undefined);
    const state =
      why === undefined ? stateOf(ended) : why === "passive" ? rowState.passive : rowState.skipped;
    const extra =
      event.kind === "skip"
        ? { sentence: event.sentence, holder: event.holder }
        : { user: event.user, onNodes: ended === undefined ? event.onNodes : undefined, ...extraOf(ended) };
    const texts = this.#texts;
    const { changes, lastInsertRowid } = prepare(
      db,
      `INSERT OR IGNORE INTO runs
       (id, job, cluster, host, state, at, tick, ms, cause, exit, signal, pid, cpu, command, context, extra)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      event.run ?? null,
      texts.idOf(names.job),
      texts.idOf(names.cluster),
      texts.idOf(names.host),
      state,
      Math.round(event.at),
      Math.round(event.tick),
      whole(ended?.ms),
      texts.idOfMaybe(why ?? ended?.cause),
      ended?.exit ?? null,
      ended?.signal ?? null,
      event.kind === "start" ? event.pid : null,
      whole(ended?.cpuMs),
      texts.idOf(commandTextOf(event).slice(0, commandLimit)),
      texts.idOf(JSON.stringify({ reason, epoch, instance, since })),
      asJson(extra),
    );
    if (changes === 0) return; // it is there already
    const seq = Number(lastInsertRowid);
    texts.lastSeq = seq;
    if (ended === undefined && event.kind === "start") {
      prepare(db, "INSERT INTO watchers (seq, pid, ticks, boot) VALUES (?, ?, ?, ?)").run(
        seq,
        event.pid,
        event.ticks ?? null,
        event.boot ?? null,
      );
      return;
    }
    if (ended !== undefined) keepOutput(db, seq, ended);
    totals.add({ ...names, state, why: why ?? "", at: event.at });
  }
}

/** Ends a run that has been folded before; where its start has not come yet, keeps the end. */
function applyEnd(db: Database, end: EndEvent, totals: Totals): void {
  const run = begunRun(db, end.run);
  if (run === null) {
    prepare(db, "INSERT OR REPLACE INTO early_ends (id, at, event) VALUES (?, ?, ?)").run(
      end.run,
      Math.round(end.at),
      JSON.stringify(end),
    );
    return;
  }
  if (!isOpen(run)) return;
  const state = stateOf(end);
  const before: object = run.extra === null ? {} : JSON.parse(run.extra);
  const texts = new Texts(db);
  const cause = texts.idOf(end.cause);
  texts.lastSeq = run.seq;
  texts.write();
  prepare(
    db,
    "UPDATE runs SET state = ?, ms = ?, cause = ?, exit = ?, signal = ?, cpu = ?, extra = ? WHERE seq = ?",
  ).run(
    state,
    whole(end.ms),
    cause,
    end.exit ?? null,
    end.signal ?? null,
    whole(end.cpuMs),
    asJson({ ...before, onNodes: undefined, sentence: undefined, ...extraOf(end) }),
    run.seq,
  );
  prepare(db, "DELETE FROM watchers WHERE seq = ?").run(run.seq);
  keepOutput(db, run.seq, end);
  uncount(run, totals);
  totals.add({ ...run, state, why: "" });
}

/** What is there of a run that has begun. */
interface Begun {
  readonly seq: number;
  readonly state: number;
  readonly at: number;
  readonly extra: string | null;
  readonly job: string;
  readonly cluster: string;
  readonly host: string;
}

function begunRun(db: Database, id: string): Begun | null {
  return prepare<Begun>(
    db,
    `SELECT seq, state, at, extra, job.text AS job, cluster.text AS cluster, host.text AS host FROM runs
     JOIN texts AS job ON job.id = runs.job JOIN texts AS cluster ON cluster.id = runs.cluster
     JOIN texts AS host ON host.id = runs.host WHERE runs.id = ?`,
  ).get(id);
}

/** Whether its end is still to come. That its watcher had gone was a conclusion; who tells of the run itself knows better. */
function isOpen({ state }: Begun): boolean {
  return state === rowState.running || state === rowState.interrupted || state === rowState.unwatched;
}

/** A run that was counted as interrupted, and was not. */
function uncount(run: Begun, totals: Totals): void {
  if (run.state === rowState.interrupted) totals.takeBack({ ...run, why: "" });
}

/** A run that has no end yet gets another watcher; if it was concluded that it was interrupted, it was not. */
function adopt(db: Database, { run: id, pid, ticks, boot }: AdoptEvent, totals: Totals): void {
  const run = begunRun(db, id);
  if (run === null || !isOpen(run)) return;
  uncount(run, totals);
  const before: object = run.extra === null ? {} : JSON.parse(run.extra);
  prepare(db, "UPDATE runs SET state = ?, pid = ?, extra = ? WHERE seq = ?").run(
    rowState.running,
    pid,
    asJson({ ...before, sentence: undefined }),
    run.seq,
  );
  prepare(db, "INSERT OR REPLACE INTO watchers (seq, pid, ticks, boot) VALUES (?, ?, ?, ?)").run(
    run.seq,
    pid,
    ticks ?? null,
    boot ?? null,
  );
}

function takeEarlyEnd(db: Database, run: string): EndEvent | undefined {
  const row = prepare<{ event: string }>(db, "DELETE FROM early_ends WHERE id = ? RETURNING event").get(run);
  const event = row === null ? undefined : parseEvent(row.event);
  return event?.kind === "end" ? event : undefined;
}

function dropEarlyEnds(db: Database): void {
  prepare(
    db,
    "DELETE FROM early_ends WHERE id IN (SELECT id FROM early_ends ORDER BY at DESC LIMIT -1 OFFSET ?)",
  ).run(earlyEndsKept);
}

function keepOutput(db: Database, seq: number, { output }: EndEvent): void {
  if (output === undefined || output.bytes === 0) return;
  prepare(db, "INSERT OR REPLACE INTO outputs (seq, bytes, left_out, head, tail) VALUES (?, ?, ?, ?, ?)").run(
    seq,
    output.bytes,
    output.leftOut,
    Buffer.from(output.head, "base64"),
    Buffer.from(output.tail, "base64"),
  );
}

function stateOf(end: EndEvent | undefined): number {
  if (end === undefined) return rowState.running;
  return end.ok ? rowState.succeeded : rowState.failed;
}

function extraOf(end: EndEvent | undefined): object {
  if (end === undefined) return {};
  const { sentence, attempts, detached, survivors, nodes } = end;
  return { sentence, attempts, detached, survivors, nodes };
}

/** @returns null where nothing is defined in it */
function asJson(extra: object): string | null {
  const text = JSON.stringify(extra);
  return text === "{}" ? null : text;
}

function whole(number: number | undefined): number | null {
  return number === undefined ? null : Math.round(number);
}

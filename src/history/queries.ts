/**
 * What the record is asked. Lists go by the order of arrival; each question walks an index that holds all that it filters by,
 * so that a million rows are no burden (bench/runs.ts).
 */
import type { EndCause, SkipReason } from "../model/run-event.ts";
import { type Database, prepare, rowState, type SQLQueryBindings } from "./database.ts";
import type { JobRecord, KeptOutput, RunFilter, RunRecord, RunState, Total } from "./run-record.ts";

/** The median is that of so many successes. */
const typicalOf = 50;

const failures = [rowState.failed, rowState.interrupted];
const goingOn = [rowState.running, rowState.unwatched];
const shownStates: Readonly<Record<RunFilter["show"], readonly number[]>> = {
  usual: [rowState.succeeded, ...failures, rowState.skipped, ...goingOn],
  failed: [...failures, rowState.unwatched],
  skipped: [rowState.skipped, rowState.passive],
  all: Object.values(rowState),
};
const ended = [rowState.succeeded, ...failures];

const columns = `runs.seq, runs.id, job.text AS job, cluster.text AS cluster, host.text AS host, runs.state, runs.at,
  runs.tick, runs.ms, cause.text AS cause, runs.exit, runs.signal, runs.pid, runs.cpu, command.text AS command,
  context.text AS context, runs.extra`;
const joins = `runs JOIN texts AS job ON job.id = runs.job JOIN texts AS cluster ON cluster.id = runs.cluster
  JOIN texts AS host ON host.id = runs.host LEFT JOIN texts AS cause ON cause.id = runs.cause
  JOIN texts AS command ON command.id = runs.command JOIN texts AS context ON context.id = runs.context`;

interface RunRow {
  readonly seq: number;
  readonly id: string | null;
  readonly job: string;
  readonly cluster: string;
  readonly host: string;
  readonly state: number;
  readonly at: number;
  readonly tick: number;
  readonly ms: number | null;
  readonly cause: string | null;
  readonly exit: number | null;
  readonly signal: number | null;
  readonly pid: number | null;
  readonly cpu: number | null;
  readonly command: string;
  readonly context: string;
  readonly extra: string | null;
}

/** A question's SQL and its values: also for whoever wants to see its plan. */
export interface Question {
  readonly sql: string;
  readonly values: SQLQueryBindings[];
}

/** Rows by state, and by whatever else is given, the newest first. */
interface RowFilter {
  readonly states: readonly number[];
  readonly job?: number;
  readonly cluster?: number;
  readonly host?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly afterSeq?: number;
  readonly limit: number;
}

/** The question for the rows' places: a walk from the newest on for each state, and the newest of them all. */
export function seqQuestion(filter: RowFilter): Question {
  const values: SQLQueryBindings[] = [];
  const walks: string[] = [];
  for (const state of filter.states) {
    let where = "state = ?";
    values.push(state);
    const also = (condition: string, value: number | undefined) => {
      if (value === undefined) return;
      where += ` AND ${condition}`;
      values.push(value);
    };
    also("job = ?", filter.job);
    also("cluster = ?", filter.cluster);
    also("host = ?", filter.host);
    also("at >= ?", filter.sinceMs);
    also("at < ?", filter.untilMs);
    also("seq > ?", filter.afterSeq);
    const index = filter.job === undefined ? "runs_by_state" : "runs_by_job";
    walks.push(
      `SELECT seq FROM (SELECT seq FROM runs INDEXED BY ${index} WHERE ${where} ORDER BY seq DESC LIMIT ?)`,
    );
    values.push(filter.limit);
  }
  values.push(filter.limit);
  return { sql: `${walks.join(" UNION ALL ")} ORDER BY seq DESC LIMIT ?`, values };
}

/** Answers from an open database. All throw what SQLite throws. */
export class Queries {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** @returns oldest first */
  runs({ job, host, show, sinceMs, limit, afterSeq }: RunFilter): RunRecord[] {
    const ids = { job: this.#textId(job), host: this.#textId(host) };
    if (ids.job === null || ids.host === null) return [];
    return this.#rows({
      states: shownStates[show],
      limit,
      ...(ids.job !== undefined && { job: ids.job }),
      ...(ids.host !== undefined && { host: ids.host }),
      ...(sinceMs !== undefined && { sinceMs }),
      ...(afterSeq !== undefined && { afterSeq }),
    }).reverse();
  }

  /** The last place in the order of arrival; 0 for an empty record. */
  lastSeq(): number {
    return prepare<{ seq: number | null }>(this.#db, "SELECT max(seq) AS seq FROM runs").get()?.seq ?? 0;
  }

  /**
   * The runs whose id begins so, or the one at `@SEQ`.
   * @returns two of them at most: more than one is no answer
   */
  find(id: string): RunRecord[] {
    const seq = /^@(\d{1,15})$/.exec(id)?.[1];
    if (seq !== undefined) return this.#select("WHERE runs.seq = ?", [Number(seq)]);
    const exact = this.#select("WHERE runs.id = ?", [id]);
    if (exact.length > 0) return exact;
    return this.#select("WHERE runs.id >= ? AND runs.id < ? ORDER BY runs.id LIMIT 2", [
      id,
      `${id}\u{10ffff}`,
    ]);
  }

  /** What was kept of a run's output; undefined where nothing was. @throws {Error} where it can't be unpacked */
  output(seq: number): KeptOutput | undefined {
    interface Row {
      readonly bytes: number;
      readonly left_out: number;
      readonly head: Uint8Array<ArrayBuffer>;
      readonly tail: Uint8Array<ArrayBuffer>;
    }
    const row = prepare<Row>(this.#db, "SELECT bytes, left_out, head, tail FROM outputs WHERE seq = ?").get(
      seq,
    );
    if (row === null) return undefined;
    return { bytes: row.bytes, leftOut: row.left_out, head: unpacked(row.head), tail: unpacked(row.tail) };
  }

  /** The names of all jobs. */
  jobNames(): string[] {
    return prepare<{ job: string }>(this.#db, "SELECT DISTINCT job FROM totals ORDER BY job")
      .all()
      .map(({ job }) => job)
      .concat(this.#jobsGoingOn())
      .filter((job, at, all) => all.indexOf(job) === at);
  }

  /** Each job that was seen in each cluster, by name. */
  jobs(): JobRecord[] {
    const counted = new Map<string, { job: string; cluster: string; totals: Total[] }>();
    const entryOf = (job: string, cluster: string) => {
      const key = JSON.stringify([job, cluster]);
      const entry = counted.get(key) ?? { job, cluster, totals: [] };
      counted.set(key, entry);
      return entry;
    };
    interface Row {
      readonly job: string;
      readonly cluster: string;
      readonly state: number;
      readonly why: string;
      readonly count: number;
    }
    const totals = prepare<Row>(
      this.#db,
      "SELECT job, cluster, state, why, sum(count) AS count FROM totals GROUP BY job, cluster, state, why ORDER BY job, cluster",
    ).all();
    for (const { job, cluster, state, why, count } of totals) {
      const skipReason = why === "" ? {} : { why: why as SkipReason }; // the fold wrote it
      const entry = entryOf(job, cluster);
      if (count > 0) entry.totals.push({ state: stateName(state), ...skipReason, count });
    }
    for (const { job, cluster } of this.#rows({ states: goingOn, limit: 10_000 })) entryOf(job, cluster);
    return [...counted.values()]
      .map((entry) => this.#sumUp(entry))
      .filter((record) => record !== undefined)
      .sort((a, b) => (a.job < b.job ? -1 : a.job > b.job ? 1 : a.cluster < b.cluster ? -1 : 1));
  }

  /** All that a job was due for, or did, in a span of time; the newest 100, oldest first. */
  inSpan(job: string, sinceMs: number, untilMs: number): RunRecord[] {
    const id = this.#textId(job);
    if (id === undefined || id === null) return [];
    return this.#rows({ states: shownStates.all, job: id, sinceMs, untilMs, limit: 100 }).reverse();
  }

  /** The last that is known of a job before a moment. */
  lastBefore(job: string, untilMs: number): RunRecord | undefined {
    const id = this.#textId(job);
    if (id === undefined || id === null) return undefined;
    return this.#rows({ states: shownStates.all, job: id, untilMs, limit: 1 })[0];
  }

  #jobsGoingOn(): string[] {
    return this.#rows({ states: goingOn, limit: 10_000 }).map(({ job }) => job);
  }

  #sumUp({ job, cluster, totals }: Pick<JobRecord, "job" | "cluster" | "totals">): JobRecord | undefined {
    const ids = { job: this.#textId(job), cluster: this.#textId(cluster) };
    if (typeof ids.job !== "number" || typeof ids.cluster !== "number") return undefined; // all of it is pruned
    const own = { job: ids.job, cluster: ids.cluster };
    const newest = (states: readonly number[]) => this.#rows({ ...own, states, limit: 1 })[0];
    const last = newest(shownStates.usual) ?? newest([rowState.passive]);
    if (last === undefined) return undefined;
    const lastSuccess = newest([rowState.succeeded]);
    const lastEnded = newest(ended);
    const lastRun = newest([...ended, ...goingOn]);
    const durations = prepare<{ ms: number }>(
      this.#db,
      "SELECT ms FROM runs INDEXED BY runs_by_job WHERE job = ? AND state = ? AND cluster = ? ORDER BY seq DESC LIMIT ?",
    )
      .all(own.job, rowState.succeeded, own.cluster, typicalOf)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
    const count = (states: readonly number[], afterSeq: number) =>
      states
        .map(
          (state) =>
            prepare<{ count: number }>(
              this.#db,
              "SELECT count(*) AS count FROM runs INDEXED BY runs_by_job WHERE job = ? AND state = ? AND seq > ? AND cluster = ?",
            ).get(own.job, state, afterSeq, own.cluster)?.count ?? 0,
        )
        .reduce((sum, each) => sum + each, 0);
    const typicalMs = durations[Math.floor(durations.length / 2)];
    return {
      job,
      cluster,
      last,
      ...(lastRun && { lastRun }),
      ...(lastSuccess && { lastSuccess }),
      ...(lastEnded && { lastEnded }),
      failureStreak: count(failures, lastSuccess?.seq ?? 0),
      ...(typicalMs !== undefined && { typicalMs }),
      runningCount: count([rowState.running], 0),
      totals,
    };
  }

  /** @returns newest first */
  #rows(filter: RowFilter): RunRecord[] {
    const { sql, values } = seqQuestion(filter);
    const seqs = prepare<{ seq: number }>(this.#db, sql).all(...values);
    return seqs.flatMap(({ seq }) => this.#select("WHERE runs.seq = ?", [seq]));
  }

  #select(where: string, values: SQLQueryBindings[]): RunRecord[] {
    return prepare<RunRow>(this.#db, `SELECT ${columns} FROM ${joins} ${where}`)
      .all(...values)
      .map(recordOf);
  }

  /** @returns undefined where no text is asked for, null where the record has no such text */
  #textId(text: string | undefined): number | undefined | null {
    if (text === undefined) return undefined;
    return prepare<{ id: number }>(this.#db, "SELECT id FROM texts WHERE text = ?").get(text)?.id ?? null;
  }
}

function unpacked(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  return bytes.length === 0 ? bytes : Bun.gunzipSync(bytes);
}

function stateName(state: number): RunState {
  switch (state) {
    case rowState.succeeded:
      return "succeeded";
    case rowState.failed:
      return "failed";
    case rowState.interrupted:
    case rowState.unwatched:
      return "interrupted";
    case rowState.running:
      return "running";
    default:
      return "skipped";
  }
}

function recordOf(row: RunRow): RunRecord {
  const state = stateName(row.state);
  // What the fold wrote there: the keys of the events, checked by parseEvent.
  const { since, ...context } = JSON.parse(row.context) as Pick<
    RunRecord,
    "reason" | "epoch" | "instance"
  > & {
    since?: number;
  };
  const extra = row.extra === null ? {} : (JSON.parse(row.extra) as Partial<RunRecord>);
  const cause =
    row.cause === null
      ? {}
      : state === "skipped"
        ? { why: row.cause as SkipReason }
        : { cause: row.cause as EndCause };
  return {
    seq: row.seq,
    id: row.id ?? `@${row.seq}`,
    job: row.job,
    cluster: row.cluster,
    host: row.host,
    state,
    ...cause,
    command: row.command,
    tickMs: row.tick,
    atMs: row.at,
    ...(row.ms !== null && { ms: row.ms }),
    ...(row.exit !== null && { exit: row.exit }),
    ...(row.signal !== null && { signal: row.signal }),
    ...(row.cpu !== null && { cpuMs: row.cpu }),
    ...(row.pid !== null && { pid: row.pid }),
    ...context,
    ...(since !== undefined && { sinceMs: since }),
    ...extra,
  };
}

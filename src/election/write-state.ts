/**
 * Writing the state file: the word, and behind it where it comes from.
 *
 * Writers overlap. keepalived starts its scripts in order but does not wait for one before it starts the next, so
 * MASTER and, a millisecond later, BACKUP run side by side, and MASTER may come second. Therefore one writer at a time
 * holds a lock beside the file, each leaves behind when it was started, and one that finds a later start than its own
 * has been overtaken and writes nothing.
 */
import { parseStateFile, stateFileLimit } from "../gate/gate.ts";
import { Problem } from "../model/problem.ts";
import { formatState, type Provenance, type WriteOrder } from "../model/provenance.ts";
import type { State } from "../model/state.ts";
import { readBootId, readUptimeS, ticksSinceBoot } from "../system/boot.ts";
import { makeFolder, readFileStart, writeFileAtomically } from "../system/files.ts";
import { takeLock } from "../system/lock.ts";

/** A change that somebody who elects has decided. */
export interface StateChange {
  /** An absolute path. */
  readonly stateFile: string;
  readonly word: State;
  /** Who stands behind it, as {@link Provenance.writer} has it. */
  readonly writer: string;
  /** When the writer was started. */
  readonly order: WriteOrder;
  readonly instance?: string | undefined;
  readonly event?: string | undefined;
  /** For so many milliseconds; undefined: until the next change. */
  readonly validForMs?: number | undefined;
  /** True where the word is a new decision though it is the old word: the epoch grows. */
  readonly isNewTerm?: boolean;
}

/** What became of it. */
export interface Written {
  /** False where a writer that was started later has written already; then the file is as that one left it. */
  readonly isWritten: boolean;
  /** True where the file said it already, and a new term would have come too soon: it is as it was, and no line is due. */
  readonly isRepeat: boolean;
  /** What the file says now. */
  readonly word: State;
  readonly provenance: Provenance;
  /** What it said before; undefined if it had no word. */
  readonly previousWord: State | undefined;
  /** A sentence for the log; undefined where all is well. */
  readonly warning: string | undefined;
}

/** keepalived kills a script that takes longer than a second to stop; whoever holds the lock this long has hung. */
const lockWaitMs = 500;
const fileMode = 0o644;
/** Comes with every advert of the other master for as long as a one-way split lasts. */
const repeatingEvent = "MASTER_RX_LOWER_PRI";
/** The next term for the same event begins no sooner. */
const termMs = 10_000;
/**
 * The other master may be writing its word in this very moment, and the epoch of the one that stays shall be the higher
 * one. Less than most failovers take, so that the next master's epoch is higher still: (256 - priority)/256 of an advert
 * interval after a clean stop is the least.
 */
const headStartMs = 250;

/**
 * Writes the state file in one step, durably, unless it has been overtaken, or is told within ten seconds what it was
 * told before: MASTER_RX_LOWER_PRI by the same writer, of the same instance.
 * @param now milliseconds since 1970
 * @throws {Problem} `denied`, `invalid` or `internal` where it can't be written; then the old word stands
 */
export async function writeState(change: StateChange, now: () => number = Date.now): Promise<Written> {
  let isRepeat = false;
  const written = await revise(change.stateFile, (current) => {
    if (current !== undefined && isOvertaken(current.provenance, change.order)) return undefined;
    const nowMs = now();
    isRepeat = current !== undefined && repeats(change, current, nowMs);
    return isRepeat ? undefined : { word: change.word, provenance: provenanceOf(change, current, nowMs) };
  });
  // The file says what was asked for: nobody has overtaken it.
  return isRepeat ? { ...written, isWritten: true, isRepeat } : written;
}

/** What a state file says: the word with its provenance; undefined if it has no word, or there is none. */
export interface CurrentState {
  readonly word: State;
  readonly provenance: Provenance;
}

/** Reads the state file without any of the gate's patience: a writer replaces what it does not understand. */
export function readCurrent(stateFile: string): CurrentState | undefined {
  const file = readFileStart(stateFile, stateFileLimit);
  const said = file.error === undefined ? parseStateFile(file.bytes, file.isWhole) : undefined;
  return said && { word: said.state, provenance: said.provenance };
}

/**
 * Replaces what the state file says by what `decide` makes of it, under the lock.
 * @param decide undefined: leave the file as it is
 * @throws {Problem} as {@link writeState}
 */
export async function revise(
  stateFile: string,
  decide: (current: CurrentState | undefined) => CurrentState | undefined,
): Promise<Written> {
  const slash = stateFile.lastIndexOf("/");
  const lockFile = `${stateFile.slice(0, slash)}/.${stateFile.slice(slash + 1)}.lock`;
  makeFolderForLock(stateFile.slice(0, slash) || "/");
  const lock = await takeLock(lockFile, lockWaitMs);
  try {
    const current = readCurrent(stateFile);
    const next = decide(current);
    if (next !== undefined) {
      await writeFileAtomically(stateFile, formatState(next.word, next.provenance), fileMode);
    }
    const left = next ?? current;
    if (left === undefined) throw new Problem("conflict", `${stateFile} has no word, and none was written`);
    return {
      isWritten: next !== undefined,
      isRepeat: false,
      ...left,
      previousWord: current?.word,
      warning: typeof lock === "string" ? `no lock on ${lockFile}: ${lock}: going on without` : undefined,
    };
  } finally {
    if (typeof lock !== "string") lock.release();
  }
}

/** So that the lock has a place; what is wrong with the folder is told by the write itself. */
function makeFolderForLock(folder: string): void {
  try {
    makeFolder(folder);
  } catch {
    // writeFileAtomically meets the same, and has the words for it.
  }
}

/** Only starts within one boot of the kernel compare. */
function isOvertaken({ bootId, order }: Provenance, own: WriteOrder): boolean {
  if (order === undefined || bootId === undefined || bootId !== readBootId()) return false;
  // Nobody can have been started in the future: believed, such a line would make this machine deaf until it boots.
  const nowTicks = ticksSinceBoot();
  if (nowTicks !== undefined && order.startTicks > nowTicks) return false;
  return order.startTicks > own.startTicks || (order.startTicks === own.startTicks && order.pid > own.pid);
}

/**
 * By the file alone, so that scripts, of which each lives for one event, can tell as well. The term's beginning counts
 * and not the last write, for a renewal is a write too.
 */
function repeats(change: StateChange, { word, provenance }: CurrentState, nowMs: number): boolean {
  const { event, instance, writer, sinceMs, validUntilMs } = provenance;
  const isSame =
    word === change.word &&
    event === change.event &&
    instance === change.instance &&
    writer === change.writer;
  if (!change.isNewTerm || change.event !== repeatingEvent || !isSame || sinceMs === undefined) return false;
  // A clock that was set back makes the term begin in the future: then it is begun anew.
  const ageMs = nowMs - sinceMs;
  if (ageMs < 0 || ageMs >= termMs) return false;
  // A lease must be lengthened in time; nor may it come or go unseen.
  if (change.validForMs === undefined || validUntilMs === undefined) {
    return change.validForMs === validUntilMs;
  }
  return validUntilMs - nowMs > change.validForMs / 2;
}

/** What stands behind the word of a change, after what the file says now. */
export function provenanceOf(
  change: StateChange,
  current: CurrentState | undefined,
  nowMs: number,
): Provenance {
  const isSame = current?.word === change.word && current.provenance.epoch !== undefined && !change.isNewTerm;
  const lastEpoch = current?.provenance.epoch;
  const { instance, event, writer, order, validForMs } = change;
  const aheadMs = event === repeatingEvent ? headStartMs : 0;
  const known = {
    // A clock's time, so that it also grows from machine to machine; and never less than the last one.
    epoch: isSame ? lastEpoch : Math.max(nowMs + aheadMs, (lastEpoch ?? 0) + 1),
    sinceMs: isSame ? (current.provenance.sinceMs ?? nowMs) : nowMs,
    instance,
    event,
    writer,
    order,
    bootId: readBootId(),
    uptimeS: readUptimeS(),
    writtenAtMs: nowMs,
    validUntilMs: validForMs === undefined ? undefined : nowMs + validForMs,
  };
  // What is not known is left out: an absent key and an undefined one are not the same to the types.
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** For a reader of events, which writes many times: this moment, as if it had been started now. */
export function orderNow(): WriteOrder {
  return { startTicks: ticksSinceBoot() ?? 0, pid: process.pid };
}

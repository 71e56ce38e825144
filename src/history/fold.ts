/**
 * Folding: the journal's lines become rows of the database.
 *
 * The database remembers how far each file of the journal has been read, by the file's identity and by how it begins, and
 * changes that in the same transaction as the rows. So a reader may be killed anywhere, and two may work at once: no line
 * is taken twice, and none is lost. What stands behind the last line end is a line that somebody is about to finish, and
 * waits. The start of a run comes before its end, but not always in the same file; an end that comes first waits, too.
 */
import { eventLimit, parseEvent } from "../model/run-event.ts";
import { thrownSystemError } from "../system/libc.ts";
import { type Database, prepare } from "./database.ts";
import { Rows } from "./event-rows.ts";
import { listSegments } from "./journal.ts";

const chunkBytes = 4 * 1024 * 1024;
/** So long is no line, nor half a one. */
const lineLimit = eventLimit * 2;
/** By this much of its beginning a file is known again: its inode may have become another file's. */
const startBytes = 256;
/** Before a full journal is removed, whoever has had it open must have written. */
const removeAfterMs = 60_000;

/** What a folding was told, and tells. */
export interface Folding {
  /** This machine's name. */
  readonly host: string;
  /** True where rotated journals that are read to their end are removed. */
  readonly removes: boolean;
  /** Called after each part with the bytes that are read and those that there are. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** What was found on the way. */
export interface Folded {
  /** Lines that are no events. */
  badLines: number;
  /** Files that can't be read, each with the reason. */
  readonly unreadable: string[];
}

/**
 * Folds all that the journal in a folder has to give.
 * @throws {Error} of SQLite, or where the folder can't be read; what was folded before stays folded
 */
export function foldJournal(db: Database, folder: string, folding: Folding): Folded {
  const fs = process.getBuiltinModule("node:fs");
  const folded: Folded = { badLines: 0, unreadable: [] };
  const paths = [...listSegments(folder).map(({ path }) => path), `${folder}/journal`];
  const sizes = paths.map((path) => fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const known = new Set<string>();
  let done = 0;
  for (const [index, path] of paths.entries()) {
    try {
      foldFile(db, path, folding, {
        folded,
        known,
        onRead: (offset) => folding.onProgress?.(done + offset, all),
      });
    } catch (error) {
      const { code, text } = thrownSystemError(error);
      if (code.startsWith("SQLITE")) throw error;
      if (code !== "ENOENT") folded.unreadable.push(`${path}: ${text}`);
    }
    done += sizes[index] ?? 0;
  }
  forgetOthers(db, known);
  return folded;
}

interface FileFolding {
  readonly folded: Folded;
  /** The files that are there. */
  readonly known: Set<string>;
  readonly onRead: (offset: number) => void;
}

function foldFile(
  db: Database,
  path: string,
  folding: Folding,
  { folded, known, onRead }: FileFolding,
): void {
  const fs = process.getBuiltinModule("node:fs");
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw Object.assign(new Error("no file"), { code: "ESPIPE" });
    const file = `${stat.dev}:${stat.ino}`;
    known.add(file);
    const start = Buffer.alloc(Math.min(startBytes, stat.size));
    fs.readSync(fd, start, 0, start.length, 0);
    const buffer = { bytes: Buffer.allocUnsafe(Math.min(chunkBytes, stat.size + 1)) };
    const part = db.transaction(() => foldPart(db, fd, { file, start, buffer, folding, folded }));
    for (;;) {
      const { offset, isEnd } = part.immediate();
      onRead(offset);
      if (isEnd) break;
    }
    if (path.endsWith("/journal") || !folding.removes) return;
    const { mtimeMs, ctimeMs, size } = fs.fstatSync(fd);
    const isQuiet = Date.now() - Math.max(mtimeMs, ctimeMs) > removeAfterMs;
    const offset = offsetOf(db, file, start);
    if (!isQuiet || size - offset > lineLimit) return;
    if (size > offset) folded.badLines++; // half a line that nobody is going to finish
    fs.rmSync(path, { force: true });
    known.delete(file);
  } finally {
    fs.closeSync(fd);
  }
}

interface Part {
  readonly file: string;
  readonly start: Buffer;
  readonly buffer: { bytes: Buffer };
  readonly folding: Folding;
  readonly folded: Folded;
}

/** One part of a file, in one transaction. */
function foldPart(
  db: Database,
  fd: number,
  { file, start, buffer, folding, folded }: Part,
): { offset: number; isEnd: boolean } {
  const fs = process.getBuiltinModule("node:fs");
  const offset = offsetOf(db, file, start);
  const count = fs.readSync(fd, buffer.bytes, 0, buffer.bytes.length, offset);
  const isFull = count === buffer.bytes.length;
  const bytes = buffer.bytes.subarray(0, count);
  let end = bytes.lastIndexOf(0x0a) + 1;
  if (end === 0) {
    if (!isFull) return { offset, isEnd: true };
    if (count < lineLimit) {
      buffer.bytes = Buffer.allocUnsafe(count * 2);
      return { offset, isEnd: false };
    }
    end = count; // a line without end: what follows is taken for the rest of it, and is no event either
    folded.badLines++;
  } else {
    const rows = new Rows(db, folding.host);
    for (const line of bytes.toString("utf8", 0, end).split("\n")) {
      if (line === "") continue;
      const event = parseEvent(line);
      if (event === undefined) folded.badLines++;
      else rows.add(event);
    }
    rows.write();
  }
  prepare(
    db,
    "INSERT INTO journals (file, offset, start) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset, start = excluded.start",
  ).run(file, offset + end, start);
  return { offset: offset + end, isEnd: !isFull };
}

/** How far a file has been read; 0 for one that is new, was cut, or merely has the inode of one that is gone. */
function offsetOf(db: Database, file: string, start: Buffer): number {
  const row = prepare<{ offset: number; start: Uint8Array }>(
    db,
    "SELECT offset, start FROM journals WHERE file = ?",
  ).get(file);
  if (row === null) return 0;
  const isSame = row.start.length <= start.length && start.subarray(0, row.start.length).equals(row.start);
  return isSame ? row.offset : 0;
}

function forgetOthers(db: Database, known: ReadonlySet<string>): void {
  for (const { file } of prepare<{ file: string }>(db, "SELECT file FROM journals").all()) {
    if (!known.has(file)) prepare(db, "DELETE FROM journals WHERE file = ?").run(file);
  }
}

/**
 * The journal: the file to which every run adds its lines, and which whoever reads the record folds into the database.
 *
 * Two hundred processes write to it at once, and any of them may be killed in the middle of it, so there is no lock: one
 * line is one write(2) to the file's end, which the kernel keeps whole. Each line begins with a line end of its own, so
 * that half a line, left by a power cut or a full disk, spoils itself and not its neighbour.
 *
 * A passive machine does this on every tick: one open, one lseek, one write, one close. A full file is set aside as
 * `journal.TIME`; so many of those are kept, whether anybody ever reads or not.
 */
import type { RunEvent } from "../model/run-event.ts";
import {
  addressOf,
  errno,
  journalLibc,
  libc,
  lockLibc,
  O_CLOEXEC,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  type SystemError,
  scratch,
  scratchString,
  systemError,
  thrownSystemError,
} from "../system/libc.ts";

/** A journal that has grown to so many bytes is set aside, and a new one begun. */
export const segmentBytes = 16 * 1024 * 1024;
/** So many full journals are kept for a reader; the oldest goes first. */
export const segmentsKept = 16;

const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_APPEND = 0o2000;
const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
const SEEK_END = 2;
const LOCK_EX_NB = 2 | 4;

const encoder = new TextEncoder();

/**
 * The folder of the record.
 * @param setting `history` of rcron.conf: `none`, an absolute path, or `auto`
 * @returns undefined where no record is kept: by `none`, or because `auto` finds no home to keep it in
 */
export function historyFolder(setting: string): string | undefined {
  if (setting === "none") return undefined;
  if (setting !== "auto") return setting;
  if (process.geteuid?.() === 0) return "/var/lib/rcron";
  const { XDG_STATE_HOME: state, HOME: home } = process.env;
  if (state !== undefined && state[0] === "/") return `${state}/rcron`;
  return home !== undefined && home[0] === "/" ? `${home}/.local/state/rcron` : undefined;
}

/**
 * Adds one line to the journal in `folder`, which is made (mode 0700) if it is missing. Never waits, never throws.
 * Uses the scratch memory.
 * @returns why there is no such line now, or only half of one; undefined if all is well
 */
export function appendEvent(folder: string, event: RunEvent): SystemError | undefined {
  if (folder.includes("\0")) return systemError(2);
  try {
    const line = `\n${JSON.stringify(event)}\n`;
    let error = append(folder, line);
    if (error !== undefined && error.code === "ENOENT") error = makeRoom(folder) ?? append(folder, line);
    return error;
  } catch (error) {
    return thrownSystemError(error);
  }
}

function append(folder: string, line: string): SystemError | undefined {
  const path = `${folder}/journal`;
  const c = libc();
  const j = journalLibc();
  if (c === undefined || j === undefined) return appendWithoutLibc(folder, path, line);
  const fd = c.open(scratchString(path), flags, 0o600);
  if (fd < 0) return systemError(errno());
  try {
    // What has no end to seek is no file: a FIFO or a terminal, where a write could wait, or reach somebody.
    const end = Number(j.lseek(fd, 0, SEEK_END));
    if (end < 0) return systemError(errno());
    let bytes: Uint8Array = scratch;
    let length = 0;
    if (line.length * 3 <= scratch.length) length = encoder.encodeInto(line, scratch).written;
    else {
      bytes = encoder.encode(line);
      length = bytes.length;
    }
    const written = Number(j.write(fd, addressOf(bytes), length));
    if (written < 0) return systemError(errno());
    if (written < length) return systemError(28); // half a line fitted on the disk
    if (end + length >= segmentBytes) setAside(folder, fd);
    return undefined;
  } finally {
    c.close(fd);
  }
}

/** The same through `node:fs`, which is slower to load: for where no C call can be made. */
function appendWithoutLibc(folder: string, path: string, line: string): SystemError | undefined {
  const fs = process.getBuiltinModule("node:fs");
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, flags, 0o600);
    if (!fs.fstatSync(fd).isFile()) return systemError(29);
    const bytes = encoder.encode(line);
    if (fs.writeSync(fd, bytes) < bytes.length) return systemError(28);
    if (fs.fstatSync(fd).size >= segmentBytes) setAside(folder, fd);
    return undefined;
  } catch (error) {
    return thrownSystemError(error);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** Makes the folder. */
function makeRoom(folder: string): SystemError | undefined {
  try {
    process.getBuiltinModule("node:fs").mkdirSync(folder, { recursive: true, mode: 0o700 });
    return undefined;
  } catch (error) {
    return thrownSystemError(error);
  }
}

/**
 * Renames the full journal, unless somebody else has done it, or is about to. Its own lock orders those who want to; it is
 * asked for, never waited for. A failure leaves the journal growing, which the next line tries to end.
 */
function setAside(folder: string, fd: number): void {
  const fs = process.getBuiltinModule("node:fs");
  try {
    const locks = lockLibc();
    if (locks !== undefined && locks.flock(fd, LOCK_EX_NB) !== 0) return;
    const path = `${folder}/journal`;
    const [own, named] = [fs.fstatSync(fd), fs.statSync(path)];
    if (own.ino !== named.ino || named.size < segmentBytes) return;
    const segments = listSegments(folder);
    // A clock that was set back must not make it older than one that is there, or overwrite that one.
    const time = Math.max(Date.now(), (segments.at(-1)?.time ?? 0) + 1);
    fs.renameSync(path, `${path}.${time}`);
    const surplus = segments.length + 1 - segmentsKept;
    for (let at = 0; at < surplus; at++) fs.rmSync(segments[at]?.path ?? "", { force: true });
  } catch {
    // Somebody else was faster, or the folder can't be changed: the line itself is written.
  }
}

/** A journal that was set aside. */
export interface Segment {
  readonly path: string;
  /** When, in milliseconds since 1970. */
  readonly time: number;
}

/**
 * The full journals in a folder, the oldest first. Not for the hot path.
 * @throws the system's error
 */
export function listSegments(folder: string): Segment[] {
  const segments: Segment[] = [];
  for (const name of process.getBuiltinModule("node:fs").readdirSync(folder)) {
    const time = name.startsWith("journal.") ? name.slice("journal.".length) : "";
    if (/^\d{1,16}$/.test(time)) segments.push({ path: `${folder}/${name}`, time: Number(time) });
  }
  return segments.sort((a, b) => a.time - b.time);
}

/**
 * The pipe through which a job's output comes: a real pipe, so that `/dev/stdout` can be opened by the job, read without
 * ever waiting.
 *
 * The kernel tells by SIGIO that there is something to read: the runtime's own streams take twice the memory and half
 * the speed (docs/decisions/output.md), and to look at intervals would wake a sleeping machine. It does not tell which
 * pipe: where there are many, they are asked all at once, once in a turn of the event loop, and the ready ones are read.
 */
import {
  cString,
  errno,
  libc,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  pipeLibc,
  type SystemError,
  systemError,
} from "./libc.ts";

const O_ASYNC = 0o20000;
const F_SETFL = 4;
const F_SETOWN = 8;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const EAGAIN = 11;
const EINTR = 4;
/** A full pipe of this size is read in one turn. The system may refuse more than its own 64 kB to an ordinary user. */
const pipeSize = 1024 * 1024;
const bufferSize = 256 * 1024;
/** So many reads in a row, and then whatever else is due has its turn. */
const readsInTurn = 8;
/** Each read leaves some garbage, and the runtime lets tens of megabytes of it come together before it looks. */
const readsBetweenCollections = 4000;
/** Up to so many pipes, to read each is no more work than to ask which one is ready. */
const fewReaders = 4;
/** Beyond so many, they are not asked more often than every few milliseconds, in which no pipe gets full. */
const manyReaders = 64;
const pauseOfManyMs = 5;
const O_RDWR = 2;
const POLLIN = 1;
/** SIGIO tells at once; this is how often is looked besides, should one get lost. */
const pollMs = 1000;

/** What becomes of the bytes. */
export interface PipeListener {
  /**
   * @param bytes valid during the call alone
   * @returns false to be given nothing more until {@link PipeReader.resume}
   */
  onBytes(bytes: Uint8Array, from: PipeReader): boolean;
  /** All that was in the pipe has been given; there may come more. */
  onEmpty?(of: PipeReader): void;
  /** All writers are gone, and all that they wrote has been given. */
  onEnd(of: PipeReader): void;
}

/** One memory for all pipes: what is read is given away at once. */
let shared: Uint8Array | undefined;
/** The beginning of it, as long as what was read last: to make one for each read is garbage by the megabyte. */
let given: Uint8Array = new Uint8Array();
let reads = 0;
const readers = new Set<PipeReader>();
let poll: Timer | undefined;
const onReady = new Set<() => void>();
let isListening = false;

function readAll(): void {
  if (readers.size > fewReaders) readReady();
  else for (const reader of readers) reader.readInTurn();
}

/** The same pipes in a row, and a struct pollfd for each: its descriptor, and in two halves what is asked and answered. */
const row: PipeReader[] = [];
let questions = new Int32Array(64);

function addToRow(reader: PipeReader): void {
  if (questions.length < (row.length + 1) * 2) {
    const larger = new Int32Array(questions.length * 2);
    larger.set(questions);
    questions = larger;
  }
  reader.place = row.length;
  questions[row.length * 2] = reader.fd;
  row.push(reader);
}

function takeFromRow({ place }: PipeReader): void {
  const last = row.pop();
  if (last === undefined || last.place === place) return;
  last.place = place;
  row[place] = last;
  questions[place * 2] = last.fd;
}

function readReady(): void {
  for (let place = 0; place < row.length; place++) questions[place * 2 + 1] = POLLIN;
  if ((pipeLibc()?.poll(questions, row.length, 0) ?? 0) <= 0) return;
  const ready: PipeReader[] = [];
  for (let place = 0; place < row.length; place++) {
    const reader = row[place];
    if ((questions[place * 2 + 1] ?? 0) >>> 16 !== 0 && reader !== undefined) ready.push(reader);
  }
  for (const reader of ready) reader.readInTurn();
}

let isSweepDue = false;

/** Each job that writes or ends sends a signal: a thousand of them shall not ask a thousand pipes a thousand times. */
function onSignal(): void {
  const count = readers.size + onReady.size;
  if (count <= fewReaders) sweep();
  else if (!isSweepDue) {
    isSweepDue = true;
    if (count <= manyReaders) setImmediate(sweep);
    else setTimeout(sweep, pauseOfManyMs);
  }
}

function sweep(): void {
  isSweepDue = false;
  readAll();
  for (const call of [...onReady]) call(); // one of them may ask to be called again
}

/**
 * Has a call made when a descriptor that was given to {@link askForSignals} may have become ready.
 * @returns ends that
 */
export function whenReady(call: () => void): () => void {
  onReady.add(call);
  return () => onReady.delete(call);
}

/**
 * Has the kernel tell when a descriptor's file gets ready, or no longer. The descriptor must be the only one of its open
 * file description, which becomes non-blocking.
 */
export function askForSignals(fd: number, isWanted: boolean): void {
  if (!isListening) {
    isListening = true;
    // For ever: by default the signal ends a process, and one may be on its way when nobody needs it any more.
    process.on("SIGIO", onSignal);
  }
  const c = pipeLibc();
  if (isWanted) c?.fcntl(fd, F_SETOWN, process.pid);
  c?.fcntl(fd, F_SETFL, isWanted ? O_NONBLOCK | O_ASYNC : O_NONBLOCK);
}

/**
 * What becomes of those who write when this process is gone. `gone`: SIGPIPE, as for any pipe without a reader. `waits`:
 * they hold a reading end themselves, and so are halted, once the pipe is full, until somebody reads on. Such a pipe must
 * be read as long as anybody has it: {@link PipeReader.discard}.
 */
export type WithoutReader = "gone" | "waits";

/** A pipe that others hold. */
export interface FoundPipe {
  /** Of a descriptor of one of them, below /proc. */
  readonly path: string;
  readonly inode: number;
}

/** A pipe whose reading end is this process's. */
export class PipeReader {
  /** For the job; to be closed here as soon as the job has it. -1 where somebody has it already. */
  readonly writeFd: number;
  /** How many bytes the pipe holds. */
  readonly capacity: number;
  /** The reading end; for who wants to know which pipe it is. */
  readonly fd: number;
  /** Where it stands among all of them; theirs alone. */
  place = 0;
  private listener: PipeListener;
  private isPaused = false;
  private isScheduled = false;
  /** While it is read nobody needs to be told: a job that writes single bytes would send a signal for each. */
  private isSignalled = true;

  private constructor(fd: number, writeFd: number, capacity: number, listener: PipeListener) {
    this.fd = fd;
    this.writeFd = writeFd;
    this.capacity = capacity;
    this.listener = listener;
  }

  /** @returns why the system refused; ENOSYS where no C function can be called */
  static open(listener: PipeListener, withoutReader: WithoutReader = "gone"): PipeReader | SystemError {
    const c = pipeLibc();
    if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
    const ends = new Int32Array(2);
    if (c.pipe2(ends, O_CLOEXEC) !== 0) return systemError(errno());
    const [fd = -1, writeFd = -1] = ends;
    c.fcntl(fd, F_SETPIPE_SZ, pipeSize); // Refused: then the usual size does.
    if (withoutReader === "gone") return PipeReader.add(fd, writeFd, listener);
    const bothEndsFd = libc()?.open(cString(`/proc/self/fd/${writeFd}`), O_RDWR | O_CLOEXEC, 0) ?? -1;
    const error = errno();
    closeFd(writeFd);
    if (bothEndsFd >= 0) return PipeReader.add(fd, bothEndsFd, listener);
    closeFd(fd);
    return systemError(error);
  }

  /** Reads on from a pipe whose reader has gone, and that others hold. */
  static attach({ path, inode }: FoundPipe, listener: PipeListener): PipeReader | SystemError {
    const c = libc();
    if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
    const fd = c.open(cString(path), O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0) return systemError(errno());
    if (inodeOfPipe(fd) === inode) return PipeReader.add(fd, -1, listener);
    closeFd(fd);
    return { code: "ESTALE", text: "its pipe is another one by now" };
  }

  private static add(fd: number, writeFd: number, listener: PipeListener): PipeReader {
    if (readers.size === 0) poll = setInterval(readAll, pollMs);
    const capacity = pipeLibc()?.fcntl(fd, F_GETPIPE_SZ, 0) ?? 0;
    const reader = new PipeReader(fd, writeFd, capacity, listener);
    readers.add(reader);
    addToRow(reader);
    askForSignals(fd, true);
    return reader;
  }

  /** As {@link read}, but for one that has its turn to come: a signal for each write must not give it many in a row. */
  readInTurn(): void {
    if (!this.isScheduled) this.read();
  }

  /** Gives what is there; of more than fits in the pipe, the rest later. */
  read(): void {
    const c = pipeLibc();
    shared ??= new Uint8Array(bufferSize);
    let turn = 0;
    while (c !== undefined && !this.isPaused && readers.has(this)) {
      const count = Number(c.read(this.fd, shared, shared.length));
      if (count > 0) {
        reads += 1;
        if (reads % readsBetweenCollections === 0) Bun.gc(true);
        if (given.length !== count) given = shared.subarray(0, count);
        if (!this.listener.onBytes(given, this)) this.isPaused = true;
        turn += 1;
        if (turn === readsInTurn) {
          this.readLater();
          return;
        }
        if (readers.has(this)) this.signal(false);
        continue;
      }
      const error = count < 0 ? errno() : 0;
      if (error === EINTR) continue;
      if (error !== EAGAIN) {
        this.end();
        return;
      }
      if (this.isSignalled) {
        this.listener.onEmpty?.(this);
        return;
      }
      this.signal(true); // and then look again, for what came before that
    }
  }

  /** Gives nothing until {@link resume}. */
  pause(): void {
    this.isPaused = true;
  }

  /** After a pause: goes on. */
  resume(): void {
    this.isPaused = false;
    this.read();
  }

  /** Reads on until all writers are gone, and gives nothing any more to anybody. */
  discard(): void {
    this.listener = { onBytes: () => true, onEnd: () => {} };
    this.resume();
  }

  /** Stops reading; who writes from now on gets SIGPIPE. Does nothing the second time. */
  close(): void {
    if (!readers.delete(this)) return;
    takeFromRow(this);
    closeFd(this.fd);
    if (readers.size === 0) clearInterval(poll);
  }

  private readLater(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.read();
    });
  }

  private signal(isWanted: boolean): void {
    if (this.isSignalled === isWanted) return;
    this.isSignalled = isWanted;
    askForSignals(this.fd, isWanted);
  }

  private end(): void {
    this.close();
    this.listener.onEnd(this);
  }
}

/**
 * Which pipe that is: its inode, the same for all who have it, and no other pipe's while anybody does.
 * @param of a descriptor of this process, or the path of one below /proc
 * @returns undefined where it is no pipe, or can't be seen
 */
export function inodeOfPipe(of: number | string): number | undefined {
  const fs = process.getBuiltinModule("node:fs");
  try {
    // Not what the link leads to: that may be a file of a server that does not answer.
    const link = fs.readlinkSync(typeof of === "number" ? `/proc/self/fd/${of}` : of);
    const [, inode] = /^pipe:\[(\d+)\]$/.exec(link) ?? [];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined; // closed, or its process has gone: that is the answer
  }
}

/** Closes a descriptor that this process opened. */
export function closeFd(fd: number): void {
  libc()?.close(fd);
}

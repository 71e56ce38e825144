/**
 * The pipe through which a job's output comes: a real pipe, so that `/dev/stdout` can be opened by the job, read without
 * ever waiting.
 *
 * The kernel tells by SIGIO that there is something to read: the runtime's own streams take twice the memory and half
 * the speed (docs/decisions/output.md), and to look at intervals would wake a sleeping machine.
 */
import { errno, libc, O_CLOEXEC, O_NONBLOCK, pipeLibc, type SystemError, systemError } from "./libc.ts";

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
  for (const reader of readers) reader.read();
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
    process.on("SIGIO", () => {
      readAll();
      for (const call of onReady) call();
    });
  }
  const c = pipeLibc();
  if (isWanted) c?.fcntl(fd, F_SETOWN, process.pid);
  c?.fcntl(fd, F_SETFL, isWanted ? O_NONBLOCK | O_ASYNC : O_NONBLOCK);
}

/** A pipe whose reading end is this process's. */
export class PipeReader {
  /** For the job; to be closed here as soon as the job has it. */
  readonly writeFd: number;
  /** How many bytes the pipe holds. */
  readonly capacity: number;
  private readonly fd: number;
  private readonly listener: PipeListener;
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
  static open(listener: PipeListener): PipeReader | SystemError {
    const c = pipeLibc();
    if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
    const ends = new Int32Array(2);
    if (c.pipe2(ends, O_CLOEXEC) !== 0) return systemError(errno());
    const [fd = -1, writeFd = -1] = ends;
    c.fcntl(fd, F_SETPIPE_SZ, pipeSize); // Refused: then the usual size does.
    if (readers.size === 0) poll = setInterval(readAll, pollMs);
    const reader = new PipeReader(fd, writeFd, c.fcntl(fd, F_GETPIPE_SZ, 0), listener);
    readers.add(reader);
    askForSignals(fd, true);
    return reader;
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

  /** Stops reading; who writes from now on gets SIGPIPE. Does nothing the second time. */
  close(): void {
    if (!readers.delete(this)) return;
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

/** Closes a descriptor that this process opened. */
export function closeFd(fd: number): void {
  libc()?.close(fd);
}

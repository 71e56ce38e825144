/**
 * The C library's calls that the runtime does not offer, or offers at a price that the hot path can't pay.
 *
 * `node:fs` alone costs a third of an empty start (docs/decisions/runtime.md), one `dlopen` here a twentieth. Where
 * memory must not be executable or the address space is limited, the runtime has no way to call C: then `libc()`
 * is undefined, and each caller says what it does without.
 *
 * The calls come in sets, so that a passive machine does not pay for what only a running job needs.
 */
import type * as ffi from "bun:ffi";
import { encodeWord, isRaw } from "../model/raw-text.ts";

/**
 * The native part of `bun:ffi`, without its module: to import that costs as much as all that is done here with it
 * (docs/decisions/syslog.md). It returns errors where the module throws them.
 */
const native = (Bun as unknown as { FFI: typeof ffi }).FFI; // the runtime's types leave it out

/** An address. */
export type Pointer = ffi.Pointer;
/** The address of a typed array's memory, for as long as the array lives. */
export const addressOf = native.ptr;

/** Opens libc. @throws {Error} where the runtime can't call C */
function openLibc<Calls extends Record<string, ffi.FFIFunction>>(calls: Calls) {
  const library = native.dlopen("libc.so.6", calls);
  if (Error.isError(library)) throw library;
  return library.symbols;
}

const i16 = "i16";
const i32 = "i32";
const i64 = "i64";
const u64 = "u64";
const u32 = "u32";
const ptr = "ptr";

function openBasic() {
  return openLibc({
    open: { args: [ptr, i32, i32], returns: i32 },
    pread: { args: [i32, ptr, u64, i64], returns: i64 },
    close: { args: [i32], returns: i32 },
    socket: { args: [i32, i32, i32], returns: i32 },
    connect: { args: [i32, ptr, u32], returns: i32 },
    send: { args: [i32, ptr, u64, i32], returns: i64 },
    localtime_r: { args: [ptr, ptr], returns: ptr },
    __errno_location: { args: [], returns: ptr },
  });
}

function openWait() {
  return openLibc({
    setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
    fcntl: { args: [i32, i32, i32], returns: i32 },
  });
}

function openWitness() {
  return openLibc({
    recv: { args: [i32, ptr, u64, i32], returns: i64 },
  });
}

function openLock() {
  return openLibc({
    flock: { args: [i32, i32], returns: i32 },
    pwrite: { args: [i32, ptr, u64, i64], returns: i64 },
    ftruncate: { args: [i32, i64], returns: i32 },
    clock_gettime: { args: [i32, ptr], returns: i32 },
  });
}

function openPipe() {
  return openLibc({
    pipe2: { args: [ptr, i32], returns: i32 },
    read: { args: [i32, ptr, u64], returns: i64 },
    write: { args: [i32, ptr, u64], returns: i64 },
    poll: { args: [ptr, u64, i32], returns: i32 },
    lseek: { args: [i32, i64, i32], returns: i64 },
    fcntl: { args: [i32, i32, i32], returns: i32 },
  });
}

function openUsers() {
  return openLibc({
    getpwnam: { args: [ptr], returns: ptr },
    getpwuid: { args: [u32], returns: ptr },
  });
}

function openGroups() {
  return openLibc({
    getgrnam: { args: [ptr], returns: ptr },
    getgrgid: { args: [u32], returns: ptr },
  });
}

function openJournal() {
  return openLibc({
    write: { args: [i32, ptr, u64], returns: i64 },
    lseek: { args: [i32, i64, i32], returns: i64 },
  });
}

function openClock() {
  return openLibc({
    adjtimex: { args: [ptr], returns: i32 },
  });
}

function openPeer() {
  return openLibc({
    getsockopt: { args: [i32, i32, i32, ptr, ptr], returns: i32 },
  });
}

function openPass() {
  return openLibc({
    sendmsg: { args: [i32, ptr, i32], returns: i64 },
  });
}

function openLaunch() {
  return openLibc({
    setpriority: { args: [i32, u32, i32], returns: i32 },
    opendir: { args: [ptr], returns: ptr },
    readdir: { args: [ptr], returns: ptr },
    closedir: { args: [ptr], returns: i32 },
    readlink: { args: [ptr, ptr, u64], returns: i64 },
    fcntl: { args: [i32, i32, i32], returns: i32 },
  });
}

function openExact() {
  return openLibc({
    posix_spawn: { args: [ptr, ptr, ptr, ptr, ptr, ptr], returns: i32 },
    posix_spawnattr_init: { args: [ptr], returns: i32 },
    posix_spawnattr_setflags: { args: [ptr, i16], returns: i32 },
    posix_spawnattr_setsigdefault: { args: [ptr, ptr], returns: i32 },
    posix_spawn_file_actions_init: { args: [ptr], returns: i32 },
    posix_spawn_file_actions_adddup2: { args: [ptr, i32, i32], returns: i32 },
    posix_spawn_file_actions_addchdir_np: { args: [ptr, ptr], returns: i32 },
    posix_spawn_file_actions_destroy: { args: [ptr], returns: i32 },
    posix_spawnattr_setsigmask: { args: [ptr, ptr], returns: i32 },
    waitid: { args: [i32, u32, ptr, i32], returns: i32 },
    wait4: { args: [i32, ptr, i32, ptr], returns: i32 },
  });
}

function openCloseFrom() {
  return openLibc({
    posix_spawn_file_actions_addclosefrom_np: { args: [ptr, i32], returns: i32 },
  });
}

function openHosting() {
  return openLibc({
    prlimit64: { args: [i32, i32, ptr, ptr], returns: i32 },
    syscall: { args: [i64, ptr, u64], returns: i64 },
  });
}

/** Opens a set at its first use; the runtime's refusal is remembered as undefined. */
function once<Calls>(open: () => Calls): () => Calls | undefined {
  let calls: Calls | undefined;
  let tried = false;
  return () => {
    if (tried) return calls;
    tried = true;
    try {
      calls = open();
    } catch {
      // No executable memory, or no glibc: "no libc" is an answer that every caller handles.
    }
    return calls;
  };
}

/** Files, sockets and local time: what every run needs. */
export const libc = once(openBasic);
/** What a last wait for the log needs. */
export const waitLibc = once(openWait);
/** What asking the kernel for an address needs. */
export const witnessLibc = once(openWitness);
/** What a lock needs, and the order of those who want it. */
export const lockLibc = once(openLock);
/** What copying a job's output needs. */
export const pipeLibc = once(openPipe);
/** What looking up a user needs, wherever the machine keeps its users. */
export const usersLibc = once(openUsers);
/** What looking up a group needs. */
export const groupsLibc = once(openGroups);
/** What adding a line to the record needs. */
export const journalLibc = once(openJournal);
/** What asking after the clock's keeper needs. */
export const clockLibc = once(openClock);
/** What asking who is at the other end of a socket needs. */
export const peerLibc = once(openPeer);
/** What handing over a descriptor needs. */
export const passLibc = once(openPass);
/** What starting a job needs besides. */
export const launchLibc = once(openLaunch);
/** What starting a job needs where the runtime's own spawn would change something (execute/exact-spawn.ts). */
export const exactLibc = once(openExact);
/** What leaves a started program no descriptor but its standard streams; glibc has it since 2.34. */
export const closeFromLibc = once(openCloseFrom);
/** What a process that runs many jobs needs besides: the limits of others, and files without a name or a folder. */
export const hostingLibc = once(openHosting);

/** The calling thread's errno; to be read at once after the call that failed. */
export function errno(): number {
  const location = libc()?.__errno_location();
  return location ? native.read.i32(location, 0) : 0;
}

/*
 * Flags of open(2), as Linux has them on x86-64 and arm64.
 */
export const O_NOCTTY = 0o400;
export const O_NONBLOCK = 0o4000;
/** The one that is another number on arm64. */
export const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;
export const O_CLOEXEC = 0o2000000;

const encoder = new TextEncoder();

/**
 * One block of memory for what goes to C and comes from it, because each block of a size not used before costs the hot
 * path several page faults. What is in it lasts until the next function that says it uses it.
 */
export const scratch = new Uint8Array(16 * 1024);
/** The same memory as 32-bit integers. */
export const scratchInts = new Int32Array(scratch.buffer);

/** Puts a string and a NUL into the scratch memory, or into memory of its own where it is too long for that. */
export function scratchString(text: string): Uint8Array<ArrayBuffer> {
  if (text.length * 3 >= scratch.length || isRaw(text)) return cString(text);
  scratch[encoder.encodeInto(text, scratch).written] = 0;
  return scratch;
}

/** A string as C wants it: its bytes with a NUL at their end. Nothing in `text` may be NUL. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encodeWord(`${text}\0`);
}

/** The text of the NUL-terminated string that begins `offset` bytes behind `address`. */
export function fromCString(address: Pointer | bigint, offset = 0): string {
  // A pointer is a branded number; adding to one loses the brand.
  return new native.CString(Number(address) as Pointer, offset).toString();
}

/** The 32-bit number, or the address, that stands `offset` bytes behind an address. */
export function readU32(address: Pointer | bigint, offset: number): number {
  return native.read.u32(Number(address) as Pointer, offset);
}

/** As {@link readU32}; 0 for none. */
export function readPointer(address: Pointer | bigint, offset: number): number {
  return native.read.ptr(Number(address) as Pointer, offset);
}

/** Linux's error numbers (the same on x86-64 and arm64) that opening, reading and spawning give. */
const errors: Readonly<Record<number, readonly [code: string, text: string]>> = {
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such file or directory"],
  5: ["EIO", "input/output error"],
  6: ["ENXIO", "no such device or address"],
  7: ["E2BIG", "argument list too long"],
  8: ["ENOEXEC", "exec format error"],
  11: ["EAGAIN", "resource temporarily unavailable"],
  12: ["ENOMEM", "not enough memory"],
  13: ["EACCES", "permission denied"],
  17: ["EEXIST", "a file of that name is in the way"],
  20: ["ENOTDIR", "not a directory"],
  21: ["EISDIR", "is a directory"],
  23: ["ENFILE", "too many open files on the machine"],
  24: ["EMFILE", "too many open files"],
  26: ["ETXTBSY", "text file busy"],
  28: ["ENOSPC", "no space left on device"],
  29: ["ESPIPE", "not a regular file"],
  30: ["EROFS", "read-only file system"],
  32: ["EPIPE", "nobody reads any more"],
  36: ["ENAMETOOLONG", "file name too long"],
  40: ["ELOOP", "too many levels of symbolic links"],
  116: ["ESTALE", "stale file handle"],
  122: ["EDQUOT", "disk quota exceeded"],
};

/** Why the system refused. */
export interface SystemError {
  /** `ENOENT` and the like. */
  readonly code: string;
  /** In words, lower case. */
  readonly text: string;
}

/** The name and the words of an error number. */
export function systemError(number: number): SystemError {
  const [code, text] = errors[number] ?? [`E${number}`, `error ${number}`];
  return { code, text };
}

/** The name and the words of an error that the runtime threw. */
export function thrownSystemError(error: unknown): SystemError {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EUNKNOWN";
  const known = Object.values(errors).find(([name]) => name === code);
  return { code, text: known?.[1] ?? (error instanceof Error ? error.message : String(error)) };
}

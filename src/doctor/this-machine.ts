/**
 * The machine that this runs on, behind the interface of the checks.
 */
import { whereIs } from "../system/addresses.ts";
import { clockState } from "../system/clock.ts";
import { readFileStart } from "../system/files.ts";
import {
  errno,
  libc,
  type SystemError,
  scratchString,
  systemError,
  thrownSystemError,
} from "../system/libc.ts";
import { lifeOf } from "../system/other-processes.ts";
import type { Account, FileFacts, Machine, RunningProcess } from "./machine.ts";

/** A program that is asked for its version, or for an account, must answer in this time. */
const answerLimitMs = 3000;

/** This machine, as it is now. */
export function thisMachine(): Machine {
  let processes: readonly RunningProcess[] | undefined;
  let accounts: readonly Account[] | undefined;
  return {
    uid: process.getuid?.() ?? -1,
    nowMs: Date.now(),
    ownPath: ownPath(),
    read: readFileStart,
    stat: (path) => tried(() => factsOf(process.getBuiltinModule("node:fs").statSync(path))),
    lstat: (path) => tried(() => factsOf(process.getBuiltinModule("node:fs").lstatSync(path))),
    realPath: (path) => tried(() => process.getBuiltinModule("node:fs").realpathSync(path)),
    list: (folder) => tried(() => process.getBuiltinModule("node:fs").readdirSync(folder).sort()),
    processes: () => {
      processes ??= readProcesses();
      return processes;
    },
    lifeOf,
    account: (who) => {
      accounts ??= parseAccounts(textOf("/etc/passwd", 1024 * 1024));
      const isIt = ({ name, uid }: Account) => name === who || uid === who;
      // Accounts of LDAP and the like are not in the file.
      return accounts.find(isIt) ?? parseAccounts(said(["getent", "passwd", String(who)])).find(isIt);
    },
    whereIs,
    connectLog,
    clock: clockState,
    versionOf: (program) => said([program, "--version"]).split("\n", 1)[0]?.trim() || undefined,
  };
}

function ownPath(): string | undefined {
  const path = tried(() => process.getBuiltinModule("node:fs").readlinkSync("/proc/self/exe"));
  return typeof path === "string" ? path : undefined;
}

function tried<Answer>(ask: () => Answer): Answer | SystemError {
  try {
    return ask();
  } catch (error) {
    return thrownSystemError(error);
  }
}

function factsOf(stat: import("node:fs").Stats): FileFacts {
  const kind = stat.isFile()
    ? "file"
    : stat.isDirectory()
      ? "folder"
      : stat.isSymbolicLink()
        ? "link"
        : stat.isSocket()
          ? "socket"
          : "other";
  const { uid, gid, mode, mtimeMs, dev, ino } = stat;
  return { kind, uid, gid, mode: mode & 0o7777, modifiedAtMs: mtimeMs, id: `${dev}:${ino}` };
}

const decoder = new TextDecoder();

/** @returns empty where the file can't be read */
function textOf(path: string, limit: number): string {
  const start = readFileStart(path, limit);
  return start.error === undefined ? decoder.decode(start.bytes) : "";
}

/** What a program says on either stream; empty where it can't be run. */
function said(words: string[]): string {
  try {
    const done = Bun.spawnSync(words, {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: answerLimitMs,
      maxBuffer: 64 * 1024,
    });
    return done.stdout.toString() || done.stderr.toString();
  } catch {
    return ""; // No such program: it says nothing.
  }
}

function parseAccounts(text: string): Account[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    if (!name || !uid || !gid || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

function readProcesses(): RunningProcess[] {
  const fs = process.getBuiltinModule("node:fs");
  const room = (pid: string) => tried(() => fs.readlinkSync(`/proc/${pid}/ns/pid`));
  const own = room("self");
  const names = tried(() => fs.readdirSync("/proc"));
  if (!Array.isArray(names)) return [];
  return names.flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = textOf(`/proc/${name}/stat`, 2048);
    const close = stat.lastIndexOf(")");
    if (close < 0) return [];
    // A container's processes are seen from outside it, but they serve another machine's files.
    const theirs = room(name);
    if (typeof theirs === "string" && typeof own === "string" && theirs !== own) return [];
    const [state = "", parent, ...fields] = stat.slice(close + 2).split(" ");
    const words = textOf(`/proc/${name}/cmdline`, 16_384).split("\0");
    return [
      {
        pid: Number(name),
        parentPid: Number(parent),
        name: stat.slice(stat.indexOf("(") + 1, close),
        words: words.at(-1) === "" ? words.slice(0, -1) : words,
        state,
        startTicks: Number(fields[17]),
      },
    ];
  });
}

const AF_UNIX = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const EPROTOTYPE = 91;
const EAGAIN = 11;

/** Connects as a program that logs does, and closes: a daemon sees nothing of it. */
function connectLog(): "reached" | SystemError {
  const c = libc();
  if (c === undefined) return { code: "EUNKNOWN", text: "the runtime can't call C here" };
  const path = "/dev/log";
  let error = 0;
  for (const type of [2, 1]) {
    // SOCK_DGRAM, and SOCK_STREAM where the daemon has that
    const fd = c.socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return systemError(errno());
    // struct sockaddr_un: AF_UNIX in this machine's byte order
    const isConnected = c.connect(fd, scratchString(`\u0001\0${path}`), 2 + path.length + 1) === 0;
    error = isConnected ? 0 : errno();
    c.close(fd);
    // A stream that is busy is there.
    if (error === 0 || error === EAGAIN) return "reached";
    if (error !== EPROTOTYPE) break;
  }
  const ECONNREFUSED = 111;
  return error === ECONNREFUSED ? { code: "ECONNREFUSED", text: "nobody reads it" } : systemError(error);
}

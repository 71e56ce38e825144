/**
 * Starting the sender: this very program once more, in a session of its own, so that nobody waits for it and no end of ours,
 * or of our terminal, is its end.
 *
 * Where two hundred jobs fail in one second, one sender is enough. Who starts it locks `.starting` in the outbox and hands the
 * locked descriptor on; the sender gives it up before its first look into the outbox. So whoever finds it locked can rely
 * on being seen, if only what it has to send was there before.
 */
import { Problem } from "../model/problem.ts";
import { lockLibc, O_CLOEXEC, thrownSystemError } from "../system/libc.ts";
import type { Item } from "./outbox.ts";

/** What is handed on standard input fits a pipe as Linux makes it (64 KiB), so that writing it never waits. */
export const handedLimit = 60_000;

/** The descriptor on which a sender has the lock of its start. */
const startFd = 3;
const LOCK_EX_NB = 2 | 4;

/** What the sender is told. */
export interface SenderStart {
  readonly folder: string | undefined;
  readonly confPath: string | undefined;
  /** What could not be put into the outbox; at most {@link handedLimit} bytes as JSON. */
  readonly handed: readonly Item[];
}

/**
 * Starts a sender and returns at once; starts none where one is just starting that will find all there is.
 * @param program the executable and what stands before its options
 * @throws {Problem} `internal` where no process can be started
 */
export function startSender(
  { folder, confPath, handed }: SenderStart,
  program: readonly string[] = ["/proc/self/exe", "--as", "rcronctl"],
): void {
  const words = [
    ...program,
    "mail",
    "send",
    "--quiet",
    ...(folder === undefined ? [] : ["--history", folder]),
    // The sender begins in another folder.
    ...(confPath === undefined ? [] : ["--conf", process.getBuiltinModule("node:path").resolve(confPath)]),
    ...(handed.length === 0 ? [] : ["-"]),
  ];
  const lock = folder === undefined ? undefined : lockStart(folder);
  if (lock === "busy" && handed.length === 0) return;
  const lockFd = typeof lock === "number" ? lock : undefined;
  // Whoever set it for the job did not mean our mail.
  const { NODE_TLS_REJECT_UNAUTHORIZED: _, ...env } = process.env;
  try {
    const child = Bun.spawn(words, {
      cwd: "/",
      env,
      stdio: [
        handed.length === 0 ? "ignore" : Buffer.from(JSON.stringify(handed)),
        "ignore",
        "ignore",
        ...(lockFd === undefined ? [] : [lockFd]),
      ],
      detached: true,
    });
    child.unref();
  } catch (error) {
    const rule = `no process could be started to send mail: ${thrownSystemError(error).text}`;
    throw new Problem("internal", rule, { cause: error });
  } finally {
    if (lockFd !== undefined) process.getBuiltinModule("node:fs").closeSync(lockFd);
  }
}

/** The sender's part: gives up the lock of its start, if it has it. To be called before the first look into the outbox. */
export function confirmStart(): void {
  const fs = process.getBuiltinModule("node:fs");
  try {
    if (fs.readlinkSync(`/proc/self/fd/${startFd}`).endsWith("/outbox/.starting")) fs.closeSync(startFd);
  } catch {
    // No such descriptor: a person has started this sender.
  }
}

/** @returns the locked descriptor, or undefined where there can be none: then one sender too many does no harm */
function lockStart(folder: string): number | "busy" | undefined {
  const fs = process.getBuiltinModule("node:fs");
  const c = lockLibc();
  if (c === undefined) return undefined;
  const { O_CREAT, O_NOFOLLOW, O_RDWR } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(`${folder}/outbox/.starting`, O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0o600);
  } catch {
    return undefined; // No outbox, or a read-only one.
  }
  if (c.flock(fd, LOCK_EX_NB) === 0) return fd;
  fs.closeSync(fd);
  return "busy";
}

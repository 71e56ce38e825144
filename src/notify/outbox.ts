/**
 * The outbox: a folder with one file for each mail, ping, webhook or chat message that is still to be sent.
 *
 * A file is written whole or not at all, and removed only when what it holds was accepted: a power cut or a kill loses
 * nothing, and can at worst send the one item twice that was on its way.
 */
import { Problem } from "../model/problem.ts";
import { readFileStart, writeFileAtomically } from "../system/files.ts";
import { lockLibc, thrownSystemError } from "../system/libc.ts";
import { type Lock, takeLock } from "../system/lock.ts";
import { formatItemName, type ItemKind, type ItemName, parseItemName } from "./due-items.ts";
import type { Audience } from "./streaks.ts";

/** One mail to one address, one ping, one webhook, or one chat message. */
export type Item = MailItem | PingItem | PostItem;

interface WaitingItem {
  /** Twelve hexadecimal digits; that of a mail held back by a pause begins with `p`. */
  readonly id: string;
  readonly createdMs: number;
  /** When it is to be tried. */
  readonly dueMs: number;
  /** From here on it is given up. */
  readonly expiresMs: number;
  /** How often it was tried in vain. */
  readonly attempts: number;
  readonly lastError?: string | undefined;
  readonly job: string;
  readonly run: string;
}

/** A mail as it goes out. */
export interface MailItem extends WaitingItem {
  readonly kind: "mail";
  /** The sender's address; undefined: the mail program's own choice. */
  readonly from: string | undefined;
  readonly to: string;
  /** All of it, in ASCII, lines ending in `\n`. */
  readonly text: string;
  readonly pause?: PauseAfter | undefined;
}

/** The pause that begins when an item has gone out. */
export interface PauseAfter {
  readonly name: string;
  readonly audience: Audience;
  readonly everyMs: number;
}

/** The ping of a run's end. */
export interface PingItem extends WaitingItem {
  readonly kind: "ping";
  readonly url: string;
  readonly body: string;
}

/** A JSON document about a run's end, for a webhook or in the form that Slack's have. */
export interface PostItem extends WaitingItem {
  readonly kind: "webhook" | "slack";
  readonly url: string;
  readonly body: string;
  /** Only with `slack`. */
  readonly pause?: PauseAfter | undefined;
}

/** How long an item is tried. */
export const keepMs: Readonly<Record<ItemKind, number>> = {
  mail: 3 * 86_400_000,
  ping: 600_000,
  webhook: 86_400_000,
  slack: 86_400_000,
};
/** No more items than this are kept. */
export const itemLimit = 1000;
const itemSizeLimit = 2 * 1024 * 1024;
const leftoverMs = 86_400_000;

/** An id that nobody else has. */
export function newItemId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 12);
}

/** What waits, the oldest first. Empty where there is no outbox. */
export function listOutbox(folder: string): ItemName[] {
  const fs = process.getBuiltinModule("node:fs");
  let files: string[];
  try {
    files = fs.readdirSync(outboxOf(folder));
  } catch {
    return []; // No outbox: nothing waits.
  }
  const names = files.map(parseItemName).filter((name) => name !== undefined);
  return names.sort((a, b) => a.createdMs - b.createdMs || a.dueMs - b.dueMs);
}

/**
 * Puts an item into the outbox, which is made if it is missing, for its owner alone. An item of the same id is replaced.
 * @param present what {@link listOutbox} found
 * @returns how many of the oldest items were dropped to make room
 * @throws {Problem} `denied` or `internal`; then it is not there
 */
export async function putItem(folder: string, item: Item, present: readonly ItemName[]): Promise<number> {
  makeOutbox(folder);
  await writeFileAtomically(pathOf(folder, item), JSON.stringify(item), 0o600);
  const twins = present.filter(
    (name) => name.id === item.id && formatItemName(name) !== formatItemName(item),
  );
  for (const twin of twins) removeItem(folder, twin);
  const others = present.filter(({ id }) => id !== item.id);
  const surplus = others.slice(0, Math.max(0, others.length + 1 - itemLimit));
  for (const old of surplus) removeItem(folder, old);
  return surplus.length;
}

/** @returns the item, or undefined where it is gone or makes no sense */
export function readItem(folder: string, name: ItemName): Item | undefined {
  const file = readFileStart(pathOf(folder, name), itemSizeLimit);
  if (file.error !== undefined || !file.isWhole) return undefined;
  return parseItem(new TextDecoder().decode(file.bytes));
}

/** Pure and total. */
export function parseItem(text: string): Item | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // Torn or foreign: that is the answer.
  }
  if (typeof value !== "object" || value === null) return undefined;
  const item = value as Partial<Record<string, unknown>>; // each key is proved below
  const areTexts = (...keys: string[]) => keys.every((key) => typeof item[key] === "string");
  const areNumbers = (...keys: string[]) => keys.every((key) => Number.isSafeInteger(item[key]));
  if (!areTexts("id", "job", "run") || !areNumbers("createdMs", "dueMs", "expiresMs", "attempts"))
    return undefined;
  if (!/^[0-9a-z]{1,40}$/.test(String(item["id"]))) return undefined;
  const isMail = item["kind"] === "mail" && areTexts("to", "text");
  const isPost = ["ping", "webhook", "slack"].includes(String(item["kind"])) && areTexts("url", "body");
  return isMail || isPost ? (value as Item) : undefined; // proved so far as it is used
}

/** Removes an item; one that is gone already is no error. */
export function removeItem(folder: string, name: ItemName): void {
  process.getBuiltinModule("node:fs").rmSync(pathOf(folder, name), { force: true });
}

/**
 * Takes the right to send. The kernel gives it back when its holder ends.
 * @returns `busy` where another process has it; undefined where there can be no lock, and one must do without
 */
export async function lockOutbox(folder: string, waitMs = 0): Promise<Lock | "busy" | undefined> {
  if (lockLibc() === undefined) return undefined;
  const fs = process.getBuiltinModule("node:fs");
  const path = `${outboxOf(folder)}/.lock`;
  const lock = await takeLock(path, waitMs);
  if (typeof lock !== "string") return lock;
  // A lock that can't be opened (a read-only folder) is nobody's.
  try {
    fs.accessSync(path, fs.constants.W_OK);
    return "busy";
  } catch {
    return undefined;
  }
}

/** Removes what a writer that was killed has left half written. */
export function removeLeftovers(folder: string, nowMs: number): void {
  const fs = process.getBuiltinModule("node:fs");
  try {
    for (const file of fs.readdirSync(outboxOf(folder))) {
      if (!file.startsWith(".") || file === ".lock" || file === ".starting") continue;
      const path = `${outboxOf(folder)}/${file}`;
      if (nowMs - fs.lstatSync(path).mtimeMs > leftoverMs) fs.rmSync(path, { force: true });
    }
  } catch {
    // Gone meanwhile, or not for us to remove: the next sender looks again.
  }
}

/** @throws {Problem} `denied` where it is somebody else's, or no folder; `internal` */
function makeOutbox(folder: string): void {
  const fs = process.getBuiltinModule("node:fs");
  const outbox = outboxOf(folder);
  try {
    fs.mkdirSync(outbox, { recursive: true, mode: 0o700 });
    const { mode, uid } = fs.lstatSync(outbox);
    const isFolder = (mode & fs.constants.S_IFMT) === fs.constants.S_IFDIR;
    if (!isFolder || uid !== process.geteuid?.()) {
      throw new Problem("denied", `${outbox} must be a folder of its user: it is not`, {
        hint: `remove ${outbox}; it is made anew`,
      });
    }
    if ((mode & 0o077) !== 0) fs.chmodSync(outbox, 0o700);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("internal", `${outbox} must be writable: ${thrownSystemError(error).text}`, {
      cause: error,
    });
  }
}

function outboxOf(folder: string): string {
  return `${folder}/outbox`;
}

function pathOf(folder: string, name: ItemName): string {
  return `${outboxOf(folder)}/${formatItemName(name)}`;
}

/**
 * The names of the outbox's files, which tell what is due without a look into them:
 * `DUE-CREATED-KIND-ID.json`, both instants in milliseconds since 1970.
 */
import { cString, fromCString, launchLibc } from "../system/libc.ts";

/** What a file's name tells. */
export interface ItemName {
  readonly dueMs: number;
  readonly createdMs: number;
  readonly kind: ItemKind;
  readonly id: string;
}

/** What can wait in the outbox. */
export type ItemKind = (typeof kinds)[number];

const kinds = ["mail", "ping", "webhook", "slack"] as const;

/** An item that was made later than now, by more than this, was made under a clock that has been set back since. */
const aheadLimitMs = 3_600_000;

/** The file's name. */
export function formatItemName({ dueMs, createdMs, kind, id }: ItemName): string {
  return `${dueMs}-${createdMs}-${kind}-${id}.json`;
}

/** @returns undefined for a file that is no item */
export function parseItemName(file: string): ItemName | undefined {
  const [, due, created, kind, id] =
    /^(\d{1,15})-(\d{1,15})-([a-z]{1,20})-([0-9a-z]{1,40})\.json$/.exec(file) ?? [];
  const known = kinds.find((each) => each === kind);
  if (id === undefined || known === undefined) return undefined;
  return { dueMs: Number(due), createdMs: Number(created), kind: known, id };
}

/** True if an item is to be tried now. */
export function isDue({ dueMs, createdMs }: Pick<ItemName, "dueMs" | "createdMs">, nowMs: number): boolean {
  return dueMs <= nowMs || createdMs > nowMs + aheadLimitMs;
}

/**
 * True if something in the outbox is due. One look at a folder; false where there is none.
 * @param folder the history folder
 */
export function hasDueItems(folder: string, nowMs = Date.now()): boolean {
  return filesIn(`${folder}/outbox`).some((file) => {
    const name = parseItemName(file);
    return name !== undefined && isDue(name, nowMs);
  });
}

/** Where a directory entry's name begins, in glibc's struct dirent on 64-bit machines. */
const nameOffset = 19;

/** Through libc, because every supervised run looks, and most load `node:fs` for nothing else. */
function filesIn(folder: string): string[] {
  const c = launchLibc();
  if (c === undefined) return filesWithoutLibc(folder);
  const opened = c.opendir(cString(folder));
  if (!opened) return []; // No outbox: nothing was ever kept for later.
  const files: string[] = [];
  for (let entry = c.readdir(opened); entry; entry = c.readdir(opened)) {
    files.push(fromCString(entry, nameOffset));
  }
  c.closedir(opened);
  return files;
}

function filesWithoutLibc(folder: string): string[] {
  try {
    return process.getBuiltinModule("node:fs").readdirSync(folder);
  } catch {
    return []; // No outbox: nothing was ever kept for later.
  }
}

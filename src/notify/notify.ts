/**
 * Who hears of a run: mail, pings, webhooks and chats.
 *
 * Nothing here delays or fails a job. What is to be sent is put into the outbox, a process of its own is started to send it,
 * and that is all that the run's own process does. This door is light; the rest is loaded when there is something to tell.
 */
import { hasDueItems } from "./due-items.ts";
import type { Item } from "./outbox.ts";
import type { NotifySettings, RunReport } from "./report.ts";
import type { SenderOptions, SenderSettings, Sent } from "./sender.ts";

export { hasDueItems } from "./due-items.ts";
export type { Item } from "./outbox.ts";
export type { KeptOutput, NotifySettings, RunReport } from "./report.ts";
export type { SenderOptions, SenderSettings, Sent } from "./sender.ts";
export type { SenderStart } from "./start-sender.ts";

/** A ping under way. */
export interface StartPing {
  /** Ends it, wherever it is. */
  cancel(): void;
}

/** What tests put in place of the world. */
export interface AnnounceOptions {
  readonly nowMs?: number;
  readonly startSender?: typeof import("./start-sender.ts").startSender;
}

/**
 * Pings a run's start, in this process, without waiting for anything. It has 10 s; what becomes of it is nobody's concern:
 * the end's ping counts.
 * @param url the check's own URL; one that is none is not pinged
 */
export function announceStart(url: string, runId: string): StartPing {
  const cancelled = new AbortController();
  import("./ping.ts")
    .then(({ pingUrl, sendPing }) => {
      const target = pingUrl(url, runId, undefined);
      return target === undefined ? undefined : sendPing(target, "", cancelled.signal);
    })
    .catch(() => {}); // The job comes first.
  return { cancel: () => cancelled.abort() };
}

/** True where the rules name somebody who is told of a run's end. */
export function isAnyoneTold({ pingUrl, webhookUrl, slackUrl, outputs }: RunReport["rules"]): boolean {
  if (pingUrl !== undefined || webhookUrl !== undefined || slackUrl !== undefined) return true;
  return outputs.some(({ sink }) => sink.kind === "mail");
}

/**
 * Tells of a run's end whoever wants to know, and starts a sender if anything in the outbox is due. Never throws.
 * @returns warnings, each a sentence: what can't be sent, or not be kept for later
 */
export async function announceEnd(
  report: RunReport,
  settings: NotifySettings,
  options: AnnounceOptions = {},
): Promise<string[]> {
  try {
    if (isAnyoneTold(report.rules)) {
      return await (await import("./announce.ts")).announce(report, settings, options);
    }
    return await sendWhatIsDue(settings, options);
  } catch (error) {
    return [`nobody is told of the run's end: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/**
 * Starts a sender if something in the outbox is due: what a run without anything to tell does for those that had. Never throws.
 * @returns warnings
 */
export async function sendWhatIsDue(
  { folder, confPath }: Pick<NotifySettings, "folder" | "confPath">,
  { nowMs, startSender }: AnnounceOptions = {},
): Promise<string[]> {
  if (folder === undefined || !hasDueItems(folder, nowMs)) return [];
  try {
    const start = startSender ?? (await import("./start-sender.ts")).startSender;
    start({ folder, confPath, handed: [] });
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** What the sender process does: sends what is due, and what it was handed. Loads what it needs. */
export async function sendItems(settings: SenderSettings, options: SenderOptions): Promise<Sent> {
  return (await import("./sender.ts")).sendItems(settings, options);
}

/** Reads what a sender is handed on standard input. @returns the items that make sense */
export async function parseHanded(text: string): Promise<Item[]> {
  const { parseItem } = await import("./outbox.ts");
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    return []; // Cut off: nothing can be made of it.
  }
  if (!Array.isArray(values)) return [];
  return values.map((value) => parseItem(JSON.stringify(value))).filter((item) => item !== undefined);
}

/** What waits in the outbox, the oldest first. @param folder the history folder */
export async function readOutbox(folder: string): Promise<Item[]> {
  const { listOutbox, readItem } = await import("./outbox.ts");
  return listOutbox(folder)
    .map((name) => readItem(folder, name))
    .filter((item) => item !== undefined);
}

/** Where an item goes, as it may be shown: of a URL nothing behind its host. */
export async function targetOf(item: Item): Promise<string> {
  return item.kind === "mail" ? item.to : (await import("./ping.ts")).pingTarget(item.url);
}

/**
 * Removes items from the outbox.
 * @param id `all`, or the id of one
 * @returns how many
 */
export async function dropItems(folder: string, id: string): Promise<number> {
  const { listOutbox, removeItem } = await import("./outbox.ts");
  const names = listOutbox(folder).filter((name) => id === "all" || name.id === id);
  for (const name of names) removeItem(folder, name);
  return names.length;
}

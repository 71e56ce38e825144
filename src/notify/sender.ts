/**
 * The sender: the one process at a time that takes what is due out of the outbox and tries to send it.
 *
 * It holds the outbox's lock while it works and while it waits for the next item that is soon due. Whoever puts something in
 * and finds the lock held need not start another sender: this one looks once more after it has given the lock back.
 */

import { parseMailThrough } from "../model/mail-through.ts";
import { Problem } from "../model/problem.ts";
import type { Level } from "../model/syslog-names.ts";
import type { Delivery } from "./delivery.ts";
import { formatItemName, type ItemKind, type ItemName, isDue } from "./due-items.ts";
import {
  type Item,
  keepMs,
  listOutbox,
  lockOutbox,
  putItem,
  readItem,
  removeItem,
  removeLeftovers,
} from "./outbox.ts";
import { pingTarget, sendPing } from "./ping.ts";
import type { NotifySettings } from "./report.ts";
import { safeLine } from "./shown-text.ts";
import { confirmStart } from "./start-sender.ts";
import { beginPause } from "./streaks.ts";

/** Time, for tests to move. */
export interface SenderClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

/** How the sender works. */
export interface SenderOptions {
  /** `due`: what is due, now and within `waitMs`. `all`: everything, once. */
  readonly mode: "due" | "all";
  /** How long the next due item is waited for, at most. */
  readonly waitMs: number;
  /** How long another sender is waited for. */
  readonly lockWaitMs?: number;
  /** Items that could not be put into the outbox. */
  readonly handed?: readonly Item[];
  readonly log: (level: Level, message: string) => void;
  readonly clock?: SenderClock;
  readonly deliver?: (item: Item) => Promise<Delivery>;
}

/** What a sender has done. */
export interface Sent {
  readonly sent: number;
  readonly givenUp: number;
  /** Still in the outbox, those for later included. */
  readonly waiting: number;
  /** Another sender is at work. */
  readonly isBusy: boolean;
}

/** What the sender needs of the settings. */
export type SenderSettings = Pick<
  NotifySettings,
  "folder" | "mailThrough" | "mailPasswordFile" | "webhookSecretFile"
> & {
  /** rcron's own. */
  readonly version: string;
};

const firstBackoffMs = 60_000;
const lastBackoffMs = 3_600_000;
const pollMs = 1000;
/** Which kind goes first. */
const turns: Readonly<Record<ItemKind, number>> = { ping: 0, webhook: 1, slack: 1, mail: 2 };
const tooLate: Delivery = { kind: "never", reason: "its time is over" };
const realClock: SenderClock = { now: Date.now, sleep: (ms) => Bun.sleep(ms) };

/** Sends what can be sent. Throws nothing that the outbox or a server can cause. */
export async function sendItems(settings: SenderSettings, options: SenderOptions): Promise<Sent> {
  confirmStart();
  const sender = new Sender(settings, options);
  await sender.takeHanded();
  await sender.work();
  return sender.result();
}

class Sender {
  readonly #settings: SenderSettings;
  readonly #options: SenderOptions;
  readonly #clock: SenderClock;
  readonly #deliver: (item: Item) => Promise<Delivery>;
  /** Items that only this process knows of. */
  #homeless: Item[] = [];
  /** Items whose next attempt could not be written down: tried once by each process, or this one would spin. */
  readonly #stuck = new Set<string>();
  #sent = 0;
  #givenUp = 0;
  #isBusy = false;

  constructor(settings: SenderSettings, options: SenderOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#deliver = options.deliver ?? ((item) => deliverItem(item, settings));
  }

  /** The outbox may be writable again; then they are as safe there as all others. */
  async takeHanded(): Promise<void> {
    const { folder } = this.#settings;
    for (const item of this.#options.handed ?? []) {
      try {
        if (folder === undefined) this.#homeless.push(item);
        else await putItem(folder, item, listOutbox(folder));
      } catch {
        this.#homeless.push(item); // Still full or read-only: it is sent from memory.
      }
    }
  }

  async work(): Promise<void> {
    const { folder } = this.#settings;
    if (this.#homeless.length > 0) await this.#sendHomeless();
    if (folder === undefined) return;
    // An item put in while the lock was still held, but after the last look, is found by the look after its release.
    for (let again = true; again; ) {
      const names = listOutbox(folder);
      if (names.length === 0) return;
      const lock = await lockOutbox(folder, this.#options.lockWaitMs ?? 0);
      if (lock === "busy") {
        this.#isBusy = true;
        return;
      }
      try {
        removeLeftovers(folder, this.#clock.now());
        await this.#workLocked(folder);
      } finally {
        lock?.release();
      }
      again = this.#options.mode === "due" && this.#dueIn(folder).length > 0;
    }
  }

  result(): Sent {
    const { folder } = this.#settings;
    const waiting = (folder === undefined ? 0 : listOutbox(folder).length) + this.#homeless.length;
    return { sent: this.#sent, givenUp: this.#givenUp, waiting, isBusy: this.#isBusy };
  }

  async #workLocked(folder: string): Promise<void> {
    const { mode, waitMs } = this.#options;
    if (mode === "all") return this.#sendAll(folder, listOutbox(folder));
    for (let idleSinceMs = this.#clock.now(); ; ) {
      const due = this.#dueIn(folder);
      if (due.length > 0) {
        await this.#sendAll(folder, due);
        idleSinceMs = this.#clock.now();
        continue;
      }
      const next = Math.min(...listOutbox(folder).map(({ dueMs }) => dueMs));
      const now = this.#clock.now();
      if (!(next - now <= waitMs) || now - idleSinceMs > waitMs || now < idleSinceMs) return;
      await this.#clock.sleep(Math.min(pollMs, Math.max(1, next - now)));
    }
  }

  #dueIn(folder: string): ItemName[] {
    const now = this.#clock.now();
    return listOutbox(folder).filter((name) => isDue(name, now) && !this.#stuck.has(name.id));
  }

  /**
   * Pings first: they tell of now, and are small; mails, of which one can take a minute, last. What stands behind a server that can't
   * be reached is not tried in vain, nor is a URL that wants to be left alone for a while.
   */
  async #sendAll(folder: string, names: readonly ItemName[]): Promise<void> {
    const down = new Map<string, Delivery>();
    const inOrder = [...names].sort((a, b) => turns[a.kind] - turns[b.kind]);
    for (const name of inOrder) {
      const item = readItem(folder, name);
      if (item === undefined) {
        // Gone: somebody dropped it, or a later run of its job replaced it.
        if (!listOutbox(folder).some(({ id }) => id === name.id)) continue;
        this.#options.log("LOG_ERR", `outbox: an unreadable ${name.kind} was dropped`);
        removeItem(folder, name);
        continue;
      }
      const way = item.kind === "mail" ? "mail" : pingTarget(item.url);
      const url = item.kind === "mail" ? way : item.url;
      const known = down.get(way) ?? down.get(url);
      const delivery = known ?? (this.#isStale(item) ? tooLate : await this.#deliver(item));
      if (delivery.kind === "later" && delivery.isTransport) down.set(way, delivery);
      else if (delivery.kind === "later" && delivery.retryAfterMs !== undefined) down.set(url, delivery);
      await this.#settle(folder, name, item, delivery);
    }
  }

  /** A mail that comes late still tells something; a ping would tell of now what was true then. */
  #isStale({ kind, expiresMs, attempts }: Item): boolean {
    return kind === "ping" && attempts > 0 && this.#clock.now() > expiresMs;
  }

  async #settle(folder: string, name: ItemName, item: Item, delivery: Delivery): Promise<void> {
    const next = this.#judge(item, delivery);
    if (next === undefined) {
      removeItem(folder, name);
      if (delivery.kind === "sent" && item.kind !== "ping" && item.pause !== undefined) {
        await beginPause(folder, item.pause, this.#clock.now());
      }
      return;
    }
    const present = listOutbox(folder);
    // Dropped by a person meanwhile, or by a later run: nothing older may come after that one's word.
    if (!present.some((each) => formatItemName(each) === formatItemName(name))) return;
    if (present.some(({ id, createdMs }) => id === name.id && createdMs > name.createdMs)) {
      removeItem(folder, name);
      return;
    }
    try {
      await putItem(folder, next, []);
      if (next.dueMs !== name.dueMs || next.createdMs !== name.createdMs) removeItem(folder, name);
    } catch {
      // A full disk: the file stays as it is, due, and this process is done with it for now.
      this.#stuck.add(name.id);
    }
  }

  /**
   * Counts an attempt and logs what the operator should know.
   * @returns the item as it goes on waiting; undefined where it is done with
   */
  #judge(item: Item, delivery: Delivery): Item | undefined {
    if (delivery.kind === "sent") {
      this.#sent++;
      return undefined;
    }
    const now = this.#clock.now();
    // Made under a clock that has been set back since: its time counts from now.
    const isAhead = item.createdMs > now;
    const expiresMs = isAhead ? now + keepMs[item.kind] : item.expiresMs;
    const backoffMs = Math.min(lastBackoffMs, firstBackoffMs * 2 ** item.attempts);
    const askedMs = delivery.kind === "later" ? (delivery.retryAfterMs ?? 0) : 0;
    const dueMs = now + Math.max(backoffMs, askedMs);
    const what = describeItem(item);
    const reason = safeLine(delivery.reason);
    if (delivery.kind === "never" || dueMs >= expiresMs) {
      this.#givenUp++;
      const why =
        delivery.kind === "never" ? "refused for good" : `given up after ${item.attempts + 1} attempts`;
      this.#options.log("LOG_ERR", `${what} was not sent: ${why}: ${reason}`);
      return undefined;
    }
    if (item.attempts === 0) {
      this.#options.log("LOG_WARNING", `${what} could not be sent yet: ${reason}`);
    }
    const createdMs = isAhead ? now : item.createdMs;
    return { ...item, createdMs, expiresMs, dueMs, attempts: item.attempts + 1, lastError: reason };
  }

  async #sendHomeless(): Promise<void> {
    const endMs = this.#clock.now() + this.#options.waitMs;
    for (;;) {
      const waiting: Item[] = [];
      for (const item of this.#homeless) {
        if (item.dueMs > this.#clock.now() && item.attempts > 0) waiting.push(item);
        else {
          const next = this.#judge(item, await this.#deliver(item));
          if (next !== undefined) waiting.push(next);
        }
      }
      this.#homeless = waiting;
      const next = Math.min(...waiting.map(({ dueMs }) => dueMs));
      if (!(next <= endMs)) break;
      await this.#clock.sleep(Math.max(1, next - this.#clock.now()));
    }
    for (const item of this.#homeless) {
      this.#givenUp++;
      this.#options.log(
        "LOG_ERR",
        `${describeItem(item)} was not sent: it could not be kept for later either`,
      );
    }
    this.#homeless = [];
  }
}

/** Sends one item by the way that is set. Never throws. */
async function deliverItem(item: Item, settings: SenderSettings): Promise<Delivery> {
  try {
    if (item.kind === "ping") return await sendPing(item.url, item.body);
    if (item.kind !== "mail") {
      const { webhookSecretFile: secretFile, version } = settings;
      return await (await import("./webhook.ts")).sendWebhook(item, { secretFile, version });
    }
    const way = parseMailThrough(settings.mailThrough);
    if (way instanceof Problem) return { kind: "later", reason: way.message, isTransport: true };
    if (way.kind === "sendmail") {
      return await (await import("./sendmail.ts")).sendBySendmail(item, way.program);
    }
    return await (await import("./smtp.ts")).sendBySmtp(item, way, settings.mailPasswordFile);
  } catch (error) {
    return {
      kind: "later",
      reason: error instanceof Error ? error.message : String(error),
      isTransport: false,
    };
  }
}

/** `mail to ops@example.com about backup (run 0123456789abcdef)`; of a URL nothing behind its host. */
function describeItem(item: Item): string {
  const to = item.kind === "mail" ? item.to : pingTarget(item.url);
  return safeLine(`${item.kind} to ${to} about ${item.job} (run ${item.run})`);
}

/**
 * A run's end, put into the outbox.
 */

import { parseMailThrough } from "../model/mail-through.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { composeMail } from "./compose-mail.ts";
import { composeSlack } from "./compose-slack.ts";
import { composeWebhook } from "./compose-webhook.ts";
import { hasDueItems } from "./due-items.ts";
import { type Mailbox, parseMailbox, renderMail } from "./mime.ts";
import type { AnnounceOptions } from "./notify.ts";
import { type Item, keepMs, listOutbox, lockOutbox, newItemId, putItem } from "./outbox.ts";
import { pingBodyLimit, pingTarget, pingUrl } from "./ping.ts";
import type { NotifySettings, RunReport } from "./report.ts";
import type { Occasion } from "./run-in-words.ts";
import { handedLimit, startSender } from "./start-sender.ts";
import {
  type Audience,
  decideMails,
  decideWebhook,
  lockStreak,
  noStreak,
  type Plan,
  readStreak,
  type Streak,
  streakName,
  writeStreak,
} from "./streaks.ts";
import { tailOf } from "./told-output.ts";

/** How much of the output a mail tells, in bytes. */
const outputLimit = 96 * 1024;
/** The same where items are handed on without the outbox. */
const handedOutputLimit = 2000;

/** One who is to be told. A chat is told as an address with `if-error:` is. */
type Recipient =
  | { readonly kind: "mail"; readonly mailbox: Mailbox; readonly audience: Audience }
  | { readonly kind: "slack"; readonly url: string; readonly audience: "if-error" }
  | { readonly kind: "webhook"; readonly url: string; readonly audience: "webhook" };

type Plans = Readonly<Record<Recipient["audience"], Plan | undefined>>;

/** @returns warnings, each a sentence */
export async function announce(
  report: RunReport,
  settings: NotifySettings,
  { nowMs = Date.now(), startSender: start = startSender }: AnnounceOptions,
): Promise<string[]> {
  const { folder, confPath } = settings;
  const announcement = new Announcement(report, settings, nowMs);
  await announcement.putPing();
  await announcement.putNotices();
  const { warnings } = announcement;
  const handed = announcement.handed();
  if (handed.length > 0 || (folder !== undefined && hasDueItems(folder, nowMs))) {
    // A sender that is at work looks once more before it ends.
    const isAtWork = handed.length === 0 && folder !== undefined && (await hasSender(folder));
    try {
      if (!isAtWork) start({ folder, confPath, handed });
    } catch (error) {
      warnings.push(error instanceof Error ? error.message : String(error));
    }
  }
  return warnings;
}

async function hasSender(folder: string): Promise<boolean> {
  const lock = await lockOutbox(folder);
  if (lock === "busy") return true;
  lock?.release();
  return false;
}

class Announcement {
  readonly warnings: string[] = [];
  readonly #report: RunReport;
  readonly #settings: NotifySettings;
  readonly #nowMs: number;
  /** What the outbox had no room for, made anew in a shorter form. */
  readonly #homeless: ((outputLimit: number) => Item)[] = [];

  constructor(report: RunReport, settings: NotifySettings, nowMs: number) {
    this.#report = report;
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  async putPing(): Promise<void> {
    const { rules, run, end, output, job } = this.#report;
    if (rules.pingUrl === undefined) return;
    const url = pingUrl(rules.pingUrl, run, end);
    if (url === undefined) {
      this.warnings.push(`--ping must be an http or https URL: got ${pingTarget(rules.pingUrl)}`);
      return;
    }
    // A later ping of the same check takes the place of an earlier one: the check believes the last that comes.
    const id = digestOf(rules.pingUrl).slice(0, 12);
    await this.#put((limit) => ({
      ...this.#frame("ping", id, this.#nowMs),
      kind: "ping",
      job,
      run,
      url,
      body: tailOf(output, this.#settings.redact, Math.min(limit, pingBodyLimit)),
    }));
  }

  /** Mails, messages to a chat and webhooks. */
  async putNotices(): Promise<void> {
    const recipients = this.#recipients();
    if (recipients.length === 0) return;
    if (recipients.some(({ kind }) => kind === "mail")) {
      const way = parseMailThrough(this.#settings.mailThrough);
      if (way instanceof Problem) this.warnings.push(way.message);
    }
    const { folder } = this.#settings;
    const { job, cluster } = this.#report;
    const name = streakName(job, cluster);
    const known = folder === undefined ? noStreak : readStreak(folder, name);
    // Most runs succeed and change nothing: then nothing is locked, made or written.
    if (folder === undefined || this.#isUneventful(known)) {
      await this.#putPlanned(recipients, this.#decide(known).plans, name);
      return;
    }
    const lock = await lockStreak(folder, name);
    try {
      const { next, plans } = this.#decide(readStreak(folder, name));
      // The notices first: a power cut between the two tells twice rather than never.
      const isKept = await this.#putPlanned(recipients, plans, name);
      if (isKept && typeof lock !== "string") await writeStreak(folder, name, next);
    } catch (error) {
      this.warnings.push(
        `the streak of ${printable(job)} can't be kept: ${error instanceof Error ? error.message : String(error)}`,
      );
    } finally {
      if (typeof lock !== "string") lock.release();
    }
  }

  /**
   * What the sender gets on its standard input: as much as fits a pipe.
   * @returns empty where all is in the outbox
   */
  handed(): Item[] {
    const handed: Item[] = [];
    let size = 2;
    for (const make of this.#homeless) {
      const item = make(handedOutputLimit);
      const length = Buffer.byteLength(JSON.stringify(item)) + 1;
      if (size + length > handedLimit) {
        const what = item.kind === "mail" ? `mail to ${printable(item.to)}` : noticeWords[item.kind];
        this.warnings.push(`a ${what} about ${printable(item.job)} is lost: the outbox can't be written`);
        continue;
      }
      size += length;
      handed.push(item);
    }
    return handed;
  }

  /** @returns each address once, with the audience that hears more; those that are none are warned of */
  #recipients(): Recipient[] {
    const { outputs, webhookUrl, slackUrl } = this.#report.rules;
    const found = new Map<string, Recipient>();
    for (const { sink, isIfError } of outputs) {
      if (sink.kind !== "mail") continue;
      const mailbox = parseMailbox(sink.address);
      if (mailbox === undefined) {
        this.warnings.push(
          `a mail address must be one address, without blanks: got "${printable(sink.address)}"`,
        );
        continue;
      }
      const audience = isIfError ? "if-error" : "always";
      if (audience === "always" || !found.has(mailbox.address))
        found.set(mailbox.address, { kind: "mail", mailbox, audience });
    }
    const recipients = [...found.values()];
    if (slackUrl !== undefined) recipients.push({ kind: "slack", url: slackUrl, audience: "if-error" });
    if (webhookUrl !== undefined) recipients.push({ kind: "webhook", url: webhookUrl, audience: "webhook" });
    return recipients;
  }

  #decide(streak: Streak): { next: Streak; plans: Plans } {
    const { end, output, rules } = this.#report;
    const everyMs = this.#settings.folder === undefined ? undefined : rules.mailEveryMs;
    const hasOutput = (output?.bytes ?? 0) > 0;
    const run = { isOk: end.ok, hasOutput, atMs: this.#nowMs, everyMs };
    const { next, plans } = decideMails(streak, run);
    return { next, plans: { ...plans, webhook: decideWebhook(streak, run, rules.webhookWhen) } };
  }

  #isUneventful(streak: Streak): boolean {
    const { next, plans } = this.#decide(streak);
    const isTold = plans.always !== undefined || plans["if-error"] !== undefined;
    return Bun.deepEquals(next, streak) && (!isTold || this.#report.rules.mailEveryMs === undefined);
  }

  /** @returns false where something could not be put into the outbox */
  async #putPlanned(recipients: readonly Recipient[], plans: Plans, streak: string): Promise<boolean> {
    let isKept = true;
    for (const recipient of recipients) {
      const { kind, audience } = recipient;
      const plan = plans[audience];
      if (plan === undefined) continue;
      const everyMs = audience === "webhook" ? undefined : this.#report.rules.mailEveryMs;
      const isHeldBack = plan.dueMs > this.#nowMs;
      // One id for all that a pause holds back from somebody, and for what follows: the last counts.
      const to = kind === "mail" ? recipient.mailbox.address : recipient.url;
      const id = everyMs === undefined ? newItemId() : `p${digestOf(`${streak}\n${to}`).slice(0, 11)}`;
      const pause =
        isHeldBack && everyMs !== undefined && audience !== "webhook"
          ? { name: streak, audience, everyMs }
          : undefined;
      const put = await this.#put((limit) => ({
        ...this.#frame(kind, id, plan.dueMs),
        ...this.#noticeTo(recipient, plan.occasion, limit),
        ...(pause && { pause }),
      }));
      isKept &&= put;
    }
    return isKept;
  }

  #noticeTo(recipient: Recipient, occasion: Occasion, limit: number) {
    if (recipient.kind === "mail") return this.#mailTo(recipient.mailbox, occasion, limit);
    const { job, run } = this.#report;
    const { redact } = this.#settings;
    const { kind, url } = recipient;
    const body =
      kind === "slack"
        ? composeSlack(this.#report, { occasion, redact })
        : composeWebhook(this.#report, { occasion, redact, outputLimit: limit });
    return { kind, job, run, url, body };
  }

  #mailTo(to: Mailbox, occasion: Occasion, limit: number) {
    const { job, run, user, host } = this.#report;
    const { redact, mailFrom } = this.#settings;
    const wanted = mailFrom === undefined ? undefined : parseMailbox(mailFrom);
    if (mailFrom !== undefined && wanted === undefined && !this.#hasWarnedOfFrom) {
      this.#hasWarnedOfFrom = true;
      this.warnings.push(`mail_from must be ADDRESS or NAME <ADDRESS>: got "${printable(mailFrom)}"`);
    }
    const own = parseMailbox(`${user}@${host}`) ?? { address: "root@localhost" };
    const from = wanted ?? { ...own, name: "rcron" };
    const mail = composeMail(this.#report, { from, to, occasion, redact, outputLimit: limit });
    return { kind: "mail" as const, job, run, from: from.address, to: to.address, text: renderMail(mail) };
  }

  #hasWarnedOfFrom = false;

  #frame(kind: Item["kind"], id: string, dueMs: number) {
    return { id, createdMs: this.#nowMs, dueMs, expiresMs: dueMs + keepMs[kind], attempts: 0 };
  }

  /** @returns false where it has to be handed on */
  async #put(make: (outputLimit: number) => Item): Promise<boolean> {
    const { folder } = this.#settings;
    if (folder === undefined) {
      this.#homeless.push(make);
      return false;
    }
    try {
      const dropped = await putItem(folder, make(outputLimit), listOutbox(folder));
      if (dropped > 0) this.warnings.push(`${folder}/outbox is full: its ${dropped} oldest were dropped`);
      return true;
    } catch (error) {
      this.#homeless.push(make);
      this.warnings.push(
        `${error instanceof Error ? error.message : String(error)}; what it is for is sent without being kept`,
      );
      return false;
    }
  }
}

const noticeWords = { ping: "ping", webhook: "webhook", slack: "message to a chat" } as const;

function digestOf(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/**
 * `rcronctl mail`: what waits in the outbox, and the sender that takes it from there.
 *
 * `mail send --quiet` is what a run starts to have its mail sent; with `-` behind it, items that the outbox had no room for come
 * on standard input.
 */
import { type Conf, loadConf } from "../gate/gate.ts";
import { historyFolder } from "../history/history.ts";
import { durationInWords } from "../model/duration.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import {
  dropItems,
  type Item,
  parseHanded,
  readOutbox,
  type SenderOptions,
  type SenderSettings,
  type Sent,
  sendItems,
  targetOf,
} from "../notify/notify.ts";
import { Syslog } from "../system/syslog.ts";
import type { Given } from "./control-word.ts";
import { print } from "./standard-output.ts";
import { failed, say } from "./terminal.ts";
import { version } from "./version.ts";

/** How long the sender waits for what is due next: the first two retries. */
const senderWaitMs = 120_000;
/** How long a person waits for a sender that is at work. */
const lockWaitMs = 5000;
const logWaitMs = 200;
/** More than a run ever hands on. */
const handedLimit = 1024 * 1024;

/**
 * `mail`, `mail list`, `mail send`, `mail drop ID|all`.
 * @returns the exit status: 0; for `send` 1 if something still waits; for `drop` 1 if there was nothing of that id
 */
export async function mail({ options, words }: Given): Promise<number | Problem> {
  const [word = "list", ...rest] = words;
  const isJson = options["json"] === true;
  if (word === "send" && (rest.length === 0 || (rest.length === 1 && rest[0] === "-"))) {
    const isHanded = rest[0] === "-";
    return send(options, { isHanded, isJson });
  }
  const [id, surplus] = rest;
  const folder = outboxFolder(options);
  if (folder instanceof Problem) return folder;
  if (word === "list" && rest.length === 0) return list(folder, isJson);
  if (word === "drop" && id !== undefined && surplus === undefined) return drop(folder, id);
  const got = words.length === 0 ? "none" : quoted(words.join(" "));
  return new Problem("invalid", `mail must be followed by list, send, drop ID or drop all: got ${got}`);
}

async function send(
  options: Given["options"],
  { isHanded, isJson }: { readonly isHanded: boolean; readonly isJson: boolean },
): Promise<number | Problem> {
  // Before anything can read it: mail, pings and webhooks go to checked servers only.
  delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  const isQuiet = options["quiet"] === true;
  const log = new Syslog({ ident: "rcron", pid: process.pid });
  const settings = readSettings(options);
  if (settings instanceof Problem) {
    if (isQuiet) log.log("LOG_CRON", "LOG_ERR", `error: mail not sent: ${settings.message}`);
    await log.close(logWaitMs);
    return settings;
  }
  const told: string[] = [];
  const how: SenderOptions = {
    mode: isQuiet ? "due" : "all",
    waitMs: isQuiet ? senderWaitMs : 0,
    lockWaitMs: isQuiet ? 0 : lockWaitMs,
    handed: isHanded ? await parseHanded(await readStandardInput()) : [],
    log: (level, message) => {
      log.log("LOG_CRON", level, message);
      told.push(message);
    },
  };
  const sent = await sendItems(settings, how);
  await log.close(logWaitMs);
  if (isQuiet) return sent.waiting === 0 ? 0 : failed;
  for (const message of told) say("rcronctl", message);
  if (isJson) await print(`${JSON.stringify(sent, undefined, 2)}\n`);
  else await print(`${summaryOf(sent)}\n`);
  if (sent.isBusy) {
    return new Problem("conflict", `another sender has been at work for ${lockWaitMs / 1000} s`, {
      hint: "rcronctl mail shows what it has left to do",
    });
  }
  return sent.waiting === 0 ? 0 : failed;
}

function summaryOf({ sent, givenUp, waiting }: Sent): string {
  if (sent + givenUp + waiting === 0) return "nothing waits";
  return `${sent} sent, ${givenUp} given up, ${waiting} still waiting`;
}

async function list(folder: string | undefined, isJson: boolean): Promise<number> {
  const items = folder === undefined ? [] : await readOutbox(folder);
  if (isJson) {
    const shown = await Promise.all(items.map(inJson));
    await print(`${JSON.stringify(shown, undefined, 2)}\n`);
    return 0;
  }
  if (items.length === 0) {
    await print("nothing waits\n");
    return 0;
  }
  const nowMs = Date.now();
  const rows: string[][] = [["ID", "KIND", "TO", "JOB", "SINCE", "ATTEMPTS", "NEXT", "LAST ERROR"]];
  for (const item of items) {
    rows.push([
      item.id,
      item.kind,
      printable(await targetOf(item)),
      printable(item.job),
      durationInWords(nowMs - item.createdMs),
      String(item.attempts),
      item.dueMs <= nowMs ? "now" : `in ${durationInWords(item.dueMs - nowMs)}`,
      item.lastError === undefined
        ? item.dueMs > nowMs
          ? "held back by mail_every"
          : "-"
        : printable(item.lastError),
    ]);
  }
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  await print(`${lines.map((line) => line.trimEnd()).join("\n")}\n`);
  return 0;
}

/** What `--json` prints of an item. Keys are only ever added. */
async function inJson(item: Item): Promise<object> {
  return {
    id: item.id,
    kind: item.kind,
    to: await targetOf(item),
    job: item.job,
    run: item.run,
    since: new Date(item.createdMs).toISOString(),
    next: new Date(item.dueMs).toISOString(),
    until: new Date(item.expiresMs).toISOString(),
    attempts: item.attempts,
    lastError: item.lastError ?? null,
  };
}

async function drop(folder: string | undefined, id: string): Promise<number | Problem> {
  const count = folder === undefined ? 0 : await dropItems(folder, id);
  if (id === "all" || count > 0) {
    await print(`${count} dropped\n`);
    return 0;
  }
  return new Problem("not-found", `nothing of the id ${quoted(id)} waits`, {
    hint: "rcronctl mail lists what does",
  });
}

function outboxFolder(options: Given["options"]): string | undefined | Problem {
  const { history } = options;
  if (typeof history === "string") {
    if (history.startsWith("/")) return history;
    return new Problem("invalid", `--history must be an absolute path: got ${quoted(history)}`);
  }
  const loaded = readConf(options);
  return loaded instanceof Problem ? loaded : historyFolder(loaded.history);
}

function readSettings(options: Given["options"]): SenderSettings | Problem {
  const folder = outboxFolder(options);
  if (folder instanceof Problem) return folder;
  const conf = readConf(options);
  if (conf instanceof Problem) return conf;
  const { mailThrough, mailPasswordFile, webhookSecretFile } = conf;
  return { folder, mailThrough, mailPasswordFile, webhookSecretFile, version };
}

function readConf(options: Given["options"]): Conf | Problem {
  const loaded = loadConf(typeof options["conf"] === "string" ? options["conf"] : undefined);
  return loaded instanceof Problem ? loaded : loaded.conf;
}

/** Bounded in size. */
async function readStandardInput(): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of Bun.stdin.stream()) {
    parts.push(part);
    size += part.length;
    if (size > handedLimit) break;
  }
  return Buffer.concat(parts).toString();
}

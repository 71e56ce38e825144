/**
 * The keys of rcron.conf that are for the record of runs, for mail and for webhooks. Most machines set none of them.
 */
import { durationRule, parseDuration } from "../model/duration.ts";
import { parseMailThrough } from "../model/mail-through.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { isAbsolutePath, isMailAddress } from "../model/output-rule.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { hidePassword, proveRedaction } from "../model/redact.ts";

/** What is kept of runs, and how mail goes out; each value proven. */
export interface RecordConf {
  /** `auto`: where the record's usual folder can be written; `none`: no record; else an absolute folder. */
  readonly history: string;
  readonly historyKeepMs: number;
  readonly historySizeBytes: number;
  /** What log, mail and record have of a command. */
  readonly logCommand: LogCommand;
  /** The source of a regular expression that compiles with the flags `gu`; undefined: nothing is taken out. */
  readonly redact: string | undefined;
  /** `sendmail`, the absolute path of a program like it, or the URL of a mail server, without a password. */
  readonly mailThrough: string;
  /** Undefined: the user on this machine. */
  readonly mailFrom: string | undefined;
  /** Absolute. */
  readonly mailPasswordFile: string | undefined;
  /** Absolute; undefined: webhooks are not signed. */
  readonly webhookSecretFile: string | undefined;
}

/** `full`: all its words; `name`: the job's name alone; `none`: not even that. */
export type LogCommand = "full" | "name" | "none";

/** These keys with the values they have when they are not set. */
export const recordDefaults = {
  history: "auto",
  history_keep: "90d",
  history_size: "256m",
  log_command: "full",
  redact: "none",
  mail_through: "sendmail",
  mail_from: "none",
  mail_password_file: "none",
  webhook_secret_file: "none",
} as const;

export type RecordKey = keyof typeof recordDefaults;

/** What {@link recordDefaults} say; a test holds the two together. */
export const recordOfDefaults: RecordConf = {
  history: "auto",
  historyKeepMs: 90 * 86_400_000,
  historySizeBytes: 256 * 1024 ** 2,
  logCommand: "full",
  redact: undefined,
  mailThrough: "sendmail",
  mailFrom: undefined,
  mailPasswordFile: undefined,
  webhookSecretFile: undefined,
};

/** True where every value is the default, written down or not. @param except a key that may have any other */
export function isRecordDefault(values: Readonly<Record<RecordKey, string>>, except?: RecordKey): boolean {
  for (const key in recordDefaults) {
    const known = key as RecordKey; // the table's own keys, and no others
    if (known !== except && values[known] !== recordDefaults[known]) return false;
  }
  return true;
}

/** @returns the values, or the first Problem (`invalid`) */
export function proveRecord(
  values: Readonly<Record<RecordKey, string>>,
  lines: Readonly<Partial<Record<RecordKey, number>>>,
  path: string,
): RecordConf | Problem {
  const refuse = (key: RecordKey, rule: string, hint?: string) =>
    new Problem("invalid", `${key} ${rule}: got ${quoted(hidePassword(values[key]))}`, {
      where: `${path}:${lines[key]}`,
      ...(hint !== undefined && { hint }),
    });
  // It may be secret: what is to be redacted, or a password where its file was to be named.
  const refuseUnshown = (key: RecordKey, rule: string) =>
    new Problem("invalid", `${key} ${rule}`, { where: `${path}:${lines[key]}` });

  const history = wordOr(values.history, ["auto", "none"]);
  if (history !== "auto" && history !== "none" && !isAbsolutePath(history)) {
    return refuse("history", "must be auto, none, or a folder's absolute path");
  }
  if (isRecordDefault(values, "history")) return { ...recordOfDefaults, history };
  const { history_keep: keep, history_size: size } = values;
  const historyKeepMs =
    keep === recordDefaults.history_keep ? recordOfDefaults.historyKeepMs : parseDuration(keep);
  if (historyKeepMs === undefined) return refuse("history_keep", `must be ${durationRule}`);
  const historySizeBytes =
    size === recordDefaults.history_size ? recordOfDefaults.historySizeBytes : parseSize(size);
  if (historySizeBytes === undefined) {
    return refuse(
      "history_size",
      "must be a whole number of bytes, or one with k, m or g behind it, from 1m to 100g",
    );
  }
  const logCommand = values.log_command.toLowerCase();
  if (logCommand !== "full" && logCommand !== "name" && logCommand !== "none") {
    const near = nearestWord(logCommand, ["full", "name", "none"]);
    return refuse("log_command", "must be one of full, name, none", near && `did you mean ${near}?`);
  }
  const redact = orUndefined(values.redact);
  const pattern = redact === undefined ? undefined : proveRedaction(redact);
  if (typeof pattern === "string") return refuseUnshown("redact", pattern);
  const mailThrough = wordOr(values.mail_through, ["sendmail"]);
  const way = mailThrough === "sendmail" ? undefined : parseMailThrough(mailThrough);
  if (way instanceof Problem) {
    const { message, hint } = way;
    return new Problem("invalid", message, {
      where: `${path}:${lines.mail_through}`,
      ...(hint !== undefined && { hint }),
    });
  }
  const mailFrom = orUndefined(values.mail_from);
  if (mailFrom !== undefined && !isMailAddress(mailFrom)) {
    return refuse("mail_from", "must be an address such as root@example.org, or none");
  }
  const mailPasswordFile = orUndefined(values.mail_password_file);
  if (mailPasswordFile !== undefined && !isAbsolutePath(mailPasswordFile)) {
    return refuseUnshown("mail_password_file", "must be a file's absolute path, or none");
  }
  const webhookSecretFile = orUndefined(values.webhook_secret_file);
  if (webhookSecretFile !== undefined && !isAbsolutePath(webhookSecretFile)) {
    return refuseUnshown("webhook_secret_file", "must be a file's absolute path, or none");
  }
  return {
    history,
    historyKeepMs,
    historySizeBytes,
    logCommand,
    redact,
    mailThrough,
    mailFrom,
    mailPasswordFile,
    webhookSecretFile,
  };
}

/** Fixed words may be written in any case; all else stays as it is. */
function wordOr(value: string, words: readonly string[]): string {
  const word = value.toLowerCase();
  return words.includes(word) ? word : value;
}

function orUndefined(value: string): string | undefined {
  return value.toLowerCase() === "none" ? undefined : value;
}

const sizeUnits = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 } as const;

function parseSize(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,12})([kmg]?)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Number(digits) * sizeUnits[unit.toLowerCase() as keyof typeof sizeUnits]; // the pattern has no others
  return bytes >= sizeUnits.m && bytes <= 100 * sizeUnits.g ? bytes : undefined;
}

/** As `history_size` has it: the largest unit that fits without a rest. */
export function formatSize(bytes: number): string {
  for (const unit of ["g", "m", "k"] as const) {
    if (bytes % sizeUnits[unit] === 0) return `${bytes / sizeUnits[unit]}${unit}`;
  }
  return String(bytes);
}

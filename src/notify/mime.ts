/**
 * A mail as the text that mail programs exchange (RFC 5322, 2045, 2047). Pure: whatever a name, an address or a job's
 * output holds, each header stays one header, each line is short enough for SMTP, and all of it is ASCII.
 */
import { safeLine } from "./shown-text.ts";

/** A mail before it is written down. */
export interface Mail {
  readonly from: Mailbox;
  /** One address, proven by {@link parseMailbox}. */
  readonly to: Mailbox;
  readonly date: Date;
  /** What stands in `<…>`. */
  readonly messageId: string;
  readonly subject: string;
  /** Further headers, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Lines with `\n` at their ends. */
  readonly body: string;
}

/** Who is written to or from. */
export interface Mailbox {
  readonly address: string;
  readonly name?: string | undefined;
}

const lineLimit = 76;
/** SMTP's own (RFC 5321, 4.5.3.1.6), without the line end. */
const hardLimit = 998;
/** A header is cut here, so that folding never has to meet SMTP's limit for a line without a blank. */
const valueLimit = 900;
const nameLimit = 100;

/**
 * Reads `ops@example.com`, `root` or `Operations <ops@example.com>`.
 * @returns undefined where a mail program could take it for anything but one address: a blank, comma or control character in
 *   it, a leading hyphen
 */
export function parseMailbox(text: string): Mailbox | undefined {
  const [, name = "", inBrackets, bare] =
    /^ *(?:([^<>\x00-\x1f\x7f-\x9f]*?) *<([^<>]*)>|([^<>]*?)) *$/u.exec(text) ?? [];
  const address = inBrackets ?? bare ?? "";
  if (!/^[^\s<>()[\]\\,;:"\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]{1,254}$/u.test(address))
    return undefined;
  if (address.startsWith("-") || address.startsWith("@") || address.endsWith("@")) return undefined;
  const unquoted = name.replace(/^"(.*)"$/, "$1");
  return unquoted === "" ? { address } : { address, name: unquoted };
}

/** @returns the mail, each line ending in `\n` */
export function renderMail(mail: Mail): string {
  const plain = /^[\n\t\x20-\x7e]*$/.test(mail.body) && !mail.body.split("\n").some(isTooLong);
  const headers: (readonly [string, string])[] = [
    ["From", renderMailbox(mail.from)],
    ["To", renderMailbox(mail.to)],
    ["Subject", headerText(mail.subject)],
    ["Date", formatMailDate(mail.date)],
    ["Message-ID", `<${mail.messageId.replace(/[^\w.@-]/g, "-")}>`],
    ...mail.headers.map(([name, value]) => [name, headerText(value)] as const),
    ["MIME-Version", "1.0"],
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Transfer-Encoding", plain ? "7bit" : "quoted-printable"],
  ];
  const head = headers.map(([name, value]) => `${fold(`${name.replace(/[^\w-]/g, "-")}: ${value}`)}\n`);
  const body = mail.body.endsWith("\n") ? mail.body : `${mail.body}\n`;
  return `${head.join("")}\n${plain ? body : quotedPrintable(body)}`;
}

function isTooLong(line: string): boolean {
  return line.length > hardLimit;
}

function renderMailbox({ address, name }: Mailbox): string {
  // A non-ASCII address is the transport's to refuse or to send as it is (SMTPUTF8).
  if (name === undefined) return address;
  const shown = safeLine(name).slice(0, nameLimit).toWellFormed();
  const phrase = /^[\x20-\x7e]*$/.test(shown) ? `"${shown.replace(/["\\]/g, "\\$&")}"` : headerText(shown);
  return `${phrase} <${address}>`;
}

/** A header's value: printable, in encoded words (RFC 2047) where it is not ASCII or could be taken for one. */
function headerText(text: string): string {
  const line = safeLine(text).trim();
  const cut = line.length > valueLimit ? `${line.slice(0, valueLimit)}...`.toWellFormed() : line;
  if (/^[\x20-\x7e]*$/.test(cut) && !cut.includes("=?") && !hasLongWord(cut)) return cut;
  const words: string[] = [];
  let word = "";
  for (const char of cut) {
    if (Buffer.byteLength(word + char) > 42) {
      words.push(word);
      word = "";
    }
    word += char;
  }
  words.push(word);
  return words.map((each) => `=?UTF-8?B?${Buffer.from(each).toString("base64")}?=`).join(" ");
}

function hasLongWord(text: string): boolean {
  return text.split(" ").some((word) => word.length > 500);
}

/** Breaks a header before blanks, so that its lines are short where they can be. */
function fold(header: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of header.split(/(?= )/)) {
    // Never a line of blanks alone: old programs take it for the headers' end.
    if (line !== "" && line.length + word.length > lineLimit && word.trim() !== "" && line.trim() !== "") {
      lines.push(line);
      line = "";
    }
    line += word;
  }
  return [...lines, line].join("\n");
}

/** `Sat, 21 Nov 2026 03:00:04 +0100`, local time. */
function formatMailDate(date: Date): string {
  const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = `${days[date.getDay()]}, ${date.getDate()} ${months[date.getMonth()]} ${date.getFullYear()}`;
  return `${day} ${clockTime(date)} ${zoneOffset(date, "")}`;
}

/** `2026-11-21 03:00:04 +01:00`, local time. */
export function localTime(date: Date): string {
  const day = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join("-");
  return `${day} ${clockTime(date)} ${zoneOffset(date, ":")}`;
}

function clockTime(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
}

function zoneOffset(date: Date, between: string): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${twoDigits(Math.floor(size / 60))}${between}${twoDigits(size % 60)}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}

function quotedPrintable(text: string): string {
  return text.split("\n").map(quotedLine).join("\n");
}

/** One line; where it is long, several, each but the last ending in `=`. */
function quotedLine(line: string): string {
  const lines: string[] = [];
  let shown = "";
  const bytes = Buffer.from(line);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    const isLast = at === bytes.length - 1;
    const isPlain =
      byte !== 0x3d && ((byte > 0x20 && byte < 0x7f) || ((byte === 0x20 || byte === 9) && !isLast));
    const unit = isPlain ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    if (shown.length + unit.length > lineLimit - 1) {
      lines.push(`${shown}=`);
      shown = "";
    }
    shown += unit;
  }
  return [...lines, shown].join("\n");
}

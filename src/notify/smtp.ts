/**
 * Sending a mail to a mail server, through nodemailer's SMTP connection.
 *
 * Certificates are always checked: NODE_TLS_REJECT_UNAUTHORIZED has no say here. With a password TLS is required, unless
 * `tls=never` forgoes it in so many words.
 */
import type SmtpConnection from "nodemailer/lib/smtp-connection";
import type { SmtpWay } from "../model/mail-through.ts";
import { Problem } from "../model/problem.ts";
import { readFileStart } from "../system/files.ts";
import type { Delivery } from "./delivery.ts";
import type { MailItem } from "./outbox.ts";
import { packNodemailer } from "./pack-nodemailer.ts" with { type: "macro" };
import { type Credentials, readPasswordFile } from "./password-file.ts";
import { safeLine } from "./shown-text.ts";

/** How long is waited, in milliseconds. */
export interface SmtpTimes {
  /** For the connection, and then for the greeting. */
  readonly connectMs: number;
  /** For all of it. */
  readonly wholeMs: number;
}

/** As long as a mail server may take. */
export const smtpTimes: SmtpTimes = { connectMs: 10_000, wholeMs: 60_000 };

const caSizeLimit = 4 * 1024 * 1024;
const reasonLimit = 300;
/** Refusals that are ours to mend, not the mail's: authentication wanted, failed or too weak, encryption wanted. */
const settingsCodes = [530, 534, 535, 538];

interface SmtpError extends Error {
  readonly code?: string;
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

/** Sends one mail. Never throws. */
export async function sendBySmtp(
  item: Pick<MailItem, "from" | "to" | "text">,
  way: SmtpWay,
  passwordFile: string | undefined,
  times: SmtpTimes = smtpTimes,
): Promise<Delivery> {
  const later = (reason: string): Delivery => ({ kind: "later", reason, isTransport: true });
  const credentials = passwordFile === undefined ? undefined : readPasswordFile(passwordFile, way.user);
  if (credentials instanceof Problem) return later(credentials.message);
  const ca = way.caFile === undefined ? undefined : readFileStart(way.caFile, caSizeLimit);
  if (ca?.error !== undefined) return later(`${way.caFile} must be readable: ${ca.error.text}`);

  const { host, port, tls } = way;
  const connection = new (smtpConnectionClass())({
    host,
    port,
    secure: tls === "implicit",
    requireTLS: tls === "required" || (tls === "offered" && credentials !== undefined),
    ignoreTLS: tls === "never",
    connectionTimeout: times.connectMs,
    greetingTimeout: times.connectMs,
    dnsTimeout: times.connectMs,
    socketTimeout: times.wholeMs,
    tls: { rejectUnauthorized: true, ...(ca && { ca: new TextDecoder().decode(ca.bytes) }) },
  });
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => limit.reject(new Error(`not done within ${times.wholeMs / 1000} s`)),
    times.wholeMs,
  );
  // Also what comes when nobody waits any more: an error event without a listener would end the process.
  connection.on("error", (error) => limit.reject(error));
  limit.promise.catch(() => {}); // It is raced against below; on its own it says nothing new.
  try {
    await Promise.race([converse(connection, item, credentials), limit.promise]);
    return { kind: "sent" };
  } catch (error) {
    return judge(error instanceof Error ? error : new Error(String(error)), credentials);
  } finally {
    clearTimeout(timer);
    connection.close();
  }
}

async function converse(
  connection: SmtpConnection,
  { from, to, text }: Pick<MailItem, "from" | "to" | "text">,
  credentials: Credentials | undefined,
): Promise<void> {
  await step((done) => connection.connect(done));
  if (credentials !== undefined) {
    const { user, password } = credentials;
    await step((done) =>
      connection.login({ user, pass: password, credentials: { user, pass: password } }, done),
    );
  }
  // An envelope without a sender is a bounce's, which nobody answers.
  const envelope = { from: from ?? false, to: [to] } as const;
  await step((done) =>
    connection.send({ ...envelope, to: [...envelope.to] }, text.replace(/\r?\n/g, "\r\n"), (error) =>
      done(error),
    ),
  );
  connection.quit();
}

function step(start: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

/** 5xx to the mail itself is for good (RFC 5321, 4.2.1); to the greeting or the login it is for the operator to mend. */
function judge(error: SmtpError, credentials: Credentials | undefined): Delivery {
  const { command = "", responseCode = 0 } = error;
  const reason = withoutSecrets(error.response ?? error.message, credentials);
  const isOfMail = /^(MAIL FROM|RCPT TO|DATA)$/.test(command) && responseCode >= 400;
  const isForSettings = settingsCodes.includes(responseCode) || responseCode === 421;
  if (!isOfMail || isForSettings) return { kind: "later", reason, isTransport: true };
  return responseCode >= 500 ? { kind: "never", reason } : { kind: "later", reason, isTransport: false };
}

/** A server may answer with what it was sent. */
function withoutSecrets(text: string, credentials: Credentials | undefined): string {
  let shown = text;
  if (credentials !== undefined) {
    const { user, password } = credentials;
    for (const secret of [password, `\0${user}\0${password}`]) {
      shown = shown.replaceAll(Buffer.from(secret).toString("base64"), "[...]").replaceAll(secret, "[...]");
    }
  }
  return safeLine(shown).slice(0, reasonLimit).toWellFormed();
}

let loaded: typeof SmtpConnection | undefined;

/** The packed module is evaluated at the first mail. */
function smtpConnectionClass(): typeof SmtpConnection {
  if (loaded === undefined) {
    const module: { exports: { default?: typeof SmtpConnection } } = { exports: {} };
    const evaluate = new Function("require", "module", "exports", packNodemailer());
    evaluate((name: string) => process.getBuiltinModule(name), module, module.exports);
    loaded = module.exports.default;
  }
  if (loaded === undefined) throw new Problem("internal", "nodemailer has no SMTP connection");
  return loaded;
}

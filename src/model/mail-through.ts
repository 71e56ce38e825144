/**
 * `mail_through`: which way mail leaves this machine.
 */
import { quoted } from "./printable.ts";
import { Problem } from "./problem.ts";
import { hidePassword } from "./redact.ts";

/** A way for mail. */
export type MailThrough = SendmailWay | SmtpWay;

/** A program with sendmail's options. */
export interface SendmailWay {
  readonly kind: "sendmail";
  /** Undefined: it is looked for. */
  readonly program: string | undefined;
}

/** A mail server. */
export interface SmtpWay {
  readonly kind: "smtp";
  readonly host: string;
  readonly port: number;
  /** Undefined: the password file tells it. */
  readonly user: string | undefined;
  /** `implicit`: from the first byte, `smtps://`. `offered`: STARTTLS where the server offers it. */
  readonly tls: "implicit" | "required" | "offered" | "never";
  /** Of certificates that are trusted instead of the system's. */
  readonly caFile: string | undefined;
}

const rule = "sendmail, the absolute path of a program like it, or smtp:// or smtps:// with a host";

/** Reads a `mail_through`. Pure and total. @returns a Problem (`invalid`) which never tells a password */
export function parseMailThrough(text: string): MailThrough | Problem {
  if (text === "sendmail") return { kind: "sendmail", program: undefined };
  if (text.startsWith("/") && !text.includes("\0")) return { kind: "sendmail", program: text };
  const url = URL.parse(text);
  if (url !== null && url.password !== "") {
    return new Problem(
      "invalid",
      `mail_through must not have a password in it: got ${quoted(hidePassword(text))}`,
      {
        hint: "write it into a file of mode 0600, and name that: mail_password_file",
      },
    );
  }
  const invalid = new Problem("invalid", `mail_through must be ${rule}: got ${quoted(hidePassword(text))}`, {
    hint: "for instance smtp://rcron@mail.example.org:587?tls=required",
  });
  if (url === null || (url.protocol !== "smtp:" && url.protocol !== "smtps:")) return invalid;
  const host = decodeURIComponentOr(url.hostname).replace(/^\[(.*)\]$/, "$1");
  const isImplicit = url.protocol === "smtps:";
  const port = url.port === "" ? (isImplicit ? 465 : 25) : Number(url.port);
  if (!/^[\w.:-]+$/.test(host) || port === 0 || !/^\/?$/.test(url.pathname) || url.hash !== "")
    return invalid;
  const keys = [...url.searchParams.keys()];
  if (keys.some((key) => key !== "ca" && (key !== "tls" || isImplicit))) return invalid;
  if (new Set(keys).size !== keys.length) return invalid;
  const tls = isImplicit ? "implicit" : (url.searchParams.get("tls") ?? "offered");
  const caFile = url.searchParams.get("ca") ?? undefined;
  if (tls !== "implicit" && tls !== "required" && tls !== "never" && tls !== "offered") return invalid;
  if (caFile !== undefined && (!caFile.startsWith("/") || tls === "never")) return invalid;
  const user = url.username === "" ? undefined : decodeURIComponentOr(url.username);
  return { kind: "smtp", host, port, user, tls, caFile };
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // No escapes then; the host's own rule refuses the percent sign.
  }
}

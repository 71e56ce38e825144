/**
 * Webhooks and chat messages on their way: a POST of JSON, which tells the receiver of a webhook who it comes from.
 *
 * A signature is made anew for each attempt, over the moment of the attempt and the body: so a receiver can refuse what is old, and
 * an item that has waited for a day is as good as a fresh one. docs/mail.md shows how a receiver checks it.
 */
import { Problem } from "../model/problem.ts";
import type { Delivery } from "./delivery.ts";
import { postTo } from "./http-post.ts";
import type { PostItem } from "./outbox.ts";
import { readSecretFile } from "./secret-file.ts";

/** How it is sent. */
export interface WebhookWay {
  /** What is signed with; undefined: nothing is. Messages to a chat never are. */
  readonly secretFile: string | undefined;
  /** rcron's own, for `User-Agent`. */
  readonly version: string;
  readonly nowMs?: number;
  readonly timeLimitMs?: number;
}

/** Sends it. Never throws. What can't be signed is not sent. */
export async function sendWebhook(
  { kind, url, body }: Pick<PostItem, "kind" | "url" | "body">,
  { secretFile, version, nowMs = Date.now(), timeLimitMs }: WebhookWay,
): Promise<Delivery> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": `rcron/${version}`,
  };
  if (kind === "webhook" && secretFile !== undefined) {
    const secret = readSecretFile(secretFile, "webhook_secret_file");
    // It is for the operator to mend: the item stays.
    if (secret instanceof Problem) {
      return { kind: "later", reason: secret.message, isTransport: false };
    }
    const timestamp = String(Math.floor(nowMs / 1000));
    headers["x-rcron-timestamp"] = timestamp;
    headers["x-rcron-signature"] = signatureOf(secret, timestamp, body);
  }
  return postTo(url, { body, headers, redirects: "refuse", timeLimitMs }, nowMs);
}

/** `sha256=` and the HMAC of `TIMESTAMP.BODY` in hexadecimal digits. @param timestamp seconds since 1970 */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  const hmac = new Bun.CryptoHasher("sha256", secret).update(`${timestamp}.${body}`);
  return `sha256=${hmac.digest("hex")}`;
}

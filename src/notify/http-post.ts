/**
 * One POST, and what its answer means. Of the answer nothing is read but its status and how long to wait.
 */
import type { Delivery } from "./delivery.ts";

/** What is posted. */
export interface Post {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `follow`: as a browser does. `refuse`: the body goes to the server that was named, and to no other. */
  readonly redirects: "follow" | "refuse";
  /** Ends the attempt early. */
  readonly signal?: AbortSignal | undefined;
  readonly timeLimitMs?: number | undefined;
}

const defaultTimeLimitMs = 10_000;
/** A server that wants to be left alone for longer is asked again nevertheless. */
export const longestWaitMs = 3_600_000;
/** An answer that may be another one soon. */
const passing = [408, 425, 429];
/** Somebody in between, or a server that is being mended, may answer so; the two other redirects are for good. */
const passingRedirects = [302, 303, 307];

/** Sends it, and waits for the answer. Never throws. No reason has the URL in it. */
export async function postTo(url: string, post: Post, nowMs = Date.now()): Promise<Delivery> {
  const { body, headers, redirects, signal, timeLimitMs = defaultTimeLimitMs } = post;
  const timeout = AbortSignal.timeout(timeLimitMs);
  try {
    const answer = await fetch(url, {
      method: "POST",
      body,
      headers,
      redirect: redirects === "follow" ? "follow" : "manual",
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
      tls: { rejectUnauthorized: true },
    });
    await answer.body?.cancel();
    return judge(answer, nowMs);
  } catch (error) {
    const reason = timeout.aborted ? `no answer within ${timeLimitMs / 1000} s` : reasonOf(error);
    return { kind: "later", reason, isTransport: true };
  }
}

function judge({ ok, status, headers }: Response, nowMs: number): Delivery {
  if (ok) return { kind: "sent" };
  const isRedirect = status >= 300 && status < 400;
  const reason = `the server answered ${status}${isRedirect ? ", a redirect, which is not followed" : ""}`;
  const isLasting = isRedirect
    ? !passingRedirects.includes(status)
    : status >= 400 && status < 500 && !passing.includes(status);
  if (isLasting) return { kind: "never", reason };
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"), nowMs);
  return { kind: "later", reason, isTransport: false, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/**
 * Reads `Retry-After`: seconds, or a date.
 * @returns 0 to {@link longestWaitMs}; undefined where there is none, and for what is neither
 */
export function parseRetryAfter(text: string | null, nowMs: number): number | undefined {
  if (text === null) return undefined;
  const trimmed = text.trim();
  const isDate = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(trimmed);
  const ms = /^\d{1,12}$/.test(trimmed)
    ? Number(trimmed) * 1000
    : isDate
      ? Date.parse(trimmed) - nowMs
      : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.min(longestWaitMs, Math.max(0, ms));
}

/** Without the URL, which the runtime's messages can hold. */
function reasonOf(error: unknown): string {
  // That of an attempt which its caller has ended is a number, and says nothing to anybody.
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return code === "" ? "the server can't be reached" : `the server can't be reached (${code})`;
}

/**
 * Pings in the protocol of healthchecks.io, which Healthchecks' own and compatible servers speak.
 * @see https://healthchecks.io/docs/http_api/
 */
import type { EndEvent } from "../model/run-event.ts";
import type { Delivery } from "./delivery.ts";
import { postTo } from "./http-post.ts";

/** How much of a body the service keeps. */
export const pingBodyLimit = 100_000;

/**
 * The URL for an event of a run. A query that the URL has stays, and `rid` comes behind it.
 * @param end undefined: the run's start
 * @returns undefined where the text is no http or https URL
 */
export function pingUrl(text: string, runId: string, end: EndEvent | undefined): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  url.pathname = url.pathname.replace(/\/+$/, "") + signalOf(end);
  url.hash = "";
  url.searchParams.set("rid", ridOf(runId));
  return url.href;
}

/** A status that is 0 would mean success, and one that is none, nothing: then it is a failure without a number. */
function signalOf(end: EndEvent | undefined): string {
  if (end === undefined) return "/start";
  if (end.ok) return "";
  const { cause, exit } = end;
  return cause === "exit" && exit !== undefined && exit >= 1 && exit <= 255 ? `/${exit}` : "/fail";
}

/**
 * The run's id in the form of a UUID, as the protocol asks for: its sixteen digits, readable, in version 8 (RFC 9562), whose
 * content is anybody's own. Always the same for the same run.
 */
export function ridOf(runId: string): string {
  const digits = runId
    .toLowerCase()
    .replace(/[^0-9a-f]/g, "")
    .padEnd(16, "0")
    .slice(0, 16);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(12, 15)}-8${digits.slice(15)}00-000000000000`;
}

/** A ping's or webhook's URL as it may be shown: behind the host stands the key to it. */
export function pingTarget(text: string): string {
  const url = URL.parse(text);
  return url === null ? "?" : `${url.protocol}//${url.host}/...`;
}

/**
 * Sends a ping. Never throws.
 * @param signal ends the attempt early
 */
export async function sendPing(url: string, body: string, signal?: AbortSignal): Promise<Delivery> {
  const headers = { "content-type": "text/plain; charset=utf-8", "user-agent": "rcron" };
  return postTo(url, { body, headers, redirects: "follow", signal });
}

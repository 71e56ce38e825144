/**
 * Sending a mail through this machine's sendmail, as cron does.
 */
import { thrownSystemError } from "../system/libc.ts";
import type { Delivery } from "./delivery.ts";
import type { MailItem } from "./outbox.ts";
import { safeLine } from "./shown-text.ts";

const usualPlaces = ["/usr/sbin/sendmail", "/usr/lib/sendmail"];
const timeLimitMs = 60_000;
/** Some programs leave a child behind that holds standard error open; it is not waited for. */
const lastWordsMs = 200;
const reasonLimit = 300;
/** <sysexits.h>: EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST. All others may be gone tomorrow. */
const lastingStatuses = [64, 65, 67, 68];

/**
 * Hands one mail to sendmail. Never throws.
 * @param program undefined: /usr/sbin, /usr/lib and then PATH
 * @param limitMs after which it is killed
 */
export async function sendBySendmail(
  { from, to, text }: Pick<MailItem, "from" | "to" | "text">,
  program: string | undefined,
  limitMs = timeLimitMs,
): Promise<Delivery> {
  const fs = process.getBuiltinModule("node:fs");
  const file = program ?? usualPlaces.find((path) => fs.existsSync(path)) ?? Bun.which("sendmail");
  const later = (reason: string): Delivery => ({ kind: "later", reason, isTransport: true });
  if (file === null) return later("there is no sendmail in /usr/sbin, /usr/lib or PATH");
  try {
    const child = Bun.spawn([file, "-i", ...(from === undefined ? [] : ["-f", from]), "--", to], {
      cwd: "/",
      stdin: Buffer.from(text),
      stdout: "ignore",
      stderr: "pipe",
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    const words = lastWords(child.stderr);
    const status = await child.exited;
    if (status === 0) return { kind: "sent" };
    const said = await words();
    const how =
      child.signalCode === null
        ? `exit status ${status}`
        : child.signalCode === "SIGKILL"
          ? `killed, or not done within ${limitMs / 1000} s`
          : `ended by ${child.signalCode}`;
    const reason = `${file}: ${how}${said === "" ? "" : `: ${said}`}`;
    const isLasting = child.signalCode === null && lastingStatuses.includes(status);
    return isLasting ? { kind: "never", reason } : { kind: "later", reason, isTransport: false };
  } catch (error) {
    return later(`${file} must be executable: ${thrownSystemError(error).text}`);
  }
}

/** Reads from now on; the function it returns waits a moment longer and gives what there is. */
function lastWords(stream: ReadableStream<Uint8Array>): () => Promise<string> {
  let said = "";
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const part of stream) if (said.length < reasonLimit) said += decoder.decode(part);
  })().catch(() => {}); // What it said is a help and no more.
  return async () => {
    await Promise.race([reading, Bun.sleep(lastWordsMs)]);
    return safeLine(said.trim()).slice(0, reasonLimit).toWellFormed();
  };
}

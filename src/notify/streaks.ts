/**
 * When a run is mailed about, and the little that must be remembered for that from run to run.
 *
 * Each job of a cluster has a file with its failures in a row and, for either kind of address, the pause that `mail_every`
 * asks for. The rule that everything here serves: whoever reads only the mails never believes a wrong state.
 *
 * - An address with `if-error:` hears of the first failure in a row and of the success that ends them.
 *   So does a chat.
 * - Any other address hears of each run that failed, printed something, or ended a row of failures.
 * - Within a pause nothing goes out. What would have is one mail, due when the pause ends, which each later run that
 *   should be told of replaces by its own: so the last word is always the true one, with the count of the rest.
 */
import type { WebhookWhen } from "../model/rules.ts";
import { readFileStart, writeFileAtomically } from "../system/files.ts";
import { thrownSystemError } from "../system/libc.ts";
import { type Lock, takeLock } from "../system/lock.ts";
import type { Occasion } from "./run-in-words.ts";

/** The two kinds of addresses. */
export type Audience = "always" | "if-error";

/** What is remembered of a job. */
export interface Streak {
  /** In a row, up to the last run. */
  readonly failures: number;
  /** When the first of them ended; 0 where there is none. */
  readonly sinceMs: number;
  readonly audiences: Readonly<Record<Audience, Pause>>;
}

/** What an audience has not been told. */
export interface Pause {
  /** No mail before; 0 where there is no pause. */
  readonly untilMs: number;
  /** Since the last mail. */
  readonly runs: number;
  readonly failed: number;
  /** How many of these would have been mailed. */
  readonly heldBack: number;
}

/** A mail that is to be sent. */
export interface Plan {
  readonly dueMs: number;
  readonly occasion: Occasion;
}

/** What a run brings. */
export interface RunForStreak {
  readonly isOk: boolean;
  readonly hasOutput: boolean;
  readonly atMs: number;
  /** Undefined: no pauses. */
  readonly everyMs: number | undefined;
}

const noPause: Pause = { untilMs: 0, runs: 0, failed: 0, heldBack: 0 };
/** Of a job of which nothing is known. */
export const noStreak: Streak = {
  failures: 0,
  sinceMs: 0,
  audiences: { always: noPause, "if-error": noPause },
};

const sizeLimit = 4096;
const lockWaitMs = 1000;

/** Who is to be told of a run, and what is to be remembered then. Pure. */
export function decideMails(
  streak: Streak,
  run: RunForStreak,
): { next: Streak; plans: Readonly<Record<Audience, Plan | undefined>> } {
  const failures = run.isOk ? 0 : streak.failures + 1;
  const sinceMs = run.isOk ? 0 : streak.failures === 0 ? run.atMs : streak.sinceMs;
  const hasRecovered = run.isOk && streak.failures > 0;
  const told: Omit<Occasion, "sinceLastMail"> = hasRecovered
    ? { failures: streak.failures, failingSinceMs: streak.sinceMs }
    : { failures, failingSinceMs: failures > 1 ? sinceMs : undefined };
  const always = plan(streak.audiences.always, run, told, !run.isOk || run.hasOutput || hasRecovered);
  const ifError = plan(streak.audiences["if-error"], run, told, failures === 1 || hasRecovered);
  return {
    next: { failures, sinceMs, audiences: { always: always.pause, "if-error": ifError.pause } },
    plans: { always: always.plan, "if-error": ifError.plan },
  };
}

/**
 * Whether a webhook is told of a run. No pause holds it back: a program has no mailbox that could overflow, and would believe what
 * it was told last. Pure.
 */
export function decideWebhook(
  streak: Streak,
  { isOk, atMs }: Pick<RunForStreak, "isOk" | "atMs">,
  when: WebhookWhen,
): Plan | undefined {
  const run = { isOk, hasOutput: when === "always", atMs, everyMs: undefined };
  const { plans } = decideMails(streak, run);
  return when === "change" ? plans["if-error"] : plans.always;
}

function plan(
  pause: Pause,
  { isOk, atMs, everyMs }: RunForStreak,
  told: Omit<Occasion, "sinceLastMail">,
  isWanted: boolean,
): { pause: Pause; plan: Plan | undefined } {
  if (everyMs === undefined) {
    const occasion = { ...told, sinceLastMail: undefined };
    return { pause: noPause, plan: isWanted ? { dueMs: atMs, occasion } : undefined };
  }
  const runs = pause.runs + 1;
  const failed = pause.failed + (isOk ? 0 : 1);
  if (!isWanted) return { pause: { ...pause, runs, failed }, plan: undefined };
  // A pause that ends later than any can was made by a clock that has been set back since.
  const isPaused = atMs < pause.untilMs && pause.untilMs <= atMs + everyMs;
  const sinceLastMail = isPaused || pause.heldBack > 0 ? { runs, failed } : undefined;
  const occasion = { ...told, sinceLastMail };
  if (isPaused) {
    const held = { untilMs: pause.untilMs, runs, failed, heldBack: pause.heldBack + 1 };
    return { pause: held, plan: { dueMs: pause.untilMs, occasion } };
  }
  return { pause: { ...noPause, untilMs: atMs + everyMs }, plan: { dueMs: atMs, occasion } };
}

/** The name of a job's file: readable, and another one for every job and cluster. */
export function streakName(job: string, cluster: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(JSON.stringify([job, cluster])).digest("hex");
  const readable = (text: string) => text.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 60);
  return `${readable(job)}@${readable(cluster)}-${digest.slice(0, 16)}`;
}

/**
 * Reads a job's file.
 * @returns {@link noStreak} where there is none, or one that makes no sense: then it is begun anew
 */
export function readStreak(folder: string, name: string): Streak {
  const file = readFileStart(pathOf(folder, name), sizeLimit);
  if (file.error !== undefined || !file.isWhole) return noStreak;
  return parseStreak(new TextDecoder().decode(file.bytes)) ?? noStreak;
}

/** Pure and total. */
export function parseStreak(text: string): Streak | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // Torn or foreign: that is the answer.
  }
  if (!isRecord(value) || !isRecord(value["audiences"])) return undefined;
  const { failures, sinceMs, audiences } = value;
  const always = parsePause(audiences["always"]);
  const ifError = parsePause(audiences["if-error"]);
  if (!isCount(failures) || !isCount(sinceMs) || always === undefined || ifError === undefined)
    return undefined;
  return { failures, sinceMs, audiences: { always, "if-error": ifError } };
}

function parsePause(value: unknown): Pause | undefined {
  if (!isRecord(value)) return undefined;
  const { untilMs, runs, failed, heldBack } = value;
  if (!isCount(untilMs) || !isCount(runs) || !isCount(failed) || !isCount(heldBack)) return undefined;
  return { untilMs, runs, failed, heldBack };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/**
 * Replaces a job's file in one step. To be called under {@link lockStreak}.
 * @throws {Problem} `denied` or `internal`
 */
export async function writeStreak(folder: string, name: string, streak: Streak): Promise<void> {
  await writeFileAtomically(pathOf(folder, name), JSON.stringify(streak), 0o600);
}

/**
 * Takes a job's lock, so that of two runs that end at once the second one counts on from the first.
 * @returns the reason where it can't be had within a second
 */
export async function lockStreak(folder: string, name: string): Promise<Lock | string> {
  try {
    process.getBuiltinModule("node:fs").mkdirSync(`${folder}/streaks`, { recursive: true, mode: 0o700 });
  } catch (error) {
    return thrownSystemError(error).text;
  }
  return takeLock(`${folder}/streaks/.${name}.lock`, lockWaitMs);
}

/** A mail that waited for its pause's end has gone out: the next pause begins. Nothing is done where that can't be kept. */
export async function beginPause(
  folder: string,
  { name, audience, everyMs }: { name: string; audience: Audience; everyMs: number },
  nowMs: number,
): Promise<void> {
  const lock = await lockStreak(folder, name);
  if (typeof lock === "string") return;
  try {
    const streak = readStreak(folder, name);
    const audiences = { ...streak.audiences, [audience]: { ...noPause, untilMs: nowMs + everyMs } };
    await writeStreak(folder, name, { ...streak, audiences });
  } catch {
    // A full disk: the next mail comes sooner than it should, which is better than none.
  } finally {
    lock.release();
  }
}

function pathOf(folder: string, name: string): string {
  return `${folder}/streaks/${name}.json`;
}

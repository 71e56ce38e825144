/**
 * A pause: a stretch of time in which an operator wants a job, or all of them, not to be started. It ends by itself.
 */

/** What `rcronctl pause` sets. */
export interface Pause {
  /** The job's name; undefined: all jobs. */
  readonly job: string | undefined;
  readonly sinceMs: number;
  /** From this instant on it holds no more. */
  readonly untilMs: number;
  /** What the operator gave as the reason; may be empty. */
  readonly why: string;
  /** Who set it: a user's name, or a number. */
  readonly by: string;
}

/** The pause that a tick fell into: of several the one that ends last; undefined for none. */
export function pauseAt(pauses: readonly Pause[], job: string, atMs: number): Pause | undefined {
  return lastOf(
    pauses.filter(({ sinceMs }) => atMs >= sinceMs),
    job,
    atMs,
  );
}

/** The same for now: a pause that was set holds, also if the clock has been set back behind its beginning. */
export function pauseNow(pauses: readonly Pause[], job: string, nowMs: number): Pause | undefined {
  return lastOf(pauses, job, nowMs);
}

function lastOf(pauses: readonly Pause[], job: string, atMs: number): Pause | undefined {
  let found: Pause | undefined;
  for (const pause of pauses) {
    if (pause.job !== undefined && pause.job !== job) continue;
    if (atMs >= pause.untilMs) continue;
    if (found === undefined || pause.untilMs > found.untilMs) found = pause;
  }
  return found;
}

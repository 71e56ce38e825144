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

/** The pause that keeps a job from being started at an instant: of several the one that ends last; undefined for none. */
export function pauseOf(pauses: readonly Pause[], job: string, atMs: number): Pause | undefined {
  let found: Pause | undefined;
  for (const pause of pauses) {
    if (pause.job !== undefined && pause.job !== job) continue;
    if (atMs < pause.sinceMs || atMs >= pause.untilMs) continue;
    if (found === undefined || pause.untilMs > found.untilMs) found = pause;
  }
  return found;
}

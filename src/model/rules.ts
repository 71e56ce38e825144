/**
 * The rules under which a job runs: what acron's job files, an option before the command and a key of rcron.conf's
 * `[job NAME]` sections can say. A job without any of them is started and waited for, and nothing more.
 */

/** The rules of one job, each value proven. */
export interface Rules {
  /** What the job is called in lock, log, mail and record; undefined: the base name of its command. */
  readonly name: string | undefined;
  /** How long one attempt may last. When it is over, the job's whole tree gets TERM, and the run has failed. */
  readonly timeoutMs: number | undefined;
  /** From TERM to KILL; undefined: as long as the timeout was, and `defaultGraceMs` where there is none. */
  readonly graceMs: number | undefined;
  /** After a timeout the exit status is the job's own instead of 124. */
  readonly preserveStatus: boolean;
  readonly overlap: Overlap;
  /** What an earlier run must have left for the next one to start: the job itself, or all that it has started. */
  readonly overlapScope: "job" | "tree";
  /** The start is put off by this machine's share of so long a period, always the same. */
  readonly splayMs: number | undefined;
  /** The start is put off by a random time below this. */
  readonly jitterMs: number | undefined;
  /** A line for `/bin/sh -c`; the job runs only if it exits 0. */
  readonly condition: string | undefined;
  readonly conditionTimeoutMs: number;
  /** Empty: the job has this process's own output, and nothing is copied. */
  readonly outputs: readonly OutputRule[];
  readonly failsWhen: FailureRule;
  /** How often a failed job is started again. */
  readonly retries: number;
  /** From a failure to the first retry; doubled for each further one, up to an hour. */
  readonly retryDelayMs: number;
  /** In the protocol of healthchecks.io. */
  readonly pingUrl: string | undefined;
  /** Gets a JSON document about a run's end. */
  readonly webhookUrl: string | undefined;
  /** Of which ends `webhookUrl` hears. */
  readonly webhookWhen: WebhookWhen;
  /** Gets a message about a run's end, as Slack's incoming webhooks take it. */
  readonly slackUrl: string | undefined;
  /** The exit status of a run that did not happen: passive machine, overlap, condition. */
  readonly skipExit: number;
  /** Absolute, -20…19; undefined: as rcron.conf says. */
  readonly niceLevel: number | undefined;
  /** Whose rights and groups the job has; undefined: the caller's. */
  readonly user: string | undefined;
  /** Absolute. */
  readonly workingFolder: string | undefined;
  readonly umask: number | undefined;
  /** Absolute path of a file of `NAME=value` lines. */
  readonly environmentFile: string | undefined;
  /** No two mails, and no two messages to `slackUrl`, about the job within this time; undefined: no such bound. */
  readonly mailEveryMs: number | undefined;
}

/**
 * `change`: the first failure in a row, and the success that ends it. `failure`: each failure, and that success. `always`: each
 * run.
 */
export type WebhookWhen = "change" | "failure" | "always";

/** What becomes of a run that is due while an earlier one still goes on. */
export type Overlap =
  | { readonly mode: "allow" | "skip" | "clobber" }
  | { readonly mode: "wait"; readonly waitMs: number };

/** Where a job's output goes. */
export interface OutputRule {
  /** Only if the run fails; then all of it. */
  readonly isIfError: boolean;
  readonly sink: Sink;
}

/** One receiver of output. `cron` is this process's own standard output and error, which cron mails. */
export type Sink =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "mail"; readonly address: string }
  | { readonly kind: "syslog" }
  | { readonly kind: "cron" };

/** What makes a run a failure, besides a signal, a timeout and a command that can't be started. */
export interface FailureRule {
  /** An exit status that is not among `success`. */
  readonly ifNonzero: boolean;
  /** Anything on standard error. */
  readonly ifStderr: boolean;
  /** The exit statuses that mean success. */
  readonly success: readonly number[];
}

/** From TERM to KILL where nothing else says. */
export const defaultGraceMs = 60_000;
/** How long `--overlap wait` waits without a time of its own. */
export const defaultOverlapWaitMs = 3_600_000;

/** The rules of a job of which nothing is said. */
export const noRules: Rules = {
  name: undefined,
  timeoutMs: undefined,
  graceMs: undefined,
  preserveStatus: false,
  overlap: { mode: "allow" },
  overlapScope: "job",
  splayMs: undefined,
  jitterMs: undefined,
  condition: undefined,
  conditionTimeoutMs: 60_000,
  outputs: [],
  failsWhen: { ifNonzero: true, ifStderr: false, success: [0] },
  retries: 0,
  retryDelayMs: 30_000,
  pingUrl: undefined,
  webhookUrl: undefined,
  webhookWhen: "change",
  slackUrl: undefined,
  skipExit: 0,
  niceLevel: undefined,
  user: undefined,
  workingFolder: undefined,
  umask: undefined,
  environmentFile: undefined,
  mailEveryMs: undefined,
};

/** What is the same for a job that is only started. */
const ofPlainJobs: readonly string[] = ["name", "skipExit", "niceLevel"] satisfies (keyof Rules)[];

/** True where a job needs watching while it runs, or anything done before and after; false where it is only started. */
export function needSupervision(rules: Rules): boolean {
  for (const key in noRules) {
    const known = key as keyof Rules; // the object's own keys, and no others
    if (rules[known] === noRules[known] || ofPlainJobs.includes(key)) continue;
    if (!Bun.deepEquals(rules[known], noRules[known])) return true;
  }
  return false;
}

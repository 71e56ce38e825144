/**
 * A job with its times: what a job file or a line of a crontab says, parsed and proven. After loading, nothing looks at
 * the text again.
 */
import type { Assignment, Command } from "./job.ts";
import type { Owner, Placement } from "./placement.ts";
import type { Rules } from "./rules.ts";
import type { Schedule } from "./schedule.ts";

/** What `rcrond` starts when it is due. */
export interface ScheduledJob {
  /**
   * Unique, and the same after every restart: the path below the tree without its suffix (`web/backup`), for a line of a
   * crontab the file's and behind a colon the command's (`web/nightly:backup`). `rules.name` is the same.
   */
  readonly name: string;
  readonly source: JobSource;
  readonly command: Command;
  /** On top of what the job inherits; a crontab's also has SHELL and PATH, which cron sets. */
  readonly environment: readonly Assignment[];
  /** What stands behind the first `%` of a crontab's line; undefined: nothing to read. */
  readonly stdin: string | undefined;
  /** Where the job's output goes is proven here too: the receivers that hold where the file names none are among them. */
  readonly rules: Rules;
  readonly schedule: Schedule;
  /** Runs on the active machine only. */
  readonly isCluster: boolean;
  readonly missed: Missed;
  /** A tick that is older than this is not made up for, and not started late; undefined: no bound. */
  readonly startDeadlineMs: number | undefined;
  readonly description: string | undefined;
  /** A crontab's MAILTO as it is written; "" means no mail. Its addresses are among `rules.outputs`. */
  readonly mailTo: string | undefined;
  /** On which nodes it runs; such a job is a cluster's. Missing: on this machine. */
  readonly placement?: Placement;
  /** Who answers for it; their addresses are among `rules.outputs`. Missing: nobody is named. */
  readonly owners?: readonly Owner[];
}

/** Which of the ticks that nobody ran are made up for. */
export type Missed = "skip" | "latest" | "all";

/** The words of {@link Missed}. */
export const missedWords = ["skip", "latest", "all"] as const satisfies readonly Missed[];

/** Where a job stands. */
export interface JobSource {
  readonly path: string;
  /** From 1: the line of `run`, of the crontab's line, or of the command in a JSON file. */
  readonly line: number;
}

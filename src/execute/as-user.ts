/**
 * `--user`: a job with another user's rights.
 */
import type { Assignment, Command } from "../model/job.ts";
import { argvOf } from "../model/job.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { findUser } from "../system/users.ts";

/** What a job of that user has. */
export interface UserTerms {
  /** The command as that user. */
  readonly command: (command: Command) => Command;
  /** As cron sets them. */
  readonly environment: readonly Assignment[];
  /** Where cron would start the job. */
  readonly home: string;
}

/**
 * The terms on which a job runs as a user: user, primary group and all other groups by setpriv(1), which execs the job, so
 * that nothing stands between it and us; HOME, LOGNAME, USER and SHELL as Debian's cron sets them.
 * @returns the Problem `not-found` for nobody of that name, `denied` where this process is not root's, `internal` where
 *   nobody can be looked up
 */
export function asUser(name: string): UserTerms | Problem {
  const user = findUser(name);
  if (user === "no-libc") {
    return new Problem(
      "internal",
      `user ${quoted(name)} can't be looked up: this process can't call the C library`,
    );
  }
  if (user === undefined) {
    return new Problem("not-found", `user must be one of this machine: got ${quoted(name)}`, {
      hint: `getent passwd ${name}`,
    });
  }
  const own = process.getuid?.();
  if (own !== 0 && own !== user.uid) {
    return new Problem("denied", `only root can run a job as another user: got ${quoted(name)}`, {
      hint: `put the line into the crontab of ${user.name}: crontab -u ${user.name} -e`,
    });
  }
  const ids = ["--reuid", String(user.uid), "--regid", String(user.gid), "--init-groups"];
  return {
    command: (command) =>
      own === user.uid
        ? command
        : { kind: "words", words: ["/usr/bin/setpriv", ...ids, "--", ...argvOf(command)] },
    environment: [
      { name: "HOME", value: user.home },
      { name: "LOGNAME", value: user.name },
      { name: "USER", value: user.name },
      { name: "SHELL", value: "/bin/sh" },
    ],
    home: user.home,
  };
}

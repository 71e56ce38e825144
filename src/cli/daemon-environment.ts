/**
 * What the scheduler's jobs start from: as cron has it, and nothing of the daemon's own. A job shall not find out, by its
 * environment, whether systemd, cron or a person has started the daemon.
 */
import type { Assignment } from "../model/job.ts";
import { findUser } from "../system/users.ts";

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The variables of the daemon that count for its jobs as well: language and time zone. */
const handedOn = /^(LANG|LANGUAGE|LC_[A-Z]+|TZ)$/;

/**
 * The base of every job's environment.
 * @param environment the daemon's
 */
export function baseEnvironment(environment: NodeJS.ProcessEnv): Assignment[] {
  const base: Assignment[] = [
    { name: "PATH", value: environment["PATH"] ?? usualPath },
    { name: "SHELL", value: "/bin/sh" },
    ...ownUser(),
  ];
  for (const [name, value] of Object.entries(environment)) {
    if (handedOn.test(name) && value !== undefined) base.push({ name, value });
  }
  return base;
}

function ownUser(): Assignment[] {
  const user = findUser(String(process.getuid?.() ?? 0));
  // A number without a name, as containers have it.
  if (typeof user !== "object") return [{ name: "HOME", value: "/" }];
  return [
    { name: "HOME", value: user.home },
    { name: "LOGNAME", value: user.name },
    { name: "USER", value: user.name },
  ];
}

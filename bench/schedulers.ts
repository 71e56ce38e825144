/**
 * Schedulers under measurement: rcrond and Debian's cron, each in a folder of its own, and what the kernel knows of them.
 *
 * To be used on a private host as root: each cron gets a mount namespace in which /etc/cron.d, /etc/crontab, the users'
 * crontabs and its pid file are those of its folder, so that several can work at once and none sees the machine's.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A scheduler at work. */
export interface Scheduler {
  readonly pid: number;
  /** From the start to the moment when it takes questions; undefined for cron, which takes none. */
  readonly readyMs: number | undefined;
  /** What it has said on standard error so far; for rcrond with `log = stderr`. */
  said(): string;
  stop(): Promise<void>;
}

/** What it takes. */
export interface Consumption {
  /** In MB, a million bytes; file pages that others share are counted in. */
  readonly residentMB: number;
  readonly peakMB: number;
  /** Of all threads since the start, in ms; what is counted comes in steps of 10. */
  readonly cpuMs: number;
}

const spool = "/var/spool/cron/crontabs";
const pidFile = "/run/crond.pid";
const cronProgram = "/usr/sbin/cron";
const readyLimitMs = 30_000;

/** Why cron can't be measured here; undefined where it can. */
export function whyNoCron(): string | undefined {
  if (!existsSync(cronProgram)) return "cron is not installed";
  for (const place of ["/etc/cron.d", "/etc/crontab", spool]) {
    if (!existsSync(place)) return `${place} is missing`;
  }
  return undefined;
}

/**
 * Starts rcrond with the tree `jobs` in a folder, and waits until it has read it.
 * @param log where it logs; standard error is kept
 */
export async function startRcrond(
  program: string,
  folder: string,
  log: "syslog" | "stderr",
): Promise<Scheduler> {
  const own = join(folder, "rcrond");
  mkdirSync(join(own, "record"), { recursive: true });
  const [conf, socket, state] = [join(own, "rcron.conf"), join(own, "socket"), join(own, "state")];
  const lines = [
    `history = ${own}/record`,
    `state_file = ${own}/none`,
    "[daemon]",
    `state_folder = ${state}`,
    `socket = ${socket}`,
    `log = ${log}`,
    "concurrency = none",
  ];
  writeFileSync(conf, `${lines.join("\n")}\n`);
  const startMs = performance.now();
  const child = Bun.spawn([program, "--cron-dir", join(folder, "jobs"), "--conf", conf], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
  });
  let said = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) said += decoder.decode(chunk, { stream: true });
  })();
  while (!existsSync(socket)) {
    if (child.exitCode !== null || performance.now() - startMs > readyLimitMs) {
      child.kill("SIGKILL");
      throw new Error(`rcrond did not start: ${said}`);
    }
    await Bun.sleep(1);
  }
  return {
    pid: child.pid,
    readyMs: performance.now() - startMs,
    said: () => said,
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
      await reading;
    },
  };
}

/** Starts cron with the crontabs in `cron.d` of a folder. */
export function startCron(folder: string): Scheduler {
  const own = join(folder, "cron");
  mkdirSync(join(own, "spool"), { recursive: true });
  for (const name of ["crontab", "pid"]) writeFileSync(join(own, name), "");
  if (!existsSync(pidFile)) writeFileSync(pidFile, "");
  const script = `mount --bind "$1/cron.d" /etc/cron.d
mount --bind "$1/cron/crontab" /etc/crontab
mount --bind "$1/cron/spool" ${spool}
mount --bind "$1/cron/pid" ${pidFile}
exec ${cronProgram} -f`;
  const child = Bun.spawn(["unshare", "-m", "sh", "-euc", script, "sh", folder], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
  });
  return {
    pid: child.pid,
    readyMs: undefined,
    said: () => "",
    stop: async () => {
      child.kill("SIGKILL"); // it ends with its jobs' ends otherwise
      await child.exited;
    },
  };
}

/** @throws where the process has gone */
export function consumptionOf({ pid }: Scheduler): Consumption {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mb = (key: string) =>
    (Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024) / 1e6;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { residentMB: mb("VmRSS"), peakMB: mb("VmHWM"), cpuMs: ticks * 10 };
}

/** Processor time of its main thread since the start, in ms: as exact as the kernel's own clock, for short stretches. */
export function mainThreadMs({ pid }: Scheduler): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

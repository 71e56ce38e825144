/**
 * What must run beside rcron: cron, a daemon that reads the log, somebody who keeps the clock, and keepalived where it
 * is set up; and rcron's own program under its three names.
 */
import { durationInWords } from "../model/duration.ts";
import type { Examination } from "./finding.ts";
import type { Election } from "./keepalived-election.ts";
import type { Keepalived } from "./keepalived-files.ts";
import { isAbsent, isRefusal, type Machine, type RunningProcess, readText } from "./machine.ts";
import { folderOf } from "./path-safety.ts";

const cronNames = [
  "cron",
  "crond",
  "fcron",
  "bcron-start",
  "bcron-sched",
  "supercronic",
  "go-crond",
  "yacron",
];
const clockKeepers = ["chronyd", "ntpd", "systemd-timesyn", "ptp4l", "phc2sys", "ntpsec"];
/** With systemd-cron, timers are made of the crontabs, and no daemon runs. */
const timerGenerators = [
  "/usr/lib/systemd/system-generators/systemd-crontab-generator",
  "/lib/systemd/system-generators/systemd-crontab-generator",
];
const ticksPerSecond = 100;

export function checkDaemons(machine: Machine, exam: Examination): void {
  checkCron(machine, exam);
  checkLog(machine, exam);
  checkClock(machine, exam);
}

function checkCron(machine: Machine, exam: Examination): void {
  const cron = machine.processes().find(({ name }) => cronNames.includes(name));
  const isByTimers = timerGenerators.some((path) => !isRefusal(machine.stat(path)));
  if (cron !== undefined) {
    if (cron.state === "T") {
      exam.error("cron", cron.name, `cron must run: pid ${cron.pid} is stopped`, `kill -CONT ${cron.pid}`);
    } else exam.fine("cron", `${cron.name} runs (pid ${cron.pid})`);
  } else if (isByTimers) exam.fine("cron", "systemd-cron makes timers of the crontabs");
  else {
    exam.error(
      "cron",
      "cron",
      "a cron daemon must run, or no job starts: there is no process of that name",
      "systemctl enable --now cron (or crond)",
    );
  }
}

function checkLog(machine: Machine, exam: Examination): void {
  const answer = machine.connectLog();
  if (answer === "reached") {
    exam.fine("syslog", "/dev/log is read");
    return;
  }
  exam.warning(
    "syslog",
    "/dev/log",
    `somebody must read /dev/log, or rcron's lines are lost: ${answer.text}`,
    "start rsyslog, syslog-ng or systemd-journald",
  );
}

function checkClock(machine: Machine, exam: Examination): void {
  const keeper = machine.processes().find(({ name }) => clockKeepers.includes(name));
  const state = machine.clock();
  const who = keeper === undefined ? "no time service is seen" : `${keeper.name} runs`;
  if (state === "synchronised") exam.fine("clock", `the clock is synchronised (${who})`);
  else if (state === "unknown") exam.unseen("clock", `the clock: the kernel can't be asked (${who})`);
  else {
    exam.warning(
      "clock",
      "clock",
      `the clock must be synchronised, or the machines start a job at different times: the kernel says it is not, and ${who}`,
      keeper === undefined
        ? "systemctl enable --now systemd-timesyncd (or chrony)"
        : `see why ${keeper.name} does not reach its servers`,
    );
  }
}

/** keepalived, where it is set up. */
export function checkKeepalivedRuns(
  machine: Machine,
  exam: Examination,
  keepalived: Keepalived,
  election: Election | undefined,
): void {
  const { conf, confPath, program, running } = keepalived;
  if (isRefusal(conf)) {
    if (!isAbsent(conf)) exam.unseen("keepalived", `${confPath}: ${conf.text}`);
    else if (running !== undefined) {
      exam.error(
        "keepalived",
        confPath,
        "keepalived runs, and its configuration must be there: no such file",
        "put it there, and reload keepalived",
      );
    }
    return;
  }
  if (running === undefined) {
    if (program === undefined || election?.instances.length === 0) return;
    exam.warning(
      "keepalived",
      confPath,
      "keepalived must run where it is set up, or this machine is never elected: there is no such process",
      "systemctl enable --now keepalived",
    );
    return;
  }
  const stopped = machine.processes().find(({ name, state }) => name === "keepalived" && state === "T");
  if (stopped !== undefined) {
    exam.error(
      "keepalived",
      "keepalived",
      `keepalived must run: pid ${stopped.pid} is stopped, and what it last said stays`,
      `kill -CONT ${stopped.pid}`,
    );
  }
  const version = program === undefined ? undefined : machine.versionOf(program);
  exam.fine("keepalived", `${version ?? "keepalived"} runs (pid ${running.pid})`);
  const startedAtMs = startOf(machine, running);
  for (const path of conf.files) {
    const facts = machine.stat(path);
    // A second's grace: it may have been started by the script that wrote the file.
    if (startedAtMs === undefined || isRefusal(facts) || facts.modifiedAtMs <= startedAtMs + 1000) continue;
    exam.note(
      "keepalived-reload",
      path,
      `keepalived was started ${durationInWords(facts.modifiedAtMs - startedAtMs)} before its configuration was last changed: unless it was reloaded since, the old one holds`,
      "systemctl reload keepalived",
    );
  }
}

function startOf(machine: Machine, { startTicks }: RunningProcess): number | undefined {
  const uptime = readText(machine, "/proc/uptime");
  if (isRefusal(uptime)) return undefined;
  const seconds = Number(uptime.split(" ")[0]);
  return Number.isFinite(seconds)
    ? machine.nowMs - (seconds - startTicks / ticksPerSecond) * 1000
    : undefined;
}

/** rcrond and rcronctl beside rcron: links to the same file, so that an upgrade changes all three. */
export function checkNames(machine: Machine, exam: Examination): void {
  const installed = ["/usr/bin", "/usr/local/bin"].map((folder) => `${folder}/rcron`);
  const present = installed.filter((path) => !isRefusal(machine.stat(path)));
  const [first, second] = present;
  if (first === undefined) {
    exam.note(
      "rcron",
      "/usr/bin/rcron",
      "rcron is in neither /usr/bin nor /usr/local/bin: crontabs need its whole path",
      "install it there",
    );
    return;
  }
  const id = idOf(machine, first);
  if (second !== undefined && idOf(machine, second) !== id) {
    exam.warning(
      "rcron",
      second,
      `there must be one rcron: ${first} and ${second} are different files`,
      `remove one of them`,
    );
  }
  const links = ["rcrond", "rcronctl"].map((name) => `${folderOf(first)}/${name}`);
  const before = exam.troubles;
  for (const path of links) {
    const facts = machine.stat(path);
    if (isRefusal(facts)) exam.note("rcron", path, "is not there", `ln -s rcron ${path}`);
    else if (facts.id !== id) {
      exam.warning(
        "rcron",
        path,
        `must be the same file as ${first}: it is another one, of another version perhaps`,
        `ln -sf rcron ${path}`,
      );
    }
  }
  if (exam.troubles === before) exam.fine("rcron", `${first} and the names beside it are one file`);
}

function idOf(machine: Machine, path: string): string | undefined {
  const facts = machine.stat(path);
  return isRefusal(facts) ? undefined : facts.id;
}

/**
 * Crontabs: their lines, and where they are kept. The syntax that Debian's cron and cronie share.
 */
import { readCrontabLines } from "../model/crontab-lines.ts";
import { isAbsent, isRefusal, type Machine, readText } from "./machine.ts";

/** A line that starts something. */
export interface CrontabLine {
  readonly file: string;
  readonly line: number;
  /** What the shell gets: everything up to the first `%` that has no backslash. */
  readonly command: string;
  /** True if there is such a `%`: what follows is the command's standard input. */
  readonly hasInput: boolean;
  /** True for `@reboot`. */
  readonly isAtBoot: boolean;
  /** The assignments above the line. */
  readonly environment: ReadonlyMap<string, string>;
}

/** A crontab that was found. */
export interface Crontab {
  readonly path: string;
  readonly lines: readonly CrontabLine[];
  /** True for /etc/crontab and what is in /etc/cron.d: there each line names its user. */
  readonly isSystem: boolean;
  /** cron itself does not read it, because of its name. */
  readonly isPassedOver: boolean;
}

const fileLimit = 500;
const sizeLimit = 256 * 1024;

/** Reads a crontab's text. Pure; what is no line of a crontab is left out, as cron leaves it out. */
export function parseCrontab(text: string, file: string, isSystem: boolean): CrontabLine[] {
  const lines: CrontabLine[] = [];
  let environment: ReadonlyMap<string, string> = new Map();
  for (const row of readCrontabLines(text, isSystem)) {
    if (row.kind === "assignment") environment = new Map([...environment, [row.name, row.value]]);
    if (row.kind !== "entry") continue;
    // cronie: a "-" before the time means that the line is not logged.
    const time = row.time.replace(/^-/, "");
    if (!/^(?:@\w+$|[\d*])/.test(time)) continue;
    const { line, command, hasInput } = row;
    const isAtBoot = time === "@reboot";
    lines.push({
      file,
      line,
      command: hasInput ? command : command.trimEnd(),
      hasInput,
      isAtBoot,
      environment,
    });
  }
  return lines;
}

/** Where cron keeps crontabs, on Debian, Red Hat and SUSE. */
const folders: readonly { readonly path: string; readonly isSystem: boolean }[] = [
  { path: "/etc/cron.d", isSystem: true },
  { path: "/var/spool/cron/crontabs", isSystem: false },
  { path: "/var/spool/cron/tabs", isSystem: false },
  { path: "/var/spool/cron", isSystem: false },
];

/**
 * Reads all crontabs of the machine.
 * @returns `unreadable`: the paths that may not be looked at, each with the reason
 */
export function readCrontabs(machine: Machine): { crontabs: Crontab[]; unreadable: string[] } {
  const crontabs: Crontab[] = [];
  const unreadable: string[] = [];
  const isDebian = !isRefusal(machine.stat("/etc/debian_version"));
  const read = (path: string, isSystem: boolean, isPassedOver: boolean) => {
    const facts = machine.stat(path);
    if (isRefusal(facts) ? isAbsent(facts) : facts.kind !== "file") return;
    const text = readText(machine, path, sizeLimit);
    if (isRefusal(text)) unreadable.push(`${path}: ${text.text}`);
    else crontabs.push({ path, lines: parseCrontab(text, path, isSystem), isSystem, isPassedOver });
  };
  read("/etc/crontab", true, false);
  for (const { path, isSystem } of folders) {
    const names = machine.list(path);
    if (isRefusal(names)) {
      if (!isAbsent(names)) unreadable.push(`${path}: ${names.text}`);
      continue;
    }
    for (const name of names.slice(0, fileLimit)) {
      // What editors and packages leave behind, no cron reads.
      if (/^[.#]|~$|\.(rpm(save|new|orig)|dpkg-\w+|swp|bak)$/.test(name)) continue;
      read(`${path}/${name}`, isSystem, isSystem && isDebian && !/^[\w-]+$/.test(name));
    }
  }
  return { crontabs, unreadable };
}

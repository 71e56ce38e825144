/**
 * The name of the machine's time zone. Only the name is taken from the machine; the rules come with the runtime, which knows
 * names alone: a POSIX rule in TZ (`CET-1CEST,M3.5.0,…`) would silently be UTC there, so it is handed on as it is, for
 * the reader of names to refuse.
 */
import { readFileStart } from "./files.ts";

/** Where a zone's name was found. */
export interface ZoneSource {
  /** As it stands there; not checked. */
  readonly name: string;
  /** For messages: `TZ`, a path, or `default`. */
  readonly source: string;
}

/**
 * Asks, in this order: TZ; the link /etc/localtime, which the C library reads, and with it date(1) and the jobs; /etc/timezone, for
 * machines where localtime is a copy; else UTC.
 * @param timezoneVariable the value of TZ; a path below a zoneinfo folder and a leading colon are as good as the name
 * @param etc the folder of the two files, for tests
 */
export function readMachineZone(timezoneVariable: string | undefined, etc = "/etc"): ZoneSource {
  if (timezoneVariable !== undefined && timezoneVariable !== "") {
    const text = timezoneVariable.replace(/^:/, "");
    if (text === `${etc}/localtime`) return readMachineZone(undefined, etc);
    return { name: nameInPath(text) ?? text, source: "TZ" };
  }
  const link = `${etc}/localtime`;
  const linked = nameInPath(targetOf(link) ?? "");
  if (linked !== undefined) return { name: linked, source: link };
  const file = readFileStart(`${etc}/timezone`, 256);
  const written = file.error === undefined ? new TextDecoder().decode(file.bytes).trim() : "";
  if (written !== "") return { name: written, source: `${etc}/timezone` };
  return { name: "UTC", source: "default" };
}

/** `Europe/Berlin` in `/usr/share/zoneinfo/Europe/Berlin`, also where the folder has one for POSIX time. */
function nameInPath(path: string): string | undefined {
  return /\/zoneinfo\/(?:posix\/)?(.+)$/.exec(path)?.[1];
}

function targetOf(link: string): string | undefined {
  try {
    return process.getBuiltinModule("node:fs").readlinkSync(link);
  } catch {
    return undefined; // No link, or nothing there: undefined is the answer.
  }
}

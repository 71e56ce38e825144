/**
 * This boot of the machine: its id, and how long it has lasted.
 */
import { readFileStart } from "./files.ts";
import { lockLibc, scratch, scratchInts } from "./libc.ts";

const CLOCK_BOOTTIME = 7;
/** Of the times that /proc tells, whatever the kernel's own ticks are. */
const ticksPerS = 100;

const decoder = new TextDecoder();

let bootId: string | undefined;

/** Differs after each start of the kernel, and never while it runs; undefined where /proc does not tell. */
export function readBootId(): string | undefined {
  if (bootId !== undefined) return bootId;
  const file = readFileStart("/proc/sys/kernel/random/boot_id", 64);
  if (file.error === undefined) bootId = decoder.decode(file.bytes).trim();
  return bootId;
}

/** Seconds since the start, suspended time included, to hundredths. No step of the clock changes it. */
export function readUptimeS(): number | undefined {
  const file = readFileStart("/proc/uptime", 64);
  if (file.error !== undefined) return undefined;
  const text = decoder.decode(file.bytes);
  const seconds = Number(text.slice(0, text.indexOf(" ")));
  return Number.isFinite(seconds) ? seconds : undefined;
}

/**
 * This moment in the ticks in which /proc tells when a process was started. Not /proc/uptime: a container may have one of
 * its own (lxcfs), while starts still count from the start of its host.
 * @returns undefined where no clock tells
 */
export function ticksSinceBoot(): number | undefined {
  if (lockLibc()?.clock_gettime(CLOCK_BOOTTIME, scratch) === 0) {
    const [seconds = 0, , nanoseconds = 0] = scratchInts; // 64 bits each; 32 are enough
    return seconds * ticksPerS + Math.floor(nanoseconds / (1e9 / ticksPerS));
  }
  const uptimeS = readUptimeS();
  return uptimeS === undefined ? undefined : Math.floor(uptimeS * ticksPerS);
}

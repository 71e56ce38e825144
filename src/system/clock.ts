/**
 * Whether the clock is kept by somebody: what the kernel itself says, whatever service does it.
 */
import { readFileStart } from "./files.ts";
import { clockLibc } from "./libc.ts";

/** `unknown` where the kernel can't be asked and no service has left word. */
export type ClockState = "synchronised" | "unsynchronised" | "unknown";

/** struct timex, with room to spare; its status word is the same on x86-64 and arm64. */
const timexSize = 512;
const statusOffset = 40;
const STA_UNSYNC = 0x40;

/**
 * Asks adjtimex(2), changing nothing. chronyd, ntpd, systemd-timesyncd and ptp4l all tell the kernel, which forgets it
 * when they have not been heard of for some hours.
 */
export function clockState(): ClockState {
  const timex = new Uint8Array(timexSize); // modes = 0: read only
  const told = clockLibc()?.adjtimex(timex);
  if (told === undefined || told < 0) return clockStateByFile();
  const status = new DataView(timex.buffer).getInt32(statusOffset, true);
  return (status & STA_UNSYNC) === 0 ? "synchronised" : "unsynchronised";
}

/** systemd-timesyncd makes this file when it has set the clock for the first time since boot. */
function clockStateByFile(): ClockState {
  return readFileStart("/run/systemd/timesync/synchronized", 1).error === undefined
    ? "synchronised"
    : "unknown";
}

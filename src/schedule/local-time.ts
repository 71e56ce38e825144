/**
 * From what a zone's clocks show back to the instant.
 */
import type { Zone } from "../model/schedule.ts";
import { hourMs } from "./calendar.ts";

/**
 * The first instant at which a zone's clocks show a time; the change that skips it, where none does.
 * A time that is repeated because the clocks went back by 3 hours or more counts anew.
 * @param localMs what the clocks show, as if it were UTC
 * @param nearOffsetMs an offset that the zone has about then
 */
export function firstInstantOf(localMs: number, nearOffsetMs: number, zone: Zone): number {
  const { fromMs, untilMs, offsetMs } = zone.stretchAt(localMs - nearOffsetMs);
  if (localMs - nearOffsetMs - fromMs < 3 * hourMs) {
    const before = zone.stretchAt(fromMs - 1);
    const isShownBefore = localMs - before.offsetMs < fromMs;
    if (isShownBefore && before.offsetMs - offsetMs < 3 * hourMs) return localMs - before.offsetMs;
  }
  const atMs = localMs - offsetMs;
  if (atMs < fromMs) return fromMs;
  return atMs < untilMs ? atMs : Math.max(untilMs, localMs - zone.stretchAt(untilMs).offsetMs);
}

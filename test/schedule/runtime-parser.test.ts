/**
 * Why the runtime's own parser is not used: what it answers where Debian's cron does otherwise. A row that fails here is good
 * news, and docs/decisions/schedule.md is to be read again.
 */
import { describe, expect, test } from "bun:test";
import { nextTicks } from "../../src/schedule/schedule.ts";
import { cron, zoneNamed } from "./expressions.ts";

const berlin = zoneNamed("Europe/Berlin");

const rows: readonly (readonly [text: string, after: string, runtime: string, debian: string])[] = [
  ["30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:30", "2026-03-29T01:00"],
  ["*/15 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-30T00:00"],
  ["*/30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:00", "2026-10-25T01:00"],
  ["0 0 */2 * 1", "2026-06-01T12:00", "2026-06-02T22:00", "2026-06-14T22:00"],
];

describe("Bun.cron.parse()", () => {
  test.each(rows)("%s after %s is %s; in Debian's cron %s", (text, after, runtime, debian) => {
    const from = new Date(`${after}Z`);
    const [own] = nextTicks(cron(text), from.getTime(), berlin, 1);
    expect(new Date(own?.atMs ?? 0).toISOString().slice(0, 16)).toBe(debian);
    expect(Bun.cron.parse(text, from, { tz: "Europe/Berlin" })?.toISOString().slice(0, 16)).toBe(runtime);
  });
});

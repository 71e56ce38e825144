/**
 * Expressions for tests: parsed ones, and any that the rules allow.
 */
import fc from "fast-check";
import { Problem } from "../../src/model/problem.ts";
import type { CronExpression, Schedule, Zone } from "../../src/model/schedule.ts";
import { findZone, parseCronExpression } from "../../src/schedule/schedule.ts";

/** An expression that must be right. */
export function parsed(text: string): CronExpression {
  const result = parseCronExpression(text);
  if (result instanceof Problem) throw result;
  if (result === "reboot") throw new Error(`${text} has no times`);
  return result;
}

/** A schedule in a zone, or in the machine's. */
export function cron(text: string, zone?: Zone): Schedule {
  return { kind: "cron", expression: parsed(text), zone };
}

/** A zone that must be there. */
export function zoneNamed(name: string): Zone {
  const zone = findZone(name);
  if (zone instanceof Problem) throw zone;
  return zone;
}

/** A zone with one change of its clocks. */
export function zoneWithChange(changeMs: number, beforeMs: number, afterMs: number): Zone {
  const before = { fromMs: Number.NEGATIVE_INFINITY, untilMs: changeMs, offsetMs: beforeMs };
  const after = { fromMs: changeMs, untilMs: Number.POSITIVE_INFINITY, offsetMs: afterMs };
  return { name: "Test/Change", stretchAt: (utcMs) => (utcMs < changeMs ? before : after) };
}

/** `2026-03-29 02:30` as if it were UTC. */
export function local(text: string): number {
  return Date.parse(`${text.replace(" ", "T")}Z`);
}

function field(first: number, last: number): fc.Arbitrary<string> {
  const value = fc.integer({ min: first, max: last }).map(String);
  const step = fc.integer({ min: 1, max: last });
  const range = fc.tuple(fc.integer({ min: first, max: last }), fc.integer({ min: first, max: last }));
  const ordered = range.map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const item = fc.oneof(
    { weight: 3, arbitrary: value },
    { weight: 2, arbitrary: fc.constant("*") },
    step.map((n) => `*/${n}`),
    ordered,
    fc.tuple(ordered, step).map(([text, n]) => `${text}/${n}`),
  );
  return fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(","));
}

const five = [field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)];

/** With five or six fields, each of any form that is allowed. */
export const expressionText: fc.Arbitrary<string> = fc
  .oneof(fc.tuple(...five), fc.tuple(field(0, 59), ...five))
  .map((fields) => fields.join(" "));

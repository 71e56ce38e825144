/**
 * Tables of planted faults: what is done to the healthy machine, and what the doctor must then find, and nothing else.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { examine, type Finding } from "../../src/doctor/doctor.ts";
import { type FakeMachine, healthyMachine } from "./fake-machine.ts";

/** `SEVERITY CHECK WHERE | ADVICE`; in WHERE, `FILE@TEXT` is the first line of FILE that begins with TEXT, `FILE@-TEXT` the last. */
export type Expected = string;

export type Row = readonly [
  claim: string,
  plant: (machine: FakeMachine) => unknown,
  ...expected: readonly Expected[],
];

/** What every healthy machine of these tests has: keepalived.conf(5) advises neither way. */
const usualNotes = ["keepalived-nopreempt"];

/** One test a row: errors and warnings must be exactly the expected ones; notes must be among them if they are new. */
export function testRows(rows: readonly Row[], conf?: string): void {
  for (const [claim, plant, ...expected] of rows) {
    test(claim, () => {
      const machine = healthyMachine();
      plant(machine);
      const { findings } = examine(machine, { conf });
      const wanted = expected.map((line) => withLine(machine, line));
      const isAsked = ({ check, severity }: Finding) =>
        severity !== "note" ||
        expected.some((line) => line.includes(` ${check} `)) ||
        !usualNotes.includes(check);
      expect(findings.filter(isAsked).map(shown).sort()).toEqual(wanted.sort());
    });
  }
}

function shown({ severity, check, where, advice }: Finding): string {
  return `${severity} ${check} ${where} | ${advice}`;
}

function withLine(machine: FakeMachine, line: string): string {
  return line.replace(
    /^(\w+ \S+ )([^@|]+)@(-?)(.+?) \|/,
    (_, start: string, path: string, isLast: string, text: string) => {
      const read = machine.read(path, 1_000_000);
      const rows = read.error ? [] : new TextDecoder().decode(read.bytes).split("\n");
      const isIt = (row: string) => row.trimStart().startsWith(text);
      const index = isLast ? rows.findLastIndex(isIt) : rows.findIndex(isIt);
      if (index < 0) throw new Error(`no line of ${path} begins with ${text}`);
      return `${start}${path}:${index + 1} |`;
    },
  );
}

/** Any text at all, of any 16-bit units: fast-check's own takes a second to prepare. */
export const anyText = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
  .map((units) => String.fromCharCode(...units));

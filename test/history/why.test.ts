/** The sentences in which a tick is told. */
import { describe, expect, test } from "bun:test";
import type { RunRecord } from "../../src/history/run-record.ts";
import { explainTick, type TickQuestion } from "../../src/history/why.ts";
import { nightMs } from "./events.ts";

const minuteMs = 60_000;
const run: RunRecord = {
  seq: 7,
  id: "a1",
  job: "backup",
  cluster: "c1",
  host: "alpha",
  state: "succeeded",
  command: "/usr/bin/backup",
  tickMs: nightMs,
  atMs: nightMs + 1000,
  reason: "state-file",
};
const passive: Partial<RunRecord> = { state: "skipped", why: "passive", sinceMs: nightMs - 109_000 };
const overlap: Partial<RunRecord> = {
  state: "skipped",
  why: "overlap",
  atMs: nightMs,
  holder: { run: "a0", pid: 4711, since: nightMs - 60 * minuteMs },
};
const earlier: RunRecord = {
  ...run,
  id: "a0",
  tickMs: nightMs - 60 * minuteMs,
  atMs: nightMs - 60 * minuteMs,
  state: "running",
};

function explain(question: Partial<TickQuestion>) {
  return explainTick({
    job: "backup",
    tickMs: nightMs,
    found: [],
    before: undefined,
    nowMs: nightMs + 3 * minuteMs,
    showTime: (ms) => new Date(ms).toISOString().slice(11, ms % minuteMs === 0 ? 16 : 19),
    ...question,
  });
}

describe("explainTick()", () => {
  const rows: readonly [sentence: string, found: Partial<RunRecord>, holder?: RunRecord][] = [
    ["ran at 03:00:01, succeeded after 12 s", { ms: 12_000 }],
    ["ran at 03:00:01, succeeded after 0.3 s (3 attempts)", { ms: 312, attempts: 3 }],
    ["ran at 03:00:01, succeeded after 10 s", { ms: 9960 }],
    [
      "ran at 03:00:01, failed: exit status 3 after 12 s",
      { state: "failed", cause: "exit", exit: 3, ms: 12_000 },
    ],
    [
      "ran at 03:00:01, failed: ended by SIGKILL after 1 min",
      { state: "failed", cause: "signal", signal: 9, ms: minuteMs },
    ],
    [
      "ran at 03:00:01, failed: timed out after 1 h",
      { state: "failed", cause: "timeout", signal: 15, ms: 3_600_000 },
    ],
    [
      "ran at 03:00:01, failed: it wrote to standard error; exit status 0 after 1.0 s",
      { state: "failed", cause: "stderr", exit: 0, ms: 1000 },
    ],
    [
      "ran at 03:00:01, failed: backup: command not found",
      { state: "failed", cause: "not-started", sentence: "backup: command not found", ms: 0 },
    ],
    [
      "ran at 03:00:01, failed: stopped after 5.0 s: the machine is no longer active",
      { state: "failed", cause: "stopped", ms: 5000 },
    ],
    [
      "ran at 03:00:01, failed: ended for the next run after 5.0 s",
      { state: "failed", cause: "clobbered", ms: 5000 },
    ],
    ["running since 03:00:01, for 2 min 59 s now (watched by pid 12)", { state: "running", pid: 12 }],
    [
      "interrupted: started at 03:00:01; the machine went down while it ran",
      { state: "interrupted", sentence: "the machine went down while it ran" },
    ],
    ["not run here: passive since 02:58:11 (VI_1, epoch 41)", { ...passive, instance: "VI_1", epoch: 41 }],
    ["not run here: passive since 02:58:11", passive],
    [
      "not run here: passive: state-missing",
      { state: "skipped", why: "passive", reason: "state-missing", epoch: 0 },
    ],
    ["skipped: the run of 02:00 still goes on (pid 4711, 1 h 3 min)", overlap, earlier],
    [
      "skipped: the run of 02:00 still went on (pid 4711, 1 h then); it succeeded after 1 h 1 min",
      overlap,
      { ...earlier, state: "succeeded", ms: 61 * minuteMs },
    ],
    ["skipped: the run of 02:00 still went on (pid 4711, 1 h then)", overlap],
    [
      "skipped: the run of 02:00 still went on (pid 4711, 1 h then)",
      overlap,
      { ...earlier, state: "interrupted", onNodes: true },
    ],
    ["skipped: an earlier run still went on", { state: "skipped", why: "overlap" }],
    [
      "skipped: web2 is still at an earlier run",
      { state: "skipped", why: "overlap", holder: {}, sentence: "web2 is still at an earlier run" },
    ],
    [
      "skipped: test -e /mnt/backup: exit status 1",
      { state: "skipped", why: "condition", sentence: "test -e /mnt/backup: exit status 1" },
    ],
    ["skipped: its condition did not hold", { state: "skipped", why: "condition" }],
    ["not started: rcron could not start it", { state: "skipped", why: "failed-before-start" }],
  ];

  test.each(rows.map(([sentence, found, holder]) => [sentence, { found, holder }] as const))(
    "%s",
    (sentence, { found, holder }) => {
      expect(explain({ found: [{ ...run, ...found }], holder }).sentences).toEqual([sentence]);
    },
  );

  test("says yes to success alone", () => {
    const answers = (["succeeded", "failed", "running", "interrupted", "skipped"] as const).map(
      (state) => explain({ found: [{ ...run, state }] }).isSuccess,
    );
    expect(answers).toEqual([true, false, false, false, false]);
  });

  test("tells the runs of a minute rather than its skips, and of two skips the last", () => {
    const skipped = { ...run, ...passive };
    expect(explain({ found: [{ ...run, ms: 12_000 }, skipped] }).sentences).toEqual([
      "ran at 03:00:01, succeeded after 12 s",
    ]);
    expect(explain({ found: [{ ...run, ...overlap }, skipped] }).sentences).toEqual([
      "not run here: passive since 02:58:11",
    ]);
  });

  test("tells of the last record before a tick of which there is none", () => {
    expect(explain({ before: { ...earlier, state: "succeeded", ms: 60_000 } }).sentences).toEqual([
      "nothing recorded at 03:00: rcron was not started then, or history was off; the last record before is that of 02:00: succeeded after 1 min",
    ]);
    expect(explain({})).toEqual({
      sentences: [
        "nothing recorded at 03:00: rcron was not started then, or history was off; there is no record before that",
      ],
      isSuccess: false,
    });
  });
});

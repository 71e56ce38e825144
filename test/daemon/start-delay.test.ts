/**
 * How long starts are put off: splay, jitter, and the spreading of a storm.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { Plan } from "../../src/daemon/planner.ts";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import { consistentSplayMs } from "../../src/schedule/schedule.ts";
import { project } from "../support/program.ts";
import { at, hour, jobAt, memoryOf, minute, newPlanner, setOf } from "./scheduled.ts";

describe("delayMs", () => {
  const nowMs = at("2026-06-10 12:00");
  /** The delays of one look, on time. */
  function delaysOf(job: ScheduledJob, options: { hostName?: string; random?: () => number } = {}): number[] {
    const planner = newPlanner(options);
    planner.start(setOf(job), nowMs - minute, undefined, false);
    return planner.look(nowMs).planned.map(({ delayMs }) => delayMs);
  }
  test.each([
    ["nothing", "* * * * *", {}, 0],
    ["splay beside at", "* * * * *", { splayMs: hour }, consistentSplayMs("host", hour)],
    ["splay beside every, which is in its ticks", "every 1m", { splayMs: hour }, 0],
    ["jitter", "* * * * *", { jitterMs: 10_001 }, 5000],
    ["jitter beside every", "every 1m", { jitterMs: 10_001 }, 5000],
    ["both", "* * * * *", { splayMs: hour, jitterMs: 10_000 }, consistentSplayMs("host", hour) + 5000],
  ])("with %s", (_, schedule, rules, expected) => {
    expect(delaysOf(jobAt("job", schedule, { rules }), { random: () => 0.5 })).toEqual([expected]);
  });
  test("for @reboot jobs as for others", () => {
    const planner = newPlanner();
    const jobs = setOf(jobAt("boot", "@reboot", { rules: { splayMs: hour } }));
    const plan = planner.start(jobs, nowMs, undefined, true);
    expect(plan.planned.map(({ delayMs }) => delayMs)).toEqual([consistentSplayMs("host", hour)]);
  });

  /** What comes of a storm: so many jobs, all an hour late. */
  function stormOf(count: number, hostName = "host"): Plan {
    const jobs = setOf(
      ...Array.from({ length: count }, (_, n) => jobAt(`job${n}`, "0 12 * * *", { missed: "latest" })),
    );
    const planner = newPlanner({ hostName });
    return planner.start(jobs, nowMs + hour, memoryOf(jobs, nowMs - hour), false);
  }
  const storms = [
    [1, 100, "100 ms"],
    [10, 1000, "1 s"],
    [1000, 100_000, "100 s"],
    [8000, 600_000, "600 s"],
  ] as const;
  test("the table of storms stands in docs/schedule.md", () => {
    const text = readFileSync(join(project, "docs/schedule.md"), "utf8");
    for (const [count, , shown] of storms) expect(text).toContain(`| ${count} | ${shown} |`);
  });
  test.each(storms)("spreads %i ticks that are made up for over %i ms", (count, windowMs) => {
    const delays = stormOf(count).planned.map(({ delayMs }) => delayMs);
    expect(delays.length).toBe(count);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(windowMs);
    if (count < 1000) return;
    const thirds = [0, 0, 0];
    for (const delay of delays) {
      const third = Math.floor((3 * delay) / windowMs);
      thirds[third] = (thirds[third] ?? 0) + 1;
    }
    for (const each of thirds) expect(each / count).toBeWithin(0.28, 0.39);
  });
  test("spreads the same way each time, and another way on another machine", () => {
    expect(stormOf(50)).toEqual(stormOf(50));
    const delays = (plan: Plan) => plan.planned.map(({ delayMs }) => delayMs);
    expect(delays(stormOf(50, "other"))).not.toEqual(delays(stormOf(50)));
  });
  test("keeps the ticks of one job in order", () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (chances) => {
        const random = () => chances.next().value ?? 0;
        const rules = { jitterMs: hour, splayMs: minute };
        const jobs = setOf(
          jobAt("a", "*/10 * * * *", { missed: "all", rules }),
          jobAt("b", "*/10 * * * *", { missed: "all", rules }),
        );
        const planner = newPlanner({ random });
        const plan = planner.start(jobs, nowMs + hour, memoryOf(jobs, nowMs), false);
        for (const name of jobs.keys()) {
          const starts = plan.planned.filter(({ job }) => job.name === name).map(({ delayMs }) => delayMs);
          expect(starts.length).toBe(6);
          expect(starts).toEqual(starts.toSorted((x, y) => x - y));
        }
      }),
    );
  });
});

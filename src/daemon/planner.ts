/**
 * WHAT is due now. A state machine without clock, file or process: time and chance are handed in, plans come out.
 *
 * The engine of src/schedule decides as long as somebody looks at the clock: one clock for each zone and unit, one for each
 * interval. What nobody looked at – before a start, over a suspend, a clock set forward – is
 * missed, and each job's `missed` and `start_deadline` decide. docs/schedule.md has the tables.
 *
 * Each tick is planned or told among the dropped ones. What Debian's cron holds back after a clock was set back is neither; it
 * comes when the clock has caught up. And a gap that is as long as the clocks go back in it – an hour without a look, over the end of
 * daylight saving – looks like none: its wildcard ticks are lost.
 */
import type { EverySchedule, Zone } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import {
  advanceEvery,
  type EveryClock,
  lastTicks,
  startEveryClock,
  type TickStretch,
  ticksIn,
} from "../schedule/schedule.ts";
import { type EveryEntry, EveryHeap, everyEntry } from "./every-heap.ts";
import { type MissedLimits, missedLimits, planMissed } from "./missed.ts";
import { type Plan, PlanDraft, type RankedJob } from "./plan.ts";
import { StartDelay } from "./start-delay.ts";
import { type BeginClock, beginningAt, goneBack, ZoneClocks } from "./zone-clocks.ts";

export type { DroppedTicks, Plan, PlannedTick } from "./plan.ts";

/** What a planner needs to know of its machine. */
export interface PlannerOptions {
  /** Of jobs that name none. */
  readonly zone: Zone;
  readonly hostName: string;
  /** 0 ≤ x < 1, for jitter. */
  readonly random: () => number;
}

/** What an earlier daemon has left. */
export interface PlannerMemory {
  /** Up to this instant every tick has been planned. */
  readonly horizonMs: number;
  /** The jobs that were known then, and the {@link scheduleKey} of each. A job that is new or has another schedule has missed nothing. */
  readonly known: ReadonlyMap<string, string>;
}

/** After a start, a tick that is less old than this is merely late. A restart takes less. */
export const startGraceMs = 60_000;
/** Two looks further apart than this have something between them that nobody looked at. Cron's own limit. */
const jumpMs = 5 * 60_000;
/** A clock that goes back by this is corrected: what it showed before counts for nothing. Cron's own limit. */
const correctionMs = 3 * 3_600_000;
const longestWaitMs = 60_000;
/** A minute has at most as many ticks of one job: an hour of seconds that the clocks skip, and its own. */
const ticksOfAMinute = 4000;

/** What tells one schedule from another one, in a word that may be kept. */
export function scheduleKey({ schedule }: ScheduledJob): string {
  switch (schedule.kind) {
    case "every":
      // Its place in the period is not its own: it may change because of others, and then it has missed what it has missed.
      if (schedule.isSpread) return `spread ${schedule.periodMs}`;
      return `every ${schedule.periodMs}+${schedule.offsetMs}`;
    case "cron":
      return `cron ${schedule.zone?.name ?? "local"} ${schedule.expression.text}`;
    case "reboot":
      return "reboot";
  }
}

/**
 * The clock of a spread job that has got another place because others came or went. The period that it ran in last counts as
 * run, wherever in it the new place is; so each period has one tick, no more and no less.
 */
function movedClock(
  { schedule: before, nextMs }: EveryEntry,
  { periodMs, offsetMs }: EverySchedule,
): EveryClock {
  return { lastMs: nextMs - periodMs - before.offsetMs + offsetMs };
}

/** Says what is due, for one job set after the other. {@link start} is to be called first. */
export class Planner {
  readonly #zone: Zone;
  readonly #delay: StartDelay;
  #limits: MissedLimits = missedLimits([]);
  #clocks = new ZoneClocks();
  #intervals = new EveryHeap();
  /** The machine's time at the last look. */
  #lookedMs = Number.NEGATIVE_INFINITY;
  #horizonMs = Number.NEGATIVE_INFINITY;
  /** The horizon before the clock was corrected by hours. When it comes there again, nothing before has been missed. */
  #formerHorizonMs = Number.NEGATIVE_INFINITY;

  constructor({ zone, hostName, random }: PlannerOptions) {
    this.#zone = zone;
    this.#delay = new StartDelay({ hostName, random });
  }

  /**
   * Up to this instant every tick has been planned; what the next daemon has to be told. It stays where it is while a clock that
   * was set back by less than 3 hours catches up.
   */
  get horizonMs(): number {
    return this.#horizonMs;
  }

  /**
   * Begins: plans what was missed since an earlier daemon's horizon, and `@reboot` jobs if the machine has been started since.
   * @param jobs in the order in which they are planned; not to be changed afterwards
   * @param memory undefined: a first start, and nothing was missed
   */
  start(
    jobs: ReadonlyMap<string, ScheduledJob>,
    nowMs: number,
    memory: PlannerMemory | undefined,
    isNewBoot: boolean,
  ): Plan {
    const aheadMs = memory === undefined ? 0 : memory.horizonMs - nowMs;
    const isWaiting = memory !== undefined && aheadMs > 0 && aheadMs < correctionMs;
    this.#lookedMs = nowMs;
    this.#horizonMs = isWaiting ? memory.horizonMs : nowMs;
    if (memory !== undefined && aheadMs >= correctionMs) this.#formerHorizonMs = memory.horizonMs;

    const isKnown = (job: ScheduledJob) => memory?.known.get(job.name) === scheduleKey(job);
    this.#exchange(jobs, {
      beginClock: isWaiting ? goneBack(memory.horizonMs, nowMs) : beginningAt(nowMs),
      beginInterval: (job, schedule) =>
        isWaiting && isKnown(job)
          ? advanceEvery(schedule, startEveryClock(schedule, memory.horizonMs), nowMs).clock
          : startEveryClock(schedule, nowMs),
    });

    const draft = new PlanDraft(nowMs);
    let rank = 0;
    for (const job of jobs.values()) {
      const of = { job, rank: rank++ };
      if (job.schedule.kind === "reboot") {
        const { offsetMs } = this.#zone.stretchAt(nowMs);
        if (isNewBoot) draft.add(of, { atMs: nowMs, localMs: nowMs + offsetMs }, false);
      } else if (memory !== undefined && isKnown(job)) {
        this.#planStopped(draft, of, { afterMs: memory.horizonMs, untilMs: nowMs });
      }
    }
    return draft.finish(this.#delay);
  }

  /**
   * Exchanges the jobs. What is due until now is planned by the set before; from now on the new one counts. Clocks go on;
   * an interval that has changed begins now; one that is spread keeps to one tick a period.
   * @param jobs as for {@link start}
   */
  setJobs(jobs: ReadonlyMap<string, ScheduledJob>, nowMs: number): Plan {
    const plan = this.look(nowMs);
    const going = new Map(this.#intervals.entries.map((entry) => [entry.job.name, entry]));
    this.#exchange(jobs, {
      beginClock: beginningAt(nowMs),
      beginInterval: ({ name }, schedule) => {
        const before = going.get(name);
        const isSame =
          before?.schedule.periodMs === schedule.periodMs && before.schedule.offsetMs === schedule.offsetMs;
        if (isSame) return { lastMs: before.nextMs - schedule.periodMs };
        const hasMoved =
          schedule.isSpread && before?.schedule.isSpread && before.schedule.periodMs === schedule.periodMs;
        return hasMoved ? movedClock(before, schedule) : startEveryClock(schedule, nowMs);
      },
    });
    return plan;
  }

  /** Plans what is due now. Oftener than needed does no harm. */
  look(nowMs: number): Plan {
    const draft = new PlanDraft(nowMs);
    const lookedMs = this.#lookedMs;
    const formerMs = this.#formerHorizonMs <= nowMs ? this.#formerHorizonMs : -Infinity;
    const isJump = nowMs - lookedMs > jumpMs;
    const terms = { limits: this.#limits, zone: this.#zone };

    for (const clock of this.#clocks) {
      const ranToMs = isJump ? clock.fixedToMs(lookedMs) : lookedMs;
      const { due, step } = clock.look(lookedMs, nowMs);
      if (due.length === 0 && !isJump) continue;
      // Fixed times are lost to a correction only: else they are given now, or when the clock has caught up.
      const isCorrection = step === "correction";
      const fixed = { afterMs: Math.max(ranToMs, formerMs), untilMs: clock.fixedToMs(nowMs) };
      const wild = { afterMs: Math.max(lookedMs, this.#horizonMs, formerMs), untilMs: nowMs };
      for (const [expression, entries] of clock.groups) {
        const given = ticksIn(expression, due, clock.zone);
        const isWild = expression.kind === "wildcard";
        const isMissing = isJump && (isWild || isCorrection);
        if (given.length === 0 && !isMissing) continue;
        for (const entry of entries) {
          for (const tick of given) draft.add(entry, tick, false);
          if (isMissing) planMissed(draft, entry, isWild ? wild : fixed, { ...terms, given });
        }
      }
    }
    if (nowMs < lookedMs) this.#intervals.rewind(nowMs);
    this.#intervals.advance(nowMs, (entry, tick, firstMs) => {
      draft.add(entry, tick, false);
      if (firstMs === tick.atMs) return;
      const unseen = { afterMs: Math.max(firstMs - 1, this.#horizonMs, formerMs), untilMs: tick.atMs };
      planMissed(draft, entry, unseen, { ...terms, given: [tick] });
    });

    this.#lookedMs = nowMs;
    if (this.#horizonMs - nowMs >= correctionMs) {
      this.#formerHorizonMs = this.#horizonMs;
      this.#horizonMs = nowMs;
    } else this.#horizonMs = Math.max(this.#horizonMs, nowMs);
    return draft.finish(this.#delay);
  }

  /**
   * When to look again: when an interval is due, or a clock shows its next unit; at most a minute ahead, since the machine's clock
   * may be set at any time.
   */
  nextLookMs(nowMs: number): number {
    let nextMs = Math.min(nowMs + longestWaitMs, Math.max(nowMs, this.#intervals.nextMs));
    for (const clock of this.#clocks) nextMs = Math.min(nextMs, clock.nextLookMs(nowMs));
    return nextMs;
  }

  /** What a job has missed while no daemon was there; its clocks count from now. */
  #planStopped(draft: PlanDraft, of: RankedJob, stopped: TickStretch): void {
    const { schedule } = of.job;
    const { untilMs } = stopped;
    const late = { afterMs: Math.max(stopped.afterMs, untilMs - startGraceMs), untilMs };
    // Of an interval's late ticks the latest is due, as always.
    const most = schedule.kind === "every" ? 1 : ticksOfAMinute;
    const given = lastTicks(schedule, late, most, this.#zone);
    for (const tick of given) draft.add(of, tick, false);
    planMissed(draft, of, stopped, { given, limits: this.#limits, zone: this.#zone });
  }

  #exchange(
    jobs: ReadonlyMap<string, ScheduledJob>,
    {
      beginClock,
      beginInterval,
    }: {
      readonly beginClock: BeginClock;
      readonly beginInterval: (job: ScheduledJob, schedule: EverySchedule) => EveryClock;
    },
  ): void {
    const clocks = new ZoneClocks();
    const intervals = [];
    let rank = 0;
    for (const job of jobs.values()) {
      const of = { job, rank: rank++ };
      const { schedule } = job;
      if (schedule.kind === "cron") {
        const { expression, zone = this.#zone } = schedule;
        clocks.add({ ...of, expression }, zone, { before: this.#clocks, begin: beginClock });
      } else if (schedule.kind === "every") {
        intervals.push(everyEntry(of, schedule, beginInterval(job, schedule)));
      }
    }
    this.#limits = missedLimits(jobs.values());
    this.#clocks = clocks;
    this.#intervals = new EveryHeap(intervals);
  }
}

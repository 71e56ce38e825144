/**
 * Jobs with `cluster` and the state of this machine: who ends when it is no longer active, and what is made up for when it
 * becomes active.
 *
 * A machine that stands by sees every tick of such a job pass, and remembers those that perhaps nobody ran: the ones of
 * the last moments before it took over, when the other machine may have been dead already, and those of a time in which its own
 * state was in doubt. When it becomes active, each job's `missed` decides about them: `skip` leaves them, since the other
 * machine may have run them; `latest` and `all` run them, since perhaps nobody did.
 */
import type { Tick } from "../model/schedule.ts";
import type { ScheduledJob } from "../model/scheduled-job.ts";
import type { State, Verdict } from "../model/state.ts";
import type { ActiveRun } from "./active-runs.ts";
import type { DaemonClock } from "./daemon-parts.ts";
import type { Gate } from "./executor.ts";
import { chooseOverdue } from "./overdue-ticks.ts";
import type { Plan, PlannedTick } from "./planner.ts";

const pollMs = 1000;
/** So many ticks of one job are remembered, the last ones. */
const rememberedPerJob = 100;

/** What the watch needs. */
export interface GateWatchOptions {
  readonly gate: Gate;
  readonly lookBackMs: number;
  readonly clock: DaemonClock;
  readonly log: (level: "info" | "warning", sentence: string) => void;
  readonly hasClusterJobs: () => boolean;
  readonly runs: { readonly all: Iterable<ActiveRun>; stop(runId: string, sentence: string): boolean };
  readonly take: (plan: Plan) => void;
}

/** Asks the gate once a second while there are jobs that it is for. */
export class GateWatch {
  readonly #options: GateWatchOptions;
  readonly #stoodBy = new Map<string, { readonly job: ScheduledJob; readonly ticks: Tick[] }>();
  #timer: { cancel(): void } | undefined;
  #state: State | undefined;
  #doubtSinceMs: number | undefined;
  #doubts = 0;

  constructor(options: GateWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.look();
    this.#timer = this.#options.clock.after(pollMs, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** A tick came while this machine was passive. */
  stoodBy(job: ScheduledJob, tick: Tick): void {
    const known = this.#stoodBy.get(job.name) ?? { job, ticks: [] };
    known.ticks.push(tick);
    if (known.ticks.length > rememberedPerJob) known.ticks.shift();
    this.#stoodBy.set(job.name, { job, ticks: known.ticks });
  }

  /** Asks the gate now. */
  look(): void {
    const { gate, clock, hasClusterJobs } = this.#options;
    if (!hasClusterJobs() && this.#clusterRuns.length === 0) {
      this.#state = undefined;
      this.#stoodBy.clear();
      return;
    }
    const nowMs = clock.nowMs();
    const verdict = gate.judge();
    if (verdict.state === "active") {
      // Also after a doubt that was too short to be seen, but not for a tick to fall into it.
      if (this.#state === "passive" || this.#stoodBy.size > 0) this.#becomeActive(verdict, nowMs);
      this.#state = "active";
      this.#doubts = 0;
      this.#doubtSinceMs = undefined;
      return;
    }
    if (!verdict.isDefault) this.#doubtSinceMs = undefined;
    else this.#doubtSinceMs ??= nowMs;
    // Runs that go on were begun by an active machine: if it is that no longer, it has lost it meanwhile.
    const wasActive = this.#state === "active" || (this.#state === undefined && this.#clusterRuns.length > 0);
    if (wasActive) this.#leaveActive(verdict);
    else this.#state = "passive";
    this.#forgetOld(nowMs);
  }

  /** A passive word counts at once; a doubt when it is still there a second later. @see cli/watch-state.ts */
  #leaveActive(verdict: Verdict): void {
    const { gate, runs, log } = this.#options;
    this.#doubts += 1;
    if (verdict.isDefault && this.#doubts < 2) return;
    this.#state = "passive";
    log("info", `no longer active: ${verdict.sentence}`);
    if (!gate.endsJobs) return;
    for (const { run } of this.#clusterRuns) runs.stop(run.runId, `no longer active: ${verdict.sentence}`);
  }

  get #clusterRuns(): readonly ActiveRun[] {
    return [...this.#options.runs.all].filter(({ job }) => job?.isCluster === true);
  }

  #becomeActive(verdict: Verdict, nowMs: number): void {
    const { lookBackMs, log, take } = this.#options;
    if (this.#state === "passive") log("info", `active now: ${verdict.sentence}`);
    const { sinceMs = nowMs } = verdict.provenance;
    const fromMs = Math.min(sinceMs - lookBackMs, nowMs - lookBackMs, this.#doubtSinceMs ?? Infinity);
    const planned: PlannedTick[] = [];
    for (const { job, ticks } of this.#stoodBy.values()) {
      const open = ticks.filter(({ atMs }) => atMs > fromMs);
      const { taken } = chooseOverdue(job, open, nowMs);
      for (const tick of taken) planned.push({ job, tick, isMadeUp: true, delayMs: 0 });
    }
    this.#stoodBy.clear();
    if (planned.length === 0) return;
    log("info", `${planned.length} ticks that perhaps nobody ran are made up for`);
    take({ planned, dropped: [] });
  }

  /** What can't be in question any more. */
  #forgetOld(nowMs: number): void {
    if (this.#doubtSinceMs !== undefined) return;
    const fromMs = nowMs - this.#options.lookBackMs - pollMs * 5;
    for (const [name, { ticks }] of this.#stoodBy) {
      while (ticks[0] !== undefined && ticks[0].atMs < fromMs) ticks.shift();
      if (ticks.length === 0) this.#stoodBy.delete(name);
    }
  }
}

/**
 * A run that the scheduler starts on this machine: its supervision, and who is told of it; as run-supervised.ts is for the
 * prefix. One object serves all runs of a daemon.
 */
import type { DueRun, Executor, LeftRun, RunResult, RunWatch } from "../daemon/daemon.ts";
import type { Hosted, Hosting, HostingPorts, HostingRoom } from "../execute/execute.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { announceStart } from "../notify/notify.ts";
import { type HerePlace, jobGoing, jobHere, type PortSettings, portsOf } from "./due-job.ts";
import type { KnownRun, RunTeller } from "./run-teller.ts";
import { ownFailure } from "./terminal.ts";

/** What all runs have in common. */
export interface RunSettings extends HerePlace, PortSettings {
  readonly room: HostingRoom;
  readonly hosting: Hosting;
}

/** Runs what is due on this machine. */
export class ScheduledRuns implements Executor {
  readonly #settings: RunSettings;
  readonly #teller: RunTeller;

  constructor(settings: RunSettings, teller: RunTeller) {
    this.#settings = settings;
    this.#teller = teller;
  }

  async run(due: DueRun, watch: RunWatch): Promise<RunResult> {
    const known = this.#teller.know(due);
    const what = jobHere(known, this.#settings);
    if (what instanceof Problem) return this.#end(known, { kind: "refused", problem: what });
    const startedAtMs = Date.now();
    const running = this.#settings.room.superviseHosted(what, this.#ports(known, watch));
    try {
      const supervised = await running;
      if (supervised.kind === "stopped" && watch.isLeft()) return leftToTheNext;
      return await this.#end(known, supervised);
    } catch (error) {
      return this.#teller.lost(known, startedAtMs, error);
    }
  }

  adopt(due: DueRun, left: LeftRun, watch: RunWatch): Promise<RunResult> | undefined {
    const { room, niceLevel, log } = this.#settings;
    const mark = left.mark === undefined ? room.findRun(due.runId) : room.parseMark(left.mark);
    if (mark === undefined || !room.isThere(mark)) return undefined;
    const known = this.#teller.know(due);
    this.#teller.adopted(known);
    log.info(`${printable(due.jobName)}: the run ${due.runId} goes on (pid ${mark.pid})`);
    watch.onLaunched(JSON.stringify(mark), mark.pid);
    const what = jobGoing(known, due.runId, niceLevel);
    return room
      .adoptRun(what, this.#ports(known, watch), mark)
      .then((end) => this.#teller.ended(known, end, { startedAtMs: mark.startedAtMs }));
  }

  #ports(known: KnownRun, watch: RunWatch): HostingPorts {
    const { due, rules } = known;
    let startPing: { cancel(): void } | undefined;
    return {
      ...portsOf(this.#settings, known, watch),
      hosting: this.#settings.hosting,
      onStart: () => {
        watch.onStarting();
        this.#teller.started(known);
        if (rules.pingUrl !== undefined) startPing = announceStart(rules.pingUrl, due.runId);
      },
      onLaunched: (mark) => watch.onLaunched(JSON.stringify(mark), mark.pid),
      onEnded: () => startPing?.cancel(),
    };
  }

  async #end(known: KnownRun, supervised: Hosted): Promise<RunResult> {
    return supervised.kind === "ended"
      ? this.#teller.ended(known, supervised)
      : this.#teller.notRun(known, supervised);
  }
}

/** The daemon ends before it was begun. */
export const leftToTheNext: RunResult = {
  isOk: false,
  exitStatus: ownFailure,
  sentence: "left to the next rcrond",
  isLeft: true,
};

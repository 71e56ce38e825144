/**
 * Plays one fault on a bed of its own, with ticks all the while, and has the oracle judge it.
 *
 * A tick comes once in an advert interval, so the gap that a failover leaves is as many ticks long as it is adverts.
 * (cron's tick comes once in 60 or so; docs/failover.md says what that makes of the figures.)
 */
import { Bed } from "./bed.ts";
import type { Fault, Line } from "./faults.ts";
import { type Action, draw, findCuts, findDelays, findMasteries, mastersNow, retell } from "./history.ts";
import { advertMs, hostsOf, type Method, planHosts, type Topology } from "./methods.ts";
import { findTakeover, type Judgement, judge, type Takeover, type Tick } from "./oracle.ts";

/** Three adverts without an answer and a part of a fourth make a failover; the rest is for a slow machine. */
const windowTicks = 8;
const steadyTicks = 4;
const afterWindowTicks = 6;
const electionPatienceMs = 15_000;
const lastJobPatienceMs = 5_000;

export interface Scenario {
  readonly fault: Fault;
  readonly topology: Topology;
  readonly method: Method;
  /** When within a tick's interval the fault strikes and is healed, 0 to 1. */
  readonly phase: number;
}

/** The moments at which every host is asked what rcron would do: before the healing, and at the end. */
export const labels = ["struck", "healed"] as const;

export interface Played {
  readonly judgement: Judgement;
  /** After the fault; undefined where the former host stayed the only one. */
  readonly takeover: Takeover | undefined;
  /** How long the words were behind keepalived's changes. */
  readonly delaysMs: readonly number[];
  /** The last tick before the fault, and before its healing. */
  readonly struckAfter: number;
  readonly healedAfter: number;
  /** The hosts that ran the last ticks. */
  readonly atLast: readonly string[];
  /** The history at a glance, as `draw` draws it. */
  readonly line: string;
  /** `rcronctl state --json` of a host at a moment. */
  told(host: string, label: (typeof labels)[number]): string;
  /** What was done and what keepalived, rcron and the scripts said, in order. */
  readonly story: string;
  /** How late the latest tick was: a machine that stood still proves nothing. */
  readonly latenessMs: number;
}

/**
 * @param folder does not exist yet
 * @param program see Bed.open
 */
export async function play(scenario: Scenario, folder: string, program: string): Promise<Played> {
  const { fault, topology, method, phase } = scenario;
  const hosts = hostsOf[topology];
  const bed = await Bed.open(folder, program, planHosts(topology, method));
  try {
    const actions: Action[] = [];
    const act = (lines: readonly Line[]) => {
      const at = Date.now();
      actions.push({ at, lines });
      for (const [whom, line] of lines) bed.tell(whom, line);
      return at;
    };
    const ask = (label: (typeof labels)[number]) => {
      for (const host of hosts) bed.tell(host, `tell ${label}`);
    };
    act(hosts.map((host) => [host, "start"]));
    await untilElected(bed, hosts[0]);

    const clock = new Clock(bed);
    await clock.pass(steadyTicks);
    if (fault.before !== undefined) {
      act(fault.before);
      await clock.pass(windowTicks + steadyTicks);
    }
    await clock.reach(phase);
    const struckAfter = clock.ticks.length;
    const struckAt = act(fault.strike(topology));
    if (fault.second !== undefined) {
      await clock.pass(windowTicks);
      act(fault.second);
    }
    await clock.pass(windowTicks + afterWindowTicks);
    ask("struck");
    await clock.reach(phase);
    const healedAt = act(fault.heal(topology));
    const healedAfter = clock.ticks.length;
    await clock.pass(windowTicks + afterWindowTicks);
    ask("healed");
    await untilAllRan(bed, hosts, clock.ticks.length);

    const { runs, log } = bed;
    const told = new Map(
      hosts.flatMap((host) => labels.map((label) => [`${host} ${label}`, bed.toldBy(host, label)])),
    );
    const last = clock.ticks.slice(-afterWindowTicks).map(({ number }) => number);
    return {
      judgement: judge({
        ticks: clock.ticks,
        runs,
        disturbances: actions.map(({ at }) => at),
        windowMs: windowTicks * advertMs,
        masteries: findMasteries(log, actions, Date.now()),
        cuts: findCuts(fault, hosts, { from: struckAt, to: healedAt }),
      }),
      takeover: findTakeover({ runs }, struckAt, fault.former ?? "a"),
      delaysMs: findDelays(log),
      struckAfter,
      healedAfter,
      atLast: [...new Set(runs.filter(({ tick }) => last.includes(tick)).map(({ host }) => host))].sort(),
      line: draw(clock.ticks, runs, actions),
      told: (host, label) => told.get(`${host} ${label}`) ?? "",
      story: `${retell(log, actions)}\n${hosts.map((host) => bed.errorsOf(host)).join("")}`,
      latenessMs: clock.latenessMs,
    };
  } finally {
    await bed.close();
  }
}

async function untilElected(bed: Bed, host: string | undefined): Promise<void> {
  for (const patience = Date.now() + electionPatienceMs; mastersNow(bed.log).join() !== host; ) {
    if (Date.now() > patience) throw new Error(`waited in vain for an election:\n${retell(bed.log, [])}`);
    await Bun.sleep(20);
  }
}

/** Waits for the end of every job and the last answers; what is not there then was lost, and counts as that. */
async function untilAllRan(bed: Bed, hosts: readonly string[], ticks: number): Promise<void> {
  const ended = () =>
    bed.log.filter(({ ident, message }) => ident === "rcron" && / status=(ignore|ok|fail) /.test(message));
  for (const patience = Date.now() + lastJobPatienceMs; Date.now() < patience; await Bun.sleep(20)) {
    if (
      ended().length >= ticks * hosts.length &&
      hosts.every((host) => bed.toldBy(host, "healed").endsWith("}\n"))
    )
      return;
  }
}

/** Ticks at equal distances, whatever is done between them. */
class Clock {
  readonly ticks: Tick[] = [];
  latenessMs = 0;
  readonly #bed: Bed;
  readonly #startAt = Date.now();

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  /** So many more ticks; returns at the last. */
  async pass(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      await this.reach(1);
      const number = this.ticks.length + 1;
      this.ticks.push({ number, at: Date.now() });
      this.#bed.tick(number);
    }
  }

  /** Waits for a part of the interval that began with the last tick. */
  async reach(phase: number): Promise<void> {
    const due = this.#startAt + (this.ticks.length + phase) * advertMs;
    await Bun.sleep(Math.max(0, due - Date.now()));
    this.latenessMs = Math.max(this.latenessMs, Date.now() - due);
  }
}

/**
 * Runs on nodes, at random: few nodes, few jobs, and anything that may happen to them in any order, also the death of rcrond at any moment.
 * What must hold whatever happens stands in {@link Rules}; docs/fleet.md says each of it:
 *
 * - one run of a job at a time on a node, or on all of them where the job says `overlap` and runs once; but for `overlap allow`
 * - `any`: the next node only where the one before was proved not to have been started. `ordered` and `shuffle`: also after a failure, or where
 *   the condition says no; with `ordered`, none is passed over but one that is down or still at an earlier run
 * - never more at once than `runs_at_once`, the bound for each node and that for all
 * - no job is started twice in a run, but by its own retries, whoever dies; what was stopped starts nothing more
 * - nobody waits where nobody is at work, and no node is left out that could have had it
 * - each run ends, and is told of once: with what became of it on each of its nodes, as success only where it was one – with `all` on every
 *   node but those that were still at an earlier run – and as not started only where nothing was
 *
 * `RCRON_SCENES=0-5000` plays other scenes than the usual ones, `RCRON_SCENES=17` tells all of one.
 */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import type { KnownJobs } from "../../src/daemon/daemon.ts";
import type { Node } from "../../src/model/node.ts";
import type { Placement } from "../../src/model/placement.ts";
import { Problem } from "../../src/model/problem.ts";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import { temporaryFolder } from "../support/program.ts";
import { jobsOf } from "./fake-parts.ts";
import { killed, Life, type Part, stopTimeoutMs, type ToldEnd, type Witness, World } from "./placed-world.ts";

const asked = process.env["RCRON_SCENES"];
const [first = 0, last = 199] = (asked ?? "0-199").split("-").map(Number);
const isOne = asked?.includes("-") === false;
/**
 * Scenes that have found something: 336, that what one of the runs which an rcrond picks up begins is begun before it knows of the others;
 * 2724, that a stop was forgotten where the run was still being connected; 3545, that a run between two of its nodes was seen by
 * nobody; 3913, that a run which was started was told as not started.
 */
const faulty = [336, 2724, 3545, 3913];

test("runs on nodes, at random", async () => {
  using folder = temporaryFolder();
  const faults: string[] = [];
  const range = Array.from({ length: (isOne ? first : last) - first + 1 }, (_, at) => first + at);
  for (const seed of asked === undefined ? [...range, ...faulty] : range) {
    const path = `${folder.path}/${seed}`;
    mkdirSync(path);
    const scene = new Scene(seed, path);
    await scene.play();
    if (isOne) console.log(scene.story.join("\n"));
    if (scene.faults.length > 0) {
      faults.push(`scene ${seed} (${scene.story.length} lines): ${scene.faults.join("; ")}`);
    }
  }
  expect(faults).toEqual([]);
}, 3_600_000);

/** One play: what there is, and what happens to it. */
class Scene {
  readonly #random: () => number;
  readonly #rules: Rules;
  readonly #world: World;
  readonly #jobs: KnownJobs;
  readonly #asked: string[] = [];
  #life: Life | undefined;
  #ports = 0;
  readonly #kinds = new Map<string, Node["connection"]["kind"]>();
  /** Of the next rcrond: the jobs that it finds. */
  #isJobGone = false;

  constructor(seed: number, folder: string) {
    this.#random = numbersFrom(seed);
    const names = ["j1", "j2", "j3", "j4"].slice(0, 1 + this.#below(4));
    this.#jobs = jobsOf(Object.fromEntries(names.map((name) => [name, this.#jobText()])));
    this.#rules = new Rules(this.#jobs.jobs);
    const bound = () => (this.#isOften(0.25) ? 1 + this.#below(3) : undefined);
    this.#world = new World({
      witness: this.#rules,
      random: numbersFrom(~seed),
      folder,
      limits: { perNode: bound(), inAll: bound() },
      conditional: new Set(names.filter(() => this.#isOften(0.2))),
    });
    this.#world.nodes = this.#someNodes();
    this.#rules.world = this.#world;
  }

  get story(): readonly string[] {
    return this.#rules.story;
  }

  get faults(): readonly string[] {
    return this.#rules.faults;
  }

  async play(): Promise<void> {
    const { perNode, inAll } = this.#world.limits;
    for (const { name, rules, placement } of this.#jobs.jobs.values()) {
      const { policy, names, earlierRuns } = placement ?? {};
      const on = `${policy} of ${names?.join(",")}, overlap ${rules.overlap.mode} in the ${earlierRuns}`;
      this.#say(`${name}: ${on}, retries ${rules.retries}${this.#world.conditional.has(name) ? ", if" : ""}`);
    }
    this.#say(`per node ${perNode}, in all ${inAll}`);
    await this.#newLife();
    const steps = 3 + this.#below(40);
    for (let step = 0; step < steps && this.faults.length === 0; step++) await this.#step();
    if (this.faults.length === 0) await this.#finish();
    this.#life?.die();
  }

  async #step(): Promise<void> {
    const life = this.#alive;
    const dice = this.#random();
    if (dice < 0.2) await this.#tick();
    else if (dice < 0.7) this.#goOn(this.#one(this.#moving), false);
    else if (dice < 0.78) this.#turn();
    else if (dice < 0.86)
      await this.#pass(this.#one([500, 5_000, 31_000, 61_000, 125_000, 400_000, 3_700_000]));
    else if (dice < 0.9) await this.#reload();
    else if (dice < 0.93) this.#stop();
    else if (dice < 0.95) this.#lose();
    else if (dice < 0.97) this.#world.deathAt = { notes: 1 + this.#below(4), isBefore: this.#isOften(0.5) };
    else if (dice < 0.985) life.die();
    else await this.#drain();
    await this.#settle();
    this.#lookForSleepers();
  }

  /** What waits does so for others; where nobody is at work, nobody waits. */
  #lookForSleepers(): void {
    const waiting = [...this.#alive.daemon.runs.all].map(({ run }) => run.jobName);
    if (waiting.length === 0 || this.#world.open.length > 0) return;
    this.#rules.fault(`${waiting.join(", ")}: waits, and nothing goes on`);
  }

  get #alive(): Life {
    if (this.#life === undefined) throw new Error("no life");
    return this.#life;
  }

  /** What can go on now. */
  get #moving(): Part[] {
    return this.#world.open.filter((part) => part.phase !== "over" && part.word === undefined);
  }

  async #tick(): Promise<void> {
    const job = this.#one([...this.#jobs.jobs.keys()]);
    await this.#alive.settle(1); // no two in one moment: their order in the book would be that of their random ids
    this.#say(`${job} is due`);
    if (this.#alive.isDead) return;
    const started = this.#alive.daemon.runNow(job ?? "", "root");
    if (!(started instanceof Problem)) this.#asked.push(started.runId);
  }

  /** @param isWell nothing bad happens any more */
  #goOn(part: Part | undefined, isWell: boolean): void {
    if (part === undefined) return;
    const { process, phase } = part;
    const isBad = !isWell && this.#isOften(0.3);
    if (phase === "connecting") part.word = isBad || !this.#world.isThere(part) ? "unreachable" : "reached";
    else if (phase === "condition") part.word = isBad ? (this.#one(["no", "lost"]) ?? "no") : "yes";
    else if (phase === "running" && process !== undefined) {
      if (process.exit === undefined)
        process.exit = process.isToEnd ? killed : isBad ? 3 + this.#below(3) : 0;
    } else part.word = "on";
    const does = phase === "running" ? `ends with ${process?.exit}` : part.word;
    this.#say(`${this.#rules.runs.get(part.run)?.name} on ${part.node}: ${phase}: ${does}`);
  }

  /** A node goes away, or is back. */
  #turn(): void {
    const { away, nodes } = this.#world;
    const name = this.#one(nodes)?.name ?? "a";
    if (!away.delete(name)) away.add(name);
    this.#say(`${name} is ${away.has(name) ? "away" : "back"}`);
  }

  async #pass(ms = 1000): Promise<void> {
    this.#say(`${ms / 1000} s go by`);
    await this.#alive.settle(ms);
  }

  async #reload(): Promise<void> {
    this.#world.nodes = this.#someNodes(this.#world.nodes);
    this.#rules.hasReloaded = true;
    await this.#alive.fleet.setNodes(this.#world.nodes);
  }

  #stop(): void {
    const { runs } = this.#alive.daemon;
    const active = this.#one([...runs.all]);
    if (active === undefined) return;
    const run = this.#rules.run(active.run.runId, active.run.jobName);
    this.#say(`${run.name} is stopped`);
    runs.stop(active.run.runId, "stopped by root");
    // Killed in this very moment, it knows nothing of it afterwards.
    run.isToStop = !this.#alive.isDead;
  }

  /** What a run has left on its node is gone. */
  #lose(): void {
    const part = this.#one(this.#moving.filter(({ phase, kind }) => phase === "running" && kind === "ssh"));
    if (part === undefined) return;
    part.isLost = true;
    this.#say(`${this.#rules.runs.get(part.run)?.name} on ${part.node}: nobody can tell any more`);
  }

  /** rcrond is told to end. */
  async #drain(): Promise<void> {
    const life = this.#alive;
    this.#say("rcrond is told to end");
    let isOver = false;
    void life.daemon
      .drain("rcrond was ended", () => {})
      .then(() => {
        isOver = true;
      });
    await life.settle();
    for (let round = 0; !isOver && !life.isDead && round < 50; round++) {
      if (round === 3) await life.settle(stopTimeoutMs + 1);
      this.#goOn(this.#one(this.#moving), false);
      await life.settle();
    }
    if (!isOver && !life.isDead) this.#rules.fault("rcrond does not end");
    await life.fleet.close();
    await life.settle();
    if (!life.isDead) life.die();
  }

  /** Comes to rest; who has died has a next one. */
  async #settle(): Promise<void> {
    await this.#alive.settle();
    if (!this.#alive.isDead) return;
    this.#say("rcrond is dead");
    this.#isJobGone = this.#isOften(0.1);
    if (this.#isOften(0.3)) this.#goOn(this.#one(this.#moving), false);
    if (this.#isOften(0.2)) this.#turn();
    if (this.#isOften(0.1)) {
      this.#world.nodes = this.#someNodes(this.#world.nodes);
      this.#rules.hasReloaded = true;
    }
    if (this.#isOften(0.3)) await this.#world.clock.go(this.#one([5_000, 200_000]) ?? 0);
    await this.#newLife();
    await this.#settle();
  }

  async #newLife(): Promise<void> {
    const jobs = new Map(this.#jobs.jobs);
    for (const name of this.#isJobGone ? [this.#one([...jobs.keys()]) ?? ""] : []) {
      jobs.delete(name);
      this.#rules.gone.add(name);
      this.#say(`the file of ${name} is gone`);
    }
    this.#world.forget();
    this.#life = await Life.begin(this.#world, { ...this.#jobs, jobs }, (life) => {
      this.#rules.life = life;
      this.#rules.forget(life.booked);
    });
  }

  /** All is well from now on: everything must come to its end. */
  async #finish(): Promise<void> {
    this.#say("all is well from now on");
    this.#world.deathAt = undefined;
    this.#world.away.clear();
    for (let round = 0; round < 400 && (this.#alive.daemon.runs.size > 0 || round < 3); round++) {
      const moving = this.#moving;
      for (const part of moving) this.#goOn(part, true);
      await this.#alive.settle(moving.length === 0 ? 400_000 : 1000);
      this.#lookForSleepers();
    }
    for (const id of this.#asked) {
      const run = this.#rules.runs.get(id);
      const isForgotten = run === undefined || (!run.isBooked && this.#rules.gone.has(run.job.name));
      if (run?.told !== 1 && !isForgotten && run?.isToldAgain !== true)
        this.#rules.fault(`${run?.name} is told ${run?.told} times`);
    }
    const left = this.#alive.booked.length;
    if (left > 0) this.#rules.fault(`${left} runs are left in the book`);
    for (const { node, running } of this.#alive.fleet.reports) {
      if (running > 0) this.#rules.fault(`${node.name} has ${running} runs for ever`);
    }
  }

  #jobText(): string {
    const policy = this.#one(["any", "all", "all", "ordered", "ordered", "shuffle"]);
    const names = this.#shuffled(["a", "b", "c", "d", "e", "web", "db", "zz"]).slice(0, this.#below(4));
    const of = names.length === 0 ? "" : ` of ${names.join(",")}`;
    const overlap = this.#one(["", "overlap skip", "overlap allow", "overlap wait=2m", "overlap clobber"]);
    return `every 365d\non ${policy}${of}\n${overlap}\n${this.#isOften(0.2) ? "retry 1" : ""}`;
  }

  /** @param before those of which some stay as they are */
  #someNodes(before: readonly Node[] = []): Node[] {
    const names = this.#shuffled(["a", "b", "c", "d", "e"]).slice(
      0,
      this.#isOften(0.05) ? 0 : 1 + this.#below(5),
    );
    const nodes = names.map((name): Node => {
      const same = before.find((node) => node.name === name);
      if (same !== undefined && this.#isOften(0.7)) return same;
      return {
        name,
        source: { path: `/nodes/${name}`, line: 1 },
        roles: ["web", "db"].filter(() => this.#isOften(0.6)),
        connection: this.#connectionTo(name),
        runsAtOnce: this.#isOften(0.4) ? 1 + this.#below(2) : undefined,
      };
    });
    this.#say(
      `nodes: ${nodes.map(({ name, roles, connection, runsAtOnce }) => `${name} (${[connection.kind, ...roles, runsAtOnce].join(" ")})`).join(", ")}`,
    );
    return nodes;
  }

  /** Each time another one, but of the same kind. */
  #connectionTo(name: string): Node["connection"] {
    const kind =
      this.#kinds.get(name) ?? this.#one(["ssh", "ssh", "ssh", "local", "command"] as const) ?? "ssh";
    this.#kinds.set(name, kind);
    if (kind === "local") return { kind };
    if (kind === "command") return { kind, words: [`${this.#ports++}`] };
    return { kind, host: name, port: this.#ports++, ...ofSsh };
  }

  #say(line: string): void {
    this.#rules?.story.push(line);
  }

  #isOften(share: number): boolean {
    return this.#random() < share;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #one<Item>(items: readonly Item[]): Item | undefined {
    return items[this.#below(items.length)];
  }

  #shuffled<Item>(items: readonly Item[]): Item[] {
    const keyed = items.map((item) => ({ item, key: this.#random() }));
    return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
  }
}

const ofSsh = {
  user: undefined,
  keyFile: undefined,
  passwordFile: undefined,
  isNewHostKeyAccepted: false,
} as const;

/** Numbers from 0 to below 1, the same for each seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is known of a run, by who looks on. */
interface SeenRun {
  readonly name: string;
  readonly job: ScheduledJob;
  told: number;
  /** rcrond was killed after it had told of the end, and before the book knew: the next one tells of it as well. */
  isToldAgain: boolean;
  /** Somebody wants it stopped. */
  isToStop: boolean;
  /** The book has something of it. */
  isBooked: boolean;
  /** And who has a part in it. */
  hasCourse: boolean;
  /** The nodes that it was on, as its job means them; undefined where they may have changed meanwhile. */
  meant: readonly string[] | undefined;
}

/** What must hold. */
class Rules implements Witness {
  readonly faults: string[] = [];
  readonly story: string[] = [];
  readonly runs = new Map<string, SeenRun>();
  readonly jobs: ReadonlyMap<string, ScheduledJob>;
  /** In the order in which they ended. */
  readonly ended: Part[] = [];
  world: World | undefined;
  life: Life | undefined;
  hasReloaded = false;
  /** Jobs whose files were missing when an rcrond began. */
  readonly gone = new Set<string>();

  constructor(jobs: ReadonlyMap<string, ScheduledJob>) {
    this.jobs = jobs;
  }

  fault(sentence: string): void {
    let named = sentence;
    for (const [id, { name }] of this.runs) named = named.replaceAll(id, name);
    this.story.push(`!! ${named}`);
    this.faults.push(named);
  }

  run(id: string, jobName: string): SeenRun {
    const known = this.runs.get(id);
    if (known !== undefined) return known;
    const job = this.jobs.get(jobName);
    if (job === undefined) throw new Error(jobName);
    const name = `run ${this.runs.size + 1} of ${jobName}`;
    const run = {
      name,
      job,
      told: 0,
      isToldAgain: false,
      isToStop: false,
      isBooked: false,
      hasCourse: false,
      meant: undefined,
    };
    this.runs.set(id, run);
    return run;
  }

  /** A new rcrond knows what the book has. */
  forget(booked: readonly string[]): void {
    for (const [id, run] of this.runs) {
      run.isToldAgain ||= run.told > 0 && booked.includes(id);
      if (!run.hasCourse) run.meant = undefined;
    }
  }

  begins(part: Part): void {
    const { world, life } = this;
    if (world === undefined || life === undefined) return;
    const run = this.run(part.run, part.job);
    const { policy, earlierRuns } = placementOf(run.job);
    const { overlap } = run.job.rules;
    const where = `${run.name} on ${part.node}`;
    this.story.push(`   ${where}: begins`);
    if (run.told > 0) this.fault(`${where}: begins though the run is over`);
    if (run.isToStop) this.fault(`${where}: begins though the run was stopped`);
    const own = world.parts.filter((each) => each.run === part.run);
    const isClear = overlap.mode !== "clobber" || !this.hasReloaded;
    if (own.length === 0 && !run.isBooked) run.meant = isClear ? this.#meantBy(run.job) : undefined;

    const mayGoOn = policy === "any" ? ["unreachable"] : ["unreachable", "failure", "skipped"];
    for (const { node, result } of policy === "all" ? [] : own) {
      if (!mayGoOn.includes(result ?? ""))
        this.fault(`${where}: begins, and ${node} is ${result ?? "at work"}`);
    }
    const others = world.open.filter((each) => each.job === part.job && each.run !== part.run);
    const inWay = others.filter(({ node }) => earlierRuns === "fleet" || node === part.node);
    if (overlap.mode !== "allow" && inWay.length > 0) {
      this.fault(`${where}: begins beside ${inWay.map((each) => this.runs.get(each.run)?.name).join(", ")}`);
    }
    // With clobber, that was decided when the end of the earlier one began to be waited for.
    if (policy === "ordered" && overlap.mode !== "clobber") {
      for (const name of this.#meantBy(run.job)) {
        if (name === part.node) break;
        const isDown = life.fleet.reports.some((report) => report.node.name === name && !report.isUp);
        const isBusy = others.some(({ node }) => node === name);
        if (!isDown && !isBusy && !own.some(({ node }) => node === name)) {
          this.fault(`${where}: begins before ${name}`);
        }
      }
    }
    const { perNode, inAll } = world.limits;
    const node = world.nodes.find(({ name }) => name === part.node);
    const here = world.open.filter((each) => each.node === part.node).length + 1;
    if (here > (node?.runsAtOnce ?? perNode ?? Infinity)) this.fault(`${where}: is one of ${here} there`);
    const names = new Set(world.nodes.map(({ name }) => name));
    const inFleet = world.open.filter((each) => names.has(each.node)).length + 1;
    // With clobber, that was decided before, perhaps among other nodes.
    if (isClear && inFleet > (inAll ?? Infinity)) this.fault(`${where}: is one of ${inFleet} in all`);
  }

  starts(part: Part): void {
    const run = this.run(part.run, part.job);
    const where = `${run.name} on ${part.node}`;
    this.story.push(`   ${where}: is started`);
    if (run.told > 0) this.fault(`${where}: is started though the run is over`);
    if (run.isToStop) this.fault(`${where}: is started though the run was stopped`);
    if (part.process !== undefined) {
      const { start, exit } = part.process;
      if (start > run.job.rules.retries) this.fault(`${where}: is started ${start + 1} times`);
      if (exit === undefined || exit === 0) this.fault(`${where}: is started anew, with exit ${exit}`);
    }
    if (placementOf(run.job).policy !== "all") {
      for (const { node, process } of this.world?.parts.filter((each) => each.run === part.run) ?? []) {
        const { policy } = placementOf(run.job);
        const mayBe = process === undefined || (policy !== "any" && isFailed(process.exit));
        if (node !== part.node && !mayBe) this.fault(`${where}: is started, and was on ${node}`);
      }
    }
  }

  ends(part: Part): void {
    this.story.push(`   ${this.run(part.run, part.job).name} on ${part.node}: ${part.result}`);
    const before = this.ended.indexOf(part);
    if (before >= 0) this.ended.splice(before, 1);
    this.ended.push(part);
  }

  noted(id: string, node: string, note: string): void {
    const run = this.runs.get(id);
    if (run === undefined) return;
    run.isBooked = true;
    if (node === "") run.hasCourse = true;
    const part = this.world?.parts.find((each) => each.run === id && each.node === node);
    this.story.push(
      `   ${run.name}: the book has ${node === "" ? "the whole" : node} ${part?.noted ?? note}`,
    );
  }

  told(id: string, jobName: string, { kind, end, nodes, sentence = "" }: ToldEnd): void {
    const run = this.run(id, jobName);
    const { policy } = placementOf(run.job);
    const listed = nodes.map(({ node, result }) => `${node} ${result}`).join(", ");
    const isOk = end?.isOk === true;
    const what = end === undefined ? kind : isOk ? "success" : end.cause;
    this.story.push(`   ${run.name}: ${what}: ${sentence} [${listed}]`);
    const fault = (text: string) => this.fault(`${run.name} (${policy}, ${what}: ${sentence}): ${text}`);
    run.told += 1;
    if (run.told > 1 && !run.isToldAgain) fault("is over for the second time");
    const parts = this.world?.parts.filter((each) => each.run === id) ?? [];
    const open = parts.filter(({ result }) => result === undefined);
    for (const part of parts) part.noted = "ended";
    if (open.length > 0) fault(`is over, and goes on on ${open.map(({ node }) => node).join(", ")}`);
    if (end === undefined) {
      if (parts.some(({ process }) => process !== undefined)) fault("was started");
      return;
    }

    const byNode = new Map(nodes.map(({ node, result }) => [node, result]));
    if (byNode.size !== nodes.length) fault(`tells of a node twice: ${listed}`);
    for (const { node, result } of parts) {
      if (byNode.get(node) !== result) fault(`was ${result} on ${node}, and tells ${listed}`);
    }
    const isStopped = run.isToStop || end.cause === "stopped" || end.cause === "clobbered";
    const meant = policy === "all" && !isStopped ? (run.meant ?? []) : [];
    const named = isStopped ? [] : [...parts.map(({ node }) => node), ...meant];
    for (const node of named) {
      if (!byNode.has(node)) fault(`says nothing of ${node}: ${listed}`);
      const isNamed = new RegExp(`\\b${node}\\b`).test(sentence);
      if (sentence !== "" && !isNamed) fault(`does not name ${node} in a word`);
    }
    const well = parts.filter(({ result }) => result === "success");
    if (isOk && well.length === 0) fault("ran nowhere");
    if (policy === "all") {
      const isMissing = [...byNode.values()].some((result) => result !== "success" && result !== "skipped");
      if (isOk && isMissing) fault(`is no success: ${listed}`);
      const isWhole = run.meant?.every((node) => well.some((part) => part.node === node));
      const isWell = [...byNode.values()].every((result) => result === "success");
      if (isWhole === true && isWell && !isOk && !isStopped) fault("ran well on all");
    } else {
      if (well.length > 1) fault("ran well twice");
      if (well.length > 0 && !isOk && !isStopped) fault("ran well");
      const mayGoOn = policy === "any" ? ["unreachable"] : ["unreachable", "failure", "skipped"];
      const isTriedOut = !isStopped && parts.every(({ result }) => mayGoOn.includes(result ?? ""));
      for (const node of isTriedOut && !this.gone.has(jobName) ? this.#meantBy(run.job) : []) {
        if (!byNode.has(node)) fault(`was never tried on ${node}`);
      }
      const isUnknown = parts.some(({ result }) => result === "unknown");
      if (isUnknown && end.cause !== "unseen" && !isStopped) fault("may have run, and is no unknown");
    }
    // Where it was to run on all, that it was not started on some is what counts.
    if (end.cause === "not-started" && policy !== "all" && run.job.rules.retries === 0) {
      if (parts.some(({ process }) => process !== undefined)) fault("was started");
    }
    const failed = this.ended.filter((part) => part.run === id && part.result === "failure");
    const [decisive] = failed;
    if (end.cause === "exit" && !isOk && end.outcome.kind === "exited" && decisive?.exit !== undefined) {
      if (isFailed(decisive.exit) && end.outcome.exitCode !== decisive.exit)
        fault(`has ${end.outcome.exitCode}, and failed first on ${decisive.node} with ${decisive.exit}`);
    }
  }

  #meantBy(job: ScheduledJob): string[] {
    return meantBy(placementOf(job), this.world?.nodes ?? []);
  }
}

/** The nodes that a placement means, in its order. */
function meantBy({ names }: Placement, nodes: readonly Node[]): string[] {
  if (names.length === 0) return nodes.map(({ name }) => name);
  const found = names.flatMap((name) => {
    const isNode = nodes.some((node) => node.name === name);
    return nodes.filter((node) => (isNode ? node.name === name : node.roles.includes(name)));
  });
  return [...new Set(found.map(({ name }) => name))];
}

function placementOf({ placement, name }: ScheduledJob): Placement {
  if (placement === undefined) throw new Error(name);
  return placement;
}

function isFailed(exit: number | undefined): boolean {
  return exit !== undefined && exit !== 0 && exit !== killed;
}

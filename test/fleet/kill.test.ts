/**
 * `kill -9` of rcrond in the middle of 50 runs on three hosts, and what the next one makes of them: each has its own end, none was
 * started twice, none is lost.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { type FleetScene, filesOf, fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(120_000);

const count = 50;
const numbers = Array.from({ length: count }, (_, at) => at);
/** From a moment to some seconds. */
const secondsOf = (at: number) => ((at * 7) % count) / 8;
const nameOf = (at: number) => `job-${String(at).padStart(2, "0")}`;

/** All of them are due in one second, a few from now: a flood, as at midnight. */
function flood(placementOf: (at: number) => string): Record<string, string> {
  const due = new Date(Date.now() + 4000);
  const at = `at ${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} ${due.getUTCDate()} * *`;
  return Object.fromEntries(
    numbers.map((number) => {
      const line = `echo ${number}; sleep ${secondsOf(number)}; echo end ${number}; exit ${number}`;
      return [nameOf(number), jobOn(placementOf(number), line).replace("every 1000d", at)];
    }),
  );
}

const begun = (it: FleetScene) => numbers.filter((at) => runsOf(it, at).length > 0).length;
/** How many runs have an end. One that is killed between record and book is told to have ended once more, by the next rcrond. */
const over = (it: FleetScene) =>
  new Set(it.events().flatMap((event) => (event.kind === "end" || event.kind === "skip" ? [event.run] : [])))
    .size;

/** The runs of a job that really began, each with its node. */
function runsOf(it: FleetScene, at: number): string[] {
  const runs = new Set(it.events(nameOf(at)).flatMap((event) => (event.kind === "start" ? [event.run] : [])));
  return [...runs].flatMap((run) => it.ran(run).map((node) => `${run} ${node}`));
}

/** What is wrong with the account of all of them. */
async function complaints(it: FleetScene): Promise<unknown[]> {
  const told = await it.ask<ToldRun[]>("runs", "--all", "--limit", "1000");
  const found: unknown[] = [];
  for (const at of numbers) {
    const job = nameOf(at);
    const mine = told.filter((run) => run.job === job);
    const really = runsOf(it, at);
    const state = at === 0 ? "succeeded" : "failed";
    const [run] = mine;
    const isRight = run?.state === state && run.exit === at && run.cause === "exit";
    if (!isRight || mine.length !== 1 || really.length !== 1) {
      found.push({ job, really, mine, events: it.events(job) });
      continue;
    }
    // What an earlier rcrond has had of it went with that one.
    const output = await it.output(run.run);
    if (!`${at}\nend ${at}\n`.endsWith(output)) found.push({ job, output });
  }
  return found;
}

/** A run as `rcronctl runs` has it. */
interface ToldRun {
  readonly run: string;
  readonly job: string;
  readonly state: string;
  readonly cause: string | null;
  readonly exit: number | null;
}

describeWith("kill -9 of rcrond in the middle of 50 runs on nodes", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterEach(() => {
    for (const name of hostNames) hosts[name].plug();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  /** Nothing is left on the nodes: neither files nor processes. */
  async function expectNothingLeft(it: FleetScene): Promise<void> {
    const runs = it.events().flatMap((event) => (event.kind === "start" ? [event.run] : []));
    // A start that was given up, or had come no further than its own name, stays so: the one line keeps it from coming late.
    const left = () =>
      hostNames
        .flatMap((name) => runs.map((run) => filesOf(hosts, name, run)))
        .filter((text) => !/^((void|b .*)\n)*$/.test(text));
    // What was over at the very moment of a kill may have nobody who asks for its files; they go by their age.
    await until("the files on the nodes are gone", () => left().length <= 2).catch(() => {
      throw new Error(left().join("\n"));
    });
    const environs = "grep -lz ^RCRON_RUN_ID= /proc/[0-9]*/environ 2>/dev/null";
    for (const name of hostNames) expect(hosts[name].run(environs)).toBe("");
  }

  test("killed while they are started, and again in the middle: each has its own end", async () => {
    // Of some it is said that only this node may run them: what was not begun there must be begun there after all.
    const placementOf = (at: number) => (at % 2 === 0 ? "any of web" : `all of web${(at % 3) + 1}`);
    await using it = fleetScene(hosts, { jobs: flood(placementOf) });
    const first = await it.start();
    await until("some have begun", () => begun(it) >= 10);
    await first.kill();
    const second = await it.start();
    await until("some have ended", () => over(it) >= 15);
    await second.kill();
    expect(over(it)).toBeLessThan(count);
    await it.start();
    await until("all have ended", () => over(it) >= count);
    expect(await complaints(it)).toEqual([]);
    await expectNothingLeft(it);
  });

  test("the cable to a node is out while rcrond is not there: its runs are waited for, the others end", async () => {
    await using it = fleetScene(hosts, { jobs: flood(() => "any of web") });
    const first = await it.start();
    await until("all have begun", () => begun(it) === count);
    await first.kill();
    hosts.web2.pull();
    await it.start();
    await it.untilNode("web2", "down");
    const isOnWeb2 = (at: number) => runsOf(it, at).some((run) => run.endsWith(" web2"));
    const others = numbers.filter((at) => !isOnWeb2(at));
    const hasEnd = (at: number) => it.events(nameOf(at)).some(({ kind }) => kind === "end");
    await until("the others have ended", () => others.every(hasEnd));
    hosts.web2.plug();
    await until("all have ended", () => over(it) >= count);
    expect(await complaints(it)).toEqual([]);
    await expectNothingLeft(it);
  });

  test("a run on all nodes: what has ended on one before the kill is known after it", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        all: jobOn(
          "all of web",
          "[ $RCRON_NODE != web1 ] || exit 3; until [ -e go-all ]; do sleep 0.05; done; exit 4",
        ),
      },
    });
    const first = await it.start();
    const run = await it.begin("all");
    await it.began(run, ...hostNames);
    await until("it has ended on web1", async () => (await it.node("web1"))["running"] === 0);
    await first.kill();
    await it.start();
    await until("the run goes on", () => it.events("all").some(({ kind }) => kind === "adopt"));
    for (const name of hostNames) await Bun.write(`${hosts[name].homes}/sh/go-all`, "");
    const told = await it.ended(run);
    expect(told).toMatchObject({
      isOk: false,
      nodes: ["web1 failure 3", "web2 failure 4", "web3 failure 4"],
      end: { exit: 3, cause: "exit" },
    });
    expect(it.ran(run)).toEqual(["web1", "web2", "web3"]);
  });

  test("what a job prints goes on where it was: no line is lost", async () => {
    await using it = fleetScene(hosts, {});
    const job = jobOn("any of web3", "for n in $(seq 40); do echo $n; sleep 0.1; done; exit 2");
    it.job("prints", job.replace("output none", `output ${it.at("printed")}`));
    const first = await it.start();
    const run = await it.begin("prints");
    await until("some lines", () => it.lines("printed").length >= 15);
    await first.kill();
    const had = it.lines("printed").length;
    await it.start();
    expect(await it.ended(run)).toMatchObject({ nodes: ["web3 failure 2"] });
    // The next one begins where it is noted that the output was, which was so within the last second, and leaves no line out.
    const lines = it.lines("printed").map(Number);
    const begin = lines[had] ?? 41;
    expect(begin).toBeLessThanOrEqual(had + 1);
    const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
    expect(lines).toEqual([...upTo(1, had), ...upTo(begin, 40)]);
    expect(it.ran(run)).toEqual(["web3"]);
  });

  test("a condition that was being asked is asked again, and its no is one", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        asks: jobOn("any of web1", "true", "if touch asked; until [ -e go-ask ]; do sleep 0.05; done; false"),
      },
    });
    const first = await it.start();
    const run = await it.begin("asks");
    await until("it is asked", () => existsSync(join(hosts.web1.homes, "sh/asked")));
    await first.kill();
    await it.start();
    go(hosts, "go-ask", "web1");
    const told = await it.ended(run);
    expect({ isSkipped: told.skip !== undefined, ran: it.ran(run) }).toEqual({ isSkipped: true, ran: [] });
  });

  test("retries are counted on, and the time limit holds", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        retried: jobOn("any of web1", "exit 5", "retry 1", "retry_delay 2s"),
        late: jobOn("all of web2", "exec sleep 7773", "timeout 3s", "grace 1s"),
      },
    });
    const first = await it.start();
    const [retried, late] = [await it.begin("retried"), await it.begin("late")];
    await it.began(late, "web2");
    await until("it waits for its retry", () => it.log().includes("retry"));
    await first.kill();
    await it.start();
    expect(await it.ended(retried)).toMatchObject({ isOk: false, nodes: ["web1 failure 5"] });
    expect(it.ran(retried)).toEqual(["web1", "web1"]);
    expect(await it.ended(late)).toMatchObject({ isOk: false, end: { cause: "timeout" } });
    expect(it.ran(late)).toEqual(["web2"]);
    expect(hosts.web2.run("pgrep -f '[s]leep 7773' || true")).toBe("");
  });

  test("what was defined is gone: a run without its job's file is brought to its end, one without its node is unknown", async () => {
    const line = `${untilGo("go-gone")}; exit 6`;
    await using it = fleetScene(hosts, {
      jobs: { gone: jobOn("all of web1", line), here: jobOn("all of web2,web3", line) },
    });
    const first = await it.start();
    const [gone, here] = [await it.begin("gone"), await it.begin("here")];
    await it.began(gone, "web1");
    await it.began(here, "web2", "web3");
    await first.kill();
    it.drop("gone");
    it.define({ nodes: { web1: [], web2: [] } });
    await it.start();
    go(hosts, "go-gone", ...hostNames);
    expect(await it.ended(gone)).toMatchObject({ isOk: false, nodes: ["web1 failure 6"], end: { exit: 6 } });
    const told = await it.ended(here);
    expect(told).toMatchObject({ isOk: false, nodes: ["web2 failure 6", "web3 unknown"] });
    expect([...it.ran(gone), ...it.ran(here)]).toEqual(["web1", "web2", "web3"]);
  });
});

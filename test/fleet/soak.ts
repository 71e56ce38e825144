/**
 * A fleet at work while all that can go wrong does, for minutes: rcrond among three hosts with a real sshd each, jobs of all policies
 * that are due every few seconds, and faults by chance. Then, when all is well again, what the jobs have written down on their nodes
 * against the record of each run (soak-account.ts), and what is left: files and processes on the nodes, processes here, and what
 * rcrond has taken of memory, descriptors and disk.
 *
 *     npm run soak:fleet [MINUTES] [SEED]      10, and one by chance; as root
 *
 * The seed decides on the faults and their lengths; what they meet is chance. With SOAK_KEEP=FOLDER in the environment, record, log
 * and what the jobs have written are kept there.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { parseEvent, type RunEvent } from "../../src/model/run-event.ts";
import { until } from "../daemon/system/scheduler.ts";
import { type FleetScene, fleetScene } from "./fleet-scene.ts";
import { complaintsOf, startsIn, totalsOf } from "./soak-account.ts";
import {
  chanceOf,
  childrenOf,
  jobs,
  jobText,
  nameOf,
  putScripts,
  Soak,
  type Taken,
  termsOf,
  textOf,
} from "./soak-scene.ts";
import { type HostName, hostNames, threeHosts } from "./three-hosts.ts";

/** What the book's database may have besides itself, whatever is in it. */
const journalKb = 4200;

/** More descriptors than a new rcrond has, for three nodes with a further connection or two each. */
const moreDescriptors = 30;
/**
 * Files of runs on a node. A start that was given up, or had come no further than its own name, stays so: the one line keeps it from
 * coming late.
 */
const listFiles = `for d in /mnt/homes/sh/.cache/rcron/runs /dev/shm/rcron-0 /var/tmp/rcron-0; do
  cd $d 2>/dev/null || continue
  for f in *; do
    i=\${f%.*}
    [ ! -e $f ] || { [ -e $i.c ] && ! grep -qv "^void$\\|^b " $i.c; } || echo "$d/$f: $(cut -c1-60 $i.c | tr "\\n" "|")"
  done
done`;
/** The ids of the runs that go on on a node. */
const listRuns = `cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" | sed -n "s/^RCRON_RUN_ID=//p"`;
const endRuns = `for e in $(grep -lz ^RCRON_RUN_ID= /proc/[0-9]*/environ 2>/dev/null); do
  p=\${e#/proc/}; kill -9 \${p%/environ}
done 2>/dev/null || :`;
/** All that is on a node besides its own. */
const listProcesses = `for p in /proc/[0-9]*; do echo "$(tr "\\0" " " <$p/cmdline | head -c 200)"; done 2>/dev/null | grep -v "^$\\|start.sh\\|^sleep 1 \\|^sshd: .*listener\\|^sh -c for p\\|^tr \\|^head \\|^grep "`;

async function main(): Promise<void> {
  const minutes = Number(process.argv[2] ?? 10);
  const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 1e6));
  console.log(`${minutes} min, seed ${seed}`);
  // Its runs' folder has a small disk of its own: what the jobs write down is never lost.
  const prepare = "mkdir -m 700 $homes/sh/.cache; mount -t tmpfs -o mode=700,size=96m tmpfs $homes/sh/.cache";
  await using hosts = await threeHosts({ web3: { prepare } });
  await using it = fleetScene(hosts);
  for (const [name, { seconds }] of Object.entries(jobs)) it.job(name, jobText(it, name, `${seconds}s`));
  putScripts(hosts);
  const soak = new Soak(hosts, it, seed);
  const pace = chanceOf(seed + 1);
  await soak.start();
  const { descriptors } = soak.taken();
  const beganMs = performance.now();
  let settled: Taken | undefined;
  for (let minute = 1; minute <= minutes; minute++) {
    const strikes: Record<string, number> = {};
    const before = soak.faults.length;
    while (performance.now() - beganMs < minute * 60_000) {
      await Bun.sleep(300 + pace() * 3000);
      if (minute > 1) soak.strike();
    }
    for (const { kind } of soak.faults.slice(before)) strikes[kind] = (strikes[kind] ?? 0) + 1;
    const taken = soak.life === undefined ? undefined : soak.taken();
    settled ??= taken;
    console.log(`minute ${minute}: ${JSON.stringify(taken)} ${JSON.stringify(strikes)}`);
  }
  const untilMs = Date.now();
  await soak.calm();
  await soak.start();
  for (const name of Object.keys(jobs)) it.job(name, jobText(it, name, "1000d"));
  soak.life?.signal("SIGHUP");
  const left: { node: HostName; run: string }[] = [];
  const wrong = [...soak.wrong, ...(await quiet(soak, settled, { descriptors, left }))];

  const bootMs = Date.now() - Number(textOf("/proc/uptime").split(" ")[0]) * 1000;
  const told = await it.ask<{ run: string; state: string }[]>("runs", "--all", "--limit", "1000000");
  const account = {
    jobs: Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, termsOf(job)])),
    events: eventsOf(it),
    starts: hostNames.flatMap((name) => startsIn(hosts[name].lines("ran"), bootMs)),
    faults: soak.faults,
    left,
    untilMs,
    daemons: soak.daemons,
    states: new Map(told.map(({ run, state }) => [run, state])),
    promised: soak.promised,
    printed: { prints: it.lines("printed-prints") },
  };
  wrong.push(...complaintsOf(account), ...defectsIn(it.log()));
  console.log(JSON.stringify(totalsOf(account)));
  for (const each of wrong) console.log(`wrong: ${each}`);
  console.log(`${wrong.length === 0 ? "well" : `${wrong.length} wrong`}: ${minutes} min, seed ${seed}`);
  const kept = process.env["SOAK_KEEP"];
  if (kept !== undefined) {
    Bun.spawnSync(["cp", "-a", it.at("."), kept]);
    await Bun.write(
      join(kept, "faults.json"),
      JSON.stringify({ faults: soak.faults, daemons: soak.daemons }),
    );
    for (const name of hostNames)
      await Bun.write(join(kept, `ran-${name}`), hosts[name].lines("ran").join("\n"));
  }
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

/**
 * Waits until all is over, has rcrond ended, and tells what is left.
 * @param left takes the runs that still go on on a node; they are ended
 */
async function quiet(
  soak: Soak,
  settled: Taken | undefined,
  { descriptors, left }: { readonly descriptors: number; readonly left: { node: HostName; run: string }[] },
): Promise<string[]> {
  const { it, hosts } = soak;
  const wrong: string[] = [];
  const longUntil = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    let error: unknown;
    for (let tries = 0; tries < 6; tries++) {
      error = undefined;
      await until(what, isSo).catch((reason: unknown) => {
        error = reason;
      });
      if (error === undefined) return;
    }
    wrong.push(`${error}`);
  };
  await it.ctl("nodes", "test", "all");
  await longUntil("nothing goes on", async () => {
    await Bun.sleep(500);
    return (await soak.going()).length === 0;
  });
  if (wrong.length > 0) wrong.push((await it.ctl("status")).stdout);
  const tested = await it.ctl("nodes", "test", "all");
  if (tested.exitCode !== 0) wrong.push(`a node can't be reached: ${tested.stdout}`);
  await Bun.sleep(12_000); // what a run has left behind is given up by then
  const last = soak.taken();
  console.log(`quiet: ${JSON.stringify(last)}`);
  if (last.descriptors > descriptors + moreDescriptors) wrong.push("descriptors are lost");
  if (settled !== undefined) {
    if (last.residentKb > settled.residentKb * 1.3 + 20_000) wrong.push("memory is lost");
    if (last.bookKb > Math.max(settled.bookKb, journalKb) * 1.5) wrong.push("the book has grown");
  }
  for (const child of childrenOf(soak.life?.pid)) {
    if (nameOf(child) !== "ssh") wrong.push(`rcrond has a child: ${textOf(`/proc/${child}/cmdline`)}`);
  }
  const status = await soak.life?.end();
  if (status !== 0) wrong.push(`rcrond ended with ${status}`);
  const machine = hosts.before[2] ?? "";
  await longUntil("no process is left on rcrond's machine", () => processesOf(machine).length === 1);
  wrong.push(...processesOf(machine).slice(1));
  // Of what has ended at the very moment of a loss nobody asks for the files; they go by their age.
  const losses = soak.faults.filter(({ kind }) => /cable|sshd|master|rcrond/.test(kind)).length;
  for (const name of hostNames) {
    const files = hosts[name].run(listFiles).split("\n").slice(0, -1);
    const runs = new Set(files.map((line) => line.replace(/\.\w+: .*/, ""))).size;
    if (runs > losses / 3) wrong.push(`files on ${name}:\n${files.join("\n")}`);
    else if (runs > 0) console.log(`files of ${runs} runs are left on ${name}`);
    for (const run of new Set(hosts[name].run(listRuns).split("\n").filter(Boolean))) {
      console.log(`the run ${run} goes on on ${name}`);
      left.push({ node: name, run });
    }
    hosts[name].run(endRuns);
    await longUntil(`nothing is left on ${name}`, () => hosts[name].run(listProcesses) === "");
    const processes = hosts[name].run(listProcesses);
    if (processes !== "") wrong.push(`processes on ${name}: ${processes}`);
  }
  return wrong;
}

/** What no log may have. */
function defectsIn(log: string): string[] {
  const isDefect =
    /rcrond failed|TypeError|RangeError|ReferenceError|internal|nhandled|can't be read|\bat .*:\d+:\d+/;
  return log.split("\n").filter((line) => isDefect.test(line));
}

/** The record's events, of journals that were full as well. */
function eventsOf(it: FleetScene): RunEvent[] {
  const full = readdirSync(it.at("history")).filter((name) => name.startsWith("journal."));
  const lines = full.sort().flatMap((name) => textOf(it.at(`history/${name}`)).split("\n"));
  return [...lines.flatMap((line) => parseEvent(line) ?? []), ...it.events()];
}

/** The processes that are in the network of another one, with what they are called; itself first. */
function processesOf(pid: string): string[] {
  const netOf = (of: string) => {
    try {
      return readlinkSync(`/proc/${of}/ns/net`);
    } catch {
      return undefined; // it has ended
    }
  };
  const net = netOf(pid);
  const found = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && netOf(name) === net);
  return found.map((name) => textOf(`/proc/${name}/cmdline`).replaceAll("\0", " "));
}

await main();

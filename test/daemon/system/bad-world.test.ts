/**
 * What is around the scheduler fails: record, state, log, disk. Jobs run on, tick by tick, and what can be told is told.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { describeOnPrivateHost, onPrivateHost } from "../../support/private-host.ts";
import { count, doubled, type Scheduler, scheduler, until } from "./scheduler.ts";

setDefaultTimeout(60_000);

const tick = (it: Scheduler) =>
  it.job("tick", `at * * * * * *\noutput none\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ticks\n`);

async function moreTicks(it: Scheduler): Promise<void> {
  const before = it.lines("ticks").length;
  await until("more ticks", () => it.lines("ticks").length >= before + 3);
}

/** Each second from the first to the last one has been run once. */
function expectAllSeconds(ticks: readonly string[]): void {
  const seconds = ticks.map((text) => Date.parse(text) / 1000);
  expect(doubled(ticks)).toEqual([]);
  expect(ticks).toHaveLength(Math.max(...seconds) - Math.min(...seconds) + 1);
}

test.concurrent("a record that can't be kept: told once, until it can be kept again", async () => {
  await using it = scheduler({});
  tick(it);
  rmSync(it.at("history"), { recursive: true });
  writeFileSync(it.at("history"), "a file in its place\n");
  const life = await it.start();
  await moreTicks(it);
  const told = () =>
    it
      .log()
      .split("\n")
      .filter((line) => line.includes("the record can't be kept"));
  expect(told()).toHaveLength(1);
  const warnings = async () => (await it.ask<{ warnings: string[] }>("status")).warnings;
  expect(await warnings()).toEqual([expect.stringContaining("the record can't be kept")]);
  rmSync(it.at("history"));
  mkdirSync(it.at("history"));
  await until("it is kept again", () => it.events("tick").length > 2);
  expect(await warnings()).toEqual([]);
  expect(await life.end()).toBe(0);
  expect(told()).toHaveLength(1);
  expectAllSeconds(it.lines("ticks"));
});

test.concurrent("state that is lost while it is at work: told, and no second copy begins", async () => {
  await using it = scheduler({});
  tick(it);
  const life = await it.start();
  await moreTicks(it);
  rmSync(it.at("kept"), { recursive: true });
  await until("it is told", () => it.log().includes("was taken away while rcrond was at work"));
  const copy = await it.start({ waitFor: "nothing" });
  expect(await copy.ended()).toBe(0);
  const status = await it.ask<{ warnings: string[] }>("status");
  expect(status.warnings).toEqual([expect.stringContaining("was taken away")]);
  await moreTicks(it);
  expect(await life.end()).toBe(0);
  expect(count(it.log(), "was taken away")).toBe(1);
  expectAllSeconds(it.lines("ticks"));
});

test.concurrent("state that is broken: told and begun anew", async () => {
  await using it = scheduler({});
  tick(it);
  const first = await it.start();
  await moreTicks(it);
  expect(await first.kill()).toBe(137);
  for (const part of ["-wal", "-shm"]) rmSync(it.at(`kept/daemon.db${part}`), { force: true });
  writeFileSync(it.at("kept/daemon.db"), "no database, whatever else it may be\n".repeat(500));
  const second = await it.start();
  await moreTicks(it);
  expect(await second.end()).toBe(0);
  expect(it.log()).toContain("was broken");
  expect(doubled(it.lines("ticks"))).toEqual([]);
});

test.concurrent("a socket that can't be there: told, and jobs run", async () => {
  await using it = scheduler({});
  tick(it);
  mkdirSync(it.at("socket"));
  const life = await it.start();
  await moreTicks(it);
  expect(await life.end()).toBe(0);
  expect(it.log()).toContain("socket");
  expectAllSeconds(it.lines("ticks"));
});

test.concurrent("a state file that can't be read keeps `cluster` jobs back, and no others", async () => {
  await using it = scheduler({}, { top: ["default_state = passive"] });
  tick(it);
  it.job("bound", `at * * * * * *\noutput none\ncluster\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> bound\n`);
  rmSync(it.at("state"));
  mkdirSync(it.at("state"));
  chmodSync(it.at("state"), 0);
  const life = await it.start();
  await moreTicks(it);
  expect(await life.end()).toBe(0);
  expect(it.lines("bound")).toEqual([]);
  expect(it.events("bound")).toContainEqual(expect.objectContaining({ kind: "skip", why: "passive" }));
});

/** rcrond on the private host: `started CONF-LINE…`, `ticks N` more, `ended`; and the ticks at last. */
const stage = `
ln -s rcron /usr/bin/rcrond; ln -s rcron /usr/bin/rcronctl
mkdir -p /etc/rcron/jobs.d /run/out
printf 'at * * * * * *\\noutput none\\nrun echo $RCRON_TICK >> /run/out/ticks; head -c 3000 /dev/urandom | base64\\n' > /etc/rcron/jobs.d/tick
: > /run/out/ticks
started() { printf '%s\\n' "$@" > /etc/rcron/rcron.conf; rcrond >/run/out/stdout 2>/run/out/stderr & rcrond=$!; ticks 1; }
count() { wc -l < /run/out/ticks; }
ticks() { goal=$(($(count) + $1)); reached() { [ $(count) -ge $goal ]; }; until_ok reached; }
ended() { kill $rcrond; code=0; wait $rcrond || code=$?; [ $code = 0 ] || echo "exit $code"; cat /run/out/ticks; }
`;

describeOnPrivateHost("disk and log", ["dist/rcron", "rsyslogd"], () => {
  const play = async (script: string) => {
    const { exitCode, stdout, stderr } = await onPrivateHost(stage + script, 40_000);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return stdout.trimEnd().split("\n");
  };
  const isTick = (line: string) => /^2\d{3}-.*Z$/.test(line);

  test.concurrent("a disk that is full, for record and state", async () => {
    const said = await play(`
      mount -t tmpfs -o size=64k tmpfs /var/lib/rcron
      started '[daemon]' 'log = stderr'
      ticks 2
      dd if=/dev/zero of=/var/lib/rcron/filler 2>/dev/null || :
      ticks 4
      grep -o "the record can't be kept\\|what must outlive rcrond can't be kept" /run/out/stderr | sort -u
      rm /var/lib/rcron/filler
      ticks 2
      ended`);
    expect(said.filter((line) => !isTick(line))).toEqual([
      "the record can't be kept",
      "what must outlive rcrond can't be kept",
    ]);
    expectAllSeconds(said.filter(isTick));
  });

  test.concurrent("no log socket, and one that comes later", async () => {
    const said = await play(`
      started '[daemon]' 'log = syslog'
      ticks 2
      printf 'module(load="imuxsock" SysSock.Name="/dev/log")\\n*.* action(type="omfile" file="/var/log/all")\\n' > /run/rsyslog.conf
      rsyslogd -n -f /run/rsyslog.conf -i /run/rsyslogd.pid & rsyslog=$!
      has_log() { grep -q 'rcrond.*status=ok' /var/log/all 2>/dev/null; }
      until_ok has_log
      cat /run/out/stderr
      ended
      kill $rsyslog`);
    expectAllSeconds(said);
  });

  test.concurrent("a log that is there and takes nothing", async () => {
    const said = await play(`
      printf 'module(load="imuxsock" SysSock.Name="/dev/log")\\n*.* action(type="omfile" file="/var/log/all")\\n' > /run/rsyslog.conf
      rsyslogd -n -f /run/rsyslog.conf -i /run/rsyslogd.pid & rsyslog=$!
      has_socket() { [ -S /dev/log ]; }
      until_ok has_socket
      kill -STOP $rsyslog
      started '[daemon]' 'log = syslog'
      ticks 8 # two lines each: more than a socket's queue takes
      ended
      kill -CONT $rsyslog
      kill $rsyslog`);
    expectAllSeconds(said);
  });
});

/**
 * What ends rcrond and what lets it read again: SIGTERM, once and twice, SIGHUP; and the second copy, which leaves.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EndEvent } from "../../../src/model/run-event.ts";
import { describeOnPrivateHost, onPrivateHost } from "../../support/private-host.ts";
import { binary, run } from "../../support/program.ts";
import { isAlive } from "../../support/run-scene.ts";
import { clockLibrary, type Scheduler, scheduler, until } from "./scheduler.ts";

setDefaultTimeout(60_000);

/** Far away: it runs when it is asked to. */
const never = "every 1000d\noutput none";

function ends(it: Scheduler): EndEvent[] {
  return it.events().filter((event) => event.kind === "end");
}

async function running(it: Scheduler, job: string): Promise<number> {
  await it.ctl("run", job);
  await until(`${job} runs`, () => it.lines("pid").length > 0);
  return Number(it.lines("pid")[0]);
}

test("SIGTERM waits for what goes on, and nothing is started meanwhile", async () => {
  await using it = scheduler({});
  it.job(
    "long",
    `${never}\ncwd ${it.at(".")}\nrun echo $$ >> pid; until [ -e go ]; do sleep 0.05; done; echo done >> out\n`,
  );
  it.job("tick", `at * * * * * *\noutput none\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ticks\n`);
  const life = await it.start();
  await running(it, "long");
  await until("ticks", () => it.lines("ticks").length > 1);
  life.signal("SIGTERM");
  await until("it waits", () => /waits for [12] runs?\n/.test(it.log()));
  await until("long is the last one", async () => {
    const status = await it.ask<{ running: { job: string }[]; draining: boolean }>("status");
    return status.draining && status.running.map(({ job }) => job).join() === "long";
  });
  const count = it.lines("ticks").length;
  expect((await it.ctl("run", "tick")).stderr).toContain("about to end");
  await Bun.sleep(1200); // a second has at least one tick
  expect(it.lines("ticks")).toHaveLength(count);
  writeFileSync(it.at("go"), "");
  expect(await life.ended()).toBe(0);
  expect(it.lines("out")).toEqual(["done"]);
  expect(it.events("long").at(-1)).toMatchObject({ kind: "end", ok: true, exit: 0 });
});

test.each([
  ["what goes on longer than stop_timeout is ended", "1s", 1],
  ["a second SIGTERM ends the runs at once", "10m", 2],
])("SIGTERM: %s, with all that it has started, and recorded", async (_, stopTimeout, terms) => {
  await using it = scheduler({}, { daemon: [`stop_timeout = ${stopTimeout}`] });
  it.job("long", `${never}\ncwd ${it.at(".")}\nrun sleep 600 & echo $! >> pid; wait\n`);
  const life = await it.start();
  const child = await running(it, "long");
  for (let sent = 0; sent < terms; sent++) {
    life.signal("SIGTERM");
    await until("it waits", () => it.log().includes("waits for 1 run\n"));
  }
  expect(await life.ended()).toBe(0);
  expect(ends(it)).toMatchObject([
    { ok: false, cause: "stopped", sentence: expect.stringContaining("SIGTERM") },
  ]);
  expect(isAlive(child)).toBe(false);
  expect(it.log()).toEndWith("rcrond: ended\n");
});

test("SIGHUP reads configuration and jobs again; what is broken leaves everything as it was", async () => {
  await using it = scheduler({});
  it.job(
    "tell",
    `${never}\ncwd ${it.at(".")}\nrun until [ -e go ]; do sleep 0.02; done; rm go; nice >> level\n`,
  );
  const life = await it.start();
  const level = async () => {
    const before = it.lines("level").length;
    expect(await it.ctl("run", "tell")).toMatchObject({ exitCode: 0 });
    // The job has its priority a moment after its start, and its pid is told after that.
    await until("it is started", async () => {
      const { running } = await it.ask<{ running: { pid?: number }[] }>("status");
      return running.some(({ pid }) => pid !== undefined);
    });
    writeFileSync(it.at("go"), "");
    await until("it has told", () => it.lines("level").length > before);
    return Number(it.lines("level").at(-1));
  };
  const reload = async (what: string) => {
    const before = it.log().length;
    life.signal("SIGHUP");
    await until(what, () => /(were|was) read again/.test(it.log().slice(before)));
    return it.log().slice(before);
  };
  const usual = await level();
  it.configure({ sections: ["[job tell]", `nice = ${usual + 7}`] });
  await reload("a section");
  expect(await level()).toBe(usual + 7);
  it.configure({ sections: ["[job tell]", "nice = high"] });
  const told = await reload("a broken one");
  expect(told).toContain("nice must be");
  expect(told).toContain("nothing was read again: all is as it was");
  expect(await level()).toBe(usual + 7);
  expect(await life.end()).toBe(0);
});

test("a second copy leaves quietly with 0; when the first one is killed, the next one takes over", async () => {
  await using it = scheduler({}, { daemon: ["stop_timeout = 1s"] });
  it.job("tick", `at * * * * * *\noutput none\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ticks\n`);
  const first = await it.start();
  const words = [join(binary, "../rcrond"), "--cron-dir", it.at("jobs"), "--conf", it.at("conf")];
  for (let copy = 0; copy < 3; copy++) {
    expect(await run(words)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  }
  expect(isAlive(first.pid)).toBe(true);
  await first.kill();
  const next = await it.start();
  const before = it.lines("ticks").length;
  await until("a tick", () => it.lines("ticks").length > before);
  expect(await next.end()).toBe(0);
});

test("a descriptor of the daemon is no job's, and none is left behind by runs", async () => {
  await using it = scheduler({});
  it.job("look", `${never}\ncwd ${it.at(".")}\nrun ls /proc/self/fd | tr '\\n' ' ' >> fds; echo >> fds\n`);
  const life = await it.start();
  const open = () => readdirSync(`/proc/${life.pid}/fd`).length;
  await it.ctl("run", "look", "--follow");
  const before = open();
  for (let time = 0; time < 10; time++) await it.ctl("run", "look", "--follow");
  await until("closed", () => open() <= before);
  expect(new Set(it.lines("fds"))).toEqual(new Set(["0 1 2 3 "])); // 3 is the folder that ls reads
  expect(readFileSync(`/proc/${life.pid}/task/${life.pid}/children`, "utf8")).toBe("");
  expect(await life.end()).toBe(0);
});

describeOnPrivateHost("rcrond in a crontab, each minute", ["dist/rcron", "cron", clockLibrary], () => {
  test("one is at work whatever happens to it, and nobody gets a mail", async () => {
    const ended = await onPrivateHost(
      `
rm -f /etc/cron.d/* /etc/crontab
mkdir -p /etc/rcron/jobs.d /run/out
ln -s rcron /usr/bin/rcrond
printf 'auth required pam_permit.so\\naccount required pam_permit.so\\nsession required pam_permit.so\\n' > /etc/pam.d/cron
# In sendmail's place: cron mails what a job prints.
mount -t tmpfs -o mode=755 tmpfs /usr/local
printf '#!/bin/sh\\ncat >> /run/out/mail\\n' > /run/out/sendmail
chmod 755 /run/out/sendmail
[ -e /usr/sbin/sendmail ] || : > /usr/sbin/sendmail
mount --bind /run/out/sendmail /usr/sbin/sendmail
printf 'at * * * * * *\\noutput none\\nrun echo $RCRON_TICK >> /run/out/ticks\\n' > /etc/rcron/jobs.d/tick
crontab -u root - <<'END'
MAILTO=root
* * * * * /usr/bin/rcrond
* * * * * echo minute >> /run/out/minutes
END
# rcrond has the real clock; cron's goes thirty times too fast.
LD_PRELOAD=${clockLibrary} FAKETIME='@2031-01-01 00:00:45 x30' cron -f -L 0 &
cron=$!
lock=/var/lib/rcron/daemon/rcrond.lock
at_work() { [ -s $lock ] && read -r pid < $lock && [ "$pid" != "\${killed:-}" ] && [ -d /proc/$pid ]; }
alive() { for comm in /proc/[0-9]*/comm; do says $comm rcrond || continue; read -r _ _ state _ < \${comm%comm}stat; [ $state = Z ] || echo $comm; done | wc -l; }
minutes() { [ -e /run/out/minutes ] && [ "$(wc -l < /run/out/minutes)" -ge $1 ]; }
ticks() { [ -e /run/out/ticks ] && [ "$(wc -l < /run/out/ticks)" -ge $1 ]; }
until_ok at_work; first=$pid
until_ok minutes 3
until_ok ticks 2
[ $pid = $first ] || echo another one
only_one() { [ "$(alive)" = 1 ]; }
until_ok only_one
[ ! -e /run/out/mail ] || cat /run/out/mail # of what follows, the shell around it will say "Killed"
kill -9 $pid; killed=$pid
until_ok at_work
until_ok only_one
before=$(wc -l < /run/out/ticks)
until_ok ticks $((before + 2))
[ -z "$(sort /run/out/ticks | uniq -d)" ] || echo doubled
kill $cron
kill $pid
`,
      50_000,
    );
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

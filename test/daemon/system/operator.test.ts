/**
 * `rcronctl` and a scheduler at work: a run that is started, followed and stopped by hand, pauses and restarts.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { binary } from "../../support/program.ts";
import { isAlive } from "../../support/run-scene.ts";
import { doubled, type Scheduler, scheduler, until } from "./scheduler.ts";

setDefaultTimeout(60_000);

const never = "every 1000d\noutput none";
const tick = (it: Scheduler, name: string) =>
  it.job(name, `at * * * * * *\noutput none\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ${name}\n`);
const skipped = (it: Scheduler, job: string) =>
  it.events(job).flatMap((event) => (event.kind === "skip" ? [event.why] : []));
/** All ticks of a job of each second, from its first one to its last one: those that were run, and those that were skipped. */
const seconds = (it: Scheduler, job: string) => {
  // Of a run whose rcrond was killed right at its start, the next one tells once more.
  const ticks = new Map(
    it.events(job).flatMap((event) => ("tick" in event ? [[event.run, event.tick]] : [])),
  );
  return [...ticks.values()].map((tick) => Math.round(tick / 1000));
};

test.concurrent("run --follow shows what the job prints as it comes, and ends with its exit status", async () => {
  await using it = scheduler({});
  it.job(
    "talk",
    `${never}\ncwd ${it.at(".")}\nrun echo one; echo two >&2; until [ -e go ]; do sleep 0.05; done; echo three; exit 7\n`,
  );
  await it.start();
  const follower = Bun.spawn(
    [join(binary, "../rcronctl"), "run", "talk", "--follow", "--conf", it.at("conf")],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let seen = "";
  for await (const bytes of follower.stdout) {
    seen += new TextDecoder().decode(bytes);
    if (seen === "one\ntwo\n") await Bun.write(it.at("go"), "x");
  }
  expect(seen).toBe("one\ntwo\nthree\n");
  expect(await follower.exited).toBe(7);
  expect(it.events("talk")).toMatchObject([{ kind: "start" }, { kind: "end", exit: 7, ok: false }]);
  expect(await it.ctl("run", "tolk")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("talk") });
});

test.concurrent("run gives an id, by which runs, show and why tell of it, and stop ends it", async () => {
  await using it = scheduler({});
  it.job("long", `${never}\ncwd ${it.at(".")}\nrun sleep 600 & echo $! >> pid; wait\n`);
  await it.start();
  const { run } = await it.ask<{ run: string }>("run", "long");
  await until("it runs", () => it.lines("pid").length === 1);
  const { running } = await it.ask<{ running: { run: string; job: string }[] }>("status");
  expect(running).toMatchObject([{ run, job: "long" }]);
  expect(await it.ask<unknown[]>("runs", "--job", "long")).toMatchObject([{ run, state: "running" }]);
  expect(await it.ctl("stop", run.slice(0, 8))).toMatchObject({ exitCode: 0, stderr: "" });
  await until("it has ended", () => it.events("long").some(({ kind }) => kind === "end"));
  expect(it.events("long").at(-1)).toMatchObject({
    cause: "stopped",
    sentence: expect.stringContaining("stopped by"),
  });
  expect(isAlive(Number(it.lines("pid")[0]))).toBe(false);
  expect(await it.ask<unknown[]>("runs", "--job", "long")).toMatchObject([
    { run, state: "failed", cause: "stopped" },
  ]);
  expect((await it.ctl("show", run)).stdout).toContain("stopped by");
  expect((await it.ctl("why", "long")).stdout).toContain("stopped by");
  expect(await it.ctl("stop", run)).toMatchObject({ exitCode: 1 });
});

test.concurrent("a pause outlives rcrond, however that ends, and its ticks are told; others run on", async () => {
  await using it = scheduler({}, { daemon: ["stop_timeout = 1s"] });
  for (const name of ["one", "other"]) tick(it, name);
  const first = await it.start();
  await until("a tick", () => it.lines("one").length > 0);
  expect(await it.ctl("pause", "one", "--for", "1h", "--why", "new disks")).toMatchObject({ exitCode: 0 });
  const before = it.lines("one").length;
  await until("a paused tick", () => skipped(it, "one").includes("paused"));
  await first.kill();
  const second = await it.start();
  const [{ pauses } = { pauses: [] }] = [await it.ask<{ pauses: unknown[] }>("status")];
  expect(pauses).toMatchObject([{ job: "one", why: "new disks" }]);
  const told = skipped(it, "one").length;
  const others = it.lines("other").length;
  await until(
    "more paused ticks",
    () => skipped(it, "one").length > told + 1 && it.lines("other").length > others,
  );
  expect(it.lines("one").length - before).toBeLessThanOrEqual(1); // the one that was just being started
  await second.end();
  const third = await it.start();
  expect(await it.ctl("resume", "one")).toMatchObject({ exitCode: 0 });
  const paused = it.lines("one").length;
  await until("it runs again", () => it.lines("one").length > paused + 1);
  await third.end();
  expect((await it.ctl("runs", "--job", "one", "--all")).stdout).toContain("new disks");
  for (const name of ["one", "other"]) {
    const ticks = seconds(it, name);
    expect(doubled(ticks.map(String))).toEqual([]);
    expect(ticks.length).toBe(Math.max(...ticks) - Math.min(...ticks) + 1);
  }
});

test.concurrent("a pause of all ends by itself", async () => {
  await using it = scheduler({});
  for (const name of ["one", "other"]) tick(it, name);
  await it.start();
  await until("a tick", () => it.lines("one").length > 0);
  expect(await it.ctl("pause", "all", "--for", "2s")).toMatchObject({ exitCode: 0 });
  await until("paused ticks", () => skipped(it, "one").length > 0 && skipped(it, "other").length > 0);
  const counts = ["one", "other"].map((name) => it.lines(name).length);
  await until("both run again", () =>
    ["one", "other"].every((name, at) => it.lines(name).length > (counts[at] ?? 0)),
  );
  expect((await it.ask<{ pauses: unknown[] }>("status")).pauses).toEqual([]);
});

test.concurrent("reload, next, jobs and status answer; without a daemon they say so or read the files", async () => {
  await using it = scheduler({});
  tick(it, "one");
  const life = await it.start();
  it.job("late", `${never}\ndescription the late one\nrun true\n`);
  await until("taken up", async () => (await it.ctl("next", "late")).exitCode === 0);
  it.job("broken", "evry 10m\nrun true\n");
  expect(await it.ctl("reload")).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('got "evry"'),
  });
  expect((await it.ctl("jobs")).stdout).toContain("late");
  expect((await it.ctl("status")).stdout).toContain("broken");
  await life.end();
  expect((await it.ctl("status")).exitCode).toBe(1);
  expect((await it.ctl("pause", "one", "--for", "1h")).exitCode).toBe(1);
  const told = await it.ctl("next", "late", "--cron-dir", it.at("jobs"));
  expect(told).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("every 1000d") });
});

/**
 * Ten thousand job files that are changed while a job runs each second: what is changed is taken up, and no second is lost or
 * doubled over it.
 */
import { expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { doubled, type Scheduler, scheduler, until } from "./scheduler.ts";

const folders = 100;
const filesEach = 100;

/** Fills a tree; all its jobs are of another time. */
function fill(tree: string, text: string): void {
  for (let at = 0; at < folders; at++) {
    const folder = `${tree}/group-${at}`;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    for (let file = 0; file < filesEach; file++)
      writeFileSync(`${folder}/job-${file}`, text, { mode: 0o644 });
  }
}

const other = (command: string) => `every 1000d\noutput none\nrun ${command}\n`;
const jobCount = async (it: Scheduler) => (await it.ask<{ jobs: number }>("status")).jobs;
const scheduleOf = async (it: Scheduler, job: string) => (await it.ctl("next", job)).stdout;

test("10,000 files: a change, a new one, one that goes, a switched link, a tree in place of another", async () => {
  await using it = scheduler({});
  const tick = `at * * * * * *\noutput none\ncwd ${it.at(".")}\nrun echo $RCRON_TICK >> ticks\n`;
  it.job("tick", tick);
  fill(it.at("jobs"), other("true"));
  const life = await it.start();
  expect(it.log()).toContain("10001 jobs in 10001 files");
  await until("a tick", () => it.lines("ticks").length > 0);

  it.job("group-7/job-7", other("true").replace("1000d", "500d"));
  await until("changed", async () => (await scheduleOf(it, "group-7/job-7")).includes("500d"));
  it.job("group-7/new", other("true"));
  await until("new", async () => (await jobCount(it)) === 10_002);
  it.drop("group-7/new");
  await until("gone", async () => (await jobCount(it)) === 10_001);

  // A folder of links, as a release that is switched.
  for (const [release, period] of [
    ["1", "300d"],
    ["2", "200d"],
  ]) {
    mkdirSync(it.at(`release-${release}`), { mode: 0o755 });
    writeFileSync(it.at(`release-${release}/app`), other("true").replace("1000d", `${period}`), {
      mode: 0o644,
    });
  }
  symlinkSync(it.at("release-1"), it.at("jobs/current"));
  await until("a link", async () => (await scheduleOf(it, "current/app")).includes("300d"));
  symlinkSync(it.at("release-2"), it.at("next-link"));
  renameSync(it.at("next-link"), it.at("jobs/current"));
  await until("a switched link", async () => (await scheduleOf(it, "current/app")).includes("200d"));

  // The whole tree, with the same job of each second in it.
  fill(it.at("new-jobs"), other("false"));
  writeFileSync(it.at("new-jobs/tick"), tick, { mode: 0o644 });
  writeFileSync(it.at("new-jobs/added"), other("true"), { mode: 0o644 });
  symlinkSync(it.at("new-jobs"), it.at("swap"));
  renameSync(it.at("jobs"), it.at("old-jobs"));
  renameSync(it.at("new-jobs"), it.at("jobs"));
  await until(
    "another tree",
    async () => (await scheduleOf(it, "added")) !== "" && (await jobCount(it)) === 10_002,
  );
  rmSync(it.at("old-jobs"), { recursive: true });
  const count = it.lines("ticks").length;
  await until("two more ticks", () => it.lines("ticks").length > count + 1);
  expect(await life.end()).toBe(0);

  const ticks = it.lines("ticks");
  const seconds = ticks.map((text) => Date.parse(text) / 1000);
  expect(doubled(ticks)).toEqual([]);
  expect(ticks).toHaveLength(Math.max(...seconds) - Math.min(...seconds) + 1);
}, 120_000);

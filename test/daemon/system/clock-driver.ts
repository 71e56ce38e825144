/**
 * Leads cron and rcrond through a day, minute by minute: writes the time into the file that is the clock of both, wakes them,
 * and goes on when neither has anything more to do. So hours pass in seconds, and nothing depends on how fast the machine is.
 *
 *     bun clock-driver.ts FOLDER CRON-PID RCROND-PID
 *
 * In FOLDER: `looks`, the times, in seconds since 1970; `clock`; `cron-runs` and `rcrond-runs`, into which each minute's last job
 * writes `SECONDS tick`; `jobs`, rcrond's tree, in which a file that is written anew is the reason for its look at the clock.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";

const [folder = "", ...pids] = process.argv.slice(2);
const [cron = 0, rcrond = 0] = pids.map(Number);
const patienceMs = 20_000;

for (const now of readFileSync(`${folder}/looks`, "utf8").trim().split("\n")) {
  put("clock", now);
  put("jobs/nudge", `every 1000d\noutput none\nrun true ${now}`);
  process.kill(rcrond, "SIGHUP");
  await Promise.all([
    idle("cron", now, {
      isIdle: () => isAsleep(cron) && hasNoChild(cron),
      // Between the minutes that it makes up for, it sleeps as well. While it is at work, a signal may end in a
      // deadlock: its handler logs, and libfaketime has a lock.
      wake: () => isAsleep(cron) && process.kill(cron, "SIGHUP"),
    }),
    idle("rcrond", now, { isIdle: () => hasNoChild(rcrond), wake: () => {} }),
  ]);
}

/**
 * Waits until a daemon has run the minute's tick and then, three times running, has nothing at work.
 * @param wake is called after each look
 */
async function idle(
  name: string,
  now: string,
  { isIdle, wake }: { readonly isIdle: () => boolean; readonly wake: () => unknown },
): Promise<void> {
  const end = Date.now() + patienceMs;
  let times = 0;
  while (times < 3) {
    await Bun.sleep(2);
    times = hasTick(name, now) && isIdle() ? times + 1 : 0;
    wake();
    if (Date.now() > end) throw new Error(`${name} does nothing at ${now}`);
  }
}

function hasTick(name: string, now: string): boolean {
  const path = `${folder}/${name}-runs`;
  const size = statSync(path).size;
  return size > 0 && readFileSync(path, "utf8").slice(-4000).includes(`${now} tick\n`);
}

function hasNoChild(pid: number): boolean {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8") === ""; // the first thread starts all of them
}

function isAsleep(pid: number): boolean {
  return readFileSync(`/proc/${pid}/wchan`, "utf8").includes("nanosleep");
}

function put(name: string, text: string): void {
  writeFileSync(`${folder}/.next`, `${text}\n`);
  renameSync(`${folder}/.next`, `${folder}/${name}`);
}

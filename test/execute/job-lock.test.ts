import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  type Held,
  holderInWords,
  type JobLock,
  type LockRequest,
  tryJobLock,
  waitForJobLock,
} from "../../src/execute/job-lock.ts";
import { Problem } from "../../src/model/problem.ts";
import { readBootId } from "../../src/system/boot.ts";
import { findProcess } from "../../src/system/other-processes.ts";
import { project, temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";

setDefaultTimeout(30_000);

const runId = "0123456789abcdef";

function requestIn(folder: string, more: Partial<LockRequest> = {}): LockRequest {
  return { folder, cluster: "blue", job: "one", runId, scope: "job", ...more };
}

function taken(lock: JobLock | Held | Problem): JobLock {
  if (lock instanceof Problem || "holder" in lock) throw new Error(`not taken: ${JSON.stringify(lock)}`);
  return lock;
}

function held(lock: JobLock | Held | Problem): Held {
  if (lock instanceof Problem || !("holder" in lock)) throw new Error("not held");
  return lock;
}

/** What a run that has ended, or whose rcron was killed, left in the file. */
function leave(request: LockRequest, content: unknown): void {
  writeFileSync(
    join(request.folder, "blue.one.lock"),
    typeof content === "string" ? content : JSON.stringify(content),
  );
}

function markOf(pid: number) {
  return { pid, startTicks: findProcess(pid)?.startTicks ?? 0 };
}

function holderOf(leaderPid: number, more: object = {}) {
  const boot = readBootId();
  return {
    runId,
    sinceMs: 1000,
    boot,
    watcher: { pid: 2 ** 22 - 1, startTicks: 5 },
    leader: markOf(leaderPid),
    scope: "job",
    ...more,
  };
}

describe("tryJobLock()", () => {
  test("makes folder and file, for their owner alone; the file stays, empty, when the lock is given up", () => {
    using work = temporaryFolder();
    const folder = join(work.path, "a/locks");
    const lock = taken(tryJobLock(requestIn(folder)));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "blue.one.lock")).mode & 0o777).toBe(0o600);
    lock.release();
    expect(readFileSync(join(folder, "blue.one.lock"), "utf8")).toBe("");
    taken(tryJobLock(requestIn(folder))).release();
  });

  test("tells who holds it: run, rcron, job and since when", () => {
    using work = temporaryFolder();
    const lock = taken(tryJobLock(requestIn(work.path)));
    const first = held(tryJobLock(requestIn(work.path, { runId: "fedcba9876543210" }))).holder;
    expect(first).toMatchObject({ runId, watcher: { pid: process.pid }, scope: "job" });
    expect(first?.leader).toBeUndefined();
    expect(first?.sinceMs).toBeWithin(Date.now() - 5000, Date.now() + 1);
    const job = Bun.spawn(["sleep", "60"]);
    lock.setLeader(job.pid);
    expect(held(tryJobLock(requestIn(work.path))).holder?.leader).toEqual(markOf(job.pid));
    job.kill();
    lock.release();
  });

  test("is one per job and cluster, whatever their names", () => {
    using work = temporaryFolder();
    const names = [
      "one",
      "two",
      "a/b",
      "../x",
      "a%2Fb",
      "x".repeat(100),
      `${"ü".repeat(100)}1`,
      `${"ü".repeat(100)}2`,
      "a b",
      ".",
      "\ud800",
    ];
    const locks = names.map((job) => taken(tryJobLock(requestIn(work.path, { job }))));
    for (const job of names) held(tryJobLock(requestIn(work.path, { job })));
    const other = taken(tryJobLock(requestIn(work.path, { cluster: "green" })));
    expect(readdirSync(work.path)).toHaveLength(names.length + 1);
    for (const lock of [...locks, other]) lock.release();
  });

  test("is held where its rcron was killed and its job lives on, and free when that has ended", async () => {
    using work = temporaryFolder();
    const request = requestIn(work.path);
    const job = Bun.spawn(["sleep", "60"]);
    leave(request, holderOf(job.pid));
    expect(held(tryJobLock(request)).holder?.leader?.pid).toBe(job.pid);
    held(await waitForJobLock(request, 50, new AbortController().signal));
    job.kill();
    await job.exited;
    taken(tryJobLock(request)).release();
  });

  test("is held where its rcron was killed before it could write down the job", async () => {
    using work = temporaryFolder();
    const request = requestIn(work.path, { runId: "00000000000000bb" });
    leave(request, { ...holderOf(1), runId: request.runId, leader: undefined });
    const env = { ...process.env, RCRON_RUN_ID: request.runId };
    const job = Bun.spawn(["sleep", "60"], { env, detached: true });
    expect(held(tryJobLock(request)).holder).toMatchObject({
      runId: request.runId,
      leader: { pid: job.pid },
    });
    job.kill();
    await job.exited;
    taken(tryJobLock(request)).release();
  });

  test("a halted job holds it as well; a zombie does not", async () => {
    using work = temporaryFolder();
    const request = requestIn(work.path);
    const parent = Bun.spawn(["sh", "-c", "sh -c 'echo $$' & exec sleep 60"], { stdout: "pipe" });
    const { value } = await parent.stdout.getReader().read();
    const zombie = Number(new TextDecoder().decode(value));
    while (isAlive(zombie)) await Bun.sleep(5);
    leave(request, holderOf(zombie));
    taken(tryJobLock(request)).release();
    parent.kill("SIGSTOP");
    leave(request, holderOf(parent.pid));
    held(tryJobLock(request));
    parent.kill("SIGKILL");
  });

  const live = holderOf(process.pid);
  const stale: readonly (readonly [claim: string, content: unknown])[] = [
    ["of another boot", { ...live, boot: "00000000-0000-0000-0000-000000000000" }],
    ["of no known boot", { ...live, boot: undefined }],
    ["whose job's pid is another process's by now", { ...live, leader: { pid: process.pid, startTicks: 1 } }],
    ["whose job was never started", { ...live, leader: undefined }],
    ["torn", JSON.stringify(live).slice(0, 80)],
    ["with nonsense in it", "\0\xff{}"],
    ["of another program", "4711\n"],
    ["with a pid that must not be signalled", { ...live, leader: { pid: 1, startTicks: 0 } }],
    ["with wrong types", { ...live, leader: { pid: "1", startTicks: null } }],
    ["empty", ""],
  ];
  test.each(stale)("a file %s blocks nobody", (_, content) => {
    using work = temporaryFolder();
    const request = requestIn(work.path);
    leave(request, content);
    taken(tryJobLock(request)).release();
  });

  test("scope tree: is held until the last process with the run's id has ended, wherever it went", async () => {
    using work = temporaryFolder();
    const request = requestIn(work.path, { scope: "tree", runId: "00000000000000aa" });
    const lock = taken(tryJobLock(request));
    const env = { ...process.env, RCRON_RUN_ID: request.runId };
    const job = Bun.spawn(["setsid", "sh", "-c", "setsid sh -c 'echo $$; exec sleep 60' & sleep 0.1"], {
      env,
      stdout: "pipe",
    });
    const { value } = await job.stdout.getReader().read();
    const daemon = Number(new TextDecoder().decode(value));
    lock.setLeader(job.pid);
    await job.exited;
    lock.release();
    expect(held(tryJobLock(request)).holder?.runId).toBe(request.runId);
    process.kill(daemon);
    while (isAlive(daemon)) await Bun.sleep(5);
    taken(tryJobLock(request)).release();
  });

  test("a symlink in its place is refused, and its target left alone", () => {
    using work = temporaryFolder();
    symlinkSync(join(work.path, "precious"), join(work.path, "blue.one.lock"));
    const lock = tryJobLock(requestIn(work.path));
    expect(lock).toBeInstanceOf(Problem);
    expect((lock as Problem).message).toContain("can't be used: too many levels of symbolic links");
    expect(existsSync(join(work.path, "precious"))).toBe(false);
  });

  test("a file in the folder's place, or a folder in the lock's, is refused", () => {
    using work = temporaryFolder();
    writeFileSync(join(work.path, "file"), "");
    expect(tryJobLock(requestIn(join(work.path, "file")))).toBeInstanceOf(Problem);
    mkdirSync(join(work.path, "blue.one.lock"));
    expect(tryJobLock(requestIn(work.path))).toBeInstanceOf(Problem);
  });

  test("two hundred tries of twenty processes at once: exactly one has it", async () => {
    using work = temporaryFolder();
    const script = `
      const { tryJobLock } = await import("${project}/src/execute/job-lock.ts");
      while (!(await Bun.file("${work.path}/go").exists())) await Bun.sleep(5);
      let had = 0;
      const locks = [];
      for (let n = 0; n < 10; n++) {
        const lock = tryJobLock({ folder: "${work.path}", cluster: "blue", job: "one", runId: "0123456789abcdef", scope: "job" });
        if (!("holder" in lock)) { had++; locks.push(lock); }
      }
      console.log(had);
      await Bun.stdin.text();`;
    const racers = Array.from({ length: 20 }, () =>
      Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" }),
    );
    writeFileSync(join(work.path, "go"), "");
    const firstWords = await Promise.all(
      racers.map(async ({ stdout }) => (await stdout.getReader().read()).value),
    );
    for (const racer of racers) racer.kill("SIGKILL");
    const had = firstWords.map((word) => Number(new TextDecoder().decode(word)));
    expect(had.filter((count) => count === 1)).toHaveLength(1);
    expect(had.filter((count) => count === 0)).toHaveLength(19);
  });
});

describe("waitForJobLock()", () => {
  test("has it as soon as it is free, gives up when its time is over, and when it is told to", async () => {
    using work = temporaryFolder();
    const request = requestIn(work.path);
    const lock = taken(tryJobLock(request));
    const begun = performance.now();
    held(await waitForJobLock(request, 100, new AbortController().signal));
    held(await waitForJobLock(request, 60_000, AbortSignal.timeout(100)));
    expect(performance.now() - begun).toBeWithin(190, 3000);
    const waiting = waitForJobLock(request, 20_000, new AbortController().signal);
    await Bun.sleep(50);
    lock.release();
    taken(await waiting).release();
  });
});

describe("holderInWords()", () => {
  test("tells time, pid and how long; or what little is known", () => {
    const since = new Date();
    since.setHours(2, 0, 1, 0);
    const holder = {
      runId,
      sinceMs: since.getTime(),
      boot: undefined,
      watcher: { pid: 7, startTicks: 1 },
      scope: "job",
    } as const;
    const now = since.getTime() + 3_780_000;
    expect(holderInWords({ ...holder, leader: { pid: 4711, startTicks: 1 } }, now)).toBe(
      "the run of 02:00:01 still goes on (pid 4711, 1 h 3 min)",
    );
    expect(holderInWords({ ...holder, leader: undefined }, now)).toContain("(pid 7, ");
    expect(holderInWords(undefined, now)).toBe("an earlier run still goes on");
  });
});

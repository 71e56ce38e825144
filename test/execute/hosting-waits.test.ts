import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tryJobLock } from "../../src/execute/job-lock.ts";
import { superviseHosted } from "../../src/execute/supervise.ts";
import { findTree } from "../../src/system/process-tree.ts";
import { temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";
import { hosted, hostingPorts, jobOf, passive, runOf, until } from "./hosting-scene.ts";

setDefaultTimeout(60_000);

const longMs = 3_600_000;
const why = { stopSentence: () => "stopped by root" };

describe("superviseHosted() is stopped", () => {
  test("before it begins: nothing is started", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "ran");
    const end = await superviseHosted(
      runOf(jobOf(`touch ${path}`)),
      hostingPorts(work.path, { lost: AbortSignal.abort(), ...why }),
    );
    expect(end).toEqual({ kind: "stopped", sentence: "stopped by root" });
    expect(existsSync(path)).toBe(false);
  });

  test("while its start is put off", async () => {
    using work = temporaryFolder();
    const stop = new AbortController();
    const ports = hostingPorts(work.path, { lost: stop.signal, onStart: fail, ...why });
    const running = superviseHosted(runOf(jobOf("true"), {}, { delayMs: longMs }), ports);
    await Bun.sleep(20);
    stop.abort();
    expect(await running).toEqual({ kind: "stopped", sentence: "stopped by root" });
  });

  test("while it waits for the lock, which it leaves to the others", async () => {
    using work = temporaryFolder();
    const folder = join(work.path, "locks");
    const request = { folder, cluster: "blue", job: "job", runId: "00000000000000aa", scope: "job" } as const;
    const lock = tryJobLock(request);
    if (!("release" in lock)) throw new Error("not taken");
    const stop = new AbortController();
    const ports = hostingPorts(work.path, { lost: stop.signal, onStart: fail, ...why });
    const rules = { overlap: { mode: "wait", waitMs: longMs } } as const;
    const running = superviseHosted(runOf(jobOf("true"), rules), ports);
    await Bun.sleep(400); // its pauses between two looks have grown
    stop.abort();
    expect(await running).toEqual({ kind: "stopped", sentence: "stopped by root" });
    lock.release();
    const next = tryJobLock(request);
    expect(next).toHaveProperty("release");
    if ("release" in next) next.release();
  });

  test("while its condition is asked, which ends with it", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "pid");
    const stop = new AbortController();
    const ports = hostingPorts(work.path, { lost: stop.signal, onStart: fail, ...why });
    const running = superviseHosted(runOf(jobOf("true"), { condition: `echo $$ >${path}; sleep 60` }), ports);
    await until(() => existsSync(path) && readFileSync(path, "utf8") !== "", "the condition");
    stop.abort();
    expect(await running).toEqual({ kind: "stopped", sentence: "stopped by root" });
    expect(isAlive(Number(readFileSync(path, "utf8")))).toBe(false);
  });

  test("between two attempts: it ends as stopped, with what the last attempt came to", async () => {
    using work = temporaryFolder();
    const stop = new AbortController();
    const ports = hostingPorts(work.path, { lost: stop.signal, onRetry: () => stop.abort(), ...why });
    const end = await hosted(runOf(jobOf("echo once; exit 7"), { retries: 5, retryDelayMs: longMs }), ports);
    expect(end).toMatchObject({
      outcome: { kind: "exited", exitCode: 7 },
      cause: "stopped",
      sentence: "stopped by root",
      isOk: false,
      attempts: 1,
      output: "once\n",
    });
  });

  test("while it runs: its whole tree is ended", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "pid");
    const stop = new AbortController();
    const running = hosted(
      runOf(jobOf(`setsid sh -c 'echo $$ >${path}; exec sleep 60' & wait`)),
      hostingPorts(work.path, { lost: stop.signal, ...why }),
    );
    await until(() => existsSync(path) && readFileSync(path, "utf8") !== "", "the job");
    stop.abort();
    expect(await running).toMatchObject({ cause: "stopped", sentence: "stopped by root", survivors: 0 });
    expect(isAlive(Number(readFileSync(path, "utf8")))).toBe(false);
  });
});

describe("many runs are stopped at once", () => {
  test("each with its whole tree, also one that was started in the very turn", async () => {
    using work = temporaryFolder();
    const stop = new AbortController();
    const ports = hostingPorts(work.path, { lost: stop.signal });
    const runs = Array.from({ length: 60 }, () => runOf(jobOf("setsid sleep 60 & sleep 60 & wait")));
    const ends = runs.map((run) => hosted(run, ports));
    const groups = () => runs.map(({ runId }) => findTree({ ...unknown, runId }).length);
    await until(() => groups().every((count) => count === 3), "all of their processes");
    let late: Promise<unknown> | undefined;
    const lateRun = runOf(jobOf("sleep 60"));
    const lateStop = new AbortController();
    // Behind the runs' own listeners: the machine has been looked at for them in this turn.
    stop.signal.addEventListener("abort", () => {
      queueMicrotask(() => {
        late = hosted(
          lateRun,
          hostingPorts(work.path, { lost: lateStop.signal, onLaunched: () => lateStop.abort() }),
        );
      });
    });
    stop.abort();
    for (const end of await Promise.all(ends)) expect(end).toMatchObject({ cause: "stopped", survivors: 0 });
    expect(await late).toMatchObject({ cause: "stopped", survivors: 0 });
    expect(groups().every((count) => count === 0)).toBe(true);
    expect(findTree({ ...unknown, runId: lateRun.runId })).toEqual([]);
  });
});

const unknown = { leaderPid: undefined, leaderStartTicks: undefined };

describe("superviseHosted()", () => {
  test("tells in order: start, each attempt's process, its end", async () => {
    using work = temporaryFolder();
    const told: string[] = [];
    const marks: { pid: number; attempt: number; stdout?: number | undefined }[] = [];
    const end = await hosted(
      // Long enough to be marked: of a job that is over before it was looked at, nobody needs to know where it is.
      runOf(jobOf("echo $$; sleep 0.2; exit 1"), { retries: 1, retryDelayMs: 1 }),
      hostingPorts(work.path, {
        onStart: () => told.push("start"),
        onLaunched: (mark) => {
          told.push("launched");
          marks.push(mark);
        },
        onRetry: () => told.push("retry"),
        onEnded: () => told.push("ended"),
      }),
    );
    expect(told).toEqual(["start", "launched", "retry", "launched", "ended"]);
    expect(end.output).toBe(marks.map(({ pid }) => `${pid}\n`).join(""));
    expect(marks.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(marks.every(({ stdout }) => stdout !== undefined)).toBe(true);
  });

  test("where the last attempt could not be started, it tells how the one before it ended", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "job");
    writeFileSync(path, `#!/bin/sh\necho once; rm ${path}; exit 7\n`, { mode: 0o755 });
    const job = jobOf("", { command: { kind: "words", words: [path] } });
    const end = await hosted(runOf(job, { retries: 2, retryDelayMs: 1 }), hostingPorts(work.path));
    expect(end).toMatchObject({ output: "once\n", isOk: false, cause: "not-started", attempts: 3 });
    expect(end.outcome).toMatchObject({ kind: "not-started", exitCode: 127 });
    expect(end.before).toEqual({ outcome: { kind: "exited", exitCode: 7 }, cause: "exit" });
    const failed = await hosted(
      runOf(jobOf("exit 7"), { retries: 1, retryDelayMs: 1 }),
      hostingPorts(work.path),
    );
    expect(failed.before).toBeUndefined();
  });

  test("runs that may not overlap don't, though one process has them all", async () => {
    using work = temporaryFolder();
    const ports = hostingPorts(work.path);
    const log = join(work.path, "log");
    const rules = { overlap: { mode: "wait", waitMs: longMs } } as const;
    const line = `echo in >>${log}; sleep 0.05; echo out >>${log}`;
    await Promise.all(Array.from({ length: 8 }, () => hosted(runOf(jobOf(line), rules), ports)));
    expect(readFileSync(log, "utf8")).toBe("in\nout\n".repeat(8));

    const first = superviseHosted(runOf(jobOf("sleep 0.3"), { overlap: { mode: "skip" } }), ports);
    await Bun.sleep(50);
    const second = await superviseHosted(runOf(jobOf("true"), { overlap: { mode: "skip" } }), ports);
    expect(second.kind).toBe("overlap");
    expect((await first).kind).toBe("ended");
  });

  test("a run that waits is ended for the next one of it, and this process is left alone", async () => {
    using work = temporaryFolder();
    let asks: () => void = fail;
    const pausing = new Promise<void>((resolve) => {
      asks = resolve;
    });
    const rules = { overlap: { mode: "clobber" }, retries: 3, retryDelayMs: longMs } as const;
    const first = hosted(runOf(jobOf("exit 1"), rules), hostingPorts(work.path, { onRetry: () => asks() }));
    await pausing;
    const second = await hosted(
      runOf(jobOf("echo second"), { overlap: { mode: "clobber" } }),
      hostingPorts(work.path),
    );
    expect(second).toMatchObject({ isOk: true, output: "second\n" });
    expect(await first).toMatchObject({ cause: "clobbered", isOk: false, attempts: 1 });
  });

  test("a run that asks its condition is ended for the next one of it", async () => {
    using work = temporaryFolder();
    const path = join(work.path, "asked");
    const rules = { overlap: { mode: "clobber" }, condition: `echo >${path}; sleep 60` } as const;
    const first = superviseHosted(runOf(jobOf("true"), rules), hostingPorts(work.path, { onStart: fail }));
    await until(() => existsSync(path), "the condition");
    const second = runOf(jobOf("echo second"), { overlap: { mode: "clobber" } });
    expect((await hosted(second, hostingPorts(work.path))).output).toBe("second\n");
    expect(await first).toEqual({ kind: "stopped", sentence: `ended for the run ${second.runId}` });
  });

  test("asks the gate again after a wait", async () => {
    using work = temporaryFolder();
    const end = await superviseHosted(
      runOf(jobOf("true"), {}, { delayMs: 600 }),
      hostingPorts(work.path, { mayRun: () => passive, onStart: fail }),
    );
    expect(end).toMatchObject({ kind: "passive" });
  });

  test("a job without receivers has its output kept, and written nowhere", async () => {
    using work = temporaryFolder();
    writeFileSync(join(work.path, "big"), "0123456789\n".repeat(10_000));
    const end = await hosted(runOf(jobOf(`cat ${work.path}/big`)), hostingPorts(work.path));
    expect(end.kept).toMatchObject({ bytes: 110_000 });
    expect(end.kept?.leftOut).toBe(110_000 - 32 * 1024);
  });
});

function fail(): never {
  throw new Error("not to be called");
}

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { adoptRun } from "../../src/execute/adopt.ts";
import { findRun, isThere, parseMark, type RunMark } from "../../src/execute/run-mark.ts";
import { signalProcess } from "../../src/system/other-processes.ts";
import { findTree } from "../../src/system/process-tree.ts";
import { project, temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";
import type { Told } from "./host-program.ts";
import { adoptionPorts, jobOf, runOf, textOf, until } from "./hosting-scene.ts";

setDefaultTimeout(60_000);

const ids: string[] = [];
afterAll(() => {
  for (const runId of ids) {
    for (const { pid } of findTree({ leaderPid: undefined, leaderStartTicks: undefined, runId })) {
      signalProcess(pid, "SIGKILL");
    }
  }
});

/** A run whose watcher was killed with KILL, as soon as the line has made the file `begun`. */
async function orphan(
  folder: string,
  line: string,
): Promise<{ readonly id: string; readonly mark: RunMark }> {
  const script = join(project, "test/execute/host-program.ts");
  const begun = join(folder, "begun");
  const host = Bun.spawn([process.execPath, script, folder, "quiet", line], {
    stdout: "pipe",
    timeout: 40_000,
    killSignal: "SIGKILL",
  });
  const reader = host.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the host has told nothing: ${text}`);
    text += new TextDecoder().decode(value);
  }
  const told: Told = JSON.parse(text.slice(0, text.indexOf("\n")));
  if (told.kind !== "mark") throw new Error(text);
  ids.push(told.id);
  await until(() => existsSync(begun), "the job's beginning");
  host.kill("SIGKILL");
  await host.exited;
  const mark = parseMark(told.mark);
  if (mark === undefined) throw new Error(told.mark);
  return { id: told.id, mark };
}

describe("a job whose watcher is killed", () => {
  test("goes on, and the next watcher has the rest of its output and its end", async () => {
    using work = temporaryFolder();
    const [begun, go, done] = ["begun", "go", "done"].map((name) => join(work.path, name));
    const line = `echo begun; echo >${begun}; until [ -e ${go} ]; do echo tick; sleep 0.02; done; echo last; echo err >&2; echo $? >${done}; exit 3`;
    const { id, mark } = await orphan(work.path, line);
    await Bun.sleep(200); // it prints while nobody reads
    expect(isThere(mark)).toBe(true);
    const file = join(work.path, "out");
    const outputs = [{ isIfError: false, sink: { kind: "file", path: file } as const }];
    let ended = 0;
    const adopted = adoptRun(
      runOf(jobOf(line), { outputs }, { runId: id }),
      adoptionPorts(work.path, {
        onEnded: () => {
          ended += 1;
        },
      }),
      mark,
    );
    await until(() => readFileSync(file, "utf8").includes("tick\ntick\ntick"), "its output");
    writeFileSync(go ?? "", "");
    const end = await adopted;
    expect(end).toMatchObject({
      kind: "ended",
      outcome: { kind: "unseen" },
      cause: "unseen",
      isOk: false,
      wasThere: true,
      isDetached: false,
      survivors: 0,
      attempts: 1,
    });
    expect(end.durationMs).toBeGreaterThanOrEqual(200);
    expect(ended).toBe(1);
    expect(textOf(end)).toEndWith("tick\nlast\nerr\n");
    expect(readFileSync(file, "utf8")).toBe(textOf(end));
    expect(readFileSync(done ?? "", "utf8")).toBe("0\n"); // no write of it has failed
  });

  test("is halted by a full pipe, not ended, and goes on when somebody reads", async () => {
    using work = temporaryFolder();
    const done = join(work.path, "done");
    const line = `echo >${work.path}/begun; sleep 0.3; head -c 5000000 /dev/zero; echo $? >${done}`;
    const { id, mark } = await orphan(work.path, line);
    await Bun.sleep(1000);
    expect(existsSync(done)).toBe(false);
    expect(isThere(mark)).toBe(true);
    const end = await adoptRun(runOf(jobOf(line), {}, { runId: id }), adoptionPorts(work.path), mark);
    expect(end.kept?.bytes).toBe(5_000_000);
    expect(readFileSync(done, "utf8")).toBe("0\n");
  });

  test("goes through three watchers, and is the last one's", async () => {
    using work = temporaryFolder();
    const go = join(work.path, "go");
    const line = `echo >${work.path}/begun; until [ -e ${go} ]; do echo tick; sleep 0.02; done; echo last`;
    const { id, mark } = await orphan(work.path, line);
    const script = join(project, "test/execute/host-program.ts");
    const second = Bun.spawn([process.execPath, script, work.path, "adopt", `${id}:${JSON.stringify(mark)}`]);
    await Bun.sleep(500);
    second.kill("SIGKILL");
    await second.exited;
    expect(isThere(mark)).toBe(true);
    const adopted = adoptRun(runOf(jobOf(line), {}, { runId: id }), adoptionPorts(work.path), mark);
    await Bun.sleep(100);
    writeFileSync(go, "");
    expect(textOf(await adopted)).toEndWith("tick\nlast\n");
  });

  test("is ended when what is left of its time is over", async () => {
    using work = temporaryFolder();
    const line = `echo >${work.path}/begun; setsid sh -c 'echo $$ >${work.path}/far; exec sleep 60' & trap "" TERM; sleep 60; sleep 60`;
    const { id, mark } = await orphan(work.path, line);
    const rules = { timeoutMs: 600, graceMs: 100 };
    const end = await adoptRun(runOf(jobOf(line), rules, { runId: id }), adoptionPorts(work.path), mark);
    expect(end).toMatchObject({ cause: "timeout", outcome: { kind: "unseen" }, survivors: 0 });
    expect(isAlive(mark.pid)).toBe(false);
    expect(isAlive(Number(readFileSync(join(work.path, "far"), "utf8")))).toBe(false);
  });

  test("is stopped with its whole tree", async () => {
    using work = temporaryFolder();
    const far = join(work.path, "far");
    const line = `echo >${work.path}/begun; setsid sh -c 'echo $$ >${far}; exec sleep 60' & wait`;
    const { id, mark } = await orphan(work.path, line);
    const stop = new AbortController();
    const adopted = adoptRun(
      runOf(jobOf(line), {}, { runId: id }),
      adoptionPorts(work.path, { lost: stop.signal, stopSentence: () => "by root" }),
      mark,
    );
    await until(() => existsSync(far) && readFileSync(far, "utf8") !== "", "what left the group");
    stop.abort();
    expect(await adopted).toMatchObject({ cause: "stopped", sentence: "by root", survivors: 0 });
    expect(isAlive(mark.pid)).toBe(false);
    expect(isAlive(Number(readFileSync(far, "utf8")))).toBe(false);
  });

  test("may end before anybody adopts it: that is told at once, and what it left behind is not halted", async () => {
    using work = temporaryFolder();
    const [go, done] = [join(work.path, "go"), join(work.path, "done")];
    const later = `until [ -e ${go} ]; do sleep 0.02; done; head -c 3000000 /dev/zero; echo $? >${done}`;
    const line = `(${later}) & echo said; echo >${work.path}/begun`;
    const { id, mark } = await orphan(work.path, line);
    await until(() => !isThere(mark), "the end of the job");
    const end = await adoptRun(runOf(jobOf(line), {}, { runId: id }), adoptionPorts(work.path), mark);
    expect(end).toMatchObject({ cause: "unseen", wasThere: false, isDetached: true });
    writeFileSync(go, "");
    await until(
      () => existsSync(done) && readFileSync(done, "utf8") !== "",
      "the end of what it left behind",
    );
    expect(readFileSync(done, "utf8")).toBe("0\n");
  });

  test("is not taken for another process with its pid", async () => {
    using work = temporaryFolder();
    const other = Bun.spawn(["sleep", "60"]);
    const mark = { pid: other.pid, startTicks: 1, startedAtMs: Date.now(), attempt: 1 };
    const end = await adoptRun(
      runOf(jobOf(""), { timeoutMs: 1 }),
      adoptionPorts(work.path, { lost: AbortSignal.abort() }),
      mark,
    );
    expect(end).toMatchObject({ cause: "unseen", wasThere: false });
    expect(other.exitCode).toBeNull();
    other.kill();
  });

  test("a job that gave its output to another pipe keeps that to itself", async () => {
    using work = temporaryFolder();
    const [go, got] = [join(work.path, "go"), join(work.path, "got")];
    const line = `{ echo >${work.path}/begun; until [ -e ${go} ]; do sleep 0.02; done; echo mine; } | cat >${got}`;
    const { id } = await orphan(
      work.path,
      `exec bash -c 'exec > >(cat >${got}); ${line.replace(/ \| cat.*/, "")}'`,
    );
    const found = findRun(id);
    expect(found).toMatchObject({ stdout: undefined });
    if (found === undefined) return;
    const adopted = adoptRun(runOf(jobOf(""), {}, { runId: id }), adoptionPorts(work.path), found);
    writeFileSync(go, "");
    expect(textOf(await adopted)).toBe("");
    await until(() => existsSync(got) && readFileSync(got, "utf8") === "mine\n", "the job's own output");
  });
});

describe("findRun()", () => {
  test("makes the mark of a run of which only its id is known", async () => {
    using work = temporaryFolder();
    const { id, mark } = await orphan(work.path, `echo >${work.path}/begun; sleep 60 & sleep 60`);
    const found = findRun(id);
    expect(found).toMatchObject({
      pid: mark.pid,
      startTicks: mark.startTicks,
      attempt: 1,
      stdout: mark.stdout,
      stderr: mark.stderr,
    });
    expect(Math.abs((found?.startedAtMs ?? 0) - mark.startedAtMs)).toBeLessThan(5000);
    expect(findRun("00000000000000ee")).toBeUndefined();
  });
});

describe("parseMark()", () => {
  const good = { pid: 4711, startTicks: 5, startedAtMs: 1000, attempt: 1, stdout: 7, stderr: 8 };

  test("reads what JSON.stringify() made of a mark", () => {
    expect(parseMark(JSON.stringify(good))).toEqual(good);
    const { stdout: _, stderr: __, ...least } = good;
    expect(parseMark(JSON.stringify({ ...least, more: 1 }))).toEqual({
      ...least,
      stdout: undefined,
      stderr: undefined,
    });
  });

  const bad = [
    ["no JSON", "{"],
    ["another value", "null"],
    ["init", JSON.stringify({ ...good, pid: 1 })],
    ["a group", JSON.stringify({ ...good, pid: -5 })],
    ["no pid", JSON.stringify({ ...good, pid: undefined })],
    ["a text for a number", JSON.stringify({ ...good, startTicks: "5" })],
    ["half an attempt", JSON.stringify({ ...good, attempt: 0.5 })],
    ["a time that no Date can be", JSON.stringify({ ...good, startedAtMs: 1e300 })],
    ["an inode below zero", JSON.stringify({ ...good, stdout: -1 })],
    ["too long a text", `${JSON.stringify(good)}${" ".repeat(2000)}`],
  ] as const;
  test.each(bad)("refuses %s", (_, text) => {
    expect(parseMark(text)).toBeUndefined();
  });

  test("never throws", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseMark(text)));
  });
});

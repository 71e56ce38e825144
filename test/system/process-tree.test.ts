import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findProcess, signalProcess } from "../../src/system/other-processes.ts";
import { findTree, signalGroup } from "../../src/system/process-tree.ts";
import { temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";

setDefaultTimeout(20_000);

interface Family extends Disposable {
  readonly leaderPid: number;
  readonly leaderStartTicks: number | undefined;
  readonly runId: string;
  /** The pid that a process of it wrote into a file of that name. */
  readonly pidOf: (name: string) => Promise<number>;
}

/** A session whose leader runs a shell script, with a run's id in its environment. */
function family(script: string): Family {
  const folder = temporaryFolder();
  const runId = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  const child = Bun.spawn(["setsid", "sh", "-c", script], {
    cwd: folder.path,
    env: { ...process.env, RCRON_RUN_ID: runId },
    stdio: ["ignore", "ignore", "ignore"],
  });
  return {
    leaderPid: child.pid,
    leaderStartTicks: findProcess(child.pid)?.startTicks,
    runId,
    pidOf: async (name) => {
      for (let tries = 0; tries < 1000; tries++) {
        const file = Bun.file(join(folder.path, name));
        const text = (await file.exists()) ? readFileSync(join(folder.path, name), "utf8") : "";
        if (text.endsWith("\n")) return Number(text);
        await Bun.sleep(5);
      }
      throw new Error(`no ${name}`);
    },
    [Symbol.dispose]: () => {
      const known = { leaderPid: child.pid, leaderStartTicks: findProcess(child.pid)?.startTicks, runId };
      for (const { pid } of findTree(known)) if (pid !== process.pid) signalProcess(pid, "SIGKILL");
      folder[Symbol.dispose]();
    },
  };
}

const pidsOf = (mark: Parameters<typeof findTree>[0]) => findTree(mark).map(({ pid }) => pid);

describe("findTree()", () => {
  test("finds the leader, its group, its session, its descendants, and who left them all but for the mark", async () => {
    using run = family(`
      echo $$ >leader
      sh -c 'echo $$ >group; exec sleep 60' &
      bash -mc 'sh -c "echo \\$\\$ >session; exec sleep 60" & wait' &
      setsid sh -c 'echo $$ >marked; exec sleep 60' &
      env -i PATH="$PATH" setsid sh -c 'echo $$ >descendant; exec sleep 60' &
      wait`);
    const names = ["leader", "group", "session", "marked", "descendant"];
    const pids = await Promise.all(names.map(run.pidOf));
    expect(pidsOf(run)).toEqual(expect.arrayContaining(pids));
    expect(pidsOf(run)).not.toContain(process.pid);
  });

  test("does not find other runs, nor this process's other children", async () => {
    using run = family("echo $$ >leader; exec sleep 60");
    using other = family("echo $$ >leader; exec sleep 60");
    await run.pidOf("leader");
    await other.pidOf("leader");
    expect(pidsOf(run)).toEqual([run.leaderPid]);
  });

  test("counts no zombies: they are gone", async () => {
    using run = family("sh -c 'echo $$ >zombie' & echo $$ >leader; exec sleep 60");
    const zombie = await run.pidOf("zombie");
    await run.pidOf("leader");
    while (isAlive(zombie)) await Bun.sleep(5);
    expect(pidsOf(run)).toEqual([run.leaderPid]);
  });

  test("finds a process while it executes another program, when it has no environment for a moment", async () => {
    for (let n = 0; n < 200; n++) {
      using run = family("setsid sleep 60 & :");
      for (let tries = 0; isAlive(run.leaderPid) && tries < 2000; tries++) await Bun.sleep(0);
      expect(findTree(run)).toHaveLength(1);
    }
  });

  test("takes nobody for the leader who has got its pid since: neither him nor his group, but who has the mark", async () => {
    using run = family(`
      sh -c 'echo $$ >group; exec sleep 60' &
      echo $$ >leader
      exec env -u RCRON_RUN_ID sleep 60`);
    using marked = family("echo $$ >marked; exec sleep 60");
    await run.pidOf("leader");
    await run.pidOf("group");
    await marked.pidOf("marked");
    const asked = { leaderPid: run.leaderPid, leaderStartTicks: 1, runId: marked.runId };
    expect(pidsOf(asked)).toEqual([marked.leaderPid]);
  });

  test("of a run that is over there is nobody", () => {
    expect(findTree({ leaderPid: 2 ** 22 + 1, leaderStartTicks: 5, runId: "0123456789abcdef" })).toEqual([]);
  });
});

describe("signalGroup() and signalProcess()", () => {
  test("say whether anybody was there", async () => {
    using run = family("echo $$ >leader; exec sleep 60");
    await run.pidOf("leader");
    expect(signalProcess(run.leaderPid, 0)).toBe(true);
    expect(signalGroup(run.leaderPid, "SIGKILL")).toBe(true);
    while (isAlive(run.leaderPid)) await Bun.sleep(5);
    expect(signalProcess(2 ** 22 + 1, 0)).toBe(false);
    expect(signalGroup(2 ** 22 + 1, "SIGTERM")).toBe(false);
  });
});

/**
 * A job whose machine is no longer active: `on_passive` of rcron.conf, and `--on-passive`.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, run, temporaryFolder } from "../support/program.ts";
import { isAlive } from "../support/run-scene.ts";

interface Scene extends Disposable {
  readonly at: (name: string) => string;
  readonly start: (options: readonly string[], job: string) => ReturnType<typeof run>;
  readonly say: (word: string) => void;
  /** Waits until a file is there, that the job makes. */
  readonly sees: (name: string) => Promise<void>;
}

function scene(...confLines: string[]): Scene {
  const work = temporaryFolder();
  const at = (name: string) => join(work.path, name);
  const say = (word: string) => writeFileSync(at("state"), `${word}\n`);
  writeFileSync(
    at("conf"),
    [`state_file = ${at("state")}`, "default_state = passive", "stop_grace = 1s", ...confLines, ""].join(
      "\n",
    ),
  );
  say("active");
  return {
    at,
    say,
    start: (options, job) =>
      run([binary, "--conf", at("conf"), ...options, "sh", "-c", job], { cwd: work.path, timeoutMs: 20_000 }),
    sees: async (name) => {
      for (const end = Date.now() + 10_000; !existsSync(at(name)); await Bun.sleep(10)) {
        if (Date.now() > end) throw new Error(`the job never made ${name}`);
      }
    },
    [Symbol.dispose]: () => work[Symbol.dispose](),
  };
}

describe("on_passive = stop", () => {
  test("ends the job when the word becomes passive, and says why", async () => {
    using stage = scene("on_passive = stop");
    const ended = stage.start([], ": >ready; exec sleep 30");
    await stage.sees("ready");
    stage.say("passive");
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(128 + 15);
    expect(stderr).toContain(
      `rcron: stopping sh: no longer active: the state file ${stage.at("state")} says passive\n`,
    );
    expect(stderr).toContain("rcron: sh was ended by SIGTERM\n");
  }, 20_000);

  test("ends all that the job has started, and kills after stop_grace what ignores TERM", async () => {
    using stage = scene("on_passive = stop");
    const job =
      "trap 'exit 7' TERM; sh -c 'trap \"\" TERM; echo $$ >child; : >ready; while :; do sleep 1; done' & wait";
    const ended = stage.start([], job);
    await stage.sees("ready");
    stage.say("passive");
    expect((await ended).exitCode).toBe(7);
    expect(isAlive(Number(readFileSync(stage.at("child"), "utf8")))).toBe(false);
  }, 20_000);

  test("ends a job that is halted", async () => {
    using stage = scene("on_passive = stop");
    const ended = stage.start([], "echo $$ >pid; : >ready; kill -STOP $$; exit 3");
    await stage.sees("ready");
    stage.say("passive");
    expect((await ended).exitCode).toBe(128 + 15);
  }, 20_000);

  test("ends the job when the word is lost, and default_state is passive", async () => {
    using stage = scene("on_passive = stop");
    const ended = stage.start([], ": >ready; exec sleep 30");
    await stage.sees("ready");
    rmSync(stage.at("state"));
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(128 + 15);
    expect(stderr).toContain("can't read the state file");
  }, 20_000);

  test("ends the job when the writer dies, with require_writer", async () => {
    using stage = scene("on_passive = stop", "require_writer = yes", "when_in_doubt = passive");
    const writer = Bun.spawn(["sleep", "60"]);
    await run([
      join(binary, "../rcronctl"),
      "state",
      "set",
      "active",
      "--conf",
      stage.at("conf"),
      `--writer-pid=${writer.pid}`,
    ]);
    const ended = stage.start([], ": >ready; exec sleep 30");
    await stage.sees("ready");
    writer.kill("SIGKILL");
    await writer.exited;
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(128 + 15);
    expect(stderr).toContain(`but its writer sleep (pid ${writer.pid}) is dead (require_writer)`);
  }, 20_000);

  test("lets a job end by itself, with its own exit status", async () => {
    using stage = scene("on_passive = stop");
    expect(await stage.start([], "exit 5")).toEqual({ exitCode: 5, stdout: "", stderr: "" });
  });

  test("passes signals on to the whole group", async () => {
    using stage = scene("on_passive = stop");
    const job =
      "trap 'wait; exit 9' USR1; sh -c 'trap \": >got; exit\" USR1; : >ready; while :; do sleep 0.1; done' & wait";
    const child = Bun.spawn([binary, "--conf", stage.at("conf"), "sh", "-c", job], { cwd: stage.at(".") });
    await stage.sees("ready");
    child.kill("SIGUSR1");
    expect(await child.exited).toBe(9);
    expect(existsSync(stage.at("got"))).toBe(true);
  }, 20_000);

  test("ends what has left the job's session as well", async () => {
    using stage = scene("on_passive = stop");
    const ended = stage.start([], "setsid sh -c 'echo $$ >daemon; : >ready; exec sleep 60' & wait");
    await stage.sees("ready");
    stage.say("passive");
    expect((await ended).exitCode).toBe(128 + 15);
    expect(isAlive(Number(readFileSync(stage.at("daemon"), "utf8")))).toBe(false);
  }, 20_000);

  /** Fields 5 and 6 of a process's stat are its group and its session. */
  const whose =
    'set -- $(cut -d" " -f5,6 /proc/$$/stat); echo "$(test $1 = $$ && echo own || echo shared) $(test $2 = $$ && echo own || echo shared)"';

  test.each([
    ["", []],
    [", where posix_spawn starts it", ["nohup"]],
  ])(
    "gives the job a session and a process group of its own%s; without it, the job stays in the caller's",
    async (_, before) => {
      using stage = scene();
      const start = async (...options: string[]) =>
        (await run([...before, binary, "--conf", stage.at("conf"), ...options, "sh", "-c", whose])).stdout;
      expect(await start("--on-passive", "stop")).toBe("own own\n");
      expect(await start("--on-passive=finish")).toBe("shared shared\n");
      expect(await start()).toBe("shared shared\n");
    },
  );

  test("works without libc too", async () => {
    using stage = scene("on_passive = stop");
    const child = Bun.spawn([binary, "--conf", stage.at("conf"), "sh", "-c", ": >ready; sleep 30 & wait"], {
      cwd: stage.at("."),
      env: { ...process.env, BUN_JSC_useJIT: "0" },
      stderr: "pipe",
    });
    await stage.sees("ready");
    stage.say("passive");
    expect(await child.exited).toBe(128 + 15);
  }, 20_000);
});

describe("on_passive = finish, the default", () => {
  test("lets the job finish after the state is lost", async () => {
    using stage = scene();
    const ended = stage.start([], ": >ready; until [ -e go ]; do sleep 0.05; done; exit 4");
    await stage.sees("ready");
    stage.say("passive");
    // Longer than the watch of the other choice would take to see it.
    await Bun.sleep(1500);
    writeFileSync(stage.at("go"), "");
    expect(await ended).toEqual({ exitCode: 4, stdout: "", stderr: "" });
  }, 20_000);

  test("--on-passive stands above rcron.conf", async () => {
    using stage = scene("on_passive = stop");
    const ended = stage.start(["--on-passive=finish"], ": >ready; until [ -e go ]; do sleep 0.05; done");
    await stage.sees("ready");
    stage.say("passive");
    await Bun.sleep(1500);
    writeFileSync(stage.at("go"), "");
    expect((await ended).exitCode).toBe(0);
  }, 20_000);
});

describe("the job's environment", () => {
  const facts = "env | grep ^RCRON_ | sort";

  test("tells cluster, epoch, run and tick", async () => {
    using stage = scene("cluster_name = web");
    writeFileSync(stage.at("state"), "active\nepoch=42\n");
    const before = Date.now();
    const { stdout } = await stage.start([], facts);
    const [cluster, run, epoch, tick] = stdout.split("\n");
    expect([cluster, epoch]).toEqual(["RCRON_CLUSTER=web", "RCRON_STATE_EPOCH=42"]);
    expect(run).toMatch(/^RCRON_RUN_ID=[0-9a-f]{16}$/);
    const at = Date.parse((tick ?? "").replace("RCRON_TICK=", ""));
    expect(at % 60_000).toBe(0);
    expect(before - at).toBeWithin(-1000, 120_000);
  });

  test("has epoch 0 where the state file tells none, and another run id in each run", async () => {
    using stage = scene();
    const [first, second] = [await stage.start([], facts), await stage.start([], facts)];
    expect(first.stdout).toContain("RCRON_STATE_EPOCH=0\n");
    expect(first.stdout.match(/RUN_ID=.*/)?.[0]).not.toBe(second.stdout.match(/RUN_ID=.*/)?.[0]);
  });

  test("is not what an outer run left, and gives way to the job's own assignments", async () => {
    using stage = scene("cluster_name = inner");
    const ended = await run([
      "env",
      "RCRON_CLUSTER=outer",
      binary,
      "--conf",
      stage.at("conf"),
      "RCRON_TICK=mine",
      "env",
    ]);
    expect(ended.stdout).toContain("RCRON_CLUSTER=inner\n");
    expect(ended.stdout).toContain("RCRON_TICK=mine\n");
    expect(ended.stdout.match(/^RCRON_/gm)).toHaveLength(4);
    // Behind an open descriptor the job is started in another way.
    const exact = `exec 5</dev/null; '${binary}' --conf '${stage.at("conf")}' RCRON_TICK=mine RCRON_TICK=last env`;
    const told = (await run(["sh", "-c", exact])).stdout;
    expect(told).toContain("RCRON_TICK=last\n");
    expect(told.match(/^RCRON_/gm)).toHaveLength(4);
  });
});

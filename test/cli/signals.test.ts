import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { forwardedSignals } from "../../src/system/process.ts";
import { binary, shell, temporaryFolder } from "../support/program.ts";

const work = temporaryFolder();
afterAll(() => work[Symbol.dispose]());
const at = (name: string) => join(work.path, name);
writeFileSync(at("a.conf"), `state_file = ${at("state")}\n`);
writeFileSync(at("state"), "active\n");
/** Writes down each signal and goes on; ends with 7 when the file `end` is there. */
const listener = `
for signal in HUP INT QUIT USR1 USR2 ALRM TERM; do trap "echo $signal >> $LOG" $signal; done
echo ready >> $LOG
tries=0
while [ ! -e $LOG.end ] && [ $tries -lt 500 ]; do sleep 0.02; tries=$((tries + 1)); done
exit 7`;
writeFileSync(at("listener"), listener);

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []);

/** Waits until a file holds so many lines; gives up after 5 s and returns what there is. */
async function lines(path: string, count: number): Promise<string[]> {
  for (let tries = 0; tries < 250 && linesOf(path).length < count; tries++) await Bun.sleep(20);
  return linesOf(path);
}

describe("signals", () => {
  test.each(Object.keys(forwardedSignals) as (keyof typeof forwardedSignals)[])(
    "%s is passed on to the job, once, and the wrapper waits for the job's end",
    async (signal) => {
      const log = at(`${signal}.log`);
      const child = Bun.spawn([binary, "--conf", at("a.conf"), `LOG=${log}`, "sh", at("listener")], {
        timeout: 10_000,
      });
      expect(await lines(log, 1)).toEqual(["ready"]);
      child.kill(signal);
      expect(await lines(log, 2)).toEqual(["ready", signal.slice("SIG".length)]);
      expect(child.exitCode).toBeNull();
      writeFileSync(`${log}.end`, "");
      expect(await child.exited).toBe(7);
      expect(linesOf(log)).toHaveLength(2);
    },
  );

  test("a job that a signal ends gives 128+N", async () => {
    for (const [signal, number] of Object.entries(forwardedSignals)) {
      const log = at(`ends-${signal}.log`);
      const child = Bun.spawn([
        binary,
        "--conf",
        at("a.conf"),
        "sh",
        "-c",
        `echo ready > ${log}; exec sleep 20`,
      ]);
      await lines(log, 1);
      child.kill(number);
      expect(await child.exited).toBe(128 + number);
    }
  });

  test("a signal in the first moments never leaves a job behind", async () => {
    const mark = `300.${process.pid}`;
    for (let run = 0; run < 80; run++) {
      const child = Bun.spawn([binary, "--conf", at("a.conf"), "sleep", mark], {
        stdio: ["ignore", "ignore", "ignore"],
      });
      await Bun.sleep((run % 20) * 0.7);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(143);
    }
    const left = await shell(`pgrep -xf 'sleep ${mark}'`);
    expect(left.stdout).toBe("");
  });

  test("a signal that the caller ignores is left alone: nohup's HUP reaches neither", async () => {
    const log = at("nohup.log");
    const job = `sh -c 'echo ready > ${log}; sleep 0.3; kill -HUP $$; echo alive >> ${log}'`;
    const child = Bun.spawn(["nohup", binary, "--conf", at("a.conf"), "sh", "-c", job], {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: 10_000,
    });
    await lines(log, 1);
    child.kill("SIGHUP");
    expect(await child.exited).toBe(0);
    expect(linesOf(log)).toEqual(["ready", "alive"]);
  });

  test("Ctrl-C reaches the job once, as without the prefix, and not a second time from us", async () => {
    const log = at("tty.log");
    const typist = `
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
end = time.monotonic() + 8
def wait_for(text):
    while time.monotonic() < end and text not in (open(os.environ["LOG"]).read() if os.path.exists(os.environ["LOG"]) else ""):
        time.sleep(0.02)
wait_for("ready")
os.write(fd, b"\\x03")
wait_for("INT")
time.sleep(0.3)
open(os.environ["LOG"] + ".end", "w")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    const words = ["python3", "-c", typist, binary, "--conf", at("a.conf"), "sh", at("listener")];
    const child = Bun.spawn(words, { env: { ...process.env, LOG: log }, timeout: 15_000 });
    expect(await child.exited).toBe(7);
    expect(linesOf(log)).toEqual(["ready", "INT"]);
  });

  test("a wrapper that is killed leaves the job running: nothing of ours ends it", async () => {
    const log = at("killed.log");
    const job = `echo ready > ${log}; sleep 0.3; echo done >> ${log}`;
    const child = Bun.spawn([binary, "--conf", at("a.conf"), "sh", "-c", job]);
    await lines(log, 1);
    child.kill("SIGKILL");
    await child.exited;
    expect(await lines(log, 2)).toEqual(["ready", "done"]);
  });
});

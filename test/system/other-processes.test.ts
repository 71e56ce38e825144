/** Other processes: real ones, in each state that the kernel tells. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { readBootId, readUptimeS, ticksSinceBoot } from "../../src/system/boot.ts";
import { findProcess, lifeOf } from "../../src/system/other-processes.ts";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { temporaryFolder } from "../support/program.ts";

setDefaultTimeout(20_000);

/** A process that does nothing, for as long as the block lasts. */
function sleeper(words: readonly string[] = ["sleep", "60"]) {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const found = findProcess(child.pid);
  if (found === undefined) throw new Error("the process that was just started must be in /proc");
  const end = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { child, found, [Symbol.asyncDispose]: end };
}

async function until(claim: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 5000; !holds(); await Bun.sleep(2)) {
    if (Date.now() > deadline) throw new Error(`never happened: ${claim}`);
  }
}

describe("findProcess()", () => {
  test("tells name, parent and start of a process", async () => {
    const beforeTicks = ticksSinceBoot() ?? 0;
    await using one = sleeper();
    await until("it has become sleep", () => findProcess(one.child.pid)?.name === "sleep");
    const found = findProcess(one.child.pid);
    expect(found).toMatchObject({ pid: one.child.pid, parentPid: process.pid });
    expect(found?.startTicks).toBeGreaterThanOrEqual(beforeTicks);
    expect(found?.startTicks).toBeLessThanOrEqual(ticksSinceBoot() ?? 0);
  });

  test.each(["two words", "a) S 1 (b", "(", ")", "-n", "0123456789abcdef"])(
    "understands a program that calls itself %p",
    async (name) => {
      using folder = temporaryFolder();
      const path = join(folder.path, name);
      copyFileSync("/bin/sleep", path);
      await using one = sleeper([path, "60"]);
      await until("it has its name", () => findProcess(one.child.pid)?.name === name.slice(0, 15));
      expect(findProcess(one.child.pid)).toMatchObject({ pid: one.child.pid, parentPid: process.pid });
      expect(lifeOf(one.found)).toBe("alive");
    },
  );

  test.each([0, -1, 4_194_305, 2 ** 40, 1.5, Number.NaN])("there is no process %p", (pid) => {
    expect(findProcess(pid)).toBeUndefined();
  });
});

describe("lifeOf()", () => {
  test("a process is alive until it has ended", async () => {
    await using one = sleeper();
    expect(lifeOf(one.found)).toBe("alive");
    one.child.kill("SIGKILL");
    await one.child.exited;
    expect(lifeOf(one.found)).toBe("dead");
  });

  test("SIGSTOP: stopped; SIGCONT: alive again", async () => {
    await using one = sleeper();
    one.child.kill("SIGSTOP");
    await until("it is stopped", () => lifeOf(one.found) === "stopped");
    one.child.kill("SIGCONT");
    await until("it goes on", () => lifeOf(one.found) === "alive");
  });

  test("a later process with its pid is not it", async () => {
    await using one = sleeper();
    const { pid, startTicks } = one.found;
    expect(lifeOf({ name: "sleep", pid, startTicks: startTicks - 1 })).toBe("dead");
    expect(lifeOf({ name: "sleep", pid, startTicks: startTicks + 1 })).toBe("dead");
  });

  test("its name does not count: a program may change it", async () => {
    await using one = sleeper();
    expect(lifeOf({ ...one.found, name: "keepalived" })).toBe("alive");
  });

  test("a process that was never there is dead", () => {
    expect(lifeOf({ name: "x", pid: 4_194_305, startTicks: 1 })).toBe("dead");
  });
});

describeWith("lifeOf() of a child that nobody has waited for", ["perl"], () => {
  test("a zombie is dead, though its pid and its start are there", async () => {
    const script = '$| = 1; my $pid = fork; if (!$pid) { <STDIN>; exit } print "$pid\\n"; sleep 60';
    const parent = Bun.spawn(["perl", "-e", script], { stdin: "pipe", stdout: "pipe" });
    try {
      const reader = parent.stdout.getReader();
      const pid = Number(new TextDecoder().decode((await reader.read()).value));
      const child = findProcess(pid);
      if (child === undefined) throw new Error("the child must be in /proc");
      expect(lifeOf(child)).toBe("alive");
      parent.stdin.end();
      await until("it is a zombie", () => lifeOf(child) === "dead");
      expect(findProcess(pid)).toMatchObject({ pid, startTicks: child.startTicks });
    } finally {
      parent.kill("SIGKILL");
      await parent.exited;
    }
  });
});

describeOnPrivateHost("lifeOf() where /proc hides others' processes", ["dist/rcron", "setpriv"], () => {
  const scene = `
mkdir /etc/rcron; printf 'require_writer = yes\\ndefault_state = passive\\n' >/etc/rcron/rcron.conf
sleep 60 & pid=$!
printf 'active\\nwriter=sleep/%s/%s\\n' $pid "$(cut -d' ' -f22 /proc/$pid/stat)" >/run/rcron.state
ask() { setpriv --reuid=65534 --clear-groups rcron --as rcronctl state | sed -n '1s/  */ /gp'; }
`;
  test.each([1, 2])("hidepid=%d: one with that pid counts as alive, none as dead", async (hidepid) => {
    const { stdout } = await onPrivateHost(`${scene}
mount -o remount,hidepid=${hidepid} /proc
ask; kill -9 $pid; wait $pid || :; ask`);
    expect(stdout).toBe("state active (state-file)\nstate passive (writer-dead)\n");
  });
});

describe("this boot", () => {
  test("readBootId() is the kernel's, ticksSinceBoot() and readUptimeS() count from one beginning", () => {
    expect(readBootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const before = Math.round((readUptimeS() ?? Number.NaN) * 100);
    const ticks = ticksSinceBoot() ?? Number.NaN;
    const after = Math.round((readUptimeS() ?? Number.NaN) * 100);
    expect(ticks).toBeGreaterThanOrEqual(before);
    expect(ticks).toBeLessThanOrEqual(after);
  });
});

/** The unit and the tmpfiles line that seed the state file at boot. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeOnPrivateHost, etc, onPrivateHost, rcron, run } from "../support/private-host.ts";

const unit = readFileSync(join(etc, "rcron-state.service"), "utf8");

describe("rcron-state.service", () => {
  test("starts before cron and keepalived", () => {
    expect(unit).toMatch(/^Before=.*\bcron\.service\b.*\bkeepalived\.service\b/m);
  });

  test("sets nothing that keeps the program from compiling at run time", () => {
    expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|LimitAS)=/m);
  });
});

describeOnPrivateHost("systemd-analyze verify", ["systemd-analyze", "dist/rcron"], () => {
  const verify =
    "cp $etc/rcron-state.service /etc/systemd/system/; systemd-analyze verify --man=no /etc/systemd/system/rcron-state.service";

  test("has nothing to say about rcron-state.service", async () => {
    const ended = await onPrivateHost(verify);
    expect(ended.stdout + ended.stderr).toBe("");
    expect(ended.exitCode).toBe(0);
  });

  test("would have, were the program missing: the check above is a live one", async () => {
    const ended = await onPrivateHost(`rm /usr/bin/rcron; ${verify}`);
    expect(ended.stderr).toContain("/usr/bin/rcron");
    expect(ended.exitCode).not.toBe(0);
  });
});

describeOnPrivateHost(
  "SystemCallFilter= of rcron-state.service",
  ["strace", "systemd-analyze", "dist/rcron"],
  () => {
    test("lets every system call of rcron --generate through", async () => {
      const filter = /^SystemCallFilter=(\S+)$/m.exec(unit)?.[1] ?? "";
      const sets = readSyscallSets((await run(["systemd-analyze", "syscall-filter"])).stdout);
      const allowed = callsOf(filter, sets);
      expect(allowed.size).toBeGreaterThan(100);

      const ended = await onPrivateHost(`strace -f -o /run/trace '${rcron}' --generate; cat /run/trace`);
      expect(ended.exitCode).toBe(0);
      const used = [...ended.stdout.matchAll(/^\d+ +([a-z0-9_]+)\(/gm)].map((match) => match[1] ?? "");
      expect(used).toContain("execve");
      expect([...new Set(used)].filter((call) => !allowed.has(call))).toEqual([]);
    });
  },
);

describeOnPrivateHost("rcron.tmpfiles.conf", ["systemd-tmpfiles"], () => {
  const create =
    "mkdir -p /etc/tmpfiles.d; cp $etc/rcron.tmpfiles.conf /etc/tmpfiles.d/rcron.conf; systemd-tmpfiles --create /etc/tmpfiles.d/rcron.conf";

  test("makes a state file that says passive, mode 644, of root", async () => {
    const ended = await onPrivateHost(
      `umask 077; ${create}; stat -c '%a %U:%G' /run/rcron.state; cat /var/run/rcron.state`,
    );
    expect(ended).toEqual({ exitCode: 0, stdout: "644 root:root\npassive", stderr: "" });
  });

  test("leaves the word of a living keepalived alone", async () => {
    const ended = await onPrivateHost(`echo active >/run/rcron.state; ${create}; cat /run/rcron.state`);
    expect(ended).toEqual({ exitCode: 0, stdout: "active\n", stderr: "" });
  });
});

/** @param listing what `systemd-analyze syscall-filter` prints: `@set`, then its members and comments, indented */
function readSyscallSets(listing: string): Map<string, string[]> {
  const sets = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of listing.split("\n")) {
    const word = line.trim();
    if (line.startsWith("@")) {
      members = [];
      sets.set(word, members);
    } else if (word !== "" && !word.startsWith("#")) members.push(word);
  }
  return sets;
}

function callsOf(set: string, sets: ReadonlyMap<string, string[]>): Set<string> {
  return new Set(
    (sets.get(set) ?? []).flatMap((member) =>
      member.startsWith("@") ? [...callsOf(member, sets)] : [member],
    ),
  );
}

/**
 * The cable to a node is pulled: no word comes, neither that it is gone nor that it is there.
 */
import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { run, temporaryFolder } from "../support/program.ts";
import type { CableTold } from "./ssh-cable-program.ts";

describeWith("a cable is pulled", ["root", "unshare", "ip", "sshd"], () => {
  test("it is noticed; what is begun then was not started; what ran is picked up when the cable is back", async () => {
    using folder = temporaryFolder();
    chmodSync(folder.path, 0o755);
    const program = join(import.meta.dir, "ssh-cable-program.ts");
    const script = 'mount -t tmpfs tmpfs /run && exec "$@"';
    const words = [
      "unshare",
      "-m",
      "-n",
      "-p",
      "-f",
      "--kill-child=KILL",
      "--mount-proc",
      "sh",
      "-c",
      script,
      "sh",
    ];
    const ended = await run([...words, process.execPath, program, folder.path], { timeoutMs: 60_000 });
    expect(ended.stderr).toBe("");
    const told = JSON.parse(ended.stdout) as CableTold; // its own words
    expect(told.lostBecause).toContain("not responding");
    expect(told.before).toMatchObject({ kind: "not-started", problem: { code: "unreachable" } });
    expect(told.during).toEqual({
      outcome: { kind: "exited", exitCode: 7 },
      output: "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
    });
    expect(told.after).toEqual({ kind: "exited", exitCode: 3 });
  });
});

/** Every script of etc/: clean, executable, and it tells the reader where it goes and how to check it. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { etc, run } from "../support/private-host.ts";

const scripts = [
  "rcron.init",
  "rcrond.init",
  "pacemaker/rcron",
  "heartbeat/rcron",
  ...["keepalived", "ucarp"].flatMap((folder) =>
    readdirSync(join(etc, folder))
      .filter((name) => name.endsWith(".sh"))
      .map((name) => `${folder}/${name}`),
  ),
];
const others = [
  "rcron.conf.example",
  "rcron-state.service",
  "rcrond.service",
  "rcron.tmpfiles.conf",
  "keepalived/two-machines.conf",
  "keepalived/three-machines.conf",
  "keepalived/unicast.conf",
  "keepalived/fifo.conf",
];

describeWith("shellcheck", ["shellcheck"], () => {
  test.each(scripts)("finds nothing in %s, as its own dialect and as plain sh", async (script) => {
    const [asIs, asSh] = await Promise.all([
      run(["shellcheck", join(etc, script)]),
      run(["shellcheck", "-s", "sh", join(etc, script)]),
    ]);
    expect(asIs.stdout + asSh.stdout).toBe("");
    expect([asIs.exitCode, asSh.exitCode]).toEqual([0, 0]);
  });
});

describe("etc/", () => {
  test.each(scripts)("%s is executable, and changed by its owner alone", (script) => {
    expect(statSync(join(etc, script)).mode & 0o777).toBe(0o755);
  });

  test.each([...scripts, ...others])("%s opens by saying where it goes and how to check it", (file) => {
    const text = readFileSync(join(etc, file), "utf8");
    const lines = text.split("\n");
    const end = lines.findIndex((line) => !line.startsWith("#"));
    const opening = lines.slice(0, file.endsWith(".init") ? 30 : end).join("\n");
    expect(opening).toMatch(/^# Goes to: {2}\/(etc|usr\/lib\/ocf)\//m);
    expect(opening).toMatch(/^# (Check|By hand): /m);
  });
});

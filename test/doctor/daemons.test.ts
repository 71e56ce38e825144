/** The doctor on what runs beside rcron, and on rcron's own program. */
import { describe, expect, test } from "bun:test";
import { examine } from "../../src/doctor/doctor.ts";
import { systemError } from "../../src/system/libc.ts";
import { healthyMachine } from "./fake-machine.ts";
import { testRows } from "./planted.ts";

describe("cron, syslog and the clock", () => {
  testRows([
    ["no cron", (m) => m.ends("cron"), "error cron cron | systemctl enable --now cron (or crond)"],
    ["cronie", (m) => m.ends("cron").runs({ name: "crond" })],
    [
      "systemd-cron",
      (m) =>
        m.ends("cron").file("/usr/lib/systemd/system-generators/systemd-crontab-generator", { mode: 0o755 }),
    ],
    [
      "a cron that was stopped by a signal",
      (m) => m.ends("cron").runs({ name: "cron", pid: 77, state: "T" }),
      "error cron cron | kill -CONT 77",
    ],
    [
      "no log socket",
      (m) => {
        m.log = systemError(2);
      },
      "warning syslog /dev/log | start rsyslog, syslog-ng or systemd-journald",
    ],
    [
      "a clock that nobody keeps",
      (m) => {
        m.clockState = "unsynchronised";
        m.ends("chronyd");
      },
      "warning clock clock | systemctl enable --now systemd-timesyncd (or chrony)",
    ],
    [
      "a clock whose service reaches nobody",
      (m) => {
        m.clockState = "unsynchronised";
      },
      "warning clock clock | see why chronyd does not reach its servers",
    ],
  ]);

  test("a clock that can't be asked for is said to be unseen", () => {
    const machine = healthyMachine();
    machine.clockState = "unknown";
    expect(examine(machine, { conf: undefined }).unseen.map(({ check }) => check)).toContain("clock");
  });
});

describe("rcron's names", () => {
  testRows([
    [
      "a name that is missing",
      (m) => m.remove("/usr/bin/rcrond"),
      "note rcron /usr/bin/rcrond | ln -s rcron /usr/bin/rcrond",
    ],
    [
      "a name that is missing and that keepalived's scripts call",
      (m) => m.remove("/usr/bin/rcronctl"),
      "note rcron /usr/bin/rcronctl | ln -s rcron /usr/bin/rcronctl",
      "error keepalived-script-missing /usr/bin/rcronctl | ln -s rcron /usr/bin/rcronctl",
    ],
    [
      "a name that is another file",
      (m) => m.file("/usr/bin/rcronctl", { mode: 0o755 }),
      "warning rcron /usr/bin/rcronctl | ln -sf rcron /usr/bin/rcronctl",
    ],
    [
      "two programs",
      (m) => m.file("/usr/local/bin/rcron", { mode: 0o755 }),
      "warning rcron /usr/local/bin/rcron | remove one of them",
    ],
    ["one program at two places", (m) => m.link("/usr/local/bin/rcron", "/usr/bin/rcron")],
  ]);
});

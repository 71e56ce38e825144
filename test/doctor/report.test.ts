/** The report as it is printed. */
import { describe, expect, test } from "bun:test";
import { examine, isHealthy, renderReport, renderReportJson } from "../../src/doctor/doctor.ts";
import { healthyMachine } from "./fake-machine.ts";

function sick() {
  const machine = healthyMachine();
  machine.change("/etc/keepalived/rcron/notify-stop.sh", { mode: 0o777 });
  machine.ends("chronyd").clockState = "unsynchronised";
  return examine(machine, { conf: undefined });
}

describe("renderReport()", () => {
  test("errors first, each with its place and one thing to do; then what is unseen and fine, and the counts", () => {
    const lines = renderReport(sick()).split("\n");
    expect(lines.slice(0, 6)).toEqual([
      expect.stringMatching(
        /^\/etc\/keepalived\/keepalived\.conf:\d+: error: keepalived disables notify_stop \(/,
      ),
      "    chmod go-w /etc/keepalived/rcron/notify-stop.sh",
      expect.stringMatching(/^clock: warning: the clock must be synchronised, /),
      "    systemctl enable --now systemd-timesyncd (or chrony)",
      expect.stringMatching(/^\/etc\/keepalived\/keepalived\.conf:\d+: note: /),
      "    if jobs should stay where they are, write nopreempt on every machine",
    ]);
    expect(lines).toContain("fine: cron runs (pid 100)");
    expect(lines.slice(-2)).toEqual(["1 error, 1 warning, 1 note; 10 fine, 1 not looked at", ""]);
  });
});

describe("renderReportJson()", () => {
  test("is one object with the whole report", () => {
    const report = sick();
    const { findings, fine, unseen } = report;
    expect(JSON.parse(renderReportJson(report))).toEqual({ healthy: false, findings, fine, unseen });
  });
});

describe("isHealthy()", () => {
  test("notes are no reason to worry, a warning is", () => {
    expect(isHealthy(examine(healthyMachine(), { conf: undefined }))).toBe(true);
    const machine = healthyMachine();
    machine.clockState = "unsynchronised";
    expect(isHealthy(examine(machine, { conf: undefined }))).toBe(false);
  });
});

describe("examine()", () => {
  test("each finding says in one line what is and what to do", () => {
    for (const { what, advice, where, check } of sick().findings) {
      expect(check).toMatch(/^[a-z]+(-[a-z]+)*$/);
      for (const text of [what, advice, where]) expect(text).toMatch(/^[^\n]+[^\n.]$/);
    }
  });

  test("a machine with nothing on it at all is examined to the end", () => {
    const machine = healthyMachine();
    for (const path of [
      "/etc/rcron/rcron.conf",
      "/etc/keepalived/keepalived.conf",
      "/run/rcron.state",
      "/etc/crontab",
    ])
      machine.remove(path);
    machine.ends("cron").ends("keepalived");
    for (const path of ["/proc/uptime", "/proc/self/mountinfo", "/usr/bin/rcron", "/usr/sbin/keepalived"])
      machine.remove(path);
    const checks = examine(machine, { conf: undefined }).findings.map(({ check }) => check);
    expect(checks).toEqual(["cron", "rcron-conf", "state-missing", "rcron"]);
  });
});

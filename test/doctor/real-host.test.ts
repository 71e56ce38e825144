/** The doctor on a real machine with real daemons: faults are planted, found, mended, and gone. */
import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Report } from "../../src/doctor/doctor.ts";
import { describeOnPrivateHost, onPrivateHost, project } from "../support/private-host.ts";

const setUp = `
# A copy of root's own: keepalived refuses a program in somebody else's folder, which the project's may be.
install -m 755 "$(readlink -f /usr/bin/rcron)" /usr/bin/rcron.copy; mv -f /usr/bin/rcron.copy /usr/bin/rcron
ln -sf rcron /usr/bin/rcronctl; ln -sf rcron /usr/bin/rcrond
install -d -m 755 /etc/rcron /etc/keepalived /etc/keepalived/rcron
install -m 755 $etc/keepalived/notify*.sh /etc/keepalived/rcron/
install -m 644 $etc/keepalived/two-machines.conf /etc/keepalived/keepalived.conf
rm -rf /etc/cron.d; mkdir /etc/cron.d
`;
const plant = `
echo 'default_state = active' >/etc/rcron/rcron.conf; chmod 666 /etc/rcron/rcron.conf
echo passive >/run/rcron.state; chmod 666 /run/rcron.state
chmod 777 /etc/keepalived/rcron/notify-stop.sh
sed -i 's,^\\tnotify_fault.*,\\tnotify_fault "/bin/echo passive > /run/rcron.state",' /etc/keepalived/keepalived.conf
echo '0 3 * * * root rcron true-job' >/etc/crontab
echo '0 3 * * * root true-job' >/etc/cron.d/twin
`;
const mend = `
printf 'default_state = passive\\nrequire_writer = yes\\nrequire_boot = yes\\n' >/etc/rcron/rcron.conf; chmod 644 /etc/rcron/rcron.conf
rm /run/rcron.state
chmod 755 /etc/keepalived/rcron/notify-stop.sh
install -m 644 $etc/keepalived/two-machines.conf /etc/keepalived/keepalived.conf
printf '#!/bin/sh\\n' >/usr/bin/true-job; chmod 755 /usr/bin/true-job
rm /etc/cron.d/twin
echo 'module(load="imuxsock" SysSock.Name="/dev/log")
*.* /var/log/all' >/run/rsyslog.conf
rsyslogd -n -f /run/rsyslog.conf -i /run/rsyslogd.pid & cron -f & keepalived -n -l -P >/run/keepalived.log 2>&1 & keepalived=$!
until_ok test -S /dev/log
until_ok says /run/rcron.state passive
`;

/** Behind `mend`: the FIFO instead of the scripts. */
const follow = `
kill $keepalived; wait $keepalived || :
rm -f /run/rcron.state
install -m 644 $etc/keepalived/fifo.conf /etc/keepalived/keepalived.conf
keepalived -n -l -P >>/run/keepalived.log 2>&1 &
until_ok says /run/rcron.state passive
`;

describeOnPrivateHost(
  "the doctor on a real machine",
  ["dist/rcron", "keepalived", "cron", "rsyslogd"],
  () => {
    let sick: Report;
    let mended: Report;
    let following: Report;
    let text = "";

    beforeAll(async () => {
      const out = mkdtempSync(join(tmpdir(), "rcron-doctor-"));
      try {
        const examine = `'${process.execPath}' '${project}/test/doctor/print-report.ts'`;
        const script = `${setUp}${plant}${examine} --json >${out}/sick\n${mend}${examine} --json >${out}/mended\n${examine}\n${follow}${examine} --json >${out}/following`;
        const ended = await onPrivateHost(script, 30_000);
        expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toEqual({ exitCode: 0, stderr: "" });
        sick = JSON.parse(readFileSync(`${out}/sick`, "utf8"));
        mended = JSON.parse(readFileSync(`${out}/mended`, "utf8"));
        following = JSON.parse(readFileSync(`${out}/following`, "utf8"));
        text = ended.stdout;
      } finally {
        rmSync(out, { recursive: true });
      }
    }, 40_000);

    /** No private host has a clock of its own. */
    const told = ({ findings }: Report) =>
      findings
        .filter(({ check }) => check !== "clock")
        .map(({ severity, check, where }) => `${severity} ${check} ${where.replace(/:\d+$/, ":N")}`);

    test("finds each of the planted faults, and nothing else", () => {
      const conf = "/etc/keepalived/keepalived.conf";
      expect(told(sick)).toEqual([
        "error rcron-conf-mode /etc/rcron/rcron.conf",
        `error keepalived-script-shell ${conf}:N`,
        `error keepalived-script-mode ${conf}:N`,
        "error state-mode /var/run/rcron.state",
        "error cron cron",
        "warning crontab-program /etc/crontab:N",
        "warning crontab-twin /etc/cron.d/twin:N",
        `warning keepalived ${conf}`,
        "warning default-state /etc/rcron/rcron.conf:N",
        "warning syslog /dev/log",
        `note keepalived-nopreempt ${conf}:N`,
        "note witness-writer /etc/rcron/rcron.conf",
      ]);
    });

    test("finds none of them when they are mended and everything runs", () => {
      expect(told(mended)).toEqual(["note keepalived-nopreempt /etc/keepalived/keepalived.conf:N"]);
      const { fine } = mended;
      expect(fine.map(({ check }) => check).filter((check) => check !== "clock")).toEqual([
        "rcron-conf",
        "crontab",
        "keepalived",
        "keepalived-election",
        "keepalived-scripts",
        "keepalived-writers",
        "default-state",
        "state",
        "cron",
        "syslog",
        "rcron",
      ]);
      expect(fine.find(({ check }) => check === "keepalived")?.what).toMatch(
        /^Keepalived v\d.* runs \(pid \d+\)$/,
      );
      expect(fine.find(({ check }) => check === "state")?.what).toContain(
        "rcron.state: passive (state-file), written ",
      );
    });

    test("finds nothing where rcronctl follows the FIFO", () => {
      expect(told(following)).toEqual(["note keepalived-nopreempt /etc/keepalived/keepalived.conf:N"]);
      const state = following.fine.find(({ check }) => check === "state");
      expect(state?.what).toMatch(/ by keepalived \(pid \d+\) and rcronctl \(pid \d+\),/);
    });

    test("prints for people what it prints for programs", () => {
      expect(text).toContain("fine: cron runs (pid ");
      expect(text).toMatch(/\n0 errors, [01] warnings?, 1 note; 1[12] fine, 1 not looked at\n$/);
    });
  },
);

describeOnPrivateHost("the doctor's rules for scripts", ["keepalived"], () => {
  const conf = "/etc/keepalived/keepalived.conf";
  /** In the order in which keepalived.conf names them. */
  const scripts: readonly (readonly [path: string, make: string, isRefused: "runs" | "refused"])[] = [
    ["/run/s/good", "", "runs"],
    ["/run/s/world", "chmod 777 /run/s/world", "refused"],
    ["/run/s/root-group", "chmod 775 /run/s/root-group", "runs"],
    ["/run/s/other-group", "chgrp daemon /run/s/other-group; chmod 775 /run/s/other-group", "refused"],
    ["/run/s/foreign", "chown daemon /run/s/foreign", "refused"],
    ["/run/s/plain", "chmod 644 /run/s/plain", "refused"],
    ["/run/s/gone", "rm /run/s/gone", "refused"],
    ["/run/sticky/x", "mkdir /run/sticky; chmod 1777 /run/sticky; mv /run/s/x /run/sticky/", "runs"],
    ["/run/open/y", "mkdir /run/open; chmod 777 /run/open; mv /run/s/y /run/open/", "refused"],
    ["/run/s/link", "rm /run/s/link; ln -s good /run/s/link", "runs"],
    [
      "/run/s/foreign-link",
      "rm /run/s/foreign-link; ln -s good /run/s/foreign-link; chown -h daemon /run/s/foreign-link",
      "refused",
    ],
  ];
  const refused = scripts.flatMap(([path, , verdict]) => (verdict === "refused" ? [path] : [])).sort();

  test("are keepalived's own: it refuses the scripts that the doctor blames, and no other", async () => {
    const names = scripts.map(([path]) => path.slice(path.lastIndexOf("/") + 1));
    const instances = scripts.map(
      ([path], index) =>
        `vrrp_instance I${index} {\nstate BACKUP\ninterface eth0\npriority 90\nvirtual_router_id ${index + 1}\nnotify ${path}\n}\n`,
    );
    const written = `global_defs {\nscript_user root\nenable_script_security\n}\n${instances.join("")}`;
    const ended = await onPrivateHost(`install -d /run/s /etc/keepalived
for name in ${names.join(" ")}; do printf '#!/bin/sh\n' >/run/s/$name; chmod 755 /run/s/$name; done
${scripts.map(([, make]) => make).join("\n")}
printf '%s' '${written}' >${conf}
keepalived -n -l -P -D >/run/log 2>&1 & keepalived=$!
until_ok grep -q 'Startup complete' /run/log
kill $keepalived; wait $keepalived || :
cat /run/log; echo; echo "-- report"
'${process.execPath}' '${project}/test/doctor/print-report.ts' --json`);
    const [log = "", json = ""] = ended.stdout.split("\n-- report\n");
    const byKeepalived = log.matchAll(/[sS]cript '?(\/run\/[\w/-]+)'? .*(?:disabling|cannot be accessed)/g);
    const cannot = log.matchAll(/Script (\/run\/[\w/-]+) cannot be accessed/g);
    const told = [...byKeepalived, ...cannot].map(([, path = ""]) => path);
    expect([...new Set(told)].sort()).toEqual(refused);

    const rows = written.split("\n");
    const { findings } = JSON.parse(json) as Report;
    const blamed = findings
      .filter(({ check }) => check.startsWith("keepalived-script-"))
      .map(({ where }) => rows[Number(/:(\d+)$/.exec(where)?.[1]) - 1]?.replace("notify ", "") ?? where);
    // A folder's fault is told of the folder.
    expect(blamed.map((path) => (path === "/run/open" ? "/run/open/y" : path)).sort()).toEqual(refused);
  }, 30_000);
});

/** The doctor on keepalived.conf: its election, its scripts, and the files that they write. */
import { describe, expect, test } from "bun:test";
import { examine, isHealthy } from "../../src/doctor/doctor.ts";
import { confPath, type FakeMachine, healthyMachine, shipped } from "./fake-machine.ts";
import { testRows } from "./planted.ts";

const k = confPath;
const stop = "/etc/keepalived/rcron/notify-stop.sh";

/** Puts lines behind the one that begins with `text`. */
function behind(machine: FakeMachine, text: string, ...lines: string[]): void {
  const pattern = new RegExp(`^\\s*${text}.*$`, "m");
  const found = pattern.exec(contentOf(machine))?.[0] ?? "";
  machine.edit(k, pattern, [found, ...lines].join("\n"));
}

function contentOf(machine: FakeMachine): string {
  const read = machine.read(k, 1_000_000);
  return read.error ? "" : new TextDecoder().decode(read.bytes);
}

/** A second instance, on the other interface, whose lines are given. */
function second(machine: FakeMachine, ...lines: string[]): void {
  const block = [
    "vrrp_instance OTHER {",
    "interface eth1",
    "virtual_router_id 32",
    "priority 90",
    "state BACKUP",
    ...lines,
    "}",
  ];
  machine.change(k, { content: `${contentOf(machine)}${block.join("\n")}\n` });
}

/** Replaces the notify lines by the FIFO. */
function byFifo(machine: FakeMachine, script: string, ...globals: string[]): void {
  machine.edit(k, /^\s*notify_.*\n/gm, "");
  behind(
    machine,
    "enable_script_security",
    "vrrp_notify_fifo /run/vrrp.fifo",
    `vrrp_notify_fifo_script "${script}"`,
    ...globals,
  );
}

const reload = "fifo_write_vrrp_states_on_reload";

describe("the healthy machine", () => {
  test.each(["two-machines", "three-machines", "unicast", "fifo"])(
    "etc/keepalived/%s.conf has nothing but a note",
    (name) => {
      const machine = healthyMachine().change(k, { content: shipped(`keepalived/${name}.conf`) });
      const report = examine(machine, { conf: undefined });
      expect(report.findings.map(({ severity, check }) => `${severity} ${check}`)).toEqual([
        "note keepalived-nopreempt",
      ]);
      expect(isHealthy(report)).toBe(true);
    },
  );

  test("with the FIFO, all is well too", () => {
    const machine = healthyMachine();
    byFifo(machine, "/usr/bin/rcronctl follow RCRON", reload);
    const { findings, fine } = examine(machine, { conf: undefined });
    expect(findings.map(({ check }) => check)).toEqual(["keepalived-nopreempt"]);
    expect(fine.map(({ check }) => check)).toContain("keepalived-writers");
  });
});

describe("keepalived's scripts", () => {
  testRows([
    [
      "a script that everybody may write is disabled",
      (m) => m.change(stop, { mode: 0o777 }),
      `error keepalived-script-mode ${k}@notify_stop | chmod go-w ${stop}`,
    ],
    [
      "a script of a group other than root's that it may write is disabled",
      (m) => m.change(stop, { mode: 0o775, gid: 50 }),
      `error keepalived-script-mode ${k}@notify_stop | chmod g-w ${stop}`,
    ],
    ["root's own group may write it", (m) => m.change(stop, { mode: 0o775 })],
    [
      "a script of somebody else is disabled",
      (m) => m.change(stop, { uid: 1000 }),
      `error keepalived-script-mode ${k}@notify_stop | chown -h root ${stop}`,
    ],
    [
      "a folder above that others may write disables all its scripts",
      (m) => m.change("/etc/keepalived", { mode: 0o777 }),
      "error keepalived-script-mode /etc/keepalived | chmod go-w /etc/keepalived",
    ],
    [
      "a link is judged by its owner and by where it leads",
      (m) =>
        m
          .file("/tmp/x/real.sh", { mode: 0o777, content: shipped("keepalived/notify-stop.sh") })
          .link(stop, "/tmp/x/real.sh", { uid: 1 }),
      `error keepalived-script-mode ${k}@notify_stop | chown -h root ${stop}`,
      `error keepalived-script-mode ${k}@notify_stop | chmod go-w /tmp/x/real.sh`,
    ],
    [
      "without enable_script_security root runs what others may write",
      (m) => m.change(stop, { mode: 0o777 }).edit(k, "\tenable_script_security\n", ""),
      `warning keepalived-script-mode ${k}@notify_stop | chmod go-w ${stop}`,
      `warning keepalived-script-security ${k}@global_defs | write enable_script_security and script_user root into global_defs`,
    ],
    [
      "a script that is missing",
      (m) => m.remove(stop),
      `error keepalived-script-missing ${k}@notify_stop | install it there, or name its right path`,
    ],
    [
      "a script that is not executable",
      (m) => m.change(stop, { mode: 0o644 }),
      `error keepalived-script-mode ${k}@notify_stop | chmod 755 ${stop}`,
    ],
    [
      "a script that is a folder",
      (m) => m.folder(stop, {}),
      `error keepalived-script-mode ${k}@notify_stop | name the script`,
    ],
    [
      "a script of another purpose that is missing is a warning",
      (m) => behind(m, "notify_stop", "notify_master_rx_lower_pri /opt/other"),
      `warning keepalived-script-missing ${k}@notify_master_rx | install it there, or name its right path`,
    ],
    [
      "a relative path",
      (m) => behind(m, "notify_stop", 'notify_master_rx_lower_pri "bin/other x"'),
      `warning keepalived-script-missing ${k}@notify_master_rx | give its whole path`,
    ],
    [
      "the old strings with > write nothing",
      (m) => m.edit(k, /^\s*notify_stop.*$/m, 'notify_stop "/bin/echo passive > /var/run/rcron.state"'),
      `error keepalived-script-shell ${k}@notify_stop | name a script, such as /etc/keepalived/rcron/notify-stop.sh`,
    ],
    [
      "a shell that is asked for understands >, and leaves a bare word",
      (m) =>
        m.edit(k, /^\s*notify_stop.*$/m, `notify_stop "/bin/sh -c 'echo passive > /var/run/rcron.state'"`),
      `error witness-writer /etc/rcron/rcron.conf@require_writer | let it call: rcronctl state set --writer-pid $PPID`,
    ],
    [
      "behind env, keepalived looks at env alone",
      (m) =>
        m
          .change(stop, { mode: 0o777 })
          .edit(k, /^\s*notify_stop.*$/m, `notify_stop "/usr/bin/env A=b ${stop}"`),
      `warning keepalived-script-mode ${k}@notify_stop | chmod go-w ${stop}`,
    ],
    [
      "behind env, the script must be there",
      (m) => m.edit(k, /^\s*notify_stop.*$/m, 'notify_stop "/usr/bin/env A=b /etc/keepalived/rcron/gone.sh"'),
      `error keepalived-script-missing ${k}@notify_stop | install it there, or name its right path`,
    ],
    [
      "the second of two scripts for one state is ignored",
      (m) => behind(m, "notify_stop", "notify_stop /usr/bin/env"),
      `warning keepalived-notify-twice ${k}@notify_stop /usr | remove one of the two lines`,
    ],
    [
      "a keyword with a slip in it",
      (m) => m.edit(k, "notify_fault  /", "notify_falt  /"),
      `error keepalived-notify-unknown ${k}@notify_falt | write notify_fault`,
      `error keepalived-handlers ${k}@vrrp_instance | write notify_fault /etc/keepalived/rcron/notify-fault.sh into it`,
    ],
    [
      "rcronctl by a link to another folder loses its name",
      (m) => {
        m.file("/opt/rcron/rcron", { mode: 0o755, id: "rcron" }).link("/usr/bin/rcron", "/opt/rcron/rcron");
        m.link("/usr/bin/rcronctl", "/opt/rcron/rcron").link("/usr/bin/rcrond", "rcron");
        byFifo(m, "/usr/bin/rcronctl follow RCRON", reload);
      },
      `error keepalived-script-name ${k}@vrrp_notify_fifo_script | ln -s rcron /opt/rcron/rcronctl`,
    ],
    [
      "rcronctl by a link to another folder that has the name too",
      (m) => {
        m.file("/opt/rcron/rcron", { mode: 0o755, id: "rcron" }).link("/opt/rcron/rcronctl", "rcron");
        m.link("/usr/bin/rcronctl", "/opt/rcron/rcron");
        byFifo(m, "/usr/bin/rcronctl follow RCRON", reload);
      },
    ],
    [
      "the script of a vrrp_script counts as well",
      (m) =>
        m.change(k, { content: `vrrp_script CHECK {\nscript "/opt/check x"\nuser root\n}\n${contentOf(m)}` }),
      `warning keepalived-script-missing ${k}@script " | install it there, or name its right path`,
    ],
  ]);
});

describe("script_user", () => {
  const root = "write script_user root into global_defs";
  testRows([
    [
      "with enable_script_security alone every script is ignored",
      (m) => m.edit(k, "\tscript_user root\n", ""),
      `error keepalived-script-user ${k}@global_defs | ${root}`,
    ],
    [
      "without both, scripts run as root for the time being",
      (m) => m.edit(k, "\tscript_user root\n", "").edit(k, "\tenable_script_security\n", ""),
      `note keepalived-script-user ${k}@global_defs | ${root}`,
      `warning keepalived-script-security ${k}@global_defs | write enable_script_security and script_user root into global_defs`,
    ],
    [
      "a user that does not exist",
      (m) => m.edit(k, "script_user root", "script_user nobody-here"),
      `error keepalived-script-user ${k}@script_user | name one that exists, such as root`,
    ],
    [
      "a second word behind a script is its user",
      (m) => m.edit(k, /^\s*notify_stop.*$/m, `notify_stop ${stop} STOP`),
      `error keepalived-script-user ${k}@notify_stop | name one that exists, such as root`,
    ],
    [
      "keepalived_script, where it exists and nobody else is named, may not write in /run",
      (m) => m.hasAccount("keepalived_script", 990).edit(k, "\tscript_user root\n", ""),
      `error keepalived-script-user ${k}@global_defs | ${root}`,
    ],
    [
      "another user may not write in /run either",
      (m) => m.edit(k, "script_user root", "script_user daemon"),
      `error keepalived-script-user ${k}@script_user | ${root}`,
    ],
    [
      "another user may have a folder of its own for the state",
      (m) =>
        m
          .edit(k, "script_user root", "script_user daemon")
          .edit("/etc/rcron/rcron.conf", "require_writer = yes", "state_file = /run/rcron/state")
          .folder("/run/rcron", { uid: 1 })
          .file("/run/rcron/state", { content: "active\n", uid: 1 }),
      "note witness-writer /etc/rcron/rcron.conf | write require_writer = yes",
      "warning state-mode /run/rcron/state | chown -h root /run/rcron",
      "warning state-mode /run/rcron/state | chown -h root /run/rcron/state",
    ],
  ]);
});

describe("script_user and the FIFO: test/etc/keepalived.test.ts shows what keepalived does", () => {
  const [fifo, user, security] = ["vrrp_notify_fifo /run/f", "script_user root", "enable_script_security"];
  const script = 'vrrp_notify_fifo_script "/usr/bin/rcronctl follow RCRON"';
  const finding = (keyword: string) =>
    `error keepalived-script-user ${k}@${keyword} | write script_user root into global_defs, above vrrp_notify_fifo`;
  /** The global_defs begin with these lines, and there are no notify lines. */
  const begins =
    (...lines: string[]) =>
    (m: FakeMachine) =>
      m
        .edit(k, /^\s*notify_.*\n/gm, "")
        .edit(k, "\tscript_user root\n", "")
        .edit(k, "\tenable_script_security\n", "")
        .edit(k, "global_defs {", ["global_defs {", ...lines, reload].join("\n"));
  const withAccount = (plant: (m: FakeMachine) => FakeMachine) => (m: FakeMachine) =>
    plant(m.hasAccount("keepalived_script", 990));

  testRows([
    ["above both it counts", begins(user, security, fifo, script)],
    ["enable_script_security may stand anywhere", begins(user, fifo, script, security)],
    ["below both it counts for none: one finding", begins(fifo, script, user, security), finding(fifo)],
    ["not there at all", begins(fifo, script, security), finding(fifo)],
    ["between them it does not count for the FIFO", begins(fifo, user, security, script), finding(fifo)],
    [
      "between them, though the script names root",
      begins(fifo, user, `${script} root`, security),
      finding(fifo),
    ],
    ["a FIFO that names root needs none", begins(`${fifo} root`, user, script, security)],
    ["a FIFO and a script that name root need none", begins(`${fifo} root`, `${script} root`, security)],
    [
      "a FIFO that names root, and a script that stands above",
      begins(`${fifo} root`, script, user, security),
      finding("vrrp_notify_fifo_script"),
    ],
    [
      "where keepalived_script exists the FIFO is its, and root reads it",
      withAccount(begins(fifo, user, security, script)),
    ],
    [
      "where keepalived_script exists the script above runs as it",
      withAccount(begins(fifo, script, user, security)),
      finding("vrrp_notify_fifo_script"),
    ],
    [
      "without enable_script_security nothing is dropped",
      begins(fifo, user, script),
      `warning keepalived-script-security ${k}@global_defs | write enable_script_security and script_user root into global_defs`,
    ],
    [
      "the FIFO of something else is a warning",
      (m) =>
        begins(
          fifo.replace("vrrp_", ""),
          'notify_fifo_script "/bin/echo x"',
          user,
          security,
        )(m).edit(k, "\tadvert_int", "\tnotify /etc/keepalived/rcron/notify.sh\n\tadvert_int"),
      `warning keepalived-script-user ${k}@notify_fifo | write script_user root into global_defs, above notify_fifo`,
    ],
  ]);
});

describe("what keepalived's scripts write", () => {
  testRows([
    ...(["master", "backup", "fault", "stop"] as const).map(
      (state) =>
        [
          `notify_${state} must be there if the others are`,
          (m: FakeMachine) => m.edit(k, new RegExp(`^\\s*notify_${state}.*\\n`, "m"), ""),
          `error keepalived-handlers ${k}@vrrp_instance | write notify_${state} /etc/keepalived/rcron/notify-${state}.sh into it`,
        ] as const,
    ),
    [
      "one notify line stands for all four",
      (m) => m.edit(k, /^\s*notify_.*\n/gm, "").edit(k, "\t#notify ", "\tnotify "),
    ],
    [
      "no handler at all: nothing reaches rcron",
      (m) => m.edit(k, /^\s*notify_.*\n/gm, ""),
      `warning keepalived-writers ${k}@vrrp_instance | add the notify lines of rcron's example configurations`,
    ],
    [
      "no handler at all, but somebody else elects as well",
      (m) => m.edit(k, /^\s*notify_.*\n/gm, "").runs({ name: "pacemakerd" }),
    ],
    [
      "no handler of rcron's, but a script that may do anything",
      (m) =>
        m.edit(k, /^\s*notify_.*\n/gm, "").edit(k, "\tadvert_int", '\tnotify "/bin/echo x"\n\tadvert_int'),
      `note keepalived-writers ${k}@vrrp_instance | add the notify lines of rcron's example configurations`,
    ],
    [
      "two instances on one state file",
      (m) => second(m, "notify /etc/keepalived/rcron/notify.sh"),
      `error keepalived-shared-file ${k}@notify / | give OTHER a state file of its own, or remove its notify`,
    ],
    [
      "two instances with a file each",
      (m) =>
        second(m, 'notify "/usr/bin/env RCRON_STATE_FILE=/run/other.state /etc/keepalived/rcron/notify.sh"'),
    ],
    [
      "/run/rcron.state and /var/run/rcron.state are one file",
      (m) =>
        second(m, 'notify "/usr/bin/env RCRON_STATE_FILE=/run/rcron.state /etc/keepalived/rcron/notify.sh"'),
      `error keepalived-shared-file ${k}@notify " | give OTHER a state file of its own, or remove its notify`,
    ],
    [
      "an instance and its group on one state file",
      (m) => {
        second(m);
        m.change(k, {
          content: `${contentOf(m)}vrrp_sync_group G {\ngroup {\nRCRON\nOTHER\n}\nnotify /etc/keepalived/rcron/notify.sh\n}\n`,
        });
      },
      `error keepalived-shared-file ${k}@notify / | give group G a state file of its own, or remove its notify`,
    ],
    [
      "the FIFO and notify lines on one state file",
      (m) =>
        behind(
          m,
          "enable_script_security",
          "vrrp_notify_fifo /run/f",
          'vrrp_notify_fifo_script "/usr/bin/rcronctl follow RCRON"',
          reload,
        ),
      `warning keepalived-shared-file ${k}@vrrp_notify_fifo_script | keep the FIFO's script, and remove the notify lines`,
    ],
    [
      "follow names an instance that is not there",
      (m) => byFifo(m, "/usr/bin/rcronctl follow RCORN", reload),
      `error keepalived-fifo-name ${k}@vrrp_notify_fifo_script | name one of RCRON`,
    ],
    [
      "follow names a group as if it were an instance",
      (m) => {
        byFifo(m, "/usr/bin/rcronctl follow --conf /etc/rcron/rcron.conf G", reload);
        m.change(k, { content: `${contentOf(m)}vrrp_sync_group G {\ngroup {\nRCRON\n}\n}\n` });
      },
      `error keepalived-fifo-name ${k}@vrrp_notify_fifo_script | write group:G`,
    ],
    [
      "a FIFO's script without a FIFO never starts",
      (m) => {
        byFifo(m, "/usr/bin/rcronctl follow RCRON", reload);
        m.edit(k, "vrrp_notify_fifo /run/vrrp.fifo\n", "");
      },
      `error keepalived-fifo ${k}@vrrp_notify_fifo_script | write vrrp_notify_fifo /run/keepalived.rcron.fifo above it`,
    ],
    [
      "a FIFO without a script is somebody else's",
      (m) => behind(m, "enable_script_security", "notify_fifo /run/f"),
      `note keepalived-fifo ${k}@notify_fifo | if it is meant for rcron, write notify_fifo_script "/usr/bin/rcronctl follow NAME"`,
    ],
    [
      "the FIFO without its states after a reload",
      (m) => byFifo(m, "/usr/bin/rcronctl follow RCRON"),
      `note keepalived-fifo-reload ${k}@vrrp_notify_fifo_script | write fifo_write_vrrp_states_on_reload into global_defs`,
    ],
    [
      "what is not followed is not taken for missing",
      (m) =>
        m
          .edit(k, /^\s*notify_.*\n/gm, "")
          .edit(k, "vrrp_instance RCRON {", "$X= \\\nnotify /a \\\n\nvrrp_instance RCRON {"),
    ],
  ]);
});

describe("keepalived's election", () => {
  testRows([
    [
      "a block that is never closed",
      (m) => m.change(k, { content: `${contentOf(m)}vrrp_sync_group G {\n` }),
      `error keepalived-syntax ${k}@vrrp_sync_group | mend the line, then: keepalived --config-test`,
    ],
    [
      "a file to include that is not there",
      (m) => m.change(k, { content: `${contentOf(m)}include extra.conf\n` }),
      `error keepalived-syntax ${k}@include | mend the line, then: keepalived --config-test`,
    ],
    [
      "an included file is part of it",
      (m) =>
        m
          .file("/etc/keepalived/conf.d/b.conf", {
            content: "vrrp_instance B {\nvirtual_router_id 900\npriority 1\ninterface eth1\n}\n",
            modifiedAtMs: 0,
          })
          .change(k, { content: `${contentOf(m)}include conf.d/*.conf\n` }),
      "error keepalived-router-id /etc/keepalived/conf.d/b.conf@virtual_router_id | give it the number that the other machines of the group have",
    ],
    [
      "nopreempt with state MASTER",
      (m) => m.edit(k, "\t#nopreempt", "\tnopreempt").edit(k, "state BACKUP\n", "state MASTER\n"),
      `warning keepalived-nopreempt ${k}@nopreempt | write state BACKUP, on every machine`,
    ],
    [
      "state MASTER alone is a note",
      (m) => m.edit(k, "\tstate BACKUP", "\tstate MASTER"),
      `note keepalived-state ${k}@state MASTER | write state BACKUP on every machine; the priority decides`,
      `note keepalived-nopreempt ${k}@priority | if jobs should stay where they are, write nopreempt on every machine`,
    ],
    [
      "no priority",
      (m) => m.edit(k, "\tpriority 100\n", ""),
      `warning keepalived-priority ${k}@vrrp_instance | give each machine of the group another number: 100, 99, 98`,
    ],
    [
      "a priority out of range",
      (m) => m.edit(k, "priority 100\n", "priority 256\n"),
      `error keepalived-priority ${k}@priority | give each machine of the group another number: 100, 99, 98`,
    ],
    [
      "one router id twice on an interface",
      (m) => {
        second(m);
        m.edit(k, "interface eth1", "interface eth0").edit(k, "virtual_router_id 32", "virtual_router_id 31");
      },
      `error keepalived-router-id ${k}@-virtual_router_id | give one of them another number, on every machine`,
    ],
    [
      "one router id on two interfaces",
      (m) => {
        second(m);
        m.edit(k, "virtual_router_id 32", "virtual_router_id 31");
      },
    ],
    [
      "two instances of one name",
      (m) => {
        second(m);
        m.edit(k, "vrrp_instance OTHER", "vrrp_instance RCRON");
      },
      `error keepalived-instance-twice ${k}@-vrrp_instance | give it another name`,
    ],
    [
      "an interface that this machine has not",
      (m) => m.remove("/sys/class/net/eth0"),
      `error keepalived-interface ${k}@interface | ip link shows what there is`,
    ],
    [
      "an interface in another network namespace",
      (m) => m.remove("/sys/class/net/eth0").change(k, { content: `net_namespace other\n${contentOf(m)}` }),
    ],
    [
      "an interface that may come",
      (m) => behind(m.remove("/sys/class/net/eth0"), "script_user", "dynamic_interfaces"),
    ],
    [
      "a password that is cut",
      (m) => m.edit(k, "auth_pass 1111", "auth_pass 123456789"),
      `warning keepalived-password ${k}@auth_pass | shorten it on every machine`,
    ],
    [
      "a password on the line of its type",
      (m) => m.edit(k, /auth_type PASS\s+auth_pass/, "auth_type PASS auth_pass"),
      `error keepalived-password ${k}@auth_type | put auth_pass on the next line`,
    ],
    [
      "two unicast peers on one line",
      (m) =>
        m.edit(k, "\tadvert_int", "\tunicast_peer {\n\t\t198.51.100.102 203.0.113.103\n\t}\n\tadvert_int"),
      `error keepalived-peers ${k}@198.51 | put 203.0.113.103 on the next line`,
    ],
    [
      "a line for another machine does not count",
      (m) => m.edit(k, "priority 100\n", "@alpha priority 100\n\t@^alpha priority 999\n"),
    ],
  ]);
});

describe("keepalived's processes", () => {
  testRows([
    [
      "a keepalived that only balances load elects nobody, and need not run",
      (m) =>
        m
          .change(k, { content: "virtual_server 192.0.2.9 80 {\n}\n" })
          .ends("keepalived")
          .file("/etc/rcron/rcron.conf", "default_state = active\n")
          .file("/run/rcron.state", "active\n"),
    ],
    [
      "keepalived is set up and does not run",
      (m) => m.ends("keepalived"),
      `warning keepalived ${k} | systemctl enable --now keepalived`,
      "warning state-doubt /var/run/rcron.state | look why its writer ended: systemctl status keepalived",
    ],
    [
      "keepalived is stopped by a signal",
      (m) => m.ends("keepalived").runs({ name: "keepalived", pid: 501, startTicks: 1_360_002, state: "T" }),
      "error keepalived keepalived | kill -CONT 501",
      "warning state-doubt /var/run/rcron.state | look who stopped its writer, and continue it: kill -CONT PID",
    ],
    [
      "the configuration was changed since keepalived was started",
      (m) => m.change(k, { modifiedAtMs: m.nowMs - 60_000 }),
      `note keepalived-reload ${k} | systemctl reload keepalived`,
    ],
    [
      "keepalived runs with another configuration: that one is looked at",
      (m) =>
        m
          .ends("keepalived")
          .runs({
            name: "keepalived",
            pid: 501,
            startTicks: 1_360_002,
            words: ["keepalived", "-f", "/etc/k.conf", "--config-id=beta"],
          })
          .file("/etc/k.conf", {
            content: `${shipped("keepalived/two-machines.conf")}@beta include none.conf\n@beta }\n`,
            modifiedAtMs: 0,
          }),
      "error keepalived-syntax /etc/k.conf@@beta } | mend the line, then: keepalived --config-test",
    ],
    [
      "keepalived runs and its configuration is gone",
      (m) => m.remove(k),
      `error keepalived ${k} | put it there, and reload keepalived`,
    ],
  ]);

  test("what only root may read is said to be unseen", () => {
    const machine = healthyMachine();
    machine.uid = 1000;
    machine.denied.add(k);
    const { findings, unseen } = examine(machine, { conf: undefined });
    expect(findings).toEqual([]);
    expect(unseen.map(({ what }) => what)).toContain(`${k}: permission denied`);
  });
});

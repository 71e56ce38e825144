/** The doctor on rcron.conf: its syntax, who could change it, its defaults and its witnesses. */
import { describe, expect, test } from "bun:test";
import { examine } from "../../src/doctor/doctor.ts";
import { Problem } from "../../src/model/problem.ts";
import { confPath, healthyMachine } from "./fake-machine.ts";
import { testRows } from "./planted.ts";

const c = "/etc/rcron/rcron.conf";
const rules = "default_state = passive\nrequire_writer = yes\n";
const address = "\tvirtual_ipaddress {\n\t\t192.0.2.9/24 dev eth0\n\t}\n\tadvert_int 1\n";
const fifo = `	script_user root
	vrrp_notify_fifo /run/f
	vrrp_notify_fifo_script "/usr/bin/rcronctl follow RCRON"
	fifo_write_vrrp_states_on_reload`;

describe("rcron.conf", () => {
  testRows([
    [
      "a line that is wrong",
      (m) => m.edit(c, "default_state = passive", "default_state = pasive"),
      `error rcron-conf ${c}@default_state | did you mean passive?`,
    ],
    [
      "an unknown key",
      (m) => m.change(c, { content: "default_state = passive\nrequire_writer = yes\nstate_fille = /x\n" }),
      `warning rcron-conf ${c}@state_fille | mend the line, or remove it`,
    ],
    [
      "a mistyped rule of a job",
      (m) => m.change(c, { content: `${rules}[job backup]\ntimeot = 5m\n` }),
      `error rcron-conf ${c}@timeot | did you mean timeout?`,
    ],
    [
      "a rule with a wrong value, of a job that nobody runs now",
      (m) => m.change(c, { content: `${rules}[job]\ntimeout = 5m\n[job backup]\nretry = often\n` }),
      `error rcron-conf ${c}@retry | mend it, then: rcron --conf ${c} --explain true`,
    ],
    [
      "sound sections",
      (m) => m.change(c, { content: `${rules}[job]\ntimeout = 5m\n[job backup]\nretry = 3\n` }),
    ],
    [
      "bytes that are no text",
      (m) => m.change(c, { content: Uint8Array.of(0xff, 0xfe, 0) }),
      `error rcron-conf ${c} | mend it, then: rcron --conf ${c} --explain true`,
    ],
    [
      "a file that is far too long",
      (m) => m.change(c, { content: "#".repeat(70_000) }),
      `error rcron-conf ${c} | mend it, then: rcron --conf ${c} --explain true`,
    ],
    [
      "no configuration: the defaults make a member of a pair active",
      (m) => m.remove(c),
      `warning rcron-conf ${c} | copy the example to ${c}`,
      `warning default-state ${c} | write default_state = passive into ${c}, on every machine`,
      `note witness-writer ${c} | write require_writer = yes`,
    ],
    [
      "a configuration of somebody else's",
      (m) => m.change(c, { uid: 1000 }),
      `error rcron-conf-mode ${c} | chown -h root ${c}`,
    ],
    [
      "a configuration that others may write",
      (m) => m.change(c, { mode: 0o666 }),
      `error rcron-conf-mode ${c} | chmod go-w ${c}`,
    ],
    [
      "a folder that a group may write",
      (m) => m.change("/etc/rcron", { mode: 0o775, gid: 50 }),
      "error rcron-conf-mode /etc/rcron | chmod g-w /etc/rcron",
    ],
  ]);

  const db = "/etc/rcron/db.conf";
  describe("--conf", () => {
    testRows(
      [
        [
          "a named one that is missing",
          () => {},
          `error rcron-conf ${db} | mend it, then: rcron --conf ${db} --explain true`,
        ],
        [
          "a named one with a state file of its own, that no instance writes",
          (m) =>
            m
              .file(db, "default_state = passive\nstate_file = /run/db.state\n")
              .file("/run/db.state", "passive\n"),
          `warning keepalived-writers ${confPath}@vrrp_instance | add the notify lines of rcron's example configurations`,
        ],
      ],
      db,
    );

    test("whoever looks may have a configuration of his own", () => {
      const machine = healthyMachine();
      machine.uid = 1000;
      machine
        .file("/home/app/rcron.conf", {
          content: "default_state = passive\nrequire_writer = yes\n",
          uid: 1000,
        })
        .change("/home/app", { uid: 1000 });
      const { findings, unseen } = examine(machine, { conf: "/home/app/rcron.conf" });
      expect(findings.filter(({ check }) => check === "rcron-conf-mode")).toEqual([]);
      expect(unseen.map(({ check }) => check)).toContain("root");
    });
  });
});

describe("what holds in doubt", () => {
  testRows([
    [
      "default_state = active beside keepalived",
      (m) => m.edit(c, "passive", "active"),
      `warning default-state ${c}@default_state | write default_state = passive into ${c}, on every machine`,
    ],
    [
      "default_state by default beside keepalived",
      (m) => m.edit(c, "default_state = passive\n", ""),
      `warning default-state ${c} | write default_state = passive into ${c}, on every machine`,
    ],
    [
      "when_in_doubt = active beside keepalived",
      (m) => m.edit(c, "require_writer", "when_in_doubt = active\nrequire_writer"),
      `warning when-in-doubt ${c}@when_in_doubt | write when_in_doubt = passive`,
    ],
    [
      "default_state = active beside Pacemaker alone",
      (m) =>
        m
          .remove(confPath)
          .remove("/usr/sbin/keepalived")
          .ends("keepalived")
          .runs({ name: "pacemakerd" })
          .file("/run/rcron.state", "passive\n")
          .file(c, "default_state = active\n"),
      `warning default-state ${c}@default_state | write default_state = passive into ${c}, on every machine`,
    ],
    [
      "a machine on its own may be active in doubt",
      (m) =>
        m
          .remove(confPath)
          .ends("keepalived")
          .file("/run/rcron.state", "active\n")
          .file(c, "default_state = active\n"),
    ],
    [
      "default_state = passive where nobody elects",
      (m) =>
        m
          .remove(confPath)
          .ends("keepalived")
          .file("/run/rcron.state", "active\n")
          .file(c, "default_state = passive\n"),
      `note default-state ${c}@default_state | if nobody does, write default_state = active`,
    ],
  ]);
});

describe("witnesses", () => {
  testRows([
    [
      "none is asked, though one could be",
      (m) => m.edit(c, "require_writer = yes\n", ""),
      `note witness-writer ${c} | write require_writer = yes`,
    ],
    [
      "require_writer with an older notify.sh that leaves no name",
      (m) =>
        m.file("/etc/keepalived/rcron/notify.sh", {
          mode: 0o755,
          content: "#!/bin/sh\n: RCRON_STATE_FILE; echo active >/var/run/rcron.state\n",
        }),
      `error witness-writer ${c}@require_writer | let it call: rcronctl state set --writer-pid $PPID`,
    ],
    [
      "state_max_age with notify scripts alone",
      (m) => m.edit(c, "require_writer = yes", "state_max_age = 2h"),
      `error witness-age ${c}@state_max_age | use the FIFO with rcronctl follow, which renews it, or require_writer = yes instead`,
    ],
    [
      "state_max_age with a crontab line that renews",
      (m) =>
        m
          .edit(c, "require_writer = yes", "state_max_age = 2h")
          .file("/etc/cron.d/renew", "* * * * * root /usr/local/bin/check && rcronctl state set active\n"),
    ],
    [
      "state_max_age with the FIFO, which renews",
      (m) =>
        m
          .edit(c, "require_writer = yes", "state_max_age = 2h")
          .edit(confPath, /^\s*notify_.*\n/gm, "")
          .edit(confPath, "\tscript_user root", fifo),
    ],
    [
      "require_address that keepalived does not move",
      (m) => {
        m.ownAddresses = ["192.0.2.7"];
        m.edit(c, "require_writer = yes", "require_address = 192.0.2.7").edit(
          confPath,
          "\tadvert_int 1\n",
          address,
        );
      },
      `error witness-address ${c}@require_address | name the virtual address of the instance that writes the state`,
    ],
    [
      "require_address that is another instance's",
      (m) => {
        m.ownAddresses = ["192.0.2.10"];
        m.edit(c, "require_writer = yes", "require_address = 192.0.2.10").edit(
          confPath,
          "vrrp_instance RCRON {",
          "vrrp_instance WEB {\ninterface eth1\nvirtual_router_id 9\npriority 9\nstate BACKUP\nvirtual_ipaddress {\n192.0.2.10\n}\n}\nvrrp_instance RCRON {",
        );
      },
      `error witness-address ${c}@require_address | name the virtual address of the instance that writes the state`,
    ],
    [
      "require_address of the instance that writes",
      (m) => {
        m.ownAddresses = ["192.0.2.9"];
        m.edit(c, "require_writer = yes", "require_address = 192.0.2.9").edit(
          confPath,
          "\tadvert_int 1\n",
          address,
        );
      },
    ],
    [
      "require_address that is not here while the word is active",
      (m) =>
        m
          .edit(c, "require_writer = yes", "require_address = 192.0.2.9")
          .edit(confPath, "\tadvert_int 1\n", address),
      "warning state-doubt /var/run/rcron.state | look where the address is: ip addr",
    ],
  ]);
});

test("what is wrong with the section of rcrond is told, with what comes of it", () => {
  const daemonProblem = new Problem("invalid", 'unknown key "concurency"', {
    where: `${c}:5`,
    hint: "did you mean concurrency?",
  });
  const { findings } = examine(healthyMachine(), { conf: undefined, daemonProblem });
  expect(findings.filter(({ check }) => check === "rcron-conf")).toEqual([
    {
      severity: "error",
      check: "rcron-conf",
      where: `${c}:5`,
      what: 'unknown key "concurency": rcrond does not start',
      advice: "did you mean concurrency?",
    },
  ]);
});

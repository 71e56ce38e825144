/** The doctor on the state file: its word, its owner and mode, and where it lies. */
import { describe } from "bun:test";
import { bootId, confPath, stateText } from "./fake-machine.ts";
import { testRows } from "./planted.ts";

const s = "/var/run/rcron.state";
const file = "/run/rcron.state";
const c = "/etc/rcron/rcron.conf";
const keepalivedWrites =
  "see that keepalived runs and writes it; at boot rcron --generate should write it first";

describe("the state file's word", () => {
  testRows([
    ["no file, with keepalived", (m) => m.remove(file), `warning state-missing ${s} | ${keepalivedWrites}`],
    [
      "no file, and nobody elects",
      (m) => m.remove(file).remove(confPath).ends("keepalived").file(c, "default_state = active\n"),
      `warning state-missing ${s} | rcron --generate, now and at each boot`,
    ],
    [
      "the second default path is as good",
      (m) => m.remove(file).file("/run/rcron/state", stateText("passive")),
    ],
    [
      "a folder in its place",
      (m) => m.folder(file, {}),
      `error state-missing ${s} | ls -l ${s}: it must be a file that everybody may read`,
    ],
    ["another word", (m) => m.file(file, "inactive\n"), `error state-word ${s} | rcronctl state set passive`],
    ["an empty file", (m) => m.file(file, ""), `error state-word ${s} | rcronctl state set passive`],
    [
      "any bytes",
      (m) => m.file(file, { content: Uint8Array.of(0, 255, 10, 61) }),
      `error state-word ${s} | rcronctl state set passive`,
    ],
    [
      "a bare active, though require_writer asks",
      (m) => m.file(file, "active\n"),
      `warning state-doubt ${s} | let it be written by rcronctl state set --writer-pid`,
    ],
    [
      "a lease that is over",
      (m) => m.file(file, stateText("active", "valid_until=2026-11-21T10:30:00Z\n")),
      `warning state-doubt ${s} | look at whoever renews the word`,
    ],
    [
      "active by a dead writer, whom nobody asks for",
      (m) => m.edit(c, "require_writer = yes\n", "").edit(file, "keepalived/501", "keepalived/77"),
      `error state-writer ${s} | see what became of it, and write require_writer = yes into rcron.conf`,
      `note witness-writer ${c} | write require_writer = yes`,
    ],
    [
      "passive by a dead writer",
      (m) =>
        m.edit(c, "require_writer = yes\n", "").file(file, stateText("passive").replace("/501/", "/77/")),
      `warning state-writer ${s} | see what became of it, and write require_writer = yes into rcron.conf`,
      `note witness-writer ${c} | write require_writer = yes`,
    ],
    [
      "passive by a keepalived that took its leave",
      (m) =>
        m
          .edit(c, "require_writer = yes\n", "")
          .file(file, stateText("passive", "event=STOP\n").replace("/501/", "/77/")),
      `note witness-writer ${c} | write require_writer = yes`,
    ],
    [
      "active of an earlier boot, which nobody asks for",
      (m) => m.edit(c, "require_writer = yes\n", "").edit(file, bootId, "0000"),
      `error state-boot ${s} | let whoever elects write it, and write require_boot = yes into rcron.conf`,
      `note witness-writer ${c} | write require_writer = yes`,
    ],
    [
      "from the future",
      (m) => m.change(file, { modifiedAtMs: m.nowMs + 3_600_000 }),
      `warning state-age ${s} | look at the clock, and have the word written again`,
    ],
  ]);
});

describe("the state file's owner, mode and folder", () => {
  const elsewhere = (path: string) => `default_state = passive\nstate_file = ${path}\n`;
  const unwritten = `warning keepalived-writers ${confPath}@vrrp_instance | add the notify lines of rcron's example configurations`;
  /** keepalived's scripts write where rcron.conf says, so they follow it. */
  const witness = `note witness-writer ${c} | write require_writer = yes`;
  testRows([
    [
      "others may write it",
      (m) => m.change(file, { mode: 0o666 }),
      `error state-mode ${s} | chmod go-w ${file}`,
    ],
    [
      "a group may write it",
      (m) => m.change(file, { mode: 0o664, gid: 50 }),
      `error state-mode ${s} | chmod g-w ${file}`,
    ],
    [
      "somebody else's",
      (m) => m.change(file, { uid: 1000 }),
      `warning state-mode ${s} | chown -h root ${file}`,
    ],
    [
      "others can't read it",
      (m) => m.change(file, { mode: 0o600 }),
      `warning state-mode ${s} | chmod 644 ${s}`,
    ],
    [
      "a link",
      (m) => m.file("/run/real", stateText("active")).link(file, "/run/real"),
      `note state-link ${s} | name the file itself as state_file`,
    ],
    [
      "a folder that others may write",
      (m) => m.change("/run", { mode: 0o777 }),
      `error state-mode ${s} | chmod go-w /run`,
    ],
    [
      "no file, in a folder that others may write",
      (m) => m.remove(file).change("/run", { mode: 0o777 }),
      `warning state-missing ${s} | ${keepalivedWrites}`,
      `error state-mode ${s} | chmod go-w /run`,
    ],
    [
      "a folder for everybody, with the sticky bit",
      (m) =>
        m
          .file("/proc/self/mountinfo", "1 1 0:1 / / rw - tmpfs t rw\n")
          .file(c, elsewhere("/tmp/rcron.state"))
          .file("/tmp/rcron.state", stateText("active")),
      "warning state-folder /tmp/rcron.state | state_file = /run/rcron.state",
      witness,
    ],
    [
      "a folder that others can't enter",
      (m) =>
        m
          .folder("/run/private", { mode: 0o700 })
          .file("/run/private/state", stateText("active"))
          .file(c, elsewhere("/run/private/state")),
      "warning state-folder /run/private/state | chmod 755 /run/private",
      witness,
    ],
    [
      "a disk that outlives a boot",
      (m) => m.file("/var/lib/rcron/state", stateText("active")).file(c, elsewhere("/var/lib/rcron/state")),
      "warning state-folder /var/lib/rcron/state | state_file = /run/rcron.state, or require_boot = yes",
      witness,
    ],
    [
      "a disk, with require_boot",
      (m) =>
        m
          .file("/var/lib/rcron/state", stateText("active"))
          .file(c, `${elsewhere("/var/lib/rcron/state")}require_boot = yes\n`),
    ],
    [
      "a disk of the network",
      (m) => m.file("/srv/share/state", stateText("active")).file(c, elsewhere("/srv/share/state")),
      "error state-folder /srv/share/state | state_file = /run/rcron.state",
      witness,
    ],
    [
      "RCRON_STATE_FILE leads the scripts elsewhere",
      (m) => m.file("/etc/default/keepalived", 'DAEMON_ARGS=""\nRCRON_STATE_FILE=/run/other.state\n'),
      unwritten,
    ],
  ]);
});

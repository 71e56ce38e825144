/**
 * The state file: what it says, whether that can be believed, and who could change it.
 */
import {
  type Conf,
  confDefaults,
  decide,
  parseState,
  type StateReading,
  secondDefaultStateFile,
  type Testimony,
} from "../gate/gate.ts";
import { durationInWords } from "../model/duration.ts";
import { printable } from "../model/printable.ts";
import { type Provenance, parseProvenance, writerProcesses } from "../model/provenance.ts";
import type { DoubtReason, Verdict } from "../model/state.ts";
import type { Elector } from "./electors.ts";
import type { Examination } from "./finding.ts";
import { isAbsent, isRefusal, type Machine, nameOf, octal, readText } from "./machine.ts";
import { fileSystemOf, folderOf, weaknesses } from "./path-safety.ts";

const readLimit = 4096;
const networkFileSystems =
  /^(nfs\d?|cifs|smb\w*|ceph|glusterfs|9p|afs|ocfs2|gfs2?|lustre|beegfs|fuse\.(glusterfs|sshfs|ceph\S*|s3fs|moosefs|mfs))$/;
const memoryFileSystems = ["tmpfs", "ramfs", "devtmpfs"];
const clockToleranceMs = 2000;

const cures: Readonly<Record<DoubtReason, string>> = {
  "state-expired": "look at whoever renews the word",
  "boot-differs": "let whoever elects write it: systemctl restart keepalived",
  "boot-unknown": "let it be written by rcronctl state set",
  "writer-dead": "look why its writer ended: systemctl status keepalived",
  "writer-stopped": "look who stopped its writer, and continue it: kill -CONT PID",
  "writer-unknown": "let it be written by rcronctl state set --writer-pid",
  "address-missing": "look where the address is: ip addr",
  "address-present": "look why keepalived left the address here: ip addr",
  "address-unknown": "look at the address: ip route get",
  "state-too-old": "look at whoever renews the word",
  "state-age-unknown": "compare the clock with another machine's",
};

/** The state file of a configuration. */
export function checkState(
  machine: Machine,
  exam: Examination,
  conf: Conf,
  electors: readonly Elector[],
): void {
  const before = exam.troubles;
  const reading = readStateOn(machine, conf.stateFile);
  checkFolder(machine, exam, reading.path, conf);
  if (reading.kind === "unreadable") {
    checkMissing(exam, conf, reading, electors);
    return;
  }
  checkFile(machine, exam, reading.path);
  if (reading.kind === "corrupted") {
    exam.error(
      "state-word",
      printable(reading.path),
      `a state file must say active or passive: ${decide(conf, reading).sentence}`,
      "rcronctl state set passive",
    );
    return;
  }
  const testimony = testimonyOf(machine, conf, reading.provenance, reading.path);
  const verdict = decide(conf, reading, testimony);
  if (verdict.isDefault) checkDoubt(exam, verdict);
  else checkUnasked(exam, reading, testimony);
  if (exam.troubles === before) exam.fine("state", wordInWords(machine, reading, verdict));
}

/** Like the gate's own reading, on the machine that is examined. */
function readStateOn(machine: Machine, path: string): StateReading {
  const start = machine.read(path, readLimit);
  if (start.error !== undefined) {
    const unreadable = { kind: "unreadable", path, error: start.error } as const;
    if (path !== confDefaults.state_file) return unreadable;
    const second = readStateOn(machine, secondDefaultStateFile);
    return second.kind === "unreadable" ? unreadable : second;
  }
  const state = parseState(start.bytes);
  if (state === undefined) return { kind: "corrupted", path, content: start.bytes };
  return { kind: "word", path, state, provenance: parseProvenance(new TextDecoder().decode(start.bytes)) };
}

function checkMissing(
  exam: Examination,
  conf: Conf,
  reading: Extract<StateReading, { kind: "unreadable" }>,
  electors: readonly Elector[],
): void {
  const where = printable(reading.path);
  const { sentence } = decide(conf, reading);
  if (!isAbsent(reading.error)) {
    exam.error("state-missing", where, sentence, `ls -l ${where}: it must be a file that everybody may read`);
    return;
  }
  const [elector] = electors;
  exam.warning(
    "state-missing",
    where,
    sentence,
    elector === undefined
      ? "rcron --generate, now and at each boot"
      : `see that ${elector.name} runs and writes it; at boot rcron --generate should write it first`,
  );
}

function checkFile(machine: Machine, exam: Examination, path: string): void {
  const where = printable(path);
  const link = machine.lstat(path);
  if (!isRefusal(link) && link.kind === "link") {
    exam.note(
      "state-link",
      where,
      "the state file is a link, and the next writer replaces the link, not the file behind it",
      "name the file itself as state_file",
    );
  }
  const facts = machine.stat(path);
  if (isRefusal(facts)) return;
  if ((facts.mode & 0o004) === 0) {
    exam.warning(
      "state-mode",
      where,
      `everybody must be able to read the state file, or other users' jobs go by default_state: got mode ${octal(facts.mode)}`,
      `chmod 644 ${where}`,
    );
  }
  if (facts.modifiedAtMs > machine.nowMs + clockToleranceMs) {
    exam.warning(
      "state-age",
      where,
      `the state file must not come from the future: it was written ${durationInWords(facts.modifiedAtMs - machine.nowMs)} from now`,
      "look at the clock, and have the word written again",
    );
  }
}

/** Who could change it, and where it lies. */
function checkFolder(machine: Machine, exam: Examination, path: string, conf: Conf): void {
  const where = printable(path);
  const folder = folderOf(path);
  // A missing file says nothing of who could make it: then its folder is what counts.
  const weak = isRefusal(machine.lstat(path)) ? weaknesses(machine, folder) : weaknesses(machine, path);
  for (const { path: part, what, kind, advice } of weak) {
    const rule = `only root must be able to change the word: ${part} ${what}`;
    if (kind === "owner") exam.warning("state-mode", where, rule, advice);
    else exam.error("state-mode", where, rule, advice);
  }
  const real = machine.realPath(folder);
  if (isRefusal(real)) return;
  const facts = machine.stat(real);
  if (!isRefusal(facts) && (facts.mode & 0o1002) === 0o1002) {
    exam.warning(
      "state-folder",
      where,
      `only root must be able to make the state file: in ${real} (mode ${octal(facts.mode)}) anybody can, while there is none`,
      "state_file = /run/rcron.state",
    );
  }
  if (!isRefusal(facts) && (facts.mode & 0o001) === 0) {
    exam.warning(
      "state-folder",
      where,
      `everybody must be able to enter the state file's folder, or other users' jobs go by default_state: ${real} has mode ${octal(facts.mode)}`,
      `chmod 755 ${real}`,
    );
  }
  const mounts = readText(machine, "/proc/self/mountinfo", 1024 * 1024);
  const type = isRefusal(mounts) ? undefined : fileSystemOf(real, mounts);
  if (type === undefined) exam.unseen("state-folder", `the file system of ${real}: /proc does not tell`);
  else if (networkFileSystems.test(type)) {
    exam.error(
      "state-folder",
      where,
      `the state file must be on this machine: ${real} is on ${type}, and machines that share the word are active together`,
      "state_file = /run/rcron.state",
    );
  } else if (!memoryFileSystems.includes(type) && conf.witnesses?.boot !== true) {
    exam.warning(
      "state-folder",
      where,
      `the state file should not outlive a boot: ${real} is on ${type}, and the old word counts until it is written again`,
      real === "/run" ? "write require_boot = yes" : "state_file = /run/rcron.state, or require_boot = yes",
    );
  }
}

/** All that could be asked, whatever the configuration asks. */
function testimonyOf(machine: Machine, conf: Conf, provenance: Provenance, path: string): Testimony {
  const uptime = readText(machine, "/proc/uptime");
  const bootId = readText(machine, "/proc/sys/kernel/random/boot_id");
  const facts = machine.stat(path);
  const address = conf.witnesses?.address;
  return {
    nowMs: machine.nowMs,
    uptimeS: isRefusal(uptime) ? undefined : Number(uptime.split(" ")[0]),
    bootId: isRefusal(bootId) ? undefined : bootId.trim(),
    writers: writerProcesses(provenance.writer).map((process) => ({
      process,
      life: machine.lifeOf(process),
    })),
    ...(address && { address: machine.whereIs(address.bytes) }),
    fileWrittenAtMs: isRefusal(facts) ? undefined : facts.modifiedAtMs,
  };
}

function checkDoubt(exam: Examination, { reason, sentence, stateFile }: Verdict): void {
  // Only a contradiction makes a word that is there give way.
  const cure = reason in cures ? cures[reason as DoubtReason] : "rcronctl state";
  exam.warning("state-doubt", printable(stateFile), sentence, cure);
}

/** What a witness would say that is not asked. */
function checkUnasked(
  exam: Examination,
  { path, state, provenance }: Extract<StateReading, { kind: "word" }>,
  testimony: Testimony,
): void {
  const where = printable(path);
  const say = (check: string, what: string, advice: string) =>
    state === "active" ? exam.error(check, where, what, advice) : exam.warning(check, where, what, advice);
  if (
    provenance.bootId !== undefined &&
    testimony.bootId !== undefined &&
    provenance.bootId !== testimony.bootId
  ) {
    say(
      "state-boot",
      `the word must be of this boot: it says ${state}, and was written before`,
      "let whoever elects write it, and write require_boot = yes into rcron.conf",
    );
    return;
  }
  // A keepalived that was stopped as it should be has left a word that holds without it.
  const hasLeft = state === "passive" && (provenance.event === "STOP" || provenance.event === "DELETED");
  const gone = testimony.writers?.find(({ life }) => life !== "alive");
  if (gone === undefined || hasLeft) return;
  const who = `${printable(gone.process.name)} (pid ${gone.process.pid})`;
  say(
    "state-writer",
    `whoever wrote the word must be alive: it says ${state}, and ${who} is ${gone.life}`,
    "see what became of it, and write require_writer = yes into rcron.conf",
  );
}

function wordInWords(
  machine: Machine,
  { path, state, provenance }: Extract<StateReading, { kind: "word" }>,
  verdict: Verdict,
): string {
  const facts = machine.stat(path);
  const age = isRefusal(facts) ? undefined : durationInWords(machine.nowMs - facts.modifiedAtMs);
  const owner = isRefusal(facts) ? "" : `, owner ${nameOf(machine, facts.uid)}, mode ${octal(facts.mode)}`;
  const processes = writerProcesses(provenance.writer).map(({ name, pid }) => `${name} (pid ${pid})`);
  const writer = processes.join(" and ") || provenance.writer;
  const by = writer === undefined ? "" : ` by ${printable(writer)}`;
  const written = age === undefined ? "" : `, written ${age} ago${by}`;
  return `${printable(path)}: ${state} (${verdict.reason})${written}${owner}`;
}

/**
 * rcron.conf: is it read, who could change it, and does what it asks for fit the machine? Defaults that make a machine in
 * doubt active, and witnesses that nobody can satisfy, are found out at night otherwise.
 */
import { type Conf, type ConfKey, defaultConfPath, parseConf } from "../gate/gate.ts";
import { durationInWords } from "../model/duration.ts";
import { parseIpAddress } from "../model/ip-address.ts";
import { parseJobSections, proveJobSections } from "../model/job-sections.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { virtualAddresses } from "./check-election.ts";
import type { Elector } from "./electors.ts";
import type { Examination } from "./finding.ts";
import type { Election, Unit } from "./keepalived-election.ts";
import { isAbsent, type Machine } from "./machine.ts";
import { weaknesses } from "./path-safety.ts";
import type { StateWriter } from "./state-writers.ts";

const sizeLimit = 64 * 1024;

/** A configuration that was examined. */
export interface ExaminedConf {
  readonly conf: Conf;
  readonly path: string;
}

/**
 * Reads the configuration as rcron would.
 * @param named the path given with `--conf`; undefined for the default one
 * @returns undefined where rcron would refuse to run: that has been said then
 */
export function checkConf(
  machine: Machine,
  exam: Examination,
  named: string | undefined,
  daemonProblem: Problem | undefined,
): ExaminedConf | undefined {
  const path = named ?? defaultConfPath;
  const shown = printable(path);
  const parsed = parseOn(machine, path);
  if (parsed instanceof Problem) {
    if (parsed.code === "not-found" && named === undefined) {
      exam.warning(
        "rcron-conf",
        shown,
        "there must be a configuration: without one every machine takes itself for active unless its state file says otherwise",
        `copy the example to ${shown}`,
      );
      const defaults = parseConf("", path);
      return defaults instanceof Problem ? undefined : { conf: defaults.conf, path: shown };
    }
    refuse(exam, parsed, shown, "nothing runs");
    return undefined;
  }
  for (const warning of parsed.warnings) {
    const [where = shown] = /^.*?:\d+(?=: )/.exec(warning) ?? [];
    exam.warning("rcron-conf", where, withoutPlace(warning, where), "mend the line, or remove it");
  }
  const sections = parseJobSections(parsed.conf.sections, shown);
  const wrong = sections instanceof Problem ? sections : proveJobSections(sections);
  if (wrong !== undefined) refuse(exam, wrong, shown, "jobs are refused on the active machine");
  if (daemonProblem !== undefined) refuse(exam, daemonProblem, shown, "rcrond does not start");
  // Whoever looks may have a configuration of his own.
  const own = named === undefined ? [] : [machine.uid];
  const weak = weaknesses(machine, path, own);
  for (const { path: part, what, advice } of weak) {
    exam.error(
      "rcron-conf-mode",
      part,
      `only root must be able to change rcron.conf, for it says where jobs run: ${part} ${what}`,
      advice,
    );
  }
  if (parsed.warnings.length + weak.length === 0 && (wrong ?? daemonProblem) === undefined)
    exam.fine("rcron-conf", `${shown}: well-formed, only root can change it`);
  return { conf: parsed.conf, path: shown };
}

function refuse(exam: Examination, problem: Problem, path: string, effect: string): void {
  const where = problem.where ?? path;
  const advice = problem.hint ?? `mend it, then: rcron --conf ${path} --explain true`;
  exam.error("rcron-conf", where, `${withoutPlace(problem.message, where)}: ${effect}`, advice);
}

/** A configuration as rcron would read it. */
export function parseOn(machine: Machine, path: string): ReturnType<typeof parseConf> {
  const shown = printable(path);
  const start = machine.read(path, sizeLimit);
  if (start.error !== undefined) {
    const code = isAbsent(start.error) ? "not-found" : "denied";
    return new Problem(code, `the configuration must be a readable file: ${start.error.text}`, {
      where: shown,
    });
  }
  if (!start.isWhole) {
    return new Problem("invalid", `a configuration must not be larger than ${sizeLimit / 1024} kB`, {
      where: shown,
    });
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(start.bytes);
    return parseConf(text, shown);
  } catch {
    return new Problem("invalid", "a configuration must be UTF-8 text: got bytes that are not", {
      where: shown,
    });
  }
}

function withoutPlace(message: string, where: string): string {
  return message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message;
}

/** What the checks of a configuration's sense need. */
export interface Surroundings {
  readonly electors: readonly Elector[];
  /** Undefined where keepalived.conf is not there or can't be read. */
  readonly election: Election | undefined;
  /** Those that write the examined state file, as far as is known. */
  readonly writers: readonly StateWriter[];
  /** True if a crontab line writes the state. */
  readonly isRenewedByCron: boolean;
}

/** What a machine in doubt does. */
export function checkDefaults(exam: Examination, examined: ExaminedConf, { electors }: Surroundings): void {
  const { conf } = examined;
  const place = (key: ConfKey) => placeOfKey(examined, key);
  const [elector] = electors;
  if (elector === undefined) {
    if (conf.defaultState === "passive") {
      exam.note(
        "default-state",
        place("default_state"),
        "default_state is passive, and neither keepalived, heartbeat, pacemaker nor ucarp is set up here: who makes a machine active?",
        "if nobody does, write default_state = active",
      );
    }
    return;
  }
  const { name } = elector;
  if (conf.defaultState === "active") {
    exam.warning(
      "default-state",
      place("default_state"),
      `default_state should be passive where ${name} elects: a machine that has lost its word runs every job beside the elected one`,
      `write default_state = passive into ${examined.path}, on every machine`,
    );
  }
  if (conf.whenInDoubt === "active") {
    exam.warning(
      "when-in-doubt",
      place("when_in_doubt"),
      `when_in_doubt should not be active where ${name} elects: what a witness contradicts is believed nevertheless`,
      "write when_in_doubt = passive",
    );
  }
  if (conf.defaultState !== "active" && conf.whenInDoubt !== "active") {
    exam.fine("default-state", `a machine in doubt is passive, and ${name} elects`);
  }
}

/** Witnesses that nobody could satisfy, and the lack of any. */
export function checkWitnesses(
  machine: Machine,
  exam: Examination,
  examined: ExaminedConf,
  surroundings: Surroundings,
): void {
  const { writers, election, isRenewedByCron } = surroundings;
  const { witnesses } = examined.conf;
  const place = (key: ConfKey) => placeOfKey(examined, key);
  const bare = writers.find(({ hasProvenance }) => !hasProvenance);
  if (witnesses === undefined) {
    if (writers.length > 0 && bare === undefined) {
      exam.note(
        "witness-writer",
        examined.path,
        "no witness is asked: if keepalived is killed, its last word is believed for ever",
        "write require_writer = yes",
      );
    }
    return;
  }
  const asking = witnesses.writer ? "require_writer" : witnesses.boot ? "require_boot" : undefined;
  if (asking !== undefined && bare !== undefined) {
    exam.error(
      "witness-writer",
      place(asking),
      `${asking} needs a writer that leaves its name: the script in ${bare.call.where} writes a bare word, and active is never believed`,
      "let it call: rcronctl state set --writer-pid $PPID",
    );
  }
  const isFollowed = writers.some(({ target }) => target !== undefined);
  if (witnesses.maxAgeMs !== undefined && writers.length > 0 && !isFollowed && !isRenewedByCron) {
    exam.error(
      "witness-age",
      place("state_max_age"),
      `state_max_age (${durationInWords(witnesses.maxAgeMs)}) needs somebody who renews the word: notify scripts write only when it changes`,
      "use the FIFO with rcronctl follow, which renews it, or require_writer = yes instead",
    );
  }
  if (witnesses.address !== undefined && election !== undefined && election.instances.length > 0) {
    checkAddress(machine, exam, place("require_address"), witnesses.address, election, writers);
  }
}

function checkAddress(
  machine: Machine,
  exam: Examination,
  where: string,
  address: { readonly text: string; readonly bytes: Uint8Array },
  { instances, groups }: Election,
  writers: readonly StateWriter[],
): void {
  const holders = instances.filter(({ statements }) =>
    virtualAddresses(statements).some((each) => isSameAddress(parseIpAddress(each), address.bytes)),
  );
  if (holders.length === 0) {
    const isHere = machine.whereIs(address.bytes) === "here";
    exam.error(
      "witness-address",
      where,
      `require_address must be an address that keepalived moves: ${address.text} is in no virtual_ipaddress${isHere ? ", and always on this machine" : ""}`,
      "name the virtual address of the instance that writes the state",
    );
    return;
  }
  const isOf = ({ kind, name, calls }: Unit) =>
    writers.some(
      ({ call, target }) => calls.includes(call) || (target?.kind === kind && target.name === name),
    );
  const electing = [
    ...instances.filter(isOf),
    ...groups.filter(isOf).flatMap(({ members }) => instances.filter(({ name }) => members.includes(name))),
  ];
  if (electing.length === 0 || holders.some((holder) => electing.includes(holder))) return;
  exam.error(
    "witness-address",
    where,
    `require_address must belong to the instance that writes the state: ${address.text} is ${holders[0]?.name}'s, and ${electing[0]?.name} writes`,
    "name the virtual address of the instance that writes the state",
  );
}

function isSameAddress(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function placeOfKey({ conf, path }: ExaminedConf, key: ConfKey): string {
  const line = conf.lines[key];
  return line === undefined ? path : `${path}:${line}`;
}

/**
 * Does every change of state reach a state file, and one only? The handlers of each instance and group, the FIFO, and
 * the files that they write.
 */
import type { Examination } from "./finding.ts";
import {
  type Election,
  handlerKeywords,
  named,
  placeOf,
  type ScriptCall,
  type Unit,
} from "./keepalived-election.ts";
import type { FollowedName, StateWriter } from "./state-writers.ts";

/** What happens where a state has no handler. */
const consequences: Readonly<Record<(typeof handlerKeywords)[number], string>> = {
  notify_master: "it never becomes active",
  notify_backup: "it stays active when another machine takes over",
  notify_fault: "it stays active when its interface or a check fails",
  notify_stop: "it stays active when keepalived is stopped, and so does another machine then",
};

/** What the checks know besides keepalived.conf. */
export interface WriterSurroundings {
  /** False where keepalived.conf has parts that were not followed: then nothing counts as missing. */
  readonly isWhole: boolean;
  /** The one of the configuration that is examined, links in its folders followed. */
  readonly stateFile: string;
  /** True where another program than keepalived elects as well. */
  readonly hasOtherElector: boolean;
}

export function checkWriters(
  exam: Examination,
  election: Election,
  writers: readonly StateWriter[],
  { isWhole, stateFile, hasOtherElector }: WriterSurroundings,
): void {
  const before = exam.troubles;
  const units = [...election.instances, ...election.groups];
  checkFifos(exam, election, writers);
  for (const writer of writers) checkTarget(exam, election, writer, isWhole);
  if (isWhole) {
    for (const unit of units) checkHandlers(exam, unit, writers);
    if (!hasOtherElector) checkAnybodyWrites(exam, election, writers, stateFile);
  }
  checkSharedFiles(exam, units, writers);
  if (writers.length > 0 && exam.troubles === before) {
    exam.fine(
      "keepalived-writers",
      "every change of keepalived's state is written, and each file has one writer",
    );
  }
}

function checkFifos(exam: Examination, { fifos, globals }: Election, writers: readonly StateWriter[]): void {
  for (const { keyword, fifo, call } of fifos) {
    if (fifo === undefined && call !== undefined) {
      exam.error(
        "keepalived-fifo",
        call.where,
        `${keyword}_script needs a ${keyword}: without it keepalived never starts the script`,
        `write ${keyword} /run/keepalived.rcron.fifo above it`,
      );
    }
    if (fifo !== undefined && call === undefined) {
      exam.note(
        "keepalived-fifo",
        placeOf(fifo),
        `${keyword} has no ${keyword}_script: somebody else must read it`,
        `if it is meant for rcron, write ${keyword}_script "/usr/bin/rcronctl follow NAME"`,
      );
    }
  }
  const follower = writers.find(({ target }) => target !== undefined);
  if (follower !== undefined && named(globals, "fifo_write_vrrp_states_on_reload").length === 0) {
    exam.note(
      "keepalived-fifo-reload",
      follower.call.where,
      "after a reload keepalived does not say again what holds, and an instance that is new then has no word",
      "write fifo_write_vrrp_states_on_reload into global_defs",
    );
  }
}

/** A followed name that nobody has. */
function checkTarget(
  exam: Examination,
  election: Election,
  { call, target }: StateWriter,
  isWhole: boolean,
): void {
  if (target === undefined || !isWhole) return;
  const { kind, name } = target;
  const units = kind === "group" ? election.groups : election.instances;
  if (units.some((unit) => unit.name === name)) return;
  const isOther = (kind === "group" ? election.instances : election.groups).some(
    (unit) => unit.name === name,
  );
  const block = kind === "group" ? "vrrp_sync_group" : "vrrp_instance";
  exam.error(
    "keepalived-fifo-name",
    call.where,
    `rcronctl follow must name a ${block} of this file: got ${name}`,
    isOther
      ? `write ${kind === "group" ? name : `group:${name}`}`
      : `name one of ${units.map((unit) => unit.name).join(", ") || "those that there are: none so far"}`,
  );
}

function isFollowed(unit: Unit, writers: readonly StateWriter[]): boolean {
  return writers.some(({ target }) => target?.kind === unit.kind && target.name === unit.name);
}

function callsOf(unit: Unit, writers: readonly StateWriter[]): ScriptCall[] {
  return unit.calls.filter((call) => writers.some((writer) => writer.call === call));
}

function checkHandlers(exam: Examination, unit: Unit, writers: readonly StateWriter[]): void {
  if (isFollowed(unit, writers)) return;
  const keywords = callsOf(unit, writers).map(({ keyword }) => keyword);
  if (keywords.length === 0 || keywords.includes("notify")) return;
  for (const keyword of handlerKeywords) {
    // Another script may do it in a way that can't be seen.
    if (unit.calls.some((call) => call.keyword === keyword || call.keyword === "notify")) continue;
    exam.error(
      "keepalived-handlers",
      unit.where,
      `${unit.name} must have ${keyword}: without it ${consequences[keyword]}`,
      `write ${keyword} /etc/keepalived/rcron/${keyword.replace("_", "-")}.sh into it`,
    );
  }
}

/** keepalived runs for rcron's sake perhaps, and rcron hears nothing of it. */
function checkAnybodyWrites(
  exam: Examination,
  { instances, groups, fifos }: Election,
  writers: readonly StateWriter[],
  stateFile: string,
): void {
  const [first] = instances;
  if (first === undefined) return;
  const isWritten = writers.some(
    (writer) => writer.stateFile === undefined || writer.stateFile === stateFile,
  );
  if (isWritten) return;
  const others = [...instances, ...groups].some(({ calls }) => calls.length > 0) || fifos.length > 0;
  const what = `no vrrp_instance writes ${stateFile}: what keepalived elects does not reach rcron`;
  const advice = "add the notify lines of rcron's example configurations";
  // A script that says nothing of rcron may still call one that writes.
  if (others && writers.length === 0)
    exam.note("keepalived-writers", first.where, `as far as can be seen, ${what}`, advice);
  else exam.warning("keepalived-writers", first.where, what, advice);
}

/** One state file belongs to one instance or group, and to one way of writing it. */
function checkSharedFiles(exam: Examination, units: readonly Unit[], writers: readonly StateWriter[]): void {
  const owners = new Map<string, { name: string; call: ScriptCall; isFollowed: boolean }>();
  for (const { call, stateFile, target } of writers) {
    if (stateFile === undefined) continue;
    const name = target === undefined ? unitNameOf(call, units) : nameOfTarget(target);
    if (name === undefined) continue;
    const owner = owners.get(stateFile);
    if (owner === undefined) {
      owners.set(stateFile, { name, call, isFollowed: target !== undefined });
      continue;
    }
    if (owner.name !== name) {
      exam.error(
        "keepalived-shared-file",
        call.where,
        `a state file must belong to one instance: ${stateFile} is written for ${owner.name} (${owner.call.where}) and for ${name}`,
        `give ${name} a state file of its own, or remove its ${call.keyword}`,
      );
    } else if (owner.isFollowed !== (target !== undefined)) {
      exam.warning(
        "keepalived-shared-file",
        call.where,
        `a state file must have one writer: ${stateFile} is written by ${owner.call.keyword} and by ${call.keyword}`,
        "keep the FIFO's script, and remove the notify lines",
      );
    }
  }
}

function unitNameOf(call: ScriptCall, units: readonly Unit[]): string | undefined {
  const unit = units.find(({ calls }) => calls.includes(call));
  return unit && nameOfTarget(unit);
}

function nameOfTarget({ kind, name }: FollowedName): string {
  return kind === "group" ? `group ${name}` : name;
}

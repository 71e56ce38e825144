/**
 * `rcronctl state`: what this machine is, where that comes from, and what rcron would do now.
 */
import {
  ageOf,
  askWitnesses,
  type Contradiction,
  contradictions,
  decide,
  type LoadedConf,
  loadConf,
  readState,
  type Testimony,
  type WordReading,
} from "../gate/gate.ts";
import { durationInWords, formatDuration } from "../model/duration.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { writerProcesses } from "../model/provenance.ts";
import type { Verdict } from "../model/state.ts";
import { modifiedAtMs } from "../system/files.ts";
import { lifeOf } from "../system/other-processes.ts";
import type { Given } from "./control-word.ts";
import { print } from "./standard-output.ts";
import { say } from "./terminal.ts";

/**
 * Shows the state, or answers `--is`.
 * @returns the exit status: 0; with `--is`, 1 if the verdict is the other word
 */
export async function showState({ options, words }: Given): Promise<number | Problem> {
  const { is } = options;
  if (words.length > 0) {
    return new Problem(
      "invalid",
      `state takes no further word but set: got "${printable(words.join(" "))}"`,
      {
        hint: "rcronctl state set active|passive writes; rcronctl state --help",
      },
    );
  }
  if (is !== undefined && is !== "active" && is !== "passive") {
    return new Problem("invalid", `--is must be active or passive: got "${printable(String(is))}"`);
  }
  const loaded = loadConf(typeof options["conf"] === "string" ? options["conf"] : undefined);
  if (loaded instanceof Problem) return loaded;
  const report = examineState(loaded);
  if (is !== undefined) return report.verdict.state === is ? 0 : 1;
  if (options["json"]) await print(`${JSON.stringify(inJson(report), undefined, 2)}\n`);
  else {
    for (const warning of loaded.warnings) say("rcronctl", `warning: ${warning}`);
    await print(inRows(report));
  }
  return 0;
}

interface Report {
  readonly loaded: LoadedConf;
  readonly verdict: Verdict;
  /** Undefined where the file has no word. */
  readonly reading: WordReading | undefined;
  readonly testimony: Testimony;
  readonly contradictions: readonly Contradiction[];
}

function examineState(loaded: LoadedConf): Report {
  const { conf } = loaded;
  const reading = readState(conf.stateFile);
  if (reading.kind !== "word") {
    const testimony = { nowMs: Date.now() };
    return { loaded, verdict: decide(conf, reading), reading: undefined, testimony, contradictions: [] };
  }
  const testimony = askWitnesses(conf.witnesses, reading);
  return {
    loaded,
    verdict: decide(conf, reading, testimony),
    reading,
    testimony,
    contradictions: contradictions(reading, conf.witnesses, testimony),
  };
}

/** What `--json` prints. Keys are only ever added. */
function inJson({ loaded, verdict, reading, testimony, contradictions: against }: Report): object {
  const { conf } = loaded;
  const provenance = reading?.provenance;
  return {
    state: verdict.state,
    reason: verdict.reason,
    sentence: verdict.sentence,
    wouldRun: verdict.state === "active",
    isInDoubt: verdict.isDefault,
    cluster: conf.clusterName,
    configuration: loaded.exists ? loaded.path : null,
    stateFile: verdict.stateFile,
    word: reading?.state ?? null,
    epoch: provenance?.epoch ?? null,
    instance: provenance?.instance ?? null,
    event: provenance?.event ?? null,
    writer: provenance?.writer ?? null,
    writerProcesses: writerProcesses(provenance?.writer).map((each) => ({ ...each, life: lifeOf(each) })),
    since: instant(provenance?.sinceMs),
    writtenAt: instant(provenance?.writtenAtMs ?? modifiedAtMs(verdict.stateFile)),
    validUntil: instant(provenance?.validUntilMs),
    bootId: provenance?.bootId ?? null,
    witnesses: witnessNames(loaded),
    contradictions: against.map(({ reason, but }) => ({ reason, sentence: but })),
    address: testimony.address ?? null,
    warnings: loaded.warnings,
  };
}

function instant(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function inRows(report: Report): string {
  const { loaded, verdict, reading, contradictions: against } = report;
  const rows: [string, string][] = [
    ["state", `${verdict.state}  (${verdict.reason})`],
    ["because", verdict.sentence],
    ...(reading === undefined ? [] : provenanceRows(report, reading)),
    ["witnesses", witnessNames(loaded).join(", ") || "none asked"],
    ...against.slice(1).map(({ but }): [string, string] => ["and", but]),
    ["so", verdict.state === "active" ? "rcron runs its command here, now" : "rcron runs nothing here"],
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows.map(([label, text]) => `${label.padEnd(width)}${text}\n`).join("");
}

function provenanceRows({ verdict, testimony }: Report, reading: WordReading): [string, string][] {
  const { provenance } = reading;
  const { sinceMs, writer, instance, event, epoch, validUntilMs } = provenance;
  const fileMs = modifiedAtMs(verdict.stateFile);
  const writtenMs = provenance.writtenAtMs ?? fileMs;
  const age = ageOf(provenance, { ...testimony, fileWrittenAtMs: fileMs });
  const rows: [string, string][] = [];
  if (sinceMs !== undefined) rows.push(["since", moment(sinceMs, testimony.nowMs - sinceMs)]);
  if (writtenMs !== undefined && age !== undefined) rows.push(["written", moment(writtenMs, age)]);
  const processes = writerProcesses(writer);
  if (writer !== undefined) {
    const living = processes.map((each) => `${printable(each.name)} (pid ${each.pid}, ${lifeOf(each)})`);
    rows.push(["by", living.join(", ") || `${printable(writer)}, no process`]);
  } else rows.push(["by", "the file does not say"]);
  const told = [event, instance && `of ${instance}`].filter((part) => part !== undefined).join(" ");
  if (told !== "") rows.push(["event", printable(told)]);
  if (epoch !== undefined) rows.push(["epoch", String(epoch)]);
  if (validUntilMs !== undefined) rows.push(["until", new Date(validUntilMs).toISOString()]);
  return rows;
}

function moment(ms: number, ageMs: number): string {
  const ago = ageMs < -1000 ? "ahead of this machine's clock" : `${durationInWords(ageMs)} ago`;
  return `${new Date(ms).toISOString()}  (${ago})`;
}

/** The witnesses that the configuration asks, as its keys. */
function witnessNames({ conf: { witnesses } }: LoadedConf): string[] {
  if (witnesses === undefined) return [];
  return [
    ...(witnesses.boot ? ["require_boot"] : []),
    ...(witnesses.writer ? ["require_writer"] : []),
    ...(witnesses.address ? [`require_address ${witnesses.address.text}`] : []),
    ...(witnesses.maxAgeMs === undefined ? [] : [`state_max_age ${formatDuration(witnesses.maxAgeMs)}`]),
  ];
}

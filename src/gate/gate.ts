/**
 * MAY a job run here? The gate reads the configuration and the state file and gives a verdict with its reason.
 */

import type { JobSections } from "../model/job-sections.ts";
import type { Node } from "../model/node.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { noProvenance } from "../model/provenance.ts";
import type { RuleLayer } from "../model/rule-table.ts";
import type { Rules } from "../model/rules.ts";
import type { Verdict } from "../model/state.ts";
import { readFileStart } from "../system/files.ts";
import type { SystemError } from "../system/libc.ts";
import { type Conf, confSizeLimit, defaultConf, defaultConfPath, parseConf } from "./conf.ts";
import type { DaemonConf } from "./daemon-conf.ts";
import { readState, type StateReading, showContent } from "./state-file.ts";
import { askWitnesses, contradictions, type Testimony } from "./witnesses.ts";

export {
  type Conf,
  type ConfKey,
  confDefaults,
  daemonKeys,
  defaultConfPath,
  nodeKeys,
  type OnPassive,
  parseConf,
  sectionKeys,
  type Witnesses,
} from "./conf.ts";
export type { DaemonConf, DaemonLog } from "./daemon-conf.ts";
export { formatSize, type LogCommand } from "./record-conf.ts";
export {
  parseState,
  parseStateFile,
  readState,
  type StateReading,
  secondDefaultStateFile,
  stateFileLimit,
} from "./state-file.ts";
export {
  ageOf,
  askWitnesses,
  type Contradiction,
  contradictions,
  type Testimony,
  type WordReading,
} from "./witnesses.ts";

/** A configuration and where it came from. */
export interface LoadedConf {
  readonly conf: Conf;
  /** Made printable. */
  readonly path: string;
  /** False where the default path has no file and the built-in defaults hold. */
  readonly exists: boolean;
  /** Each a sentence for the person who gets the mail. */
  readonly warnings: readonly string[];
}

/**
 * Loads rcron.conf.
 * @param named the path given with `--conf`; undefined for the default path, which may be missing
 * @returns the configuration, or the Problem (`invalid`, `not-found`, `denied`) for which nothing may run
 */
export function loadConf(named: string | undefined): LoadedConf | Problem {
  const start = readFileStart(named ?? defaultConfPath, confSizeLimit);
  const path = named === undefined ? defaultConfPath : printable(named);
  if (start.error !== undefined) {
    if (named === undefined && isMissing(start.error)) {
      const conf = defaultConf();
      const warning = `no configuration at ${path}: going on with the defaults, which make this machine ${conf.defaultState} unless its state file says otherwise`;
      return { conf, path, exists: false, warnings: [warning] };
    }
    const kind = isMissing(start.error) ? "not-found" : start.error.code === "EACCES" ? "denied" : "invalid";
    return new Problem(kind, `the configuration must be a readable file: ${start.error.text}`, {
      where: path,
    });
  }
  if (!start.isWhole) {
    const limit = `${confSizeLimit / 1024} kB`;
    return new Problem("invalid", `a configuration must not be larger than ${limit}`, { where: path });
  }
  const text = decode(start.bytes, path);
  if (text instanceof Problem) return text;
  const parsed = parseConf(text, path);
  return parsed instanceof Problem ? parsed : { ...parsed, path, exists: true };
}

/**
 * The rules of a job: the options before `[job NAME]` before `[job]`. A caller that has no options and finds no sections
 * in the configuration has `noRules`, and need not ask.
 * @param options those given before the command
 * @param commandName what the job is called without `--name`: the base name of its command
 * @returns the rules, or the Problem (`invalid`) for which nothing may run
 */
export async function loadRules(
  { conf, path }: Pick<LoadedConf, "conf" | "path">,
  options: RuleLayer,
  commandName: string,
): Promise<Rules | Problem> {
  const { proveRules } = await import("../model/rule-table.ts");
  if (conf.sections === undefined) return proveRules([options]);
  const { layersOf, parseJobSections } = await import("../model/job-sections.ts");
  const sections = parseJobSections(conf.sections, path);
  if (sections instanceof Problem) return sections;
  return proveRules(layersOf(options, sections, commandName));
}

/** All `[job …]` sections, for who has many jobs. @returns the Problem (`invalid`) for which none may run */
export async function readJobSections({ conf, path }: LoadedConf): Promise<JobSections | Problem> {
  const { parseJobSections, proveJobSections } = await import("../model/job-sections.ts");
  const sections = parseJobSections(conf.sections, path);
  return sections instanceof Problem ? sections : (proveJobSections(sections) ?? sections);
}

/** The section `[daemon]`; without one, its defaults. @returns the Problem (`invalid`) for which rcrond must not start */
export async function readDaemonConf({
  conf,
  path,
}: Pick<LoadedConf, "conf" | "path">): Promise<DaemonConf | Problem> {
  const { proveDaemonConf } = await import("./daemon-conf.ts");
  return proveDaemonConf(conf, path);
}

/** The nodes of all `[node NAME]` sections, in their order. @returns the Problem (`invalid`) for which rcrond must not start */
export async function readNodes({
  conf,
  path,
}: Pick<LoadedConf, "conf" | "path">): Promise<readonly Node[] | Problem> {
  const { proveNodeSections } = await import("./node-sections.ts");
  return proveNodeSections(conf, path);
}

function decode(bytes: Uint8Array, path: string): string | Problem {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const line = new TextDecoder("utf-8").decode(bytes).split("\ufffd", 1)[0]?.split("\n").length ?? 1;
    return new Problem("invalid", "a configuration must be UTF-8 text: got bytes that are not", {
      where: `${path}:${line}`,
      hint: "is this the right file?",
      cause,
    });
  }
}

/** Reads the state file, asks the witnesses, and decides. */
export function judge(conf: Conf): Verdict {
  return decide(conf, readState(conf.stateFile));
}

/**
 * The verdict for what a state file said. With `testimony` it is pure: the same reading and the same testimony always
 * give the same verdict. Without it, the witnesses are asked where the configuration names some, or the word has an end.
 * @see docs/compatibility.md "state file content", "state file unreadable", "state file corrupted"
 * @see docs/verdicts.md
 */
export function decide(
  conf: Pick<Conf, "defaultState" | "whenInDoubt" | "witnesses">,
  reading: StateReading,
  testimony?: Testimony,
): Verdict {
  const stateFile = reading.path;
  if (reading.kind === "word") {
    const { state, provenance } = reading;
    const epoch = provenance.epoch ?? 0;
    const says = `the state file ${stateFile} says ${state}`;
    if (conf.witnesses !== undefined || provenance.validUntilMs !== undefined) {
      const heard = testimony ?? askWitnesses(conf.witnesses, reading);
      const [first] = contradictions(reading, conf.witnesses, heard);
      if (first !== undefined) {
        const { whenInDoubt, defaultState } = conf;
        const held = whenInDoubt === "default" ? defaultState : whenInDoubt;
        const key = whenInDoubt === "default" ? "default_state" : "when_in_doubt";
        const sentence = `${says}, but ${first.but}: in doubt, going on with ${key} (${held})`;
        return { state: held, reason: first.reason, sentence, stateFile, isDefault: true, epoch, provenance };
      }
    }
    return { state, reason: "state-file", sentence: says, stateFile, isDefault: false, epoch, provenance };
  }
  const goingOn = `going on with default_state (${conf.defaultState})`;
  const byDefault = {
    state: conf.defaultState,
    stateFile,
    isDefault: true,
    epoch: 0,
    provenance: noProvenance,
  };
  if (reading.kind === "corrupted") {
    const sentence = `corrupted state file ${stateFile}: ${showContent(reading.content)}, and must say active or passive: ${goingOn}`;
    return { ...byDefault, reason: "state-corrupted", sentence };
  }
  const sentence = `can't read the state file ${stateFile}: ${reading.error.text}: ${goingOn}`;
  return { ...byDefault, reason: isMissing(reading.error) ? "state-missing" : "state-unreadable", sentence };
}

/** True where there is no such file, as against one that can't be read. */
function isMissing({ code }: SystemError): boolean {
  return code === "ENOENT" || code === "ENOTDIR";
}

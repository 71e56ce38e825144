/**
 * rcron.conf: its keys, their defaults, and the parser of its top level. model/setting-lines.ts says how a line is
 * written, model/job-sections.ts reads what stands behind the first `[job …]`, daemon-conf.ts what stands in `[daemon]`.
 *
 * The parser is pure and total: text in, a configuration or a Problem out. What is doubtful but harmless becomes
 * a warning; whatever could make a job run on the wrong machine is a Problem, and then nothing runs.
 */
import { durationRule, parseDuration } from "../model/duration.ts";
import { parseIpAddress } from "../model/ip-address.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import {
  headerHint,
  isDaemonHeader,
  isNodeHeader,
  nextHeader,
  type Place,
  readSettings,
  type SectionText,
} from "../model/setting-lines.ts";
import type { State } from "../model/state.ts";
import { type Facility, facilities, type Level, levels } from "../model/syslog-names.ts";
import {
  isRecordDefault,
  proveRecord,
  type RecordConf,
  recordDefaults,
  recordOfDefaults,
} from "./record-conf.ts";

/** Where the configuration is looked for without `--conf`. @see docs/compatibility.md "default configuration" */
export const defaultConfPath = "/etc/rcron/rcron.conf";

/** A configuration larger than this is taken for a mistake. */
export const confSizeLimit = 64 * 1024;

/** Of a file full of unknown keys, so many are told one by one. */
const warningLimit = 10;

/** An rcron.conf, each value proven. */
export interface Conf extends RecordConf {
  /** An arbitrary name, the same on every machine of the group; the `cluster=` of each log line. */
  readonly clusterName: string;
  readonly stateFile: string;
  /** What holds where the state file gives no usable word. */
  readonly defaultState: State;
  readonly syslogFacility: Facility;
  readonly syslogLevel: Level;
  /** Absolute priority of the job, -20…19. */
  readonly niceLevel: number;
  /** `words`: run as they stand; `joined`: joined with blanks for `/bin/sh -c`, as the older programs did. */
  readonly shell: "words" | "joined";
  readonly logFormat: "default" | "extended";
  /** What must agree with the state file's word; undefined where nothing is asked. */
  readonly witnesses: Witnesses | undefined;
  /** What holds where a witness contradicts the word; `default`: {@link defaultState}. */
  readonly whenInDoubt: State | "default";
  /** What becomes of a job whose machine is no longer active. */
  readonly onPassive: OnPassive;
  /** How long a job that is stopped may take to end, in milliseconds, before it is killed. */
  readonly stopGraceMs: number;
  /** The line that sets a key; a key that is not here has its default. */
  readonly lines: Readonly<Partial<Record<ConfKey, number>>>;
  /** The sections from the first `[job …]` on, unread; undefined where there is none. `[daemon]` and `[node …]` may stand among them. */
  readonly sections: SectionText | undefined;
  /** Where `[daemon]` or a `[node …]` is the first section: all sections, unread. */
  readonly daemon: SectionText | undefined;
}

/** Whether a job goes on to its end, or is stopped, when its machine is no longer active. */
export type OnPassive = "finish" | "stop";

/** The witnesses that are asked. Each one that can't be asked, or finds nothing to go by, counts as a contradiction. */
export interface Witnesses {
  /** The processes that the state file names as its writer must be alive. */
  readonly writer: boolean;
  /** The word must have been written since this boot. */
  readonly boot: boolean;
  /** Must be on this machine if the word is active, and must not if it is passive. */
  readonly address: VirtualAddress | undefined;
  /** The word must have been written within so many milliseconds. */
  readonly maxAgeMs: number | undefined;
}

/** An IP address, as it was written and as its 4 or 16 bytes. */
export interface VirtualAddress {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** Every key of rcron.conf with the value it has when it is not set. */
export const confDefaults = {
  cluster_name: "default_cluster",
  state_file: "/var/run/rcron.state",
  default_state: "active",
  syslog_facility: "LOG_CRON",
  syslog_level: "LOG_INFO",
  nice_level: "19",
  shell: "words",
  log_format: "default",
  require_writer: "no",
  require_boot: "no",
  require_address: "none",
  state_max_age: "none",
  when_in_doubt: "default",
  on_passive: "finish",
  stop_grace: "10s",
  ...recordDefaults,
} as const;

/** A key of rcron.conf. */
export type ConfKey = keyof typeof confDefaults;

/** The keys of sections, to tell one at the top level from a slip. A test compares them with the table of rules. */
export const sectionKeys =
  "if if_timeout overlap overlap_scope splay jitter timeout grace preserve_status error success retry retry_delay skip_exit output mail_every ping webhook webhook_when slack nice user cwd umask env_file";

/** The keys of `[daemon]`, for the same reason and with the same kind of test. */
export const daemonKeys =
  "concurrency stop_timeout look_back health_check_interval runs_per_node runs_on_nodes socket socket_owner socket_group state_folder log";

/** Those of `[node NAME]` that are no rules for jobs as well, likewise. */
export const nodeKeys = "roles host port key password_file accept_new runs_at_once connection";

/**
 * Reads the text of an rcron.conf, up to its sections.
 *
 * Every run on a passive machine goes through here: what is not set is not looked at, and there are plain loops instead of
 * callbacks, each of which would cost its first use (docs/decisions/runtime.md).
 *
 * @param text the whole file, decoded
 * @param path how messages name the file
 * @returns the configuration and its warnings (each a sentence with file and line), or the first Problem (`invalid`)
 */
export function parseConf(text: string, path: string): { conf: Conf; warnings: string[] } | Problem {
  const values: Record<ConfKey, string> = { ...confDefaults };
  const lines: Partial<Record<ConfKey, number>> = {};
  const warnings: string[] = [];

  const read = readSettings(text, path, { at: text.startsWith("\ufeff") ? 1 : 0, line: 1 });
  if (read instanceof Problem) return read;
  for (let index = 0; index < read.settings.length; index++) {
    const setting = read.settings[index];
    if (setting === undefined) break;
    const where = `${path}:${setting.line}`;
    const key = setting.key as ConfKey; // proved on the next line
    // Not `key in confDefaults`: every object has a "constructor".
    if (typeof confDefaults[key] !== "string") {
      if (warnings.length === warningLimit) warnings.push(`${where}: more unknown keys: ignored`);
      if (warnings.length <= warningLimit) warnings.push(`${where}: ${unknownKey(setting.written, key)}`);
      continue;
    }
    if (lines[key] !== undefined) {
      const rule = `${key} must be set once: it is set on line ${lines[key]} already`;
      return new Problem("invalid", rule, { where, hint: "keep one of the two lines" });
    }
    lines[key] = setting.line;
    values[key] = setting.value;
  }
  const sections = read.header === undefined ? noSections : sectionsFrom(text, read.header, path);
  if (sections instanceof Problem) return sections;
  const conf = prove(values, lines, path, sections);
  return conf instanceof Problem ? conf : { conf, warnings };
}

/** The configuration of a machine that has no file. */
export function defaultConf(): Conf {
  const parsed = parseConf("", defaultConfPath);
  if (parsed instanceof Problem) throw parsed;
  return parsed.conf;
}

function unknownKey(written: string, key: string): string {
  if (` ${sectionKeys} `.includes(` ${key} `)) {
    return `${quoted(written)} is a rule for jobs, and must stand below a line [job] or [job NAME]: ignored`;
  }
  if (` ${daemonKeys} `.includes(` ${key} `)) {
    return `${quoted(written)} is for rcrond, and must stand below a line [daemon]: ignored`;
  }
  if (` ${nodeKeys} `.includes(` ${key} `)) {
    return `${quoted(written)} is for a node, and must stand below a line [node NAME]: ignored`;
  }
  const near = nearestWord(key, Object.keys(confDefaults));
  return `unknown key ${quoted(written)}: ignored${near ? `; did you mean ${near}?` : ""}`;
}

type Sections = Pick<Conf, "sections" | "daemon">;

const noSections: Sections = { sections: undefined, daemon: undefined };

/**
 * What stands from the first header on. The headers are read where a job runs; the first one is looked at here, because
 * below the `[default]` of a configuration from elsewhere a state file could be named, which would be passed over.
 *
 * A `[daemon]` or `[node …]` that comes first is passed over, unread: where they stand alone, a run must not be taken for one that
 * has rules to read.
 */
function sectionsFrom(text: string, first: Place, path: string): Sections | Problem {
  let daemon: SectionText | undefined;
  for (let place: Place | undefined = first; place !== undefined; ) {
    const { at, line }: Place = place;
    const rest = text.slice(at).trimStart();
    if (isJobHeader(rest)) return { sections: { text: rest, fromLine: line }, daemon };
    const header = rest.split("\n", 1)[0]?.trim() ?? "";
    if (!isDaemonHeader(header) && !isNodeHeader(header)) {
      const rule = `sections must be [job], [job NAME], [daemon] or [node NAME]: got ${quoted(header)}`;
      const hint = headerHint(header) ?? "remove the line; all other keys stand at the top level";
      return new Problem("invalid", rule, { where: `${path}:${line}`, hint });
    }
    daemon ??= { text: rest, fromLine: line };
    const end = text.indexOf("\n", at);
    place = end < 0 ? undefined : nextHeader(text, { at: end + 1, line: line + 1 });
  }
  return { sections: undefined, daemon };
}

function isJobHeader(text: string): boolean {
  return text.slice(0, 4).toLowerCase() === "[job" && "] \t".includes(text.charAt(4) || "-");
}

function mustBe(key: string, rule: string, value: string, where: string, hint?: string): Problem {
  return new Problem("invalid", `${key} must be ${rule}: got ${quoted(value)}`, {
    where,
    ...(hint && { hint }),
  });
}

/** Checks each value once, so that nothing behind this point looks at strings again. */
function prove(
  values: Readonly<Record<ConfKey, string>>,
  lines: Readonly<Partial<Record<ConfKey, number>>>,
  path: string,
  sections: Sections,
): Conf | Problem {
  const { cluster_name: clusterName, state_file: stateFile, nice_level: nice } = values;
  if (stateFile[0] !== "/") {
    const hint =
      "cron starts jobs in the home directory, so a relative path names another file for each user";
    return mustBe("state_file", "an absolute path", stateFile, `${path}:${lines.state_file}`, hint);
  }
  const defaultState = values.default_state.toLowerCase();
  if (defaultState !== "active" && defaultState !== "passive") {
    return mustBeOneOf("default_state", ["active", "passive"], values, lines, path);
  }
  const syslogFacility = oneOf(facilities, values.syslog_facility);
  if (syslogFacility === undefined) {
    return mustBeOneOf("syslog_facility", Object.keys(facilities), values, lines, path);
  }
  const syslogLevel = oneOf(levels, values.syslog_level);
  if (syslogLevel === undefined) return mustBeOneOf("syslog_level", Object.keys(levels), values, lines, path);
  let niceLevel = Number(nice);
  if (String(niceLevel) !== nice) niceLevel = /^[+-]?\d{1,4}$/.test(nice) ? Number(nice) : Number.NaN;
  if (!(Number.isInteger(niceLevel) && niceLevel >= -20 && niceLevel <= 19)) {
    return mustBe("nice_level", "an integer from -20 to 19", nice, `${path}:${lines.nice_level}`);
  }
  const shell = values.shell.toLowerCase();
  if (shell !== "words" && shell !== "joined")
    return mustBeOneOf("shell", ["words", "joined"], values, lines, path);
  const logFormat = values.log_format.toLowerCase();
  if (logFormat !== "default" && logFormat !== "extended") {
    return mustBeOneOf("log_format", ["default", "extended"], values, lines, path);
  }
  const witnesses = proveWitnesses(values, lines, path);
  if (witnesses instanceof Problem) return witnesses;
  const whenInDoubt = values.when_in_doubt.toLowerCase();
  if (whenInDoubt !== "default" && whenInDoubt !== "active" && whenInDoubt !== "passive") {
    return mustBeOneOf("when_in_doubt", ["default", "passive", "active"], values, lines, path);
  }
  const onPassive = values.on_passive.toLowerCase();
  if (onPassive !== "finish" && onPassive !== "stop") {
    return mustBeOneOf("on_passive", ["finish", "stop"], values, lines, path);
  }
  const { stop_grace: grace } = values;
  const stopGraceMs = grace === confDefaults.stop_grace ? 10_000 : parseDuration(grace);
  if (stopGraceMs === undefined)
    return mustBe("stop_grace", durationRule, grace, `${path}:${lines.stop_grace}`);
  const record = isRecordDefault(values) ? recordOfDefaults : proveRecord(values, lines, path);
  if (record instanceof Problem) return record;
  return {
    ...record,
    clusterName,
    stateFile,
    defaultState,
    syslogFacility,
    syslogLevel,
    niceLevel,
    shell,
    logFormat,
    witnesses,
    whenInDoubt,
    onPassive,
    stopGraceMs,
    lines,
    ...sections,
  };
}

/** @returns undefined where no key asks for a witness, as on most machines */
function proveWitnesses(
  values: Readonly<Record<ConfKey, string>>,
  lines: Readonly<Partial<Record<ConfKey, number>>>,
  path: string,
): Witnesses | undefined | Problem {
  const { require_writer: writer, require_boot: boot } = values;
  let { require_address: address, state_max_age: age } = values;
  if (address.toLowerCase() === "none") address = "none";
  if (age.toLowerCase() === "none") age = "none";
  if (writer === "no" && boot === "no" && address === "none" && age === "none") return undefined;
  for (const key of ["require_writer", "require_boot"] as const) {
    const value = values[key].toLowerCase();
    if (value !== "yes" && value !== "no") return mustBeOneOf(key, ["yes", "no"], values, lines, path);
  }
  const bytes = address === "none" ? undefined : parseIpAddress(address);
  // 0.0.0.0 and :: are nobody's; the kernel would say that they are here.
  if (address !== "none" && !bytes?.some((byte) => byte !== 0)) {
    const hint = "one address without a prefix length, such as 192.0.2.10 or 2001:db8::10; or none";
    return mustBe("require_address", "an IP address", address, `${path}:${lines.require_address}`, hint);
  }
  const maxAgeMs = age === "none" ? undefined : parseDuration(age);
  if (age !== "none" && maxAgeMs === undefined) {
    return mustBe("state_max_age", `${durationRule}, or none`, age, `${path}:${lines.state_max_age}`);
  }
  const witnesses = {
    writer: writer.toLowerCase() === "yes",
    boot: boot.toLowerCase() === "yes",
    address: bytes && { text: address, bytes },
    maxAgeMs,
  };
  return witnesses.writer || witnesses.boot || bytes || maxAgeMs ? witnesses : undefined;
}

/** The name in `table` for LOG_CRON, log_cron and cron alike. */
function oneOf<Name extends string>(table: Readonly<Record<Name, number>>, value: string): Name | undefined {
  const upper = value.toUpperCase();
  const name = (upper.startsWith("LOG_") ? upper : `LOG_${upper}`) as Name; // proved on the next line
  return typeof table[name] === "number" ? name : undefined;
}

function mustBeOneOf(
  key: ConfKey,
  allowed: readonly string[],
  values: Readonly<Record<ConfKey, string>>,
  lines: Readonly<Partial<Record<ConfKey, number>>>,
  path: string,
): Problem {
  const value = values[key];
  const near = nearestWord(value, allowed);
  return mustBe(
    key,
    `one of ${allowed.join(", ")}`,
    value,
    `${path}:${lines[key]}`,
    near && `did you mean ${near}?`,
  );
}

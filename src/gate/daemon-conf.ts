/**
 * The section `[daemon]` of rcron.conf: what rcrond goes by. Only rcrond and who checks the file read it; the prefix
 * passes it over.
 *
 * What is mistyped here is a Problem and never a warning, as in the other sections: a scheduler must not run a thousand
 * jobs at once because somebody wrote `concurency`.
 */
import { durationRule, parseDuration } from "../model/duration.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { isAbsolutePath } from "../model/output-rule.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { isDaemonHeader, readSettings, type SectionText, type Setting } from "../model/setting-lines.ts";
import type { Conf } from "./conf.ts";
import { eachSection } from "./each-section.ts";
import { isWord, strayKey } from "./section-keys.ts";

/** What rcrond goes by, each value proven. */
export interface DaemonConf {
  /** How many runs may go on at once, 1…100000; undefined: as many as are due. */
  readonly concurrency: number | undefined;
  /** How long SIGTERM waits for the runs that go on, in milliseconds, before it ends them. */
  readonly stopTimeoutMs: number;
  /** How far back from its election the ticks of `cluster` jobs count as ones that nobody may have run; 0: none does. */
  readonly lookBackMs: number;
  /** How often a node that is down is asked whether it is up again, at first; in milliseconds. */
  readonly healthCheckMs: number;
  /** How many runs a node may have at once that says nothing of it itself, and all nodes together; undefined: any number. */
  readonly runsPerNode: number | undefined;
  readonly runsOnNodes: number | undefined;
  /** Where `rcronctl` finds the daemon: a path that fits a socket's address; undefined: the program's own place. */
  readonly socket: string | undefined;
  /** A user's name or number, not looked up yet; undefined: the user that the daemon runs as. */
  readonly socketOwner: string | undefined;
  /** A group's name or number, not looked up yet; undefined: no group may ask. */
  readonly socketGroup: string | undefined;
  /** Where the daemon remembers what it has run; undefined: the program's own place. */
  readonly stateFolder: string | undefined;
  readonly log: DaemonLog;
}

/** Where the daemon's own lines go. */
export type DaemonLog = (typeof logs)[number];

const logs = ["syslog", "stderr", "both"] as const;

/** Every key of `[daemon]` with the value it has when it is not set. */
export const daemonDefaults = {
  concurrency: "1000",
  stop_timeout: "60s",
  look_back: "10s",
  health_check_interval: "10s",
  runs_per_node: "none",
  runs_on_nodes: "none",
  socket: "auto",
  socket_owner: "auto",
  socket_group: "auto",
  state_folder: "auto",
  log: "syslog",
} as const;

/** A key of `[daemon]`. */
export type DaemonKey = keyof typeof daemonDefaults;

const concurrencyLimit = 100_000;
/** As system/unix-address.ts has it, which the bundler would put among what every prefix loads, were it imported here. */
const socketPathLimit = 107;
/** No login or group name has a blank, a colon or a comma in it; some have a domain. */
const accountName = /^[^\s:,\p{Cc}]{1,256}$/u;

type Texts = Readonly<Record<DaemonKey, string>>;
type Lines = Readonly<Partial<Record<DaemonKey, number>>>;

/**
 * Reads and proves `[daemon]`; without one, the defaults hold. Pure and total.
 * @param path how messages name the file
 * @returns the first Problem (`invalid`), for which rcrond must not start, nor take up the file
 */
export function proveDaemonConf(
  { daemon, sections }: Pick<Conf, "daemon" | "sections">,
  path: string,
): DaemonConf | Problem {
  const settings = daemonSettings(daemon ?? sections, path);
  if (settings instanceof Problem) return settings;
  const texts: Record<DaemonKey, string> = { ...daemonDefaults };
  const lines: Partial<Record<DaemonKey, number>> = {};
  for (const { written, key: word, value, line } of settings) {
    const where = `${path}:${line}`;
    if (!isDaemonKey(word)) {
      const rule = "a key of [daemon] must be one of rcrond's own";
      return strayKey(rule, { written, key: word }, Object.keys(daemonDefaults), where);
    }
    if (lines[word] !== undefined) {
      const rule = `${word} must be set once: it is set on line ${lines[word]} already`;
      return new Problem("invalid", rule, { where, hint: "keep one of the two lines" });
    }
    lines[word] = line;
    texts[word] = value;
  }
  return prove(texts, lines, path);
}

/** The lines of the one `[daemon]` there may be; other sections are left to who reads them. */
function daemonSettings(all: SectionText | undefined, path: string): readonly Setting[] | Problem {
  let found: { line: number; settings: readonly Setting[] } | undefined;
  for (const { header, line, body } of eachSection(all)) {
    if (!isDaemonHeader(header)) continue;
    if (found !== undefined) {
      const rule = `[daemon] must stand once: it begins on line ${found.line} already`;
      const hint = "put the lines of the two together";
      return new Problem("invalid", rule, { where: `${path}:${line}`, hint });
    }
    const read = readSettings(all?.text ?? "", path, body);
    if (read instanceof Problem) return read;
    found = { line, settings: read.settings };
  }
  return found?.settings ?? [];
}

function isDaemonKey(word: string): word is DaemonKey {
  return Object.hasOwn(daemonDefaults, word);
}

function prove(texts: Texts, lines: Lines, path: string): DaemonConf | Problem {
  const refuse = (key: DaemonKey, rule: string, hint?: string) =>
    new Problem("invalid", `${key} must be ${rule}: got ${quoted(texts[key])}`, {
      where: `${path}:${lines[key]}`,
      ...(hint !== undefined && { hint }),
    });

  const countRule = `a whole number from 1 to ${concurrencyLimit}, or none`;
  const concurrency = isWord(texts.concurrency, "none") ? undefined : parseCount(texts.concurrency);
  if (concurrency === 0) return refuse("concurrency", countRule);
  const stopTimeoutMs = parseDuration(texts.stop_timeout);
  if (stopTimeoutMs === undefined) return refuse("stop_timeout", durationRule);
  const lookBackMs = isWord(texts.look_back, "none") ? 0 : parseDuration(texts.look_back);
  if (lookBackMs === undefined) return refuse("look_back", `${durationRule}, or none`);

  const healthCheckMs = parseDuration(texts.health_check_interval);
  if (healthCheckMs === undefined) return refuse("health_check_interval", durationRule);
  const runsPerNode = isWord(texts.runs_per_node, "none") ? undefined : parseCount(texts.runs_per_node);
  if (runsPerNode === 0) return refuse("runs_per_node", countRule);
  const runsOnNodes = isWord(texts.runs_on_nodes, "none") ? undefined : parseCount(texts.runs_on_nodes);
  if (runsOnNodes === 0) return refuse("runs_on_nodes", countRule);

  const socket = orUndefined(texts.socket);
  if (socket !== undefined && (!isFilePath(socket) || Buffer.byteLength(socket) > socketPathLimit)) {
    return refuse("socket", `a socket's absolute path of at most ${socketPathLimit} bytes, or auto`);
  }
  const socketOwner = orUndefined(texts.socket_owner);
  if (socketOwner !== undefined && !accountName.test(socketOwner)) {
    return refuse("socket_owner", "a user's name or number, or auto");
  }
  const socketGroup = orUndefined(texts.socket_group);
  if (socketGroup !== undefined && !accountName.test(socketGroup)) {
    return refuse("socket_group", "a group's name or number, or auto");
  }
  const stateFolder = orUndefined(texts.state_folder);
  if (stateFolder !== undefined && !isAbsolutePath(stateFolder)) {
    return refuse("state_folder", "a folder's absolute path, or auto");
  }
  const log = logs.find((known) => isWord(texts.log, known));
  if (log === undefined) {
    const near = nearestWord(texts.log, logs);
    return refuse("log", `one of ${logs.join(", ")}`, near && `did you mean ${near}?`);
  }
  return {
    concurrency,
    stopTimeoutMs,
    lookBackMs,
    healthCheckMs,
    runsPerNode,
    runsOnNodes,
    socket,
    socketOwner,
    socketGroup,
    stateFolder,
    log,
  };
}

/** @returns 0 for what is no number in range */
function parseCount(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return count <= concurrencyLimit ? count : 0;
}

function orUndefined(text: string): string | undefined {
  return isWord(text, "auto") ? undefined : text;
}

function isFilePath(text: string): boolean {
  return isAbsolutePath(text) && !text.endsWith("/");
}

/**
 * Which keepalived.conf holds on this machine, and its content with all that it includes.
 */
import type { SystemError } from "../system/libc.ts";
import { type KeepalivedConf, parseKeepalivedConf, type Source, splitScript } from "./keepalived-conf.ts";
import { isAbsent, isRefusal, type Machine, type RunningProcess, readText } from "./machine.ts";

const defaultPath = "/etc/keepalived/keepalived.conf";
/** Where the packages of Debian and Red Hat put keepalived's options and environment. */
const optionFiles = ["/etc/default/keepalived", "/etc/sysconfig/keepalived"];
const programs = ["/usr/sbin/keepalived", "/usr/local/sbin/keepalived", "/sbin/keepalived"];
const sizeLimit = 256 * 1024;
const includedLimit = 200;

/** keepalived on this machine. */
export interface Keepalived {
  /** Undefined where it is not installed. */
  readonly program: string | undefined;
  /** The parent of its processes; undefined where it does not run. */
  readonly running: RunningProcess | undefined;
  readonly confPath: string;
  /** What is in its file; or why it can't be read. */
  readonly conf: KeepalivedConf | SystemError;
  /** The state file that the environment of its scripts names. */
  readonly stateFileOfScripts: string | undefined;
  /** The rcronctl that the environment of its scripts names. */
  readonly programOfScripts: string | undefined;
}

/** Finds keepalived's configuration as keepalived itself would: by the options that it runs with, or would run with. */
export function findKeepalived(machine: Machine): Keepalived {
  const running = machine
    .processes()
    .find(
      ({ name, parentPid }, _, all) =>
        name === "keepalived" && !all.some((other) => other.pid === parentPid && other.name === "keepalived"),
    );
  const environment = readOptionFiles(machine);
  const written = environment.get("DAEMON_ARGS") ?? environment.get("KEEPALIVED_OPTIONS") ?? "";
  const options = running?.words.slice(1) ?? splitScript(written);
  const confPath = optionValue(options, "-f", "--use-file") ?? defaultPath;
  const hostName = readText(machine, "/proc/sys/kernel/hostname");
  const ownId = isRefusal(hostName) ? "" : (hostName.trim().split(".", 1)[0] ?? "");
  const configId = optionValue(options, "-i", "--config-id") ?? ownId;
  const text = readText(machine, confPath, sizeLimit);
  const conf = isRefusal(text)
    ? text
    : parseKeepalivedConf(
        { path: confPath, text },
        { configId, include: (pattern, folder) => findIncluded(machine, pattern, folder) },
      );
  const program = programs.find((path) => !isRefusal(machine.stat(path)));
  return {
    program,
    running,
    confPath,
    conf,
    stateFileOfScripts: environment.get("RCRON_STATE_FILE"),
    programOfScripts: environment.get("RCRONCTL"),
  };
}

/** `NAME=value` lines, as systemd and the shell read them where they are simple. */
function readOptionFiles(machine: Machine): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of optionFiles) {
    const text = readText(machine, path);
    if (isRefusal(text)) continue;
    for (const line of text.split("\n")) {
      const [, name, value = ""] = /^\s*(?:export\s+)?([A-Z_]\w*)=(.*)$/.exec(line) ?? [];
      if (name !== undefined) found.set(name, value.trim().replace(/^(["'])(.*)\1$/, "$2"));
    }
  }
  return found;
}

/** `-f FILE`, `-fFILE`, `--use-file FILE`, `--use-file=FILE`. */
function optionValue(words: readonly string[], short: string, long: string): string | undefined {
  for (const [index, word] of words.entries()) {
    if (word === short || word === long) return words[index + 1];
    if (word.startsWith(`${long}=`)) return word.slice(long.length + 1);
    if (word.startsWith(short) && !word.startsWith("--") && word.length > 2) return word.slice(2);
  }
  return undefined;
}

function findIncluded(machine: Machine, pattern: string, folder: string): Source[] {
  const paths = expandBraces(pattern.startsWith("/") ? pattern : `${folder}/${pattern}`).flatMap((each) =>
    matchingPaths(machine, each),
  );
  return paths.slice(0, includedLimit).flatMap((path) => {
    const facts = machine.stat(path);
    if (isRefusal(facts) || facts.kind !== "file") return [];
    const text = readText(machine, path, sizeLimit);
    return isRefusal(text) ? [] : [{ path, text }];
  });
}

/** `a{b,c}` is `ab` and `ac`; what nests is expanded from the inside. */
function expandBraces(pattern: string): string[] {
  let patterns = [pattern];
  for (let rounds = 0; rounds < 8; rounds++) {
    const next = patterns.flatMap((each) => {
      const [whole, inner] = /\{([^{}]*)\}/.exec(each) ?? [];
      return whole === undefined || inner === undefined
        ? [each]
        : inner.split(",").map((choice) => each.replace(whole, () => choice));
    });
    if (next.length === patterns.length && next.every((each, index) => each === patterns[index])) break;
    patterns = next.slice(0, includedLimit);
  }
  return patterns;
}

/** The paths that a pattern with `*`, `?` and `[…]` names, sorted; the pattern itself where it has none of them. */
function matchingPaths(machine: Machine, pattern: string): string[] {
  let paths = [""];
  for (const part of pattern.split("/").filter((each) => each !== "")) {
    paths = /[*?[]/.test(part)
      ? paths.flatMap((path) => {
          const names = machine.list(path || "/");
          if (isRefusal(names)) return [];
          const wanted = wildcard(part);
          const isHidden = (name: string) => name.startsWith(".") && !part.startsWith(".");
          return names
            .filter((name) => wanted.test(name) && !isHidden(name))
            .map((name) => `${path}/${name}`);
        })
      : paths.map((path) => `${path}/${part}`);
    paths = paths.slice(0, includedLimit);
  }
  return paths.filter((path) => !isAbsent(machine.stat(path)));
}

function wildcard(part: string): RegExp {
  const source = part.replace(/\*+|\?|\[[^\]]*\]|[^*?[]+|\[/g, (piece) => {
    if (piece.startsWith("*")) return ".*";
    if (piece === "?") return ".";
    if (piece.length > 2 && piece.startsWith("[") && piece.endsWith("]")) {
      const not = /^\[[!^]/.test(piece);
      const set = piece.slice(not ? 2 : 1, -1).replace(/[\\\]^]/g, "\\$&");
      return set === "" ? "(?!)" : `[${not ? "^" : ""}${set}]`;
    }
    return piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    return /(?!)/; // A range that runs backwards matches nothing.
  }
}

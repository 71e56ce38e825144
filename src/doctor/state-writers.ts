/**
 * Which of keepalived's scripts write rcron's state, and to which file.
 *
 * A script can do anything, so this is told for sure only of the ones that rcron brings along, of rcronctl itself, and of
 * a shell line with the file's name in it. Any other script that speaks of rcron counts as a writer of some file.
 */
import { type Conf, defaultConfPath, parseConf } from "../gate/gate.ts";
import { Problem } from "../model/problem.ts";
import type { ScriptCall } from "./keepalived-election.ts";
import { isRefusal, type Machine, readText } from "./machine.ts";
import { baseOf, folderOf, knownPath } from "./path-safety.ts";

/** What a script does with a state file. */
export interface StateWriter {
  readonly call: ScriptCall;
  /** Undefined where it can't be told. Links in its folders are followed. */
  readonly stateFile: string | undefined;
  /** Of `rcronctl follow`: the instance or group that it is told of. */
  readonly target: FollowedName | undefined;
  /** True if it leaves behind who wrote the word, and keeps the order of scripts that overlap. */
  readonly hasProvenance: boolean;
  /** The rcronctl that the script calls, by its whole path. */
  readonly needs: string | undefined;
}

/** `NAME` or `group:NAME`. */
export interface FollowedName {
  readonly kind: "instance" | "group";
  readonly name: string;
}

/** What is known of the machine's state files. */
export interface StateFiles {
  /** The one of the configuration that is examined. */
  readonly examined: string;
  /** RCRON_STATE_FILE in keepalived's environment. */
  readonly ofEnvironment: string | undefined;
  /** RCRONCTL there. */
  readonly program: string | undefined;
}

const scriptSizeLimit = 64 * 1024;
const shells = ["sh", "bash", "dash", "ksh", "zsh"];

/** The program that a script's words start, and its arguments: `env` and its assignments are looked behind. */
export function programOf(words: readonly string[]): {
  program: string | undefined;
  args: readonly string[];
  environment: ReadonlyMap<string, string>;
} {
  const environment = new Map<string, string>();
  let at = 0;
  if (baseOf(words[0] ?? "") === "env") {
    for (at = 1; /^[A-Za-z_]\w*=/.test(words[at] ?? ""); at++) {
      const word = words[at] ?? "";
      environment.set(word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1));
    }
    // env's own options: too many to know, and rare.
    if (words[at]?.startsWith("-")) at = words.length;
  }
  return { program: words[at], args: words.slice(at + 1), environment };
}

/**
 * What a script writes.
 * @returns empty where it has nothing to do with rcron, as far as can be seen
 */
export function writersOf(machine: Machine, call: ScriptCall, files: StateFiles): StateWriter[] {
  const { program, args, environment } = programOf(call.words);
  if (program === undefined) return [];
  const unknown = { call, stateFile: undefined, target: undefined, needs: undefined };
  const known = (path: string | undefined) => (path === undefined ? undefined : knownPath(machine, path));
  const isControl =
    baseOf(program) === "rcronctl" ||
    (baseOf(program) === "rcron" && args[0] === "--as" && args[1] === "rcronctl");
  if (isControl) {
    const words = baseOf(program) === "rcron" ? args.slice(2) : args;
    const conf = optionOf(words, "--conf");
    const ofConf = stateFileOf(machine, conf);
    if (words[0] === "follow") {
      return followedNames(words).map(({ target, stateFile }) => ({
        call,
        stateFile: known(stateFile ?? ofConf),
        target,
        hasProvenance: true,
        needs: undefined,
      }));
    }
    if (words[0] !== "state" || words[1] !== "set") return [];
    const stateFile = known(optionOf(words, "--state-file") ?? ofConf);
    return [{ ...unknown, stateFile, hasProvenance: true }];
  }
  const named = [files.examined, "/var/run/rcron.state", "/run/rcron.state"];
  if (shells.includes(baseOf(program)) && args[0] === "-c") {
    const line = args[1] ?? "";
    const stateFile = named.find((path) => line.includes(path));
    const hasProvenance = line.includes("rcronctl");
    if (stateFile === undefined && !line.includes("rcron")) return [];
    return [{ ...unknown, stateFile: known(stateFile), hasProvenance }];
  }
  const text = readText(machine, program, scriptSizeLimit);
  if (isRefusal(text)) {
    // It can't be looked into; its place may say enough.
    const isOurs = program.includes("rcron");
    return isOurs ? [{ ...unknown, hasProvenance: true }] : [];
  }
  const shipped = shippedScript(machine, program, text);
  if (shipped !== undefined) {
    const own = environment.get("RCRON_STATE_FILE") ?? files.ofEnvironment;
    const stateFile = known(own ?? stateFileOf(machine, environment.get("RCRON_CONF")));
    const hasProvenance = shipped.includes("rcronctl");
    const needs = environment.get("RCRONCTL") ?? files.program ?? "/usr/bin/rcronctl";
    return [{ ...unknown, stateFile, hasProvenance, needs: hasProvenance ? needs : undefined }];
  }
  // A program and not a script, or a script about other things.
  if (!text.startsWith("#!") || !(text.includes("rcron") || text.includes(files.examined))) return [];
  return [{ ...unknown, hasProvenance: text.includes("rcronctl") }];
}

/** The text of rcron's own notify.sh, if the script is that one or one of those beside it that call it. */
function shippedScript(machine: Machine, program: string, text: string): string | undefined {
  if (!/^notify(-(master|backup|fault|stop))?\.sh$/.test(baseOf(program))) return undefined;
  const whole = baseOf(program) === "notify.sh" ? text : readText(machine, `${folderOf(program)}/notify.sh`);
  return !isRefusal(whole) && whole.includes("RCRON_STATE_FILE") ? whole : undefined;
}

/** `--name VALUE` or `--name=VALUE`. */
export function optionOf(words: readonly string[], name: string): string | undefined {
  const at = words.findIndex((word) => word === name || word.startsWith(`${name}=`));
  const word = words[at];
  return word === name ? words[at + 1] : word?.slice(name.length + 1);
}

/** The words of `rcronctl follow … NAME[=STATE_FILE]…`; keepalived adds the FIFO. */
function followedNames(words: readonly string[]): { target: FollowedName; stateFile: string | undefined }[] {
  const found: { target: FollowedName; stateFile: string | undefined }[] = [];
  for (let at = 1; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--conf" || word === "--valid-for") at++;
    if (word.startsWith("-")) continue;
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const isGroup = name.startsWith("group:");
    found.push({
      target: { kind: isGroup ? "group" : "instance", name: isGroup ? name.slice("group:".length) : name },
      stateFile: equals < 0 ? undefined : word.slice(equals + 1),
    });
  }
  return found;
}

/** The state file that a configuration names; undefined where the configuration can't be read. */
export function stateFileOf(machine: Machine, path: string | undefined): string | undefined {
  return confOf(machine, path)?.stateFile;
}

/** A configuration as rcron would read it; undefined where it would not. */
function confOf(machine: Machine, path: string | undefined): Conf | undefined {
  const text = readText(machine, path ?? defaultConfPath);
  const isMissing = isRefusal(text);
  if (isMissing && path !== undefined) return undefined;
  const parsed = parseConf(isMissing ? "" : text, path ?? defaultConfPath);
  return parsed instanceof Problem ? undefined : parsed.conf;
}

/**
 * The sections `[node NAME]` of rcron.conf: the machines that jobs can be placed on. Only rcrond and who checks the file read
 * them; the prefix passes them over.
 *
 * What is mistyped here is a Problem and never a warning, as in the other sections: a job must not be sent to a host as another user
 * because somebody wrote `usr`.
 */

import { nearestWord } from "../model/nearest-word.ts";
import {
  type Connection,
  isNodeName,
  isSshHost,
  isSshUser,
  type Node,
  nodeNameRule,
  parsePort,
  runsAtOnceLimit,
  sshHostRule,
  sshUserRule,
} from "../model/node.ts";
import { isAbsolutePath } from "../model/output-rule.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { isNodeHeader, readSettings, type Setting } from "../model/setting-lines.ts";
import type { Conf } from "./conf.ts";
import { eachSection } from "./each-section.ts";
import { isWord, strayKey } from "./section-keys.ts";

/** Every key of `[node NAME]` with what it stands for when it is not set. */
export const nodeDefaults = {
  roles: "none",
  connection: "ssh",
  host: "NAME",
  port: "auto",
  user: "auto",
  key: "auto",
  password_file: "none",
  accept_new: "no",
  runs_at_once: "auto",
} as const;

/** A key of `[node NAME]`. */
export type NodeKey = keyof typeof nodeDefaults;

const keys = Object.keys(nodeDefaults).filter(isNodeKey);
const ofSsh: readonly NodeKey[] = ["host", "port", "user", "key", "password_file", "accept_new"];
const connections = ["ssh", "local", "command"];
/** A file of 64 kB has no more; a number for who would make a bigger one. */
const mostNodes = 10_000;

/**
 * Reads and proves the nodes. Pure and total.
 * @param path how messages name the file
 * @returns the nodes in their order, or the first Problem (`invalid`), for which rcrond must not start, nor take up the file
 */
export function proveNodeSections(
  { daemon, sections }: Pick<Conf, "daemon" | "sections">,
  path: string,
): readonly Node[] | Problem {
  const all = daemon ?? sections;
  const nodes = new Map<string, Node>();
  for (const { header, line, body } of eachSection(all)) {
    if (!isNodeHeader(header)) continue;
    const where = `${path}:${line}`;
    const name = parseHeader(header, where);
    if (name instanceof Problem) return name;
    const before = nodes.get(name);
    if (before !== undefined) {
      const rule = `[node ${name}] must stand once: it begins on line ${before.source.line} already`;
      return new Problem("invalid", rule, { where, hint: "put the lines of the two together" });
    }
    if (nodes.size === mostNodes)
      return new Problem("invalid", `there must be at most ${mostNodes} nodes`, { where });
    const read = readSettings(all?.text ?? "", path, body);
    if (read instanceof Problem) return read;
    const node = nodeOf(name, { path, line }, read.settings);
    if (node instanceof Problem) return node;
    nodes.set(name, node);
  }
  return [...nodes.values()];
}

function parseHeader(line: string, where: string): string | Problem {
  const [, inner] = /^\[node[ \t]+([^[\]]*)\]$/i.exec(line) ?? [];
  if (inner === undefined) {
    return new Problem("invalid", `a node's section must begin with [node NAME]: got ${quoted(line)}`, {
      where,
    });
  }
  const name = inner.trim();
  return isNodeName(name)
    ? name
    : new Problem("invalid", `NAME in [node NAME] ${nodeNameRule}: got ${quoted(name)}`, { where });
}

type Given = ReadonlyMap<NodeKey, Setting>;

function nodeOf(name: string, source: Node["source"], settings: readonly Setting[]): Node | Problem {
  const given = new Map<NodeKey, Setting>();
  for (const setting of settings) {
    const { written, key, line } = setting;
    const where = `${source.path}:${line}`;
    if (!isNodeKey(key))
      return strayKey("a key of [node NAME] must be a node's", { written, key }, keys, where);
    const before = given.get(key);
    if (before !== undefined) {
      const rule = `${key} must be set once in a section: it is set on line ${before.line} already`;
      return new Problem("invalid", rule, { where, hint: "keep one of the two lines" });
    }
    given.set(key, setting);
  }
  const { path } = source;
  const roles = rolesOf(given.get("roles"), path);
  if (roles instanceof Problem) return roles;
  const connection = connectionOf(name, given, path);
  if (connection instanceof Problem) return connection;
  const bound = given.get("runs_at_once");
  const runsAtOnce = bound === undefined || isWord(bound.value, "auto") ? undefined : countOf(bound.value);
  if (runsAtOnce === 0 && bound !== undefined) {
    return refusal(bound, `a whole number from 1 to ${runsAtOnceLimit}, or auto`, path);
  }
  return { name, source, roles, connection, runsAtOnce };
}

/** With commas or blanks between them. */
function rolesOf(setting: Setting | undefined, path: string): readonly string[] | Problem {
  if (setting === undefined || isWord(setting.value, "none")) return [];
  const roles = setting.value.split(/[\s,]+/).filter((role) => role !== "");
  const odd = roles.find((role) => !isNodeName(role));
  if (odd !== undefined || roles.length === 0) {
    const rule = `a role ${nodeNameRule}: got ${quoted(odd ?? setting.value)}`;
    return new Problem("invalid", rule, { where: `${path}:${setting.line}` });
  }
  return [...new Set(roles)];
}

function connectionOf(name: string, given: Given, path: string): Connection | Problem {
  const setting = given.get("connection");
  const [kind = "ssh", rest = ""] = /^(\S+)\s*(.*)$/.exec(setting?.value ?? "ssh")?.slice(1) ?? [];
  if (setting === undefined || isWord(kind, "ssh")) {
    return rest === "" || setting === undefined
      ? sshOf(name, given, path)
      : refusal(setting, "ssh alone, with host and user on lines of their own", path);
  }
  const stray = ofSsh.map((key) => given.get(key)).find((each) => each !== undefined);
  if (stray !== undefined && connections.some((each) => isWord(kind, each))) {
    const rule = `${stray.key} must not stand beside connection = ${kind.toLowerCase()}: it is for ssh`;
    return new Problem("invalid", rule, { where: `${path}:${stray.line}` });
  }
  if (isWord(kind, "local")) {
    return rest === "" ? { kind: "local" } : refusal(setting, "local alone", path);
  }
  if (isWord(kind, "command")) {
    const words = wordsOf(rest);
    const [program, ...args] = words ?? [];
    if (words === undefined) return refusal(setting, "command with words whose quotes match", path);
    return program === undefined || program === ""
      ? refusal(setting, "command with a program behind it", path)
      : { kind: "command", words: [program, ...args] };
  }
  const near = nearestWord(kind, connections);
  return refusal(
    setting,
    "ssh, local, or command with a program behind it",
    path,
    near && `did you mean ${near}?`,
  );
}

function sshOf(name: string, given: Given, path: string): Connection | Problem {
  const orUndefined = (key: NodeKey, word: string) => {
    const setting = given.get(key);
    return setting === undefined || isWord(setting.value, word) ? undefined : setting;
  };
  const host = given.get("host");
  if (host !== undefined && !isSshHost(host.value)) {
    const hint = host.value.includes("@") ? "the user stands on a line of its own: user = NAME" : undefined;
    return refusal(host, sshHostRule, path, hint);
  }
  if (host !== undefined && /^[^:]+:\d+$/.test(host.value)) {
    return refusal(host, "a host without a port", path, "the port stands on a line of its own: port = N");
  }
  const port = orUndefined("port", "auto");
  const portNumber = port && parsePort(port.value);
  if (port !== undefined && portNumber === undefined) {
    return refusal(port, "a port from 1 to 65535, or auto", path);
  }
  const user = orUndefined("user", "auto");
  if (user !== undefined && !isSshUser(user.value)) return refusal(user, `${sshUserRule}, or auto`, path);
  const key = orUndefined("key", "auto");
  if (key !== undefined && !isAbsolutePath(key.value)) {
    return refusal(key, "a private key's absolute path, or auto", path);
  }
  const passwordFile = orUndefined("password_file", "none");
  if (passwordFile !== undefined && !isAbsolutePath(passwordFile.value)) {
    // Not the value: it may be the password itself.
    return new Problem("invalid", "password_file must be a file's absolute path, or none", {
      where: `${path}:${passwordFile.line}`,
    });
  }
  const accept = given.get("accept_new");
  if (accept !== undefined && !isWord(accept.value, "yes") && !isWord(accept.value, "no")) {
    return refusal(accept, "yes or no", path);
  }
  return {
    kind: "ssh",
    host: host?.value ?? name,
    port: portNumber,
    user: user?.value,
    keyFile: key?.value,
    passwordFile: passwordFile?.value,
    isNewHostKeyAccepted: accept !== undefined && isWord(accept.value, "yes"),
  };
}

/** Words with blanks between them; in quotes a word may have blanks in it. @returns undefined where quotes don't match */
function wordsOf(text: string): readonly string[] | undefined {
  const form = /\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))(?=\s|$)/y;
  const words: string[] = [];
  for (let at = 0; at < text.trimEnd().length; at = form.lastIndex) {
    form.lastIndex = at;
    const found = form.exec(text);
    if (found === null) return undefined;
    words.push(found[1] ?? found[2] ?? found[3] ?? "");
  }
  return words;
}

function isNodeKey(key: string): key is NodeKey {
  return Object.hasOwn(nodeDefaults, key);
}

/** @returns 0 for what is no number in range */
function countOf(text: string): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return count <= runsAtOnceLimit ? count : 0;
}

function refusal({ key, value, line }: Setting, rule: string, path: string, hint?: string): Problem {
  return new Problem("invalid", `${key} must be ${rule}: got ${quoted(value)}`, {
    where: `${path}:${line}`,
    ...(hint !== undefined && { hint }),
  });
}

/**
 * distcrond's node files: one node each, in JSON, called as its file is. What distcrond had planned is said with keys of its kind: a
 * `command` connection, a password's file, a bound for the runs on a node.
 *
 * Pure and total: text in, a node or Problems out, and all Problems of a file at once.
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
import { hasKey, JsonFile, Keys, keysOf, shown } from "./distcrond-keys.ts";
import { type FileReading, sortByLine } from "./file-reading.ts";
import { parseJson } from "./located-json.ts";

const known = ["name", "roles", "connection_type", "connection_options", "runs_at_once"];
const misplaced = "job files stand below --jobsDirectory, and not below --nodesDirectory";
const kinds = ["local", "ssh", "command"] as const;
type Kind = (typeof kinds)[number];
const sshOptions = ["ssh_host", "ssh_user", "ssh_private_key_file", "ssh_password_file", "ssh_accept_new"];
const optionsOf: Readonly<Record<Kind, readonly string[]>> = {
  local: [],
  ssh: sshOptions,
  command: ["command"],
};
const longest = 4096;

/**
 * Reads a node file.
 * @param path how messages name it
 * @param name what its node is called; see {@link isNodeName}
 * @see distcrond README "Defining nodes"; docs/compatibility.md section 4
 */
export function parseDistcrondNode(text: string, path: string, name: string): FileReading {
  const json = parseJson(text, path);
  if (json instanceof Problem) return { jobs: [], problems: [json], warnings: [] };
  const file = new JsonFile(path);
  const { problems, warnings } = file;
  if (json.kind !== "object") {
    file.refuse(json, "a node file must be an object: { … }");
    return { jobs: [], problems, warnings };
  }
  if (hasKey(json, ["schedule"]) && !hasKey(json, ["connection_type", "connection_options"])) {
    file.refuse(json, "a node file must be a node's: this is a job's", misplaced);
    return { jobs: [], problems, warnings };
  }
  const keys = new Keys(json, "", known, file);
  const called = keys.text("name", longest);
  if (called !== undefined && called.text !== name) {
    const rule = `name counts for nothing: the node is called as its file, ${name}`;
    file.warn(called, `${rule}: got ${quoted(called.text)}`, "rename the file");
  }
  const roles = rolesOf(keys, file);
  const connection = connectionOf(keys, file);
  const runsAtOnce = runsAtOnceOf(keys, file);
  sortByLine(problems);
  if (problems.length > 0 || connection === undefined) return { jobs: [], problems, warnings };
  const node: Node = { name, source: { path, line: json.line }, roles, connection, runsAtOnce };
  return { jobs: [], problems, warnings, nodes: [node] };
}

function rolesOf(keys: Keys, file: JsonFile): readonly string[] {
  const roles = keys.texts("roles", longest) ?? [];
  const odd = roles.find(({ text }) => !isNodeName(text));
  if (odd !== undefined) file.refuse(odd, `${odd.path} ${nodeNameRule}: got ${quoted(odd.text)}`);
  return [...new Set(roles.map(({ text }) => text))];
}

function runsAtOnceOf(keys: Keys, file: JsonFile): number | undefined {
  const found = keys.get("runs_at_once");
  if (found === undefined) return undefined;
  const { value } = found;
  const number = value.kind === "number" ? value.number : Number.NaN;
  if (Number.isInteger(number) && number >= 1 && number <= runsAtOnceLimit) return number;
  return file.refuse(
    found,
    `runs_at_once must be a whole number from 1 to ${runsAtOnceLimit}: got ${shown(value)}`,
  );
}

function connectionOf(keys: Keys, file: JsonFile): Connection | undefined {
  const type = keys.text("connection_type", longest);
  const given = keys.get("connection_options");
  if (type === undefined) {
    const isTold = (keys.get("connection_type")?.value.kind ?? "text") !== "text";
    const rule = `connection_type must be given, one of ${kinds.join(", ")}: there is none`;
    return isTold ? undefined : file.refuse(keys, rule);
  }
  const kind = kinds.find((each) => each === type.text);
  if (kind === undefined) {
    const near = nearestWord(type.text, kinds);
    const rule = `connection_type must be one of ${kinds.join(", ")}: got ${quoted(type.text)}`;
    return file.refuse(type, rule, near && `did you mean ${near}?`);
  }
  // distcrond looks at no options of a local node.
  if (kind === "local") return { kind: "local" };
  if (given === undefined) {
    return file.refuse(type, `connection_options must be given for ${kind}: there are none`);
  }
  const options = keysOf(given, optionsOf[kind], file);
  if (options === undefined) return undefined;
  return kind === "ssh" ? sshOf(options, file) : commandOf(options, file);
}

function sshOf(options: Keys, file: JsonFile): Connection | undefined {
  const written = options.text("ssh_host", longest);
  if (written === undefined) {
    const isTold = (options.get("ssh_host")?.value.kind ?? "text") !== "text";
    const rule = "connection_options.ssh_host must be given: there is none";
    return isTold ? undefined : file.refuse(options, rule);
  }
  const { host, port } = addressOf(written.text);
  if (!isSshHost(host) || port === undefined) {
    const rule = `${written.path} must be ${sshHostRule}, with a colon and a port behind it or not`;
    return file.refuse(written, `${rule}: got ${quoted(written.text)}`);
  }
  const user = options.text("ssh_user", longest);
  if (user !== undefined && !isSshUser(user.text)) {
    return file.refuse(user, `${user.path} must be ${sshUserRule}: got ${quoted(user.text)}`);
  }
  const [keyFile, passwordFile] = (["ssh_private_key_file", "ssh_password_file"] as const).map((key) => {
    const path = options.text(key, longest);
    if (path === undefined || isAbsolutePath(path.text)) return path?.text;
    // The value of the second one may be the password itself.
    const got = key === "ssh_password_file" ? "" : `: got ${quoted(path.text)}`;
    return file.refuse(path, `${path.path} must be a file's absolute path${got}`);
  });
  const accept = options.get("ssh_accept_new");
  if (accept !== undefined && accept.value.kind !== "flag") {
    return file.refuse(accept, `${accept.path} must be true or false: got ${shown(accept.value)}`);
  }
  const isNewHostKeyAccepted = accept?.value.kind === "flag" && accept.value.flag;
  return {
    kind: "ssh",
    host,
    port: port === "none" ? undefined : port,
    user: user?.text,
    keyFile,
    passwordFile,
    isNewHostKeyAccepted,
  };
}

/** `host`, `host:port`, `[2001:db8::1]:port`, `2001:db8::1`. @returns port undefined: it is none */
export function addressOf(text: string): {
  readonly host: string;
  readonly port: number | "none" | undefined;
} {
  const [, inner, behind] = /^\[([^\]]*)\](?::(.*))?$/s.exec(text) ?? [];
  if (inner !== undefined) return { host: inner, port: behind === undefined ? "none" : parsePort(behind) };
  const parts = text.split(":");
  const [host = "", port = ""] = parts;
  return parts.length === 2 ? { host, port: parsePort(port) } : { host: text, port: "none" };
}

function commandOf(options: Keys, file: JsonFile): Connection | undefined {
  const found = options.get("command");
  if (found === undefined)
    return file.refuse(options, "connection_options.command must be given: there is none");
  const [program, ...args] = (options.texts("command", longest) ?? []).map(({ text }) => text);
  if (program === undefined && found.value.kind === "list" && found.value.items.length > 0) return undefined;
  if (found.value.kind !== "list") return undefined;
  if (program === undefined || program === "") {
    return file.refuse(
      found,
      `${found.path} must have a program at least: got ${program === undefined ? "an empty list" : '""'}`,
    );
  }
  return { kind: "command", words: [program, ...args] };
}

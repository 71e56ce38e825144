/**
 * How a node is reached, and the words for ssh that say so.
 */
import { Problem } from "../../model/problem.ts";
import { socketPathLimit } from "../../system/unix-address.ts";

/** What is known of a node. What is left out is the user's ssh configuration's to say. */
export interface NodeTerms {
  /** A name or address, or an alias of the ssh configuration. */
  readonly host: string;
  /** What tells it from another node that is reached in the same way; undefined: nothing does. */
  readonly name?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** A private key; then no other one is tried. A regular file that is nobody else's, root's or one's own. */
  readonly keyFile?: string | undefined;
  /** The password on its first line; a regular file of mode 0600 at most, root's or one's own. */
  readonly passwordFile?: string | undefined;
  /** True to accept the host key of a node that is seen for the first time. A changed one is never accepted. */
  readonly isNewHostKeyAccepted?: boolean | undefined;
  /** Instead of `~/.ssh/config` and `/etc/ssh/ssh_config`. */
  readonly configFile?: string | undefined;
}

/** What messages call it: its name, and whom that means where it does not say so itself. */
export function nodeInWords({ name, host }: Pick<NodeTerms, "name" | "host">): string {
  return name === undefined || name === host ? host : `${name} (${host})`;
}

/** How connections are made, whatever the node. */
export interface SshTerms {
  /** The program; undefined: `ssh`, searched for in PATH. */
  readonly sshPath?: string | undefined;
  /** For the sockets of the connections: its owner's alone (0700), its path short. Made where it is missing. */
  readonly controlFolder: string;
  /** How long a connection may take, until a session can be opened. 20 s. */
  readonly connectMs?: number | undefined;
  /** After so long without a sign of life a connection is given up, in seconds; asked for twice in that time. 4. */
  readonly silenceSeconds?: number | undefined;
}

/** ssh binds a socket whose name is longer by so much, and renames it. */
const bindExtra = 18;
/** The longest path of a control folder, in bytes, for the names that {@link controlSocketOf} gives. */
export const controlFolderLimit = socketPathLimit - bindExtra - "/0123456789abcdef.0123".length;

/**
 * The socket of one of a node's connections. The name is the same after a restart, so that what was left is found.
 * @param number from 0; there are several where a node allows few sessions on one
 */
export function controlSocketOf({ controlFolder }: SshTerms, node: NodeTerms, number: number): string {
  // All of it: a node as it was, whose runs still go on, and as it is now have a connection each.
  const { name, host, port, user, keyFile, configFile, passwordFile, isNewHostKeyAccepted } = node;
  const login = [user, keyFile, passwordFile, isNewHostKeyAccepted === true];
  const key = JSON.stringify([name, host, port, configFile, ...login]);
  return `${controlFolder}/${Bun.hash(key).toString(16).padStart(16, "0")}.${number}`;
}

const defaultConnectMs = 20_000;
const defaultSilenceSeconds = 4;

/** How long a connection may take. */
export const connectMsOf = ({ connectMs }: SshTerms): number => connectMs ?? defaultConnectMs;

/** The words that make ssh reach a node as `node` says, and nothing else; `options` are further ones for `-o`. */
export function sshWords(node: NodeTerms, ssh: SshTerms, options: readonly string[]): string[] {
  const { host, port, user, keyFile, passwordFile, configFile } = node;
  const all = [
    // Who asks for a password gets none, but from the file.
    `BatchMode=${passwordFile === undefined ? "yes" : "no"}`,
    "NumberOfPasswordPrompts=1",
    ...options,
    `StrictHostKeyChecking=${node.isNewHostKeyAccepted === true ? "accept-new" : "yes"}`,
    `ConnectTimeout=${Math.ceil(connectMsOf(ssh) / 1000)}`,
    ...(keyFile === undefined ? [] : ["IdentitiesOnly=yes"]),
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "LogLevel=INFO",
  ];
  return [
    ssh.sshPath ?? "ssh",
    ...(configFile === undefined ? [] : ["-F", configFile]),
    ...all.flatMap((option) => ["-o", option]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(user === undefined ? [] : ["-l", user]),
    ...(keyFile === undefined ? [] : ["-i", keyFile]),
    "--",
    host,
  ];
}

/** A login shell that hangs, or is none. @param timeoutMs how long it was waited for */
export function shellHangs(node: NodeTerms, timeoutMs: number): Problem {
  const rule = `${nodeInWords(node)} lets us in, but its shell does not start sh within ${timeoutMs / 1000} s`;
  return new Problem("unreachable", rule, { hint: `ssh ${node.host} exec sh -c true` });
}

/** The words for a process that keeps a connection open, for others to share through `socket`. */
export function masterWords(node: NodeTerms, ssh: SshTerms, socket: string): string[] {
  const silence = ssh.silenceSeconds ?? defaultSilenceSeconds;
  const [program = "ssh", ...words] = sshWords(node, ssh, [
    "ControlPersist=no",
    `ServerAliveInterval=${Math.max(1, Math.floor(silence / 2))}`,
    "ServerAliveCountMax=2",
    "TCPKeepAlive=yes",
  ]);
  return [program, "-M", "-N", "-n", "-S", literal(socket), ...words];
}

/** A path for an option of ssh in which `%h` would be replaced. */
export function literal(path: string): string {
  return path.replaceAll("%", "%%");
}

/** All of this process's environment that ssh is to know: who we are, and our keys. In English, for its errors are read. */
export function sshEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { LC_ALL: "C" };
  for (const name of ["PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "KRB5CCNAME"]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/**
 * A node, that is a machine that jobs are sent to, and how it is reached. What its definition says, parsed and proven; whether it is
 * up, and what it runs, is the daemon's to know.
 */
import type { JobSource } from "./scheduled-job.ts";

/** A machine that jobs can be placed on. */
export interface Node {
  /** Unique among all nodes; see {@link isNodeName}. */
  readonly name: string;
  /** Where it is defined: the line of its header, or of the JSON file's first brace. */
  readonly source: JobSource;
  /** Each once, in the order in which they are written. */
  readonly roles: readonly string[];
  readonly connection: Connection;
  /** How many runs it may have at once, 1…{@link runsAtOnceLimit}; undefined: as many as the daemon gives any node. */
  readonly runsAtOnce: number | undefined;
}

/** How a node is reached. */
export type Connection =
  | { readonly kind: "local" }
  | SshConnection
  | {
      readonly kind: "command";
      /** A program that takes the job on its standard input, and its arguments. */
      readonly words: readonly [program: string, ...args: string[]];
    };

/** Over ssh. What is undefined is left to the ssh configuration of the user that rcrond runs as. */
export interface SshConnection {
  readonly kind: "ssh";
  /** A name, an address or an alias of ssh_config; never beginning with a dash. IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** Never beginning with a dash. */
  readonly user: string | undefined;
  /** Absolute path of a private key. */
  readonly keyFile: string | undefined;
  /** Absolute path of a file with the password in it. */
  readonly passwordFile: string | undefined;
  /** A host whose key is not known is taken at its word the first time, and held to it from then on. */
  readonly isNewHostKeyAccepted: boolean;
}

/** No node may have more runs at once. */
export const runsAtOnceLimit = 10_000;

/** What a node's name and a role must look like, for messages. */
export const nodeNameRule =
  "must be 1 to 100 letters, digits, dots, underscores and dashes, and begin with no dot and no dash";

/** True for what can be the name of a node or of a role: it stands in lists, in paths and in messages without quotes. */
export function isNodeName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(text);
}

/** What a host must look like, for messages. */
export const sshHostRule = "a host's name or address, which does not begin with a dash";

/** True for a host that ssh can't take for an option or a command. */
export function isSshHost(text: string): boolean {
  return /^[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,254}$/.test(text);
}

/** What a user of another machine must look like, for messages. */
export const sshUserRule = "a user's name, which does not begin with a dash";

/** True for a user that ssh can't take for an option; names of other directories have `@` and `\` in them. */
export function isSshUser(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,99}$/.test(text);
}

/** @returns the port, 1…65535; undefined for anything else */
export function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

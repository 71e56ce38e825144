/**
 * Why ssh could not connect, from what it says: a Problem whose hint can be done.
 *
 * On the way to a node there may be jump hosts. What is wrong with one of them is told by an ssh of its own, in the same words and
 * to the same standard error; the node's ssh then says that whom it never saw, `UNKNOWN port 65535`, has closed the connection.
 */
import { printable } from "../../model/printable.ts";
import { Problem } from "../../model/problem.ts";
import { keyTrouble } from "./key-file.ts";
import {
  connectMsOf,
  literal,
  type NodeTerms,
  nodeInWords,
  type SshTerms,
  sshEnvironment,
  sshWords,
} from "./node-terms.ts";

/** What ssh says last counts; before it comes a banner, of any length. */
const shownLines = 20;
const shownLength = 300;
/** Of the jump hosts to a node, no more are asked for. */
const mostJumps = 8;

/** Whether the node could be trusted. */
type HostKey = "unknown" | "changed" | "revoked";

/**
 * Why there is no connection.
 * @param said the end of what ssh wrote to its standard error
 * @returns `unreachable`; `denied` where the node does not let us in, or is not known to be the right one
 */
export async function connectProblem(said: string, node: NodeTerms, ssh: SshTerms): Promise<Problem> {
  const lines = said
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .slice(-shownLines);
  const named = nodeInWords(node);
  const hostKey = hostKeyTrouble(lines);
  if (hostKey !== undefined) return hostKeyProblem(hostKey, lines, node, ssh);
  const denied = lines.findLast((line) => /permission denied|too many authentication failures/i.test(line));
  if (denied !== undefined && isOfTheWay(lines)) {
    const message = `a host on the way to ${named} does not let us in: ${short(denied)}`;
    return new Problem("denied", message, { hint: handHint(node) });
  }
  if (denied !== undefined) {
    const trouble = node.keyFile === undefined ? undefined : await keyTrouble(node.keyFile, lines);
    const why = short(trouble?.sentence ?? denied);
    return new Problem("denied", `${named} does not let us in: ${why}`, {
      hint: trouble?.hint ?? deniedHint(node),
    });
  }
  const why = short((await lastWord(lines, node, ssh)) ?? "ssh ended without a word");
  return new Problem("unreachable", `${named} can't be reached: ${why}`, { hint: handHint(node) });
}

/**
 * True where it is a jump host, or the program of a ProxyCommand, that has failed: the node has not said a word. One that has, and
 * closes the connection later, is an unknown peer as well.
 */
function isOfTheWay(lines: readonly string[]): boolean {
  return lines.some((line) => noGreeting.test(line)) && lines.some((line) => unseenPeer.test(line));
}

const unseenPeer = /\bUNKNOWN port -?\d+/;
const noGreeting = /^(ssh_exchange_identification|kex_exchange_identification|banner exchange): /;
/** How ssh begins, when it says why there is no connection. Before it, a jump host's banner may stand. */
const reasons =
  /^(ssh: |channel \d+: open failed: |Connection (?:closed|reset|timed|to) |Received disconnect|Unable to negotiate|Timeout, |Bad |\S+:? line \d+: )/;

/** The reason: the last that was said; where the way has failed, what was said before its end was noticed. */
async function lastWord(
  lines: readonly string[],
  node: NodeTerms,
  ssh: SshTerms,
): Promise<string | undefined> {
  const told = lines.filter((line) => !/^(debug\d|Warning):/.test(line));
  const last = told.at(-1);
  if (!isOfTheWay(lines)) return last;
  const before = told.filter((line) => !unseenPeer.test(line) && !noGreeting.test(line));
  const reason = before.findLast((line) => reasons.test(line));
  if (reason !== undefined) return reason.replace(/^channel \d+: open failed: /, "");
  // A program may say anything.
  const { hasProgram } = await hostOf(node, ssh);
  return (hasProgram ? before.at(-1) : undefined) ?? last;
}

/** The one thing that can be done by hand, with all that ssh has to say. */
function handHint({ host, port, user }: NodeTerms): string {
  const words = [
    "ssh",
    "-v",
    ...(port === undefined ? [] : ["-p", port]),
    ...(user ? ["-l", user] : []),
    host,
  ];
  return `as the user that rcrond is: ${words.join(" ")} true`;
}

function deniedHint(node: NodeTerms): string {
  const { keyFile, passwordFile } = node;
  if (keyFile !== undefined) return `the node's authorized_keys must have the line of ${keyFile}.pub`;
  if (passwordFile !== undefined) return `${passwordFile} must hold the user's password on its first line`;
  return handHint(node);
}

function hostKeyTrouble(lines: readonly string[]): HostKey | undefined {
  const text = lines.join("\n");
  if (/REVOKED HOST KEY/.test(text)) return "revoked";
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed/i.test(text)) return "changed";
  if (/No \S+ host key is known for|Host key verification failed/i.test(text)) return "unknown";
  return undefined;
}

async function hostKeyProblem(
  trouble: HostKey,
  lines: readonly string[],
  node: NodeTerms,
  ssh: SshTerms,
): Promise<Problem> {
  const named = nodeInWords(node);
  const isOnTheWay = isOfTheWay(lines);
  const told = keyOwner(lines);
  const host = isOnTheWay ? await jumpNamed(told, node, ssh) : await hostOf(node, ssh);
  const jump = printable(told ?? host?.knownAs ?? "");
  const onTheWay = jump === "" ? `a host on the way to ${named}` : `${jump}, on the way to ${named},`;
  const subject = isOnTheWay ? onTheWay : named;
  if (trouble === "revoked") return new Problem("denied", `${subject} has a host key that was revoked`);
  const line = host && (await presentKey(host, ssh));
  const itself = isOnTheWay ? "that host" : "the node";
  // Only a line for the very name that ssh looks up is of any use.
  const isMeant = line !== undefined && (told === undefined || isLineOf(line, told));
  const look = isMeant ? `, if that is its key, which only ${itself} itself can tell: ${line}` : "";
  if (trouble === "unknown") {
    const hint = host === undefined ? handHint(node) : `add a line to ${host.knownHosts}${look}`;
    return new Problem("denied", `the host key of ${subject} is not known`, { hint });
  }
  const offending = lines.map((each) => /^Offending .* key in (.+):(\d+)$/.exec(each)).find((found) => found);
  const [, where, number] = offending ?? [];
  const old =
    where === undefined
      ? `the old line of ${host?.knownHosts ?? "known_hosts"}`
      : `line ${number} of ${where}`;
  return new Problem(
    "denied",
    `the host key of ${subject} has changed: it is another machine, or set up anew`,
    { hint: `replace ${old}${look}` },
  );
}

/** Whose host key it is, as known_hosts has that host. @returns undefined where ssh does not say so */
function keyOwner(lines: readonly string[]): string | undefined {
  const sentence =
    /(?:host key for (\S+) (?:has changed|was revoked|is marked)|^No \S+ host key is known for (\S+) )/i;
  const found = lines.map((line) => sentence.exec(line)).find((each) => each);
  return found?.[1] ?? found?.[2];
}

function isLineOf(line: string, knownAs: string): boolean {
  const [names = ""] = line.split(" ");
  return names.toLowerCase() === knownAs.toLowerCase();
}

/** A node, or a jump host on the way to one, as the configuration of ssh has it. */
interface SshHost {
  readonly terms: NodeTerms;
  /** Further options for `-o`, without which it is reached in another way. */
  readonly options: readonly string[];
  /** Its name in known_hosts. */
  readonly knownAs: string;
  /** The file that a line for it belongs to. */
  readonly knownHosts: string;
  /** The jump hosts on the way, the nearest one first. */
  readonly jumps: readonly string[];
  /** It is reached through a program: nobody knows where that leads. */
  readonly hasProgram: boolean;
}

async function hostOf(terms: NodeTerms, ssh: SshTerms, options: readonly string[] = []): Promise<SshHost> {
  const [program = "ssh", ...words] = sshWords(terms, ssh, options);
  const told = await runSsh([program, "-G", ...words], ssh);
  const value = (key: string) => new RegExp(`^${key} (\\S+)`, "m").exec(told)?.[1];
  const name = value("hostname") ?? terms.host;
  const port = value("port") ?? "22";
  const jumps = value("proxyjump") ?? "none";
  return {
    terms,
    options,
    knownAs: value("hostkeyalias") ?? (port === "22" ? name : `[${name}]:${port}`),
    knownHosts: value("userknownhostsfile") ?? "~/.ssh/known_hosts",
    jumps: jumps === "none" ? [] : jumps.split(","),
    hasProgram: (value("proxycommand") ?? "none") !== "none",
  };
}

/**
 * The jump host that is known by a name, or the only one that there is.
 * @param knownAs undefined where ssh has not said whose key it could not trust: it would have asked, and there was nobody
 */
async function jumpNamed(
  knownAs: string | undefined,
  node: NodeTerms,
  ssh: SshTerms,
): Promise<SshHost | undefined> {
  const jumps = await jumpsTo(await hostOf(node, ssh), ssh, mostJumps);
  if (knownAs !== undefined) {
    return jumps.find((jump) => jump.knownAs.toLowerCase() === knownAs.toLowerCase());
  }
  return jumps.length === 1 && jumps[0]?.hasProgram === false ? jumps[0] : undefined;
}

/** The jump hosts on the way to one, with those that its nearest one has on its own way. */
async function jumpsTo({ terms, jumps }: SshHost, ssh: SshTerms, most: number): Promise<SshHost[]> {
  const nearest = jumps.slice(0, most);
  const hosts = await Promise.all(
    nearest.map((jump, index) => {
      const before = nearest.slice(0, index).join(",");
      const options = before === "" ? [] : [`ProxyJump=${before}`];
      return hostOf({ ...jumpTerms(jump), configFile: terms.configFile }, ssh, options);
    }),
  );
  const [first] = hosts;
  const rest = most - hosts.length;
  const further = first === undefined || rest <= 0 ? [] : await jumpsTo(first, ssh, rest);
  return [...further, ...hosts];
}

/** `user@host:port`, as ProxyJump has it. */
function jumpTerms(jump: string): NodeTerms {
  const at = jump.lastIndexOf("@");
  const place = jump.slice(at + 1);
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(place) ?? [];
  return {
    host: bracketed ?? plain ?? place,
    ...(port !== undefined && { port: Number(port) }),
    ...(at > 0 && { user: jump.slice(0, at) }),
  };
}

/**
 * The line of known_hosts for the key that a host shows at this moment, learned by ssh itself, through whatever jumps its
 * configuration has. Nothing is trusted: it goes to a file of its own, and nobody logs in.
 */
async function presentKey({ terms, options }: SshHost, ssh: SshTerms): Promise<string | undefined> {
  const fs = process.getBuiltinModule("node:fs");
  let folder: string | undefined;
  try {
    folder = fs.mkdtempSync(`${ssh.controlFolder}/key-`);
    const file = `${folder}/known_hosts`;
    await runSsh(
      sshWords({ ...terms, passwordFile: undefined }, ssh, [
        ...options,
        "StrictHostKeyChecking=accept-new",
        `UserKnownHostsFile="${literal(file)}"`,
        "GlobalKnownHostsFile=/dev/null",
        "HashKnownHosts=no",
        "CheckHostIP=no",
        "UpdateHostKeys=no",
        "PreferredAuthentications=none",
        "ControlPath=none",
      ]),
      ssh,
    );
    const [line = ""] = fs.readFileSync(file, "utf8").split("\n");
    return line === "" ? undefined : printable(line.slice(0, 1000));
  } catch {
    return undefined; // without it the hint says less
  } finally {
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function runSsh(words: readonly string[], ssh: SshTerms): Promise<string> {
  const child = Bun.spawn([...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    detached: true,
    env: sshEnvironment(),
    timeout: connectMsOf(ssh),
    killSignal: "SIGKILL",
    maxBuffer: 256 * 1024,
  });
  const told = await child.stdout.text();
  await child.exited;
  return told;
}

function short(line: string): string {
  return printable(line.trim().slice(0, shownLength));
}

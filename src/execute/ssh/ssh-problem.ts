/**
 * Why ssh could not connect, from what it says: a Problem whose hint can be done.
 */
import { printable } from "../../model/printable.ts";
import { Problem } from "../../model/problem.ts";
import { keyTrouble } from "./key-file.ts";
import {
  connectMsOf,
  type NodeTerms,
  nodeInWords,
  type SshTerms,
  sshEnvironment,
  sshWords,
} from "./node-terms.ts";

/** What ssh says last counts; before it comes a banner, of any length. */
const shownLines = 20;
const shownLength = 300;

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
  if (denied !== undefined) {
    const trouble = node.keyFile === undefined ? undefined : await keyTrouble(node.keyFile, lines);
    const why = short(trouble?.sentence ?? denied);
    return new Problem("denied", `${named} does not let us in: ${why}`, {
      hint: trouble?.hint ?? deniedHint(node),
    });
  }
  const last = lines.findLast((line) => !/^(debug\d|Warning):/.test(line));
  const why = last === undefined ? "ssh ended without a word" : short(last);
  return new Problem("unreachable", `${named} can't be reached: ${why}`, { hint: handHint(node) });
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
  if (trouble === "revoked") return new Problem("denied", `${named} has a host key that was revoked`);
  const [line, file] = await Promise.all([presentKey(node, ssh), knownHostsFile(node, ssh)]);
  const look = line === undefined ? "" : `, if that is its key, which only the node itself can tell: ${line}`;
  if (trouble === "unknown") {
    return new Problem("denied", `the host key of ${named} is not known`, {
      hint: `add a line to ${file}${look}`,
    });
  }
  const offending = lines.map((each) => /^Offending .* key in (.+):(\d+)$/.exec(each)).find((found) => found);
  const [, where, number] = offending ?? [];
  const old = where === undefined ? `the old line of ${file}` : `line ${number} of ${where}`;
  return new Problem(
    "denied",
    `the host key of ${named} has changed: it is another machine, or set up anew`,
    {
      hint: `replace ${old}${look}`,
    },
  );
}

/**
 * The line of known_hosts for the key that the node shows at this moment, learned by ssh itself, through whatever jumps its
 * configuration has. Nothing is trusted: it goes to a file of its own, and nobody logs in.
 */
async function presentKey(node: NodeTerms, ssh: SshTerms): Promise<string | undefined> {
  const fs = process.getBuiltinModule("node:fs");
  let folder: string | undefined;
  try {
    folder = fs.mkdtempSync(`${ssh.controlFolder}/key-`);
    const file = `${folder}/known_hosts`;
    await runSsh(
      sshWords({ ...node, passwordFile: undefined }, ssh, [
        "StrictHostKeyChecking=accept-new",
        `UserKnownHostsFile=${file}`,
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

async function knownHostsFile(node: NodeTerms, ssh: SshTerms): Promise<string> {
  const [program = "ssh", ...words] = sshWords(node, ssh, []);
  const told = await runSsh([program, "-G", ...words], ssh);
  return /^userknownhostsfile (\S+)/m.exec(told)?.[1] ?? "~/.ssh/known_hosts";
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

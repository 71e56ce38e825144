/**
 * A node's private key, as far as it can be judged from here: a key that ssh can't use is told as that, and not as a node that
 * does not know it.
 */
import { Problem } from "../../model/problem.ts";
import { notReadable, whyNotPrivate } from "../../system/private-file.ts";
import { sshEnvironment } from "./node-terms.ts";

const subject = "a node's key";
const lookMs = 5000;
const saidLimit = 16 * 1024;

/**
 * Whether ssh may be given a key's file.
 * @returns a Problem (`denied`, `not-found`) where it is not there, not ours to read, or others' as well; undefined where nothing
 *   is wrong, or where the file only says which of an agent's keys is meant
 */
export function whyKeyRefused(path: string): Problem | undefined {
  const fs = process.getBuiltinModule("node:fs");
  const isPublic = path.endsWith(".pub");
  if (hasAgent() && (isPublic || (!fs.existsSync(path) && fs.existsSync(`${path}.pub`)))) return undefined;
  if (isPublic) {
    const hint = `name ${path.slice(0, -".pub".length)}`;
    return new Problem("denied", `${subject} must be the private one`, { where: path, hint });
  }
  try {
    const file = { path, subject, fileHint: "name the file of a private key", isExecutableTaken: true };
    const wrong = whyNotPrivate(file, fs.statSync(path));
    if (wrong === undefined) fs.accessSync(path, fs.constants.R_OK);
    return wrong;
  } catch (error) {
    return notReadable({ path, subject }, error);
  }
}

/** What is wrong with a key itself. */
export interface KeyTrouble {
  /** A sentence, with OpenSSH's own word for it. */
  readonly sentence: string;
  readonly hint: string;
}

/**
 * Why a node could not be shown a key that is there.
 * @param said what ssh has said; of a passphrase it says nothing where nobody can be asked for it, but ssh-keygen does
 * @returns undefined where the key is as it should be, or nobody can tell
 */
export async function keyTrouble(path: string, said: readonly string[]): Promise<KeyTrouble | undefined> {
  const start = `Load key "${path}": `;
  const isOfKey = (line: string) => line.startsWith(start);
  const line = said.find(isOfKey) ?? (await askKeygen(path)).find(isOfKey);
  if (line === undefined) return undefined;
  const sentence = `the key ${path} can't be loaded: ${line.slice(start.length)}`;
  if (!line.includes("passphrase")) {
    return { sentence, hint: `ssh-keygen -y -f ${path} must print its other half` };
  }
  // An agent may have it without its passphrase, and then the node is who does not know it.
  if (hasAgent()) return undefined;
  return {
    sentence,
    hint: `ssh-keygen -p -f ${path}, or give rcrond an agent that has the key (SSH_AUTH_SOCK)`,
  };
}

async function askKeygen(path: string): Promise<readonly string[]> {
  try {
    const child = Bun.spawn(["ssh-keygen", "-y", "-P", "", "-f", path], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      cwd: "/",
      detached: true, // no terminal to ask at
      env: sshEnvironment(),
      timeout: lookMs,
      killSignal: "SIGKILL",
      maxBuffer: saidLimit,
    });
    const told = await child.stderr.text();
    await child.exited;
    return told.split(/\r?\n/);
  } catch {
    return []; // without it the message says less
  }
}

function hasAgent(): boolean {
  return (process.env["SSH_AUTH_SOCK"] ?? "") !== "";
}

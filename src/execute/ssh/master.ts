/**
 * One connection to a node: an ssh process that does nothing but keep it, and through whose socket sessions are opened.
 *
 * ssh honours all of a person's configuration, checks host keys as that person does, and is the program that is trusted with
 * keys anyway; docs/decisions/ssh.md has the figures. The process ends with this one, however this one ends.
 */
import { Problem } from "../../model/problem.ts";
import { openAskpass } from "./askpass.ts";
import { whyKeyRefused } from "./key-file.ts";
import { endMaster, masterPid } from "./mux-session.ts";
import {
  connectMsOf,
  masterWords,
  type NodeTerms,
  nodeInWords,
  type SshTerms,
  sshEnvironment,
} from "./node-terms.ts";
import { connectProblem } from "./ssh-problem.ts";

/** Of what ssh says, the end; a banner may be of any length. */
const saidLimit = 8 * 1024;
const firstLookMs = 4;
const lastLookMs = 25;
/** From the request to end to the end by force. */
const endMs = 1000;

/** An open connection. */
export interface Master {
  readonly socketPath: string;
  readonly pid: number;
  /** Resolved, with the last that ssh said, when the connection is no more, for whatever reason. */
  readonly ended: Promise<string>;
  /** Ends it; its sessions are closed. */
  close(): Promise<void>;
}

/**
 * Opens a connection.
 * @param socketPath where its socket shall be; whatever was left there by an earlier process is ended
 * @returns the connection, or why there is none: `unreachable`, `denied`; `not-found` for a file of a key or a password
 */
export async function openMaster(
  node: NodeTerms,
  ssh: SshTerms,
  socketPath: string,
  signal?: AbortSignal,
): Promise<Master | Problem> {
  const fs = process.getBuiltinModule("node:fs");
  if (fs.existsSync(socketPath)) {
    await endMaster(socketPath);
    fs.rmSync(socketPath, { force: true });
  }
  const wrong = node.keyFile === undefined ? undefined : whyKeyRefused(node.keyFile);
  if (wrong !== undefined) return wrong;
  const askpass = node.passwordFile === undefined ? undefined : openAskpass(node.passwordFile);
  if (askpass instanceof Problem) return askpass;
  using _ = askpass;
  const started = startMaster(node, ssh, socketPath, askpass?.environment ?? {});
  if (started instanceof Problem) return started;
  const { child, said } = started;
  const pid = await untilReady(child, socketPath, connectMsOf(ssh), signal);
  if (pid === "ended") return connectProblem(await said.whole(), node, ssh);
  if (pid === undefined) {
    child.kill("SIGKILL");
    const seconds = connectMsOf(ssh) / 1000;
    if (signal?.aborted) return new Problem("unreachable", `${nodeInWords(node)}: no longer waited for`);
    return new Problem("unreachable", `${nodeInWords(node)} has not answered for ${seconds} s`);
  }
  said.forget();
  const ended = child.exited.then(() => said.last());
  const close = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), endMs);
    await child.exited;
    clearTimeout(timer);
  };
  return { socketPath, pid, ended, close };
}

type SshProcess = Bun.Subprocess<"ignore", "ignore", "pipe">;

function startMaster(
  node: NodeTerms,
  ssh: SshTerms,
  socketPath: string,
  more: Readonly<Record<string, string>>,
): { readonly child: SshProcess; readonly said: Said } | Problem {
  const words = masterWords(node, ssh, socketPath);
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  // The kernel ends it when this process is gone: nobody would, were this one killed and not started again.
  const guard = Bun.which("setpriv", { PATH: path });
  const guarded = guard === null ? words : [guard, "--pdeathsig", "TERM", "--", ...words];
  try {
    const child = Bun.spawn(guarded, {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      detached: true, // a terminal's Ctrl-C is for us, not for it
      cwd: "/",
      env: { ...sshEnvironment(), ...more },
    });
    return { child, said: new Said(child.stderr) };
  } catch (error) {
    return new Problem("internal", `${words[0]} can't be started`, {
      hint: "apt install openssh-client",
      cause: error,
    });
  }
}

/** @returns the pid of the process that answers; `ended`; undefined where the time is over or nobody waits any more */
async function untilReady(
  child: SshProcess,
  socketPath: string,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<number | "ended" | undefined> {
  const fs = process.getBuiltinModule("node:fs");
  const endMs = performance.now() + limitMs;
  let hasEnded = false;
  void child.exited.then(() => {
    hasEnded = true;
  });
  for (let lookMs = firstLookMs; ; lookMs = Math.min(lookMs * 1.2, lastLookMs)) {
    await Promise.race([Bun.sleep(lookMs), child.exited]);
    if (hasEnded) return "ended";
    if (performance.now() > endMs || signal?.aborted) return undefined;
    if (!fs.existsSync(socketPath)) continue;
    const pid = await masterPid(socketPath);
    if (pid !== undefined) return pid;
  }
}

/** The end of what a program says. */
class Said {
  #text = "";
  readonly #read: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#read = this.#follow(stream);
  }

  /** All of it, up to a limit, when the program has ended. */
  async whole(): Promise<string> {
    await Promise.race([this.#read, Bun.sleep(endMs)]);
    return this.#text;
  }

  /** The last line that says something. */
  async last(): Promise<string> {
    const lines = (await this.whole()).split(/\r?\n/);
    return lines.findLast((line) => line.trim() !== "")?.trim() ?? "ssh has ended without a word";
  }

  forget(): void {
    this.#text = "";
  }

  async #follow(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.#text = (this.#text + decoder.decode(bytes, { stream: true })).slice(-saidLimit);
    }
  }
}

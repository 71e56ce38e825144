/**
 * An active machine for the built program: a folder with a configuration, a state, and a record of its own.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EndEvent, parseEvent, type RunEvent, type SkipEvent } from "../../src/model/run-event.ts";
import { binary, type Ended, type RunOptions, run, shell, temporaryFolder } from "./program.ts";

export interface RunScene extends Disposable {
  readonly cluster: string;
  /** The path of a file in the scene's folder. */
  readonly at: (name: string) => string;
  readonly say: (word: string) => void;
  /** Runs `rcron OPTIONS… COMMAND…` to its end. */
  readonly rcron: (words: readonly string[], options?: RunOptions) => Promise<Ended>;
  /** Runs a shell line in the scene's folder, where `R` is `rcron --conf …`. */
  readonly shell: (line: string) => Promise<Ended>;
  /** Starts it, for a test that meddles. */
  readonly start: (words: readonly string[]) => Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** Waits until a file is there (and not empty), that the job makes; and reads it. */
  readonly sees: (name: string) => Promise<string>;
  /** All that the record has, in order. */
  readonly events: () => RunEvent[];
  readonly lastEnd: () => EndEvent;
  readonly lastSkip: () => SkipEvent;
}

const lockFolder = "/run/rcron/locks";

export function runScene(...confLines: string[]): RunScene {
  const work = temporaryFolder();
  const cluster = `test-${crypto.randomUUID()}`;
  const at = (name: string) => join(work.path, name);
  const lines = [
    `state_file = ${at("state")}`,
    `history = ${at("history")}`,
    `cluster_name = ${cluster}`,
    "default_state = passive",
    ...confLines,
  ];
  writeFileSync(at("conf"), `${lines.join("\n")}\n`);
  const say = (word: string) => writeFileSync(at("state"), `${word}\n`);
  say("active");
  const env = { ...process.env, XDG_STATE_HOME: at("home") };
  const words = (given: readonly string[]) => [binary, "--conf", at("conf"), ...given];
  const events = () => {
    const path = join(at("history"), "journal");
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    // What is behind the last newline is being written: a reader may see the half of it.
    const lines = text.split("\n").slice(0, -1).filter(Boolean);
    return lines.map((line) => parseEvent(line) ?? fail(line));
  };
  return {
    cluster,
    at,
    say,
    rcron: (given, options) => run(words(given), { cwd: work.path, timeoutMs: 30_000, env, ...options }),
    shell: (line) =>
      shell(`R() { rcron --conf '${at("conf")}' "$@"; }\n${line}`, {
        cwd: work.path,
        env,
        timeoutMs: 60_000,
      }),
    start: (given) =>
      Bun.spawn(words(given), { cwd: work.path, env, stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 }),
    sees: async (name) => {
      for (const end = Date.now() + 10_000; Date.now() < end; await Bun.sleep(5)) {
        const text = existsSync(at(name)) ? readFileSync(at(name), "utf8") : "";
        if (text !== "") return text;
      }
      throw new Error(`the job never made ${name}`);
    },
    events,
    lastEnd: () => events().findLast((event) => event.kind === "end") ?? fail("no end"),
    lastSkip: () => events().findLast((event) => event.kind === "skip") ?? fail("no skip"),
    [Symbol.dispose]: () => {
      work[Symbol.dispose]();
      if (process.getuid?.() !== 0 || !existsSync(lockFolder)) return;
      for (const name of readdirSync(lockFolder)) {
        if (name.startsWith(cluster)) rmSync(join(lockFolder, name), { force: true });
      }
    },
  };
}

function fail(what: string): never {
  throw new Error(`not in the record: ${what}`);
}

/** True for a process that runs, or is halted; a zombie is gone. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

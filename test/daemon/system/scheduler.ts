/**
 * A machine for the built `rcrond`: a folder with a configuration, a state, job files, and what the daemon keeps and says.
 *
 * A scheduler may have several lives, one after the other; log and record go on through them. Jobs write down what they have
 * seen in files of the folder, and tests compare these witnesses with the record.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parseEvent, type RunEvent } from "../../../src/model/run-event.ts";
import { type Ended, project, run, temporaryFolder } from "../../support/program.ts";

/** What libfaketime is called on Debian; test/support/debian.ts knows its package. */
export const clockLibrary = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** One rcrond, from its start to its end. */
export interface Life {
  readonly pid: number;
  /** Sends a signal, if it is there still. */
  signal(name: NodeJS.Signals): void;
  /** Waits for its end. @returns 128 and the signal's number where one has ended it */
  ended(): Promise<number>;
  /** SIGTERM, and its end. */
  end(): Promise<number>;
  /** SIGKILL, and its end. */
  kill(): Promise<number>;
}

/** What a life is started with. */
export interface LifeOptions {
  readonly words?: readonly string[];
  /** What stands before the program's name. */
  readonly before?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What is waited for: a test that kills, or sees a second copy leave, waits for nothing. */
  readonly waitFor?: "work" | "nothing";
}

export interface Scheduler extends AsyncDisposable {
  /** The path of a file in the scheduler's folder. */
  at(name: string): string;
  /** Writes a job file, beside its place and then into it. */
  job(name: string, text: string): void;
  /** Takes a job file away. */
  drop(name: string): void;
  /** Writes the configuration anew, with these lines instead of the ones before. */
  configure(lines: SchedulerLines): void;
  /** Says who is active, as an elector would. */
  say(word: string): Promise<void>;
  /** Starts rcrond, and waits until it is at work. */
  start(options?: LifeOptions): Promise<Life>;
  /** Runs `rcronctl WORD…` to its end. */
  ctl(...words: string[]): Promise<Ended>;
  /** The same with `--json`. @throws {Error} where what it prints is no JSON */
  ask<Value>(...words: string[]): Promise<Value>;
  /** What rcrond has written to standard error in all its lives. */
  log(): string;
  /** The record's events of all jobs or one, in order. */
  events(job?: string): RunEvent[];
  /** The lines of a file that jobs write; none where there is no file. */
  lines(name: string): string[];
}

export interface SchedulerLines {
  /** At the top level of rcron.conf. */
  readonly top?: readonly string[];
  readonly daemon?: readonly string[];
  /** Sections of jobs. */
  readonly sections?: readonly string[];
}

const lockFolder = "/run/rcron/locks";
const [rcrond, rcronctl] = ["rcrond", "rcronctl"].map((name) => join(project, "dist", name)) as [
  string,
  string,
];

/** A scheduler that has not been started yet, with these job files. */
export function scheduler(jobs: Readonly<Record<string, string>>, lines: SchedulerLines = {}): Scheduler {
  const folder = temporaryFolder();
  const cluster = `test-${crypto.randomUUID()}`;
  const at = (name: string) => join(folder.path, name);
  const lives: Bun.Subprocess[] = [];

  const configure = ({ top = [], daemon = [], sections = [] }: SchedulerLines) => {
    const text = [
      `state_file = ${at("state")}`,
      `cluster_name = ${cluster}`,
      "log_format = extended",
      ...(top.some((line) => line.startsWith("history")) ? [] : [`history = ${at("history")}`]),
      ...top,
      "[daemon]",
      ...(daemon.some((line) => line.startsWith("state_folder")) ? [] : [`state_folder = ${at("kept")}`]),
      ...(daemon.some((line) => line.startsWith("log")) ? [] : ["log = stderr"]),
      `socket = ${at("socket")}`,
      ...daemon,
      ...sections,
    ];
    writeFileSync(at("conf"), `${text.join("\n")}\n`, { mode: 0o644 });
  };
  const job = (name: string, text: string) => {
    const path = at(join("jobs", name));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}~`, text, { mode: 0o644 });
    renameSync(`${path}~`, path);
  };
  const ctl = (...words: string[]) => run([rcronctl, ...words, "--conf", at("conf")], { timeoutMs: 30_000 });
  const log = () => readText(at("log"));
  const start = async ({
    words = [],
    before = [],
    env = {},
    waitFor = "work",
  }: LifeOptions = {}): Promise<Life> => {
    const wasAtWork = count(log(), " is at work: ");
    const fd = openSync(at("log"), "a");
    const child = Bun.spawn([...before, rcrond, "--cron-dir", at("jobs"), "--conf", at("conf"), ...words], {
      cwd: folder.path,
      env: { ...process.env, TZ: "UTC", ...env },
      stdio: ["ignore", fd, fd],
    });
    closeSync(fd);
    lives.push(child);
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    if (waitFor === "work") {
      await until("rcrond is at work", () => hasEnded() || count(log(), " is at work: ") > wasAtWork);
      if (hasEnded()) throw new Error(`rcrond ended with ${child.exitCode}: ${log()}`);
    }
    const end = (signal: NodeJS.Signals) => {
      child.kill(signal);
      return child.exited;
    };
    return {
      pid: child.pid,
      signal: (name) => child.kill(name),
      ended: () => child.exited,
      end: () => end("SIGTERM"),
      kill: () => end("SIGKILL"),
    };
  };

  for (const name of ["jobs", "history"]) mkdirSync(at(name), { mode: 0o755 });
  Bun.spawnSync(["chmod", "755", folder.path]); // for the jobs of other users
  configure(lines);
  writeFileSync(at("state"), "active\n");
  for (const [name, text] of Object.entries(jobs)) job(name, text);
  return {
    at,
    job,
    drop: (name) => rmSync(at(join("jobs", name))),
    configure,
    say: async (word) => {
      const said = await ctl("state", "set", word);
      if (said.exitCode !== 0) throw new Error(said.stderr);
    },
    start,
    ctl,
    ask: async <Value>(...words: string[]) => {
      const answer = await ctl(...words, "--json");
      return JSON.parse(answer.stdout) as Value; // what rcronctl prints, and the test's claims are about that
    },
    log,
    events: (wanted) => {
      const text = readText(join(at("history"), "journal"));
      // What is behind the last newline is being written: a reader may see the half of it.
      const lines = text.split("\n").slice(0, -1).filter(Boolean);
      const events = lines.map((line) => {
        const event = parseEvent(line);
        if (event === undefined) throw new Error(`no event in the record: ${line}`);
        return event;
      });
      return wanted === undefined ? events : eventsOf(events, wanted);
    },
    lines: (name) => readText(at(name)).split("\n").slice(0, -1),
    [Symbol.asyncDispose]: async () => {
      for (const life of lives) {
        // The first one drains, the second ends the runs as well; what is stopped goes on for it.
        for (const signal of ["SIGCONT", "SIGTERM", "SIGTERM"] as const) life.kill(signal);
        if ((await Promise.race([life.exited, Bun.sleep(10_000)])) === undefined) life.kill("SIGKILL");
      }
      folder[Symbol.dispose]();
      if (!existsSync(lockFolder)) return;
      for (const name of readdirSync(lockFolder)) {
        if (name.startsWith(cluster)) rmSync(join(lockFolder, name), { force: true });
      }
    },
  };
}

/** The events of one job's runs, their ends included. */
function eventsOf(events: readonly RunEvent[], job: string): RunEvent[] {
  const runs = new Set<string>();
  for (const event of events) {
    if ((event.kind === "start" || event.kind === "skip") && event.job === job && event.run !== undefined)
      runs.add(event.run);
  }
  return events.filter((event) =>
    "job" in event ? event.job === job : event.run !== undefined && runs.has(event.run),
  );
}

/** Waits until something is so, for half a minute at most. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await isSo()); await Bun.sleep(20)) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
  }
}

/** How often a piece stands in a text. */
export function count(text: string, piece: string): number {
  return text.split(piece).length - 1;
}

/** Values that occur more than once. */
export function doubled(values: readonly string[]): string[] {
  return values.filter((value, at) => values.indexOf(value) !== at);
}

/**
 * What stands before a program whose clock is a file: one processor for all its threads. libfaketime has no lock around its reading of
 * the file, and a thread that asks while another one reads is told the machine's time, once in 100,000 times.
 */
export function onOneProcessor(): string[] {
  const allowed = readText("/proc/self/status");
  return ["taskset", "-c", /^Cpus_allowed_list:\s*(\d+)/m.exec(allowed)?.[1] ?? "0"];
}

/** A clock that the daemon is given in place of the machine's, for a life: so many seconds ahead of it. */
export function clockAhead(seconds: number): Record<string, string> {
  return { LD_PRELOAD: clockLibrary, FAKETIME: `+${seconds}s`, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/**
 * One start of a program that takes a job's script on its standard input: what the script says on the way, and how all of it
 * ended.
 */
import { HeadTail } from "../model/head-tail.ts";
import type { Job } from "../model/job.ts";
import type { Outcome } from "../model/outcome.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { openGivenInput } from "../system/given-input.ts";
import { pipeLibc } from "../system/libc.ts";
import { closeFd } from "../system/pipe.ts";
import { type CommandEnd, endOfCommand } from "./command-end.ts";
import type { ScriptMark, ScriptToken } from "./job-script.ts";
import type { LocalRun, RunTerms, StopRequest } from "./local.ts";
import { type OutputName, RelayedPipes } from "./relayed-pipes.ts";
import { ScriptOutput } from "./script-output.ts";
import { notStarted } from "./ssh/remote-end.ts";

/** What starts programs of this machine: a `Hosting`. */
export interface ProgramHosting {
  prepare(job: Job, terms: RunTerms): LocalRun;
}

/** The program, and whom it reaches. */
export interface CommandNode {
  readonly hosting: ProgramHosting;
  readonly words: readonly [program: string, ...args: string[]];
  /** The node's name, for messages. */
  readonly host: string;
}

/** What is started, and who hears of it. */
export interface CommandRunOptions extends CommandNode {
  readonly script: Uint8Array;
  readonly token: ScriptToken;
  /** Of the job, for messages. */
  readonly workingFolder?: string | undefined;
  readonly stop: StopRequest | undefined;
  /** Descriptors that have the output, copied before anything starts; undefined: nobody has it. */
  readonly sinks: Readonly<Record<OutputName, number>> | undefined;
  /** The program is there; it has its ends of the descriptors. */
  readonly onStarted?: ((pid: number | undefined) => void) | undefined;
  /** The shell is there, and begins. */
  readonly onBegun?: (() => void) | undefined;
  readonly onWarning?: ((sentence: string) => void) | undefined;
}

/** How long the program may be silent when the job has ended; then it is left to itself. */
const lingerMs = 1500;
/** The longest that it is waited for then, however much it says. */
const lingerLimitMs = 60_000;
const keptBytes = 1024;
const shownLength = 300;

/** Runs it to its end, however long that takes. Never throws but for a defect. */
export function runCommand(options: CommandRunOptions): Promise<CommandEnd> {
  return new CommandRun(options).run();
}

class CommandRun {
  readonly #options: CommandRunOptions;
  readonly #output: ScriptOutput;
  /** What was printed before the job began. */
  readonly #noise: Readonly<Record<OutputName, HeadTail>> = {
    stdout: new HeadTail(keptBytes),
    stderr: new HeadTail(keptBytes),
  };
  readonly #isLeft = Promise.withResolvers<undefined>();
  #pipes: RelayedPipes | undefined;
  #hasBegun = false;
  #verdict: ScriptMark | undefined;
  #lingerTimer: Timer | undefined;
  #lingerEndMs = 0;

  constructor(options: CommandRunOptions) {
    this.#options = options;
    this.#output = new ScriptOutput(options.token, {
      onBytes: (bytes) => this.#pipes?.write("stdout", bytes),
      onMark: (mark) => this.#heed(mark),
      onNoise: (bytes) => this.#noise.stdout.add(bytes),
    });
  }

  async run(): Promise<CommandEnd> {
    const { host, words, workingFolder, script, sinks, stop } = this.#options;
    const pipes = RelayedPipes.open(sinks, (name, bytes) => this.#receive(name, bytes));
    if (pipes instanceof Problem) return { outcome: notStarted(pipes) };
    this.#pipes = pipes;
    const scriptFd = openGivenInput(script);
    if (typeof scriptFd === "object") {
      pipes.given();
      await pipes.close();
      const problem = new Problem("internal", `the job can't be given to the program: ${scriptFd.text}`);
      return { outcome: notStarted(problem) };
    }
    const program = await Promise.race([this.#start(pipes, scriptFd), this.#isLeft.promise]);
    clearTimeout(this.#lingerTimer);
    const wasStopped = stop?.signal.aborted === true;
    // Before the last of the output is read: what nobody has taken by now, nobody will.
    const wasTaken = takeRest(scriptFd) < 2; // without its last line's end a script is as good
    closeFd(scriptFd);
    pipes.given();
    if (program !== undefined) await pipes.readRest();
    clearTimeout(this.#lingerTimer);
    this.#output.end();
    await pipes.close();
    return endOfCommand({
      host,
      words,
      workingFolder,
      program,
      wasStopped,
      wasTaken,
      hasBegun: this.#hasBegun,
      verdict: this.#verdict,
      lastLine: lastLine(this.#noise.stderr) || lastLine(this.#noise.stdout),
    });
  }

  /** On this machine the program has nothing of the job's but the mark by which its processes are found. */
  #start(pipes: RelayedPipes, scriptFd: number): Promise<Outcome> {
    const { hosting, words, host, stop, onStarted, onWarning } = this.#options;
    const program: Job = {
      name: host,
      command: { kind: "words", words },
      environment: stop === undefined ? [] : [{ name: "RCRON_RUN_ID", value: stop.runId }],
      niceLevel: process.getBuiltinModule("node:os").getPriority(),
    };
    const launch = hosting.prepare(program, { isGroup: true, workingFolder: "/" });
    return launch.run({
      stop,
      streams: { stdin: scriptFd, ...pipes.writeFds },
      onStarted: (pid) => {
        pipes.given();
        onStarted?.(pid);
      },
      ...(onWarning !== undefined && { onWarning }),
    });
  }

  #receive(name: OutputName, bytes: Uint8Array): void {
    if (name === "stdout") this.#output.push(bytes);
    else {
      if (!this.#hasBegun) this.#noise.stderr.add(bytes);
      this.#pipes?.write("stderr", bytes);
    }
    if (this.#verdict !== undefined) this.#linger();
  }

  #heed(mark: ScriptMark): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#options.onBegun?.();
    }
    if (mark.kind === "begun" || this.#verdict !== undefined) return;
    this.#verdict = mark;
    this.#lingerEndMs = performance.now() + lingerLimitMs;
  }

  /** Something that the job left behind may keep the program for as long as it likes. */
  #linger(): void {
    clearTimeout(this.#lingerTimer);
    const leftMs = Math.max(0, this.#lingerEndMs - performance.now());
    this.#lingerTimer = setTimeout(
      () => {
        if (this.#pipes?.isBlocked && performance.now() < this.#lingerEndMs) this.#linger();
        else this.#isLeft.resolve(undefined);
      },
      Math.min(lingerMs, leftMs),
    );
  }
}

/** Takes what is unread of a script, so that nobody can have all of it any more. @returns how many bytes that were */
function takeRest(scriptFd: number): number {
  const buffer = new Uint8Array(64 * 1024);
  for (let bytes = 0; ; ) {
    const count = Number(pipeLibc()?.read(scriptFd, buffer, buffer.length) ?? 0);
    if (count <= 0) return bytes;
    bytes += count;
  }
}

function lastLine(noise: HeadTail): string {
  const { head, tail } = noise.kept();
  const text = new TextDecoder().decode(tail.length > 0 ? tail : head).trimEnd();
  return printable(text.slice(text.lastIndexOf("\n") + 1).slice(0, shownLength));
}

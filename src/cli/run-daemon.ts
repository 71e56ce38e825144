/**
 * `rcrond` at work: the parts list of the scheduler, and what its signals do.
 *
 * SIGHUP reads configuration and jobs again. SIGTERM or SIGINT ends it: nothing is started any more, what goes on is waited for
 * (`stop_timeout`) and then ended; the second one ends it at once.
 */
import { brokenInWords, Daemon, TickBook } from "../daemon/daemon.ts";
import { loadHosting } from "../execute/execute.ts";
import { type DaemonConf, type LoadedConf, readDaemonConf } from "../gate/gate.ts";
import { historyFolder } from "../history/history.ts";
import { type BrokenFile, type JobChange, type JobSet, type JobWatch, watchJobs } from "../jobs/jobs.ts";
import type { ChangeCounts } from "../model/control-message.ts";
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { readBootId } from "../system/boot.ts";
import { readHostName } from "../system/host-name.ts";
import { type ServiceManager, serviceManager } from "../system/sd-notify.ts";
import { longTimer } from "../system/timers.ts";
import { probeSocket } from "../system/unix-address.ts";
import { ownSocket } from "./ask-daemon.ts";
import { baseEnvironment } from "./daemon-environment.ts";
import { type RunParts, runParts } from "./daemon-fleet.ts";
import { daemonGate } from "./daemon-gate.ts";
import { DaemonLock } from "./daemon-lock.ts";
import { DaemonLog } from "./daemon-log.ts";
import { listenForWords } from "./daemon-socket.ts";
import { findJobs, type JobSource, type NamedPlaces } from "./find-jobs.ts";
import { RunTeller } from "./run-teller.ts";
import { say } from "./terminal.ts";
import { version } from "./version.ts";

/** How long a log that takes nothing is waited for at the end. */
const lastLogMs = 1000;
/** From a change of the jobs to the collection of what it has left behind. */
const tidyAfterMs = 200;
/** Of many changed jobs the first ones are named in the log. */
const namedJobs = 5;

/**
 * Runs until it is ended.
 * @returns the exit status 0, also where another one is at work already; or the Problem for which it can't begin
 */
export async function runDaemon(named: NamedPlaces, source: JobSource): Promise<number | Problem> {
  const { loaded } = source;
  const daemonConf = await readDaemonConf(loaded);
  if (daemonConf instanceof Problem) return daemonConf;
  const stateFolder = daemonConf.stateFolder ?? usualStateFolder();
  if (stateFolder === undefined) {
    return new Problem("not-found", "there is no home to keep the daemon's state in", {
      hint: "set state_folder in the section [daemon] of rcron.conf",
    });
  }
  const lock = DaemonLock.take(stateFolder);
  if (lock === "taken") {
    // Started from cron each minute: the one that is at work goes on, and nobody wants a mail about it.
    if (process.getBuiltinModule("node:tty").isatty(2)) {
      say("rcrond", "another one is at work already: rcronctl status");
    }
    return 0;
  }
  if (lock instanceof Problem) return lock;
  const path = ownSocket(daemonConf.socket);
  if (path !== undefined && probeSocket(path) === "live") {
    lock.release();
    return new Problem(
      "conflict",
      `another rcrond, with another state folder, answers on ${printable(path)}`,
      {
        hint: "each needs a socket of its own: socket in the section [daemon] of rcron.conf",
      },
    );
  }
  try {
    return await new Scheduler(named, source, { loaded, daemonConf, stateFolder, lock }).run();
  } finally {
    lock.release();
  }
}

/** Root's beside the record; another user's below it. */
function usualStateFolder(): string | undefined {
  const folder = historyFolder("auto");
  return folder && `${folder}/daemon`;
}

interface Configured {
  loaded: LoadedConf;
  readonly daemonConf: DaemonConf;
  readonly stateFolder: string;
  readonly lock: DaemonLock;
}

class Scheduler {
  readonly #named: NamedPlaces;
  readonly #source: JobSource;
  readonly #configured: Configured;
  readonly #log: DaemonLog;
  readonly #manager: ServiceManager;
  readonly #sinceMs = Date.now();
  /** What is broken now, and has been told. */
  #troubles: ReadonlySet<string> = new Set();
  /** What was told besides. */
  readonly #told = new Set<string>();
  readonly #end = Promise.withResolvers<string>();
  #daemon: Daemon | undefined;
  #parts: RunParts | undefined;
  #isEnding = false;
  #watch: JobWatch | undefined;
  #tidying: Timer | undefined;
  #reloading: Promise<JobChange | undefined | Problem> = Promise.resolve(undefined);

  constructor(named: NamedPlaces, source: JobSource, configured: Configured) {
    this.#named = named;
    this.#source = source;
    this.#configured = configured;
    this.#manager = serviceManager(process.env);
    this.#log = new DaemonLog(configured.loaded.conf, configured.daemonConf.log);
  }

  async run(): Promise<number | Problem> {
    const { daemonConf, loaded } = this.#configured;
    this.#onSignals();
    for (const warning of loaded.warnings) this.#log.warn(warning);
    const environment = baseEnvironment(process.env);
    const room = await loadHosting();
    const hosting = new room.Hosting({ baseEnvironment: environment });
    const gate = daemonGate(() => this.#configured.loaded.conf);
    const settings = {
      room,
      hosting,
      log: this.#log,
      hostName: readHostName(),
      environment,
      niceLevel: process.getBuiltinModule("node:os").getPriority(),
      conf: () => this.#configured.loaded.conf,
      confPath: this.#named.conf,
      recordFolder: () => historyFolder(this.#configured.loaded.conf.history),
      judge: () => gate.judge(),
      clock: { nowMs: Date.now, after: longTimer },
      stateFolder: this.#configured.stateFolder,
      healthCheckMs: this.#source.healthCheckMs ?? daemonConf.healthCheckMs,
      limits: daemonConf,
    };
    const teller = new RunTeller(settings);
    const parts = runParts(settings, teller);
    const { executor, fleet } = parts;
    this.#parts = parts;
    const book = TickBook.open(this.#configured.stateFolder, (sentence) => this.#log.warn(sentence));
    const daemon = new Daemon({
      zone: this.#source.zone,
      hostName: readHostName(),
      boot: readBootId(),
      concurrency: daemonConf.concurrency,
      stopTimeoutMs: daemonConf.stopTimeoutMs,
      lookBackMs: daemonConf.lookBackMs,
      clock: settings.clock,
      executor,
      recorder: teller,
      gate,
      book,
      log: (level, sentence) =>
        level === "warning" ? this.#log.warn(sentence) : this.#log.info(printable(sentence)),
      random: Math.random,
    });
    this.#daemon = daemon;
    const watch = await watchJobs({
      ...this.#source.options,
      onChange: (change) => this.#takeUp(change),
      onProblem: (problem) => this.#log.problem(problem),
    });
    this.#watch = watch;
    this.#tellBroken(watch.set.broken);
    for (const warning of watch.set.warnings) this.#log.warn(warning.message);
    await parts.setNodes([...watch.set.nodes.values()]);
    // Ended while it was reading: nothing is begun that would have to be ended at once.
    if (!this.#isEnding) daemon.start(watch.set);
    const control = this.#listen(daemon, book, teller);
    const beat = this.#startWatchdog();
    const lockWatch = this.#configured.lock.watch((sentence) => this.#log.warn(sentence));
    const status = this.#inWords(watch.set);
    this.#log.info(`rcrond ${version} is at work: ${status}`);
    this.#manager.ready(status);
    // Built for a prefix that is over in milliseconds (bin/build.ts); from here on what is done over and over is worth compiling.
    Bun.unsafe.setJITPolicy(1);

    const reason = await this.#end.promise;
    this.#log.info(`ends: ${reason}`);
    this.#manager.stopping(daemonConf.stopTimeoutMs + loaded.conf.stopGraceMs + lastLogMs);
    watch.close();
    await daemon.drain(`rcrond was ended (${reason})`, (count) => {
      this.#log.info(`waits for ${count} ${count === 1 ? "run" : "runs"}`);
    });
    await control?.close();
    clearInterval(beat);
    lockWatch.cancel();
    await fleet.close();
    hosting.close();
    book.close();
    this.#log.info("ended");
    await this.#log.close(lastLogMs);
    return 0;
  }

  /** A defect: told, and the scheduler goes on. */
  #onFault(error: unknown): void {
    this.#log.warn(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
  }

  #onSignals(): void {
    // The runtime would end the process, and with it every job's watcher.
    process.on("unhandledRejection", (error) => this.#onFault(error));
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (this.#isEnding) this.#daemon?.endRuns(`rcrond was ended (${signal})`);
        this.#isEnding = true;
        this.#end.resolve(signal);
      });
    }
    process.on("SIGHUP", () => {
      this.#reload();
    });
  }

  /** Configuration and jobs, read anew. What is broken leaves everything as it was. One at a time. */
  #reload(): Promise<JobChange | undefined | Problem> {
    this.#reloading = this.#reloading
      .then(() => this.#reloadNow())
      .catch((error: unknown) => {
        this.#onFault(error);
        return new Problem("internal", "it could not be read again; the log has more");
      });
    return this.#reloading;
  }

  async #reloadNow(): Promise<JobChange | undefined | Problem> {
    const watch = this.#watch;
    if (watch === undefined) return undefined;
    this.#manager.reloading();
    const result = await this.#readAnew(watch);
    if (result instanceof Problem) {
      this.#log.problem(result);
      this.#log.warn("nothing was read again: all is as it was");
    } else {
      if (result !== undefined) this.#takeUp(result);
      this.#log.info("configuration and jobs were read again");
    }
    this.#manager.ready(this.#inWords(watch.set));
    return result;
  }

  async #readAnew(watch: JobWatch): Promise<JobChange | undefined | Problem> {
    const source = await findJobs(this.#named);
    if (source instanceof Problem) return source;
    const { loaded } = source;
    const daemonConf = await readDaemonConf(loaded);
    if (daemonConf instanceof Problem) return daemonConf;
    for (const warning of loaded.warnings) this.#log.warn(warning);
    this.#configured.loaded = loaded;
    this.#log.change(loaded.conf, daemonConf.log);
    const { log: _, ...fixed } = daemonConf;
    const { log: __, ...before } = this.#configured.daemonConf;
    if (!Bun.deepEquals(fixed, before)) {
      this.#log.warn("the section [daemon] has changed: it counts from the next start on");
    }
    return watch.reload(source.options.terms);
  }

  #takeUp(change: JobChange): void {
    const { added, changed, removed, nodes, set } = change;
    this.#daemon?.setJobs(set);
    if (nodes !== undefined) this.#takeUpNodes(set);
    this.#tidyUp();
    const parts = [
      ["added", added],
      ["changed", changed],
      ["removed", removed],
    ] as const;
    const told = parts.filter(([, jobs]) => jobs.length > 0).map(([what, jobs]) => `${what} ${names(jobs)}`);
    if (told.length > 0) this.#log.info(printable(`jobs: ${told.join("; ")}`));
    this.#tellBroken(change.broken);
    for (const warning of set.warnings) this.#tellOnce(warning.message);
    this.#manager.status(this.#inWords(set));
  }

  /** Runs that go on stay where they are. */
  #takeUpNodes({ nodes }: JobSet): void {
    void this.#parts?.setNodes([...nodes.values()]);
    this.#log.info(`nodes: ${nodes.size === 0 ? "none" : names([...nodes.values()])}`);
  }

  /**
   * A look at 10,000 files leaves megabytes behind, and the runtime lets them come together: a few changes in a row would
   * double this process. Some times a second at most, for it takes some 20 ms.
   */
  #tidyUp(): void {
    this.#tidying ??= setTimeout(() => {
      this.#tidying = undefined;
      Bun.gc(true);
    }, tidyAfterMs);
    this.#tidying.unref();
  }

  /** Each problem once, for as long as it is there. */
  #tellBroken(broken: readonly BrokenFile[]): void {
    const now = new Set<string>();
    for (const { problems } of broken) {
      for (const problem of problems) {
        now.add(problem.message);
        if (!this.#troubles.has(problem.message)) this.#log.problem(problem);
      }
    }
    this.#troubles = now;
  }

  #tellOnce(sentence: string): void {
    if (this.#told.has(sentence)) return;
    if (this.#told.size > 10_000) this.#told.clear();
    this.#told.add(sentence);
    this.#log.warn(sentence);
  }

  #listen(daemon: Daemon, book: TickBook, teller: RunTeller): { close(): Promise<void> } | undefined {
    const { daemonConf, loaded } = this.#configured;
    const clean = (text: string) => this.#log.clean(text);
    const context = {
      daemon,
      fleet: this.#parts?.fleet,
      about: {
        version,
        pid: process.pid,
        sinceMs: this.#sinceMs,
        host: readHostName(),
        cluster: loaded.conf.clusterName,
      },
      warnings: () =>
        [book.trouble, this.#configured.lock.trouble, teller.trouble, this.#log.trouble].filter(
          (each) => each !== undefined,
        ),
      clean,
      reload: async () => {
        const change = await this.#reload();
        if (change instanceof Problem) return change;
        const broken = brokenInWords(change?.broken ?? this.#watch?.set.broken ?? [], clean);
        const nodes = countsOf(change?.nodes);
        const isFleet = (this.#watch?.set.nodes.size ?? 0) + nodes.removed > 0;
        return { kind: "reload" as const, ...countsOf(change), ...(isFleet && { nodes }), broken };
      },
    };
    return listenForWords(daemonConf, context, this.#log, (error) => this.#onFault(error));
  }

  /** A sign of life from the loop itself: when that stands still, there is none. */
  #startWatchdog(): Timer | undefined {
    const { watchdogIntervalMs } = this.#manager;
    if (watchdogIntervalMs === undefined) return undefined;
    return setInterval(() => this.#manager.watchdog(), watchdogIntervalMs);
  }

  #inWords({ jobs, fileCount, broken }: JobSet): string {
    const trouble = broken.length === 0 ? "" : `, ${broken.length} broken`;
    return `${jobs.size} ${jobs.size === 1 ? "job" : "jobs"} in ${fileCount} ${fileCount === 1 ? "file" : "files"}${trouble}`;
  }
}

type Differences = Readonly<Record<"added" | "changed" | "removed", readonly unknown[]>>;

function countsOf(found: Differences | undefined): ChangeCounts {
  const { added, changed, removed } = found ?? { added: [], changed: [], removed: [] };
  return { added: added.length, changed: changed.length, removed: removed.length };
}

function names(jobs: readonly { readonly name: string }[]): string {
  const shown = jobs.slice(0, namedJobs).map(({ name }) => name);
  return `${shown.join(", ")}${jobs.length > namedJobs ? ` and ${jobs.length - namedJobs} more` : ""}`;
}

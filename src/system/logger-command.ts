/**
 * The log where no C function can be called: logger(1), one process a line, one after the other so that the lines stay
 * in order, none of them waited for by the job and none outliving this process.
 */
import type { Facility, Level } from "../model/syslog-names.ts";

const loggerPath = "/usr/bin/logger";

interface Line {
  readonly priority: string;
  readonly message: string;
}

/** The lines of one run. */
export class LoggerCommand {
  readonly #tag: string;
  readonly #waiting: Line[] = [];
  #running: { kill(signal: "SIGKILL"): void } | undefined;
  #whenDone: () => void = () => {};

  /**
   * @param ident the name that this program was called by
   * @param pid its process id
   */
  constructor(ident: string, pid: number) {
    this.#tag = `${ident}[${pid}]`;
  }

  /** Logs one message after those before it. Returns at once; never throws. */
  log(facility: Facility, level: Level, message: string): void {
    const name = (constant: string) => constant.slice("LOG_".length).toLowerCase();
    this.#waiting.push({ priority: `${name(facility)}.${name(level)}`, message });
    if (this.#running === undefined) this.#next();
  }

  /**
   * Waits until every line is out, and ends what is not.
   * @param waitMs for how long, in all
   */
  async close(waitMs: number): Promise<void> {
    if (this.#running === undefined) return;
    const done = new Promise<void>((resolve) => {
      this.#whenDone = resolve;
    });
    await Promise.race([done, Bun.sleep(waitMs)]);
    this.#waiting.length = 0;
    this.#running?.kill("SIGKILL");
  }

  #next(): void {
    this.#running = undefined;
    const line = this.#waiting.shift();
    if (line === undefined) {
      this.#whenDone();
      return;
    }
    try {
      const words = [loggerPath, "-t", this.#tag, "-p", line.priority, "--", line.message];
      const child = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
      child.unref();
      this.#running = child;
      // Its end may be lost (a caller that ignores SIGCHLD); that must not end this process, and the job's status with it.
      const next = () => this.#next();
      child.exited.then(next, next);
    } catch {
      this.#next(); // No logger either, or no process to be had: this line is lost, and the job runs all the same.
    }
  }
}

/**
 * Where the scheduler's lines go: to syslog, to standard error, or both (`log` of the section `[daemon]`). A person who
 * started it in a terminal sees them in any case.
 */
import type { Conf, DaemonConf } from "../gate/gate.ts";
import { printable } from "../model/printable.ts";
import type { Problem } from "../model/problem.ts";
import { redactor } from "../model/redact.ts";
import type { Level } from "../model/syslog-names.ts";
import { Syslog } from "../system/syslog.ts";
import { PatientLines } from "./patient-lines.ts";

/** A thousand jobs that start in one second have a line each. */
const queueLimit = 10_000;

/** The log of one daemon. Nothing here waits or throws. */
export class DaemonLog {
  readonly #syslog: Syslog;
  #conf: LogConf;
  #clean: (text: string) => string;
  /** Made at its first line: many daemons never have one. */
  #stderr: PatientLines | undefined;
  #where: DaemonConf["log"];
  readonly #isWatched: boolean;

  constructor(conf: LogConf, where: DaemonConf["log"]) {
    this.#conf = conf;
    this.#clean = redactor(conf.redact);
    this.#where = where;
    this.#isWatched = process.getBuiltinModule("node:tty").isatty(2);
    this.#syslog = new Syslog({ ident: "rcrond", pid: process.pid, queueLimit });
  }

  /** From now on as another configuration says. */
  change(conf: LogConf, where: DaemonConf["log"]): void {
    this.#conf = conf;
    this.#clean = redactor(conf.redact);
    this.#where = where;
  }

  /** True while more lines wait than is good. */
  get isBusy(): boolean {
    return this.#syslog.isBusy;
  }

  /** What nobody takes, in a sentence; undefined where all is taken. */
  get trouble(): string | undefined {
    const lost = this.#stderr?.lost ?? 0;
    return lost === 0 ? undefined : `nobody reads standard error: ${lost} log lines are lost there`;
  }

  /** A text without what `redact` describes: problems quote what files say, and that may be a secret. */
  clean(text: string): string {
    return this.#clean(text);
  }

  /** In the course of things. */
  info(line: string): void {
    this.#write(this.#conf.syslogLevel, line);
  }

  warn(sentence: string): void {
    this.#write("LOG_WARNING", `warning: ${shown(this.#clean(sentence))}`);
  }

  problem({ message, hint }: Problem): void {
    this.#write("LOG_ERR", shown(this.#clean(hint === undefined ? message : `${message} (${hint})`)));
  }

  /** Sends what waits. @param waitMs how long a log that takes nothing is waited for */
  async close(waitMs: number): Promise<void> {
    await this.#syslog.close(waitMs);
    this.#stderr?.close();
  }

  #write(level: Level, line: string): void {
    if (this.#where !== "stderr") this.#syslog.log(this.#conf.syslogFacility, level, line);
    if (this.#where === "syslog" && !this.#isWatched) return;
    this.#stderr ??= new PatientLines(2);
    this.#stderr.add(`rcrond: ${line}`);
  }
}

type LogConf = Pick<Conf, "syslogFacility" | "syslogLevel" | "redact">;

/** Quotes that stand around a value stay what they are; all else that is no plain text is escaped. */
function shown(sentence: string): string {
  return printable(sentence).replaceAll('\\"', '"');
}

/**
 * The failover bed seen from outside: hosts that are told what to do, line by line, and one record of all they say.
 *
 * bed.sh and host.sh do the work in namespaces; here are the folder between them and us, and its files as values.
 */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, onPrivateHost, run } from "../support/private-host.ts";
import type { Run } from "./oracle.ts";

/** What a bed needs of this machine, for describeOnPrivateHost. */
export const bedNeeds = ["dist/rcron", "keepalived", "python3", "flock", "logger"] as const;

export interface HostPlan {
  readonly name: string;
  /** Its /etc/rcron/rcron.conf. */
  readonly rcronConf: string;
  /** Its /etc/keepalived/keepalived.conf. */
  readonly keepalivedConf: string;
}

/** A line that a host's program wrote to syslog. */
export interface LogEntry {
  readonly at: number;
  readonly host: string;
  readonly ident: string;
  readonly message: string;
}

/** Longer than any scenario takes, also on a slow machine. */
const bedLifeMs = 120_000;

const job = `#!/bin/sh
echo "$(date +%s%3N) $BED_HOST $1 \${RCRON_STATE_EPOCH:-0}" >>"$BED/runs"
`;

export class Bed {
  readonly #folder: string;
  readonly #ended: Promise<Ended>;
  readonly #fifos: ReadonlyMap<string, number>;

  private constructor(folder: string, ended: Promise<Ended>, fifos: ReadonlyMap<string, number>) {
    this.#folder = folder;
    this.#ended = ended;
    this.#fifos = fifos;
  }

  /**
   * Sets the hosts up, with nothing running in them.
   * @param folder is made, and removed by `close`
   * @param program a copy of the built program: root's, for keepalived starts no other as a script
   * @throws {Error} where the bed can't be made, with what it said
   */
  static async open(folder: string, program: string, hosts: readonly HostPlan[]): Promise<Bed> {
    mkdirSync(folder);
    const names = hosts.map(({ name }) => name);
    for (const { name, rcronConf, keepalivedConf } of hosts) {
      writeFileSync(join(folder, `${name}.conf`), rcronConf);
      writeFileSync(join(folder, `${name}.keepalived`), keepalivedConf);
    }
    writeFileSync(join(folder, "job"), job, { mode: 0o755 });
    writeFileSync(join(folder, "record"), "");
    writeFileSync(join(folder, "runs"), "");
    const controls = ["net", ...names];
    await run(["mkfifo", ...controls.map((name) => join(folder, `${name}.do`))]);
    const script = `
install -d -m 755 /etc/keepalived /etc/keepalived/rcron
install -m 755 $etc/keepalived/*.sh /etc/keepalived/rcron/
'${join(import.meta.dir, "bed.sh")}' '${folder}' '${program}' ${names.join(" ")}`;
    let over = false;
    const ended = onPrivateHost(script, bedLifeMs).finally(() => {
      over = true;
    });
    for (const patience = Date.now() + 15_000; !existsSync(join(folder, "ready")); await Bun.sleep(20)) {
      if (over || Date.now() > patience)
        throw new Error(`the bed could not be made: ${(await ended).stderr}`);
    }
    // Both ways, so that opening never waits for the other end.
    const open = (name: string) => openSync(join(folder, `${name}.do`), constants.O_RDWR);
    return new Bed(folder, ended, new Map(controls.map((name) => [name, open(name)])));
  }

  /** Writes a line to a host, or to the network as `net`; bed.sh and host.sh say which there are. */
  tell(whom: string, line: string): void {
    const fifo = this.#fifos.get(whom);
    if (fifo === undefined) throw new Error(`no host ${whom} in this bed`);
    writeSync(fifo, `${line}\n`);
  }

  /** A tick of cron's, on every host at once. */
  tick(number: number): void {
    for (const host of this.#fifos.keys()) this.tell(host, host === "net" ? "still" : `tick ${number}`);
  }

  get runs(): Run[] {
    return this.#lines("runs").map((line) => {
      const [at, host = "", tick, epoch] = line.split(" ");
      return { at: Number(at), host, tick: Number(tick), epoch: Number(epoch) };
    });
  }

  get log(): LogEntry[] {
    return this.#lines("record").map((line) => {
      const [, at, host = "", ident = "", message = ""] =
        /^(\d+) (\S+) ([^\s:[]+)\S*: ?(.*)$/.exec(line) ?? [];
      return { at: Number(at), host, ident, message };
    });
  }

  /** What a host's programs wrote to standard error. */
  errorsOf(host: string): string {
    return readFileSync(join(this.#folder, `${host}.err`), "utf8");
  }

  /** What rcronctl said at the line `tell LABEL`. */
  toldBy(host: string, label: string): string {
    const path = join(this.#folder, `${host}.${label}.json`);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  async close(): Promise<void> {
    this.tell("net", "end");
    await this.#ended;
    for (const fifo of this.#fifos.values()) closeSync(fifo);
    await rm(this.#folder, { recursive: true, force: true });
  }

  #lines(name: string): string[] {
    // A line that is being written is left for the next reading.
    const text = readFileSync(join(this.#folder, name), "utf8");
    return text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .slice(0, -1);
  }
}

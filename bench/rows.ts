/**
 * What is measured side by side: each row is a command, the machine's state that it finds, and its bound.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatState, nameWriter } from "../src/model/provenance.ts";
import { readBootId, readUptimeS } from "../src/system/boot.ts";
import { findProcess } from "../src/system/other-processes.ts";
import { project } from "./private-host.ts";

export interface Row {
  readonly name: string;
  /** The program by its absolute path, and its arguments. */
  readonly words: readonly string[];
  readonly state: "active" | "passive";
  readonly niceLevel: number;
  /** True where rcron.conf asks every witness, and the state file tells all that they need. */
  readonly hasWitnesses?: boolean;
  /** At most so many times the floor; undefined for a row that is there for comparison. */
  readonly bound?: number;
  /** How many lines it leaves in the log. */
  readonly logLines: number;
  /** Why it can't be measured here. */
  readonly missing?: string;
}

/** Where the measurement keeps its files. */
export interface Places {
  /** The fresh copies of the two programs. */
  readonly floor: string;
  readonly rcron: string;
  /** rcron.conf under a name of its own, for `--conf`. */
  readonly namedConf: string;
  /** The default path of rcron.conf where this is a private host. */
  readonly defaultConf: string | undefined;
  readonly state: string;
  readonly lock: string;
}

/** Debian cron's own environment for a job: also what the measured programs get. */
export const environment = { HOME: "/root", LOGNAME: "root", SHELL: "/bin/sh", PATH: "/usr/bin:/bin" };

/** The places for a work folder. */
export function placesIn(folder: string, isPrivateHost: boolean): Places {
  return {
    floor: join(folder, "copy/floor"),
    rcron: join(folder, "copy/rcron"),
    namedConf: join(folder, "named.conf"),
    defaultConf: isPrivateHost ? "/etc/rcron/rcron.conf" : undefined,
    state: isPrivateHost ? "/var/run/rcron.state" : join(folder, "rcron.state"),
    lock: join(folder, "lock"),
  };
}

/** The rows of one measurement; the first one is the floor. */
export function rowsFor(places: Places): readonly Row[] {
  const common = { state: "passive", niceLevel: 19, logLines: 0 } as const;
  const passive = { ...common, logLines: 1 };
  const active = { ...common, state: "active", logLines: 2 } as const;
  const named = ["--conf", places.namedConf];
  const script = join(import.meta.dir, "same-steps.py");
  // On a host that is not private only a named configuration is ours to write.
  const plain = places.defaultConf === undefined ? named : [];
  const rows: Row[] = [
    { ...common, name: "empty program (the floor)", words: [places.floor] },
    { ...common, name: "nice true", words: program("nice", "true") },
    { ...common, name: "flock FILE true", words: program("flock", places.lock, "true") },
    { ...common, name: "chronic true", words: program("chronic", "true") },
    { ...common, name: "nice -n 0 empty program", words: program("nice", "-n", "0", places.floor) },
    { ...common, name: "nice -n 19 empty program", words: program("nice", "-n", "19", places.floor) },
    { ...passive, name: "Python, passive", words: program("python3", script, places.namedConf, "true") },
    { ...active, name: "Python, active", words: program("python3", script, places.namedConf, "true") },
    {
      ...passive,
      name: "rcron true, passive",
      words: [places.rcron, "true"],
      bound: 1.3,
      ...(plain.length > 0 && { missing: "needs an /etc/rcron of its own" }),
    },
    {
      ...passive,
      name: "rcron --conf FILE true, passive",
      words: [places.rcron, ...named, "true"],
      bound: 1.5,
    },
    {
      ...passive,
      name: `rcron ${plain.length > 0 ? "--conf FILE " : ""}true, passive, all witnesses`,
      words: [places.rcron, ...plain, "true"],
      hasWitnesses: true,
      bound: 1.5,
    },
    {
      ...active,
      name: ["rcron", ...(plain.length > 0 ? ["--conf FILE"] : []), "true, active"].join(" "),
      words: [places.rcron, ...plain, "true"],
      bound: 2.2,
    },
    {
      ...active,
      name: "the same with nice_level = 0",
      words: [places.rcron, ...plain, "true"],
      niceLevel: 0,
    },
  ];
  return rows.map((row) =>
    row.words[0] !== "" || row.missing ? row : { ...row, missing: `${row.words[1]}: not installed` },
  );
}

/** A program by its absolute path; an empty path and its name where it is not installed. */
function program(name: string, ...args: string[]): string[] {
  const path = environment.PATH.split(":")
    .map((folder) => join(folder, name))
    .find((candidate) => existsSync(candidate));
  return path === undefined ? ["", name] : [path, ...args];
}

const example = readFileSync(join(project, "etc/rcron.conf.example"), "utf8");

/** The configuration: the example as it is installed, with all its comments, and the row's own values. */
export function confFor(
  places: Places,
  { niceLevel, hasWitnesses }: Pick<Row, "niceLevel" | "hasWitnesses">,
): string {
  const values: Record<string, string | number> = {
    nice_level: niceLevel,
    state_file: places.state,
    ...(hasWitnesses && {
      require_writer: "yes",
      require_boot: "yes",
      require_address: "192.0.2.99", // nobody's, as a passive machine's virtual address is another one's
      state_max_age: "1h",
      when_in_doubt: "active", // a doubt would run the job, and its missing line would be noticed
    }),
  };
  let conf = example;
  for (const [key, value] of Object.entries(values)) {
    const line = new RegExp(`^${key} = .*$`, "m");
    if (!line.test(conf)) throw new Error(`the example configuration has no ${key}`);
    conf = conf.replace(line, `${key} = ${value}`);
  }
  return conf;
}

/** The state file: the bare word, or all that `rcronctl state set` writes, with this process behind it. */
export function stateFor({ state, hasWitnesses }: Pick<Row, "state" | "hasWitnesses">): string {
  if (!hasWitnesses) return `${state}\n`;
  const own = findProcess(process.pid);
  const bootId = readBootId();
  const uptimeS = readUptimeS();
  if (own === undefined || bootId === undefined || uptimeS === undefined)
    throw new Error("/proc tells nothing");
  const nowMs = Date.now();
  return formatState(state, {
    epoch: nowMs,
    instance: "RCRON",
    event: state === "active" ? "MASTER" : "BACKUP",
    writer: nameWriter(own),
    bootId,
    sinceMs: nowMs,
    writtenAtMs: nowMs,
    uptimeS,
    order: { startTicks: own.startTicks, pid: own.pid },
  });
}

/**
 * What is measured side by side: each row is a command, the machine's state that it finds, and its bound.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatState, nameWriter } from "../src/model/provenance.ts";
import { readBootId, readUptimeS } from "../src/system/boot.ts";
import { findProcess } from "../src/system/other-processes.ts";
import { historyFolder, project } from "./private-host.ts";

export interface Row {
  readonly name: string;
  /** The program by its absolute path, and its arguments. */
  readonly words: readonly string[];
  readonly state: "active" | "passive";
  readonly niceLevel: number;
  /** True where the record is kept, as it is by default; else rcron.conf has `history = none`. */
  readonly hasRecord: boolean;
  /** True where rcron.conf asks every witness, and the state file tells all that they need. */
  readonly hasWitnesses?: boolean;
  /** At most so many times the floor; undefined for a row that is there for comparison. */
  readonly bound?: number;
  /** How many lines it leaves in the log. */
  readonly logLines: number;
  /** How many lines it leaves in the record's journal. */
  readonly recordLines: number;
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
  /** Where the record is kept. */
  readonly history: string;
}

/** Two rows against each other. */
export interface Pair {
  readonly name: string;
  /** What is told of the two: the first one's time less the second's in ms, or the first one's in parts of the second's. */
  readonly kind: "difference" | "ratio";
  readonly rows: readonly [Row, Row];
  /** At most so much. */
  readonly bound: number;
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
    history: isPrivateHost ? historyFolder : join(folder, "history"),
  };
}

/** The rows of one measurement, the first of them the floor, and the pairs among them. */
export function rowsFor(places: Places): { readonly rows: readonly Row[]; readonly pairs: readonly Pair[] } {
  const others = { state: "passive", niceLevel: 19, hasRecord: false, logLines: 0, recordLines: 0 } as const;
  const passive = { ...others, logLines: 1 };
  const active = { ...others, state: "active", logLines: 2 } as const;
  const named = ["--conf", places.namedConf];
  const script = join(import.meta.dir, "same-steps.py");
  // On a host that is not private only a named configuration is ours to write.
  const isPrivate = places.defaultConf !== undefined;
  const plain = isPrivate ? [] : named;
  const rcron = ["rcron", ...(isPrivate ? [] : ["--conf FILE"])].join(" ");
  const onlyPrivate = (what: string) => (isPrivate ? {} : { missing: `needs ${what} of its own` });
  const floor: Row = { ...others, name: "empty program (the floor)", words: [places.floor] };
  const chain: Row = {
    ...others,
    name: "flock -n FILE timeout 60 chronic true",
    words: program("flock", "-n", places.lock, "timeout", "60", "chronic", "true"),
    ...(["timeout", "chronic"].some((name) => program(name)[0] === "") && { missing: "not all installed" }),
  };
  const passiveRow: Row = {
    ...passive,
    name: "rcron true, passive, no record",
    words: [places.rcron, "true"],
    bound: 1.3,
    ...onlyPrivate("an /etc/rcron"),
  };
  const passiveRecorded: Row = {
    ...passiveRow,
    name: "rcron true, passive",
    hasRecord: true,
    recordLines: 1,
    bound: 1.4,
  };
  const activeTrue = { ...active, words: [places.rcron, ...plain, "true"] };
  const activeRow: Row = { ...activeTrue, name: `${rcron} true, active, no record`, bound: 2.2 };
  const activeRecorded: Row = {
    ...activeTrue,
    name: `${rcron} true, active`,
    hasRecord: true,
    recordLines: 2,
  };
  const supervised: Row = {
    ...active,
    name: `${rcron} with lock, timeout, quiet unless failed`,
    words: [
      places.rcron,
      ...plain,
      ..."--overlap skip --timeout 1m --output if-error:cron".split(" "),
      "true",
    ],
    hasRecord: true,
    recordLines: 2,
    bound: 2.8,
    ...onlyPrivate("a /run"), // for its lock
  };
  const witnessed = { ...passive, words: [places.rcron, ...plain, "true"], hasWitnesses: true };
  const rows: Row[] = [
    floor,
    { ...others, name: "nice true", words: program("nice", "true") },
    { ...others, name: "flock -n FILE true", words: program("flock", "-n", places.lock, "true") },
    { ...others, name: "timeout 60 true", words: program("timeout", "60", "true") },
    { ...others, name: "chronic true", words: program("chronic", "true") },
    chain,
    { ...others, name: "nice -n 0 empty program", words: program("nice", "-n", "0", places.floor) },
    { ...others, name: "nice -n 19 empty program", words: program("nice", "-n", "19", places.floor) },
    { ...passive, name: "Python, passive", words: program("python3", script, places.namedConf, "true") },
    { ...active, name: "Python, active", words: program("python3", script, places.namedConf, "true") },
    passiveRow,
    passiveRecorded,
    {
      ...passive,
      name: "rcron --conf FILE true, passive, no record",
      words: [places.rcron, ...named, "true"],
      bound: 1.5,
    },
    { ...witnessed, name: `${rcron} true, passive, all witnesses, no record`, bound: 1.5 },
    {
      ...witnessed,
      name: `${rcron} true, passive, all witnesses`,
      hasRecord: true,
      recordLines: 1,
    },
    activeRow,
    { ...activeTrue, name: "the same with nice_level = 0", niceLevel: 0 },
    activeRecorded,
    supervised,
  ];
  const difference = (name: string, first: Row, second: Row): Pair => ({
    name,
    kind: "difference",
    rows: [first, second],
    bound: 0.5,
  });
  const pairs: Pair[] = [
    difference("what the record adds, passive", passiveRecorded, passiveRow),
    difference("what the record adds, active", activeRecorded, activeRow),
    {
      name: "lock, timeout, quiet unless failed: rcron / the three chained",
      kind: "ratio",
      rows: [supervised, chain],
      bound: 1 / 3,
    },
  ];
  for (const [at, row] of rows.entries()) {
    if (row.words[0] !== "" || row.missing) continue;
    rows[at] = { ...row, missing: `${row.words[1]}: not installed` };
  }
  return { rows, pairs };
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
  { niceLevel, hasRecord, hasWitnesses }: Pick<Row, "niceLevel" | "hasRecord" | "hasWitnesses">,
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
  const history = hasRecord ? (places.defaultConf === undefined ? places.history : "auto") : "none";
  if (/^history = /m.test(conf)) values["history"] = history;
  else if (history !== "auto") conf = `history = ${history}\n${conf}`;
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

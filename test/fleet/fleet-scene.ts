/**
 * The built rcrond on its machine among three hosts, and what is to be known of a run on them: what the record says, and what really
 * happened on the nodes. Each job writes its run and its node down as the first thing it does, so that a run that was started twice,
 * or never, is seen.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EndEvent, SkipEvent } from "../../src/model/run-event.ts";
import {
  type Life,
  type LifeOptions,
  type Scheduler,
  type SchedulerLines,
  scheduler,
  until,
} from "../daemon/system/scheduler.ts";
import { type HostName, hostNames, type ThreeHosts } from "./three-hosts.ts";

/** What a scene is made of besides its hosts. */
export interface SceneOptions {
  /** Job files, by name: lines of {@link jobOn}. */
  readonly jobs?: Readonly<Record<string, string>>;
  /** The nodes, with further lines for each; all three without. */
  readonly nodes?: Partial<Readonly<Record<HostName, readonly string[]>>>;
  /** Further sections. */
  readonly sections?: readonly string[];
  readonly daemon?: readonly string[];
  readonly top?: readonly string[];
}

/** How a run is told to have ended. */
export interface Told {
  /** Of its end; none where it was skipped. */
  readonly end: EndEvent | undefined;
  readonly skip: SkipEvent | undefined;
  readonly isOk: boolean;
  /** `web1 success 0`, `web2 failure 7`, `web3 unreachable`, in the order of the names. */
  readonly nodes: readonly string[];
  readonly sentence: string;
}

export interface FleetScene extends Scheduler {
  readonly hosts: ThreeHosts;
  /** Writes the configuration anew. */
  define(options: Omit<SceneOptions, "jobs">): void;
  /** Begins a run of a job by hand. @returns its id */
  begin(job: string): Promise<string>;
  /** Waits for the end of a run, or its being skipped. */
  ended(run: string): Promise<Told>;
  /** Both. */
  once(job: string): Promise<Told & { readonly run: string }>;
  /** Waits until the job has begun on these nodes. */
  began(run: string, ...nodes: HostName[]): Promise<void>;
  /** The nodes on which a run's job really began, a name for each time, in the order of the names. */
  ran(run: string): string[];
  /** What a run has printed, as the record has it. */
  output(run: string): Promise<string>;
  /** The facts of a node, as `rcronctl nodes` tells them. */
  node(name: string): Promise<Readonly<Record<string, unknown>>>;
  /** Waits until a node is told to be up, or down. */
  untilNode(name: string, state: "up" | "down"): Promise<void>;
}

/** The text of a job file: never due by itself, first it writes down that it runs. */
export function jobOn(placement: string, line: string, ...rules: string[]): string {
  const lines = ["every 1000d", "output none", `on ${placement}`, ...rules];
  return `${lines.join("\n")}\nrun echo $RCRON_RUN_ID $RCRON_NODE $RCRON_ATTEMPT_ID >> ran; ${line}\n`;
}

/** A scene that has not been started yet. */
export function fleetScene(hosts: ThreeHosts, { jobs = {}, ...lines }: SceneOptions = {}): FleetScene {
  const linesOf = (options: Omit<SceneOptions, "jobs">): SchedulerLines => {
    const wanted: Partial<Readonly<Record<HostName, readonly string[]>>> = options.nodes ?? {
      web1: [],
      web2: [],
      web3: [],
    };
    return {
      top: ["stop_grace = 1s", ...(options.top ?? [])],
      daemon: ["health_check_interval = 1s", "stop_timeout = 1s", ...(options.daemon ?? [])],
      sections: [
        ...hostNames.flatMap((name) => {
          const lines = wanted[name];
          const roles = lines?.some((line) => line.startsWith("roles")) ? [] : ["roles = web"];
          return lines === undefined ? [] : hosts.section(name, ...roles, ...lines);
        }),
        ...(options.sections ?? []),
      ],
    };
  };
  const it = scheduler(jobs, linesOf(lines));

  const ran = (run: string) =>
    hostNames.flatMap((name) => {
      const mine = hosts[name].lines("ran").filter((line) => line.startsWith(`${run} `));
      return mine.map((line) => line.split(" ")[1] ?? "");
    });
  const begin = async (job: string) => {
    const said = await it.ctl("run", job, "--json");
    if (said.exitCode !== 0) throw new Error(`rcronctl run ${job}: ${said.stderr}`);
    return (JSON.parse(said.stdout) as { run: string }).run; // what rcronctl prints
  };
  const ended = async (run: string): Promise<Told> => {
    let told: Told | undefined;
    await until(`the end of the run ${run}`, () => {
      for (const event of it.events()) {
        if ((event.kind === "end" || event.kind === "skip") && event.run === run) told = toldBy(event);
      }
      return told !== undefined;
    }).catch((error: unknown) => {
      throw new Error(`${error}\nrcrond's log:\n${it.log()}`);
    });
    if (told === undefined) throw new Error("no end");
    return told;
  };
  const node = async (name: string) => {
    const { stdout } = await it.ctl("nodes", "--json");
    const all = JSON.parse(stdout) as Readonly<Record<string, unknown>>[]; // what rcronctl prints
    return all.find((facts) => facts["node"] === name) ?? {};
  };
  return {
    ...it,
    hosts,
    start: async (options: LifeOptions = {}): Promise<Life> => {
      const start = () => it.start({ before: hosts.before, ...options });
      // One that was killed while it was starting a program holds its lock for a moment longer: that child has it until it is another
      // program. Who finds it held leaves without a word, and is started again, as by whoever looks after it.
      return start().catch((error: unknown) => {
        if (!String(error).includes("rcrond ended with 0")) throw error;
        return start();
      });
    },
    define: (options) => it.configure(linesOf(options)),
    begin,
    ended,
    once: async (job) => {
      const run = await begin(job);
      return { run, ...(await ended(run)) };
    },
    began: (run, ...names) =>
      until(`the run ${run} on ${names.join(", ")}`, () => {
        const there = ran(run);
        return names.every((name) => there.includes(name));
      }),
    ran,
    output: async (run) => {
      const { output } = await it.ask<{ output: { head: string; tail: string } | null }>("show", run);
      return output === null ? "" : output.head + output.tail;
    },
    node,
    untilNode: (name, state) =>
      until(`${name} is ${state}`, async () => {
        await Bun.sleep(100); // each look is a program that is started
        return (await node(name))["state"] === state;
      }),
  };
}

function toldBy(event: EndEvent | SkipEvent): Told {
  const isEnd = event.kind === "end";
  const nodes = (isEnd ? event.nodes : undefined) ?? [];
  return {
    end: isEnd ? event : undefined,
    skip: isEnd ? undefined : event,
    isOk: isEnd && event.ok,
    nodes: nodes.map(({ node, result, exit }) => [node, result, exit].join(" ").trim()).sort(),
    sentence: event.sentence ?? "",
  };
}

/** Lets the jobs of {@link untilGo} on a node end. */
export function go(hosts: ThreeHosts, word: string, ...names: readonly HostName[]): void {
  for (const name of names) writeFileSync(join(hosts[name].homes, "sh", word), "");
}

/** A piece of a job's line: it waits for {@link go}, as long as there is one who could say it. */
export const untilGo = (word: string) => `until [ -e ${word} ]; do sleep 0.05; done`;

/** What the files of a run on a node say, of all its starts there; empty where there are none. */
export function filesOf(hosts: ThreeHosts, name: HostName, run: string): string {
  const folder = join(hosts[name].homes, "sh/.cache/rcron/runs");
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const begun = hosts[name].lines("ran").filter((line) => line.startsWith(`${run} `));
  const attempts = begun.map((line) => line.split(" ")[2] ?? "");
  const mine = files.filter((file) => file.endsWith(".c") && attempts.includes(file.split(".")[0] ?? ""));
  return mine.map((file) => readFileSync(join(folder, file), "utf8")).join("");
}

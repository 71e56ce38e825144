/**
 * Runs by programs that lead to a shell, under all the rules of a job.
 */
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandHosting, type CommandHostingOptions } from "../../src/execute/command-hosting.ts";
import { Hosting } from "../../src/execute/hosting.ts";
import type { HostingPorts, RunEnd } from "../../src/execute/supervised-run.ts";
import type { Job } from "../../src/model/job.ts";
import type { Rules } from "../../src/model/rules.ts";
import { baseEnvironment, hosted, hostingPorts, jobOf, runOf } from "./hosting-scene.ts";

/** What starts programs in these tests. */
export const hosting = new Hosting({ baseEnvironment });

/** A program, as a node has it. */
export type Words = readonly [program: string, ...args: string[]];

export interface CommandScene {
  readonly job?: Partial<Job>;
  readonly rules?: Partial<Rules>;
  readonly ports?: Partial<HostingPorts>;
  readonly node?: Partial<CommandHostingOptions>;
}

/** A run's end, all of its output, and what was warned of. */
export interface CommandRunEnd extends RunEnd {
  readonly output: string;
  readonly warnings: readonly string[];
}

/** Runs a shell line by a program, to its end. */
export async function runBy(
  folder: string,
  words: Words,
  line: string,
  { job, rules, ports, node }: CommandScene = {},
): Promise<CommandRunEnd> {
  const warnings: string[] = [];
  const end = await hosted(
    runOf(jobOf(line, job), rules),
    hostingPorts(folder, {
      hosting: new CommandHosting({ hosting, words, host: "web", ...node }),
      onWarning: (sentence) => warnings.push(sentence),
      ...ports,
    }),
  );
  return { ...end, warnings };
}

/** A program of our own. */
export function programOf(folder: string, name: string, lines: string): Words {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return [path];
}

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

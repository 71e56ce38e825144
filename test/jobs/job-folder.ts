/**
 * A folder of job files on a real file system, and a tree or a watch of it.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type JobChange, type JobSet, JobTree, type TreeOptions, watchJobs } from "../../src/jobs/jobs.ts";
import type { Problem } from "../../src/model/problem.ts";
import { temporaryFolder } from "../support/program.ts";
import { terms } from "./terms.ts";

export interface JobFolder extends Disposable {
  /** The tree is `tree` in it. */
  readonly path: string;
  readonly options: TreeOptions;
  write(name: string, text?: string): void;
  /** Writes beside, and renames over. */
  replace(name: string, text: string): void;
  move(from: string, to: string): void;
  remove(name: string): void;
  link(name: string, target: string): void;
}

/** A job that is right, and differs by its command. */
export const job = (command = "true") => `every 1h\nrun ${command}\n`;

export function jobFolder(more: Partial<TreeOptions> = {}): JobFolder {
  const folder = temporaryFolder();
  const full = (name: string) => {
    const path = `${folder.path}/${name}`;
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  mkdirSync(`${folder.path}/tree`);
  const uid = process.getuid?.() ?? 0;
  return {
    path: folder.path,
    options: { places: { tree: `${folder.path}/tree`, crontabs: [] }, terms, uid, ...more },
    write: (name, text = job()) => writeFileSync(full(name), text, { mode: 0o644 }),
    replace: (name, text) => {
      writeFileSync(`${full(name)}.new~`, text, { mode: 0o644 });
      renameSync(`${full(name)}.new~`, full(name));
    },
    move: (from, to) => renameSync(full(from), full(to)),
    remove: (name) => rmSync(full(name), { recursive: true }),
    link: (name, target) => symlinkSync(target, full(name)),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** What a look has found, in words. */
export function told(change: JobChange | undefined): string {
  if (change === undefined) return "nothing";
  const part = (sign: string, jobs: JobChange["added"]) => jobs.map(({ name }) => `${sign}${name}`);
  const parts = [...part("+", change.added), ...part("~", change.changed), ...part("-", change.removed)];
  return [...parts.sort(), ...change.broken.map(({ path }) => `!${path.replace(/^.*\//, "")}`)].join(" ");
}

export async function loaded(folder: JobFolder): Promise<JobTree> {
  const tree = new JobTree(folder.options);
  await tree.look();
  return tree;
}

export function namesOf({ jobs }: JobSet): string[] {
  return [...jobs.keys()];
}

export interface Watched extends Disposable {
  readonly changes: JobChange[];
  readonly problems: Problem[];
  readonly set: JobSet;
  /** Waits until the set is so; as long as it takes up to 5 s. @returns after how many milliseconds */
  until(isSo: (set: JobSet) => boolean): Promise<number>;
}

export async function watched(folder: JobFolder, rescanMs = 60_000): Promise<Watched> {
  const changes: JobChange[] = [];
  const problems: Problem[] = [];
  const watch = await watchJobs({
    ...folder.options,
    rescanMs,
    onChange: (change) => changes.push(change),
    onProblem: (problem) => problems.push(problem),
  });
  return {
    changes,
    problems,
    get set() {
      return watch.set;
    },
    until: async (isSo) => {
      const since = performance.now();
      while (!isSo(watch.set)) {
        if (performance.now() - since > 5000)
          throw new Error(`not so after 5 s: ${namesOf(watch.set).slice(0, 20).join(" ")}`);
        await Bun.sleep(2);
      }
      return performance.now() - since;
    },
    [Symbol.dispose]: () => watch.close(),
  };
}

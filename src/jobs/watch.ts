/**
 * Watching the files of jobs.
 *
 * The kernel's word is only ever a reason to look: what has changed is found by looking (job-tree.ts), so that an event that
 * is lost, doubled or misnamed can't do harm, and what the kernel doesn't tell – a link whose far end was
 * changed, a network file system – is found by the look that comes every minute anyway.
 *
 * A folder is watched together with the one it stands in: when it is itself replaced, its own watch is on what it was, and
 * the one above tells. A single file is watched through its folder, for the same reason.
 */
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "../system/libc.ts";
import type { JobTerms } from "./file-reading.ts";
import { deepFolders, folderOf, isPassedOver, plainPlaces } from "./find-files.ts";
import type { JobSet } from "./job-set.ts";
import { type JobChange, JobTree, type TreeOptions } from "./job-tree.ts";

/** How jobs are watched. */
export interface WatchOptions extends TreeOptions {
  /** Called with each difference, one at a time; never before {@link watchJobs} has given its watch. */
  readonly onChange: (change: JobChange) => void;
  /** Called with what keeps a folder from being watched, and what goes wrong while looking. */
  readonly onProblem: (problem: Problem) => void;
  /** From the last event to the look; a folder that is being filled is looked at once. 30 ms. */
  readonly settleMs?: number;
  /** Between two looks that nothing has called for. A minute. */
  readonly rescanMs?: number;
}

/** Jobs that are kept up to date. */
export interface JobWatch {
  readonly set: JobSet;
  /** Looks now, and reads everything again, as for SIGHUP. @returns what is different; onChange is not told */
  reload(terms?: JobTerms): Promise<JobChange | undefined>;
  /** Ends it; nothing is called any more. */
  close(): void;
}

const rescanMs = 60_000;
/** While events go on and on, there is a look so often nevertheless. */
const patienceMs = 120;

/** Loads all jobs, and watches from then on. */
export async function watchJobs(options: WatchOptions): Promise<JobWatch> {
  const watch = new Watch(options);
  await watch.start();
  return watch;
}

interface Watcher {
  /** Device and inode of the folder that is watched. */
  readonly identity: string;
  close(): void;
}

class Watch implements JobWatch {
  private readonly options: WatchOptions;
  private readonly tree: JobTree;
  private readonly watchers = new Map<string, Watcher>();
  private readonly fs = process.getBuiltinModule("node:fs");
  /** Folders that can't be watched, and when that is tried again; each is told once. */
  private readonly refused = new Map<string, number>();
  private isLooking = false;
  /** There was an event while it was looked. */
  private isOutdated = false;
  private settling: Timer | undefined;
  private firstEventAt: number | undefined;
  private rescan: Timer | undefined;
  private isClosed = false;

  constructor(options: WatchOptions) {
    this.options = { ...options, places: plainPlaces(options.places) };
    this.tree = new JobTree(options);
  }

  get set(): JobSet {
    return this.tree.set;
  }

  /** Watched before it is looked at, so that nothing is lost between the two. */
  async start(): Promise<void> {
    this.watchFolders();
    await this.tree.look();
    if (this.watchFolders()) this.onEvent();
    this.rescan = setInterval(() => this.lookAndTell(), this.options.rescanMs ?? rescanMs);
  }

  async reload(terms?: JobTerms): Promise<JobChange | undefined> {
    const change = await this.tree.lookAnew(terms);
    if (!this.isClosed && this.watchFolders()) this.onEvent();
    return change;
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.settling);
    clearInterval(this.rescan);
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  private onEvent(): void {
    if (this.isClosed) return;
    const now = performance.now();
    this.firstEventAt ??= now;
    const settleMs = this.options.settleMs ?? 30;
    clearTimeout(this.settling);
    const waitMs = Math.max(0, Math.min(settleMs, this.firstEventAt + patienceMs - now));
    this.settling = setTimeout(() => {
      this.firstEventAt = undefined;
      this.lookAndTell();
    }, waitMs);
  }

  /** One look at a time, however many there are reasons for. */
  private async lookAndTell(): Promise<void> {
    if (this.isLooking) {
      this.isOutdated = true;
      return;
    }
    this.isLooking = true;
    this.isOutdated = false;
    let change: JobChange | undefined;
    try {
      change = await this.tree.look();
    } catch (cause) {
      const { text } = thrownSystemError(cause);
      this.options.onProblem(new Problem("internal", `job files must be read: ${text}`, { cause }));
    }
    this.isLooking = false;
    if (this.isClosed) return;
    if (this.watchFolders() || this.isOutdated) this.onEvent();
    if (change !== undefined) this.options.onChange(change);
  }

  /**
   * Watches what is to be watched, and nothing else.
   * @returns whether a watch is new: what happened before it must be looked for
   */
  private watchFolders(): boolean {
    const wanted = new Map<string, WatchKind>();
    const { crontabs } = this.options.places;
    const deep = deepFolders(this.options.places);
    const named = [...deep, ...crontabs];
    // The folders above the named ones, each with the names in it that count.
    for (const path of named) {
      const above = folderOf(path);
      const names = wanted.get(above)?.names ?? new Set<string>();
      wanted.set(above, { isDeep: false, names: names.add(baseOf(path)) });
    }
    for (const path of crontabs) {
      if (this.identityOf(path)?.isFolder === true) wanted.set(path, { isDeep: false, names: undefined });
    }
    for (const path of [...this.tree.linkedFolders, ...deep]) {
      wanted.set(path, { isDeep: true, names: undefined });
    }

    let isNew = false;
    for (const [path, watcher] of this.watchers) {
      if (wanted.has(path) && this.identityOf(path)?.identity === watcher.identity) continue;
      watcher.close();
      this.watchers.delete(path);
    }
    for (const [path, kind] of wanted) {
      if (!this.watchers.has(path) && this.watch(path, kind)) isNew = true;
    }
    return isNew;
  }

  private watch(path: string, { isDeep, names }: WatchKind): boolean {
    const found = this.identityOf(path);
    if (found === undefined || !found.isFolder) return false; // the folder above tells when it is there
    if (performance.now() < (this.refused.get(path) ?? 0)) return false;
    try {
      const watcher = this.fs.watch(path, { recursive: isDeep }, (_, name) => {
        if (typeof name !== "string") this.onEvent();
        else if (names !== undefined ? names.has(name) : !isNoise(name)) this.onEvent();
      });
      watcher.on("error", (cause) => {
        watcher.close();
        this.watchers.delete(path);
        this.refuse(path, cause);
        this.onEvent();
      });
      this.watchers.set(path, { identity: found.identity, close: () => watcher.close() });
      this.refused.delete(path);
      return true;
    } catch (cause) {
      this.refuse(path, cause);
      return false;
    }
  }

  private refuse(path: string, cause: unknown): void {
    if (!this.refused.has(path)) {
      const { text } = thrownSystemError(cause);
      const rule = `a folder of jobs must be watched: ${text}`;
      const hint = "changes are found once a minute; sysctl fs.inotify.max_user_watches may be too low";
      this.options.onProblem(new Problem("internal", rule, { where: path, hint, cause }));
    }
    // Not at once, or a folder that is refused each time would be looked at all the time.
    this.refused.set(path, performance.now() + rescanMs / 2);
  }

  private identityOf(path: string): { identity: string; isFolder: boolean } | undefined {
    try {
      const stat = this.fs.statSync(path);
      return { identity: `${stat.dev}:${stat.ino}`, isFolder: stat.isDirectory() };
    } catch {
      return undefined; // Not there, or not for us to see: not to be watched.
    }
  }
}

interface WatchKind {
  /** With all folders below. */
  readonly isDeep: boolean;
  /** Only these count; undefined: all. */
  readonly names: Set<string> | undefined;
}

/** What an editor writes beside a file. A hidden folder may be where links lead, as in Kubernetes: it counts. */
function isNoise(name: string): boolean {
  const base = baseOf(name);
  return isPassedOver(base) && !base.startsWith("..") && !name.includes("/..");
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

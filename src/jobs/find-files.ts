/**
 * Which files there are: the tree, at any depth, and the crontabs that are named beside it. Nothing is read here.
 *
 * Files that editors and packages leave behind are passed over, as cron and run-parts do. Work is done in small portions,
 * so that a daemon that looks at 10,000 files still starts a job in time.
 */
import type { Dirent, Stats } from "node:fs";
import { Problem } from "../model/problem.ts";
import { thrownSystemError } from "../system/libc.ts";
import { isCrontabName } from "./job-names.ts";

/** Where jobs are looked for. */
export interface JobPlaces {
  /** The folder of job files; undefined: none. */
  readonly tree: string | undefined;
  /** Crontabs, and folders of them. */
  readonly crontabs: readonly string[];
  /** The folder of distcrond's job files; missing: none. */
  readonly distcrondJobs?: string;
  /** The folder of distcrond's node files; missing: none. */
  readonly distcrondNodes?: string;
}

/** What a file is read as. */
export type FileFormat = "acron" | "crontab" | "distcrond-job" | "distcrond-node";

/** The places without slashes at their ends. */
export function plainPlaces({ tree, crontabs, distcrondJobs, distcrondNodes }: JobPlaces): JobPlaces {
  const plain = (path: string) => path.replace(/(?<=.)\/+$/, "");
  return {
    tree: tree === undefined ? undefined : plain(tree),
    crontabs: crontabs.map(plain),
    ...(distcrondJobs !== undefined && { distcrondJobs: plain(distcrondJobs) }),
    ...(distcrondNodes !== undefined && { distcrondNodes: plain(distcrondNodes) }),
  };
}

/** The folders that are looked into at any depth. */
export function deepFolders({ tree, distcrondJobs, distcrondNodes }: JobPlaces): string[] {
  return [tree, distcrondJobs, distcrondNodes].filter((path) => path !== undefined);
}

/** The folder that a path stands in. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash) || "/";
}

/** A file that is to be read. */
export interface FoundFile {
  readonly path: string;
  /** Below the tree, or the file's own name, as for all of distcrond's: what its jobs' names are made of. */
  readonly shortName: string;
  readonly format: FileFormat;
  /** Set for a crontab in cron's own folder for those of users: the user. */
  readonly spoolUser: string | undefined;
  /** Of what the path leads to; a Problem where it leads nowhere. */
  readonly facts: FileFacts | Problem;
  /** Set where the path is a link: who owns that. */
  readonly linkOwner: number | undefined;
}

/** Of a file, what must be known before it is read. */
export interface FileFacts {
  readonly isFile: boolean;
  readonly uid: number;
  readonly mode: number;
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** What was found. */
export interface FoundFiles {
  readonly files: readonly FoundFile[];
  /** Folders that can't be looked into, links to nowhere: by path, with the reason. Their jobs are not known to be gone. */
  readonly unreadable: ReadonlyMap<string, Problem>;
  /** Folders that links in the tree lead to, by their own paths. */
  readonly linkedFolders: readonly string[];
}

/** No more files than these are read. */
export const fileLimit = 100_000;
/** No deeper than this below the tree. */
export const depthLimit = 20;

/** What cron and run-parts pass over, and what editors write beside a file. */
const leftBehind = /^[.#]|~$|\.(?:dpkg-\w+|ucf-\w+|rpm(?:save|new|orig)|sw[a-z]|bak|orig|rej|tmp|disabled)$/;
/** Names that Debian's cron reads in /etc/cron.d. */
const cronName = /^[\w-]+$/;
/** Where cron keeps the crontabs of users, each by its user's name. */
const spools = /\/(?:crontabs|tabs)$/;

/** @returns true for what stands in a folder of jobs and is none */
export function isPassedOver(name: string): boolean {
  return leftBehind.test(name);
}

/** How long is worked on without a pause, in milliseconds. */
const portionMs = 4;

/** Lets the rest of the program run in between. */
export class Portions {
  private since = performance.now();

  /** @returns a promise where it is time for a pause; undefined mostly */
  pause(): Promise<void> | undefined {
    if (performance.now() - this.since < portionMs) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        this.since = performance.now();
        resolve();
      }),
    );
  }
}

/** Looks for files. @returns the tree's files first, each folder's in the order of their names */
export async function findFiles(places: JobPlaces, portions: Portions): Promise<FoundFiles> {
  const { tree, crontabs, distcrondJobs, distcrondNodes } = places;
  const search = new Search(portions);
  if (tree !== undefined) await search.folder(tree, "", { kind: "tree", above: [] });
  for (const path of crontabs) await search.crontabs(path);
  if (distcrondJobs !== undefined)
    await search.folder(distcrondJobs, "", { kind: "distcrond-job", above: [] });
  if (distcrondNodes !== undefined)
    await search.folder(distcrondNodes, "", { kind: "distcrond-node", above: [] });
  return search;
}

interface Level {
  /** A folder of crontabs has no folders below. */
  readonly kind: "tree" | "crontabs" | "distcrond-job" | "distcrond-node";
  /** Of the folders above, so that no link leads round in a circle. */
  readonly above: readonly string[];
}

class Search implements FoundFiles {
  readonly files: FoundFile[] = [];
  readonly unreadable = new Map<string, Problem>();
  readonly linkedFolders: string[] = [];
  private readonly portions: Portions;
  private readonly fs = process.getBuiltinModule("node:fs");

  constructor(portions: Portions) {
    this.portions = portions;
  }

  /** @param below the folder's path below the tree, with a slash behind it; empty for the tree itself */
  async folder(path: string, below: string, { kind, above }: Level): Promise<void> {
    let entries: Dirent[];
    let identity: string;
    try {
      const { dev, ino } = this.fs.statSync(path);
      identity = `${dev}:${ino}`;
      entries = this.fs.readdirSync(path, { withFileTypes: true });
      entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      // A folder below that is gone is gone; one that is named is missed.
      if (below === "" || thrownSystemError(error).code !== "ENOENT")
        this.refuse(path, "must be a folder to look into", error);
      return;
    }
    if (above.includes(identity)) {
      this.unreadable.set(
        path,
        new Problem("invalid", "a link must not lead to a folder above it", { where: path }),
      );
      return;
    }
    if (above.length > depthLimit) {
      this.unreadable.set(
        path,
        new Problem("invalid", `a tree must be at most ${depthLimit} folders deep`, { where: path }),
      );
      return;
    }
    for (const entry of entries) {
      if (isPassedOver(entry.name)) continue;
      if (kind === "crontabs" && !spools.test(path) && !cronName.test(entry.name)) continue;
      const inner = `${path}/${entry.name}`;
      if (this.kindOf(inner, entry) === "folder") {
        if (kind !== "crontabs")
          await this.folder(inner, `${below}${entry.name}/`, { kind, above: [...above, identity] });
      } else {
        const how = entry.isSymbolicLink() ? "link" : "plain";
        if (kind === "tree") {
          const shortName = below + entry.name;
          this.file(inner, shortName, how, { format: isCrontabName(shortName) ? "crontab" : "acron" });
        } else if (kind === "crontabs") {
          this.file(inner, entry.name, how, { format: "crontab", spool: path });
        } else this.file(inner, entry.name, how, { format: kind });
      }
      const pause = this.portions.pause();
      if (pause !== undefined) await pause;
    }
  }

  /** A crontab, or a folder of them. */
  async crontabs(path: string): Promise<void> {
    const stat = this.statOf(path);
    if (!(stat instanceof Problem) && stat.isDirectory()) {
      await this.folder(path, "", { kind: "crontabs", above: [] });
      return;
    }
    const isLink = this.fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    const name = path.slice(path.lastIndexOf("/") + 1);
    this.file(path, name, isLink ? "link" : "named", { format: "crontab", spool: folderOf(path) });
  }

  /** @param spool the folder that a crontab stands in, which may be cron's own */
  private file(
    path: string,
    shortName: string,
    kind: "plain" | "link" | "named",
    { format, spool }: { readonly format: FileFormat; readonly spool?: string },
  ): void {
    if (this.files.length >= fileLimit) {
      const rule = `there must be at most ${fileLimit} files: this one and those behind it are not read`;
      const first = [...this.unreadable.keys()].every((known) => known !== "limit");
      if (first) this.unreadable.set("limit", new Problem("invalid", rule, { where: path }));
      return;
    }
    const stat = this.statOf(path);
    let linkOwner: number | undefined;
    if (kind === "link") linkOwner = this.fs.lstatSync(path, { throwIfNoEntry: false })?.uid;
    // Gone since its folder was listed.
    else if (kind === "plain" && stat instanceof Problem && stat.code === "not-found") return;
    this.files.push({
      path,
      shortName,
      format,
      spoolUser: spool !== undefined && spools.test(spool) ? shortName : undefined,
      facts: stat instanceof Problem ? stat : factsOf(stat),
      linkOwner,
    });
  }

  private kindOf(path: string, entry: Dirent): "folder" | "other" {
    if (entry.isDirectory()) return "folder";
    if (!entry.isSymbolicLink()) return "other";
    const stat = this.statOf(path);
    if (stat instanceof Problem || !stat.isDirectory()) return "other";
    this.linkedFolders.push(path);
    return "folder";
  }

  private statOf(path: string): Stats | Problem {
    try {
      return this.fs.statSync(path);
    } catch (error) {
      return problemOf(path, "must be a file to read", error);
    }
  }

  private refuse(path: string, rule: string, error: unknown): void {
    this.unreadable.set(path, problemOf(path, rule, error));
  }
}

function factsOf(stat: Stats): FileFacts {
  const { uid, mode, dev, ino, size, mtimeMs, ctimeMs } = stat;
  return { isFile: stat.isFile(), uid, mode, dev, ino, size, mtimeMs, ctimeMs };
}

function problemOf(path: string, rule: string, error: unknown): Problem {
  const { code, text } = thrownSystemError(error);
  const kind =
    code === "ENOENT" || code === "ENOTDIR" ? "not-found" : code === "EACCES" ? "denied" : "internal";
  return new Problem(kind, `${rule}: ${text}`, { where: path });
}

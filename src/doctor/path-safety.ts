/**
 * Who could change what a path leads to: the rule that keepalived holds its scripts to, and that the state file and
 * rcron.conf deserve as well.
 */
import { isRefusal, type Machine, nameOf, octal } from "./machine.ts";

/** Something that lets others than root change what a path leads to. */
export interface Weakness {
  /** The file or one of the folders above it. */
  readonly path: string;
  readonly kind: "owner" | "group" | "others";
  /** In words, behind the path. */
  readonly what: string;
  readonly advice: string;
}

/**
 * Looks at a file and all folders above it, links followed: each must belong to root and be writable by nobody else.
 * The root group may write, and so may everybody in a folder with the sticky bit, where they can't touch root's files.
 * @param trusted accounts other than root that may own them
 * @returns empty where all is well, or where the path can't be followed: that is another finding
 */
export function weaknesses(machine: Machine, path: string, trusted: readonly number[] = []): Weakness[] {
  const real = machine.realPath(path);
  if (isRefusal(real)) return [];
  const found: Weakness[] = [];
  const link = machine.lstat(path);
  // Whoever owns the link can lead it elsewhere; keepalived asks for that too.
  if (!isRefusal(link) && link.kind === "link" && link.uid !== 0 && !trusted.includes(link.uid)) {
    found.push(foreignOwner(machine, path, link.uid));
  }
  for (const part of pathParts(real)) {
    const facts = machine.lstat(part);
    if (isRefusal(facts)) continue;
    const { uid, gid, mode, kind } = facts;
    if (uid !== 0 && !trusted.includes(uid)) found.push(foreignOwner(machine, part, uid));
    const isSticky = kind === "folder" && (mode & 0o1000) !== 0;
    if (isSticky) continue;
    if ((mode & 0o002) !== 0) {
      const what = `is writable by everybody (mode ${octal(mode)})`;
      found.push({ path: part, kind: "others", what, advice: `chmod go-w ${part}` });
    } else if ((mode & 0o020) !== 0 && gid !== 0) {
      const what = `is writable by group ${gid} (mode ${octal(mode)})`;
      found.push({ path: part, kind: "group", what, advice: `chmod g-w ${part}` });
    }
  }
  return found;
}

function foreignOwner(machine: Machine, path: string, uid: number): Weakness {
  const what = `belongs to ${nameOf(machine, uid)}, not to root`;
  return { path, kind: "owner", what, advice: `chown -h root ${path}` };
}

/** `/`, `/a`, `/a/b` for `/a/b`. */
function pathParts(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return ["/", ...names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`)];
}

/** The folder that a path stands in. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** The last part of a path. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * A path with the links in its folders followed, so that /var/run/x and /run/x are known as one. The file itself need
 * not exist, and if it is a link it stays one.
 */
export function knownPath(machine: Machine, path: string): string {
  const folder = machine.realPath(folderOf(path));
  return isRefusal(folder) ? path : `${folder === "/" ? "" : folder}/${baseOf(path)}`;
}

/** The type of the file system that a path is on, by /proc/self/mountinfo; undefined where that can't be told. */
export function fileSystemOf(path: string, mountInfo: string): string | undefined {
  let best: { length: number; type: string } | undefined;
  for (const line of mountInfo.split("\n")) {
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS… - TYPE SOURCE …
    const [before = "", after = ""] = line.split(" - ");
    const point = before
      .split(" ")[4]
      ?.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    const type = after.split(" ")[0];
    if (point === undefined || !type) continue;
    const isAbove = point === "/" || path === point || path.startsWith(`${point}/`);
    // A later mount on the same point lies over the earlier one.
    if (isAbove && point.length >= (best?.length ?? 0)) best = { length: point.length, type };
  }
  return best?.type;
}

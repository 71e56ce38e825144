/** A folder with exactly the files, modes and times that are asked for, whatever the umask and the clock. */
import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Installed } from "./places.ts";

/**
 * Writes the files below `root`, their folders with mode 755, and gives everything the same time.
 * @param epoch seconds since 1970
 */
export function writeTree(root: string, files: readonly Installed[], epoch: number): void {
  mkdirSync(root, { recursive: true });
  for (const file of files) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true });
    if (file.kind === "link") symlinkSync(file.target, path);
    else {
      if (file.content instanceof Uint8Array) writeFileSync(path, file.content);
      else copyFileSync(file.content.from, path);
      chmodSync(path, file.mode);
    }
  }
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    lutimesSync(path, epoch, epoch);
  }
  chmodSync(root, 0o755);
  lutimesSync(root, epoch, epoch);
}

/** What a tree takes on a disk, in blocks of 1024 bytes, each file rounded up. */
export function kilobytesOf(root: string): number {
  let total = 0;
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    total += entry.isFile() ? Math.ceil(statSync(join(entry.parentPath, entry.name)).size / 1024) : 1;
  }
  return total;
}

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { takeLock } from "../../src/system/lock.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";

setDefaultTimeout(20_000);

const longMs = 10_000;

describe("takeLock()", () => {
  test("makes the lock's file, for its owner alone, and leaves it there", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "lock");
    const lock = await takeLock(path, longMs);
    if (typeof lock === "string") throw new Error(lock);
    lock.release();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("one holder at a time, and each has its turn", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "lock");
    let holders = 0;
    const turns = Array.from({ length: 20 }, async () => {
      const lock = await takeLock(path, longMs);
      if (typeof lock === "string") throw new Error(lock);
      holders++;
      expect(holders).toBe(1);
      await Bun.sleep(1);
      holders--;
      lock.release();
    });
    await Promise.all(turns);
    expect(holders).toBe(0);
  });

  test("says who is in the way when its time is over", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "lock");
    const lock = await takeLock(path, longMs);
    expect(await takeLock(path, 20)).toBe("somebody else has held it for 20 ms");
    if (typeof lock !== "string") lock.release();
    expect(await takeLock(path, 20)).not.toBeString();
  });

  test("does not follow a symlink, and leaves its target alone", async () => {
    using folder = temporaryFolder();
    const [path, target] = [join(folder.path, "lock"), join(folder.path, "precious")];
    symlinkSync(target, path);
    expect(await takeLock(path, 20)).toBe("too many levels of symbolic links");
    expect(existsSync(target)).toBe(false);
    writeFileSync(target, "precious");
    expect(await takeLock(path, 20)).toBe("too many levels of symbolic links");
    expect(readFileSync(target, "utf8")).toBe("precious");
  });

  test.each([
    ["missing/lock", "no such file or directory"],
    ["folder", "is a directory"],
  ])("%s: %s", async (name, reason) => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "folder"));
    expect(await takeLock(join(folder.path, name), 20)).toBe(reason);
  });
});

describeWith("takeLock() beside another process", ["flock"], () => {
  test("waits for it, and has the lock when that process is killed", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "lock");
    const held = join(folder.path, "held");
    const other = Bun.spawn(["flock", "--no-fork", path, "sh", "-c", `: >'${held}'; exec sleep 60`]);
    while (!existsSync(held)) await Bun.sleep(2);
    expect(await takeLock(path, 20)).toBeString();
    const waiting = takeLock(path, longMs);
    other.kill("SIGKILL");
    expect(await waiting).not.toBeString();
    await other.exited;
  });

  test("is not handed on to a child: a daemon that is started under it does not keep it", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "lock");
    const lock = await takeLock(path, longMs);
    const child = Bun.spawn(["sleep", "60"]);
    if (typeof lock !== "string") lock.release();
    expect(await takeLock(path, 1000)).not.toBeString();
    child.kill("SIGKILL");
    await child.exited;
  });
});

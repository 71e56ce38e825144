/** The machine that the tests run on, behind the doctor's interface. */
import { describe, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileSystemOf } from "../../src/doctor/path-safety.ts";
import { thisMachine } from "../../src/doctor/this-machine.ts";
import { temporaryFolder } from "../support/program.ts";

describe("thisMachine()", () => {
  const machine = thisMachine();

  test("sees this process as it is", () => {
    const own = machine.processes().find(({ pid }) => pid === process.pid);
    expect(own?.parentPid).toBe(process.ppid);
    expect(own?.words.length).toBeGreaterThan(0);
    expect(machine.lifeOf({ name: "x", pid: process.pid, startTicks: own?.startTicks ?? 0 })).toBe("alive");
    expect(machine.lifeOf({ name: "x", pid: process.pid, startTicks: 1 })).toBe("dead");
  });

  test("sees files and links, and gives the system's reason for what it can't see", () => {
    using folder = temporaryFolder();
    const link = join(folder.path, "link");
    symlinkSync("/nowhere", link);
    expect(machine.lstat(link)).toMatchObject({ kind: "link", uid: process.getuid?.() });
    expect(machine.stat(link)).toMatchObject({ code: "ENOENT" });
    expect(machine.stat(folder.path)).toMatchObject({ kind: "folder", mode: 0o700 });
    expect(machine.list(folder.path)).toEqual(["link"]);
    expect(machine.list(link)).toMatchObject({ code: "ENOENT" });
    expect(machine.realPath("/proc/self/../self/fd/..")).toBe(`/proc/${process.pid}`);
    expect(machine.read("/proc/self/stat", 5)).toMatchObject({ isWhole: false });
  });

  test("knows accounts by name and by number", () => {
    expect(machine.account("root")).toEqual({ name: "root", uid: 0, gid: 0 });
    expect(machine.account(0)?.name).toBe("root");
    expect(machine.account("no-such-account")).toBeUndefined();
  });

  test("asks the kernel about addresses and the clock, and a program for its version", () => {
    expect(machine.whereIs(Uint8Array.of(127, 0, 0, 1))).toBe("here");
    expect(["synchronised", "unsynchronised", "unknown"]).toContain(machine.clock());
    expect(machine.versionOf(process.execPath)).toMatch(/^\d+\./);
    expect(machine.versionOf("/no/such/program")).toBeUndefined();
  });
});

describe("fileSystemOf()", () => {
  const mounts = [
    "21 1 8:1 / / rw - ext4 /dev/sda1 rw",
    "22 21 0:5 / /run rw,nosuid shared:3 - tmpfs tmpfs rw",
    "23 21 8:2 / /run/a\\040b rw - xfs /dev/sdb rw",
    "24 21 8:3 / /srv rw - xfs /dev/sdc rw",
    "25 21 0:9 / /srv rw - nfs4 server:/srv rw",
    "",
  ].join("\n");
  test.each([
    ["/", "ext4"],
    ["/etc", "ext4"],
    ["/run", "tmpfs"],
    ["/run/rcron", "tmpfs"],
    ["/runner", "ext4"],
    ["/run/a b/c", "xfs"],
    ["/srv/x", "nfs4"],
  ])("%s is on %s", (path, type) => {
    expect(fileSystemOf(path, mounts)).toBe(type);
  });

  test("is undefined where nothing is told", () => {
    expect(fileSystemOf("/", "")).toBeUndefined();
  });
});

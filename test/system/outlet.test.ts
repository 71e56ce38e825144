import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Outlet, sameFile } from "../../src/system/outlet.ts";
import { closeFd, PipeReader } from "../../src/system/pipe.ts";
import { temporaryFolder } from "../support/program.ts";

setDefaultTimeout(20_000);

/** A pipe of whose reading end nobody hears until it is asked for. */
function silentPipe() {
  const pipe = PipeReader.open({ onBytes: () => false, onEnd: () => {} });
  if ("code" in pipe) throw new Error(pipe.text);
  return pipe;
}

/** O_NONBLOCK of a descriptor's open file description. */
function isBlocking(fd: number): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
  return (Number.parseInt(flags, 8) & 0o4000) === 0;
}

const descriptors = () => readdirSync("/proc/self/fd").length;

describe("Outlet", () => {
  test("writes all to a regular file, at its end where it is open for appending", () => {
    using work = temporaryFolder();
    const fd = openSync(join(work.path, "out"), "a");
    const outlet = new Outlet(fd);
    expect(outlet.write(Buffer.from("one"))).toBe(3);
    expect(outlet.write(Buffer.from("two"))).toBe(3);
    outlet.close();
    closeSync(fd);
    expect(readFileSync(join(work.path, "out"), "utf8")).toBe("onetwo");
  });

  test("writes to a pipe what it holds, never waits, and leaves the descriptor itself as it was", () => {
    const before = descriptors();
    const pipe = silentPipe();
    const outlet = new Outlet(pipe.writeFd);
    const bytes = new Uint8Array(pipe.capacity * 2).fill(7);
    expect(outlet.write(bytes)).toBe(pipe.capacity);
    expect(outlet.write(bytes)).toBe(0);
    expect(isBlocking(pipe.writeFd)).toBe(true);
    outlet.close();
    closeFd(pipe.writeFd);
    pipe.close();
    expect(descriptors()).toBe(before);
  });

  test("says EPIPE where the reader has gone", () => {
    const pipe = silentPipe();
    const outlet = new Outlet(pipe.writeFd);
    pipe.close();
    expect(outlet.write(Buffer.from("word"))).toMatchObject({ code: "EPIPE" });
    outlet.close();
    closeFd(pipe.writeFd);
  });

  test("says what is wrong with a full device, and how much went out before", () => {
    const fd = openSync("/dev/full", "w");
    expect(new Outlet(fd).write(Buffer.from("word"))).toMatchObject({ code: "ENOSPC" });
    closeSync(fd);
  });

  test("writes to a terminal and to a socket piece by piece, as far as there is room", () => {
    using work = temporaryFolder();
    const script = `
import os, pty, socket, subprocess, sys
outlet = ${JSON.stringify(join(import.meta.dir, "../../src/system/outlet.ts"))}
code = f'const {{ Outlet }} = await import("{outlet}"); const n = new Outlet(1).write(new Uint8Array(4000000)); console.error(n > 0 && n < 4000000 ? "some" : n); process.exit(0)'
main, side = pty.openpty()
a, b = socket.socketpair()
for fd in (side, a.fileno()):
    subprocess.run([sys.argv[1], "-e", code], stdout=fd, timeout=10)`;
    const python = Bun.spawnSync(["python3", "-c", script, process.execPath], {
      cwd: work.path,
      timeout: 15_000,
    });
    expect(python.stderr.toString()).toBe("some\nsome\n");
  });
});

describe("sameFile()", () => {
  test("is true for one file under two descriptors, false for two files", () => {
    using work = temporaryFolder();
    const path = join(work.path, "file");
    const fds = [openSync(path, "a"), openSync(path, "a"), openSync(join(work.path, "other"), "a")];
    const [a = -1, b = -1, c = -1] = fds;
    expect(sameFile(a, b)).toBe(true);
    expect(sameFile(a, c)).toBe(false);
    expect(sameFile(a, 999)).toBe(false);
    expect(sameFile(998, 999)).toBe(false);
    const [one, two] = [silentPipe(), silentPipe()];
    expect(sameFile(one.writeFd, two.writeFd)).toBe(false);
    for (const pipe of [one, two]) {
      closeFd(pipe.writeFd);
      pipe.close();
    }
    for (const fd of fds) closeSync(fd);
  });
});

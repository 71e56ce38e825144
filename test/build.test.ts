import { describe, expect, test } from "bun:test";
import { cpSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "./support/debian.ts";
import { binary, project, shell, temporaryFolder } from "./support/program.ts";

const sha256 = (path: string) => new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");

function build(folder: string, ...options: string[]): void {
  const words = [process.execPath, join(folder, "bin/build.ts"), ...options];
  const { exitCode, stderr } = Bun.spawnSync(words, { timeout: 300_000 });
  if (exitCode !== 0) throw new Error(stderr.toString());
}

describe("npm run build", () => {
  test("makes one file and two links to it", () => {
    expect(lstatSync(binary).isFile()).toBe(true);
    expect(lstatSync(binary).mode & 0o777).toBe(0o755);
    for (const link of ["rcrond", "rcronctl"])
      expect(readlinkSync(join(project, "dist", link))).toBe("rcron");
  });

  test("is reproducible: another folder, the same bytes", () => {
    using copy = temporaryFolder();
    const folder = join(copy.path, "elsewhere");
    mkdirSync(folder);
    for (const part of ["src", "bin", "package.json", "package-lock.json", "tsconfig.json"]) {
      cpSync(join(project, part), join(folder, part), { recursive: true });
    }
    symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
    build(folder);
    build(project, "--outdir", join(copy.path, "here"));
    expect(sha256(join(folder, "dist/rcron"))).toBe(sha256(join(copy.path, "here/rcron")));
  });

  test("leaves no path of the machine in the file", () => {
    expect(readFileSync(binary).indexOf(project)).toBe(-1);
  });

  test("does not raise the limit of open files, for us or for the job", async () => {
    const ended = await shell(
      "ulimit -Sn 200; rcron --as rcron --conf /dev/null sh -c 'ulimit -Sn; cut -c1-40 /proc/$PPID/limits >/dev/null; grep open.files /proc/$PPID/limits'",
    );
    expect(ended.stdout).toMatch(/^200\nMax open files +200 /);
  });
});

const armRoot = "/usr/aarch64-linux-gnu";

describeWith("the arm64 build", ["qemu-aarch64-static", `${armRoot}/lib/ld-linux-aarch64.so.1`], () => {
  test("is made here, is for arm64, and runs", async () => {
    using folder = temporaryFolder();
    build(project, "--target", "arm64", "--outdir", folder.path);
    const file = join(folder.path, "rcron");
    const header = readFileSync(file).subarray(0, 20);
    expect(header.toString("latin1", 1, 4)).toBe("ELF");
    expect(header.readUInt16LE(18)).toBe(183); // EM_AARCH64
    const version = await shell(`qemu-aarch64-static -L ${armRoot} ${file} --version`, { timeoutMs: 60_000 });
    expect(version).toMatchObject({ exitCode: 0, stdout: "rcron 0.6.0\n" });
    const job = await shell(`qemu-aarch64-static -L ${armRoot} ${file} --conf /dev/null sh -c 'exit 5'`, {
      timeoutMs: 60_000,
    });
    expect(job.exitCode).toBe(5);
  });
});

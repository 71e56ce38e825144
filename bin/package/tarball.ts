/** The tarball for machines without dpkg: the same files, and an install.sh that puts them in their places. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PackageOptions } from "./deb.ts";
import { type Installed, placesOf } from "./places.ts";
import { writeTree } from "./tree.ts";

/**
 * Makes the tarball.
 * @returns its path
 */
export function makeTarball(options: PackageOptions): string {
  const { project, scratch, outdir, target, version, epoch, isFast } = options;
  const name = `rcron-${version}-linux-${target}`;
  const own = (file: string, to: string, mode: number): Installed => ({
    kind: "file",
    path: `/${to}`,
    mode,
    content: readFileSync(join(project, file)),
  });
  const files = placesOf({ ...options, form: "tarball" }).map((file) => ({
    ...file,
    path: `/files${file.path}`,
  }));
  writeTree(
    join(scratch, name),
    [
      ...files,
      own("etc/install.sh", "install.sh", 0o755),
      own("README.md", "README.md", 0o644),
      own("LICENSE", "LICENSE", 0o644),
    ],
    epoch,
  );
  const tarball = join(outdir, `${name}.tar.xz`);
  const tar = [
    ...["tar", "--create", "--file", tarball, "--directory", scratch, "--format=gnu"],
    ...["--sort=name", "--owner=0", "--group=0", "--numeric-owner", `--mtime=@${epoch}`],
    // With one thread xz writes another stream than with two, and with more the same as with two.
    ...[`--use-compress-program=xz -T2 -${isFast ? 0 : 6}`, name],
  ];
  const { exitCode, stderr } = Bun.spawnSync(tar, {
    env: { ...process.env, LC_ALL: "C" },
    timeout: 600_000,
  });
  if (exitCode !== 0) throw new Error(`tar failed (exit ${exitCode}):\n${stderr}`);
  return tarball;
}

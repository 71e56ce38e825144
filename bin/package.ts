/**
 * `npm run package`: makes the packages, each for both kinds of machine.
 *
 *     bun bin/package.ts [--target x64|arm64] [--form deb|tarball] [--outdir DIR] [--fast]
 *
 * A .deb, made by dpkg-deb, and a tarball with an install.sh. Neither needs root. The same sources give the same bytes:
 * every file's time is that of the first entry in etc/debian/changelog. `--fast` compresses less, for tests.
 *
 * xz and nothing quicker, because a package is made once and fetched by every machine (bin/package/deb.ts).
 * No step may run `strip`: the program would be lost (bin/build.ts).
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../package.json";
import { makeDeb, readChangelog } from "./package/deb.ts";
import { makeTarball } from "./package/tarball.ts";

const project = resolve(import.meta.dir, "..");
const targets = ["x64", "arm64"] as const;
const makers = { deb: makeDeb, tarball: makeTarball } as const;
const here = process.arch === "arm64" ? "arm64" : "x64";

const { values: options } = parseArgs({
  options: {
    target: { type: "string" },
    form: { type: "string" },
    outdir: { type: "string", default: join(project, "dist/packages") },
    fast: { type: "boolean", default: false },
  },
});

function main(): void {
  const wanted = targets.filter((target) => options.target === undefined || options.target === target);
  if (wanted.length === 0) throw new Error(`--target must be x64 or arm64: got ${options.target}`);
  const forms = (["deb", "tarball"] as const).filter(
    (form) => options.form === undefined || options.form === form,
  );
  if (forms.length === 0) throw new Error(`--form must be deb or tarball: got ${options.form}`);
  for (const program of ["dpkg-deb", "tar", "xz"]) {
    if (Bun.which(program) === null) {
      throw new Error(
        `${program} must be installed (Debian packages dpkg, tar, xz-utils): not found in PATH`,
      );
    }
  }
  const outdir = resolve(options.outdir);
  mkdirSync(outdir, { recursive: true });
  const { epoch } = readChangelog(project);
  for (const target of wanted) {
    const program = build(target);
    for (const form of forms) {
      const scratch = mkdtempSync(join(tmpdir(), "rcron-package-"));
      try {
        const startedMs = performance.now();
        const file = makers[form]({
          project,
          program,
          version,
          scratch,
          outdir,
          target,
          epoch,
          isFast: options.fast,
        });
        const megabytes = (statSync(file).size / 1e6).toFixed(1);
        console.error(
          `made ${file} (${megabytes} MB, ${((performance.now() - startedMs) / 1000).toFixed(1)} s)`,
        );
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    }
  }
}

/** @returns the program for `target`, built anew if anything that it is made of is younger */
function build(target: (typeof targets)[number]): string {
  const words = [process.execPath, join(import.meta.dir, "build.ts"), "--if-stale", "--target", target];
  const { exitCode } = Bun.spawnSync(words, { stdout: "inherit", stderr: "inherit", timeout: 600_000 });
  if (exitCode !== 0) throw new Error(`the build for ${target} failed (exit ${exitCode})`);
  return join(project, target === here ? "dist/rcron" : `dist/${target}/rcron`);
}

main();

/** The Debian package, made by dpkg-deb of the table and of etc/debian/. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzip, type Installed, type PlacesOptions, placesOf } from "./places.ts";
import { kilobytesOf, writeTree } from "./tree.ts";

/** What is to be packaged, and how. */
export interface PackageOptions extends Omit<PlacesOptions, "form"> {
  /** An empty folder to work in. */
  readonly scratch: string;
  readonly outdir: string;
  readonly target: "x64" | "arm64";
  /** Seconds since 1970; every file's time. */
  readonly epoch: number;
  /** Compress less, for tests. */
  readonly isFast: boolean;
}

const architectures = { x64: "amd64", arm64: "arm64" } as const;
const scripts = ["preinst", "postinst", "prerm", "postrm"] as const;

/** The first entry of etc/debian/changelog, which says what is packaged, and of when it is. */
export function readChangelog(project: string): { debianVersion: string; epoch: number } {
  const text = readFileSync(join(project, "etc/debian/changelog"), "utf8");
  const debianVersion = /^rcron \(([^)]+)\)/.exec(text)?.[1];
  const date = Date.parse(/^ -- .* <.*> {2}(.+)$/m.exec(text)?.[1] ?? "");
  if (debianVersion === undefined || Number.isNaN(date)) {
    throw new Error(
      'etc/debian/changelog must begin with "rcron (VERSION) ..." and end its entry with " -- NAME <ADDRESS>  DATE"',
    );
  }
  return { debianVersion, epoch: date / 1000 };
}

/**
 * Makes the .deb.
 * @returns its path
 */
export function makeDeb(options: PackageOptions): string {
  const { project, scratch, outdir, target, epoch, isFast, version } = options;
  const { debianVersion } = readChangelog(project);
  if (debianVersion.replace(/-[^-]*$/, "") !== version) {
    throw new Error(
      `etc/debian/changelog must begin with an entry for version ${version} of package.json: got ${debianVersion}`,
    );
  }
  const files = [...placesOf({ ...options, form: "deb" }), ...debianFiles(project)];
  const root = join(scratch, "deb");
  writeTree(root, files, epoch);
  const architecture = architectures[target];
  const control = readFileSync(join(project, "etc/debian/control"), "utf8")
    .replace("@VERSION@", debianVersion)
    .replace("@ARCHITECTURE@", architecture)
    .replace("@INSTALLED_SIZE@", String(kilobytesOf(root)));
  const conffiles = files.filter(({ path }) => path.startsWith("/etc/")).map(({ path }) => path);
  writeTree(
    root,
    [
      controlFile("control", control),
      controlFile("conffiles", `${conffiles.sort().join("\n")}\n`),
      controlFile("md5sums", md5sums(root, files)),
      ...scripts.map((name) =>
        controlFile(name, readFileSync(join(project, "etc/debian", name), "utf8"), 0o755),
      ),
    ],
    epoch,
  );
  const deb = join(outdir, `rcron_${debianVersion}_${architecture}.deb`);
  // The same bytes from any number of threads. Every dpkg since 2010 reads xz, zstd only those of Debian since 2023.
  const { exitCode, stderr } = Bun.spawnSync(
    ["dpkg-deb", "--root-owner-group", "-Zxz", `-z${isFast ? 0 : 6}`, "--build", root, deb],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), LC_ALL: "C" },
      stdout: "ignore",
      timeout: 600_000,
    },
  );
  if (exitCode !== 0) throw new Error(`dpkg-deb failed (exit ${exitCode}):\n${stderr}`);
  return deb;
}

function debianFiles(project: string): Installed[] {
  const changelog = readFileSync(join(project, "etc/debian/changelog"), "utf8");
  return [
    {
      kind: "file",
      path: "/usr/share/doc/rcron/changelog.Debian.gz",
      mode: 0o644,
      content: gzip(changelog),
    },
  ];
}

function controlFile(name: string, text: string, mode = 0o644): Installed {
  return { kind: "file", path: `/DEBIAN/${name}`, mode, content: Buffer.from(text) };
}

/** What `dpkg --verify` compares. */
function md5sums(root: string, files: readonly Installed[]): string {
  const sum = (path: string) =>
    new Bun.CryptoHasher("md5").update(readFileSync(join(root, path))).digest("hex");
  return files
    .filter(({ kind }) => kind === "file")
    .map(({ path }) => `${sum(path)}  ${path.slice(1)}\n`)
    .sort()
    .join("");
}

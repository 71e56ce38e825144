/**
 * What is installed, and where: the one table from which the .deb and the tarball are made.
 *
 * The paths are those of the .deb. The tarball's install.sh puts what is under /usr and /lib under its prefix and leaves
 * /etc where it is, because there the other programs look for it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A file to be installed. */
export interface InstalledFile {
  readonly kind: "file";
  readonly path: string;
  readonly mode: number;
  /** Its content, or the path of the file that has it. */
  readonly content: Uint8Array | { readonly from: string };
}

/** A symbolic link to be installed. */
export interface InstalledLink {
  readonly kind: "link";
  readonly path: string;
  readonly target: string;
}

export type Installed = InstalledFile | InstalledLink;

/** The two kinds of package. */
export type Form = "deb" | "tarball";

/** What {@link placesOf} needs to know. */
export interface PlacesOptions {
  /** The project's folder. */
  readonly project: string;
  readonly form: Form;
  /** The built program. */
  readonly program: string;
  readonly version: string;
}

interface Place {
  /** Below the project's folder; `*` stands for any name. */
  readonly from: string;
  /** With a slash at its end: a folder, in which the file keeps its name. */
  readonly to: string;
  readonly mode: number;
  /** Where the tarball has it, if elsewhere. */
  readonly inTarball?: string;
}

const doc = "/usr/share/doc/rcron/";
const [plain, executable] = [0o644, 0o755];

const places: readonly Place[] = [
  { from: "etc/rcron.conf.example", to: "/etc/rcron/rcron.conf", mode: plain },
  { from: "etc/rcron.init", to: "/etc/init.d/rcron", mode: executable },
  { from: "etc/rcron-state.service", to: "/lib/systemd/system/", mode: plain },
  { from: "etc/rcrond.init", to: "/etc/init.d/rcrond", mode: executable },
  { from: "etc/rcrond.service", to: "/lib/systemd/system/", mode: plain },

  { from: "etc/keepalived/*.sh", to: "/etc/keepalived/rcron/", mode: executable },
  { from: "etc/heartbeat/rcron", to: "/etc/ha.d/resource.d/", mode: executable },
  { from: "etc/ucarp/*.sh", to: "/etc/ucarp/rcron/", mode: executable },
  { from: "etc/pacemaker/rcron", to: "/usr/lib/ocf/resource.d/rcron/", mode: executable },

  { from: "etc/keepalived/*.conf", to: `${doc}examples/keepalived/`, mode: plain },
  { from: "etc/rcron.conf.example", to: `${doc}examples/`, mode: plain },
  { from: "etc/rcron.tmpfiles.conf", to: `${doc}examples/`, mode: plain },
  { from: "README.md", to: doc, mode: plain },
  { from: "docs/*.md", to: doc, mode: plain },
  { from: "docs/man/*.5", to: "/usr/share/man/man5/", mode: plain },
  { from: "docs/man/*.8", to: "/usr/share/man/man8/", mode: plain },

  ...["rcron", "rcronctl", "rcrond"].flatMap((name): Place[] => [
    {
      from: `etc/completion/${name}.bash`,
      to: `/usr/share/bash-completion/completions/${name}`,
      mode: plain,
    },
    {
      from: `etc/completion/${name}.zsh`,
      to: `/usr/share/zsh/vendor-completions/_${name}`,
      inTarball: `/usr/share/zsh/site-functions/_${name}`, // vendor-completions is Debian's own
      mode: plain,
    },
    { from: `etc/completion/${name}.fish`, to: "/usr/share/fish/vendor_completions.d/", mode: plain },
  ]),
];

const links: readonly InstalledLink[] = [
  { kind: "link", path: "/usr/bin/rcrond", target: "rcron" },
  { kind: "link", path: "/usr/bin/rcronctl", target: "rcron" },
  // The init script's name: systemd takes the unit for it, and does not run both at boot.
  { kind: "link", path: "/lib/systemd/system/rcron.service", target: "rcron-state.service" },
];

/** The files below the project's folder that the table names, each with the path that it is installed as in the .deb. */
export function placedFiles(
  project: string,
  form: Form = "deb",
): { from: string; path: string; mode: number }[] {
  return places.flatMap(({ from, to, mode, inTarball }) => {
    const target = form === "tarball" ? (inTarball ?? to) : to;
    return namesLike(project, from).map((file) => ({
      from: file,
      path: target.endsWith("/") ? target + basename(file) : target,
      mode,
    }));
  });
}

/** Everything that a package of this form holds, but for what only Debian has. */
export function placesOf({ project, form, program, version }: PlacesOptions): Installed[] {
  const files = placedFiles(project, form).map(({ from, path, mode }): InstalledFile => {
    const isManual = from.startsWith("docs/man/");
    if (!isManual) return { kind: "file", path, mode, content: { from: join(project, from) } };
    // The name of an operating system would stand at the foot of each page.
    const page = readFileSync(join(project, from), "utf8").replace(/^\.Os$/m, `.Os rcron ${version}`);
    return form === "deb"
      ? { kind: "file", path: `${path}.gz`, mode, content: gzip(page) }
      : { kind: "file", path, mode, content: Buffer.from(page) };
  });
  const binary: InstalledFile = {
    kind: "file",
    path: "/usr/bin/rcron",
    mode: executable,
    content: { from: program },
  };
  const copyright: InstalledFile = {
    kind: "file",
    path: `${doc}copyright`,
    mode: plain,
    content: Buffer.from(copyrightOf(project)),
  };
  return [binary, ...files, copyright, ...links];
}

/**
 * etc/debian/copyright, with the licenses in it as they stand in the project and in the packages that are built in.
 * @throws {Error} where one of them does not begin as expected: what is packaged must say its own license
 */
function copyrightOf(project: string): string {
  const read = (path: string) => readFileSync(join(project, path), "utf8");
  const partsOf = (path: string) => {
    const [, holder, license] =
      /^(?:MIT License\n\n)?Copyright \(c\) (.+)\n\n([\s\S]+)$/.exec(read(path)) ?? [];
    if (holder === undefined || license === undefined) {
      throw new Error(`${path} must begin with a line "Copyright (c) ...": got another text`);
    }
    // A paragraph of a control file: each line behind a blank, an empty one as a full stop.
    return { holder, license: license.trimEnd().replace(/^/gm, " ").replace(/^ $/gm, " .") };
  };
  const own = partsOf("LICENSE");
  const nodemailer = partsOf("node_modules/nodemailer/LICENSE");
  return read("etc/debian/copyright")
    .replace("@LICENSE@", own.license)
    .replace("@NODEMAILER_COPYRIGHT@", nodemailer.holder)
    .replace("@NODEMAILER_LICENSE@", nodemailer.license);
}

/** As `gzip -9n` does it. */
export function gzip(text: string): Uint8Array {
  return Bun.gzipSync(text, { level: 9 });
}

/** @throws {Error} where there is no such file: a package must not lack what this table promises */
function namesLike(project: string, pattern: string): string[] {
  const folder = pattern.slice(0, pattern.lastIndexOf("/") + 1);
  const [before = "", after] = pattern.slice(folder.length).split("*");
  const found = readdirSync(join(project, folder)).filter((name) =>
    after === undefined ? name === before : name.startsWith(before) && name.endsWith(after),
  );
  if (found.length === 0) throw new Error(`${pattern} must be there to be packaged: found no such file`);
  return found.sort().map((name) => folder + name);
}

/** Packages made for the tests: quickly compressed, in a folder of their own. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { project } from "../support/program.ts";

/** What `bin/package.ts` needs of this machine. */
export const packagingNeeds = ["dpkg-deb", "xz"] as const;

export interface MakeOptions {
  readonly form: "deb" | "tarball";
  readonly outdir: string;
  readonly target?: "x64" | "arm64";
  /** Words that the command is called through, such as `taskset -c 0`. */
  readonly through?: readonly string[];
  readonly env?: Record<string, string>;
}

/** Makes one package for this kind of machine, or for `target`. @returns its path */
export function makePackage({ form, outdir, target, through = [], env = {} }: MakeOptions): string {
  const words = [
    ...through,
    ...[process.execPath, join(project, "bin/package.ts"), "--fast", "--form", form, "--outdir", outdir],
    ...["--target", target ?? (process.arch === "arm64" ? "arm64" : "x64")],
  ];
  const { exitCode, stderr } = Bun.spawnSync(words, { timeout: 300_000, env: { ...process.env, ...env } });
  if (exitCode !== 0) throw new Error(stderr.toString());
  const [name] = readdirSync(outdir);
  if (name === undefined) throw new Error(`no package in ${outdir}`);
  return join(outdir, name);
}

/**
 * In a scene: the machine's programs, its libraries and what dpkg knows of them can be changed, and nothing of it stays.
 * `list_files` lists what is there, of the large folders only what has been changed, but not what dpkg, debconf and the
 * manual's index note for themselves.
 */
export const ownMachine = String.raw`
mkdir -p /mnt/before
for folder in usr var/lib var/cache; do
  mkdir -p /mnt/before/$folder /mnt/changed/$folder /mnt/work/$folder
  mount --bind /$folder /mnt/before/$folder
  mount -t overlay -o lowerdir=/$folder,upperdir=/mnt/changed/$folder,workdir=/mnt/work/$folder overlay /$folder
done
rm -f /usr/sbin/policy-rc.d /usr/sbin/runlevel
rm -rf /var/lib/rcron # the record of the machine that the test runs on
# What invoke-rc.d asks: this machine has no init that could tell.
printf '#!/bin/sh\necho N 2\n' >/usr/sbin/runlevel
chmod 755 /usr/sbin/runlevel
list_files() {
  find /etc /run /var/mail /var/spool/cron \
    \( -path /run/kept -o -path /run/out -o -path /run/debs -o -path /run/systemd -o -path '/run/crond.*' -o -path /run/rsyslog.conf \
      -o -path '/etc/init.d/.depend.*' -o -path /var/mail/root \) -prune \
    -o -type d -printf '%y %m %U:%G %p\n' -o -type l -printf '%y %p %l\n' -o ! -type c -printf '%y %m %U:%G %p %s %T@\n' | sort
  (
    cd /mnt/changed
    find . -type d | while read -r folder; do [ -d "/mnt/before/$folder" ] || echo "new folder $folder"; done
    find . \( -path ./var/lib/dpkg -o -path ./var/cache/man -o -path ./var/cache/debconf \) -prune \
      -o -type c -printf 'gone %p\n' -o ! -type d -printf '%y %m %p %s %T@ %l\n' | sort
  )
}
`;

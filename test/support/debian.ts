/**
 * The Debian packages whose programs the tests drive, installed where this machine allows it.
 *
 * `test/run.ts` installs what is missing once, before the first test. A test that needs a program asks
 * `lacking()` and, where it can't have it, is skipped under a title that says why: nothing is left out silently.
 */

import { describe } from "bun:test";
import { existsSync } from "node:fs";

/** Program, or the path of a file → the Debian package that brings it. */
const packageOf: Readonly<Record<string, string>> = {
  cron: "cron",
  rsyslogd: "rsyslog",
  logger: "bsdutils",
  dma: "dma",
  "/usr/lib/python3/dist-packages/aiosmtpd/smtp.py": "python3-aiosmtpd",
  openssl: "openssl",
  logrotate: "logrotate",
  shellcheck: "shellcheck",
  keepalived: "keepalived",
  ucarp: "ucarp",
  "ocf-tester": "resource-agents",
  xmllint: "libxml2-utils",
  "/usr/libexec/heartbeat/heartbeat": "heartbeat",
  corosync: "corosync",
  pacemakerd: "pacemaker",
  crm_mon: "pacemaker-cli-utils",
  "systemd-analyze": "systemd",
  "systemd-tmpfiles": "systemd",
  "start-stop-daemon": "dpkg",
  "dpkg-deb": "dpkg",
  xz: "xz-utils",
  "update-rc.d": "init-system-helpers",
  insserv: "insserv",
  mandoc: "mandoc",
  groff: "groff-base",
  "/usr/share/bash-completion/bash_completion": "bash-completion",
  zsh: "zsh",
  fish: "fish",
  sshd: "openssh-server",
  ssh: "openssh-client",
  "/bin/csh": "csh",
  busybox: "busybox",
  mksh: "mksh",
  yash: "yash",
  unshare: "util-linux",
  nsenter: "util-linux",
  flock: "util-linux",
  ip: "iproute2",
  python3: "python3",
  perl: "perl",
  hyperfine: "hyperfine",
  chronic: "moreutils",
  strace: "strace",
  setpriv: "util-linux",
  "qemu-aarch64-static": "qemu-user-static",
  "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1": "libc6-arm64-cross",
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1": "libfaketime",
};

const searched = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

function has(need: string): boolean {
  if (need === "root") return process.getuid?.() === 0;
  if (need.startsWith("/")) return existsSync(need);
  return searched.some((folder) => existsSync(`${folder}/${need}`));
}

/**
 * Says what of `needs` this machine lacks.
 * @param needs program names of the table above, or `root`
 * @returns undefined when all are here, else the reason in words
 */
export function lacking(...needs: string[]): string | undefined {
  const missing = needs.filter((need) => !has(need));
  if (missing.length === 0) return undefined;
  return missing
    .map((need) =>
      need === "root" ? "needs root" : `needs ${need} (Debian package ${packageOf[need] ?? need})`,
    )
    .join(", ");
}

/** Like `describe`, but skipped, with the reason in its title, where a need is not met. */
export function describeWith(title: string, needs: readonly string[], body: () => void): void {
  const reason = lacking(...needs);
  if (reason === undefined) describe(title, body);
  else describe.skip(`${title} [skipped: ${reason}]`, body);
}

/**
 * Installs every missing package of the table through apt, where that is possible (root and apt-get).
 * @returns one line that says what was done, or why nothing could be
 */
export function installMissingPackages(): string {
  const wanted = [
    ...new Set(
      Object.entries(packageOf)
        .filter(([program]) => !has(program))
        .map(([, name]) => name),
    ),
  ];
  if (wanted.length === 0) return "every Debian package that the tests drive is here";
  if (!has("root")) return `not root: can't install ${wanted.join(" ")}; tests that need them are skipped`;
  if (!has("apt-get"))
    return `no apt-get: can't install ${wanted.join(" ")}; tests that need them are skipped`;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = (words: string[]) =>
    Bun.spawnSync(words, { env, stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: 600_000 });
  run(["apt-get", "update", "-qq"]);
  // Debian starts daemons on installation; the tests start their own, in namespaces of their own.
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours)
    Bun.spawnSync(["install", "-m", "755", "/dev/stdin", policy], {
      stdin: Buffer.from("#!/bin/sh\nexit 101\n"),
    });
  const install = (names: readonly string[]) =>
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...names]);
  const done = install(wanted);
  // One package that this release does not have stops all of them: then each for itself.
  if (done.exitCode !== 0) for (const name of wanted) install([name]);
  if (ours) Bun.spawnSync(["rm", "-f", policy]);
  const still = wanted.filter((name) =>
    Object.entries(packageOf).some(([program, from]) => from === name && !has(program)),
  );
  if (still.length === 0) return `installed ${wanted.join(" ")}`;
  return `could not install ${still.join(" ")} (apt-get exit ${done.exitCode}): ${done.stderr.toString().trim().slice(-300)}`;
}

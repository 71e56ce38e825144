/**
 * This machine with a /run, an /etc, a /dev and a network of its own, for one shell script: what an operator would do as
 * root can be done there for real, and nothing of it is left when the script ends.
 *
 * The script is pid 1 of its own pid namespace, so whatever it starts ends with it, also when it is cut off.
 */

import { describe } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeWith, lacking } from "./debian.ts";
import { binary, type Ended, project, run } from "./program.ts";

export { type Ended, project, run } from "./program.ts";
export const etc = join(project, "etc");
export const rcron = binary;

/**
 * Runs a shell script (`sh -eu`) on the private host: /run, /var/log, /var/mail, /var/lib/rcron and the crontabs are empty, /etc is a
 * copy to write to, /dev has the usual devices but no log socket, /usr/bin/rcron is the built program if there is one,
 * and `eth0` and `eth1` are up and lead nowhere.
 * @param script has `$etc`, the project's etc/; `until_ok COMMAND…`, which polls for at most 8 s; and `says FILE WORD`
 */
export function onPrivateHost(script: string, timeoutMs = 20_000): Promise<Ended> {
  const prelude = `
etc='${etc}'
until_ok() { tries=0; until "$@"; do tries=$((tries + 1)); [ $tries -lt 400 ] || { echo "gave up: $*" >&2; return 1; }; sleep 0.02; done; }
says() { [ "$(head -n 1 "$1" 2>/dev/null)" = "$2" ]; }
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/etc /mnt/etc-work /mnt/bin /mnt/bin-work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/etc-work overlay /etc
mount -t overlay -o lowerdir=/usr/bin,upperdir=/mnt/bin,workdir=/mnt/bin-work overlay /usr/bin
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /var/lib/rcron
for folder in /var/log /var/mail /var/spool/cron/crontabs; do [ ! -d $folder ] || mount -t tmpfs -o mode=1777 tmpfs $folder; done
mount -t tmpfs -o mode=700 tmpfs /var/lib/rcron
mkdir /mnt/dev
mount -t tmpfs -o mode=755 tmpfs /mnt/dev
for device in null zero full random urandom tty; do cp -a /dev/$device /mnt/dev/; done
mkdir /mnt/dev/pts /mnt/dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts /mnt/dev/pts
ln -s pts/ptmx /mnt/dev/ptmx
ln -s /proc/self/fd /mnt/dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s /proc/self/fd/\${n%:*} /mnt/dev/\${n#*:}; done
mount --move /mnt/dev /dev
rm -rf /etc/rcron /etc/keepalived /etc/default/rcron
rm -f /usr/bin/rcron
[ ! -e '${rcron}' ] || ln -s '${rcron}' /usr/bin/rcron
ip link set lo up
for n in 0 1; do
  ip link add eth$n type veth peer name peer$n
  ip link set peer$n up
  ip link set eth$n up
  ip addr add 192.0.2.10$n/24 dev eth$n
done
`;
  return run([...namespaces, "sh", "-euc", prelude + script], { timeoutMs });
}

/** Like describeWith, and skipped as well where namespaces can't be made or the program is asked for and not built. */
export function describeOnPrivateHost(title: string, needs: readonly string[], body: () => void): void {
  const wanted = ["root", "unshare", "ip", ...needs.filter((need) => need !== "dist/rcron")];
  if (needs.includes("dist/rcron") && !existsSync(rcron)) {
    describe.skip(`${title} [skipped: needs dist/rcron (npm run build)]`, body);
  } else if (lacking(...wanted) === undefined && !canMakeNamespaces()) {
    describe.skip(`${title} [skipped: this machine allows no namespaces, overlays or veths]`, body);
  } else describeWith(title, wanted, body);
}

const namespaces = "unshare -m -n -p -u -i -f --kill-child=KILL --mount-proc".split(" ");

function canMakeNamespaces(): boolean {
  const trial =
    "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w && mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w o /etc && ip link add eth0 type veth peer name peer0";
  return Bun.spawnSync([...namespaces, "sh", "-c", trial], { timeout: 5_000 }).exitCode === 0;
}

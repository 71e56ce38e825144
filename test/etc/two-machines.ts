/**
 * Two machines on one cable, for the scripts of `onPrivateHost`: shell text to put in front of them.
 *
 * They are network namespaces, host1 with 198.51.100.1 and host2 with 198.51.100.2 on eth0. What needs more of a machine
 * of its own – processes, a /run, an /etc, a host name – boots it.
 */
import { type Ended, rcron } from "../support/private-host.ts";

/** The network, `rcronctl` in PATH, and `patient COMMAND…`, which polls for at most 30 s. */
export const twoMachines = `
ln -sf '${rcron}ctl' /usr/bin/rcronctl
patient() { for _ in 1 2 3; do until_ok "$@" 2>/dev/null && return; done; until_ok "$@"; }
mkdir -p /run/netns
ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip link set br0 up
for n in 1 2; do
  ip netns add host$n
  ip link add port$n type veth peer name eth0 netns host$n
  ip link set port$n master br0 up
  ip -n host$n link set lo up
  ip -n host$n addr add 198.51.100.$n/24 brd + dev eth0
  ip -n host$n link set eth0 up
done
`;

/**
 * Machines that can be booted, with `default_state = passive` and `require_writer = yes` in their rcron.conf:
 *
 * - `boot N` makes machine N whole; it ends with the private host. Its init is bash, which reaps what others leave behind.
 * - `on N COMMAND…` runs a command there.
 * - `word_is N WORD`, `verdict_is N WORD` ask what its state file says and what rcron makes of it; `both TITLE` tells
 *   that of both machines.
 * @param setup shell commands that a machine runs at its boot; its number is in `$n`
 */
export function wholeMachines(setup: string): string {
  return `${twoMachines}
export etc
cat >/mnt/init <<'INIT'
set -eu
n=$1
hostname host$n
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /mnt
for folder in /etc /var/lib; do
  mkdir -p /mnt$folder /mnt$folder.work
  mount -t overlay -o lowerdir=$folder,upperdir=/mnt$folder,workdir=/mnt$folder.work overlay $folder
done
mkdir -p /etc/rcron
printf 'default_state = passive\\nrequire_writer = yes\\n' >/etc/rcron/rcron.conf
${setup}
: >/run/booted
set +e
while :; do sleep 0.2; done
INIT
find_init() { init=$(cat /proc/$1/task/$1/children) init=\${init% } && [ -n "$init" ]; }
boot() {
  ip netns exec host$1 unshare -m -p -u -i -f --kill-child=KILL --mount-proc bash /mnt/init $1 >&2 &
  until_ok find_init $!
  echo $init >/mnt/init$1
  until_ok test -e /proc/$init/root/run/booted
}
on() { number=$1; shift; nsenter -t "$(cat /mnt/init$number)" -m -n -p -u -i "$@"; }
word() { on $1 head -n 1 /run/rcron.state 2>/dev/null || echo none; }
word_is() { [ "$(word $1)" = $2 ]; }
verdict_is() { on $1 rcronctl state --is $2; }
verdict() { verdict_is $1 active && echo active || echo passive; }
both() { echo "$1: $(word 1) $(word 2), verdicts $(verdict 1) $(verdict 2)"; }
`;
}

/** What a scene wrote to standard output; a scene whose script failed is an error that tells all it wrote. */
export async function told(scene: Promise<Ended>): Promise<string> {
  const { exitCode, stdout, stderr } = await scene;
  if (exitCode !== 0) throw new Error(`the test's own script failed: ${stdout}${stderr}`);
  return stdout;
}

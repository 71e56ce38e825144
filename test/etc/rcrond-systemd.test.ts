/**
 * rcrond under a real systemd, which is process 1 of namespaces of its own: readiness, restart after a kill, watchdog, reload,
 * stop.
 *
 * Whatever systemd does when it boots stays in there: /tmp, /var/tmp and /root are empty ones of its own, /proc/sys can only
 * be read, and of all units there are rcrond and what systemd makes itself. Its control groups are below one that the test
 * makes and removes.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";

setDefaultTimeout(90_000);

/** Where the second version of control groups is; undefined where it is not. */
const groups = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].find((folder) =>
  existsSync(`${folder}/cgroup.controllers`),
);

const boot = `
cp --remove-destination "$(readlink -f /usr/bin/rcron)" /usr/bin/rcron # the project may be in one of the folders that are hidden next
ln -s rcron /usr/bin/rcrond; ln -s rcron /usr/bin/rcronctl
cp $etc/rcrond.service /etc/systemd/system/
for folder in /tmp /var/tmp /root /var/lib/systemd; do mkdir -p $folder; mount -t tmpfs -o mode=1777 tmpfs $folder; done
for target in sysinit basic; do printf '[Unit]\\nDefaultDependencies=no\\n' > /etc/systemd/system/$target.target; done
printf '[Unit]\\nDefaultDependencies=no\\nWants=rcrond.service\\n' > /etc/systemd/system/only.target
mkdir -p /etc/rcron/jobs.d /etc/systemd/system/rcrond.service.d
printf 'at * * * * * *\\noutput none\\nrun env | sort > /run/env\\n' > /etc/rcron/jobs.d/each
printf 'every 1h\\noutput none\\nrun sleep 1000\\n' > /etc/rcron/jobs.d/long
printf 'stop_grace = 1s\\n[daemon]\\nstop_timeout = 1s\\n' > /etc/rcron/rcron.conf
printf '[Service]\\nWatchdogSec=3\\n' > /etc/systemd/system/rcrond.service.d/watchdog.conf
group=${groups}/rcrond-test-$(cat /proc/sys/kernel/random/uuid)
mkdir $group
sh -c 'echo $$ > '$group'/cgroup.procs
  exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare -m -C -p -f --kill-child=KILL sh -c "
    mount -t proc proc /proc
    mount --bind /proc/sys /proc/sys
    mount -o remount,ro,bind /proc/sys
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    exec /lib/systemd/systemd --system --unit=only.target --log-target=console --show-status=0"' > /run/systemd.log 2>&1 &
booted=$!
tidy_up() {
  kill -KILL $booted 2> /dev/null || true
  until_ok has_no_group # which is busy until the last process has been taken note of
}
has_no_group() { find $group -depth -type d -exec rmdir {} ';' 2> /dev/null; [ ! -e $group ]; }
trap tidy_up EXIT
has_child() { [ -n "$(cat /proc/$booted/task/$booted/children)" ]; }
until_ok has_child
init=$(tr -d ' ' < /proc/$booted/task/$booted/children)
inside() { nsenter -t $init -m -p -C "$@"; }
shows() { [ "$(inside systemctl show -p "$1" --value rcrond 2>/dev/null)" = "$2" ]; }
pid() { inside systemctl show -p MainPID --value rcrond; }
until_ok shows ActiveState active
`;

/** What the script prints, once it has ended well. */
async function under(script: string): Promise<string> {
  const ended = await onPrivateHost(boot + script, 60_000);
  expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toEqual({ exitCode: 0, stderr: "" });
  return ended.stdout;
}

if (groups !== undefined) {
  describeOnPrivateHost("rcrond under systemd", ["systemd-analyze", "nsenter", "dist/rcron"], () => {
    test("is ready when its jobs are read, and says so; jobs have nothing of the service", async () => {
      const told = await under(`
        inside systemctl show -p StatusText --value rcrond
        until_ok test -s /run/env
        cat /run/env
      `);
      expect(told).toStartWith("2 jobs in 2 files\n");
      expect(told).toContain("RCRON_TICK=");
      expect(told).not.toMatch(/NOTIFY_SOCKET|WATCHDOG|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD/);
    });

    test("is started again after a kill, and finds its run again", async () => {
      const told = await under(`
        inside rcronctl run long > /dev/null
        inside systemctl kill -s KILL --kill-whom=main rcrond
        until_ok shows NRestarts 1
        until_ok shows ActiveState active
        until_ok inside rcronctl status > /dev/null
        inside rcronctl status
      `);
      expect(told).toMatch(/^ +[0-9a-f]{16} {2}long {2}since/m);
    });

    test("is killed and started again when it stands still", async () => {
      await under(`
        before=$(pid)
        inside kill -STOP $before
        until_ok shows NRestarts 1
        until_ok shows ActiveState active
        [ "$(pid)" != $before ]
      `);
    });

    test("lives on while it does its work, whatever the watchdog; reloads; stops with its runs, each recorded", async () => {
      const told = await under(`
        inside rcronctl run long > /dev/null
        sleep 4
        inside systemctl reload rcrond
        until_ok shows ActiveState active
        inside systemctl show -p NRestarts rcrond
        inside systemctl stop rcrond
        inside systemctl show -p Result rcrond
        inside rcronctl runs --job long
      `);
      expect(told).toContain("NRestarts=0\nResult=success\n");
      expect(told).toMatch(/long +failed .*stopped/);
    });
  });
}

/** rcronctl and rcrond on a host of their own: the real daemon behind the real socket, asked by several users. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { describeOnPrivateHost, onPrivateHost, project } from "../support/private-host.ts";

setDefaultTimeout(60_000);

/** A daemon whose group is games, and `as GIDS WORD…`, a command by a user of these groups. */
const prelude = `
for name in rcronctl rcrond; do ln -s '${join(project, "dist")}/'$name /usr/bin/$name; done
mkdir -p /etc/rcron/jobs.d /home
printf '[daemon]\\nsocket_group = games\\nlog = stderr\\n' >/etc/rcron/rcron.conf
printf 'every 1d\\noutput none\\nrun echo hello; exit 3\\n' >/etc/rcron/jobs.d/greet
printf 'every 1d\\noutput none\\nrun sleep 1000\\n' >/etc/rcron/jobs.d/long
games=$(getent group games | cut -d: -f 3)
rcrond >/run/out 2>&1 &
until_ok rcronctl status --json >/run/status
as() { groups=$1; shift; setpriv --reuid=65534 --regid=65534 --groups=$groups env HOME=/home "$@"; }
`;

describeOnPrivateHost("the socket of an ordinary user", ["setpriv"], () => {
  test("is in his runtime folder, or else beside his record; without a home there is root's alone", async () => {
    const ended = await onPrivateHost(`
      ln -s '${join(project, "dist/rcronctl")}' /usr/bin/rcronctl
      ask() { setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" "$@" rcronctl status 2>&1 | head -n 1; }
      ask HOME=/x XDG_RUNTIME_DIR=/run/user/1
      ask HOME=/x XDG_RUNTIME_DIR=run/user/1
      ask HOME=/x XDG_STATE_HOME=/x/state
      ask`);
    expect(ended.stdout.split("\n")).toEqual([
      "rcronctl: no rcrond answers on /run/user/1/rcron/rcrond.sock",
      "rcronctl: no rcrond answers on /x/.local/state/rcron/rcrond.sock",
      "rcronctl: no rcrond answers on /x/state/rcron/rcrond.sock",
      "rcronctl: no rcrond answers on /run/rcron/rcrond.sock",
      "",
    ]);
  });
});

describeOnPrivateHost("rcrond's socket", ["setpriv"], () => {
  test("is open to root and to the group's members, who need not say where it is", async () => {
    const ended = await onPrivateHost(`${prelude}
      stat -c '%A %U %G' /run/rcron/rcrond.sock
      as 17,$games rcronctl next | tail -n +2 | awk '{ print $4 }'
      as 17,$games rcronctl jobs | tail -n +2 | tr -s ' '
      as 17 rcronctl status 2>&1 || echo $?`);
    expect(ended.stdout.split("\n").slice(0, 7)).toEqual([
      "srw-rw---- root games",
      "greet",
      "long",
      expect.stringMatching(/^greet unknown /),
      expect.stringMatching(/^long unknown /),
      "rcronctl: you must be allowed to ask the rcrond of /run/rcron/rcrond.sock",
      "rcronctl: hint: root may, and the members of socket_group in rcron.conf",
    ]);
    expect(ended.stdout.split("\n")[7]).toBe("1");
  });

  test("starts a run, follows it to its end, and ends one", async () => {
    const ended = await onPrivateHost(`${prelude}
      code=0; rcronctl run greet --follow >/run/followed || code=$?
      echo $code $(cat /run/followed)
      rcronctl run long | sed 's/[0-9a-f]\\{16\\}/ID/'
      until_ok sh -c 'rcronctl status --json | grep -q "\\"job\\": \\"long\\""'
      rcronctl stop long | sed 's/[0-9a-f]\\{16\\}/ID/'
      until_ok sh -c 'rcronctl status | grep -q "0 at work"'
      rcronctl show $(rcronctl runs --job long --json | sed -n 's/^    "run": "\\(.*\\)",/\\1/p') | grep ^state`);
    expect(ended.stdout).toContain("3 hello\nrun ID of long: ");
    expect(ended.stdout).toContain("\nrun ID of long is being ended\nstate");
    expect(ended.exitCode).toBe(0);
  });

  test("pauses a job and resumes it", async () => {
    const ended = await onPrivateHost(`${prelude}
      rcronctl pause greet --for 29d --why 'new disks' | sed 's/[0-9:]\\{8\\}/TIME/'
      rcronctl next greet | tail -n 1 | grep -c 'but .*paused until'
      rcronctl jobs --json | grep -c '"pausedUntil": "20'
      rcronctl resume greet
      rcronctl resume greet 2>&1 || echo $?
      rcronctl jobs --json | grep -c '"pausedUntil": "20' || true`);
    expect(ended.stdout.split("\n")).toEqual([
      expect.stringMatching(/^greet is paused until .*TIME by root: "new disks"$/),
      "1",
      "1",
      "greet resumed",
      expect.stringMatching(/^rcronctl: .*greet.* is not paused/),
      "1",
      "0",
      "",
    ]);
  });
});

describeOnPrivateHost("rcrond with nodes", ["setpriv"], () => {
  const fleet = `
for name in rcronctl rcrond; do ln -s '${join(project, "dist")}/'$name /usr/bin/$name; done
mkdir -p /etc/rcron/jobs.d
conf() { printf '[daemon]\\nlog = stderr\\n'; for name; do printf '[node %s]\\nconnection = local\\n' $name; done; }
conf here old >/etc/rcron/rcron.conf
printf 'every 1d\\non any of here\\noutput none\\nrun sleep 1000\\n' >/etc/rcron/jobs.d/long
rcrond >/run/out 2>&1 &
rcrond=$!
until_ok rcronctl status --json >/run/status
`;

  test("tells with a reload what has changed of them", async () => {
    const ended = await onPrivateHost(`${fleet}
      rcronctl reload
      { conf here new other; printf 'roles = web\\n'; } >/etc/rcron/rcron.conf
      rcronctl reload
      conf new here >/etc/rcron/rcron.conf
      rcronctl reload --json | tr -d ' \\n'; echo
      conf >/etc/rcron/rcron.conf
      rcronctl reload
      rcronctl reload`);
    const none = "0 jobs added, 0 changed, 0 removed";
    expect(ended.stdout.split("\n")).toEqual([
      `${none}; 0 nodes added, 0 changed, 0 removed`,
      `${none}; 2 nodes added, 0 changed, 1 removed`,
      '{"added":0,"changed":0,"removed":0,"nodes":{"added":0,"changed":0,"removed":1},"broken":[]}',
      `${none}; 0 nodes added, 0 changed, 2 removed`,
      none,
      "",
    ]);
  });

  test("is missed by the record while it is not there, and no run on nodes counts as interrupted", async () => {
    const ended = await onPrivateHost(`${fleet}
      rcronctl run long >/dev/null
      until_ok sh -c 'rcronctl runs --json | grep -q "\\"state\\": \\"running\\""'
      kill -9 $rcrond
      until_ok sh -c '! kill -0 '$rcrond' 2>/dev/null'
      rcronctl show $(rcronctl runs --json | sed -n 's/^    "run": "\\(.*\\)",/\\1/p') | grep -E '^(state|because)'
      rcronctl metrics | grep -E '^rcron_job_(runs_total|failure_streak)' | cut -d '{' -f 1`);
    expect(ended.stdout).toBe(
      "state    interrupted\n" +
        "because  rcrond is not there: it goes on on its nodes, and the next rcrond finds it again\n" +
        "rcron_job_failure_streak\n",
    );
    expect(ended.exitCode).toBe(0);
  });
});

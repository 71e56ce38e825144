/** The resource script for heartbeat, called by heartbeat itself on two machines, and by its ResourceManager. */
import { beforeAll, expect, test } from "bun:test";
import { describeOnPrivateHost, type Ended, onPrivateHost, rcron } from "../support/private-host.ts";
import { told, wholeMachines } from "./two-machines.ts";

const heartbeat = "/usr/libexec/heartbeat/heartbeat";

const machines = wholeMachines(`
systemd-tmpfiles --create /usr/lib/tmpfiles.d/heartbeat.conf
cat >/etc/ha.d/ha.cf <<'END'
crm no
logfile /run/ha.log
logfacility none
keepalive 200ms
warntime 1
deadtime 2
initdead 2
bcast eth0
auto_failback off
uuidfrom nodename
node host1
node host2
END
printf 'auth 1\\n1 crc\\n' >/etc/ha.d/authkeys
chmod 600 /etc/ha.d/authkeys
printf 'host1 rcron\\n' >/etc/ha.d/haresources
install -m 755 $etc/heartbeat/rcron /etc/ha.d/resource.d/rcron
`);

describeOnPrivateHost("heartbeat", [heartbeat, "systemd-tmpfiles", "dist/rcron"], () => {
  let life: Promise<Ended>;
  beforeAll(() => {
    life = onPrivateHost(
      `${machines}
      start() { on $1 ${heartbeat} >&2; }
      sees() { on $1 cl_status nodestatus host$2 2>&1 | grep -q '^active$'; }
      behind() { on $1 sed -n 's,^writer=heartbeat/\\([0-9]*\\)/[0-9]*$,\\1,p' /run/rcron.state; }
      title() { on $1 sh -c "echo behind it: \\$(tr -d '\\0' </proc/$(behind $1)/cmdline)"; }
      boot 1; boot 2
      start 1; patient word_is 1 active
      start 2; patient sees 1 2; both joined
      master=$(behind 1); title 1
      on 1 kill -STOP $master; patient verdict_is 1 passive; echo "frozen: $(word 1), verdict $(verdict 1)"
      on 1 kill -KILL $master; patient word_is 2 active; both 'killed and taken over'
      start 1; patient sees 2 1; both 'started again'
      on 2 kill -TERM $(behind 2); patient word_is 2 passive; patient verdict_is 1 active; both 'stopped and handed over'
      title 1; on 2 sed -n '/^event=/p' /run/rcron.state`,
      90_000,
    );
  });

  test("makes the machine that holds the resource active, and its master control process stands behind the word", async () => {
    expect(await told(life)).toStartWith(
      "joined: active none, verdicts active passive\nbehind it: heartbeat: master control process\n",
    );
  }, 90_000);

  test("frozen, it stands behind nothing: require_writer makes its machine passive", async () => {
    expect(await told(life)).toContain("\nfrozen: active, verdict passive\n");
  }, 90_000);

  test("killed, it calls nobody; the other machine takes over, and require_writer has one of them active", async () => {
    expect(await told(life)).toContain("\nkilled and taken over: active active, verdicts passive active\n");
  }, 90_000);

  test("started again it stands by and calls nobody, as the script's comment says; its old word stays without belief", async () => {
    expect(await told(life)).toContain("\nstarted again: active active, verdicts passive active\n");
  }, 90_000);

  test("stopped, it makes its machine passive and the other one active, whose old word is written anew", async () => {
    expect(await told(life)).toEndWith(
      "\nstopped and handed over: active passive, verdicts active passive\nbehind it: heartbeat: master control process\nevent=STOP\n",
    );
  }, 90_000);
});

const install = `ln -s '${rcron}ctl' /usr/bin/rcronctl
install -m 755 $etc/heartbeat/rcron /etc/ha.d/resource.d/rcron; rcron=/etc/ha.d/resource.d/rcron
manager=/usr/share/heartbeat/ResourceManager
mkdir /run/OK; printf 'state_file = /run/other.state\\ndefault_state = passive\\n' >/run/OK/rcron.conf
exit_of() { code=0; "$@" >/dev/null || code=$?; echo "$code"; }
`;

describeOnPrivateHost("heartbeat's ResourceManager", [heartbeat, "dist/rcron"], () => {
  test("takes and gives the resource, with another configuration, and is not deceived by an OK in its path", async () => {
    const { stdout, stderr } = await onPrivateHost(`${install}
      echo "$(hostname) rcron::/run/OK/rcron.conf" >/etc/ha.d/haresources
      group=rcron::/run/OK/rcron.conf
      echo "before: $(exit_of $manager status $group)"
      $manager takegroup $group; echo "taken: $(head -n 1 /run/other.state), $(exit_of $manager status $group)"
      sed -n '/^event=/p;/^writer=/p' /run/other.state
      $manager givegroup $group; echo "given: $(head -n 1 /run/other.state), $(exit_of $manager status $group)"
      ls /run/rcron.state 2>/dev/null || echo 'no other file'`);
    expect(stderr).not.toContain("ERROR");
    expect(stdout).toBe(
      "before: 3\ntaken: active, 0\nevent=START\nwriter=heartbeat\ngiven: passive, 3\nno other file\n",
    );
  });

  test("takes /etc/init.d/rcron where the resource script is missing: the comment is true", async () => {
    const { stdout } = await onPrivateHost(`${install}
      rm $rcron; printf '#!/bin/sh\\necho called "$@" >>/run/init\\n' >/etc/init.d/rcron; chmod 755 /etc/init.d/rcron
      echo "$(hostname) rcron" >/etc/ha.d/haresources; $manager takegroup rcron; tail -n 1 /run/init`);
    expect(stdout).toBe("called start\n");
  });
});

describeOnPrivateHost("heartbeat/rcron", [heartbeat, "dist/rcron"], () => {
  test.each([
    { title: "start", script: "$rcron start", exits: 0, says: "active" },
    { title: "start of what is started", script: "$rcron start && $rcron start", exits: 0, says: "active" },
    { title: "stop", script: "$rcron start && $rcron stop", exits: 0, says: "passive" },
    { title: "stop of what is stopped", script: "$rcron stop", exits: 0, says: "passive" },
    {
      title: "start with a configuration that is not there",
      script: "$rcron /run/none start",
      exits: 1,
      says: "",
    },
    { title: "start without rcronctl", script: "rm /usr/bin/rcronctl; $rcron start", exits: 1, says: "" },
    { title: "an unknown action", script: "$rcron reload", exits: 2, says: "" },
    { title: "no action", script: "$rcron", exits: 2, says: "" },
    { title: "a configuration that is no path", script: "$rcron other start", exits: 2, says: "" },
  ])("$title: exit $exits", async ({ script, exits, says }) => {
    const { stdout } = await onPrivateHost(`${install}
      code=0; { ${script}; } >&2 || code=$?; echo "$code $(head -n 1 /run/rcron.state 2>/dev/null)"`);
    expect(stdout).toBe(`${exits} ${says}\n`);
  });

  test("names the outermost heartbeat above it: the helpers that call it bear that name as well, and end soon", async () => {
    const { stdout } = await onPrivateHost(`${install}
      cp /bin/sh /run/heartbeat
      /run/heartbeat -c 'echo "expected: $$"; /run/heartbeat -c "$1 start >&2; :"; :' - $rcron
      sed -n 's,^writer=heartbeat/\\([0-9]*\\)/[0-9]*$,named: \\1,p' /run/rcron.state`);
    expect(stdout).toMatch(/^expected: (\d+)\nnamed: \1\n$/);
  });

  test("status says one word, of the verdict and not of the file", async () => {
    const { stdout } = await onPrivateHost(`${install}
      mkdir /etc/rcron; echo 'default_state = passive' >/etc/rcron/rcron.conf
      status() { code=0; $rcron status || code=$?; echo "$code"; }
      status; $rcron start >&2; status; echo 'require_writer = yes' >>/etc/rcron/rcron.conf; status`);
    // Called by hand there is no heartbeat to stand behind the word.
    expect(stdout).toBe("stopped\n3\nrunning\n0\nstopped\n3\n");
  });
});

/** The resource agent for Pacemaker: ocf-tester's verdict, its exit statuses, and two nodes with Pacemaker itself. */
import { beforeAll, expect, test } from "bun:test";
import { lacking } from "../support/debian.ts";
import { describeOnPrivateHost, type Ended, onPrivateHost, rcron } from "../support/private-host.ts";
import { told, wholeMachines } from "./two-machines.ts";

const nodes = `
mkdir /mnt/ocf /mnt/ocf-work
ocf=/usr/lib/ocf/resource.d
mount -t overlay -o lowerdir=$ocf,upperdir=/mnt/ocf,workdir=/mnt/ocf-work overlay $ocf
mkdir $ocf/rcron; install -m 755 $etc/pacemaker/rcron $ocf/rcron/rcron
${wholeMachines(`
mkdir -p /run/resource-agents
install -d -o hacluster -g haclient -m 750 /run/crm /var/lib/pacemaker/cib
cat >/etc/corosync/corosync.conf <<'END'
totem {
  version: 2
  cluster_name: rcron
  transport: udpu
  token: 1000
  crypto_cipher: none
  crypto_hash: none
}
logging {
  to_stderr: no
  to_syslog: no
}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 0
}
nodelist {
  node {
    name: host1
    nodeid: 1
    ring0_addr: 198.51.100.1
  }
  node {
    name: host2
    nodeid: 2
    ring0_addr: 198.51.100.2
  }
}
END
cat >/run/cib.xml <<'END'
<cib crm_feature_set="3.0.14" validate-with="pacemaker-3.0" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config>
      <cluster_property_set id="options">
        <nvpair id="fencing" name="stonith-enabled" value="false"/>
        <nvpair id="patience" name="dc-deadtime" value="2s"/>
      </cluster_property_set>
    </crm_config>
    <nodes/>
    <resources>
      <primitive id="jobs" class="ocf" provider="rcron" type="rcron">
        <operations><op id="monitor" name="monitor" interval="500ms" timeout="20s"/></operations>
      </primitive>
    </resources>
    <constraints><rsc_location id="first" rsc="jobs" node="host1" score="50"/></constraints>
  </configuration>
  <status/>
</cib>
END
install -o hacluster -g haclient -m 600 /run/cib.xml /var/lib/pacemaker/cib/cib.xml
export PCMK_logfile=none PCMK_logfacility=none PCMK_stderr=no
corosync
pacemakerd -f >/run/pacemakerd.err 2>&1 &
`)}
see() { on $1 crm_mon -1 2>/dev/null | grep -q "$2"; }
behind() { on $1 sed -n 's,^writer=pacemaker/\\([0-9]*\\)/[0-9]*$,\\1,p' /run/rcron.state; }
signal() { on 1 sh -c "kill -$1 \\$(grep -lxE '$2' /proc/[0-9]*/comm | cut -d / -f 3) || :"; } # one that is ending already
standby() { on $1 crm_attribute --type nodes --node host$1 --name standby --update $2; }
`;

const pacemaker = ["pacemakerd", "corosync", "crm_mon", "dist/rcron"];

// It takes ten seconds, in which the cases below have their turn.
let life: Promise<Ended>;
beforeAll(() => {
  if (lacking(...pacemaker.slice(0, -1)) === undefined)
    life = onPrivateHost(
      `${nodes}
      boot 1; boot 2
      patient word_is 1 active; patient see 2 'Online:.* host1 host2 '; both started
      echo "behind it: $(on 1 cat /proc/$(behind 1)/comm)"; on 1 sed -n '/^instance=/p;/^event=/p' /run/rcron.state
      standby 1 on; patient word_is 2 active; both standby
      standby 1 off; patient word_is 1 active; patient see 1 'Started host1'; both online
      # Pacemaker counts in whole seconds, and does not see a failure in the second of the start.
      second=$(date +%s); later() { [ "$(date +%s)" -gt $second ]; }; patient later
      on 1 rcronctl state set passive >&2; patient word_is 1 active; patient see 1 'Started host1'; both 'by hand'
      on 1 crm_mon -1 2>/dev/null | sed -n "s,.*\\(/var/run/rcron.state says passive\\).*,reported: \\1,p"
      executor=$(behind 1)
      signal STOP pacemakerd # which would have another executor within a second
      on 1 kill -KILL $executor; patient verdict_is 1 passive; both 'executor killed'
      signal CONT pacemakerd; patient verdict_is 1 active; patient see 1 'Started host1'; both 'executor respawned'
      [ "$(behind 1)" = $executor ] || echo 'behind it: another one'
      signal KILL 'pacemaker.*|corosync'
      patient verdict_is 1 passive; patient word_is 2 active; both 'all killed'`,
      90_000,
    );
});

/** `ra ACTION [NAME=VALUE…]` runs the agent and tells its exit status, the word and the reason that it gives Pacemaker. */
const agent = `
ln -s '${rcron}ctl' /usr/bin/rcronctl; mkdir -p /etc/rcron /run/resource-agents
echo 'default_state = passive' >/etc/rcron/rcron.conf
install -m 755 $etc/pacemaker/rcron /run/agent
ra() {
  action=$1; shift; code=0
  env OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=jobs OCF_RESKEY_CRM_meta_interval=10000 "$@" /run/agent $action \\
    >/dev/null 2>/run/err || code=$?
  echo "$action $code $(head -n 1 /run/rcron.state 2>/dev/null)"
  sed -n 's/^ocf-exit-reason://p' /run/err
}
`;

describeOnPrivateHost("pacemaker/rcron", ["ocf-tester", "xmllint", "dist/rcron"], () => {
  test.each([
    { title: "with no parameter", options: "" },
    { title: "with a lease", options: "-o lease=90s" },
    {
      title: "with every parameter",
      options:
        "-o conf=/run/other.conf -o state_file=/run/other.state -o rcronctl=/run/rcronctl -o lease=none",
    },
  ])("passes ocf-tester $title", async ({ options }) => {
    const ended = await onPrivateHost(`${agent}
      cp /etc/rcron/rcron.conf /run/other.conf; mv /usr/bin/rcronctl /run/; [ -n "${options}" ] || mv /run/rcronctl /usr/bin/
      ${options.includes("rcronctl") ? "" : "[ -e /usr/bin/rcronctl ] || mv /run/rcronctl /usr/bin/"}
      ocf-tester -n jobs ${options} /run/agent`);
    expect(ended.stdout).toContain("/run/agent passed all tests\n");
    expect(ended.stdout).not.toMatch(/^\* rc=/m);
    expect(ended.exitCode).toBe(0);
  });

  test.each([
    {
      title: "a word that is passive",
      script: "echo passive >/run/rcron.state; ra monitor",
      tells: "monitor 7 passive",
    },
    { title: "no state file, as after a boot", script: "ra monitor", tells: "monitor 7 " },
    { title: "what it has started", script: "ra start; ra monitor", tells: "monitor 0 active" },
    { title: "what it has stopped", script: "ra start; ra stop; ra monitor", tells: "monitor 7 passive" },
    {
      title: "an active word of somebody else's",
      script: "rcronctl state set active >&2; ra monitor",
      tells: "monitor 7 active",
      why: "/var/run/rcron.state says active, and this resource has not written it, but root",
    },
    {
      title: "an active word of another resource",
      script: "ra start OCF_RESOURCE_INSTANCE=other; ra monitor",
      tells: "monitor 7 active",
      why: "this resource has not written it",
    },
    {
      title: "as a probe, an active word of somebody else's: jobs run here",
      script: "echo active >/run/rcron.state; ra monitor OCF_RESKEY_CRM_meta_interval=0",
      tells: "monitor 0 active",
    },
    {
      title: "as a probe, no state file",
      script: "ra monitor OCF_RESKEY_CRM_meta_interval=0",
      tells: "monitor 7 ",
    },
  ])("monitor of $title: $tells", async ({ script, tells, why = "" }) => {
    const { stdout } = await onPrivateHost(`${agent}${script}`);
    expect(stdout).toContain(`${tells}\n`);
    expect(stdout).toContain(why);
  });

  test.each([
    {
      title: "a lease that is no length of time",
      script: "ra start OCF_RESKEY_lease=90",
      tells: "start 6 ",
      why: "lease must be a whole number with s, m, h or d behind it, or none: got '90'",
    },
    {
      title: "a lease that each interval outlasts",
      script: "ra monitor OCF_RESKEY_lease=10s",
      tells: "monitor 6 ",
      why: "lease must be longer than the monitor's interval, 10000 ms: got 10s",
    },
    {
      title: "a relative path",
      script: "ra start OCF_RESKEY_state_file=rcron.state",
      tells: "start 6 ",
      why: "must be absolute paths: got 'rcron.state'",
    },
    {
      title: "a clone",
      script: "ra start OCF_RESKEY_CRM_meta_clone_max=2",
      tells: "start 6 ",
      why: "rcron must not be a clone: every node would be active",
    },
    {
      title: "a configuration that this node lacks",
      script: "ra start OCF_RESKEY_conf=/etc/rcron/none.conf",
      tells: "start 2 ",
      why: "can't read the configuration /etc/rcron/none.conf",
    },
    {
      title: "a configuration that is malformed",
      script: "echo 'default_state = maybe' >/etc/rcron/rcron.conf; ra validate-all",
      tells: "validate-all 2 ",
      why: "default_state must be one of active, passive",
    },
    {
      title: "a missing rcronctl",
      script: "rm /usr/bin/rcronctl; ra start",
      tells: "start 5 ",
      why: "no program at /usr/bin/rcronctl",
    },
    {
      title: "a state file that can't be written",
      script: "mkdir /run/folder; ra start OCF_RESKEY_state_file=/run/folder",
      tells: "start 1 ",
      why: "active not written to /run/folder, which stays as it was",
    },
    { title: "an action that it does not have", script: "ra promote", tells: "promote 3 " },
  ])("$title: $tells", async ({ script, tells, why = "" }) => {
    const { stdout } = await onPrivateHost(`${agent}${script}`);
    expect(stdout).toStartWith(`${tells}\n`);
    expect(stdout).toContain(why);
  });

  test("stop needs neither a good lease nor a good configuration: a failed stop has the node fenced", async () => {
    const { stdout } = await onPrivateHost(`${agent}
      echo 'state_file = /run/deep/state' >>/etc/rcron/rcron.conf; ra start
      echo 'default_state = maybe' >/etc/rcron/rcron.conf; ra stop OCF_RESKEY_lease=maybe
      head -n 1 /run/deep/state`);
    expect(stdout).toMatch(/^start 0 \nstop 0 \n(.*\n)*passive\n$/);
  });

  test("each monitor postpones the end of the lease, and a probe does not", async () => {
    const { stdout } = await onPrivateHost(`${agent}
      end() { sed -n 's/^valid_until=//p' /run/rcron.state; }
      ra start OCF_RESKEY_lease=90s; first=$(end)
      ra monitor OCF_RESKEY_lease=90s OCF_RESKEY_CRM_meta_interval=0; probed=$(end)
      ra monitor OCF_RESKEY_lease=90s; monitored=$(end)
      [ -n "$first" ] && [ "$first" = "$probed" ] && echo 'probed: the same'
      [ "$monitored" \\> "$probed" ] && echo 'monitored: later'
      ra stop OCF_RESKEY_lease=90s; echo "stopped: '$(end)'"`);
    expect(stdout).toBe(
      "start 0 active\nmonitor 0 active\nmonitor 0 active\nprobed: the same\nmonitored: later\nstop 0 passive\nstopped: ''\n",
    );
  });
});

describeOnPrivateHost("Pacemaker", pacemaker, () => {
  test("starts the resource on one node: that one is active, and the executor stands behind the word", async () => {
    expect(await told(life)).toStartWith(
      "started: active none, verdicts active passive\nbehind it: pacemaker-execd\ninstance=jobs\nevent=START\n",
    );
  }, 90_000);

  test("moves it, both ways: one node is active at the end of each", async () => {
    expect(await told(life)).toContain(
      "\nstandby: passive active, verdicts passive active\nonline: active passive, verdicts active passive\n",
    );
  }, 90_000);

  test("takes a word that somebody changed by hand for a failure, says so, and starts it again", async () => {
    expect(await told(life)).toContain(
      "\nby hand: active passive, verdicts active passive\nreported: /var/run/rcron.state says passive\n",
    );
  }, 90_000);

  test("its executor killed, the word counts no more until the next executor's monitor has renewed it", async () => {
    expect(await told(life)).toContain(
      "\nexecutor killed: active passive, verdicts passive passive\nexecutor respawned: active passive, verdicts active passive\nbehind it: another one\n",
    );
  }, 90_000);

  test("all of it killed, nobody calls stop, and require_writer has the other node alone active, without fencing", async () => {
    expect(await told(life)).toEndWith("\nall killed: active active, verdicts passive active\n");
  }, 90_000);
});

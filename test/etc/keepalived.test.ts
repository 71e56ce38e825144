/** The keepalived configurations, read and run by keepalived itself. */
import { beforeAll, expect, test } from "bun:test";
import { describeOnPrivateHost, type Ended, onPrivateHost } from "../support/private-host.ts";

/** As the opening comments of the configurations tell the operator to do. */
const install =
  "install -d -m 755 /etc/keepalived/rcron; install -m 755 $etc/keepalived/notify*.sh /etc/keepalived/rcron/;";
const noAddress = /^\(RCRON\) No VIP specified; at least one is sensible\n/gm;

describeOnPrivateHost("keepalived --config-test", ["keepalived"], () => {
  test.each(["two-machines", "three-machines", "unicast"])(
    "%s.conf: nothing to say but that there is no address",
    async (name) => {
      const ended = await onPrivateHost(`${install} ip addr add 192.0.2.101/24 dev eth1 2>/dev/null || :
      install -m 644 $etc/keepalived/${name}.conf /etc/keepalived/keepalived.conf; keepalived --config-test`);
      expect((ended.stdout + ended.stderr).replace(noAddress, "")).toBe("");
      expect(ended.exitCode).toBe(5);
    },
  );

  test("refuses unicast peers that share a line: the comment in unicast.conf is true", async () => {
    const ended = await onPrivateHost(`${install}
      sed '/198\\.51\\.100\\.102/{N;s/\\n[[:space:]]*/ /}' $etc/keepalived/unicast.conf >/etc/keepalived/keepalived.conf
      grep 198.51 /etc/keepalived/keepalived.conf; keepalived --config-test`);
    expect(ended.stdout).toContain("198.51.100.102 203.0.113.103");
    expect(ended.stderr).toContain("203.0.113.103 is missing a value");
  });

  test("says nothing about a script that keepalived will refuse: the comment on checking is true", async () => {
    const ended = await onPrivateHost(`${install} chmod 777 /etc/keepalived/rcron/notify-stop.sh
      install -m 644 $etc/keepalived/two-machines.conf /etc/keepalived/keepalived.conf; keepalived --config-test`);
    expect((ended.stdout + ended.stderr).replace(noAddress, "")).toBe("");
  });
});

describeOnPrivateHost("keepalived, running", ["keepalived"], () => {
  /** Starts keepalived, waits for a word, ends it by TERM, and tells what the state file said on the way. */
  const life = `
    keepalived -n -l -P -D >/run/log 2>&1 & pid=$!
    until_ok says $state passive; echo "started: $(cat $state)"
    until_ok says $state active; echo "elected: $(cat $state)"
    kill -TERM $pid; until_ok says $state passive; echo "stopped: $(cat $state)"
    wait $pid || :; echo "gone: $(cat $state)"; cat /run/log`;
  const wholeLife = "started: passive\nelected: active\nstopped: passive\ngone: passive\n";

  // Each takes the four seconds of an election, so both are started at once.
  let example: Promise<Ended>;
  let variant: Promise<Ended>;
  beforeAll(() => {
    example = onPrivateHost(`${install} state=/run/rcron.state
      install -m 644 $etc/keepalived/two-machines.conf /etc/keepalived/keepalived.conf; ${life}`);
    variant = onPrivateHost(`${install} state=/run/other.state
      echo seed >/run/seed.state
      sed -e 's/^\\tnotify_.*//' -e 's,^\\t#notify .*,\\tnotify "/usr/bin/env RCRON_STATE_FILE=/run/other.state /etc/keepalived/rcron/notify.sh"\\n\\tnotify_master "/bin/echo active > /run/seed.state",' $etc/keepalived/two-machines.conf >/etc/keepalived/keepalived.conf
      cat >>/etc/keepalived/keepalived.conf <<'END'
vrrp_sync_group EVERYTHING {
	group {
		RCRON
	}
	notify "/usr/bin/env RCRON_STATE_FILE=/run/group.state /etc/keepalived/rcron/notify.sh"
}
END
      ${life}; echo "group: $(cat /run/group.state)"; echo "seed: $(cat /run/seed.state)"`);
  });

  test("two-machines.conf: alone it becomes MASTER and the state file says active; TERM, and it says passive", async () => {
    const { stdout, stderr, exitCode } = await example;
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(stdout).toStartWith(wholeLife);
    expect(stdout).toContain("(RCRON) Entering MASTER STATE");
    expect(stdout).not.toMatch(/disabling|cannot be accessed|unsafe/i);
  }, 20_000);

  test("the single notify line, with RCRON_STATE_FILE through env, does the same", async () => {
    const { stdout, stderr } = await variant;
    expect(stderr).toBe("");
    expect(stdout).toStartWith(wholeLife);
  }, 20_000);

  test("notify.sh follows a vrrp_sync_group too", async () => {
    expect((await variant).stdout).toContain("\ngroup: passive\n");
  }, 20_000);

  test("a notify string with > writes no file, for no shell reads it: the comment in the configurations is true", async () => {
    expect((await variant).stdout).toContain("\nseed: seed\n");
  }, 20_000);
});

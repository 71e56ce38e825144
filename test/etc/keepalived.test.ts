/** The keepalived configurations, read and run by keepalived itself. */
import { beforeAll, expect, test } from "bun:test";
import { describeOnPrivateHost, type Ended, onPrivateHost } from "../support/private-host.ts";

/** As the opening comments of the configurations tell the operator to do. */
const install = `
install -d -m 755 /etc/keepalived/rcron
install -m 755 $etc/keepalived/notify*.sh /etc/keepalived/rcron/
ln -s rcron /usr/bin/rcronctl
`;
/**
 * `as_roots FOLDER` puts rcron there as it is where it is installed: a file of root's, not a link into a checkout of
 * whoever, for keepalived starts nothing else as root.
 */
const asRoots = `
as_roots() {
  program=$(readlink -f /usr/bin/rcron)
  rm /usr/bin/rcron
  if [ "$(stat -c %u "$program")" = 0 ]; then : >$1/rcron; mount --bind "$program" $1/rcron; else install -m 755 "$program" $1/; fi
}
`;
const installed = `${asRoots} as_roots /usr/bin; ln -s rcron /usr/bin/rcronctl; install -d /etc/keepalived /etc/rcron`;
const noAddress = /^\(RCRON\) No VIP specified; at least one is sensible\n/gm;

describeOnPrivateHost("keepalived --config-test", ["keepalived"], () => {
  test.each(["two-machines", "three-machines", "unicast", "fifo"])(
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

describeOnPrivateHost("keepalived, running", ["keepalived", "dist/rcron"], () => {
  /** Starts keepalived, waits for a word, ends it by TERM, and tells what the state file said on the way. */
  const life = `
    told() { echo "$1: $(head -n 1 $state) $(sed -n 's/^instance=//p; s/^event=//p' $state | tr '\\n' ' ')"; }
    keepalived -n -l -P -D >/run/log 2>&1 & pid=$!
    until_ok says $state passive; told started
    until_ok says $state active; told elected
    kill -TERM $pid; until_ok says $state passive; told stopped
    wait $pid || :; told gone; cat /run/log`;
  const wholeLife = `started: passive RCRON BACKUP \nelected: active RCRON MASTER \nstopped: passive RCRON STOP \ngone: passive RCRON STOP \n`;

  // Each takes the four seconds of an election, so all are started at once.
  let example: Promise<Ended>;
  let variant: Promise<Ended>;
  let fifo: Promise<Ended>;
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
      ${life}; echo "group: $(head -n 1 /run/group.state)"; echo "seed: $(cat /run/seed.state)"`);
    fifo = onPrivateHost(`${installed}; state=/run/rcron.state
      install -m 644 $etc/keepalived/fifo.conf /etc/keepalived/keepalived.conf; ${life}; ls /run/*.fifo || :`);
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

  test("fifo.conf: the same words, by rcronctl follow; script security has nothing against a link to rcron", async () => {
    const { stdout } = await fifo;
    expect(stdout).toStartWith(wholeLife);
    expect(stdout).not.toMatch(/disabling|cannot be accessed|unsafe|script terminated/i);
  }, 20_000);

  test("fifo.conf: keepalived removes its FIFO when it stops: the comment is true", async () => {
    expect((await fifo).stderr).toContain("ls: cannot access '/run/*.fifo'");
  }, 20_000);
});

/** fifo.conf with five signs of life a second, which version 3 of the protocol has; it insists on an address. */
const quickFifo = `
printf '%s\\n' 'default_state = passive' 'require_writer = yes' >/etc/rcron/rcron.conf
sed -e 's/^global_defs {/&\\n\\tvrrp_version 3/' -e 's/advert_int 1/advert_int 0.2/' -e '/authentication {/,/}/d' \\
  -e 's,^vrrp_instance.*,&\\n\\tvirtual_ipaddress {\\n\\t\\t192.0.2.200/32\\n\\t},' $etc/keepalived/fifo.conf >/etc/keepalived/keepalived.conf
`;

describeOnPrivateHost("rcronctl follow under keepalived", ["keepalived", "dist/rcron", "python3"], () => {
  /** A sign of life of another machine with a lower priority, as it comes when a split is over. */
  const lowerPriority = `python3 - <<'END'
import socket, struct
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack('!H', ~total & 0xffff)
source, group, address = map(socket.inet_aton, ('192.0.2.250', '224.0.0.18', '192.0.2.200'))
vrrp = struct.pack('!BBBBHH4s', 0x31, 31, 50, 1, 20, 0, address)
vrrp = vrrp[:6] + checksum(source + group + struct.pack('!BBH', 0, 112, len(vrrp)) + vrrp) + vrrp[8:]
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(vrrp), 1, 0, 255, 112, 0, source, group)
ip = ip[:10] + checksum(ip) + ip[12:]
frame = bytes.fromhex('01005e000012' '00005e00011f' '0800') + ip + vrrp
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(('peer0', 0))
out.send(frame)
END`;
  /** What happens to one keepalived, one thing after the other, and what the state file and rcron say each time. */
  const faults = `${installed}${quickFifo}
state=/run/rcron.state
trap '[ $? = 0 ] || cat $state /run/log >&2' EXIT
field() { sed -n "s/^$1=//p" $state; }
verdict() { rcronctl state --json | sed -n 's/^  "\\(state\\|reason\\)": "\\(.*\\)",$/\\2/p' | tr '\\n' ' '; }
tell() { echo "$1: $(head -n 1 $state) $(field event), $(verdict)"; }
has_reader() { case $(field writer) in *' rcronctl/'*) ;; *) false ;; esac }
another_reader() { [ "$(field writer)" != "$writer" ] && has_reader; }
vrrp() { writer=$(field writer); process=\${writer#*/}; echo "\${process%%/*}"; }
reader() { process=\${1#* rcronctl/}; echo "\${process%%/*}"; }
gone() { case $(cat /proc/$1/stat 2>/dev/null) in '' | *') Z '*) ;; *) false ;; esac }
judged() { [ "$(rcronctl state --json | sed -n 's/^  "reason": "\\(.*\\)",$/\\1/p')" = "$1" ]; }
keepalived -n -l -P -D >/run/log 2>&1 & pid=$!
until_ok says $state active; tell elected

epoch=$(field epoch); writer=$(field writer)
(until [ -e /run/reloaded ]; do head -n 1 $state; sleep 0.005; done >/run/seen) & sampler=$!
kill -HUP $pid; until_ok another_reader; tell reloaded
until_ok gone $(reader "$writer")
: >/run/reloaded; wait $sampler
[ "$(field epoch)" = "$epoch" ] && echo "reloaded: the same epoch"
[ "$(echo \${writer%% *})" = "$(field writer | cut -d' ' -f1)" ] && has_reader && echo "reloaded: the same keepalived, with a reader"
echo "reloaded: seen $(sort -u /run/seen | tr '\\n' ' ')"

${lowerPriority}
newer() { [ "$(field epoch)" -gt "$epoch" ]; }
until_ok newer; tell "lower priority"

kill -STOP $(vrrp); until_ok judged writer-stopped; tell frozen
kill -CONT $(vrrp); until_ok judged state-file; tell thawed

writer=$(field writer); kill -9 $(vrrp)
until_ok says $state passive; echo "VRRP process killed: passive"
until_ok another_reader; until_ok says $state active; tell "VRRP process back"

writer=$(field writer); old=$(reader "$writer")
kill -STOP $old; kill -9 $(vrrp)
until_ok another_reader; until_ok says $state active; kill -CONT $old; until_ok gone $old; tell "slow reader gone"

# The FIFO was not removed, so keepalived believes that it is somebody else's, and keeps it: no end for its reader.
writer=$(field writer); old=$(reader "$writer"); epoch=$(field epoch); kill -HUP $pid; until_ok another_reader
${lowerPriority}
until_ok newer; until_ok gone $old
one_reader() { has_reader && [ "$(reader "$(field writer)")" != $old ]; }
until_ok one_reader; tell "reloaded with the same FIFO"

# A parent that is slow starts no other at once, whose first word would be passive too.
kill -STOP $pid; kill -9 $(vrrp)
until_ok says $state passive; tell "VRRP process killed, slow parent"
kill -CONT $pid; until_ok another_reader; until_ok says $state active; tell "slow parent goes on"

kill -STOP $pid; kill -9 $(vrrp) $pid # neither sees the other go
until_ok says $state passive; tell "both killed"
ip -o addr show eth0 | grep -q 192.0.2.200 && echo "both killed: the address stays"

wait $pid || :
keepalived -n -l -P -D >>/run/log 2>&1 & pid=$!
until_ok another_reader; until_ok says $state active; tell "started again"
kill -9 $pid; until_ok says $state passive; echo "parent killed: $(head -n 1 $state) $(field event)"
`;
  let ended: Promise<Ended>;
  beforeAll(() => {
    ended = onPrivateHost(faults, 40_000);
  });
  const said = async () => (await ended).stdout.split("\n");

  test("plays the whole scene", async () => {
    const { exitCode, stdout, stderr } = await ended;
    expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 0 });
  }, 40_000);

  test.each([
    ["elected: active MASTER, active state-file ", "it is elected"],
    ["reloaded: active MASTER, active state-file ", "a reload"],
    ["reloaded: the same epoch", "a reload is no new decision"],
    ["reloaded: the same keepalived, with a reader", "after a reload there is another reader"],
    ["reloaded: seen active ", "no reload makes a gap"],
    [
      "lower priority: active MASTER_RX_LOWER_PRI, active state-file ",
      "another machine was master as well: a new epoch",
    ],
    ["frozen: active MASTER_RX_LOWER_PRI, passive writer-stopped ", "SIGSTOP: require_writer sees it"],
    ["thawed: active MASTER_RX_LOWER_PRI, active state-file ", "SIGCONT"],
    ["VRRP process killed: passive", "kill -9 of the VRRP process"],
    ["VRRP process back: active MASTER, active state-file ", "keepalived starts it anew"],
    [
      "slow reader gone: active MASTER, active state-file ",
      "a reader that sees the death late takes nothing from the next",
    ],
    [
      "reloaded with the same FIFO: active MASTER_RX_LOWER_PRI, active state-file ",
      "two readers for a while: no event is lost, and the later one stands behind the word",
    ],
    ["both killed: passive LOST, passive writer-dead ", "kill -9 of both: the reader writes passive"],
    ["both killed: the address stays", "kill -9 of both: what the address is worth as a witness"],
    [
      "VRRP process killed, slow parent: passive LOST, passive writer-dead ",
      "it is the reader that writes passive",
    ],
    ["slow parent goes on: active MASTER, active state-file ", "the parent starts both anew"],
    ["started again: active MASTER, active state-file ", "a keepalived started after that is elected"],
    ["parent killed: passive STOP", "kill -9 of the parent: the VRRP process stops as it should"],
  ])("%p: %s", async (line) => {
    expect(await said()).toContain(line);
  });
});

describeOnPrivateHost("script_user and the FIFO", ["keepalived", "dist/rcron"], () => {
  /** global_defs in this order; `file` is the FIFO, `reader` its script. What becomes of the reader at a reload? */
  const scene = (order: string) => {
    const lines: Readonly<Record<string, string>> = {
      user: "script_user root",
      security: "enable_script_security",
      file: "vrrp_notify_fifo /run/f",
      reader: 'vrrp_notify_fifo_script "/usr/bin/rcronctl follow RCRON"',
    };
    const globals = order.split(" ").map((word) => lines[word]);
    return `${installed}${quickFifo}
{ printf '%s\\n' 'global_defs {' 'vrrp_version 3' ${globals.map((line) => `'${line}'`).join(" ")} '}'
  sed -n '/^vrrp_instance/,$p' /etc/keepalived/keepalived.conf; } >/run/conf
state=/run/rcron.state
writer() { sed -n 's/^writer=//p' $state 2>/dev/null; }
another_reader() { case $(writer) in "$before") false ;; *' rcronctl/'*) ;; *) false ;; esac; }
keepalived -n -l -P -D -f /run/conf >/run/log 2>&1 & pid=$!
until_ok grep -q 'Entering MASTER' /run/log
refused='Failed to set default user for vrrp_'
if grep -q "$refused" /run/log; then echo "none at the start"; exit; fi
until_ok says $state active; before=$(writer)
kill -HUP $pid
settled() { another_reader || grep -q "$refused" /run/log; }
until_ok settled
if grep -q "$refused" /run/log; then lost=', lost at the reload'; fi
kill -TERM $pid; wait $pid || :
echo "a reader\${lost-}; $(head -n 1 $state) when keepalived has stopped"`;
  };
  const stays = "a reader; passive when keepalived has stopped\n";
  const isLost = "a reader, lost at the reload; active when keepalived has stopped\n";
  test.each([
    ["user security file reader", stays],
    ["user file reader security", stays],
    ["file reader user security", isLost],
    ["file user security reader", isLost],
    ["security file user reader", "none at the start\n"],
    ["file reader user", stays],
  ])(
    "%s: %j",
    async (order, expected) => {
      const { stdout, stderr } = await onPrivateHost(scene(order));
      expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: "" });
    },
    30_000,
  );
});

describeOnPrivateHost("rcronctl follow where keepalived can't start it", ["keepalived", "dist/rcron"], () => {
  test("a link into another folder, which has no rcronctl: the comment in fifo.conf is true", async () => {
    const ended = await onPrivateHost(`${asRoots}
      mkdir -m 755 /usr/bin/elsewhere; as_roots /usr/bin/elsewhere; install -d /etc/keepalived /etc/rcron
      ln -s elsewhere/rcron /usr/bin/rcron; ln -s rcron /usr/bin/rcronctl; rcronctl --version
      ${quickFifo}
      keepalived -n -l -P -D >/run/log 2>&1 & pid=$!
      until_ok grep -q 'fifo script terminated' /run/log; until_ok grep -q 'Entering MASTER' /run/log
      [ -e /run/rcron.state ] || echo "no state"`);
    expect(ended.stdout).toMatch(/^rcronctl [\d.]+\nno state\n$/);
  }, 20_000);
});

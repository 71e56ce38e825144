/** The scripts for ucarp, called by ucarp itself on two machines. */
import { beforeAll, expect, test } from "bun:test";
import { describeOnPrivateHost, type Ended, onPrivateHost, rcron } from "../support/private-host.ts";
import { told, twoMachines } from "./two-machines.ts";

/** `ucarp_on N OPTION…` starts ucarp on machine N, its pid is in `pid`; /run/hostN.conf and .state are that machine's. */
const machines = `${twoMachines}
install -d -m 755 /etc/ucarp/rcron; install -m 755 $etc/ucarp/*.sh /etc/ucarp/rcron/
for n in 1 2; do
  printf 'state_file = /run/host%s.state\\ndefault_state = passive\\nrequire_writer = yes\\n' $n >/run/host$n.conf
done
word() { head -n 1 /run/host$1.state 2>/dev/null || echo none; }
word_is() { [ "$(word $1)" = $2 ]; }
verdict_is() { rcronctl state --conf /run/host$1.conf --is $2; }
verdict() { verdict_is $1 active && echo active || echo passive; }
both() { echo "$1: $(word 1) $(word 2), verdicts $(verdict 1) $(verdict 2)"; }
up=/etc/ucarp/rcron/up.sh down=/etc/ucarp/rcron/down.sh
ucarp_on() {
  n=$1; shift
  ip netns exec host$n ucarp -i eth0 -s 198.51.100.$n -v 7 -p secret -a 198.51.100.100 -u $up -d $down "$@" >&2 &
  pid=$!
}
`;

describeOnPrivateHost("ucarp", ["ucarp", "dist/rcron"], () => {
  // An election takes three seconds and more, so both scenes are started at once.
  let life: Promise<Ended>;
  let careless: Promise<Ended>;
  beforeAll(() => {
    life = onPrivateHost(
      `${machines}
      ucarp_on 1 --xparam=/run/host1.conf --shutdown --advskew=0; first=$pid
      ucarp_on 2 --xparam=/run/host2.conf --shutdown --advskew=100; second=$pid
      until_ok word_is 1 passive; until_ok word_is 2 passive; both started
      until_ok word_is 1 active; both elected
      sed -n "s,^writer=ucarp/$first/[0-9]*\\$,behind it: ucarp,p;/^instance=/p;/^event=/p" /run/host1.state
      one() { echo "$1: $(word 1), verdict $(verdict 1)"; }
      kill -STOP $first; until_ok verdict_is 1 passive; one frozen
      kill -CONT $first; until_ok verdict_is 1 active; one thawed
      kill -KILL $first; until_ok verdict_is 1 passive; one killed
      until_ok word_is 2 active; both 'taken over'
      ucarp_on 1 --xparam=/run/host1.conf --shutdown --advskew=0
      until_ok word_is 1 passive; both 'started again'
      kill -TERM $second; wait $second || :; echo "stopped: $(rcronctl state --conf /run/host2.conf --json | grep -E '"(state|reason)"' | tr -d ' \n')"`,
      60_000,
    );
    careless = onPrivateHost(
      `${machines}
      printf '#!/bin/sh\\nip addr add "$2/24" dev "$1" && /etc/ucarp/rcron/up.sh "$@"\\n' >/run/up
      printf '#!/bin/sh\\n/etc/ucarp/rcron/down.sh "$@"; ip addr del "$2/24" dev "$1"\\n' >/run/down
      chmod 755 /run/up /run/down
      addresses() { ip -n host1 -o addr show dev eth0 | grep -c 198.51.100.100/ || :; }
      echo active >/run/host1.state
      up=/run/up down=/run/down; ucarp_on 1 --xparam=/run/host1.conf --neutral; first=$pid
      ucarp_on 2 --xparam=other --shutdown --advskew=100
      until_ok test -e /run/rcron.state
      echo "neutral start: $(word 1), verdict $(verdict 1)"; echo "other: $(head -n 1 /run/rcron.state)"
      until_ok verdict_is 1 active
      sed -n "s,^writer=ucarp/$first/[0-9]*\\$,behind it: ucarp,p" /run/host1.state; echo "addresses: $(addresses)"
      kill -TERM $first; wait $first || :
      echo "ended: $(word 1), addresses $(addresses), verdict $(verdict 1)"`,
      60_000,
    );
  });

  test("down.sh, which ucarp calls at its start, makes each machine passive", async () => {
    expect(await told(life)).toStartWith("started: passive passive, verdicts passive passive\n");
  }, 60_000);

  test("up.sh makes the elected machine active, and ucarp stands behind the word", async () => {
    expect(await told(life)).toContain(
      "\nelected: active passive, verdicts active passive\ninstance=eth0/198.51.100.100\nevent=MASTER\nbehind it: ucarp\n",
    );
  }, 60_000);

  test("frozen, ucarp stands behind nothing: require_writer makes its machine passive until it goes on", async () => {
    expect(await told(life)).toContain("\nfrozen: active, verdict passive\nthawed: active, verdict active\n");
  }, 60_000);

  test("killed, ucarp calls nobody, and require_writer makes its machine passive before the other takes over", async () => {
    expect(await told(life)).toContain(
      "\nkilled: active, verdict passive\ntaken over: active active, verdicts passive active\n",
    );
  }, 60_000);

  test("started again, it takes back the word of its former life", async () => {
    expect(await told(life)).toContain("\nstarted again: passive active, verdicts passive active\n");
  }, 60_000);

  test("down.sh makes the machine passive when ucarp ends, with --shutdown, and nothing contradicts that", async () => {
    expect(await told(life)).toEndWith('\nstopped: "state":"passive","reason":"state-file",\n');
  }, 60_000);

  test("with --neutral an old word stays at the start, as the comment in word.sh says; require_writer does not believe it", async () => {
    expect(await told(careless)).toStartWith("neutral start: active, verdict passive\n");
  }, 60_000);

  test("an --xparam that is no path is left to whom it is for", async () => {
    expect(await told(careless)).toContain("\nother: passive\n");
  }, 60_000);

  test("called by the operator's own script, up.sh finds the ucarp above it", async () => {
    expect(await told(careless)).toContain("\nbehind it: ucarp\naddresses: 1\n");
  }, 60_000);

  test("without --shutdown word and address stay at the end; require_writer does not believe the word", async () => {
    expect(await told(careless)).toEndWith("\nended: active, addresses 1, verdict passive\n");
  }, 60_000);
});

describeOnPrivateHost("ucarp/word.sh", ["dist/rcron"], () => {
  test.each([
    { args: "", complaint: "wants active or passive first: got ''" },
    { args: "master eth0 192.0.2.1", complaint: "wants active or passive first: got 'master'" },
    { args: "active eth0", complaint: "wants INTERFACE ADDRESS [EXTRA] after active" },
    { args: "active eth0 192.0.2.1 a b", complaint: "wants INTERFACE ADDRESS [EXTRA] after active" },
  ])("refuses '$args', and the old word stays", async ({ args, complaint }) => {
    const ended = await onPrivateHost(
      `echo passive >/run/rcron.state; code=0; $etc/ucarp/word.sh ${args} || code=$?; echo "$code $(cat /run/rcron.state)"`,
    );
    expect(ended.stdout).toBe("2 passive\n");
    expect(ended.stderr).toContain(`word.sh: ${complaint}`);
  });

  test("says that nothing was written where rcronctl can't", async () => {
    const ended = await onPrivateHost(
      `ln -s '${rcron}ctl' /usr/bin/rcronctl; code=0; $etc/ucarp/up.sh eth0 192.0.2.1 /nowhere/rcron.conf || code=$?; echo $code`,
    );
    expect(ended.stdout).toBe("1\n");
    expect(ended.stderr).toContain("/nowhere/rcron.conf: ");
    expect(ended.stderr).toContain("word.sh: active not written for eth0/192.0.2.1");
  });
});

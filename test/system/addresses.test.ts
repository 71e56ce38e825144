/** Whether an address is on this machine: the kernel's answer, asked through the built program on the private host. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { describeOnPrivateHost, type Ended, onPrivateHost } from "../support/private-host.ts";

setDefaultTimeout(30_000);

/** `where ADDRESS…` prints `ADDRESS ANSWER` for each, as `rcronctl state --json` has it. */
const where = `
mkdir /etc/rcron
echo active >/run/rcron.state
where() {
  for address; do
    echo "require_address = $address" >/etc/rcron/rcron.conf
    rcron --as rcronctl state --json | sed -n "s/^  \\"address\\": \\"\\(.*\\)\\",$/$address \\1/p"
  done
}
`;

const addresses = `
ip addr add 192.0.2.150/24 dev eth0
ip addr add 192.0.2.200/32 dev eth0
ip addr add 198.51.100.7/32 dev lo
ip addr add 192.0.2.201/32 dev eth0; ip addr del 192.0.2.201/32 dev eth0
ip route add default via 192.0.2.1 dev eth1
ip route add unreachable 203.0.113.64/26
ip route add blackhole 203.0.113.128/26
ip addr add 2001:db8::10/64 dev eth0 nodad
ip addr add 2001:db8::20/128 dev eth0 nodad
`;

/** What there is to ask for, why, and the answer. */
const rows = [
  ["192.0.2.100", "an interface's first address", "here"],
  ["192.0.2.150", "a second one in the same subnet", "here"],
  ["192.0.2.200", "one with a prefix length of 32, as keepalived adds it", "here"],
  ["192.0.2.101", "another interface's", "here"],
  ["198.51.100.7", "one on lo", "here"],
  ["127.0.0.1", "the machine's own", "here"],
  ["::1", "the machine's own, IPv6", "here"],
  ["2001:db8::10", "IPv6", "here"],
  ["2001:0DB8:0::0020", "IPv6 with a prefix length of 128, written in another way", "here"],
  ["::ffff:192.0.2.200", "IPv4, written as IPv6", "here"],
  ["192.0.2.201", "one that was here a moment ago", "absent"],
  ["192.0.2.99", "a neighbour's", "absent"],
  ["198.51.100.99", "one behind the default route", "absent"],
  ["203.0.113.65", "one that a route calls unreachable", "absent"],
  ["203.0.113.129", "one that a route throws away", "absent"],
  ["192.0.2.255", "the subnet's broadcast address", "absent"],
  ["224.0.0.18", "the group that VRRP speaks to", "absent"],
  ["2001:db8::99", "a neighbour's, IPv6", "absent"],
  ["2001:db8:1::1", "IPv6 without a route", "absent"],
] as const;
const asked = rows.map(([address]) => address).join(" ");

const ways = [
  { title: "whereIs()", way: "" },
  {
    title: "whereIs() where net.ipv4.ip_nonlocal_bind is set, and binding to any address succeeds",
    way: "for v in 4 6; do echo 1 >/proc/sys/net/ipv$v/ip_nonlocal_bind; done;",
  },
  { title: "whereIs() without libc", way: "export BUN_JSC_useJIT=0;" },
];

for (const { title, way } of ways) {
  describeOnPrivateHost(title, ["dist/rcron"], () => {
    let ended: Promise<Ended>;
    beforeAll(() => {
      ended = onPrivateHost(`${where}${addresses}${way} where ${asked}`);
    });

    test.each(rows)("%s, %s: %s", async (address, _, answer) => {
      const { stdout, stderr } = await ended;
      expect(stderr).toBe("");
      expect(stdout.split("\n")).toContain(`${address} ${answer}`);
    });
  });
}

describeOnPrivateHost("whereIs() of an interface whose cable is pulled", ["dist/rcron"], () => {
  test.each([
    ["", "here", "with libc: the kernel still answers to it"],
    ["export BUN_JSC_useJIT=0;", "absent", "without libc: the runtime lists no such interface"],
  ])("%sthe address is %s, %s", async (way, answer) => {
    const ended = await onPrivateHost(`${where}ip link set peer0 down; ${way} where 192.0.2.100`);
    expect(ended.stdout).toBe(`192.0.2.100 ${answer}\n`);
  });
});

describeOnPrivateHost("whereIs() on a machine without a network", ["dist/rcron"], () => {
  test("knows that an address is absent", async () => {
    const ended = await onPrivateHost(
      `${where}ip link del eth0; ip link del eth1; where 192.0.2.100 2001:db8::10 127.0.0.1`,
    );
    expect(ended.stdout).toBe("192.0.2.100 absent\n2001:db8::10 absent\n127.0.0.1 here\n");
  });
});

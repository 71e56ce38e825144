/**
 * Whether an address is on this machine.
 */
import { errno, libc, scratch, witnessLibc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const NLMSG_ERROR = 2;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const NLM_F_REQUEST = 1;
const RTA_DST = 1;
const RTN_LOCAL = 2;
const EINTR = 4;

/**
 * Asks the kernel where a packet to `address` would go: to this machine itself if the address is its own. One question,
 * however many addresses there are, and no packet. (Binding a socket to it would ask the same of the
 * kernel, but succeeds for every address where net.ipv4.ip_nonlocal_bind is set, as it often is beside keepalived.)
 * Uses the scratch memory.
 * @param address 4 or 16 bytes
 * @returns `unknown` where the kernel can't be asked
 */
export function whereIs(address: Uint8Array): "here" | "absent" | "unknown" {
  const c = libc();
  const w = witnessLibc();
  if (c === undefined || w === undefined) return whereIsWithoutLibc(address);
  const fd = c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return "unknown";
  try {
    const length = putQuestion(address);
    if (Number(c.send(fd, scratch, length, 0)) !== length) return "unknown";
    // The kernel answers before send returns, so there is nothing to wait for.
    let count = -1;
    for (let tries = 0; tries < 3 && count < 0; tries++) {
      count = Number(w.recv(fd, scratch, scratch.length, MSG_DONTWAIT));
      if (count < 0 && errno() !== EINTR) return "unknown";
    }
    const answer = (scratch[4] ?? 0) | ((scratch[5] ?? 0) << 8);
    // An error is an answer as well: there is no way to that address, so it isn't here.
    if (answer === NLMSG_ERROR) return "absent";
    if (answer !== RTM_NEWROUTE || count < 24) return "unknown";
    return scratch[23] === RTN_LOCAL ? "here" : "absent"; // rtm_type
  } finally {
    c.close(fd);
  }
}

/** struct nlmsghdr, struct rtmsg, one struct rtattr with the address; little-endian, as x86-64 and arm64 are. */
function putQuestion(address: Uint8Array): number {
  const length = 32 + address.length;
  scratch.fill(0, 0, length);
  scratch[0] = length;
  scratch[4] = RTM_GETROUTE;
  scratch[6] = NLM_F_REQUEST;
  scratch[16] = address.length === 4 ? AF_INET : AF_INET6;
  scratch[17] = address.length * 8;
  scratch[28] = 4 + address.length;
  scratch[30] = RTA_DST;
  scratch.set(address, 32);
  return length;
}

function whereIsWithoutLibc(address: Uint8Array): "here" | "absent" | "unknown" {
  const { networkInterfaces } = process.getBuiltinModule("node:os");
  const { BlockList } = process.getBuiltinModule("node:net");
  const family = address.length === 4 ? "ipv4" : "ipv6";
  const own = new BlockList();
  try {
    for (const interfaceAddresses of Object.values(networkInterfaces())) {
      for (const each of interfaceAddresses ?? []) {
        own.addAddress(each.address, each.family === "IPv4" ? "ipv4" : "ipv6");
      }
    }
  } catch {
    return "unknown"; // A sandbox without AF_NETLINK: the runtime can't list them either.
  }
  return own.check(textOf(address), family) ? "here" : "absent";
}

function textOf(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((address[index * 2] ?? 0) << 8) | (address[index * 2 + 1] ?? 0)).toString(16),
  );
  return groups.join(":");
}

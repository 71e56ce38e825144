/**
 * The ways in which a host's word is written and believed, as configurations: the examples of etc/keepalived, changed
 * where their comments tell an operator to change them, and with a quicker advert interval.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { etc } from "../support/private-host.ts";
import type { HostPlan } from "./bed.ts";

/** One advert interval. VRRP version 3 has intervals of less than a second; version 2, the examples' one, has not. */
export const advertMs = 250;

/** Who writes the word: scripts that keepalived starts, or one reader of its FIFO. */
export type Writer = "notify" | "fifo";
export interface Method {
  readonly name: string;
  readonly writer: Writer;
  /** rcron asks them before it believes the word. */
  readonly hasWitnesses: boolean;
}

export const methods: readonly Method[] = [
  { name: "notify", writer: "notify", hasWitnesses: false },
  { name: "FIFO", writer: "fifo", hasWitnesses: false },
  { name: "notify + witnesses", writer: "notify", hasWitnesses: true },
  { name: "FIFO + witnesses", writer: "fifo", hasWitnesses: true },
];

export const topologies = ["multicast", "unicast"] as const;
export type Topology = (typeof topologies)[number];

/** The hosts by priority, the highest first: two on one segment, three that name one another. */
export const hostsOf: Readonly<Record<Topology, readonly string[]>> = {
  multicast: ["a", "b"],
  unicast: ["a", "b", "c"],
};

/** bed.sh numbers the hosts in their order. */
export function addressOf(host: string): string {
  return `192.0.2.${hostsOf.unicast.indexOf(host) + 1}`;
}

const virtualAddress = "192.0.2.200";

export function planHosts(topology: Topology, method: Method): HostPlan[] {
  return hostsOf[topology].map((name, index) => ({
    name,
    rcronConf: `${rcronConf(method).join("\n")}\n`,
    keepalivedConf: keepalivedConf(topology, method, name, 100 - index),
  }));
}

function rcronConf({ hasWitnesses }: Method): string[] {
  // A job of lower priority would wait for its turn on a busy machine, and its run come late.
  const always = [
    "cluster_name = failover",
    "default_state = passive",
    "log_format = extended",
    "nice_level = 0",
  ];
  if (!hasWitnesses) return always;
  const witnesses = ["require_writer = yes", "require_boot = yes", `require_address = ${virtualAddress}`];
  return [...always, ...witnesses, "when_in_doubt = passive"];
}

function keepalivedConf(topology: Topology, { writer }: Method, name: string, priority: number): string {
  const ownExample = topology === "unicast" ? "unicast.conf" : "two-machines.conf";
  const text = new Text(topology === "multicast" && writer === "fifo" ? "fifo.conf" : ownExample);
  if (topology === "unicast") {
    const peers = hostsOf[topology].filter((other) => other !== name).map(addressOf);
    text.replace(/^\tinterface eth1$/m, "\tinterface eth0");
    text.replace(/^\tunicast_src_ip .*$/m, `\tunicast_src_ip ${addressOf(name)}`);
    text.replace(/^(\tunicast_peer \{\n)[^}]*/m, `$1\t\t${peers.join("\n\t\t")}\n\t`);
    if (writer === "fifo") {
      text.replace(/^(\tnotify_\w+ .*\n){5}/m, "");
      text.replace(globalBlock, new Text("fifo.conf").find(globalBlock));
    }
  }
  text.replace(/^\tpriority 100$/m, `\tpriority ${priority}`);
  text.replace(/^\tadvert_int 1$/m, `\tadvert_int ${advertMs / 1000}`);
  text.replace(/^\tauthentication \{[^}]*\}\n/m, ""); // version 3 has none
  text.replace(/^global_defs \{$/m, "$&\n\tvrrp_version 3");
  // Version 3 insists on an address; the witnesses ask for it.
  text.replace(/^vrrp_instance RCRON \{$/m, `$&\n\tvirtual_ipaddress {\n\t\t${virtualAddress}/32\n\t}`);
  return text.toString();
}

const globalBlock = /^global_defs \{$[^}]*^\}$/m;

/** An example of etc/keepalived while it is being changed. */
class Text {
  readonly #example: string;
  #text: string;

  constructor(example: string) {
    this.#example = example;
    this.#text = readFileSync(join(etc, "keepalived", example), "utf8");
  }

  /** @throws {Error} where the example has nothing like it: a change that changes nothing is a mistake here */
  find(what: RegExp): string {
    const found = what.exec(this.#text)?.[0];
    if (found === undefined) throw new Error(`${this.#example} has nothing like ${what}`);
    return found;
  }

  replace(what: RegExp, by: string): void {
    this.find(what);
    this.#text = this.#text.replace(what, by);
  }

  toString(): string {
    return this.#text;
  }
}

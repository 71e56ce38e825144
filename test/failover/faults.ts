/**
 * The faults of the matrix: what is done to the hosts and to their network, how it is healed, and what it may cost.
 *
 * Host `a` has the highest priority and is active before each fault that does not say otherwise.
 */
import { addressOf, hostsOf, type Method, type Topology } from "./methods.ts";
import type { Split } from "./oracle.ts";

/** One line to a host, or to the network as `net`: host.sh and bed.sh say which there are. */
export type Line = readonly [whom: string, line: string];

export interface Fault {
  readonly name: string;
  /** What `name` leaves open. */
  readonly what: string;
  readonly healing: string;
  readonly on: readonly Topology[];
  /** Brings the hosts into the state that the fault needs; the group may settle before the fault. */
  readonly before?: readonly Line[];
  /** Who is active before the fault; without it, `a`. */
  readonly former?: string;
  strike(topology: Topology): readonly Line[];
  /** What follows the strike when a failover has had its time. */
  readonly second?: readonly Line[];
  heal(topology: Topology): readonly Line[];
  /** Whose cable is pulled from the strike to the healing; without `hears` and `isHeard` it neither hears nor is heard. */
  readonly cutOff?: { readonly host: string; readonly hears?: true; readonly isHeard?: true };
  /** The split that this makes. */
  readonly split?: Split["kind"];
  /** The methods with which a stale `active` stays on the former host until the healing. */
  staysActive?(method: Method): boolean;
}

const everywhere: readonly Topology[] = ["multicast", "unicast"];

/** What `host` sends goes astray; of two hosts on multicast, whom one doesn't hear is the same as who is deaf. */
function mute(host: string, topology: Topology): Line[] {
  const others = hostsOf[topology].filter((other) => other !== host);
  if (topology === "multicast") return others.map((other) => ["net", `deaf ${other}`]);
  return [[host, `mute ${others.map(addressOf).join(" ")}`]];
}

function unmute(host: string, topology: Topology): Line[] {
  if (topology === "unicast") return [[host, "unmute"]];
  return hostsOf[topology].filter((other) => other !== host).map((other) => ["net", `hearing ${other}`]);
}

export const faults: readonly Fault[] = [
  {
    name: "clean stop",
    what: "TERM to keepalived on the active host",
    healing: "it is started again",
    on: everywhere,
    strike: () => [["a", "stop"]],
    heal: () => [["a", "start"]],
  },
  {
    name: "kill -9",
    what: "KILL to both processes of keepalived on the active host",
    healing: "it is started again",
    on: everywhere,
    strike: () => [["a", "kill"]],
    heal: () => [["a", "start"]],
    staysActive: ({ writer, hasWitnesses }) => writer === "notify" && !hasWitnesses,
  },
  {
    name: "kill -9 of all",
    what: "KILL to keepalived and to whatever it started",
    healing: "it is started again",
    on: everywhere,
    strike: () => [["a", "kill-all"]],
    heal: () => [["a", "start"]],
    staysActive: ({ hasWitnesses }) => !hasWitnesses,
  },
  {
    name: "frozen",
    what: "STOP to both processes of keepalived on the active host",
    healing: "CONT",
    on: everywhere,
    strike: () => [["a", "freeze"]],
    heal: () => [["a", "thaw"]],
    staysActive: ({ hasWitnesses }) => !hasWitnesses,
  },
  {
    name: "reload",
    what: "HUP to keepalived on the active host",
    healing: "HUP to the other one",
    on: everywhere,
    strike: () => [["a", "reload"]],
    heal: () => [["b", "reload"]],
  },
  {
    name: "higher priority back",
    what: "keepalived starts where the priority is highest; another host is active",
    healing: "nothing to heal",
    on: everywhere,
    before: [["a", "stop"]],
    former: "b",
    strike: () => [["a", "start"]],
    heal: () => [],
  },
  {
    name: "carrier lost",
    what: "the active host's interface goes down, and it sees that",
    healing: "the carrier is back",
    on: everywhere,
    strike: () => [["net", "carrier a down"]],
    heal: () => [["net", "carrier a up"]],
  },
  {
    name: "cable pulled, both ways",
    what: "the active host and the others don't hear each other; every carrier stays",
    healing: "plugged in again",
    on: everywhere,
    strike: () => [["net", "plug a none"]],
    heal: () => [["net", "plug a br0"]],
    cutOff: { host: "a" },
    split: "true",
  },
  {
    name: "cable pulled, way out",
    what: "the active host hears the others, and they don't hear it",
    healing: "plugged in again",
    on: everywhere,
    strike: (topology) => mute("a", topology),
    heal: (topology) => unmute("a", topology),
    cutOff: { host: "a", hears: true },
    split: "one-way",
  },
  {
    name: "cable pulled, way in",
    what: "the others hear the active host, and it doesn't hear them",
    healing: "plugged in again",
    on: everywhere,
    strike: () => [["net", "deaf a"]],
    heal: () => [["net", "hearing a"]],
    cutOff: { host: "a", isHeard: true },
  },
  {
    name: "kill -9, then reload",
    what: "as kill -9; when the next host has taken over, HUP to its keepalived",
    healing: "the first is started again",
    on: everywhere,
    strike: () => [["a", "kill"]],
    second: [["b", "reload"]],
    heal: () => [["a", "start"]],
    staysActive: ({ writer, hasWitnesses }) => writer === "notify" && !hasWitnesses,
  },
  {
    name: "kill -9 and a cable",
    what: "as kill -9, and at once the third host's cable is pulled both ways",
    healing: "plugged in and started again",
    on: ["unicast"],
    strike: () => [
      ["a", "kill"],
      ["net", "plug c none"],
    ],
    heal: () => [
      ["net", "plug c br0"],
      ["a", "start"],
    ],
    cutOff: { host: "c" },
    split: "true",
    staysActive: ({ writer, hasWitnesses }) => writer === "notify" && !hasWitnesses,
  },
];

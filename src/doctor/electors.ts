/**
 * Who elects on this machine: the programs that are known to write rcron's state.
 */
import type { Election } from "./keepalived-election.ts";
import type { Keepalived } from "./keepalived-files.ts";
import { isRefusal, type Machine } from "./machine.ts";

/** A program that elects, installed with a configuration, or running. */
export interface Elector {
  readonly name: "keepalived" | "heartbeat" | "pacemaker" | "ucarp";
  readonly isRunning: boolean;
}

/**
 * The electors of this machine. One that is installed and was never set up is none.
 * @param election what keepalived.conf says; a keepalived that only balances load elects nobody
 */
export function findElectors(
  machine: Machine,
  keepalived: Keepalived,
  election: Election | undefined,
): Elector[] {
  const electsByConf = election === undefined || election.instances.length > 0;
  const runs = (name: string) => machine.processes().some((process) => process.name === name);
  const isThere = (path: string) => !isRefusal(machine.stat(path));
  const all: readonly (Elector & { readonly isSetUp: boolean })[] = [
    {
      name: "keepalived",
      isRunning: keepalived.running !== undefined && electsByConf,
      isSetUp: keepalived.program !== undefined && isThere(keepalived.confPath) && electsByConf,
    },
    { name: "heartbeat", isRunning: runs("heartbeat"), isSetUp: isThere("/etc/ha.d/ha.cf") },
    {
      name: "pacemaker",
      isRunning: runs("pacemakerd"),
      // Debian's corosync brings a configuration along, so that says nothing; this file a cluster makes.
      isSetUp: isThere("/var/lib/pacemaker/cib/cib.xml"),
    },
    { name: "ucarp", isRunning: runs("ucarp"), isSetUp: false },
  ];
  return all.filter(({ isRunning, isSetUp }) => isRunning || isSetUp);
}

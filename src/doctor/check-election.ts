/**
 * Would keepalived elect as its configuration is meant? What can be told from one machine's keepalived.conf; the other
 * machines' can't be seen from here.
 */
import { parseIpAddress } from "../model/ip-address.ts";
import { nearestWord } from "../model/nearest-word.ts";
import type { Examination } from "./finding.ts";
import type { KeepalivedConf, Statement } from "./keepalived-conf.ts";
import { type Election, isNotifyKeyword, named, placeOf, type Unit } from "./keepalived-election.ts";
import { isAbsent, type Machine } from "./machine.ts";

/** Only so much of a password is used. */
const passwordLength = 8;
const notifyKeywords = ["notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"];

/** The file itself, its instances one by one, and the instances beside one another. */
export function checkElection(
  machine: Machine,
  exam: Examination,
  conf: KeepalivedConf,
  election: Election,
): void {
  const before = exam.troubles;
  checkFile(exam, conf, election);
  for (const instance of election.instances) {
    checkInstance(machine, exam, instance, election);
    checkPreemption(exam, instance);
    checkPeers(exam, instance);
    checkPassword(exam, instance);
  }
  checkTwins(exam, election);
  if (election.instances.length === 0) return;
  if (exam.troubles === before) {
    const names = election.instances.map(({ name }) => name).join(", ");
    exam.fine("keepalived-election", `keepalived's instances (${names}): router id, priority, state, peers`);
  }
  exam.unseen(
    "keepalived-priority",
    "the priorities on the other machines: each machine of the group must have one of its own",
  );
}

function checkFile(exam: Examination, { problems, notFollowed }: KeepalivedConf, election: Election): void {
  for (const problem of problems) {
    exam.error(
      "keepalived-syntax",
      placeOf(problem),
      `keepalived.conf must be well-formed: ${problem.what}`,
      "mend the line, then: keepalived --config-test",
    );
  }
  for (const remark of notFollowed) {
    exam.unseen("keepalived-syntax", `${placeOf(remark)}: ${remark.what}, which is not followed here`);
  }
  for (const statement of election.ignored) {
    exam.warning(
      "keepalived-notify-twice",
      placeOf(statement),
      `${statement.words[0]} must be given once: keepalived ignores this second one`,
      "remove one of the two lines",
    );
  }
  for (const { statements } of [...election.instances, ...election.groups]) {
    for (const statement of statements) {
      const [keyword = ""] = statement.words;
      if (!keyword.startsWith("notify") || isNotifyKeyword(keyword)) continue;
      const near = nearestWord(keyword, notifyKeywords);
      exam.error(
        "keepalived-notify-unknown",
        placeOf(statement),
        `keepalived must know the keyword, or it ignores the line: got ${keyword}`,
        near === undefined ? "see keepalived.conf(5)" : `write ${near}`,
      );
    }
  }
}

function checkInstance(machine: Machine, exam: Examination, instance: Unit, election: Election): void {
  const { name, where, statements } = instance;
  const id = last(statements, "virtual_router_id");
  const number = Number(id?.words[1]);
  if (id === undefined || !Number.isInteger(number) || number < 1 || number > 255) {
    exam.error(
      "keepalived-router-id",
      id === undefined ? where : placeOf(id),
      `virtual_router_id of ${name} must be a number from 1 to 255: got ${id?.words[1] ?? "none"}`,
      "give it the number that the other machines of the group have",
    );
  }
  const priority = last(statements, "priority");
  const level = Number(priority?.words[1]);
  if (priority === undefined) {
    exam.warning(
      "keepalived-priority",
      where,
      `${name} must have a priority of its own: without one it is 100, as on every machine without one`,
      "give each machine of the group another number: 100, 99, 98",
    );
  } else if (!Number.isInteger(level) || level < 1 || level > 255) {
    exam.error(
      "keepalived-priority",
      placeOf(priority),
      `priority must be a number from 1 to 255, or keepalived takes 100: got ${priority.words[1] ?? "none"}`,
      "give each machine of the group another number: 100, 99, 98",
    );
  }
  const link = last(statements, "interface");
  const device = link?.words[1];
  const mayCome = named(election.globals, "dynamic_interfaces").length > 0 || election.isElsewhere;
  if (device !== undefined && !mayCome && isAbsent(machine.stat(`/sys/class/net/${device}`))) {
    exam.error(
      "keepalived-interface",
      link === undefined ? where : placeOf(link),
      `interface of ${name} must exist on this machine: got ${device}`,
      "ip link shows what there is",
    );
  }
}

function checkPreemption(exam: Examination, { name, statements }: Unit): void {
  const state = last(statements, "state");
  const isMaster = state?.words[1] === "MASTER";
  const nopreempt = last(statements, "nopreempt");
  if (nopreempt !== undefined && isMaster && state !== undefined) {
    exam.warning(
      "keepalived-nopreempt",
      placeOf(nopreempt),
      `nopreempt needs state BACKUP, or keepalived drops it: ${name} has state MASTER`,
      "write state BACKUP, on every machine",
    );
    return;
  }
  if (isMaster && state !== undefined) {
    exam.note(
      "keepalived-state",
      placeOf(state),
      `${name} starts as MASTER: after each start it may be active for a moment beside the one that is`,
      "write state BACKUP on every machine; the priority decides",
    );
  }
  const priority = last(statements, "priority");
  if (nopreempt === undefined && priority?.words[1] !== "255") {
    exam.note(
      "keepalived-nopreempt",
      priority === undefined ? `${name}` : placeOf(priority),
      `${name} takes the role back whenever its machine comes up with the highest priority`,
      "if jobs should stay where they are, write nopreempt on every machine",
    );
  }
}

function checkPeers(exam: Examination, { statements }: Unit): void {
  for (const { block = [] } of named(statements, "unicast_peer")) {
    for (const peer of block) {
      const surplus = peer.words.slice(1).find((word) => parseIpAddress(word) !== undefined);
      if (surplus === undefined) continue;
      exam.error(
        "keepalived-peers",
        placeOf(peer),
        `each unicast peer must have a line of its own: keepalived passes over ${surplus}`,
        `put ${surplus} on the next line`,
      );
    }
  }
}

function checkPassword(exam: Examination, { statements }: Unit): void {
  for (const { block = [] } of named(statements, "authentication")) {
    const password = last(block, "auth_pass");
    const text = password?.words[1] ?? "";
    if (password !== undefined && text.length > passwordLength) {
      exam.warning(
        "keepalived-password",
        placeOf(password),
        `auth_pass must have at most ${passwordLength} characters, the rest is cut: got ${text.length}`,
        `shorten it on every machine`,
      );
    }
    const type = last(block, "auth_type");
    if (type?.words.includes("auth_pass")) {
      exam.error(
        "keepalived-password",
        placeOf(type),
        "auth_pass must have a line of its own: here it is read as part of auth_type, and there is no password",
        "put auth_pass on the next line",
      );
    }
  }
}

/** Two instances of one name, or with one router id on one interface. */
function checkTwins(exam: Examination, { instances }: Election): void {
  for (const [index, instance] of instances.entries()) {
    const others = instances.slice(0, index);
    const namesake = others.find(({ name }) => name === instance.name);
    if (namesake !== undefined) {
      exam.error(
        "keepalived-instance-twice",
        instance.where,
        `a vrrp_instance must have a name of its own: ${instance.name} stands in ${namesake.where} already`,
        "give it another name",
      );
      continue;
    }
    const twin = others.find((other) => sharesRouter(other, instance));
    if (twin !== undefined) {
      const id = last(instance.statements, "virtual_router_id");
      exam.error(
        "keepalived-router-id",
        id === undefined ? instance.where : placeOf(id),
        `virtual_router_id must be used once on an interface: ${instance.name} and ${twin.name} have ${id?.words[1]}`,
        "give one of them another number, on every machine",
      );
    }
  }
}

/** Conservative: where both could still be told apart by peers, groups or families, they count as different. */
function sharesRouter(one: Unit, other: Unit): boolean {
  const same = (keyword: string) => {
    const value = last(one.statements, keyword)?.words[1];
    return value !== undefined && value === last(other.statements, keyword)?.words[1];
  };
  const isSpecial = ({ statements }: Unit) =>
    named(statements, "unicast_peer").length > 0 || named(statements, "mcast_dst_ip").length > 0;
  if (isSpecial(one) || isSpecial(other) || familyOf(one) !== familyOf(other)) return false;
  return same("interface") && same("virtual_router_id");
}

function familyOf({ statements }: Unit): 4 | 6 {
  const isNative6 = named(statements, "native_ipv6").length > 0;
  return isNative6 || virtualAddresses(statements).some((address) => address.includes(":")) ? 6 : 4;
}

/** The addresses that an instance brings, without prefix lengths. */
export function virtualAddresses(statements: readonly Statement[]): string[] {
  return ["virtual_ipaddress", "virtual_ipaddress_excluded"].flatMap((keyword) =>
    named(statements, keyword).flatMap(({ block = [] }) =>
      block.flatMap(({ words }) => {
        const address = words[0]?.split("/", 1)[0];
        return address === undefined ? [] : [address];
      }),
    ),
  );
}

function last(statements: readonly Statement[], keyword: string): Statement | undefined {
  return named(statements, keyword).at(-1);
}

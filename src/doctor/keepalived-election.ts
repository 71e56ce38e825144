/**
 * What a keepalived.conf says about who is elected and who is told: its instances, its groups, and the scripts that
 * run as root or as somebody else when a state changes. Pure.
 */
import { type KeepalivedConf, type Statement, splitScript } from "./keepalived-conf.ts";

/** A script that keepalived runs. */
export interface ScriptCall {
  /** `notify_master`, `vrrp_notify_fifo_script`, … */
  readonly keyword: string;
  /** The program and its arguments. */
  readonly words: readonly string[];
  /** Who it runs as; undefined where keepalived's own default holds. */
  readonly user: NamedUser | undefined;
  readonly where: string;
}

/** An account, and the line that names it. */
export interface NamedUser {
  readonly name: string;
  readonly where: string;
}

/** A vrrp_instance or a vrrp_sync_group. */
export interface Unit {
  readonly kind: "instance" | "group";
  readonly name: string;
  readonly where: string;
  readonly statements: readonly Statement[];
  readonly calls: readonly ScriptCall[];
  /** Of a group: the names of its instances. */
  readonly members: readonly string[];
}

/** A FIFO that changes of state are written to. */
export interface NotifyFifo {
  /** `notify_fifo` or `vrrp_notify_fifo`. */
  readonly keyword: string;
  readonly fifo: Statement | undefined;
  /** Whose the FIFO is; undefined where keepalived's own default holds, or there is no FIFO. */
  readonly owner: NamedUser | undefined;
  readonly call: ScriptCall | undefined;
}

export interface Election {
  readonly globals: readonly Statement[];
  /** Where the first global_defs begins. */
  readonly globalsWhere: string | undefined;
  readonly instances: readonly Unit[];
  readonly groups: readonly Unit[];
  readonly fifos: readonly NotifyFifo[];
  /** The scripts of vrrp_script blocks, which decide on the election. */
  readonly trackScripts: readonly ScriptCall[];
  /** What stands where a keyword was already given: keepalived ignores it. */
  readonly ignored: readonly Statement[];
  readonly isSecure: boolean;
  /** True where it runs in a network namespace of its own: its interfaces can't be seen. */
  readonly isElsewhere: boolean;
}

/** What keepalived calls for each state, in an instance or a group. */
export const handlerKeywords = ["notify_master", "notify_backup", "notify_fault", "notify_stop"] as const;
/** All that begins with notify in an instance or a group and is a script. */
const scriptKeywords: readonly string[] = [
  ...handlerKeywords,
  "notify",
  "notify_deleted",
  "notify_master_rx_lower_pri",
];

/** Sorts a keepalived.conf's statements. */
export function readElection({ statements }: KeepalivedConf): Election {
  const globalBlocks = named(statements, "global_defs");
  const globals = globalBlocks.flatMap(({ block }) => block ?? []);
  const ignored: Statement[] = [];
  const scriptUser = userIn(globals, "script_user");
  const units = (keyword: string, kind: Unit["kind"]) =>
    named(statements, keyword).map((statement) => unitOf(statement, kind, scriptUser, ignored));
  return {
    globals,
    globalsWhere: globalBlocks[0] && placeOf(globalBlocks[0]),
    instances: units("vrrp_instance", "instance"),
    groups: units("vrrp_sync_group", "group"),
    fifos: ["notify_fifo", "vrrp_notify_fifo"].flatMap((keyword) => fifoOf(keyword, globals)),
    trackScripts: named(statements, "vrrp_script").flatMap(({ block = [] }) => {
      const user = userIn(block, "user") ?? scriptUser;
      return named(block, "script")
        .slice(0, 1)
        .map((statement) => callOf(statement, user));
    }),
    ignored,
    isSecure: named(globals, "enable_script_security").length > 0,
    isElsewhere: [...statements, ...globals].some(({ words }) => words[0] === "net_namespace"),
  };
}

/** The statements with a keyword. */
export function named(statements: readonly Statement[], keyword: string): Statement[] {
  return statements.filter(({ words }) => words[0] === keyword);
}

/** `file:line` */
export function placeOf({ file, line }: Pick<Statement, "file" | "line">): string {
  return `${file}:${line}`;
}

/** True for a keyword that keepalived knows in an instance or a group and that begins with `notify`. */
export function isNotifyKeyword(keyword: string): boolean {
  return scriptKeywords.includes(keyword) || keyword === "notify_priority_changes";
}

function unitOf(
  statement: Statement,
  kind: Unit["kind"],
  scriptUser: NamedUser | undefined,
  ignored: Statement[],
): Unit {
  const statements = statement.block ?? [];
  const calls = scriptKeywords.flatMap((keyword) => {
    const [first, ...others] = named(statements, keyword);
    ignored.push(...others);
    // notify_deleted may stand alone.
    return first === undefined || first.words.length < 2 ? [] : [callOf(first, scriptUser)];
  });
  const members = named(statements, "group").flatMap(({ block }) =>
    (block ?? []).flatMap(({ words }) => words.slice(0, 1)),
  );
  return { kind, name: statement.words[1] ?? "", where: placeOf(statement), statements, calls, members };
}

/** @param user who it runs as if the statement names nobody */
function callOf(statement: Statement, user: NamedUser | undefined): ScriptCall {
  const [keyword = "", text = "", own] = statement.words;
  const where = placeOf(statement);
  return { keyword, words: splitScript(text), user: own === undefined ? user : { name: own, where }, where };
}

function userIn(statements: readonly Statement[], keyword: string): NamedUser | undefined {
  const last = named(statements, keyword).at(-1);
  const name = last?.words[1];
  return last === undefined || name === undefined ? undefined : { name, where: placeOf(last) };
}

function fifoOf(keyword: string, globals: readonly Statement[]): NotifyFifo[] {
  const [fifo] = named(globals, keyword);
  const [script] = named(globals, `${keyword}_script`);
  if (fifo === undefined && script === undefined) return [];
  // Unlike the instances' scripts, both go by the script_user that stands above them.
  const userAbove = (statement: Statement) =>
    userIn(globals.slice(0, globals.indexOf(statement)), "script_user");
  const [, , own] = fifo?.words ?? [];
  const owner = fifo && (own === undefined ? userAbove(fifo) : { name: own, where: placeOf(fifo) });
  return [{ keyword, fifo, owner, call: script && callOf(script, userAbove(script)) }];
}

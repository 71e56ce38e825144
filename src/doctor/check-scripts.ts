/**
 * Would keepalived run its scripts, and could they write? By the rules that keepalived 2.2 was seen to follow; it says
 * what it refuses in its log alone, and goes on without.
 */
import type { Examination } from "./finding.ts";
import { type Election, type NotifyFifo, placeOf, type ScriptCall } from "./keepalived-election.ts";
import { type Account, isAbsent, isRefusal, type Machine, octal } from "./machine.ts";
import { baseOf, folderOf, weaknesses } from "./path-safety.ts";
import { programOf, type StateWriter } from "./state-writers.ts";

/** The account that keepalived runs scripts as when none is named, if it exists. */
const defaultUser = "keepalived_script";
const searchPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** What the checks of one script need. */
interface Call {
  readonly machine: Machine;
  readonly exam: Examination;
  readonly call: ScriptCall;
  /** The FIFO that it reads; undefined for all other scripts. */
  readonly fifo: NotifyFifo | undefined;
  /** Those of its writes that concern rcron. */
  readonly writers: readonly StateWriter[];
  readonly isSecure: boolean;
  /** Where global_defs begins. */
  readonly globalsWhere: string | undefined;
}

/** All scripts of a keepalived.conf, the ones that have nothing to do with rcron too: those are warnings at most. */
export function checkScripts(
  machine: Machine,
  exam: Examination,
  election: Election,
  writers: readonly StateWriter[],
): void {
  const { instances, groups, fifos, trackScripts, isSecure, globalsWhere } = election;
  const calls = [
    ...[...instances, ...groups].flatMap((unit) => unit.calls),
    ...fifos.flatMap(({ call }) => (call === undefined ? [] : [call])),
    ...trackScripts,
  ];
  const before = exam.troubles;
  for (const call of calls) {
    checkCall({
      machine,
      exam,
      call,
      fifo: fifos.find((fifo) => fifo.call === call),
      writers: writers.filter((writer) => writer.call === call),
      isSecure,
      globalsWhere,
    });
  }
  const place = globalsWhere ?? calls[0]?.where;
  if (calls.length > 0 && !isSecure && place !== undefined) {
    exam.warning(
      "keepalived-script-security",
      place,
      "global_defs must have enable_script_security: without it keepalived runs as root what others may write to",
      "write enable_script_security and script_user root into global_defs",
    );
  }
  if (calls.length > 0 && exam.troubles === before) {
    exam.fine("keepalived-scripts", `keepalived's ${calls.length} script calls: present, executable, safe`);
  }
}

function checkCall(context: Call): void {
  const { call, exam } = context;
  const [first] = call.words;
  if (first === undefined) {
    blame(context, "keepalived-script-missing", `${call.keyword} must name a script: got none`, "name one");
    return;
  }
  const operator = shellOperator(call.words);
  if (operator !== undefined) {
    exam.error(
      "keepalived-script-shell",
      call.where,
      `keepalived runs no shell: "${operator}" in ${call.keyword} reaches ${first} as a word, and nothing is written`,
      `name a script, such as /etc/keepalived/rcron/${scriptFor(call.keyword)}`,
    );
    return;
  }
  const user = userOf(context);
  if (user === undefined) return;
  const path = findScript(context, first);
  if (path === undefined || !isRunnable(context, path, user)) return;
  if (user.uid === 0) checkSafety(context, path, context.isSecure);
  checkName(context, path);
  checkBehindEnv(context, user);
  checkNeeds(context);
  checkStateFolder(context, user);
}

/** What breaks a script that rcron hangs on is an error; what breaks another one is a warning. */
function blame(
  { exam, call, writers }: Call,
  check: string,
  what: string,
  advice: string,
  where = call.where,
): void {
  if (writers.length > 0) exam.error(check, where, what, advice);
  else exam.warning(check, where, what, advice);
}

/** `>`, `|`, `&&` and the like standing alone or at a word's beginning, where the program is no shell itself. */
function shellOperator(words: readonly string[]): string | undefined {
  const { args } = programOf(words);
  if (args[0] === "-c") return undefined;
  return args.find((word) => /^(\d?>>?|<|\|\|?|&&?|;)$/.test(word) || /^\d?>>?&?[/\w.]/.test(word));
}

function scriptFor(keyword: string): string {
  const state = /^notify_(master|backup|fault|stop)$/.exec(keyword)?.[1];
  return state === undefined ? "notify.sh" : `notify-${state}.sh`;
}

/** Who the script runs as; undefined where that is nobody, and has been said. One cause is one finding, for all scripts. */
function userOf(context: Call): Account | undefined {
  const { machine, exam, call, isSecure } = context;
  if (isFifoDropped(context) && call.user === undefined) return undefined;
  if (call.user !== undefined) {
    const { name, where } = call.user;
    const account = machine.account(name);
    if (account === undefined) {
      const what = `the user that a script runs as must exist, or keepalived ignores the script: got ${name}`;
      blame(context, "keepalived-script-user", what, "name one that exists, such as root", where);
    }
    return account;
  }
  const account = machine.account(defaultUser);
  if (account !== undefined) return account;
  const where = placeOfUser(context);
  if (isSecure) {
    const what = `without script_user and without an account ${defaultUser}, enable_script_security makes keepalived ignore its scripts`;
    blame(context, "keepalived-script-user", what, nameRoot(call), where);
    return undefined;
  }
  const what = `script_user should be set: scripts run as root only until somebody creates ${defaultUser}`;
  exam.note("keepalived-script-user", where, what, nameRoot(call));
  return { name: "root", uid: 0, gid: 0 };
}

/**
 * keepalived decides on the user of a FIFO and of its reader when it reads their lines, by what it has read so far. The
 * default user does not exist, so it takes root; but from enable_script_security on it takes nobody, and at a reload
 * that is still in force from before. Then the FIFO is gone, and the last word stays for ever.
 */
function isFifoDropped(context: Call): boolean {
  const { machine, call, fifo, isSecure } = context;
  if (fifo === undefined || !isSecure || machine.account(defaultUser) !== undefined) return false;
  const isOwned = fifo.fifo === undefined || fifo.owner !== undefined;
  if (isOwned && call.user !== undefined) return false;
  const keyword = isOwned ? call.keyword : fifo.keyword;
  const where = isOwned || fifo.fifo === undefined ? call.where : placeOf(fifo.fifo);
  const what = `${keyword} must stand below script_user, or enable_script_security makes keepalived drop it: at the first reload, if not at once`;
  blame(context, "keepalived-script-user", what, nameRoot(call), where);
  return true;
}

/** A FIFO and its script have the script_user above them, the other scripts the last one. */
function nameRoot({ keyword }: ScriptCall): string {
  const fifo = /^(.+)_script$/.exec(keyword)?.[1];
  return `write script_user root into global_defs${fifo === undefined ? "" : `, above ${fifo}`}`;
}

/** Where the user is named, or would be. */
function placeOfUser({ call, globalsWhere }: Call): string {
  const isFifo = call.keyword.endsWith("_script");
  return call.user?.where ?? (isFifo ? call.where : (globalsWhere ?? call.where));
}

/** The script's path; undefined where there is none, and that has been said. */
function findScript(context: Call, first: string): string | undefined {
  const { machine, call } = context;
  if (!first.includes("/")) {
    const path = searchPath
      .map((folder) => `${folder}/${first}`)
      .find((each) => !isRefusal(machine.stat(each)));
    if (path === undefined) {
      blame(
        context,
        "keepalived-script-missing",
        `${call.keyword} must name a script that exists: got ${first}`,
        "give its whole path",
      );
    }
    return path;
  }
  if (!first.startsWith("/")) {
    const what = `${call.keyword} must name an absolute path, for keepalived works in /: got ${first}`;
    blame(context, "keepalived-script-missing", what, "give its whole path");
    return undefined;
  }
  const facts = machine.stat(first);
  if (!isRefusal(facts)) return first;
  if (isAbsent(facts)) {
    const what = `${call.keyword} must name a script that exists, or nothing is run: got ${first}`;
    blame(context, "keepalived-script-missing", what, "install it there, or name its right path");
  } else context.exam.unseen("keepalived-scripts", `${first}: ${facts.text}`);
  return undefined;
}

function isRunnable(context: Call, path: string, user: Account): boolean {
  const facts = context.machine.stat(path);
  if (isRefusal(facts)) return false;
  const { keyword } = context.call;
  if (facts.kind !== "file") {
    blame(
      context,
      "keepalived-script-mode",
      `${keyword} must name a file: ${path} is a ${facts.kind}`,
      "name the script",
    );
    return false;
  }
  const bits =
    user.uid === 0 ? 0o111 : user.uid === facts.uid ? 0o100 : user.gid === facts.gid ? 0o010 : 0o001;
  if ((facts.mode & bits) !== 0) return true;
  const what = `${keyword} must be executable for ${user.name}, or keepalived disables it: ${path} has mode ${octal(facts.mode)}`;
  blame(context, "keepalived-script-mode", what, `chmod 755 ${path}`);
  return false;
}

/** @param isRefused keepalived won't run it; else it runs it whoever wrote it */
function checkSafety(context: Call, path: string, isRefused: boolean): void {
  const { machine, exam, call } = context;
  const real = machine.realPath(path);
  for (const { path: part, what, advice } of weaknesses(machine, path)) {
    // A folder's weakness is one finding, for all scripts in it.
    const isFolder = part !== path && part !== real;
    const where = isFolder ? part : call.where;
    if (isRefused) {
      const disabled = isFolder ? "the scripts in it" : `${call.keyword} (${path})`;
      const whole = `keepalived disables ${disabled}, because ${part} ${what}`;
      blame(context, "keepalived-script-mode", whole, advice, where);
    } else {
      const run = isFolder ? "scripts in it" : path;
      exam.warning("keepalived-script-mode", where, `root runs ${run}, and ${part} ${what}`, advice);
    }
  }
}

/**
 * keepalived follows a link, and calls the program by the link's name only if that name is there too. rcron does by its
 * name what it does: under the name rcron, `follow` would be a job.
 */
function checkName({ machine, exam, call }: Call, path: string): void {
  const real = machine.realPath(path);
  if (baseOf(path) !== "rcronctl" || isRefusal(real) || baseOf(real) === "rcronctl") return;
  const beside = machine.stat(`${folderOf(real)}/rcronctl`);
  const itself = machine.stat(real);
  if (!isRefusal(beside) && !isRefusal(itself) && beside.id === itself.id) return;
  exam.error(
    "keepalived-script-name",
    call.where,
    `keepalived follows the link ${path} and calls the program ${baseOf(real)}, for ${folderOf(real)} has no rcronctl`,
    `ln -s ${baseOf(real)} ${folderOf(real)}/rcronctl`,
  );
}

/** keepalived looks at `env` and not at what env starts. */
function checkBehindEnv(context: Call, user: Account): void {
  const { program } = programOf(context.call.words);
  if (program === undefined || program === context.call.words[0] || !program.startsWith("/")) return;
  if (isAbsent(context.machine.stat(program))) {
    const what = `${context.call.keyword} must name a script that exists: got ${program}`;
    blame(context, "keepalived-script-missing", what, "install it there, or name its right path");
  } else if (isRunnable(context, program, user) && user.uid === 0) checkSafety(context, program, false);
}

/** rcron's own scripts call rcronctl by its whole path. */
function checkNeeds({ machine, exam, writers }: Call): void {
  for (const { needs } of writers) {
    if (needs === undefined || !isAbsent(machine.stat(needs))) continue;
    exam.error(
      "keepalived-script-missing",
      needs,
      "keepalived's scripts call it, and it must be there, or no word is written",
      needs === "/usr/bin/rcronctl"
        ? `ln -s rcron ${needs}`
        : "set RCRONCTL to its path, where keepalived's environment is",
    );
  }
}

/** Whoever writes the state replaces the file, so it is the folder that must be writable. */
function checkStateFolder(context: Call, user: Account): void {
  const { machine, exam, call, writers } = context;
  if (user.uid === 0) return;
  for (const { stateFile } of writers) {
    if (stateFile === undefined) continue;
    const folder = folderOf(stateFile);
    const facts = machine.stat(folder);
    if (isRefusal(facts)) continue;
    const bits = user.uid === facts.uid ? 0o200 : user.gid === facts.gid ? 0o020 : 0o002;
    if ((facts.mode & bits) !== 0) continue;
    const what = `scripts run as ${user.name}, who may not write in ${folder}: the word there will never change`;
    exam.error("keepalived-script-user", placeOfUser(context), what, nameRoot(call));
  }
}

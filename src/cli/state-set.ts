/**
 * `rcronctl state set`: writes this machine's word. What keepalived's notify scripts, the resource agents of other
 * cluster managers and people call.
 */
import { type Written, writeState } from "../election/election.ts";
import { type Conf, decide, readState } from "../gate/gate.ts";
import { durationRule, parseDuration } from "../model/duration.ts";
import { setLine } from "../model/log-line.ts";
import { printable, quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { nameWriter } from "../model/provenance.ts";
import { readFileStart } from "../system/files.ts";
import { findProcess } from "../system/other-processes.ts";
import { Syslog } from "../system/syslog.ts";
import type { Given } from "./control-word.ts";
import { print } from "./standard-output.ts";
import { say } from "./terminal.ts";
import { readWritersConf } from "./writers-conf.ts";

const logWaitMs = 200;

/** What the options say, proven. */
interface Request {
  readonly word: "active" | "passive";
  readonly writer: string;
  readonly validForMs: number | undefined;
}

/** @returns the exit status: 0 where it is written or has been overtaken */
export async function setState({ options, words }: Given): Promise<number | Problem> {
  const log = new Syslog({ ident: "rcronctl", pid: process.pid });
  const status = await set(options, words, log);
  // keepalived gives its scripts /dev/null for standard error.
  if (status instanceof Problem) log.log("LOG_CRON", "LOG_ERR", `error: state not set: ${status.message}`);
  await log.close(logWaitMs);
  return status;
}

async function set(
  options: Given["options"],
  words: readonly string[],
  log: Syslog,
): Promise<number | Problem> {
  const request = readRequest(options, words);
  if (request instanceof Problem) return request;
  const named = options["state-file"];
  if (typeof named === "string" && !named.startsWith("/")) {
    return new Problem("invalid", `--state-file must be an absolute path: got ${quoted(named)}`);
  }
  const { conf, stateFile: own, problem } = readWritersConf(options);
  const stateFile = typeof named === "string" ? named : own;
  if (stateFile === undefined) return problem ?? new Problem("internal", "no state file");
  const warnings = problem === undefined ? [] : [`${problem.message}: going on with ${stateFile}`];

  const self = findProcess(process.pid);
  const { instance, event } = options;
  let written: Written;
  try {
    written = await writeState({
      stateFile,
      word: request.word,
      writer: request.writer,
      order: { startTicks: self?.startTicks ?? 0, pid: process.pid },
      // They go to the log as well.
      instance: typeof instance === "string" ? printable(instance) : undefined,
      event: typeof event === "string" ? printable(event) : undefined,
      validForMs: request.validForMs,
      isNewTerm: options["new-epoch"] === true,
    });
  } catch (error) {
    if (error instanceof Problem) return error.code === "invalid" ? failure(error) : error;
    throw error;
  }
  if (written.warning !== undefined) warnings.push(written.warning);
  for (const warning of warnings) {
    say("rcronctl", `warning: ${warning}`);
    log.log(conf?.syslogFacility ?? "LOG_CRON", "LOG_WARNING", `warning: ${warning}`);
  }
  const line = setLine({ ...written, stateFile, clusterName: conf?.clusterName });
  if (!written.isRepeat) log.log(conf?.syslogFacility ?? "LOG_CRON", "LOG_NOTICE", line);
  await report(written, stateFile, conf, options["json"] === true);
  return 0;
}

function readRequest(options: Given["options"], words: readonly string[]): Request | Problem {
  const [word, surplus] = words;
  if ((word !== "active" && word !== "passive") || surplus !== undefined) {
    const got = words.length === 0 ? "none" : quoted(words.join(" "));
    return new Problem("invalid", `state set must be followed by active or passive: got ${got}`);
  }
  const { "valid-for": validFor, "writer-pid": writerPid, writer } = options;
  const validForMs = typeof validFor === "string" ? parseDuration(validFor) : undefined;
  if (typeof validFor === "string" && validForMs === undefined) {
    return new Problem("invalid", `--valid-for must be ${durationRule}: got ${quoted(validFor)}`);
  }
  const name = typeof writer === "string" ? printable(writer).replaceAll("/", "_") : undefined;
  if (typeof writerPid !== "string") return { word, writer: name ?? userName(), validForMs };
  if (!/^[1-9]\d{0,9}$/.test(writerPid)) {
    return new Problem("invalid", `--writer-pid must be a process id: got ${quoted(writerPid)}`);
  }
  const found = findProcess(Number(writerPid));
  // It has ended meanwhile, or /proc hides it: named nevertheless, with a start that no process has, so that nobody takes it for alive.
  const process = found ?? { name: name ?? "unknown", pid: Number(writerPid), startTicks: 0 };
  return { word, writer: nameWriter({ ...process, name: name ?? process.name }), validForMs };
}

/** Who sits at the keyboard; behind sudo, the person and not root. */
function userName(): string {
  const { SUDO_USER: behindSudo } = process.env;
  const uid = process.getuid?.() ?? -1;
  const name = behindSudo || passwdName(uid) || `uid ${uid}`;
  return printable(name).replaceAll("/", "_");
}

/** By /etc/passwd itself: the runtime's userInfo() believes the environment, and cron's has no USER. */
function passwdName(uid: number): string | undefined {
  const file = readFileStart("/etc/passwd", 1024 * 1024);
  if (file.error !== undefined) return undefined;
  const rows = new TextDecoder().decode(file.bytes).split("\n");
  return rows.map((row) => row.split(":")).find((fields) => fields[2] === String(uid))?.[0];
}

/** Not the caller's wrong use: the state file is a device, for instance. */
function failure(problem: Problem): Problem {
  return new Problem("internal", problem.message, { cause: problem });
}

async function report(
  { isWritten, word, provenance }: Written,
  stateFile: string,
  conf: Conf | undefined,
  isJson: boolean,
): Promise<void> {
  // What rcron makes of it, where it is rcron.conf's file.
  const verdict = conf?.stateFile === stateFile ? decide(conf, readState(stateFile)) : undefined;
  if (isJson) {
    const { epoch, writer, instance } = provenance;
    const now = { state: verdict?.state ?? null, reason: verdict?.reason ?? null };
    const told = {
      isWritten,
      stateFile,
      word,
      epoch: epoch ?? null,
      writer: writer ?? null,
      instance: instance ?? null,
      ...now,
    };
    await print(`${JSON.stringify(told, undefined, 2)}\n`);
    return;
  }
  const done = isWritten
    ? `${stateFile} says ${word} now, epoch ${provenance.epoch}`
    : `overtaken: a newer change is in ${stateFile} already: ${word}, epoch ${provenance.epoch}`;
  await print(`${done}\n`);
  if (verdict?.isDefault) say("rcronctl", `warning: ${verdict.sentence}`);
}

/**
 * Where the running `rcrond` is asked, and by whom: for the words of `rcronctl` that it answers, and those that it adds to.
 */
import { loadConf, readDaemonConf } from "../gate/gate.ts";
import { historyFolder } from "../history/history.ts";
import type { ControlRequest, ControlResult } from "../model/control-message.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { type AskOptions, askDaemon } from "../system/control-client.ts";
import type { Given } from "./control-word.ts";
import { say } from "./terminal.ts";

/** The socket of root's daemon, unless the configuration names another one. */
const rootsSocket = "/run/rcron/rcrond.sock";
/** For an answer that only adds something: a daemon that is stuck must not keep the rest back for longer. */
const addedMs = 2000;

/**
 * The socket on which a daemon of this user answers: `socket` of rcron.conf's `[daemon]`, or else root's in /run/rcron, another
 * user's in his runtime folder, or without one in that of his record.
 * @param configured `socket` of the configuration
 * @returns undefined where there is no folder for one
 */
export function ownSocket(configured: string | undefined): string | undefined {
  if (configured !== undefined) return configured;
  if (process.geteuid?.() === 0) return rootsSocket;
  const { XDG_RUNTIME_DIR: runtime } = process.env;
  if (runtime?.startsWith("/")) return `${runtime}/rcron/rcrond.sock`;
  const folder = historyFolder("auto");
  return folder && `${folder}/rcrond.sock`;
}

/** A daemon, and whether its jobs are those of this user's record. */
interface FoundDaemon {
  readonly path: string;
  readonly isOwn: boolean;
}

/**
 * Finds the daemon that is meant: the one of `--socket`, of the configuration, this user's own, or, where he has none, root's.
 * A broken configuration is told and passed over, for it is then that one wants to ask.
 */
async function findDaemon({ socket, conf }: Given["options"]): Promise<FoundDaemon | Problem> {
  if (typeof socket === "string") {
    if (socket.startsWith("/")) return { path: socket, isOwn: true };
    return new Problem("invalid", `--socket must be an absolute path: got ${quoted(socket)}`);
  }
  const configured = await configuredSocket(typeof conf === "string" ? conf : undefined);
  if (configured instanceof Problem) say("rcronctl", `warning: ${configured.message}`);
  const own = ownSocket(configured instanceof Problem ? undefined : configured);
  const { existsSync } = process.getBuiltinModule("node:fs");
  const isMeant = own !== undefined && (own === configured || existsSync(own) || !existsSync(rootsSocket));
  const path = isMeant ? own : rootsSocket;
  const uid = process.geteuid?.();
  return { path, isOwn: uid === 0 || ownerOf(path) === uid };
}

/** @returns undefined where there is nothing, or nothing that this user may see */
function ownerOf(path: string): number | undefined {
  try {
    return process.getBuiltinModule("node:fs").lstatSync(path).uid;
  } catch {
    return undefined; // Not there, or not for us: connecting will tell which.
  }
}

async function configuredSocket(conf: string | undefined): Promise<string | undefined | Problem> {
  const loaded = loadConf(conf);
  if (loaded instanceof Problem) return loaded;
  const daemon = await readDaemonConf(loaded);
  return daemon instanceof Problem ? daemon : daemon.socket;
}

/** The result of a request of this kind. */
type ResultOf<Kind extends ControlResult["kind"]> = Extract<ControlResult, { kind: Kind }>;

/**
 * Asks the daemon that the options name.
 * @returns its result, or the Problem for which there is none
 */
export async function askFor<Kind extends ControlResult["kind"]>(
  options: Given["options"],
  request: ControlRequest & { readonly ask: Kind },
  how: AskOptions = {},
): Promise<ResultOf<Kind> | Problem> {
  const found = await findDaemon(options);
  if (found instanceof Problem) return found;
  const { ask }: { readonly ask: Kind } = request;
  return resultOf(ask, await askDaemon(found.path, request, how));
}

/**
 * Asks for what the daemon adds to an answer of the record. With `--history` the record alone is meant, unless `--socket` names
 * the daemon that belongs to it.
 * @returns undefined where there is no such answer, for whatever reason
 */
export async function askForMore<Kind extends ControlResult["kind"]>(
  options: Given["options"],
  request: ControlRequest & { readonly ask: Kind },
): Promise<{ readonly result: ResultOf<Kind>; readonly isOwn: boolean } | undefined> {
  if (options["history"] !== undefined && options["socket"] === undefined) return undefined;
  const found = await findDaemon(options);
  if (found instanceof Problem) return undefined;
  const { ask }: { readonly ask: Kind } = request;
  const result = resultOf(ask, await askDaemon(found.path, request, { timeoutMs: addedMs }));
  return result instanceof Problem ? undefined : { result, isOwn: found.isOwn };
}

function resultOf<Kind extends ControlResult["kind"]>(
  ask: Kind,
  result: ControlResult | Problem,
): ResultOf<Kind> | Problem {
  if (result instanceof Problem) return result;
  const isOfKind = (each: ControlResult): each is ResultOf<Kind> => each.kind === ask;
  return isOfKind(result) ? result : new Problem("internal", `rcrond's answer is not one to ${ask}`);
}

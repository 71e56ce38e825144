/**
 * The socket on which `rcrond` answers: where it is, and who may ask.
 */
import { type AnswerContext, answerRequest } from "../daemon/daemon.ts";
import type { DaemonConf } from "../gate/gate.ts";
import { Problem } from "../model/problem.ts";
import { listenForControl } from "../system/control-socket.ts";
import type { Peer } from "../system/peer.ts";
import { findGroup, findUser } from "../system/users.ts";
import { ownSocket } from "./ask-daemon.ts";
import type { DaemonLog } from "./daemon-log.ts";
import { complain } from "./terminal.ts";

/**
 * Listens there.
 * @returns undefined where it can't, which is told: jobs come first, and run without anybody who can steer them
 */
export function listenForWords(
  { socket, socketOwner, socketGroup }: Pick<DaemonConf, "socket" | "socketOwner" | "socketGroup">,
  context: AnswerContext,
  log: DaemonLog,
  onFault: (error: unknown) => void,
): { close(): Promise<void> } | undefined {
  const path = ownSocket(socket);
  if (path === undefined) return undefined;
  const owner = socketOwner === undefined ? undefined : findUser(socketOwner);
  const group = socketGroup === undefined ? undefined : findGroup(socketGroup);
  if (socketOwner !== undefined && typeof owner !== "object") {
    log.warn(`socket_owner must be a user of this machine: got ${socketOwner}`);
  }
  if (socketGroup !== undefined && typeof group !== "object") {
    log.warn(`socket_group must be a group of this machine: got ${socketGroup}`);
  }
  const server = listenForControl({
    path,
    ownerUid: typeof owner === "object" ? owner.uid : undefined,
    groupGid: typeof group === "object" ? group.gid : undefined,
    onRequest: (request, peer, tell, gone) => {
      return answerRequest(context, request, { name: nameOf(peer), tell, gone });
    },
    onFault,
  });
  if (!(server instanceof Problem)) return server;
  log.problem(server);
  complain("rcrond", server);
  return undefined;
}

/** The user's name, as log and record have it. */
function nameOf({ uid }: Peer): string {
  const user = findUser(String(uid));
  return typeof user === "object" && user.name !== "" ? user.name : `uid ${uid}`;
}

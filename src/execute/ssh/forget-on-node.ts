/**
 * Removing what a run has left on its node.
 */
import { type NodeConnection, newToken } from "./node-connection.ts";
import { forgetCommand } from "./node-script.ts";
import { NodeSession } from "./node-session.ts";

/** Removes all files of a run there, where there is a connection; else they are removed by their age. */
export async function forgetOnNode(connection: NodeConnection, fileId: string): Promise<void> {
  const folders = connection.facts?.folders;
  if (folders === undefined) return;
  const session = await connection.session(forgetCommand(fileId, folders), newToken(), deaf, true);
  if (session instanceof NodeSession) connection.leave(session);
}

const deaf = { onBytes: () => true, onLine: () => {} };

/**
 * Ending a run on its node with all that it has started, as process-tree.ts does it here.
 */
import { parseControlLine } from "./control-lines.ts";
import { type NodeConnection, newToken } from "./node-connection.ts";
import { stopCommand } from "./node-script.ts";
import { NodeSession } from "./node-session.ts";

/** After both signals and their waits, for the node to answer. */
const answerMs = 30_000;
const killMs = 2000;

/**
 * Ends it: TERM, and KILL when the grace is over. Once it is begun, it goes on without the connection.
 * @returns how many of its processes are left; undefined where the node was not reached, or did not say
 */
export async function stopOnNode(
  connection: NodeConnection,
  run: { readonly fileId: string; readonly runId: string },
  graceMs: number,
): Promise<number | undefined> {
  if ((await connection.open()) !== undefined) return undefined;
  const token = newToken();
  const folders = connection.facts?.folders;
  if (folders === undefined) return undefined;
  let left: number | undefined;
  const session = await connection.session(
    stopCommand({ ...run, token, graceTenths: Math.ceil(graceMs / 100), folders }),
    token,
    {
      onBytes: () => true,
      onLine: (text) => {
        const line = parseControlLine(text);
        if (line?.kind === "left") left = line.count;
      },
    },
    true,
  );
  if (!(session instanceof NodeSession)) return undefined;
  const timer = setTimeout(() => session.close(), graceMs + killMs + answerMs);
  await session.ended;
  clearTimeout(timer);
  return left;
}

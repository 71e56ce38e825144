/**
 * A process of many runs on a node that a test may kill: `bun ssh-host-program.ts FOLDER NODE WHAT LINE…`, NODE in JSON. It
 * tells each run's marks on its standard output, and its end.
 *
 * - `start`: each line is run by the node's shell;
 * - `resume`: each line is a mark that another one has told, and the run is picked up.
 */
import { loadRemote } from "../../src/execute/execute.ts";
import type { NodeTerms } from "../../src/execute/ssh/node-terms.ts";
import { newId } from "./hosting-scene.ts";
import { runThere } from "./ssh-scene.ts";

/** What the program tells, each on a line of its own, as JSON. */
export type ToldOfNode =
  | { readonly kind: "mark"; readonly mark: string; readonly isStarted: boolean }
  | { readonly kind: "end"; readonly id: string; readonly outcome: unknown; readonly output: string };

function tell(told: ToldOfNode): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

async function main([folder = "", node = "", what = "", ...lines]: readonly string[]): Promise<void> {
  const { NodeConnection, parseRemoteMark } = await loadRemote();
  const terms = JSON.parse(node) as NodeTerms; // the test's own
  const connection = new NodeConnection(terms, { controlFolder: `${folder}/c` });
  await Promise.all(
    lines.map(async (line) => {
      const resumed = what === "resume" ? parseRemoteMark(line) : undefined;
      if (what === "resume" && resumed === undefined) throw new Error(`no mark: ${line}`);
      const runId = resumed?.runId ?? newId();
      const end = await runThere(folder, connection, resumed === undefined ? line : "", {
        runId,
        hosting: {
          resumed,
          onMark: (mark) => tell({ kind: "mark", mark: JSON.stringify(mark), isStarted: mark.isStarted }),
        },
      });
      tell({ kind: "end", id: runId, outcome: end.outcome, output: end.output });
    }),
  );
  await connection.close();
}

if (import.meta.main) void main(process.argv.slice(2));

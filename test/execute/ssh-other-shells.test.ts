/**
 * Nodes that are not like Debian's: another shell as `sh`, no boot id.
 */
import { describe, expect, test } from "bun:test";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

/** What makes a node odd, by shell lines that are run on it before its sshd. */
const odd: readonly [name: string, needed: readonly string[], prepare: string][] = [
  ["mksh as sh", ["mksh"], 'mount --bind "$(command -v mksh)" "$(readlink -f /bin/sh)"'],
  ["yash as sh", ["yash"], 'mount --bind "$(command -v yash)" "$(readlink -f /bin/sh)"'],
  ["no boot id", [], "mount -t tmpfs tmpfs /proc/sys/kernel/random"],
];

describe("a node with", () => {
  for (const [name, needed, prepare] of odd) {
    describeWith(name, ["root", "unshare", "sshd", ...needed], () => {
      test("output, status, signal, input and a time limit are as everywhere", async () => {
        using folder = temporaryFolder();
        await using node = await startNode(folder.path, { prepare });
        const connection = connectionTo(folder.path, node);
        expect(await connection.open()).toBeUndefined();
        const failed = await runThere(folder.path, connection, "cat; exit 7", { job: { stdin: "in\n" } });
        expect(failed).toMatchObject({ outcome: { kind: "exited", exitCode: 7 }, output: "in\n" });
        const killed = await runThere(folder.path, connection, "kill -KILL $$");
        expect(killed.outcome).toEqual({ kind: "signalled", signal: 9 });
        const line = "(setsid sleep 7501 &); sleep 7502; sleep 7502";
        const late = await runThere(folder.path, connection, line, {
          rules: { timeoutMs: 500, graceMs: 500 },
        });
        expect(late).toMatchObject({
          outcome: { kind: "signalled", signal: 15 },
          cause: "timeout",
          survivors: 0,
        });
        expect(node.run("ps -eo args | grep '^sleep 750' || true")).toBe("");
        await connection.close();
      });
    });
  }
});

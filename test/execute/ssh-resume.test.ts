/**
 * We are killed in the middle of runs on a node: whoever comes after us finds all of them again.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { parseRemoteMark } from "../../src/execute/ssh/remote-mark.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { until } from "./hosting-scene.ts";
import type { ToldOfNode } from "./ssh-host-program.ts";
import { type SshNode, startNode } from "./ssh-node.ts";

describeWith("a process of many remote runs is killed", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  let node: SshNode;

  beforeAll(async () => {
    node = await startNode(folder.path);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  function host(what: "start" | "resume", lines: readonly string[]) {
    const { port, keyFile, configFile } = node;
    const terms = JSON.stringify({ host: "127.0.0.1", port, user: "sh", keyFile, configFile });
    const program = join(import.meta.dir, "ssh-host-program.ts");
    const child = Bun.spawn([process.execPath, program, folder.path, terms, what, ...lines], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const told: ToldOfNode[] = [];
    const read = (async () => {
      let text = "";
      for await (const bytes of child.stdout) {
        text += Buffer.from(bytes).toString();
        const parts = text.split("\n");
        text = parts.pop() ?? "";
        for (const part of parts) told.push(JSON.parse(part));
      }
    })();
    return { child, told, read };
  }

  test("fifty runs: each is found again by the next process, with its own status and output; the connections are gone", async () => {
    const lines = Array.from({ length: 50 }, (_, n) => `echo begin ${n}; sleep 3; echo end ${n}; exit ${n}`);
    const first = host("start", lines);
    const marks = new Map<string, string>();
    await until(() => {
      for (const each of first.told) {
        if (each.kind === "mark" && each.isStarted)
          marks.set(parseRemoteMark(each.mark)?.runId ?? "", each.mark);
      }
      return marks.size === 50;
    }, "all of them");
    first.child.kill("SIGKILL");
    await first.child.exited;
    expect(first.told.filter(({ kind }) => kind === "end")).toEqual([]);
    await until(
      () => Bun.spawnSync(["pgrep", "-f", `ssh .*${folder.path}/c/`]).exitCode !== 0,
      "no connection",
    );

    const second = host("resume", [...marks.values()]);
    await second.read;
    expect(await second.child.exited).toBe(0);
    const ends = second.told.filter((each) => each.kind === "end");
    expect(ends.map(({ id }) => id).sort()).toEqual([...marks.keys()].sort());
    const numbers = ends.map(({ id, outcome, output }) => {
      const n = Number(/end (\d+)\n$/.exec(output)?.[1]);
      expect(outcome).toEqual({ kind: "exited", exitCode: n });
      const had = parseRemoteMark(marks.get(id) ?? "")?.positions.o?.offset ?? 0;
      expect(output).toBe(`begin ${n}\nend ${n}\n`.slice(had));
      return n;
    });
    expect(new Set(numbers).size).toBe(50);
    await until(() => node.run("ls /mnt/homes/sh/.cache/rcron/runs") === "", "an empty folder");
  });
});

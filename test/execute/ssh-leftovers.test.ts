/** What runs leave on their nodes, and when it is removed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { NodeConnection } from "../../src/execute/ssh/node-connection.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { until } from "./hosting-scene.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

const runs = "/mnt/homes/sh/.cache/rcron/runs";
const busybox = `
mkdir /mnt/bb
for each in $(busybox --list); do ln -s "$(command -v busybox)" /mnt/bb/$each; done
`;

const tools: readonly [what: string, needs: readonly string[], options: Parameters<typeof startNode>[1]][] = [
  ["GNU's tools", [], {}],
  ["busybox", ["busybox"], { prepare: busybox, sshd: "SetEnv PATH=/mnt/bb" }],
];
for (const [what, needs, options] of tools) {
  describeWith(
    `files of more than a week, on a node with ${what}`,
    ["root", "unshare", "sshd", ...needs],
    () => {
      const folder = temporaryFolder();
      let node: SshNode;
      let connection: NodeConnection;
      const files = () => node.run(`ls ${runs}`).split("\n").filter(Boolean);
      /** Files of a run that was begun in a boot, by a process of the node; all of them old. */
      const leave = (run: string, line: string, when = "9 days ago") =>
        node.run(
          `boot=$(cat /proc/sys/kernel/random/boot_id); own=$(cat /proc/1/stat); printf '%s\\n' "${line}" >${runs}/${run}.c; echo out >${runs}/${run}.o0; touch -d '${when}' ${runs}/${run}.*`,
        );

      beforeAll(async () => {
        node = await startNode(folder.path, options);
        connection = connectionTo(folder.path, node);
        expect(await connection.open()).toBeUndefined();
      });
      afterAll(async () => {
        await connection.close();
        await node[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      });

      test("go where nobody is there who writes them, and stay where somebody is", async () => {
        leave("1111.1", "b $boot $own"); // by one who lives
        leave("2222.1", "b another-boot $own", "100 days ago");
        leave("2223.1", "b another-boot $own"); // of a node that shares the home
        leave("3333.1", "b $boot 1 (sh) S 0 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1 2 3"); // the pid is another one's now
        leave("4444.1", "void");
        leave("5555.1", "b $boot "); // a line that was cut off
        leave("6666.1", "b $boot 4194000 (sh) S 0\np $own"); // the script is dead, its job is not
        node.run(
          `echo young >${runs}/7777.1.o0; echo old >${runs}/8888.1.o0; touch -d '9 days ago' ${runs}/8888.1.o0`,
        );
        node.run(`echo young >${runs}/2222.1.o1`); // of a run that is gone as a whole
        expect(await connection.check()).toBeUndefined();
        const left = ["1111.1.c", "1111.1.o0", "2223.1.c", "2223.1.o0", "6666.1.c", "6666.1.o0", "7777.1.o0"];
        await until(() => files().length <= left.length, "an end of what was left");
        expect(files()).toEqual(left);
        // A second look removes no more.
        expect(await connection.check()).toBeUndefined();
        leave("9999.1", "void");
        expect(await connection.check()).toBeUndefined();
        await until(() => !files().includes("9999.1.c"), "the end of the last one");
        expect(files()).toEqual(left);
      });

      test("a run that has said nothing for so long is picked up when its connection was lost", async () => {
        let heard = "";
        const end = runThere(
          folder.path,
          connection,
          "echo 1; until [ -e ~/go ]; do sleep 0.1; done; exit 7",
          {
            ports: {
              onOutput: (bytes) => {
                heard += Buffer.from(bytes).toString();
              },
            },
          },
        );
        await until(() => heard === "1\n", "its first output");
        node.run(`touch -d '9 days ago' ${runs}/*`);
        leave("aaaa.1", "void");
        for (const pid of connection.pids) process.kill(pid, "SIGKILL");
        await until(() => connection.isUp && !files().includes("aaaa.1.c"), "the connection, and its look");
        node.run("touch /mnt/homes/sh/go");
        expect(await end).toMatchObject({ outcome: { kind: "exited", exitCode: 7 }, output: "1\n" });
      });
    },
  );
}

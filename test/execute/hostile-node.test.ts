/**
 * A node in somebody else's hands: its login shell says what it likes where our scripts would speak. What it says of its own run, it
 * may; but it must not keep us busy, fill our memory, or hold a run that was stopped for ever.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NodeConnection } from "../../src/execute/ssh/node-connection.ts";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { until } from "./hosting-scene.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { runThere } from "./ssh-scene.ts";

setDefaultTimeout(60_000);

/** Does what it is told by the file `evil` for each of our scripts but the first one, which asks for the node's folders. */
const loginShell = `#!/bin/sh
case $2 in
*"echo end >&3"*) exec /bin/sh -c "$2" ;;
*"rd() {"*) kind=start ;;
*"echo gone"*) kind=follow ;;
*"echo live"*) kind=stand ;;
*"left 0"*) kind=stop ;;
*) exit 0 ;;
esac
echo $kind >>~/asked
set -- \${2##*"' rcron "}
token=$2
[ $kind = stop ] && token=$3
read -r boot </proc/sys/kernel/random/boot_id
stat="4242 (sh) S 1 4242 4242 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 1 1"
tell() { echo "$*" >&2; }
begin() { tell $token; echo $token; }
start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; }
stand() { begin; tell "boot $boot"; tell "b $boot $stat"; tell "alive b $stat"; tell "p $stat"; }
follow() { begin; exec sleep 1000; }
stop() { tell $token; tell left 0; }
. ~/evil
$kind
`;

describeWith("a hostile node", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  let node: SshNode;
  let home: string;
  let connection: NodeConnection;

  beforeAll(async () => {
    chmodSync(folder.path, 0o755);
    const shell = join(folder.path, "login-shell");
    writeFileSync(shell, loginShell, { mode: 0o755 });
    node = await startNode(folder.path, { users: { evil: shell }, hasDisk: true });
    home = join(node.homes, "evil");
  });
  afterAll(async () => {
    await connection?.close();
    await node[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Runs a job there, stopped after a second, under short patience. @returns how it ended, what the node was asked, and the descriptors */
  async function runAt(evil: string, awayMs = 3000) {
    await connection?.close();
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "evil"), evil);
    rmSync(join(home, "asked"), { force: true });
    const { port, keyFile, configFile } = node;
    const terms = { host: "127.0.0.1", port, user: "evil", keyFile, configFile };
    connection = new NodeConnection(terms, { controlFolder: `${folder.path}/c` });
    expect(await connection.open()).toBeUndefined();
    let most = 0;
    const look = setInterval(() => {
      most = Math.max(most, readdirSync("/proc/self/fd").length);
    }, 20);
    const before = readdirSync("/proc/self/fd").length;
    const end = await runThere(folder.path, connection, "true", {
      rules: { timeoutMs: 1000, graceMs: 100 },
      hosting: { answerMs: 500, awayMs },
    });
    clearInterval(look);
    const asked = existsSync(join(home, "asked"))
      ? readFileSync(join(home, "asked"), "utf8").split("\n")
      : [];
    const times = (kind: string) => asked.filter((line) => line === kind).length;
    return { end, times, descriptors: most - before };
  }

  const many = "awk 'BEGIN { for (n = 0; n < 200000; n++) print LINE }' >&2";
  const floods: readonly [what: string, evil: string][] = [
    [
      "that all was told",
      `start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; exit 0; }\nstand() { begin; tell "boot $boot"; tell "b $boot $stat"; tell "alive b $stat"; tell "p $stat"; ${many.replace("LINE", '"live"')}; sleep 1000; }`,
    ],
    [
      "that empty files are full",
      `start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; ${many.replace("LINE", '"c o " n " 0"')}; sleep 1000; }`,
    ],
    [
      "nothing, in lines",
      `start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; ${many.replace("LINE", '""')}; sleep 1000; }`,
    ],
  ];
  for (const [what, evil] of floods) {
    test(`it tells again and again ${what}: no more is asked than for one line, and a stop counts`, async () => {
      const { end, times, descriptors } = await runAt(evil);
      expect(end).toMatchObject({ isOk: false, cause: "timeout" });
      expect(times("follow")).toBeLessThan(10);
      expect(times("stop")).toBe(1);
      expect(descriptors).toBeLessThan(60);
    });
  }

  test("it takes each question for how the run stands, and answers none: it is asked at growing distances, and not for ever", async () => {
    const { end, times } = await runAt(
      'stand() { begin; exit 0; }\nstart() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; exit 0; }',
    );
    expect(end).toMatchObject({ isOk: false });
    expect(times("stand")).toBeGreaterThan(1);
    expect(times("stand")).toBeLessThan(20);
  });

  test("it says that a run is stopped, and goes on to say that it is there: its end is not known", async () => {
    const alive = 'tell "alive p $stat"; tell live; sleep 1000';
    const { end, times } = await runAt(
      `start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; sleep 1000; }\nstand() { begin; tell "boot $boot"; tell "b $boot $stat"; tell "alive b $stat"; tell "p $stat"; ${alive}; }`,
    );
    expect(end).toMatchObject({ isOk: false, cause: "timeout" });
    expect(times("stop")).toBe(1);
    expect(times("stand")).toBe(1);
  });

  test("it never answers a stop: the run is given up when it was silent for too long", async () => {
    const { end, times } = await runAt(
      'start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; sleep 1000; }\nstop() { exit 0; }',
    );
    expect(end).toMatchObject({ isOk: false, cause: "timeout" });
    expect(times("stop")).toBeGreaterThan(1);
  });

  test("a line without an end, and what is no line of ours, are passed over", async () => {
    const { end } = await runAt(
      `start() { begin; read -r header; tell "b $boot $stat"; tell "p $stat"; tell x; tell "c o -1 5"; tell "c o 99999999999999999999 5000"; tell "d o 0 1e99"; printf '\\0\\033[31m\\377\\n' >&2; tell "x 3"; tell "d o 0 0"; head -c 3000000 /dev/zero >&2; sleep 1000; }`,
    );
    expect(end.isOk).toBe(false);
    await until(() => connection.isUp, "the connection");
  });
});

/**
 * A node behind a cable that is pulled, for a test that has put this program into a network of its own: `bun
 * ssh-cable-program.ts FOLDER`. It tells what it saw on its standard output, as JSON.
 */
import { until } from "./hosting-scene.ts";
import { startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

/** What it tells. */
export interface CableTold {
  readonly during: { readonly outcome: unknown; readonly output: string };
  /** What ssh said when it noticed. */
  readonly lostBecause: string | undefined;
  readonly before: unknown;
  readonly after: unknown;
}

function ip(line: string): void {
  const ran = Bun.spawnSync(["ip", ...line.split(" ")]);
  if (ran.exitCode !== 0) throw new Error(`ip ${line}: ${ran.stderr.toString()}`);
}

async function main(folder: string): Promise<void> {
  for (const line of [
    "link set lo up",
    "netns add far",
    "link add near type veth peer name eth0 netns far",
    "addr add 192.0.2.1/24 dev near",
    "link set near up",
    "-n far addr add 192.0.2.2/24 dev eth0",
    "-n far link set eth0 up",
    "-n far link set lo up",
  ])
    ip(line);
  const address = "192.0.2.2";
  await using node = await startNode(folder, { address, within: ["ip", "netns", "exec", "far"] });
  const connection = connectionTo(folder, node, "sh", { host: address }, { connectMs: 5000 });
  let heard = "";
  const run = runThere(folder, connection, "for n in 1 2 3 4 5 6 7 8 9; do echo $n; sleep 1; done; exit 7", {
    ports: {
      onOutput: (bytes) => {
        heard += Buffer.from(bytes).toString();
      },
    },
  });
  await until(() => heard.includes("2\n"), "its first output");
  ip("link set near down");
  await until(() => !connection.isUp, "noticed");
  const { lostBecause } = connection;
  const { outcome: before } = await runThere(folder, connection, "true");
  ip("link set near up");
  const { outcome, output } = await run;
  const { outcome: after } = await runThere(folder, connection, "exit 3");
  const told: CableTold = { during: { outcome, output }, lostBecause, before, after };
  process.stdout.write(JSON.stringify(told));
  await connection.close();
}

if (import.meta.main) void main(process.argv[2] ?? "");

/**
 * Nodes that are not reached by ssh, jobs that come from crontabs, and all kinds of nodes in one run.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, jobOn } from "./fleet-scene.ts";
import { needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

describeWith("other ways than ssh", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  /** Into a host without ssh, as `docker exec -i web3 sh` gets into a container. */
  const box = () => [
    "[node box]",
    "roles = web",
    `connection = command nsenter -t ${hosts.web3.firstPid()} -m -n -p env -C /mnt/homes/sh -i PATH=/usr/bin:/bin sh`,
  ];
  const here = ["[node here]", "roles = web", "connection = local"];
  /** What the jobs of this machine's own node have written down. */
  const ranHere = (run: string) => {
    const path = join(hosts.home, "ran");
    return (existsSync(path) ? readFileSync(path, "utf8") : "")
      .split("\n")
      .filter((line) => line.startsWith(run));
  };

  test("one run by ssh, by a program and here: each has its part, its status and its output", async () => {
    await using it = fleetScene(hosts, {
      jobs: {
        all: jobOn(
          "all of web",
          'echo "$RCRON_NODE $RCRON_RUN_ID" | cut -c1-12; [ $RCRON_NODE != box ] || exit 7',
        ),
      },
      nodes: { web1: [] },
      sections: [...box(), ...here],
    });
    await it.start();
    expect(await it.ctl("nodes", "test", "all")).toMatchObject({ exitCode: 0 });
    const told = await it.once("all");
    expect(told).toMatchObject({
      isOk: false,
      nodes: ["box failure 7", "here success 0", "web1 success 0"],
      end: { exit: 7 },
    });
    expect(it.ran(told.run)).toEqual(["web1", "box"]);
    expect(ranHere(told.run)).toHaveLength(1);
    const output = await it.output(told.run);
    for (const name of ["web1", "box", "here"]) expect(output).toContain(`==> ${name} <==\n${name} `);
  });

  test("a program that does not get there: any goes to the next node, and it is down", async () => {
    const tried = "connection = command sh -c 'echo no such box >&2; exit 1'";
    await using it = fleetScene(hosts, {
      jobs: { job: jobOn("ordered of lost,web2", "true"), only: jobOn("any of lost", "true") },
      nodes: { web2: [] },
      sections: ["[node lost]", tried],
    });
    await it.start();
    const only = await it.once("only");
    expect(only).toMatchObject({ isOk: false, end: { cause: "not-started" }, nodes: ["lost unreachable"] });
    expect((await it.node("lost"))["state"]).toBe("down");
    const job = await it.once("job");
    expect(job).toMatchObject({ isOk: true });
    expect(job.nodes).toContain("web2 success 0");
    expect(it.ran(job.run)).toEqual(["web2"]);
  });

  test("what a program says of its failure is cleaned of what is to be redacted, also where it is told for a later run", async () => {
    await using it = fleetScene(hosts, {
      jobs: { job: jobOn("all of web1,bad", "true") },
      nodes: { web1: [] },
      top: ["redact = hunter2"],
      sections: ["[node bad]", "connection = command sh -c 'echo token hunter2 >&2; exit 126'"],
    });
    await it.start();
    const [tried, leftOut] = [await it.once("job"), await it.once("job")];
    for (const told of [tried, leftOut]) {
      expect(told.nodes).toEqual(["bad unreachable", "web1 success 0"]);
      expect(JSON.stringify(told)).not.toContain("hunter2");
    }
    expect(leftOut.sentence).toContain("bad is down: ");
    // What the program itself prints is output, and goes where `output` says.
    const own = it
      .log()
      .split("\n")
      .filter((line) => line.startsWith("rcrond: "));
    expect(own.join("\n")).toContain("token [redacted]");
    expect(own.join("\n")).not.toContain("hunter2");
  });

  test("kill -9 of rcrond during a run by a program: unknown, never a success; here: found again, its end unseen", async () => {
    await using it = fleetScene(hosts, {
      jobs: { long: jobOn("all of web", "until [ -e go-long ]; do sleep 0.05; done") },
      sections: [...box(), ...here],
      nodes: {},
    });
    const life = await it.start();
    const run = await it.begin("long");
    await until("it has begun", () => it.ran(run).length === 1 && ranHere(run).length === 1);
    await life.kill();
    await it.start();
    for (const home of [join(hosts.web3.homes, "sh"), hosts.home]) writeFileSync(join(home, "go-long"), "");
    const told = await it.ended(run);
    expect(told).toMatchObject({ isOk: false, nodes: ["box unknown", "here unknown"] });
    expect(it.ran(run)).toEqual(["box"]);
    expect(ranHere(run)).toHaveLength(1);
  });

  test("lines of a crontab run on nodes, with what stands behind their % as input", async () => {
    await using it = fleetScene(hosts, { nodes: { web1: ["user = root"], web2: ["user = root"] } });
    const tab = [
      "GREETING=hello",
      "RCRON_ON=all of web",
      "0 0 1 1 * root echo $RCRON_RUN_ID $RCRON_NODE >> ran; echo $GREETING $PWD; cat%from%the line",
      "RCRON_ON=",
      '0 0 1 1 * root env echo "no node $RCRON_NODE"',
    ];
    it.job("tab.crontab", `${tab.join("\n")}\n`);
    await it.start();
    const told = await it.once("tab:echo");
    expect(told).toMatchObject({ isOk: true, nodes: ["web1 success 0", "web2 success 0"] });
    expect(it.ran(told.run)).toEqual(["web1", "web2"]);
    const each = "hello /mnt/homes/sh\nfrom\nthe line\n";
    expect((await it.output(told.run)).split("==> ").sort()).toEqual([
      "",
      `web1 <==\n${each}`,
      `web2 <==\n${each}`,
    ]);
    const here = await it.once("tab:env");
    expect(await it.output(here.run)).toBe("no node \n");
  });
});

/**
 * A start that a lost connection kept from being one: another node has the run, at once, however often the job is to be started again
 * after a failure, and whatever becomes of rcrond meanwhile.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../daemon/system/scheduler.ts";
import { describeWith } from "../support/debian.ts";
import { fleetScene, go, jobOn, untilGo } from "./fleet-scene.ts";
import { type HostName, hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(120_000);

describeWith("a start that never came to anything", needs, () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts();
  });
  afterEach(() => {
    for (const name of hostNames) hosts[name].plug();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  for (const isKilled of [false, true]) {
    test(`another node has the run${isKilled ? ", also after the death of rcrond" : ""}`, async () => {
      const word = `go-lost-${isKilled}`;
      await using it = fleetScene(hosts, {
        jobs: {
          wakes: jobOn("all of web1", "true"),
          busy: jobOn("all of web2", untilGo(word)),
          sent: jobOn("any of web1,web2", "exit 0", "retry 2", "retry_delay 8s"),
        },
      });
      const life = await it.start();
      await it.once("wakes");
      const busy = await it.begin("busy");
      await it.began(busy, "web2");
      hosts.web1.pull("there"); // the connection is taken to be well for some seconds more
      const run = await it.begin("sent");
      if (isKilled) {
        await until("it has failed to start", () => / status=retry |unreachable on web1/.test(it.log()));
        await life.kill();
        await it.start();
      }
      const told = await it.ended(run);
      go(hosts, word, "web2");
      expect({ told: told.nodes, ran: it.ran(run), hasWaited: it.log().includes("status=retry") }).toEqual({
        told: ["web1 unreachable", "web2 success 0"],
        ran: ["web2"],
        hasWaited: false,
      });
    });
  }

  test("a job that has failed, and can't be started again: its own end is told, and no other node has the run", async () => {
    await using it = fleetScene(hosts, {
      jobs: { fails: jobOn("any of web1,web2", "exit 5", "retry 1", "retry_delay 2s") },
    });
    await it.start();
    const run = await it.begin("fails");
    await until("it waits for its retry", () => it.log().includes("status=retry"));
    const [node = ""] = it.ran(run);
    hosts[node as HostName].pull();
    const { end, nodes } = await it.ended(run);
    expect(nodes).toEqual([`${node} failure 5`]);
    expect(end).toMatchObject({ ok: false, cause: "exit", exit: 5 });
    expect(end?.sentence).toStartWith(
      `failed on ${node}: exit status 5, and it could not be started again: `,
    );
    expect(it.ran(run)).toEqual([node]);
  });
});

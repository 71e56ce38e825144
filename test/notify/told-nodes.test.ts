/**
 * What a receiver is told of runs on nodes, by the built rcrond: two nodes that are this machine, and one that nobody reaches.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { type Scheduler, scheduler, until } from "../daemon/system/scheduler.ts";

setDefaultTimeout(60_000);

/** What these tests look at of a document. */
interface Told {
  readonly job: string;
  readonly summary: string;
  readonly user: string | null;
  readonly output: { readonly bytes: number; readonly head: string } | null;
}

/** @param lines behind `on` and `run`, by the job's name */
function sceneOf(lines: Readonly<Record<string, readonly [placement: string, line: string]>>) {
  const documents: Told[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      documents.push((await request.json()) as Told); // what is claimed below
      return new Response();
    },
  });
  const jobs = Object.entries(lines).map(([name, [placement, line]]) => {
    const rules = ["every 1000d", "output none", `webhook http://127.0.0.1:${server.port}/`];
    return [name, [...rules, "webhook_when always", `on ${placement}`, `run ${line}`, ""].join("\n")];
  });
  const it: Scheduler = scheduler(Object.fromEntries(jobs), {
    sections: [
      "[node here]",
      "connection = local",
      "[node box]",
      "connection = command sh",
      "[node lost]",
      "connection = command sh -c 'echo no such box >&2; exit 1'",
    ],
  });
  return {
    /** Runs a job, and waits for what is told of it. */
    toldOf: async (job: string): Promise<Told | undefined> => {
      expect(await it.ctl("run", job)).toMatchObject({ exitCode: 0 });
      await until(`the document about ${job}`, () => documents.some((told) => told.job === job)).catch(
        (error: unknown) => {
          throw new Error(`${error}\nrcrond's log:\n${it.log()}`);
        },
      );
      return documents.find((told) => told.job === job);
    },
    start: () => it.start(),
    [Symbol.asyncDispose]: async () => {
      await it[Symbol.asyncDispose]();
      await server.stop(true);
    },
  };
}

test("an only printer's lines stand below its name where there are several parts, and bare where one node had the run", async () => {
  await using it = sceneOf({
    both: ["all of here,box", '[ "$RCRON_NODE" = here ] || echo hello'],
    beside: ["all of here,lost", "echo hello"],
    next: ["ordered of lost,box", "echo hello"],
  });
  await it.start();
  expect((await it.toldOf("both"))?.output).toMatchObject({ head: "==> box <==\nhello\n" });
  expect((await it.toldOf("beside"))?.output).toMatchObject({ head: "==> here <==\nhello\n" });
  expect((await it.toldOf("next"))?.output).toMatchObject({ bytes: 6, head: "hello\n" });
});

test("nothing is told as nothing, be it that no node was reached, and nobody is named as whose it ran", async () => {
  await using it = sceneOf({ silent: ["all of here,box", "true"], nowhere: ["all of lost", "true"] });
  await it.start();
  const nothing = { bytes: 0, head: "", tail: "", leftOut: 0 };
  expect(await it.toldOf("silent")).toMatchObject({ output: nothing, user: null });
  expect(await it.toldOf("nowhere")).toMatchObject({
    output: nothing,
    user: null,
    summary: "FAILED nowhere: could not be started on lost (unreachable)",
  });
});

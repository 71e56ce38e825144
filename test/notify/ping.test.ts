/**
 * Pings in the protocol of healthchecks.io, to a real HTTP server.
 */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { announceStart } from "../../src/notify/notify.ts";
import { pingTarget, pingUrl, ridOf, sendPing } from "../../src/notify/ping.ts";
import { describeWith } from "../support/debian.ts";
import { goodRun, sampleRun } from "./sample-run.ts";
import { makeCertificates } from "./smtp-sink.ts";

const run = "0123456789abcdef";
const rid = "01234567-89ab-8cde-8f00-000000000000";

describe("pingUrl()", () => {
  const base = "https://hc.example/ping/key";
  const rows: [why: string, url: string, end: Parameters<typeof pingUrl>[2], want: string | undefined][] = [
    ["start", base, undefined, `${base}/start?rid=${rid}`],
    ["success", base, goodRun().end, `${base}?rid=${rid}`],
    ["a status that counts as success", base, goodRun({ end: { exit: 3 } }).end, `${base}?rid=${rid}`],
    ["failure with its status", base, sampleRun().end, `${base}/3?rid=${rid}`],
    [
      "failure with status 0",
      base,
      sampleRun({ end: { cause: "stderr", exit: 0 } }).end,
      `${base}/fail?rid=${rid}`,
    ],
    ["timeout", base, sampleRun({ end: { cause: "timeout", exit: 124 } }).end, `${base}/fail?rid=${rid}`],
    ["signal", base, sampleRun({ end: { cause: "signal", signal: 9 } }).end, `${base}/fail?rid=${rid}`],
    ["a slash at the end", `${base}/`, undefined, `${base}/start?rid=${rid}`],
    ["a query of its own", `${base}?create=1`, sampleRun().end, `${base}/3?create=1&rid=${rid}`],
    ["no URL", "hc.example", undefined, undefined],
    ["another protocol", "ftp://hc.example/", undefined, undefined],
  ];
  for (const [why, url, end, want] of rows) test(why, () => expect(pingUrl(url, run, end)).toBe(want));

  test("ridOf() is a UUID of version 8 that shows the run's id", () => {
    expect(ridOf(run)).toBe(rid);
    expect(ridOf("odd")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("pingTarget() keeps the key to itself", () => {
    expect(pingTarget(base)).toBe("https://hc.example/...");
  });
});

describe("sendPing()", () => {
  const rows: [status: number, kind: string][] = [
    [200, "sent"],
    [404, "never"],
    [429, "later"],
    [500, "later"],
  ];
  for (const [status, kind] of rows) {
    test(`${status} means ${kind}`, async () => {
      const bodies: string[] = [];
      using server = Bun.serve({
        port: 0,
        fetch: async (request) => {
          bodies.push(`${request.method} ${await request.text()}`);
          return new Response("x", { status });
        },
      });
      expect(await sendPing(`http://127.0.0.1:${server.port}/key`, "the tail\n")).toMatchObject({ kind });
      expect(bodies).toEqual(["POST the tail\n"]);
    });
  }

  test("where nobody listens, says so without the URL", async () => {
    const delivery = await sendPing("http://127.0.0.1:1/secret-key", "");
    expect(delivery).toMatchObject({ kind: "later", isTransport: true });
    expect(JSON.stringify(delivery)).not.toContain("secret-key");
  });

  test("ended by its caller, it names no number of the runtime's", async () => {
    const delivery = await sendPing("http://127.0.0.1:1/", "", AbortSignal.abort());
    expect(delivery).toMatchObject({ kind: "later", reason: "the server can't be reached" });
  });
});

describeWith("sendPing(), with https", ["openssl"], () => {
  test("tells nothing to a server whose certificate nobody vouches for, whatever the environment says", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rcron-test-"));
    const { cert, key } = makeCertificates(folder);
    let pings = 0;
    using server = Bun.serve({
      port: 0,
      tls: { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") },
      fetch: () => {
        pings++;
        return new Response("OK");
      },
    });
    const program = `
      import { sendPing } from "${join(import.meta.dir, "../../src/notify/ping.ts")}";
      console.log(JSON.stringify(await sendPing("https://localhost:${server.port}/", "")));`;
    const child = Bun.spawn([process.execPath, "-e", program], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      stdout: "pipe",
      stderr: "ignore",
      timeout: 20_000,
    });
    expect(JSON.parse(await child.stdout.text())).toMatchObject({ kind: "later" });
    expect(pings).toBe(0);
    rmSync(folder, { recursive: true });
  });
});

describe("announceStart()", () => {
  test("pings the start, and the caller waits for nothing", async () => {
    const got = Promise.withResolvers<string>();
    using server = Bun.serve({
      port: 0,
      fetch: (request) => {
        got.resolve(`${request.method} ${new URL(request.url).pathname}`);
        return new Response("OK");
      },
    });
    const began = performance.now();
    announceStart(`http://127.0.0.1:${server.port}/key`, run);
    expect(performance.now() - began).toBeLessThan(50);
    expect(await got.promise).toBe("POST /key/start");
  });

  test("is cancelled where it still goes on at the end, and says nothing of anything that goes wrong", async () => {
    const aborted = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    using server = Bun.serve({
      port: 0,
      fetch: (request) => {
        request.signal.addEventListener("abort", () => aborted.resolve());
        arrived.resolve();
        return new Promise<Response>(() => {});
      },
    });
    const ping = announceStart(`http://127.0.0.1:${server.port}/key`, run);
    await arrived.promise;
    ping.cancel();
    await aborted.promise;
    ping.cancel();
    announceStart("no url", run).cancel();
    announceStart("http://127.0.0.1:1/", run);
    await Bun.sleep(50);
    server.stop(true);
  });
});

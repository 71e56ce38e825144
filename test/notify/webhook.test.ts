/**
 * Webhooks and chat messages to a real web server: signed, refused, redirected, slow, silent.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Delivery } from "../../src/notify/delivery.ts";
import { longestWaitMs, parseRetryAfter } from "../../src/notify/http-post.ts";
import { sendWebhook } from "../../src/notify/webhook.ts";
import { describeWith } from "../support/debian.ts";
import { project, temporaryFolder } from "../support/program.ts";
import { makeCertificates } from "./smtp-sink.ts";

const body = '{"version":1,"job":"größe"}';
const unsigned = { secretFile: undefined, version: "1.2.3" };

interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A server that writes down what it gets. */
function serve(answer: (path: string) => Response | Promise<Response> = () => new Response("ok")) {
  const got: Got[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const path = new URL(request.url).pathname;
      got.push({ method: request.method, path, headers: request.headers, body: await request.text() });
      return answer(path);
    },
  });
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;
  return { got, url, [Symbol.dispose]: () => void server.stop(true) };
}

const send = (url: string, more: Partial<Parameters<typeof sendWebhook>[1]> = {}): Promise<Delivery> =>
  sendWebhook({ kind: "webhook", url, body }, { ...unsigned, ...more });

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

function secretFile(content: string, mode = 0o600): string {
  const path = join(folder.path, "secret");
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

describe("sendWebhook()", () => {
  test("posts the body as it is, and says who it comes from", async () => {
    using server = serve();
    expect(await send(server.url("/hook/key?a=b"))).toEqual({ kind: "sent" });
    const [got] = server.got;
    expect(got).toMatchObject({ method: "POST", path: "/hook/key", body });
    expect(got?.headers.get("content-type")).toBe("application/json");
    expect(got?.headers.get("user-agent")).toBe("rcron/1.2.3");
    expect(got?.headers.get("x-rcron-signature")).toBeNull();
  });

  test("signs timestamp and body with the first line of the secret's file", async () => {
    using server = serve();
    const nowMs = 1_800_000_000_999;
    await send(server.url("/"), { secretFile: secretFile("s3cret key\r\nnot this\n"), nowMs });
    const headers = server.got[0]?.headers;
    expect(headers?.get("x-rcron-timestamp")).toBe("1800000000");
    const hmac = createHmac("sha256", "s3cret key").update(`1800000000.${body}`).digest("hex");
    expect(headers?.get("x-rcron-signature")).toBe(`sha256=${hmac}`);
  });

  test("signs each attempt anew, and no message to a chat", async () => {
    using server = serve();
    const way = { ...unsigned, secretFile: secretFile("k\n") };
    for (const nowMs of [1_000_000, 2_000_000]) await send(server.url("/"), { ...way, nowMs });
    await sendWebhook({ kind: "slack", url: server.url("/"), body }, way);
    const signatures = server.got.map(({ headers }) => headers.get("x-rcron-signature"));
    expect(new Set(signatures).size).toBe(3);
    expect(signatures[2]).toBeNull();
  });

  test.each<[string, () => string, string]>([
    [
      "that others can read",
      () => secretFile("s3cret\n", 0o640),
      "must be of mode 0600 at most: it has 0640",
    ],
    ["that is empty", () => secretFile("\ns3cret\n"), "must hold something on its first line"],
    [
      "whose line never ends",
      () => secretFile("s3cret".repeat(1000)),
      "must have a first line of at most 4000 bytes",
    ],
    ["that is not there", () => join(folder.path, "none"), "must be readable: no such file or directory"],
    [
      "that is a folder",
      () => {
        mkdirSync(join(folder.path, "secrets"));
        return join(folder.path, "secrets");
      },
      "must be a regular file",
    ],
  ])("sends nothing with a secret's file %s, and keeps it", async (_, make, rule) => {
    using server = serve();
    const path = make();
    const delivery = await send(server.url("/"), { secretFile: path });
    const reason = `${path}: webhook_secret_file ${rule}`;
    expect(delivery).toEqual({ kind: "later", isTransport: false, reason });
    expect(server.got).toEqual([]);
  });

  test.each<[number, Delivery["kind"]]>([
    [204, "sent"],
    [302, "later"],
    [303, "later"],
    [307, "later"],
    [301, "never"],
    [308, "never"],
    [400, "never"],
    [403, "never"],
    [404, "never"],
    [410, "never"],
    [408, "later"],
    [425, "later"],
    [429, "later"],
    [500, "later"],
    [503, "later"],
  ])("%i means %s", async (status, kind) => {
    const answer = () =>
      new Response(status === 204 ? null : "x", { status, headers: { location: "/there" } });
    using server = serve(answer);
    const delivery = await send(server.url("/here"));
    expect(delivery.kind).toBe(kind);
    if (delivery.kind !== "sent") expect(delivery.reason).toStartWith(`the server answered ${status}`);
    expect(server.got.map(({ path }) => path)).toEqual(["/here"]); // no redirect is followed
  });

  test("hears how long it is to wait", async () => {
    using server = serve(() => new Response("", { status: 429, headers: { "retry-after": "90" } }));
    expect(await send(server.url("/"))).toMatchObject({
      kind: "later",
      isTransport: false,
      retryAfterMs: 90_000,
    });
  });

  test("reads no answer that never ends", async () => {
    const ended = Promise.withResolvers<void>();
    using server = serve(() => {
      const chunk = new Uint8Array(64 * 1024);
      const stream = new ReadableStream({
        pull: (controller) => controller.enqueue(chunk),
        cancel: () => ended.resolve(),
      });
      return new Response(stream);
    });
    expect(await send(server.url("/"))).toEqual({ kind: "sent" });
    await ended.promise;
  });

  test("gives a server that says nothing so much time and no more", async () => {
    using server = serve(() => new Promise<Response>(() => {}));
    const delivery = await send(server.url("/secret-key"), { timeLimitMs: 300 });
    expect(delivery).toEqual({ kind: "later", reason: "no answer within 0.3 s", isTransport: true });
  });

  test.each(["http://127.0.0.1:1/secret-key", "https://127.0.0.1:1/secret-key", "secret-key"])(
    "says that %s can't be reached without the URL",
    async (url) => {
      const delivery = await send(url, { timeLimitMs: 5000 });
      expect(delivery).toMatchObject({ kind: "later", isTransport: true });
      expect(JSON.stringify(delivery)).not.toContain("secret-key");
    },
  );
});

describe("parseRetryAfter()", () => {
  const nowMs = Date.UTC(2026, 10, 21, 2, 0, 0);
  test.each<[string | null, number | undefined]>([
    [null, undefined],
    ["30", 30_000],
    [" 0 ", 0],
    ["999999", longestWaitMs],
    ["Sat, 21 Nov 2026 02:05:00 GMT", 300_000],
    ["Sat, 21 Nov 2026 01:00:00 GMT", 0],
    ["Sun, 21 Nov 2027 02:00:00 GMT", longestWaitMs],
    ["Sat, 99 Nov 2026 02:05:00 GMT", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["", undefined],
  ])("%p", (text, ms) => {
    expect(parseRetryAfter(text, nowMs)).toBe(ms);
  });
});

describeWith("sendWebhook(), with https", ["openssl"], () => {
  test("tells nothing to a server whose certificate nobody vouches for, whatever the environment says", async () => {
    const { cert, key } = makeCertificates(folder.path);
    let requests = 0;
    using server = Bun.serve({
      port: 0,
      tls: { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") },
      fetch: () => {
        requests++;
        return new Response("ok");
      },
    });
    const item = { kind: "webhook", url: `https://localhost:${server.port}/secret-key`, body };
    const program = `
      import { sendWebhook } from "${join(import.meta.dir, "../../src/notify/webhook.ts")}";
      const way = { secretFile: undefined, version: "1" };
      console.log(JSON.stringify(await sendWebhook(${JSON.stringify(item)}, way)));`;
    const child = Bun.spawn([process.execPath, "-e", program], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      stdout: "pipe",
      stderr: "ignore",
      timeout: 20_000,
    });
    const told = await child.stdout.text();
    expect(JSON.parse(told)).toMatchObject({ kind: "later", isTransport: true });
    expect(told).not.toContain("secret-key");
    expect(requests).toBe(0);
  });
});

describeWith("docs/mail.md, how a receiver checks the signature", ["python3"], () => {
  const [, code = ""] =
    /```python\n([\s\S]*?)```/.exec(readFileSync(join(project, "docs/mail.md"), "utf8")) ?? [];

  /** What the page's function says of a request. */
  async function verdict(secret: string, headers: Headers | undefined, given: string): Promise<string> {
    const names = ["X-Rcron-Timestamp", "X-Rcron-Signature"];
    const known = Object.fromEntries(names.map((name) => [name, headers?.get(name) ?? ""]));
    const script = `${code}
import json, sys
given = json.load(sys.stdin)
print(is_from_rcron(given["secret"].encode(), given["headers"], given["body"].encode()))`;
    const child = Bun.spawn(["python3", "-c", script], {
      stdin: Buffer.from(JSON.stringify({ secret, headers: known, body: given })),
      stdout: "pipe",
      timeout: 20_000,
    });
    return (await child.stdout.text()).trim();
  }

  test("takes what rcron has sent just now, and nothing else", async () => {
    using server = serve();
    const way = { secretFile: secretFile("s3cret\n") };
    await send(server.url("/"), way);
    await send(server.url("/"), { ...way, nowMs: Date.now() - 301_000 });
    await send(server.url("/"));
    const [fresh, old, bare] = server.got.map(({ headers }) => headers);
    expect(await verdict("s3cret", fresh, body)).toBe("True");
    expect(await verdict("another", fresh, body)).toBe("False");
    expect(await verdict("s3cret", fresh, `${body} `)).toBe("False");
    expect(await verdict("s3cret", old, body)).toBe("False");
    expect(await verdict("s3cret", bare, body)).toBe("False");
  });
});

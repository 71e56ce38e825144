/**
 * Mail to a real server: plain, with STARTTLS, with a password, refused, silent.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseMailThrough, type SmtpWay } from "../../src/model/mail-through.ts";
import { sendBySmtp } from "../../src/notify/smtp.ts";
import { describeWith } from "../support/debian.ts";
import { type Certificates, makeCertificates, sinkNeeds, startSink } from "./smtp-sink.ts";

const mail = {
  from: "root@host1",
  to: "ops@example.com",
  text: "From: root@host1\nTo: ops@example.com\nSubject: hello\n\none\n.two\n..\nthree\n",
};
const short = { connectMs: 500, wholeMs: 1000 };

function way(url: string): SmtpWay {
  const parsed = parseMailThrough(url);
  if (!("kind" in parsed) || parsed.kind !== "smtp") throw new Error(`no way: ${url}`);
  return parsed;
}

describeWith("sendBySmtp()", [...sinkNeeds, "openssl"], () => {
  let folder: string;
  let certificates: Certificates;
  let passwordFile: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "rcron-test-"));
    certificates = makeCertificates(folder);
    passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "rcron:s3cret:word\n", { mode: 0o600 });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("hands the mail over as it is, lines that begin with a dot too", async () => {
    await using sink = await startSink();
    expect(await sendBySmtp(mail, way(`smtp://127.0.0.1:${sink.port}`), undefined)).toEqual({ kind: "sent" });
    const [got] = await sink.mails(1);
    expect(got).toEqual({
      from: "root@host1",
      to: ["ops@example.com"],
      text: mail.text.replaceAll("\n", "\r\n"),
      tls: false,
      user: null,
    });
  });

  test("uses STARTTLS where it is offered, and checks the certificate against ca=", async () => {
    await using sink = await startSink([`starttls=${certificates.cert},${certificates.key}`]);
    const url = `smtp://localhost:${sink.port}?ca=${certificates.ca}`;
    expect(await sendBySmtp(mail, way(url), undefined)).toEqual({ kind: "sent" });
    expect((await sink.mails(1))[0]?.tls).toBe(true);
  });

  test("speaks TLS from the first byte with smtps://", async () => {
    await using sink = await startSink([`implicit=${certificates.cert},${certificates.key}`]);
    const url = `smtps://localhost:${sink.port}?ca=${certificates.ca}`;
    expect(await sendBySmtp(mail, way(url), undefined)).toEqual({ kind: "sent" });
    expect((await sink.mails(1))[0]?.tls).toBe(true);
  });

  for (const scheme of ["starttls", "implicit"]) {
    test(`does not send to a server whose certificate nobody vouches for (${scheme}), whatever the environment says`, async () => {
      await using sink = await startSink([`${scheme}=${certificates.cert},${certificates.key}`]);
      const url = `smtp${scheme === "implicit" ? "s" : ""}://localhost:${sink.port}`;
      const program = `
        import { sendBySmtp } from "${join(import.meta.dir, "../../src/notify/smtp.ts")}";
        console.log(JSON.stringify(await sendBySmtp(${JSON.stringify(mail)}, ${JSON.stringify(way(url))})));`;
      const child = Bun.spawn([process.execPath, "-e", program], {
        env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
        stdout: "pipe",
        timeout: 20_000,
      });
      const delivery = JSON.parse(await child.stdout.text());
      expect(delivery).toMatchObject({ kind: "later", isTransport: true });
      expect(delivery.reason).toMatch(/certificate|self.signed|issuer|verify/i);
      expect(sink.soFar).toEqual([]);
    });
  }

  test("with tls=required, does not send where STARTTLS is not offered", async () => {
    await using sink = await startSink();
    const delivery = await sendBySmtp(mail, way(`smtp://127.0.0.1:${sink.port}?tls=required`), undefined);
    expect(delivery).toMatchObject({ kind: "later", isTransport: true });
    expect(sink.soFar).toEqual([]);
  });

  test("logs in with the password file's user and password", async () => {
    await using sink = await startSink([`starttls=${certificates.cert},${certificates.key}`, "auth"]);
    const url = `smtp://localhost:${sink.port}?ca=${certificates.ca}`;
    expect(await sendBySmtp(mail, way(url), passwordFile)).toEqual({ kind: "sent" });
    expect((await sink.mails(1))[0]).toMatchObject({ tls: true, user: "rcron" });
  });

  test("tells no password to a server without TLS, unless tls=never says so", async () => {
    await using sink = await startSink(["auth"]);
    const refused = await sendBySmtp(mail, way(`smtp://127.0.0.1:${sink.port}`), passwordFile);
    expect(refused).toMatchObject({ kind: "later", isTransport: true });
    expect(sink.soFar).toEqual([]);
    const sent = await sendBySmtp(mail, way(`smtp://127.0.0.1:${sink.port}?tls=never`), passwordFile);
    expect(sent).toEqual({ kind: "sent" });
  });

  test("keeps a mail whose login is refused, or which needs one: that is for the operator to mend", async () => {
    await using sink = await startSink(["auth", "refuse-auth"]);
    const url = way(`smtp://127.0.0.1:${sink.port}?tls=never`);
    const refused = await sendBySmtp(mail, url, passwordFile);
    expect(refused).toMatchObject({ kind: "later", isTransport: true });
    expect(JSON.stringify(refused)).toContain("535");
    expect(JSON.stringify(refused)).not.toContain("s3cret");
    expect(await sendBySmtp(mail, url, undefined)).toMatchObject({ kind: "later", isTransport: true });
  });

  const refusals: [code: string, kind: string][] = [
    ["450", "later"],
    ["451", "later"],
    ["550", "never"],
    ["552", "never"],
  ];
  for (const [code, kind] of refusals) {
    test(`${code} for the recipient means ${kind}`, async () => {
      await using sink = await startSink([`refuse=${code}`]);
      const delivery = await sendBySmtp(mail, way(`smtp://127.0.0.1:${sink.port}`), undefined);
      expect(delivery).toMatchObject({ kind, reason: `${code} no such luck` });
      expect("isTransport" in delivery && delivery.isTransport).toBe(false);
    });
  }
});

describe("sendBySmtp(), to servers that are none", () => {
  test("gives up on one that accepts and says nothing", async () => {
    using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const began = performance.now();
    const delivery = await sendBySmtp(mail, way(`smtp://127.0.0.1:${server.port}`), undefined, short);
    expect(delivery).toMatchObject({ kind: "later", isTransport: true });
    expect(performance.now() - began).toBeLessThan(3000);
    server.stop(true);
  });

  test("gives up on one that greets and then goes on talking for ever", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          const timer = setInterval(() => socket.write("220-more to come\r\n"), 20);
          timer.unref();
        },
        data() {},
      },
    });
    const delivery = await sendBySmtp(mail, way(`smtp://127.0.0.1:${server.port}`), undefined, short);
    expect(delivery).toMatchObject({ kind: "later", isTransport: true });
    server.stop(true);
  });

  test("keeps a mail that the greeting refuses with 554", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          socket.end("554 go away\r\n");
        },
        data() {},
      },
    });
    const delivery = await sendBySmtp(mail, way(`smtp://127.0.0.1:${server.port}`), undefined, short);
    expect(delivery).toMatchObject({ kind: "later", isTransport: true });
    server.stop(true);
  });

  test("keeps a mail where nobody listens", async () => {
    const delivery = await sendBySmtp(mail, way("smtp://127.0.0.1:1"), undefined, short);
    expect(delivery).toMatchObject({ kind: "later", isTransport: true });
  });

  test("keeps a mail whose password file others can read, and says so", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rcron-test-"));
    const file = join(folder, "password");
    writeFileSync(file, "user:password\n");
    chmodSync(file, 0o640);
    const delivery = await sendBySmtp(mail, way("smtp://127.0.0.1:1"), file, short);
    expect(delivery).toEqual({
      kind: "later",
      isTransport: true,
      reason: `${file}: mail_password_file must be of mode 0600 at most: it has 0640`,
    });
    rmSync(folder, { recursive: true });
  });
});

/**
 * A run's end: what gets into the outbox, and the sender that is started, a real one.
 */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { version } from "../../src/cli/version.ts";
import { parseDistcrondJob } from "../../src/jobs/jobs.ts";
import {
  announceEnd,
  type Item,
  type NotifySettings,
  type RunReport,
  readOutbox,
  sendWhatIsDue,
} from "../../src/notify/notify.ts";
import { lockOutbox, newItemId } from "../../src/notify/outbox.ts";
import { handedLimit, type SenderStart, startSender } from "../../src/notify/start-sender.ts";
import { keepAcrossExec } from "../../src/system/process.ts";
import { terms } from "../jobs/terms.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { run, temporaryFolder } from "../support/program.ts";
import { goodRun, mailTo, printed, sampleRun, settingsFor } from "./sample-run.ts";
import { sinkNeeds, startSink } from "./smtp-sink.ts";

const program = [process.execPath, join(import.meta.dir, "rcronctl-mail.ts")];
const now = 1_800_000_000_000;

/** Announces runs to an outbox that nobody empties. */
function announcer(folder: string | undefined, more: Partial<NotifySettings> = {}) {
  const starts: SenderStart[] = [];
  const announce = (report: RunReport, nowMs = now) =>
    announceEnd(report, settingsFor(folder, more), {
      nowMs,
      startSender: (start) => void starts.push(start),
    });
  return { announce, starts };
}

/** Those of a job of distcrond's with an owner, and somebody who is named in its notifications. */
function ownedRules(): RunReport["rules"] {
  const text = JSON.stringify({
    owners: [{ name: "Mona", email_address: "mona@example.com" }],
    notifications: { mail: ["ops@example.com"] },
    policy: { select: "any", hosts: ["web1"] },
    schedule: "0 45 20 * * *",
    shell_command: "backup",
  });
  const [job] = parseDistcrondJob(text, "backup.json", "backup", terms).jobs;
  if (job === undefined) throw new Error("no job");
  return job.rules;
}

const subjects = (items: readonly Item[]) =>
  items.map((item) =>
    item.kind === "mail" ? `${item.to}: ${/^Subject: \[rcron\] (.*)$/m.exec(item.text)?.[1]}` : item.url,
  );

describe("announceEnd()", () => {
  test("puts a mail for each address and a ping into the outbox, and starts one sender", async () => {
    using folder = temporaryFolder();
    const { announce, starts } = announcer(folder.path);
    const rules = {
      outputs: mailTo("a@example.com", "if-error:b@example.com"),
      pingUrl: "https://hc.example/key",
    };
    expect(await announce(sampleRun({ rules }))).toEqual([]);
    const items = await readOutbox(folder.path);
    expect(subjects(items).sort()).toEqual([
      "a@example.com: FAILED backup on host1: exit status 3 after 12 s",
      "b@example.com: FAILED backup on host1: exit status 3 after 12 s",
      "https://hc.example/key/3?rid=01234567-89ab-8cde-8f00-000000000000",
    ]);
    expect(items.find(({ kind }) => kind === "ping")).toMatchObject({ body: "copying\ndisk full\n" });
    expect(starts).toEqual([{ folder: folder.path, confPath: undefined, handed: [] }]);
  });

  test("tells an if-error address of a streak's start and end alone, from run to run", async () => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path);
    const rules = { outputs: mailTo("if-error:ops@example.com") };
    for (let index = 0; index < 3; index++) await announce(sampleRun({ rules }), now + index);
    await announce(goodRun({ rules }), now + 10);
    await announce(goodRun({ rules }), now + 11);
    expect(subjects(await readOutbox(folder.path))).toEqual([
      "ops@example.com: FAILED backup on host1: exit status 3 after 12 s",
      "ops@example.com: recovered: backup on host1, after 3 failures",
    ]);
  });

  test("tells webhook and chat of a row's start and end, once each", async () => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path);
    const rules = { webhookUrl: "https://hook.example/key", slackUrl: "https://chat.example/key" };
    const owners = [{ name: "Mona", address: "mona@example.com" }];
    for (let index = 0; index < 3; index++)
      await announce(sampleRun({ rules, report: { owners } }), now + index);
    for (let index = 10; index < 13; index++) await announce(goodRun({ rules }), now + index);
    const items = (await readOutbox(folder.path)).flatMap((item) => (item.kind === "mail" ? [] : [item]));
    expect(items.map(({ kind, url }) => `${kind} ${url}`).sort()).toEqual([
      "slack https://chat.example/key",
      "slack https://chat.example/key",
      "webhook https://hook.example/key",
      "webhook https://hook.example/key",
    ]);
    const bodies = (kind: string) =>
      items.filter((item) => item.kind === kind).map(({ body }) => JSON.parse(body));
    expect(bodies("webhook")).toMatchObject([
      { result: "failed", failures: 1, owners, output: { head: "copying\ndisk full\n" } },
      { result: "recovered", failures: 3, failingSinceMs: now, owners: [] },
    ]);
    const [failed, recovered] = bodies("slack");
    expect(failed.text).toStartWith("FAILED backup on host1: exit status 3 after 12 s\n");
    expect(recovered.text).toStartWith("recovered: backup on host1, after 3 failures\n");
  });

  test.each([
    ["failure", ["failed", "failed", "recovered"]],
    ["always", ["failed", "failed", "recovered", "ok"]],
  ] as const)("tells a webhook with webhook_when = %s of these", async (webhookWhen, want) => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path);
    const rules = { webhookUrl: "https://hook.example/key", webhookWhen };
    for (let index = 0; index < 2; index++) await announce(sampleRun({ rules }), now + index);
    for (let index = 2; index < 4; index++)
      await announce(goodRun({ rules, report: { output: printed("") } }), now + index);
    const items = await readOutbox(folder.path);
    expect(items.map((item) => item.kind === "webhook" && JSON.parse(item.body).result)).toEqual([...want]);
  });

  test("mail_every holds a message to a chat back as it does a mail, and no webhook", async () => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path);
    const rules = {
      webhookUrl: "https://hook.example/key",
      slackUrl: "https://chat.example/key",
      mailEveryMs: 3_600_000,
    };
    await announce(sampleRun({ rules }), now);
    for (let index = 1; index <= 3; index++) {
      const runOf = index % 2 === 1 ? goodRun : sampleRun;
      await announce(runOf({ rules }), now + index * 60_000);
    }
    const items = await readOutbox(folder.path);
    const dueOf = (kind: string) =>
      items.filter((item) => item.kind === kind).map(({ dueMs }) => dueMs - now);
    expect(dueOf("webhook").sort((a, b) => a - b)).toEqual([0, 60_000, 120_000, 180_000]);
    expect(dueOf("slack")).toEqual([3_600_000]);
    const held = items.find(({ kind }) => kind === "slack");
    expect(held).toMatchObject({ pause: { audience: "if-error", everyMs: 3_600_000 } });
    const { text } = JSON.parse(held?.kind === "slack" ? held.body : "{}");
    expect(text).toStartWith("recovered: backup on host1, after 1 failure\n");
    expect(text).toContain("3 runs since the last message, 1 failed.");
  });

  test("hands webhook and message on where nothing can be kept, with less of the output", async () => {
    const { announce, starts } = announcer(undefined);
    const rules = { webhookUrl: "https://hook.example/key", slackUrl: "https://chat.example/key" };
    await announce(sampleRun({ rules, report: { output: printed("x".repeat(50_000)) } }));
    const handed = starts[0]?.handed ?? [];
    expect(handed.map(({ kind }) => kind)).toEqual(["slack", "webhook"]);
    expect(JSON.stringify(handed).length).toBeLessThan(10_000);
  });

  test("an owner is mailed at the first failure and at the recovery, once each", async () => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path);
    const rules = ownedRules();
    expect(rules.outputs.length).toBe(2);
    for (let index = 0; index < 3; index++) await announce(sampleRun({ rules }), now + index);
    for (let index = 3; index < 6; index++) await announce(goodRun({ rules }), now + index);
    const failed = "FAILED backup on host1: exit status 3 after 12 s";
    const recovered = "recovered: backup on host1, after 3 failures";
    expect(subjects(await readOutbox(folder.path)).sort()).toEqual([
      `mona@example.com: ${failed}`,
      `mona@example.com: ${recovered}`,
      `ops@example.com: ${failed}`,
      `ops@example.com: ${recovered}`,
    ]);
  });

  test("writes nothing for a run that succeeds in silence", async () => {
    using folder = temporaryFolder();
    const { announce, starts } = announcer(folder.path);
    const rules = { outputs: mailTo("a@example.com", "if-error:b@example.com") };
    expect(await announce(goodRun({ rules, report: { output: printed("") } }))).toEqual([]);
    expect(readdirSync(folder.path)).toEqual([]);
    expect(starts).toEqual([]);
  });

  test("begins a streak anew where its file is corrupted", async () => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path);
    const rules = { outputs: mailTo("if-error:ops@example.com") };
    await announce(sampleRun({ rules }));
    const streaks = join(folder.path, "streaks");
    const [file = ""] = readdirSync(streaks).filter((name) => name.endsWith(".json"));
    writeFileSync(join(streaks, file), "\0\0\0");
    expect(await announce(sampleRun({ rules }))).toEqual([]);
    expect((await readOutbox(folder.path)).length).toBe(2);
  });

  test("holds mails back within mail_every, as one mail", async () => {
    using folder = temporaryFolder();
    const { announce, starts } = announcer(folder.path);
    const rules = { outputs: mailTo("ops@example.com"), mailEveryMs: 3_600_000 };
    for (let index = 1; index <= 3; index++)
      await announce(goodRun({ rules, report: { output: printed("x") } }), now + index * 60_000);
    await announce(sampleRun({ rules }), now + 240_000);
    const items = await readOutbox(folder.path);
    expect(subjects(items)).toEqual(["ops@example.com: FAILED backup on host1: exit status 3 after 12 s"]);
    expect(items[0]).toMatchObject({
      dueMs: now + 3_660_000,
      pause: { everyMs: 3_600_000, audience: "always" },
    });
    expect(items[0]?.kind === "mail" && items[0].text).toContain("3 runs since the last mail, 1 failed.");
    expect(starts.length).toBe(1); // the first mail was due, and this clock stood still since
  });

  test("of ten failures that end at once, one begins the streak and nine are counted on", async () => {
    using folder = temporaryFolder();
    const one = `
      import { announceEnd } from "${join(import.meta.dir, "../../src/notify/notify.ts")}";
      import { mailTo, sampleRun, settingsFor } from "${join(import.meta.dir, "sample-run.ts")}";
      const rules = { outputs: mailTo("if-error:ops@example.com") };
      console.log(await announceEnd(sampleRun({ rules }), settingsFor("${folder.path}"), { startSender: () => {} }));`;
    const done = await Promise.all(
      Array.from({ length: 10 }, () => run([process.execPath, "-e", one], { timeoutMs: 30_000 })),
    );
    expect(done.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 10 }, () => "[]"));
    expect((await readOutbox(folder.path)).length).toBe(1);
    const streaks = join(folder.path, "streaks");
    const [file = ""] = readdirSync(streaks).filter((name) => name.endsWith(".json"));
    expect(JSON.parse(readFileSync(join(streaks, file), "utf8")).failures).toBe(10);
  }, 60_000);

  test("starts no second sender where one is at work", async () => {
    using folder = temporaryFolder();
    const { announce, starts } = announcer(folder.path);
    mkdirSync(join(folder.path, "outbox"), { mode: 0o700 });
    const lock = await lockOutbox(folder.path);
    await announce(sampleRun({ rules: { outputs: mailTo("a@example.com") } }));
    expect(starts).toEqual([]);
    if (typeof lock === "object") lock.release();
  });

  test("warns of what is no address, no URL and no way for mail, and throws nothing", async () => {
    using folder = temporaryFolder();
    const { announce } = announcer(folder.path, { mailThrough: "smtp://u:secret@host", mailFrom: "a b" });
    const warnings = await announce(
      sampleRun({ rules: { outputs: mailTo("a@b\nBcc: c@d", "a@example.com"), pingUrl: "nonsense/secret" } }),
    );
    expect(warnings).toEqual([
      "--ping must be an http or https URL: got ?",
      'a mail address must be one address, without blanks: got "a@b\\nBcc: c@d"',
      `mail_through must not have a password in it: got "smtp://[redacted]@host"`,
      'mail_from must be ADDRESS or NAME <ADDRESS>: got "a b"',
    ]);
    const broken = await announce(sampleRun({ rules: { outputs: mailTo("a@example.com") } }));
    expect(broken.join()).not.toContain("secret");
    const throwing = settingsFor(folder.path, {
      redact: () => {
        throw new Error("no");
      },
    });
    const told = await announceEnd(sampleRun({ rules: { outputs: mailTo("a@example.com") } }), throwing, {
      startSender: () => {},
    });
    expect(told.length).toBe(1);
  });

  for (const [title, make] of [
    ["no history folder", () => undefined],
    [
      "an outbox that can't be written",
      (path: string) => {
        writeFileSync(join(path, "outbox"), "");
        return path;
      },
    ],
  ] as const) {
    test(`with ${title}, hands the items to the sender, short enough for a pipe`, async () => {
      using folder = temporaryFolder();
      const { announce, starts } = announcer(make(folder.path));
      const addresses = Array.from({ length: 40 }, (_, index) => `a${index}@example.com`);
      const output = printed("ä".repeat(100_000));
      const warnings = await announce(
        sampleRun({ rules: { outputs: mailTo(...addresses) }, report: { output } }),
      );
      const handed = starts[0]?.handed ?? [];
      expect(starts.length).toBe(1);
      expect(handed.length).toBeGreaterThan(5);
      expect(Buffer.byteLength(JSON.stringify(handed))).toBeLessThanOrEqual(handedLimit);
      expect(warnings.filter((each) => each.includes("is lost")).length).toBe(40 - handed.length);
    });
  }
});

describe("startSender()", () => {
  /** A program that writes down how it was started. */
  function recorder(folder: string): { words: string[]; read: () => Promise<Record<string, string>> } {
    const file = join(folder, "recorder");
    const out = join(folder, "record");
    writeFileSync(
      file,
      `#!/bin/sh
sleep 0.2
{ echo "words=$*"; echo "tls=$NODE_TLS_REJECT_UNAUTHORIZED"; echo "cwd=$(pwd)"; echo "fds=$(ls -l /proc/$$/fd | grep -c 'rcron-test-.*/open$')"
read -r pid name state ppid group session rest < /proc/$$/stat; echo "session=$((session == pid))"
echo "out=$(readlink /proc/$$/fd/2)"; echo "stdin=$(wc -c)"; } > ${out}.tmp
mv ${out}.tmp ${out}
`,
    );
    chmodSync(file, 0o755);
    return {
      words: [file],
      read: async () => {
        for (let tries = 0; !existsSync(out) && tries < 500; tries++) await Bun.sleep(20);
        const rows = readFileSync(out, "utf8").trim().split("\n");
        return Object.fromEntries(rows.map((row) => row.split(/=(.*)/s, 2)));
      },
    };
  }

  test("in a session of its own, in /, with nothing of the caller's open, and no say in certificates", async () => {
    using folder = temporaryFolder();
    const { words, read } = recorder(folder.path);
    keepAcrossExec([openSync(join(folder.path, "open"), "w")]); // as a lock that the crontab line holds
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    startSender({ folder: "/var/lib/rcron", confPath: "/etc/x.conf", handed: [] }, words);
    delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    expect(await read()).toEqual({
      words: "mail send --quiet --history /var/lib/rcron --conf /etc/x.conf",
      tls: "",
      cwd: "/",
      fds: "0",
      session: "1",
      out: "/dev/null",
      stdin: "0",
    });
  });

  test("with the configuration that the caller has named from where he was", async () => {
    using folder = temporaryFolder();
    const { words, read } = recorder(folder.path);
    startSender({ folder: "/var/lib/rcron", confPath: "x.conf", handed: [] }, words);
    expect((await read())["words"]).toBe(
      `mail send --quiet --history /var/lib/rcron --conf ${join(process.cwd(), "x.conf")}`,
    );
  });

  test("one is enough for many that end at once, until it has begun to look", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "outbox"));
    const count = join(folder.path, "count");
    const file = join(folder.path, "sender");
    writeFileSync(file, `#!/bin/sh\necho >> ${count}\nsleep 0.5\nexec 3<&-\nsleep 2\n`);
    chmodSync(file, 0o755);
    const given = { folder: folder.path, confPath: undefined, handed: [] };
    for (let index = 0; index < 20; index++) startSender(given, [file]);
    await Bun.sleep(300);
    expect(readFileSync(count, "utf8")).toBe("\n");
    await Bun.sleep(700);
    startSender(given, [file]);
    await Bun.sleep(200);
    expect(readFileSync(count, "utf8")).toBe("\n\n");
  });

  test("gives all that it hands over, though the caller ends at once", async () => {
    using folder = temporaryFolder();
    const { words, read } = recorder(folder.path);
    const text = "x".repeat(59_000);
    const one = `
      import { startSender } from "${join(import.meta.dir, "../../src/notify/start-sender.ts")}";
      startSender({ folder: undefined, confPath: undefined, handed: [{ text: "${text}" }] }, ${JSON.stringify(words)});
      process.exit(0);`;
    const began = performance.now();
    expect((await run([process.execPath, "-e", one])).exitCode).toBe(0);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await read()).toMatchObject({
      stdin: String(JSON.stringify([{ text }]).length),
      words: "mail send --quiet -",
    });
  });

  test("says so where no process can be started", () => {
    expect(() => startSender({ folder: undefined, confPath: undefined, handed: [] }, ["/nowhere"])).toThrow(
      "no process could be started to send mail",
    );
  });
});

describeOnPrivateHost("a run's mail, from its end to a real server", sinkNeeds, () => {
  const confFor = (folder: string, port: number) => {
    const path = join(folder, "rcron.conf");
    writeFileSync(path, `mail_through = smtp://127.0.0.1:${port}\n`);
    return path;
  };
  const start = (given: SenderStart) => startSender(given, program);

  test("arrives through a sender that the run does not wait for", async () => {
    using folder = temporaryFolder();
    await using sink = await startSink();
    const settings = settingsFor(folder.path, { confPath: confFor(folder.path, sink.port) });
    const rules = { outputs: mailTo("if-error:ops@example.com") };
    expect(await announceEnd(sampleRun({ rules }), settings, { startSender: start })).toEqual([]);
    const [mail] = await sink.mails(1);
    expect(mail).toMatchObject({ from: "root@host1", to: ["ops@example.com"] });
    expect(mail?.text).toContain("disk full\r\n");
  });

  test("arrives at a job's owner from the first failure and the recovery, once each", async () => {
    using folder = temporaryFolder();
    await using sink = await startSink();
    const settings = settingsFor(folder.path, { confPath: confFor(folder.path, sink.port) });
    const { outputs } = ownedRules();
    const rules = {
      outputs: outputs.filter(({ sink }) => sink.kind === "mail" && sink.address !== "ops@example.com"),
    };
    const steps = [sampleRun, sampleRun, goodRun, goodRun];
    for (const step of steps) {
      expect(await announceEnd(step({ rules }), settings, { startSender: start })).toEqual([]);
    }
    await sink.mails(2);
    const settled = await run([
      ...program,
      "mail",
      "send",
      "--history",
      folder.path,
      "--conf",
      settings.confPath ?? "",
    ]);
    expect(settled.exitCode).toBe(0); // nothing waits: no third one comes
    const mails = sink.soFar.map(({ to, text }) => [to, /^X-Rcron-Result: (\w+)/m.exec(text)?.[1]]);
    expect(mails.sort()).toEqual([
      [["mona@example.com"], "failed"],
      [["mona@example.com"], "recovered"],
    ]);
  });

  test("a signed webhook arrives through a sender of its own; the secret is nowhere but in its file", async () => {
    using folder = temporaryFolder();
    const got = Promise.withResolvers<{ headers: Headers; body: string }>();
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        got.resolve({ headers: request.headers, body: await request.text() });
        return new Response("ok");
      },
    });
    const confPath = join(folder.path, "rcron.conf");
    const secretFile = join(folder.path, "secret");
    writeFileSync(secretFile, "s3cret\n", { mode: 0o644 });
    writeFileSync(confPath, `webhook_secret_file = ${secretFile}\n`);
    const settings = settingsFor(folder.path, { confPath, webhookSecretFile: secretFile });
    const rules = { webhookUrl: `http://127.0.0.1:${server.port}/hook/url-key` };
    expect(await announceEnd(sampleRun({ rules }), settings, { startSender: () => {} })).toEqual([]);

    const words = [...program, "mail", "send", "--history", folder.path, "--conf", confPath];
    const refused = await run(words);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "0 sent, 0 given up, 1 still waiting\n" });
    expect(refused.stderr).toContain("webhook_secret_file must be of mode 0600 at most: it has 0644");
    const listed = await run([...words.slice(0, -5), "list", ...words.slice(-4)]);
    expect(listed.stdout).toMatch(/webhook {2}http:\/\/127\.0\.0\.1:\d+\/\.\.\. {2}backup/);
    const [file = ""] = readdirSync(join(folder.path, "outbox")).filter((name) => name.endsWith(".json"));
    const kept = readFileSync(join(folder.path, "outbox", file), "utf8");
    for (const text of [refused.stderr, listed.stdout, kept]) expect(text).not.toContain("s3cret");
    for (const text of [refused.stderr, listed.stdout]) expect(text).not.toContain("url-key");

    chmodSync(secretFile, 0o600);
    expect(await run(words)).toMatchObject({ exitCode: 0, stdout: "1 sent, 0 given up, 0 still waiting\n" });
    const { headers, body } = await got.promise;
    expect(JSON.parse(body)).toMatchObject({ job: "backup", result: "failed" });
    const timestamp = headers.get("x-rcron-timestamp");
    const hmac = createHmac("sha256", "s3cret").update(`${timestamp}.${body}`).digest("hex");
    expect(headers.get("x-rcron-signature")).toBe(`sha256=${hmac}`);
    expect(headers.get("user-agent")).toBe(`rcron/${version}`);
  });

  test("arrives from standard input where nothing can be kept", async () => {
    using folder = temporaryFolder();
    await using sink = await startSink();
    const confPath = confFor(folder.path, sink.port);
    appendFileSync(confPath, "history = none\n"); // or the sender takes the machine's own outbox for the place
    const settings = settingsFor(undefined, { confPath });
    await announceEnd(sampleRun({ rules: { outputs: mailTo("ops@example.com") } }), settings, {
      startSender: start,
    });
    expect((await sink.mails(1)).length).toBe(1);
  });

  test("twenty failures at once arrive, each once", async () => {
    using folder = temporaryFolder();
    await using sink = await startSink();
    const settings = settingsFor(folder.path, { confPath: confFor(folder.path, sink.port) });
    const rules = { outputs: mailTo("ops@example.com") };
    const jobs = Array.from({ length: 20 }, (_, index) => `job${index}`);
    await Promise.all(
      jobs.map((job) => announceEnd(sampleRun({ rules, report: { job } }), settings, { startSender: start })),
    );
    const mails = await sink.mails(20);
    const told = mails.map(({ text }) => /^X-Rcron-Job: (.*)\r$/m.exec(text)?.[1]);
    expect(told.sort()).toEqual(jobs.sort());
  });

  test("a full disk: the mail arrives all the same", async () => {
    const one = `
      import { announceEnd } from "${join(import.meta.dir, "../../src/notify/notify.ts")}";
      import { startSender } from "${join(import.meta.dir, "../../src/notify/start-sender.ts")}";
      import { mailTo, sampleRun, settingsFor } from "${join(import.meta.dir, "sample-run.ts")}";
      const rules = { outputs: mailTo("ops@example.com") };
      const settings = settingsFor("/mnt/full", { confPath: "/mnt/rcron.conf" });
      console.log(await announceEnd(sampleRun({ rules }), settings, {
        startSender: (given) => startSender(given, ${JSON.stringify(program)}),
      }));`;
    const done = await onPrivateHost(`
mkdir /mnt/full; mount -t tmpfs -o size=64k tmpfs /mnt/full
head -c 1000000 /dev/zero > /mnt/full/filler 2>/dev/null || true
/usr/bin/python3 '${join(import.meta.dir, "smtp-sink.py")}' 2525 > /mnt/sink 2>/dev/null &
until_ok grep -qs port /mnt/sink
echo 'mail_through = smtp://127.0.0.1:2525' > /mnt/rcron.conf
cat > /mnt/one.ts <<'END'
${one}
END
'${process.execPath}' /mnt/one.ts
until_ok grep -qs 'disk full' /mnt/sink
`);
    expect(done.stdout).toContain("no space left on device; what it is for is sent without being kept");
    expect(done).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("waits for a server that is down, and arrives when a later run finds it back", async () => {
    using folder = temporaryFolder();
    let port = 0;
    {
      await using gone = await startSink();
      port = gone.port;
    }
    const confPath = confFor(folder.path, port);
    const rules = { outputs: mailTo("ops@example.com") };
    await announceEnd(sampleRun({ rules }), settingsFor(folder.path, { confPath }), {
      startSender: () => {},
    });
    const words = [...program, "mail", "send", "--history", folder.path, "--conf", confPath];
    const first = await run(words);
    expect(first.exitCode).toBe(1);
    expect(first.stdout).toBe("0 sent, 0 given up, 1 still waiting\n");
    expect(first.stderr).toContain("could not be sent yet");
    await using _sink = await startSink([], port);
    const nowMs = Date.now() + 3_600_000;
    let started = 0;
    await sendWhatIsDue({ folder: folder.path }, { nowMs, startSender: () => void started++ });
    expect(started).toBe(1);
    expect((await run(words)).exitCode).toBe(0);
    expect((await _sink.mails(1)).length).toBe(1);
  });

  test("a sender that is killed in the middle loses nothing: the next one sends it", async () => {
    using folder = temporaryFolder();
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const confPath = confFor(folder.path, silent.port);
    const rules = { outputs: mailTo("ops@example.com") };
    await announceEnd(sampleRun({ rules }), settingsFor(folder.path, { confPath }), {
      startSender: () => {},
    });
    const words = [...program, "mail", "send", "--history", folder.path, "--conf", confPath];
    const child = Bun.spawn(words, { stdout: "ignore", stderr: "ignore" });
    for (let tries = 0; tries < 200; tries++) {
      const lock = await lockOutbox(folder.path);
      if (lock === "busy") break;
      lock?.release();
      await Bun.sleep(20);
    }
    child.kill("SIGKILL");
    await child.exited;
    silent.stop(true);
    await using sink = await startSink();
    confFor(folder.path, sink.port);
    expect((await run(words)).stdout).toBe("1 sent, 0 given up, 0 still waiting\n");
    expect((await sink.mails(1)).length).toBe(1);
  });
});

test("newItemId() fits the names of the outbox", () => {
  expect(newItemId()).toMatch(/^[0-9a-f]{12}$/);
});

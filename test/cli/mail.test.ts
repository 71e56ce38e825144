/**
 * `rcronctl mail`.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Item, keepMs, putItem } from "../../src/notify/outbox.ts";
import { project, run, temporaryFolder } from "../support/program.ts";

const program = [process.execPath, join(project, "test/notify/rcronctl-mail.ts"), "mail"];

function item(id: string, more: object = {}): Item {
  const createdMs = Date.now() - 60_000;
  const all = {
    kind: "mail",
    id,
    createdMs,
    dueMs: createdMs,
    expiresMs: createdMs + keepMs.mail,
    attempts: 0,
    job: "backup",
    run: "0123456789abcdef",
    from: "root@host1",
    to: "ops@example.com",
    text: "hello\n",
  };
  return { ...all, ...more } as Item;
}

async function withOutbox(
  items: readonly Item[],
  body: (rcronctl: (...words: string[]) => ReturnType<typeof run>) => Promise<void>,
) {
  using folder = temporaryFolder();
  for (const each of items) await putItem(folder.path, each, []);
  const conf = join(folder.path, "rcron.conf");
  await Bun.write(conf, "mail_through = smtp://127.0.0.1:1\n");
  await body((...words) =>
    run([...program, ...words, "--history", folder.path, "--conf", conf], { timeoutMs: 20_000 }),
  );
}

describe("rcronctl mail", () => {
  test("lists what waits, the oldest first, a ping without its key", async () => {
    const ping = item("b2", {
      kind: "ping",
      url: "https://hc.example/secret",
      body: "",
      attempts: 2,
      lastError: "no\tanswer",
      dueMs: Date.now() + 3_600_000,
      createdMs: Date.now() - 7_200_000,
    });
    const held = item("p3", { dueMs: Date.now() + 1_800_000, createdMs: Date.now() });
    await withOutbox([item("a1"), ping, held], async (rcronctl) => {
      const { stdout, exitCode } = await rcronctl("list");
      expect(exitCode).toBe(0);
      expect(stdout).toBe(`ID  KIND  TO                      JOB     SINCE  ATTEMPTS  NEXT       LAST ERROR
b2  ping  https://hc.example/...  backup  2 h    2         in 1 h     no\\tanswer
a1  mail  ops@example.com         backup  1 min  0         now        -
p3  mail  ops@example.com         backup  0 s    0         in 30 min  held back by mail_every
`);
      const shown = JSON.parse((await rcronctl("--json")).stdout);
      expect(shown.map(({ id }: { id: string }) => id)).toEqual(["b2", "a1", "p3"]);
      expect(shown[0]).toMatchObject({
        kind: "ping",
        to: "https://hc.example/...",
        job: "backup",
        run: "0123456789abcdef",
        attempts: 2,
        lastError: "no\tanswer",
      });
      expect(JSON.stringify(shown)).not.toContain("secret");
    });
  });

  test("drops one, or all, and knows what is not there", async () => {
    await withOutbox([item("a1"), item("b2"), item("c3")], async (rcronctl) => {
      expect((await rcronctl("drop", "b2")).stdout).toBe("1 dropped\n");
      expect(await rcronctl("drop", "b2")).toMatchObject({
        exitCode: 1,
        stderr: 'rcronctl: nothing of the id "b2" waits\nhint: rcronctl mail lists what does\n',
      });
      expect((await rcronctl("drop", "all")).stdout).toBe("2 dropped\n");
      expect((await rcronctl()).stdout).toBe("nothing waits\n");
    });
  });

  test("send tries at once: 1 while something waits, 0 when nothing does", async () => {
    await withOutbox([item("a1")], async (rcronctl) => {
      const { exitCode, stdout, stderr } = await rcronctl("send");
      expect(exitCode).toBe(1);
      expect(stdout).toBe("0 sent, 0 given up, 1 still waiting\n");
      expect(stderr).toMatch(
        /^rcronctl: mail to ops@example.com about backup \(run 0123456789abcdef\) could not be sent yet: /,
      );
      expect((await rcronctl("list")).stdout).toContain("ECONNREFUSED");
      await rcronctl("drop", "all");
      expect(await rcronctl("send")).toEqual({ exitCode: 0, stdout: "nothing waits\n", stderr: "" });
      expect(await rcronctl("send", "--quiet")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    });
  });

  const wrong: string[][] = [["fly"], ["drop"], ["drop", "a", "b"], ["list", "x"], ["send", "x"]];
  for (const words of wrong) {
    test(`refuses mail ${words.join(" ")}`, async () => {
      await withOutbox([], async (rcronctl) => {
        const { exitCode, stderr } = await rcronctl(...words);
        expect(exitCode).toBe(2);
        expect(stderr).toContain("mail must be followed by list, send, drop ID or drop all");
      });
    });
  }
});

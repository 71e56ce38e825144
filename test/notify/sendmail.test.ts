/**
 * Mail through a local sendmail: Debian's dma for real, and stand-ins for what no real one does on demand.
 */
import { describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sendBySendmail } from "../../src/notify/sendmail.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { temporaryFolder } from "../support/program.ts";

const mail = { from: "root@host1", to: "ops@example.com", text: "Subject: x\n\nhello\n.\nbye\n" };

/** A program in sendmail's place. */
function standIn(folder: string, script: string): string {
  const file = join(folder, "sendmail");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe("sendBySendmail(), with a stand-in", () => {
  test("gives it the sender, the address behind --, and the mail on standard input", async () => {
    using folder = temporaryFolder();
    const out = join(folder.path, "out");
    const program = standIn(folder.path, `{ printf '%s|' "$@"; cat; } > ${out}`);
    expect(await sendBySendmail(mail, program)).toEqual({ kind: "sent" });
    expect(readFileSync(out, "utf8")).toBe(`-i|-f|root@host1|--|ops@example.com|${mail.text}`);
  });

  const rows: [why: string, script: string, kind: string, reason: string][] = [
    ["EX_TEMPFAIL", "cat >/dev/null; echo queue full >&2; exit 75", "later", "exit status 75: queue full"],
    ["EX_NOUSER", "cat >/dev/null; exit 67", "never", "exit status 67"],
    ["a crash", "kill -SEGV $$", "later", "ended by SIGSEGV"],
    ["one that reads nothing", "exit 1", "later", "exit status 1"],
    ["one that hangs", "exec sleep 60", "later", "killed, or not done within 0.5 s"],
    ["one that leaves a child with its standard error", "sleep 5 & exit 75", "later", "exit status 75"],
  ];
  for (const [why, script, kind, reason] of rows) {
    test(`${why} means ${kind}`, async () => {
      using folder = temporaryFolder();
      const program = standIn(folder.path, script);
      const began = performance.now();
      const delivery = await sendBySendmail({ ...mail, text: "x".repeat(500_000) }, program, 500);
      expect(delivery).toMatchObject({ kind, reason: `${program}: ${reason}` });
      expect(performance.now() - began).toBeLessThan(3000);
    });
  }

  test("says so where there is none", async () => {
    expect(await sendBySendmail(mail, "/nowhere/sendmail")).toEqual({
      kind: "later",
      isTransport: true,
      reason: "/nowhere/sendmail must be executable: no such file or directory",
    });
  });
});

describeOnPrivateHost("sendBySendmail(), with Debian's dma", ["dma"], () => {
  test("delivers to a local mailbox", async () => {
    const program = `
      import { sendBySendmail } from "${join(import.meta.dir, "../../src/notify/sendmail.ts")}";
      const text = "From: rcron <root>\\nTo: root\\nSubject: it works\\n\\nhello\\n.\\nbye\\n";
      console.log(JSON.stringify(await sendBySendmail({ from: "root", to: "root", text }, undefined)));`;
    const done = await onPrivateHost(`
mkdir -p /etc/dma; echo host1 > /etc/mailname; : > /etc/dma/dma.conf
mount -t tmpfs tmpfs /var/spool/dma; chown root:mail /var/spool/dma; chmod 2775 /var/spool/dma
'${process.execPath}' -e '${program}'
until_ok grep -qs bye /var/mail/root
cat /var/mail/root
`);
    expect(done.stderr).toBe("");
    expect(done.stdout).toContain('{"kind":"sent"}');
    expect(done.stdout).toContain("Subject: it works");
    expect(done.stdout).toContain("hello\n.\nbye\n");
  });
});

/**
 * The mail that a person reads.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { composeMail, type MailOptions } from "../../src/notify/compose-mail.ts";
import { localTime, parseMailbox, renderMail } from "../../src/notify/mime.ts";
import type { RunReport } from "../../src/notify/notify.ts";
import { howItEnded, type Occasion } from "../../src/notify/run-in-words.ts";
import { firstBytes, lastBytes, shownText } from "../../src/notify/shown-text.ts";
import { endedAtMs, goodRun, printed, sampleRun } from "./sample-run.ts";

const first: Occasion = { failures: 1, failingSinceMs: undefined, sinceLastMail: undefined };
const none: Occasion = { failures: 0, failingSinceMs: undefined, sinceLastMail: undefined };

function render(report: RunReport, options: Partial<MailOptions> = {}): string {
  const defaults: MailOptions = {
    from: { address: "root@host1", name: "rcron" },
    to: { address: "ops@example.com" },
    occasion: first,
    redact: (text) => text,
    outputLimit: 1000,
  };
  return renderMail(composeMail(report, { ...defaults, ...options }));
}

/** A header's value as a mail program reads it. */
function header(mail: string, name: string): string | undefined {
  const unfolded = (mail.split("\n\n", 1)[0] ?? "").replace(/\n(?=[ \t])/g, "");
  const line = unfolded.split("\n").find((each) => each.startsWith(`${name}: `) || each === `${name}:`);
  return line
    ?.slice(name.length + 2)
    .trim()
    .replace(/\?= =\?/g, "?==?")
    .replace(/=\?UTF-8\?B\?([^?]*)\?=/g, (_, text: string) => Buffer.from(text, "base64").toString());
}

describe("composeMail(), whole mails", () => {
  const many = new TextEncoder().encode("first line\n");
  const mails: [file: string, mail: () => string][] = [
    ["failed", () => render(sampleRun())],
    [
      "recovered",
      () =>
        render(goodRun({ report: { output: printed("") } }), {
          occasion: {
            failures: 7,
            failingSinceMs: endedAtMs - 86_400_000,
            sinceLastMail: { runs: 12, failed: 3 },
          },
        }),
    ],
    [
      "long-output",
      () =>
        render(
          sampleRun({
            end: { cause: "timeout", attempts: 3 },
            report: {
              output: {
                head: many,
                tail: Buffer.from("Grüße, \x1b[31m\xff\nlast line"),
                bytes: 123_456,
                leftOut: 123_000,
              },
            },
          }),
        ),
    ],
  ];
  for (const [file, mail] of mails) {
    test(file, () => {
      const path = join(import.meta.dir, "../golden/mail", `${file}.txt`);
      if (process.env["UPDATE_GOLDEN"] === "1") Bun.write(path, mail());
      expect(mail()).toBe(readFileSync(path, "utf8"));
    });
  }
});

describe("composeMail()", () => {
  test("tells in the subject what happened where, and how", () => {
    const rows: [RunReport, Occasion, string][] = [
      [sampleRun(), first, "FAILED backup on host1: exit status 3 after 12 s"],
      [goodRun(), none, "backup on host1: succeeded after 12 s"],
      [goodRun(), { ...first, failures: 7 }, "recovered: backup on host1, after 7 failures"],
      [
        sampleRun({ end: { cause: "signal", signal: 9, ms: 3_700_000 } }),
        first,
        "FAILED backup on host1: ended by SIGKILL after 1 h 1 min",
      ],
    ];
    for (const [report, occasion, subject] of rows) {
      expect(header(render(report, { occasion }), "Subject")).toBe(`[rcron] ${subject}`);
    }
  });

  test("says of every cause how it ended", () => {
    const rows: [Parameters<typeof sampleRun>[0], string][] = [
      [{ end: { cause: "stderr", exit: 0 } }, "printed to standard error"],
      [{ end: { cause: "timeout" } }, "timed out"],
      [
        { end: { cause: "not-started", sentence: "permission denied" } },
        "could not be started: permission denied",
      ],
      [{ end: { cause: "stopped" } }, "stopped, because this machine is no longer active"],
      [{ end: { cause: "clobbered" } }, "ended to make room for the next run"],
    ];
    for (const [options, sentence] of rows) expect(howItEnded(sampleRun(options))).toBe(sentence);
  });

  test("tells cron's variables and no others", () => {
    const mail = render(sampleRun());
    expect(mail.match(/^X-Cron-Env: .*$/gm)).toEqual([
      "X-Cron-Env: </bin/sh>".replace("</", "<SHELL=/"),
      "X-Cron-Env: <PATH=/usr/bin:/bin>",
    ]);
    expect(mail).not.toContain("hunter2");
  });

  test("takes secrets out of command, subject, output and environment", () => {
    const report = sampleRun({
      end: { sentence: "hunter2", cause: "not-started" },
      report: {
        commandText: "backup --password hunter2",
        output: printed("logging in with hunter2\n"),
        environment: [["PATH", "/hunter2"]],
      },
    });
    const mail = render(report, { redact: (text) => text.replaceAll("hunter2", "[redacted]") });
    expect(mail).not.toContain("hunter2");
    expect(mail.match(/\[redacted\]/g)?.length).toBe(6);
  });

  test("takes a secret out that lies across head and tail, where nothing is left out", () => {
    const output = { head: Buffer.from("hunt"), tail: Buffer.from("er2\n"), bytes: 8, leftOut: 0 };
    const mail = render(sampleRun({ report: { output } }), {
      redact: (text) => text.replaceAll("hunter2", "*"),
    });
    expect(mail).toContain("\n*\n");
  });

  test("shows no more of the output than asked for, and says how much is left out", () => {
    const mail = render(sampleRun({ report: { output: printed("x".repeat(9999)) } }), { outputLimit: 300 });
    expect(mail).toContain("[... 9699 bytes left out ...]");
    expect(mail.match(/x/g)?.length).toBeLessThan(310);
  });
});

test("localTime() tells the machine's time with its zone", () => {
  const before = process.env["TZ"];
  process.env["TZ"] = "Asia/Kathmandu";
  expect(localTime(new Date(endedAtMs))).toBe("2026-11-21 07:45:16 +05:45");
  process.env["TZ"] = "America/St_Johns";
  expect(localTime(new Date(endedAtMs))).toBe("2026-11-20 22:30:16 -03:30");
  process.env["TZ"] = before ?? "UTC";
});

describe("shownText()", () => {
  const rows: [bytes: number[], shown: string][] = [
    [[0x61, 0x0a, 0x09], "a\n\t"],
    [[0xc3, 0xa4], "ä"],
    [[0xff, 0x61], "\\xffa"],
    [[0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"], // a surrogate is no character
    [[0xc0, 0x80], "\\xc0\\x80"], // an overlong NUL
    [[0x1b, 0x5b], "\\x1b["],
    [[0x0d, 0x0a, 0x0d], "\n\\x0d"],
    [[0xe2, 0x80, 0xae], "\\u202e"],
    [[0xf0, 0x9f, 0x98, 0x80], "😀"],
    [[0xe2, 0x82], "\\xe2\\x82"], // cut in two
  ];
  for (const [bytes, shown] of rows) {
    test(`${bytes.map((byte) => byte.toString(16)).join(" ")} is ${JSON.stringify(shown)}`, () => {
      expect(shownText(Uint8Array.from(bytes))).toBe(shown);
    });
  }

  test("lets nothing through that steers a terminal, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(shownText(bytes)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]/u);
      }),
    );
  });

  test("is quick with 100 kB of bad bytes", () => {
    const began = performance.now();
    shownText(new Uint8Array(100_000).fill(0xff));
    shownText(new Uint8Array(100_000).fill(0x61));
    expect(performance.now() - began).toBeLessThan(500);
  });

  test("firstBytes() and lastBytes() cut no character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, limit) => {
        for (const cut of [firstBytes(text, limit), lastBytes(text, limit)]) {
          expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
          expect(text).toContain(cut);
        }
      }),
    );
  });
});

describe("parseMailbox()", () => {
  const good: [string, string, string | undefined][] = [
    ["root", "root", undefined],
    ["ops@example.com", "ops@example.com", undefined],
    ["Operations <ops@example.com>", "ops@example.com", "Operations"],
    ['"Ops, night" <ops@example.com>', "ops@example.com", "Ops, night"],
    ["<ops@example.com>", "ops@example.com", undefined],
  ];
  for (const [text, address, name] of good) {
    test(text, () =>
      expect(parseMailbox(text)).toEqual(name === undefined ? { address } : { address, name }),
    );
  }
  for (const text of [
    "",
    "a b",
    "a,b",
    "-oQ/tmp",
    "a@b\nBcc: c@d",
    "a@b\r",
    "<a@b> <c@d>",
    "a@b;c",
    "a\u2028b",
    "@",
    "a@",
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => expect(parseMailbox(text)).toBeUndefined());
  }
});

describe("renderMail(), whatever names and outputs hold", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom(
      "a\r\nBcc: evil@example.com",
      "\n\nbody",
      "=?UTF-8?B?Cg==?=",
      "\ud800",
      "x".repeat(2000),
      "\u2028",
      " ".repeat(100),
      "\0",
    ),
  );
  const report = fc.record({
    job: text,
    cluster: text,
    host: text,
    user: text,
    run: text,
    commandText: text,
    value: text,
    output: fc.uint8Array({ maxLength: 300 }),
  });
  const expected = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Precedence",
    "X-Cron-Env",
    "X-Rcron-Job",
    "X-Rcron-Run",
    "X-Rcron-Cluster",
    "X-Rcron-Host",
    "X-Rcron-Result",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
  ];

  test("has these headers and no others, in ASCII and short lines, and tells names as they are", () => {
    fc.assert(
      fc.property(report, text, ({ value, output, ...given }, name) => {
        const mail = render(
          sampleRun({ report: { ...given, output: printed(output), environment: [["PATH", value]] } }),
          {
            from: { address: "root@host1", name },
          },
        );
        const [head = ""] = mail.split("\n\n", 1);
        const unfolded = head.replace(/\n(?=[ \t])/g, "");
        expect(unfolded.split("\n").map((line) => line.split(":", 1)[0] ?? "")).toEqual(expected);
        expect(mail).toMatch(/^[\n\t\x20-\x7e]*$/);
        for (const line of mail.split("\n")) expect(line.length).toBeLessThanOrEqual(998);
        expect(head).not.toMatch(/\n[ \t]*\n/);
        if (/^[a-zäöü]{1,40}$/.test(given.job)) expect(header(mail, "X-Rcron-Job")).toBe(given.job);
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps what is not ASCII readable for a mail program", () => {
    const mail = render(sampleRun({ report: { job: "Größe 😀 ".repeat(10).trim() } }));
    expect(header(mail, "X-Rcron-Job")).toBe("Größe 😀 ".repeat(10).trim());
  });
});

/**
 * The two JSON forms of a run's end: the webhook's document and the chat's message.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { NodeEnd } from "../../src/model/run-event.ts";
import { composeMail } from "../../src/notify/compose-mail.ts";
import { composeSlack, slackTextLimit } from "../../src/notify/compose-slack.ts";
import { composeWebhook, webhookBodyLimit, webhookOutputLimit } from "../../src/notify/compose-webhook.ts";
import type { RunReport } from "../../src/notify/notify.ts";
import type { Occasion } from "../../src/notify/run-in-words.ts";
import { endedAtMs, goodRun, printed, sampleRun } from "./sample-run.ts";

const first: Occasion = { failures: 1, failingSinceMs: undefined, sinceLastMail: undefined };
const seventh: Occasion = {
  failures: 7,
  failingSinceMs: endedAtMs - 86_400_000,
  sinceLastMail: { runs: 12, failed: 3 },
};
const same = (text: string) => text;
const nodes: readonly NodeEnd[] = [
  { node: "web1", result: "success", exit: 0, ms: 1200 },
  { node: "web2", result: "failure", exit: 3, ms: 2000 },
  { node: "web3", result: "failure", signal: 11, ms: 2000 },
  { node: "web4", result: "unreachable", ms: 10_000, sentence: "ssh: connect to host web4: <no route>" },
  { node: "web5", result: "unknown", ms: 60_000, sentence: "its run folder is gone" },
  { node: "web6", result: "skipped", ms: 10 },
  { node: "web7", result: "stopped", ms: 900, sentence: "by an operator" },
];
const many = Array.from({ length: 300 }, (_, index): NodeEnd => {
  return { node: `node${index}`, result: index % 50 === 7 ? "failure" : "success", exit: 0, ms: 1 };
});
const ofNodes = sampleRun({ end: { nodes, sentence: "2 of 7 nodes failed", cause: "exit", exit: 1 } });
const owners = [{ name: "Mona", address: "mona@example.com" }];

const webhook = (report: RunReport, occasion = first, redact = same) =>
  JSON.parse(composeWebhook(report, { occasion, redact, outputLimit: 96 * 1024 }));
const slack = (report: RunReport, occasion = first, redact = same): string =>
  JSON.parse(composeSlack(report, { occasion, redact })).text;
const mailBody = (report: RunReport, redact = same): string =>
  composeMail(report, {
    from: { address: "a@b" },
    to: { address: "c@d" },
    occasion: first,
    redact,
    outputLimit: 1000,
  }).body;

describe("the whole of it", () => {
  const forms: [file: string, form: () => string][] = [
    ["webhook-failed.json", () => inLines(webhook(sampleRun({ report: { owners } })))],
    [
      "webhook-recovered.json",
      () => inLines(webhook(goodRun({ end: { attempts: 2 }, report: { output: undefined } }), seventh)),
    ],
    ["webhook-nodes.json", () => inLines(webhook(ofNodes))],
    ["slack-failed.txt", () => slack(sampleRun())],
    ["slack-recovered.txt", () => slack(goodRun({ report: { output: printed("") } }), seventh)],
    ["slack-nodes.txt", () => slack(ofNodes)],
    ["nodes.txt", () => mailBody(ofNodes)],
  ];
  for (const [file, form] of forms) {
    test(file, () => {
      const path = join(import.meta.dir, "../golden/mail", file);
      const told = `${form().trimEnd()}\n`;
      if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, told);
      expect(told).toBe(readFileSync(path, "utf8"));
    });
  }

  test("the message to a chat has a text and nothing else", () => {
    expect(Object.keys(JSON.parse(composeSlack(sampleRun(), { occasion: first, redact: same })))).toEqual([
      "text",
    ]);
  });
});

function inLines(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

describe("composeWebhook()", () => {
  test("says when a row of failures began, also in its first", () => {
    expect(webhook(sampleRun()).failingSinceMs).toBe(endedAtMs);
    expect(webhook(goodRun(), { ...first, failures: 0 })).toMatchObject({ result: "ok", failingSince: null });
  });

  test("names a signal", () => {
    const report = sampleRun({ end: { cause: "signal", signal: 9 } });
    expect(webhook(report)).toMatchObject({ signal: 9, signalName: "SIGKILL" });
  });

  test("tells head and tail of a long output, in text that no screen can be steered by", () => {
    const output = printed(`first\x1b[31m\n${"ä".repeat(100_000)}\nlast\n`);
    const { output: told } = webhook(sampleRun({ report: { output } }));
    expect(told.head).toStartWith("first\\x1b[31m\n");
    expect(told.tail).toEndWith("ä\nlast\n");
    expect(Buffer.byteLength(told.head + told.tail)).toBeLessThanOrEqual(webhookOutputLimit);
    expect(told.bytes).toBe(output.bytes);
    expect(told.leftOut).toBeGreaterThan(150_000);
  });
});

describe("the nodes of a run", () => {
  test("of many the first fifty are told, failures first, and the rest counted", () => {
    const report = sampleRun({ end: { nodes: many } });
    const told = webhook(report);
    expect(told.nodes.length).toBe(50);
    expect(told.nodesLeftOut).toBe(250);
    const results = told.nodes.map(({ result }: NodeEnd) => result);
    expect(results.slice(0, 7)).toEqual([...Array.from({ length: 6 }, () => "failure"), "success"]);
    expect(told.summary).toStartWith("FAILED backup on 300 nodes: ");
    const body = mailBody(report);
    expect(body).toContain("On 300 nodes:\n\n  node7: exit status 0 after ");
    expect(body).toContain("  and 250 more nodes: 250 success\n");
    expect(body).not.toContain("node299");
  });

  test("a chat has as many of them as there is room for, failures first", () => {
    const text = slack(sampleRun({ end: { nodes: many } }));
    expect(text).toMatch(/\nnode7: .*\nnode57: [\s\S]*\nand 2\d\d more nodes: 2\d\d success\n/);
    expect(text.length).toBeLessThanOrEqual(slackTextLimit);
  });

  test("one node is named in the place of the machine that has sent the job there", () => {
    const report = sampleRun({ end: { nodes: nodes.slice(1, 2) } });
    expect(webhook(report).summary).toBe("FAILED backup on web2: exit status 3 after 12 s");
  });
});

describe("a run on nodes of which none could be reached", () => {
  const noRoute = "web1 (web1.example.com) can't be reached: ssh: connect to host 10.77.1.2: no route";
  const away = (...names: string[]) =>
    names.map((node): NodeEnd => ({ node, result: "unreachable", ms: 2000, sentence: noRoute }));
  const unreached = (ends: readonly NodeEnd[]) => {
    const sentence = `could not be started on web1: ${noRoute}; could not be started on web2: ${noRoute}`;
    return sampleRun({
      end: { cause: "not-started", exit: 125, ms: 2000, sentence, nodes: ends },
      report: { output: printed("") },
    });
  };
  const six = ["a", "b", "c", "d", "e", "f"];

  test.each<[string, readonly NodeEnd[], string]>([
    ["two", away("web1", "web2"), "FAILED backup: could not be started on web1, web2 (unreachable)"],
    ["one", away("web1"), "FAILED backup: could not be started on web1 (unreachable)"],
    [
      "with one that was not to run it",
      [...away("web1"), { node: "web2", result: "skipped", ms: 0 }],
      "FAILED backup: could not be started on web1 (unreachable)",
    ],
    [
      "many",
      away(...six, "g"),
      "FAILED backup: could not be started on a, b, c, d, e and 2 more nodes (unreachable)",
    ],
    [
      "some, and others have it",
      [...away("web1"), { node: "web2", result: "success", exit: 0, ms: 1 }],
      "FAILED backup on 2 nodes: could not be started on web1 (unreachable)",
    ],
  ])("is told in a short line, alike by all: %s", (_, ends, expected) => {
    const report = unreached(ends);
    expect(webhook(report).summary).toBe(expected);
    expect(slack(report).split("\n")[0]).toBe(expected);
    expect(mailBody(report).split("\n")[0]).toBe(expected);
  });

  test("has the reason once for each node, in the list", () => {
    const told = mailBody(unreached(away("web1", "web2")));
    expect(told).toContain(
      `It was started on no node:\n\n  web1: unreachable, not started: ${noRoute}\n  web2: unreachable,`,
    );
    expect(told).toContain("  result   could not be started on web1, web2 (unreachable)\n");
    expect(told.split("no route").length - 1).toBe(2);
    expect(told.split("could not be started").length - 1).toBe(2);
    expect(told).toContain("It printed nothing.\n");
  });

  test("says so where there is no node at all", () => {
    const report = sampleRun({
      end: { cause: "not-started", sentence: "there is no node for it", nodes: [] },
    });
    expect(webhook(report).summary).toBe("FAILED backup: could not be started: there is no node for it");
  });

  test("is another thing than a node that has said why it can't start the job", () => {
    const sentence = "failed on web1: backup is not there; could not be started on web2: no route";
    const report = sampleRun({
      end: {
        cause: "not-started",
        sentence,
        nodes: [{ node: "web1", result: "failure", ms: 9, sentence: "backup is not there" }, ...away("web2")],
      },
    });
    expect(webhook(report).summary).toBe(`FAILED backup on 2 nodes: could not be started: ${sentence}`);
  });

  test("and of one on this machine all is told as ever", () => {
    const report = sampleRun({ end: { cause: "not-started", sentence: "permission denied" } });
    expect(webhook(report).summary).toBe(
      "FAILED backup on host1: could not be started: permission denied after 12 s",
    );
  });
});

describe("a run on nodes that printed nothing", () => {
  const silent = sampleRun({ end: { nodes }, report: { output: printed("") } });
  const unknown = sampleRun({ end: { nodes }, report: { output: undefined } });

  test("has an empty output; what is not known is null", () => {
    expect(webhook(silent).output).toEqual({ bytes: 0, head: "", tail: "", leftOut: 0 });
    expect(webhook(unknown).output).toBeNull();
    expect(mailBody(silent)).toContain("\nIt printed nothing.\n");
    expect(mailBody(unknown)).toContain("\nIts output was not kept.\n");
  });
});

describe("who has sent a run to nodes", () => {
  const environment = [["HOME", "/root"] as const, ["USER", "root"] as const];
  const mailOf = (report: RunReport) =>
    composeMail(report, {
      from: { address: "a@b" },
      to: { address: "c@d" },
      occasion: first,
      redact: same,
      outputLimit: 1000,
    });

  test("is not told as where, as whom and in which environment it ran", () => {
    const mail = mailOf(sampleRun({ end: { nodes }, report: { environment } }));
    expect(mail.body).toContain("  sent by  host1, cluster www\n");
    expect(mail.body).not.toMatch(/ {2}where | as root/);
    expect(mail.headers.filter(([name]) => name === "X-Cron-Env")).toEqual([]);
    expect(webhook(ofNodes)).toMatchObject({ host: "host1", user: null });
  });

  test("of one on this machine, it is", () => {
    const mail = mailOf(sampleRun({ report: { environment } }));
    expect(mail.body).toContain("  where    host1, cluster www, as root\n");
    expect(mail.headers.filter(([name]) => name === "X-Cron-Env").length).toBe(2);
    expect(webhook(sampleRun())).toMatchObject({ host: "host1", user: "root" });
  });
});

describe("secrets", () => {
  const redact = (text: string) => text.replaceAll("hunter2", "[redacted]");
  const report = sampleRun({
    end: {
      sentence: "hunter2",
      cause: "not-started",
      nodes: [{ node: "web1", result: "failure", ms: 1, sentence: `${"x".repeat(190)}hunter2` }],
    },
    report: { commandText: "backup --password hunter2", output: printed("with hunter2\n") },
  });
  for (const [form, told] of [
    ["webhook", () => JSON.stringify(webhook(report, first, redact))],
    ["message", () => slack(report, first, redact)],
    ["mail", () => mailBody(report, redact)],
  ] as const) {
    test(`are taken out of the ${form}, whole ones where a text is cut`, () => {
      expect(told()).not.toContain("hunt");
      expect(told()).toContain("[redacted]");
      expect(told()).not.toContain("DB_PASSWORD");
    });
  }
});

describe("composeSlack()", () => {
  const message = (output: string) => slack(sampleRun({ report: { output: printed(output) } }));

  test("calls nobody, begins no link, and ends its block where the output does", () => {
    const text = message("<!channel> @here <https://x|y> & @Everyone ```\n@all mona@example.com\n");
    expect(text).toEndWith(
      "```\n&lt;!channel&gt; @\u200bhere &lt;https://x|y&gt; &amp; @\u200bEveryone `\u200b``\n@\u200ball mona@example.com\n```",
    );
  });

  test("has the last of a long output, in whole lines", () => {
    const lines = Array.from({ length: 300 }, (_, index) => `line ${index} & more`).join("\n");
    const block = message(lines).split("```\n")[1] ?? "";
    expect(block).toMatch(/^\.\.\.\nline \d+ &amp; more\n/);
    expect(block).toEndWith("\nline 299 &amp; more\n```");
  });

  test("one line that is too long is cut, and no escaped character with it", () => {
    const block = message("&".repeat(5000)).split("```\n")[1] ?? "";
    expect(block).toMatch(/^\.\.\.\n(?:&amp;){100,}\n```$/);
    const headline = slack(sampleRun({ report: { host: "&".repeat(600), output: undefined } })).split(
      "\n",
    )[0];
    expect(headline).toMatch(/^FAILED backup on (?:&amp;){50,}\.\.\.$/);
  });
});

test("whatever a run holds, both forms are JSON, short enough, and harmless", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 50 }),
    fc.constantFrom("@channel", "```", "\ud800", "<!here>", "&", "\u202e", '"\\"'),
    fc.constantFrom("\\", '"', "`", "\uffff", "&", "@all ").map((unit) => unit.repeat(3000)),
  );
  const result = fc.constantFrom(
    ...(["success", "failure", "unreachable", "unknown", "skipped", "stopped"] as const),
  );
  const node = fc.record({ node: text, result, ms: fc.nat(), sentence: text });
  const report = fc.record({
    job: text,
    cluster: text,
    host: text,
    user: text,
    run: text,
    commandText: text,
  });
  const someOwners = fc.array(fc.record({ name: text, address: text }), { maxLength: 30 });
  fc.assert(
    fc.property(
      report,
      text,
      fc.array(node, { maxLength: 80 }),
      someOwners,
      fc.oneof(fc.uint8Array({ maxLength: 300 }), text),
      (given, sentence, ends, listed, output) => {
        const run = sampleRun({
          end: { cause: "not-started", sentence, nodes: ends },
          report: { ...given, owners: listed, output: printed(output) },
        });
        const body = composeWebhook(run, { occasion: seventh, redact: same, outputLimit: 96 * 1024 });
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(webhookBodyLimit);
        expect(JSON.parse(body).version).toBe(1);
        const said = slack(run, seventh);
        expect(said.length).toBeLessThanOrEqual(slackTextLimit);
        expect(said).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)|@(?:channel|here|everyone|all)\b/i);
        expect(said.split("```").length).toBeOneOf([1, 3]);
        expect(said.isWellFormed()).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { confDefaults, parseConf, sectionKeys } from "../../src/gate/gate.ts";
import { parseMailThrough } from "../../src/model/mail-through.ts";
import { Problem } from "../../src/model/problem.ts";
import { ruleKeys, ruleOf } from "../../src/model/rule-table.ts";
import { project } from "../support/program.ts";

const confText = fc.oneof(
  fc.string({ unit: "binary" }),
  // Lines that come near to being right.
  fc
    .array(
      fc.tuple(
        fc.constantFrom(
          ...Object.keys(confDefaults),
          "nice",
          "[x]",
          "[job]",
          "[job x]",
          "timeout",
          "#",
          ";",
          "\ufeff",
          "__proto__",
          "toString",
        ),
        fc.constantFrom("=", " = ", ":", " ", "\t", "", "==", "\0"),
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom(
            "active",
            '"',
            "'x'",
            "19",
            "-21",
            "LOG_CRON",
            "/run/s",
            "yes",
            "None",
            "90s",
            "::1",
            "256m",
            "smtp://a:b@c",
            "(a",
          ),
        ),
        fc.constantFrom("\n", "\r\n", "\r", ""),
      ),
    )
    .map((lines) => lines.map((parts) => parts.join("")).join("")),
);

describe("parseConf()", () => {
  test("it is total, and what it accepts is in range", () => {
    fc.assert(
      fc.property(confText, (text) => {
        const parsed = parseConf(text, "f");
        if (parsed instanceof Problem) {
          expect(parsed.code).toBe("invalid");
          expect(parsed.where).toMatch(/^f:\d+$/);
          expect(parsed.message).not.toMatch(/[\x00-\x1f\x7f]/);
          return;
        }
        const { conf, warnings } = parsed;
        expect(conf.niceLevel).toBeWithin(-20, 20);
        expect(conf.stateFile).toStartWith("/");
        expect(["active", "passive"]).toContain(conf.defaultState);
        expect(["active", "passive", "default"]).toContain(conf.whenInDoubt);
        expect(conf.stopGraceMs).toBeWithin(1000, 1000 * 86_400_000 + 1);
        if (conf.witnesses !== undefined) {
          const { writer, boot, address, maxAgeMs } = conf.witnesses;
          expect(writer || boot || address !== undefined || maxAgeMs !== undefined).toBe(true);
          if (address !== undefined) expect([4, 16]).toContain(address.bytes.length);
          if (maxAgeMs !== undefined) expect(maxAgeMs).toBeWithin(1000, 1000 * 86_400_000 + 1);
        }
        expect(conf.clusterName).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f]/);
        for (const warning of warnings) expect(warning).not.toMatch(/[\x00-\x1f\x7f]/);
      }),
      { numRuns: 5000 },
    );
  });

  test("an empty file gives the defaults of docs/compatibility.md", () => {
    expect(parseConf("", "f")).toEqual({
      conf: {
        clusterName: "default_cluster",
        stateFile: "/var/run/rcron.state",
        defaultState: "active",
        syslogFacility: "LOG_CRON",
        syslogLevel: "LOG_INFO",
        niceLevel: 19,
        shell: "words",
        logFormat: "default",
        witnesses: undefined,
        whenInDoubt: "default",
        onPassive: "finish",
        stopGraceMs: 10_000,
        history: "auto",
        historyKeepMs: 90 * 86_400_000,
        historySizeBytes: 256 * 1024 * 1024,
        logCommand: "full",
        redact: undefined,
        mailThrough: "sendmail",
        mailFrom: undefined,
        mailPasswordFile: undefined,
        webhookSecretFile: undefined,
        lines: {},
        sections: undefined,
        daemon: undefined,
      },
      warnings: [],
    });
  });

  const proven = (text: string) => {
    const parsed = parseConf(text, "f");
    if (parsed instanceof Problem) throw parsed;
    return parsed.conf;
  };
  const nobody = { writer: false, boot: false, address: undefined, maxAgeMs: undefined };
  const vip = { text: "192.0.2.10", bytes: new Uint8Array([192, 0, 2, 10]) };

  test.each([
    ["require_writer = yes", { ...nobody, writer: true }],
    ["require_writer = YES\nrequire_boot = Yes", { ...nobody, writer: true, boot: true }],
    ["require_boot = yes\nrequire_writer = NO", { ...nobody, boot: true }],
    ["require_address = 192.0.2.10", { ...nobody, address: vip }],
    ["require_address = '::ffff:192.0.2.10'", { ...nobody, address: { ...vip, text: "::ffff:192.0.2.10" } }],
    ["state_max_age = 90s", { ...nobody, maxAgeMs: 90_000 }],
    ["state_max_age: 1000d", { ...nobody, maxAgeMs: 86_400_000_000 }],
    ["require_writer = No\nrequire_boot = NO\nrequire_address = None\nstate_max_age = NONE", undefined],
  ])("%p: which witnesses it asks", (text, witnesses) => {
    expect(proven(text).witnesses).toEqual(witnesses);
  });

  test.each([
    ["when_in_doubt = Passive", { whenInDoubt: "passive" }],
    ["when_in_doubt active", { whenInDoubt: "active" }],
    ["when_in_doubt = default", { whenInDoubt: "default" }],
    ["on_passive = STOP", { onPassive: "stop" }],
    ["stop_grace = 1s", { stopGraceMs: 1000 }],
    ["stop_grace = 5m", { stopGraceMs: 300_000 }],
    ["stop_grace = hour", { stopGraceMs: 3_600_000 }],
    ["history = NONE", { history: "none" }],
    ["history = /srv/runs", { history: "/srv/runs" }],
    ["history_keep = 7d", { historyKeepMs: 7 * 86_400_000 }],
    ["history_size = 1M", { historySizeBytes: 1024 * 1024 }],
    ["history_size = 1048576", { historySizeBytes: 1024 * 1024 }],
    ["history_size = 100g", { historySizeBytes: 100 * 1024 ** 3 }],
    ["log_command = Name", { logCommand: "name" }],
    ["redact = (?<=--password )\\S+", { redact: "(?<=--password )\\S+" }],
    [
      "mail_through = smtp://rcron@mail.example.org:587",
      { mailThrough: "smtp://rcron@mail.example.org:587" },
    ],
    ["mail_through = smtps://[2001:db8::1]/", { mailThrough: "smtps://[2001:db8::1]/" }],
    ["mail_from = cron@example.org", { mailFrom: "cron@example.org" }],
    ["mail_password_file = /etc/rcron/password", { mailPasswordFile: "/etc/rcron/password" }],
    ["mail_password_file = None", { mailPasswordFile: undefined }],
    ["webhook_secret_file = /etc/rcron/webhook-secret", { webhookSecretFile: "/etc/rcron/webhook-secret" }],
    ["webhook_secret_file = None", { webhookSecretFile: undefined }],
  ])("%p is understood", (text, part) => {
    expect(proven(text)).toMatchObject(part as object);
  });

  test("etc/rcron.conf.example sets every key to its default, without a warning", () => {
    const text = readFileSync(join(project, "etc/rcron.conf.example"), "utf8");
    const parsed = parseConf(text, "rcron.conf.example");
    const defaults = parseConf("", "f");
    if (parsed instanceof Problem || defaults instanceof Problem) throw parsed;
    expect(parsed.warnings).toEqual([]);
    expect(Object.keys(parsed.conf.lines).sort()).toEqual(Object.keys(confDefaults).sort());
    expect({ ...parsed.conf, lines: {} }).toEqual(defaults.conf);
  });

  test("what every value of the example file is, is proven as well: the shortcut for defaults says the same", () => {
    // A value that is written otherwise than the default, and means the same, goes the long way.
    const same = proven(
      "history = AUTO\nhistory_keep = 2160h\nhistory_size = 256M\nlog_command = FULL\nredact = NONE\nmail_through = Sendmail\nmail_from = None\nmail_password_file = NONE\nstop_grace = 10s\n",
    );
    expect({ ...same, lines: {} }).toEqual(proven(""));
  });

  test("keeps the sections, unread, with the line of the first header", () => {
    expect(proven("cluster_name = a\n\n  [Job]\ntimeout = 5m\n[job x]\n")).toMatchObject({
      clusterName: "a",
      lines: { cluster_name: 1 },
      sections: { text: "[Job]\ntimeout = 5m\n[job x]\n", fromLine: 3 },
    });
  });

  test.each([
    ["alone", "[daemon]\nlog = both\n", undefined],
    ["alone, with a line that is none", "nice_level = 5\n[Daemon]\nnonsense\n", undefined],
    ["before the rules", "[daemon]\nlog = both\n # x\n [job x]\ntimeout = 5m\n", "[job x]\ntimeout = 5m\n"],
    ["twice before the rules", "[daemon]\n[daemon]\n[job]", "[job]"],
    ["behind the rules", "[job]\n[daemon]\nlog = both\n", "[job]\n[daemon]\nlog = both\n"],
  ])("[daemon] %s: is left to rcrond, and a job has no rules but those of [job]", (_, text, rules) => {
    expect(proven(text).sections?.text).toBe(rules);
  });

  test.each(["[daemon x]", "[daemons]", "[ daemon ]", "[daemon] # x", "[x]", "[daemon"])(
    "%s is no section, also behind [daemon]",
    (header) => {
      for (const before of ["", "[daemon]\n"]) {
        const parsed = parseConf(`${before}${header}\n`, "f");
        expect(parsed).toHaveProperty("code", "invalid");
        expect(parsed).toHaveProperty("where", `f:${before === "" ? 1 : 2}`);
      }
    },
  );

  test("a key of rcrond at the top level is told where it belongs", () => {
    expect(parseConf("concurrency = 5\n", "f")).toHaveProperty("warnings", [
      'f:1: "concurrency" is for rcrond, and must stand below a line [daemon]: ignored',
    ]);
  });

  test("knows the keys of sections, to tell one at the top level", () => {
    expect(sectionKeys.split(" ").sort()).toEqual(
      ruleKeys.filter((key) => ruleOf(key).isOptionOnly !== true).sort(),
    );
  });

  test.each([
    ["sendmail"],
    ["/usr/sbin/msmtp"],
    ["smtp://mail.example.org"],
    ["smtp://me@mail.example.org:587"],
    ["smtp://mail.example.org:587?tls=required&ca=/etc/ca.pem"],
    ["smtp://mail.example.org/?tls=never"],
    ["smtp://mail.example.org?tls=offered"],
    ["smtps://[2001:db8::1]:465?ca=/etc/ca.pem"],
    ["smtps://mail.example.org?tls=required"],
    ["smtp://mail.example.org?tls=maybe"],
    ["smtp://mail.example.org?tls=never&ca=/etc/ca.pem"],
    ["smtp://mail.example.org?tls=never&tls=never"],
    ["smtp://mail.example.org?ca=ca.pem"],
    ["smtp://mail.example.org?pool=1"],
    ["smtp://mail.example.org#x"],
    ["smtp://mail.example.org/x"],
    ["smtp://mail.example.org:0"],
    ["smtp://mail example.org"],
    ["smtp://"],
    ["smtp:"],
    ["lmtp://mail.example.org"],
    ["mail.example.org"],
  ])("mail_through = %s is refused here if mail could not go that way, and only then", (way) => {
    const isRefused = parseConf(`mail_through = ${way}\n`, "f") instanceof Problem;
    expect(isRefused).toBe(parseMailThrough(way) instanceof Problem);
  });

  test("a password in mail_through is in no message", () => {
    for (const server of ["smtp://me:secret@host", "smtp://me:secret@host/x y", "http://me:secret@host"]) {
      const parsed = parseConf(`mail_through = ${server}\n`, "f");
      expect(parsed).toHaveProperty("code", "invalid");
      expect(JSON.stringify(parsed) + (parsed instanceof Problem && parsed.message)).not.toContain("secret");
    }
  });

  test("an unknown facility is answered with the nearest one", () => {
    const parsed = parseConf("syslog_facility = LOG_CORN\n", "f");
    expect(parsed).toHaveProperty("hint", "did you mean LOG_CRON?");
  });

  test("an address with a prefix length is answered with what one looks like", () => {
    const parsed = parseConf("require_address = 192.0.2.10/24\n", "f");
    expect(parsed).toHaveProperty(
      "hint",
      expect.stringContaining("without a prefix length, such as 192.0.2.10"),
    );
  });
});

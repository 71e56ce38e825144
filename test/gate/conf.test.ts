import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { confDefaults, parseConf } from "../../src/gate/gate.ts";
import { Problem } from "../../src/model/problem.ts";
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
          "#",
          ";",
          "\ufeff",
          "__proto__",
          "toString",
        ),
        fc.constantFrom("=", " = ", ":", " ", "\t", "", "==", "\0"),
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom("active", '"', "'x'", "19", "-21", "LOG_CRON", "/run/s"),
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
        lines: {},
      },
      warnings: [],
    });
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

  test("an unknown facility is answered with the nearest one", () => {
    const parsed = parseConf("syslog_facility = LOG_CORN\n", "f");
    expect(parsed).toHaveProperty("hint", "did you mean LOG_CRON?");
  });
});

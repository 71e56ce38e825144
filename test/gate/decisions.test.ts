/**
 * The golden decisions: configuration and state in, verdict, warnings and log line out; one small file a case in
 * test/golden/decisions. A section `state` is the state file's content, with C's escapes; `state unreadable` is the
 * system's reason why there is none.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Conf, decide, parseConf, parseState, type StateReading } from "../../src/gate/gate.ts";
import { ignoreLine, startLine } from "../../src/model/log-line.ts";
import { Problem } from "../../src/model/problem.ts";
import { project } from "../support/program.ts";
import { readSections } from "../support/sections.ts";

const folder = join(project, "test/golden/decisions");

describe("decide(): docs/compatibility.md", () => {
  for (const file of readdirSync(folder).sort()) {
    const { heading, sections } = readSections(readFileSync(join(folder, file), "utf8"));
    test(`${file.replace(/\.txt$/, "")}: ${heading}`, () => {
      const parsed = parseConf(sections.get("rcron.conf") ?? "", "rcron.conf");
      const decided = parsed instanceof Problem ? `refused: ${parsed.message}` : told(parsed.conf, sections);
      const warnings =
        parsed instanceof Problem ? [] : parsed.warnings.map((warning) => `warning: ${warning}`);
      expect([...warnings, decided].join("\n")).toBe((sections.get("decision") ?? "").trimEnd());
    });
  }
});

function told(conf: Conf, sections: ReadonlyMap<string, string>): string {
  const verdict = decide(conf, reading(conf.stateFile, sections));
  const words = (sections.get("words") ?? "my-job\n").trimEnd().split("\n");
  const context = { clusterName: conf.clusterName, commandText: words.join(" "), extension: undefined };
  const line = verdict.state === "active" ? startLine(context) : ignoreLine(context);
  return [
    `${verdict.state} ${verdict.reason}`,
    `${verdict.isDefault ? "warning: " : ""}${verdict.sentence}`,
    `${conf.syslogFacility} ${conf.syslogLevel} ${line}`,
  ].join("\n");
}

function reading(path: string, sections: ReadonlyMap<string, string>): StateReading {
  const unreadable = sections.get("state unreadable")?.trimEnd();
  if (unreadable !== undefined) {
    const [code = "", text = ""] = unreadable.split(/: (.*)/);
    return { kind: "unreadable", path, error: { code, text } };
  }
  const content = withoutEscapes(sections.get("state") ?? "");
  const state = parseState(content);
  return state === undefined ? { kind: "corrupted", path, content } : { kind: "word", path, state };
}

/** One line with C's escapes, without its end. */
function withoutEscapes(text: string): Uint8Array {
  const line = text.replace(/\n$/, "");
  const raw = line.replace(/\\(n|r|t|0|\\|x[0-9a-f]{2})/g, (_, name: string) => {
    if (name.startsWith("x")) return String.fromCharCode(Number.parseInt(name.slice(1), 16));
    return { n: "\n", r: "\r", t: "\t", "0": "\0", "\\": "\\" }[name] ?? "";
  });
  return new Uint8Array(Buffer.from(raw, "latin1"));
}

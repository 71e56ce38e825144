/**
 * A golden decision: a small file in test/golden/decisions with configuration, state and what the witnesses say in it, and
 * the verdict, the warnings and the log line that must come of them.
 *
 * - `rcron.conf`: the configuration
 * - `state`: the state file's content, with C's escapes; or `state unreadable`: the system's reason why there is none
 * - `testimony`: `now = 2026-11-21T12:00:00Z`, `uptime = 500.00`, `boot_id = b1`, `process 1234 = alive` (or `stopped`, `dead`),
 *   `address = here` (or `absent`, `unknown`), `file written = …`; a question without a line has no answer
 * - `words`: the command, without this section `my-job`
 * - `decision`: what must come of it
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Conf,
  decide,
  parseConf,
  parseState,
  type StateReading,
  type Testimony,
} from "../../src/gate/gate.ts";
import { ignoreLine, startLine } from "../../src/model/log-line.ts";
import { Problem } from "../../src/model/problem.ts";
import { noProvenance, parseProvenance, writerProcesses } from "../../src/model/provenance.ts";
import { project } from "../support/program.ts";
import { readSections } from "../support/sections.ts";

export interface GoldenDecision {
  /** The file's, without its ending. */
  readonly name: string;
  readonly claim: string;
  /** What must come of it. */
  readonly decision: string;
  /** What comes of it. */
  told(): string;
}

const folder = join(project, "test/golden/decisions");

export function goldenDecisions(): GoldenDecision[] {
  return readdirSync(folder)
    .sort()
    .map((file) => {
      const { heading, sections } = readSections(readFileSync(join(folder, file), "utf8"));
      return {
        name: file.replace(/\.txt$/, ""),
        claim: heading,
        decision: (sections.get("decision") ?? "").trimEnd(),
        told: () => tell(sections),
      };
    });
}

type Sections = ReadonlyMap<string, string>;

function tell(sections: Sections): string {
  const parsed = parseConf(sections.get("rcron.conf") ?? "", "rcron.conf");
  if (parsed instanceof Problem) return `refused: ${parsed.message}`;
  const { conf, warnings } = parsed;
  return [...warnings.map((warning) => `warning: ${warning}`), ...decided(conf, sections)].join("\n");
}

function decided(conf: Conf, sections: Sections): string[] {
  const reading = readingOf(conf.stateFile, sections);
  const verdict = decide(conf, reading, testimonyOf(conf, reading, sections.get("testimony")));
  const words = (sections.get("words") ?? "my-job\n").trimEnd().split("\n");
  const context = { clusterName: conf.clusterName, commandText: words.join(" "), extension: undefined };
  const line = verdict.state === "active" ? startLine(context) : ignoreLine(context);
  return [
    `${verdict.state} ${verdict.reason}`,
    `${verdict.isDefault ? "warning: " : ""}${verdict.sentence}`,
    `${conf.syslogFacility} ${conf.syslogLevel} ${line}`,
  ];
}

function readingOf(path: string, sections: Sections): StateReading {
  const unreadable = sections.get("state unreadable")?.trimEnd();
  if (unreadable !== undefined) {
    const [code = "", text = ""] = unreadable.split(/: (.*)/);
    return { kind: "unreadable", path, error: { code, text } };
  }
  const content = withoutEscapes(sections.get("state") ?? "");
  const state = parseState(content);
  if (state === undefined) return { kind: "corrupted", path, content };
  const provenance = parseProvenance(new TextDecoder().decode(content));
  return { kind: "word", path, state, provenance };
}

/** @throws {Error} for what this form does not know, or a process of the writer without a line: a slip would pass for silence */
function testimonyOf(conf: Conf, reading: StateReading, section: string | undefined): Testimony | undefined {
  const provenance = reading.kind === "word" ? reading.provenance : noProvenance;
  const isAsked = conf.witnesses !== undefined || provenance.validUntilMs !== undefined;
  if (section === undefined) {
    if (reading.kind === "word" && isAsked) throw new Error("witnesses are asked, and there is no testimony");
    return undefined;
  }
  const answers = new Map(section.trimEnd().split("\n").map(answerOf));
  const take = (question: string) => {
    const answer = answers.get(question);
    answers.delete(question);
    return answer;
  };
  const [now, uptime, bootId] = [take("now"), take("uptime"), take("boot_id")];
  const [address, written] = [take("address"), take("file written")];
  const processes = conf.witnesses?.writer ? writerProcesses(provenance.writer) : [];
  const writers = processes.map((process) => ({
    process,
    life: oneOf(["alive", "stopped", "dead"], take(`process ${process.pid}`)),
  }));
  if (answers.size > 0) throw new Error(`testimony must not tell what is not asked: ${[...answers.keys()]}`);
  return {
    nowMs: Date.parse(now ?? ""),
    ...(uptime !== undefined && { uptimeS: Number(uptime) }),
    ...(bootId !== undefined && { bootId }),
    ...(conf.witnesses?.writer && { writers }),
    ...(address !== undefined && { address: oneOf(["here", "absent", "unknown"], address) }),
    ...(written !== undefined && { fileWrittenAtMs: Date.parse(written) }),
  };
}

function answerOf(line: string): [question: string, answer: string] {
  const [question = "", answer = ""] = line.split(" = ");
  return [question, answer];
}

function oneOf<Word extends string>(words: readonly Word[], got: string | undefined): Word {
  const word = words.find((each) => each === got);
  if (word === undefined) throw new Error(`must be one of ${words}: got ${got}`);
  return word;
}

/** Without the last line's end: each `\n` within stands for itself, as C's escapes do. */
function withoutEscapes(text: string): Uint8Array {
  const raw = text.replace(/\n$/, "").replace(/\\(n|r|t|0|\\|x[0-9a-f]{2})/g, (_, name: string) => {
    if (name.startsWith("x")) return String.fromCharCode(Number.parseInt(name.slice(1), 16));
    return { n: "\n", r: "\r", t: "\t", "0": "\0", "\\": "\\" }[name] ?? "";
  });
  return new Uint8Array(Buffer.from(raw, "latin1"));
}

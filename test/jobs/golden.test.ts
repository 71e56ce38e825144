/**
 * The golden job files: a small file in test/golden/jobs with a job file or a crontab, and what must come of it.
 *
 * - `job`, `crontab` or `system.crontab`: the file, named so below the tree; the last one's lines name their users. `job.json`,
 *   `node.json`: files of distcrond; `ownerless.json`: a job's where none needs an owner. `rcron.conf`: its sections
 * - `jobs`: of each job its name, and what is not as in a job that says nothing but `every 1h` and `run true`
 * - `nodes`: what a node's file defines
 * - `problems`, `warnings`: what is told, with the hints
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type FileReading,
  parseAcronFile,
  parseCrontabFile,
  parseDistcrondJob,
  parseDistcrondNode,
} from "../../src/jobs/jobs.ts";
import { parseJobSections } from "../../src/model/job-sections.ts";
import { formatOutputRule } from "../../src/model/output-rule.ts";
import { placementInWords } from "../../src/model/placement.ts";
import { Problem } from "../../src/model/problem.ts";
import { noRules } from "../../src/model/rules.ts";
import type { Schedule } from "../../src/model/schedule.ts";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import { project } from "../support/program.ts";
import { readSections } from "../support/sections.ts";
import { terms } from "./terms.ts";

const folder = join(project, "test/golden/jobs");
/** Set by whoever changes what is told, and looks at the difference afterwards. */
const isRewriting = process.env["RCRON_GOLDEN"] === "write";

describe("job files: docs/jobs.md", () => {
  for (const file of readdirSync(folder).sort()) {
    const text = readFileSync(join(folder, file), "utf8");
    const { heading, sections } = readSections(text);
    test(`${file.replace(/\.txt$/, "")}: ${heading}`, () => {
      const told = tell(read(sections));
      if (isRewriting)
        writeFileSync(
          join(folder, file),
          `${text.replace(/^-- (jobs|nodes|problems|warnings) --\n[\s\S]*/m, "")}${told}`,
        );
      const from = text.search(/^-- (?:jobs|nodes|problems|warnings) --$/m);
      expect(told).toBe(isRewriting ? told : text.slice(from));
    });
  }
});

function read(sections: ReadonlyMap<string, string>): FileReading {
  const conf = sections.get("rcron.conf");
  const rules = conf === undefined ? undefined : parseJobSections({ text: conf, fromLine: 1 }, "rcron.conf");
  if (rules instanceof Problem) throw rules;
  const all = rules === undefined ? terms : { ...terms, sections: rules };
  const job = sections.get("job");
  if (job !== undefined) return parseAcronFile(job, "web/job", "web/job", all);
  const json = sections.get("job.json");
  if (json !== undefined) return parseDistcrondJob(json, "job1.json", "job1", all);
  const ownerless = sections.get("ownerless.json");
  if (ownerless !== undefined)
    return parseDistcrondJob(ownerless, "job1.json", "job1", { ...all, isOwnerOptional: true });
  const node = sections.get("node.json");
  if (node !== undefined) return parseDistcrondNode(node, "web1.json", "web1");
  const system = sections.get("system.crontab");
  const own = sections.get("crontab");
  const user =
    system === undefined ? ({ kind: "owner", name: undefined } as const) : ({ kind: "column" } as const);
  return parseCrontabFile(system ?? own ?? "", { path: "my.crontab", prefix: "my", user }, all);
}

function tell({ jobs, nodes = [], problems, warnings }: FileReading): string {
  return [
    ...(jobs.length === 0 ? [] : ["-- jobs --", ...jobs.flatMap(tellJob)]),
    ...(nodes.length === 0 ? [] : ["-- nodes --", ...nodes.map((node) => JSON.stringify(node))]),
    ...(problems.length === 0 ? [] : ["-- problems --", ...problems.flatMap(tellProblem)]),
    ...(warnings.length === 0 ? [] : ["-- warnings --", ...warnings.flatMap(tellProblem)]),
    "",
  ].join("\n");
}

function tellProblem({ message, hint }: Problem): string[] {
  return [message, ...(hint === undefined ? [] : [`  hint: ${hint}`])];
}

function tellJob(job: ScheduledJob): string[] {
  const plain: Readonly<Record<string, unknown>> = { ...noRules, name: job.name };
  const { outputs, ...rules } = job.rules;
  const told: [string, unknown][] = [
    ["schedule", tellSchedule(job.schedule)],
    ["command", job.command.kind === "shell" ? job.command.line : job.command.words],
    ["environment", job.environment.map(({ name, value }) => `${name}=${value}`)],
    ["stdin", job.stdin],
    ["outputs", outputs.map(formatOutputRule)],
    ...Object.entries(rules).filter(([key, value]) => !Bun.deepEquals(value, plain[key])),
    ["isCluster", job.isCluster || undefined],
    ["missed", job.missed === "skip" ? undefined : job.missed],
    ["startDeadlineMs", job.startDeadlineMs],
    ["description", job.description],
    ["mailTo", job.mailTo],
    ["placement", job.placement && placementInWords(job.placement)],
    ["earlierRuns", job.placement?.earlierRuns],
    ["owners", job.owners?.map(({ name, address }) => `${name} <${address}>`)],
  ];
  const isTold = ([, value]: [string, unknown]) =>
    value !== undefined && !(Array.isArray(value) && value.length === 0);
  return [
    `${job.name} (line ${job.source.line})`,
    ...told.filter(isTold).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
  ];
}

function tellSchedule(schedule: Schedule): string {
  if (schedule.kind === "reboot") return "reboot";
  if (schedule.kind === "every" && schedule.isSpread) return `once in ${schedule.periodMs} ms, spread`;
  if (schedule.kind === "every") return `every ${schedule.periodMs} ms, ${schedule.offsetMs} ms into it`;
  return `${schedule.expression.text}${schedule.zone === undefined ? "" : ` in ${schedule.zone.name}`}`;
}

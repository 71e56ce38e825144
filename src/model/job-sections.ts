/**
 * The sections of rcron.conf: `[job]`, the rules of every job, and `[job NAME]`, those of one. Read only where a job is to
 * run or somebody asks; a passive machine passes them over. `[daemon]` and `[node NAME]`, which may stand among them, are rcrond's
 * (gate/daemon-conf.ts, gate/node-sections.ts): here they are passed over unread, so that a slip in them stops no job of a crontab.
 *
 * What is mistyped here is a Problem and never a warning: a job must not run without the timeout or the lock that somebody
 * meant it to have.
 */
import { nearestWord } from "./nearest-word.ts";
import { quoted } from "./printable.ts";
import { Problem } from "./problem.ts";
import {
  isJobName,
  jobNameRule,
  proveRules,
  type RuleKey,
  type RuleLayer,
  type RuleText,
  ruleKeys,
  ruleOf,
} from "./rule-table.ts";
import {
  headerHint,
  isDaemonHeader,
  isNodeHeader,
  nextHeader,
  type Place,
  readSettings,
  type SectionText,
  type Setting,
} from "./setting-lines.ts";

/** The sections of a configuration, read but not proven. */
export interface JobSections {
  /** By the NAME in `[job NAME]`. */
  readonly jobs: ReadonlyMap<string, RuleLayer>;
  /** Of `[job]`. */
  readonly defaults: RuleLayer;
}

const sectionKeys = ruleKeys.filter((key) => ruleOf(key).isOptionOnly !== true);

/**
 * Reads the sections. Pure and total; the values are left to `proveRules`.
 * @param path how messages name the file
 * @returns the sections, or the first Problem (`invalid`)
 */
export function parseJobSections(sections: SectionText | undefined, path: string): JobSections | Problem {
  const jobs = new Map<string, RuleLayer>();
  const linesOfHeaders = new Map<string | undefined, number>();
  let defaults: RuleLayer = [];
  let header: Place | undefined = sections && { at: 0, line: sections.fromLine };
  while (sections !== undefined && header !== undefined) {
    const where = `${path}:${header.line}`;
    const lineEnd = sections.text.indexOf("\n", header.at);
    const end = lineEnd < 0 ? sections.text.length : lineEnd;
    const written = sections.text.slice(header.at, end).trim();
    if (isDaemonHeader(written) || isNodeHeader(written)) {
      header = nextHeader(sections.text, { at: end + 1, line: header.line + 1 });
      continue;
    }
    const name = parseHeader(written, where);
    if (name instanceof Problem) return name;
    const before = linesOfHeaders.get(name);
    if (before !== undefined) {
      const rule = `${name === undefined ? "[job]" : `[job ${name}]`} must stand once: it begins on line ${before} already`;
      return new Problem("invalid", rule, { where, hint: "put the lines of the two together" });
    }
    linesOfHeaders.set(name, header.line);
    const read = readSettings(sections.text, path, { at: end + 1, line: header.line + 1 });
    if (read instanceof Problem) return read;
    const layer = layerOf(read.settings, path);
    if (layer instanceof Problem) return layer;
    if (name === undefined) defaults = layer;
    else jobs.set(name, layer);
    header = read.header;
  }
  return { jobs, defaults };
}

/**
 * Proves every section, also those of jobs that nobody runs now.
 * @returns the first Problem (`invalid`)
 */
export function proveJobSections({ jobs, defaults }: JobSections): Problem | undefined {
  for (const layer of [defaults, ...jobs.values()]) {
    const rules = proveRules([layer]);
    if (rules instanceof Problem) return rules;
  }
  return undefined;
}

/**
 * The layers of one job, as `proveRules` wants them.
 * @param options those given before the command; `--name` among them picks the section
 * @param commandName what the job is called without `--name`
 */
export function layersOf(
  options: RuleLayer,
  { jobs, defaults }: JobSections,
  commandName: string,
): RuleLayer[] {
  const name = options.find(({ key }) => key === "name")?.text ?? commandName;
  return [options, jobs.get(name) ?? [], defaults];
}

/** @returns the name; undefined for `[job]` */
function parseHeader(line: string, where: string): string | undefined | Problem {
  const [, inner] = /^\[job(|[ \t][^\n]*)\]$/i.exec(line) ?? [];
  if (inner === undefined) {
    const rule = `sections must be [job], [job NAME], [daemon] or [node NAME]: got ${quoted(line)}`;
    const hint = headerHint(line);
    return new Problem("invalid", rule, { where, ...(hint !== undefined && { hint }) });
  }
  const name = inner.trim();
  if (name === "") return undefined;
  return isJobName(name)
    ? name
    : new Problem("invalid", `NAME in [job NAME] ${jobNameRule}: got ${quoted(name)}`, { where });
}

function layerOf(settings: readonly Setting[], path: string): RuleLayer | Problem {
  const layer: RuleText[] = [];
  const lines = new Map<RuleKey, number>();
  for (const { written, key: word, value, line } of settings) {
    const where = `${path}:${line}`;
    const key = sectionKeys.find((known) => known === word);
    if (key === undefined) return unknownKey(written, word, where);
    const before = lines.get(key);
    if (before !== undefined && ruleOf(key).isRepeatable !== true) {
      const rule = `${key} must be set once in a section: it is set on line ${before} already`;
      return new Problem("invalid", rule, { where, hint: "keep one of the two lines" });
    }
    lines.set(key, line);
    layer.push({ key, text: value, where });
  }
  return layer;
}

function unknownKey(written: string, key: string, where: string): Problem {
  if (key === "name") {
    const rule = "a section's name must stand in its header: [job NAME]";
    return new Problem("invalid", rule, { where });
  }
  const near = nearestWord(key, sectionKeys);
  return new Problem("invalid", `a key of a section must be a rule for jobs: got ${quoted(written)}`, {
    where,
    hint:
      near === undefined
        ? "rcron --help lists the rules; keys that are for no job stand above the first section, or below [daemon] and [node NAME]"
        : `did you mean ${near}?`,
  });
}

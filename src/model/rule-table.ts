/**
 * The table of all rules: one row a rule, whether it is given as an option before the command (`--retry-delay 30s`) or as
 * a key of a section of rcron.conf (`retry_delay = 30s`). Options, sections, help, completions and manual pages are read
 * from it or compared with it.
 *
 * Rules come in layers: the options beat `[job NAME]`, and that beats `[job]`. `none` takes back what a lower layer says.
 */
import { nearestWord } from "./nearest-word.ts";
import { printable, quoted } from "./printable.ts";
import { Problem } from "./problem.ts";
import { hidePassword } from "./redact.ts";
import {
  hideKey,
  integer,
  isJobName,
  isNone,
  jobNameRule,
  orNone,
  type ProvenRule,
  type Prover,
  path,
  proveCondition,
  proveError,
  proveOutput,
  proveOverlap,
  proveSuccess,
  proveUmask,
  proveUser,
  time,
  url,
  word,
} from "./rule-values.ts";
import { noRules, type Rules } from "./rules.ts";

export { isJobName, jobNameRule } from "./rule-values.ts";

/** The headings under which help and manual have the rules, in their order. */
export const ruleGroups = {
  when: "Whether and when it starts",
  end: "How it ends",
  output: "What becomes of its output",
  who: "As whom and where it runs",
} as const;

/** One row of {@link ruleTable}. */
export interface RuleRow {
  readonly group: keyof typeof ruleGroups;
  /** What stands for the value in help; undefined: an option without a value, which a section writes as yes or no. */
  readonly value?: string;
  /** For help; a few words. */
  readonly help: string;
  /** The value that changes nothing; what `prove` makes of it is in `noRules`. */
  readonly byDefault: string;
  /** The words that the value may be, where it is one of a few: for the nearest one, and for completions. */
  readonly words?: readonly string[];
  /** May be given several times in one layer. */
  readonly isRepeatable?: true;
  /** Not a key of a section. */
  readonly isOptionOnly?: true;
  /** The value holds a password, perhaps; `key`: all behind the host of this URL is one. */
  readonly isSecret?: true | "key";
  readonly prove: Prover;
}

/** A value as it was given, not proven yet. */
export interface RuleText {
  readonly key: RuleKey;
  readonly text: string;
  /** `file:line` of a section; undefined for an option. */
  readonly where: string | undefined;
}

/** What one place says: the options, `[job NAME]` or `[job]`. A key stands once in it, `output` as often as one likes. */
export type RuleLayer = readonly RuleText[];

/** A rule, as a section has it. */
export type RuleKey = keyof typeof ruleTable;

/** Every rule. */
export const ruleTable = {
  if: {
    group: "when",
    value: "COMMAND",
    help: "run only if this shell line exits 0",
    byDefault: "none",
    prove: orNone(proveCondition, { condition: undefined }),
  },
  if_timeout: {
    group: "when",
    value: "TIME",
    help: "how long that may take; longer is a no",
    byDefault: "1m",
    prove: (text) => time(text, (conditionTimeoutMs) => ({ conditionTimeoutMs })),
  },
  overlap: {
    group: "when",
    value: "WHAT",
    help: "while an earlier run goes on: allow, skip, wait[=5m], or clobber, which ends the earlier one",
    byDefault: "allow",
    words: ["allow", "skip", "wait", "clobber"],
    prove: proveOverlap,
  },
  overlap_scope: {
    group: "when",
    value: "WHAT",
    help: "job: an earlier run goes on until the job has ended; tree: until all that it started has",
    byDefault: "job",
    words: ["job", "tree"],
    prove: (text) => word(text, ["job", "tree"], (overlapScope) => ({ overlapScope })),
  },
  splay: {
    group: "when",
    value: "TIME",
    help: "start later, by this machine's own share of so much, always the same",
    byDefault: "none",
    prove: orNone((text) => time(text, (splayMs) => ({ splayMs })), { splayMs: undefined }),
  },
  jitter: {
    group: "when",
    value: "TIME",
    help: "start later, by a random time of up to so much",
    byDefault: "none",
    prove: orNone((text) => time(text, (jitterMs) => ({ jitterMs })), { jitterMs: undefined }),
  },
  timeout: {
    group: "end",
    value: "TIME",
    help: "TERM to all of the job after so long, then KILL; the run has failed",
    byDefault: "none",
    prove: orNone((text) => time(text, (timeoutMs) => ({ timeoutMs })), { timeoutMs: undefined }),
  },
  grace: {
    group: "end",
    value: "TIME",
    help: "from TERM to KILL (default: as long as the timeout)",
    byDefault: "none",
    prove: orNone((text) => time(text, (graceMs) => ({ graceMs })), { graceMs: undefined }),
  },
  preserve_status: {
    group: "end",
    help: "after a timeout exit as the job did, not with 124",
    byDefault: "no",
    words: ["yes", "no"],
    prove: (text) => word(text, ["yes", "no"], (is) => ({ preserveStatus: is === "yes" })),
  },
  error: {
    group: "end",
    value: "WHAT",
    help: "what is a failure: if-nonzero, if-stderr, or both with a comma",
    byDefault: "if-nonzero",
    words: ["if-nonzero", "if-stderr"],
    prove: proveError,
  },
  success: {
    group: "end",
    value: "STATUS",
    help: "exit statuses that are no failure, such as 0,3",
    byDefault: "0",
    prove: proveSuccess,
  },
  retry: {
    group: "end",
    value: "N",
    help: "start a failed job again, so often at most",
    byDefault: "0",
    prove: (text) => integer(text, 0, 100, (retries) => ({ retries })),
  },
  retry_delay: {
    group: "end",
    value: "TIME",
    help: "before the first retry; doubled for each further one",
    byDefault: "30s",
    prove: (text) => time(text, (retryDelayMs) => ({ retryDelayMs })),
  },
  skip_exit: {
    group: "end",
    value: "N",
    help: "exit status where nothing was run: passive, overlap, --if",
    byDefault: "0",
    prove: (text) => integer(text, 0, 255, (skipExit) => ({ skipExit })),
  },
  output: {
    group: "output",
    value: "WHERE",
    help: "a file to append to, an address to mail to, syslog, or cron, which is this output; if-error: before it means only if the job fails; may be given several times",
    byDefault: "none",
    isRepeatable: true,
    prove: orNone(proveOutput, { outputs: [] }),
  },
  mail_every: {
    group: "output",
    value: "TIME",
    help: "at most one mail, and one message to --slack, in this time",
    byDefault: "none",
    prove: orNone((text) => time(text, (mailEveryMs) => ({ mailEveryMs })), { mailEveryMs: undefined }),
  },
  ping: {
    group: "output",
    value: "URL",
    help: "tell start and end to a service like healthchecks.io",
    byDefault: "none",
    isSecret: true,
    prove: orNone((text) => url(text, (pingUrl) => ({ pingUrl })), { pingUrl: undefined }),
  },
  webhook: {
    group: "output",
    value: "URL",
    help: "tell failure and recovery to this URL, as JSON",
    byDefault: "none",
    isSecret: "key",
    prove: orNone((text) => url(text, (webhookUrl) => ({ webhookUrl })), { webhookUrl: undefined }),
  },
  webhook_when: {
    group: "output",
    value: "WHAT",
    help: "what the webhook is told of: change, failure (each one, and the recovery) or always",
    byDefault: "change",
    words: ["change", "failure", "always"],
    prove: (text) => word(text, ["change", "failure", "always"], (webhookWhen) => ({ webhookWhen })),
  },
  slack: {
    group: "output",
    value: "URL",
    help: "tell failure and recovery to a chat, by an incoming webhook as Slack has them",
    byDefault: "none",
    isSecret: "key",
    prove: orNone((text) => url(text, (slackUrl) => ({ slackUrl })), { slackUrl: undefined }),
  },
  name: {
    group: "who",
    value: "NAME",
    help: "the job's name, which picks the section [job NAME] (default: the base name of the command)",
    byDefault: "the base name of the command",
    isOptionOnly: true,
    prove: (text) => (isJobName(text) ? { name: text } : jobNameRule),
  },
  nice: {
    group: "who",
    value: "N",
    help: "the priority, -20 to 19 (default: nice_level)",
    byDefault: "none",
    prove: orNone((text) => integer(text, -20, 19, (niceLevel) => ({ niceLevel })), { niceLevel: undefined }),
  },
  user: {
    group: "who",
    value: "NAME",
    help: "run as this user, with all groups (root only)",
    byDefault: "none",
    prove: orNone(proveUser, { user: undefined }),
  },
  cwd: {
    group: "who",
    value: "DIR",
    help: "the folder to run in",
    byDefault: "none",
    prove: orNone((text) => path(text, (workingFolder) => ({ workingFolder })), { workingFolder: undefined }),
  },
  umask: {
    group: "who",
    value: "MODE",
    help: "such as 027",
    byDefault: "none",
    prove: orNone(proveUmask, { umask: undefined }),
  },
  env_file: {
    group: "who",
    value: "FILE",
    help: "NAME=value lines for the job's environment",
    byDefault: "none",
    prove: orNone((text) => path(text, (environmentFile) => ({ environmentFile })), {
      environmentFile: undefined,
    }),
  },
} as const satisfies Readonly<Record<string, RuleRow>>;

const rows: Readonly<Record<RuleKey, RuleRow>> = ruleTable;

/** All keys, in the table's order. */
// `Object.keys` gives strings; the table has these keys and no others.
export const ruleKeys = Object.keys(ruleTable) as readonly RuleKey[];

/** The row of a rule, by the general type. */
export function ruleOf(key: RuleKey): RuleRow {
  return rows[key];
}

/** `--retry-delay` for `retry_delay`. */
export function optionOf(key: RuleKey): string {
  return `--${key.replaceAll("_", "-")}`;
}

/**
 * Proves the rules of a job. Every value of these layers must be sound, also one that a higher layer overrides.
 * @param layers in the order of precedence: options, `[job NAME]`, `[job]`
 * @returns the rules; or the first Problem (`invalid`)
 */
export function proveRules(layers: readonly RuleLayer[]): Rules | Problem {
  for (const layer of layers) {
    const problem = firstProblem(layer);
    if (problem !== undefined) return problem;
  }
  const rules: { -readonly [Key in keyof Rules]: Rules[Key] } = { ...noRules };
  for (const { key, text } of rulesInForce(layers)) {
    const { failsWhen, outputs, ...others } = proven(key, text);
    Object.assign(rules, others);
    // What nothing is said of stays the very object of `noRules`.
    if (failsWhen !== undefined) rules.failsWhen = { ...rules.failsWhen, ...failsWhen };
    if (outputs !== undefined) rules.outputs = [...rules.outputs, ...outputs];
  }
  return rules;
}

/** What is left of the layers when each key is taken from the highest one that has it, in the table's order. */
export function rulesInForce(layers: readonly RuleLayer[]): RuleText[] {
  const inForce: RuleText[] = [];
  for (const key of ruleKeys) {
    for (const layer of layers) {
      const before = inForce.length;
      for (const rule of layer) if (rule.key === key) inForce.push(rule);
      if (inForce.length > before) break;
    }
  }
  return inForce;
}

/** The value as it may be shown: printable, and no password or key in it. */
export function shownText({ key, text }: Pick<RuleText, "key" | "text">): string {
  return printable(withoutSecret(key, text));
}

function withoutSecret(key: RuleKey, text: string): string {
  const { isSecret } = rows[key];
  return isSecret === "key" ? hideKey(text) : isSecret ? hidePassword(text) : text;
}

/** @returns the first Problem (`invalid`) of one layer */
export function firstProblem(layer: RuleLayer): Problem | undefined {
  let outputs = 0;
  let none: RuleText | undefined;
  for (const rule of layer) {
    const sentence = rows[rule.key].prove(rule.text);
    if (typeof sentence === "string") return refuse(rule, sentence);
    if (rule.key !== "output") continue;
    outputs += 1;
    if (isNone(rule.text)) none = rule;
  }
  return none !== undefined && outputs > 1 ? refuse(none, "must stand alone where it is none") : undefined;
}

function refuse({ key, text, where }: RuleText, sentence: string): Problem {
  const { isSecret } = rows[key];
  const near = /^[a-z-]+$/i.test(text) ? nearestWord(text, rows[key].words ?? []) : undefined;
  return new Problem(
    "invalid",
    `${where === undefined ? optionOf(key) : key} ${sentence}: got ${quoted(isSecret ? hideKey(text) : text)}`,
    { ...(where !== undefined && { where }), ...(near !== undefined && { hint: `did you mean ${near}?` }) },
  );
}

/** Of a text that {@link firstProblem} has found sound. */
function proven(key: RuleKey, text: string): ProvenRule {
  const rule = rows[key].prove(text);
  return typeof rule === "string" ? {} : rule;
}

/**
 * `rcronctl`: asks and steers. Its words are one table: what is parsed, what `--help` says and what the shells
 * complete come from it.
 *
 * Exit statuses: 0 done, or yes; 1 it failed, or no; 2 wrong use.
 */
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { fail, print, refuse } from "./terminal.ts";
import { version } from "./version.ts";

/** An option of a word. */
interface OptionOf {
  /** What stands for its value in the help; undefined for an option without one. */
  readonly value?: string;
  readonly help: string;
}

/** The options that were given, each at most once, and the words between them. */
export interface Given {
  readonly options: Readonly<Record<string, string | true | undefined>>;
  readonly words: readonly string[];
}

interface Word {
  /** What stands behind its name. */
  readonly usage: string;
  readonly summary: string;
  /** More for `rcronctl WORD --help`. */
  readonly about: string;
  readonly options: Readonly<Record<string, OptionOf>>;
  readonly run: (given: Given) => Promise<number | Problem>;
}

const conf: OptionOf = { value: "FILE", help: "the configuration (default: /etc/rcron/rcron.conf)" };
const json: OptionOf = { help: "print JSON" };
const history: OptionOf = { value: "DIR", help: "the record's folder (default: as the configuration says)" };

const vocabulary: Readonly<Record<string, Word>> = {
  state: {
    usage: "[--is active|passive]",
    summary: "show this machine's state, where it comes from, and what rcron would do now",
    about: `Shows the state file's word, the verdict with its reason, since when it holds and
by whom, what each witness of rcron.conf says, and what rcron would do now.
`,
    options: {
      conf,
      is: { value: "WORD", help: "print nothing: exit 0 if the verdict is WORD, 1 if it is the other" },
      json,
    },
    run: async (given) => (await import("./state.ts")).showState(given),
  },
  "state set": {
    usage: "active|passive",
    summary: "write this machine's word",
    about: `Writes the word and where it comes from to the state file, in one step. Scripts of
whoever elects call it; a call that was started before the one that wrote last is
overtaken and writes nothing. By hand it holds until the next change by whoever
elects; with --valid-for, no longer than that.
`,
    options: {
      conf,
      "state-file": { value: "FILE", help: "write this file (default: state_file of the configuration)" },
      instance: { value: "NAME", help: "the VRRP instance or group that the word is for" },
      event: { value: "TEXT", help: "what was told: MASTER, BACKUP, STOP, ..." },
      writer: { value: "NAME", help: "who says so (default: your user name)" },
      "writer-pid": {
        value: "PID",
        help: "the process that stands behind the word: require_writer asks for it",
      },
      "valid-for": {
        value: "TIME",
        help: "the word holds so long, e.g. 90s, 5m, 2h, 1d, and is in doubt then",
      },
      "new-epoch": { help: "a new epoch even if the word is the old one" },
      json,
    },
    run: async (given) => (await import("./state-set.ts")).setState(given),
  },
  follow: {
    usage: "NAME[=STATE_FILE]... FIFO",
    summary: "read keepalived's notify FIFO and write the state (keepalived starts it)",
    about: `keepalived starts it as vrrp_notify_fifo_script and gives it the FIFO as the last
word. NAME is a VRRP instance, group:NAME a group; each needs a state file of its
own (the first one without =STATE_FILE has state_file of the configuration).
Events become words in their order; if keepalived dies, its active words become
passive.
`,
    options: {
      conf,
      "valid-for": {
        value: "TIME",
        help: "an active word holds so long, and is renewed thrice in that time",
      },
    },
    run: async (given) => (await import("./follow.ts")).followFifo(given),
  },
  doctor: {
    usage: "",
    summary: "look at this machine and say what would go wrong, and what to do about it",
    about: `Looks at rcron.conf, the state file, keepalived.conf and its scripts, cron, the
crontabs, syslog and the clock. Changes nothing. Exit status 1 if there is an error
or a warning.
`,
    options: { conf, json },
    run: async (given) => (await import("./doctor.ts")).diagnose(given),
  },
  runs: {
    usage: "",
    summary: "list the runs, the newest at the bottom",
    about: `Lists the newest 20 runs in the order in which they came, the newest at the bottom.
Those that a passive machine skipped are left out unless --skipped or --all asks for
them.
`,
    options: {
      conf,
      history,
      job: { value: "NAME", help: "this job's runs alone" },
      failed: { help: "those alone that failed or were interrupted" },
      skipped: { help: "those alone that were due and did not happen" },
      all: { help: "all of them" },
      since: { value: "TIME", help: "those that began since, e.g. 2h, 03:00, 2026-11-21, 2026-11-21T03:00" },
      host: { value: "NAME", help: "those of this machine alone" },
      limit: { value: "N", help: "the newest N (default: 20)" },
      follow: { help: "wait for more, until interrupted: each run when it begins and when it ends" },
      json,
    },
    run: async (given) => (await import("./runs.ts")).listRuns(given),
  },
  show: {
    usage: "RUN",
    summary: "show one run, with what was kept of its output",
    about: `RUN is the run's id, or its first characters where no other one begins so.
`,
    options: { conf, history, json },
    run: async (given) => (await import("./show.ts")).showRun(given),
  },
  jobs: {
    usage: "",
    summary: "list the jobs that were seen here, and how they do",
    about: `For each job: its state, when it last ran and last succeeded, how often it has
failed since, how long the last run took, and the median of its last successes.
`,
    options: { conf, history, json },
    run: async (given) => (await import("./jobs.ts")).listJobs(given),
  },
  why: {
    usage: "JOB",
    summary: "tell what became of a job's tick: did it run, and why not?",
    about: `Tells it of the last tick that is recorded, or of the minute --at. Exit status 0
if the job ran and succeeded, 1 if it did not, or is not over yet.
`,
    options: {
      conf,
      history,
      at: { value: "TIME", help: "the tick, e.g. 03:00 (the last one) or 2026-11-21T03:00" },
      json,
    },
    run: async (given) => (await import("./why.ts")).explainWhy(given),
  },
  metrics: {
    usage: "",
    summary: "print the jobs' figures for Prometheus",
    about: `Prints each job's last run, last success, duration, exit status and failure streak,
and counts runs by result and skips by reason, in Prometheus's text format.
`,
    options: {
      conf,
      history,
      textfile: { value: "FILE", help: "write them to FILE in one step, for node_exporter" },
      json,
    },
    run: async (given) => (await import("./metrics.ts")).showMetrics(given),
  },
  mail: {
    usage: "[list|send|drop ID]",
    summary: "show or send the mails and pings that wait in the spool",
    about: `What could not be sent waits in the spool, and is tried again with the next mail.
Without a word, or with list, shows what waits; send tries all of it now; drop
removes one, or with all everything.
`,
    options: { conf, history, quiet: { help: "say nothing" }, json },
    run: async (given) => (await import("./mail.ts")).mail(given),
  },
};

/**
 * Runs `rcronctl`.
 * @returns the exit status
 */
export async function control(words: readonly string[]): Promise<number> {
  const [first, ...rest] = words;
  if (first === "--version" && rest.length === 0) {
    await print(`rcronctl ${version}\n`);
    return 0;
  }
  if (first === "--help" || first === "-h") {
    await print(help());
    return 0;
  }
  const [name, given] = splitWord(words);
  const word = Object.hasOwn(vocabulary, name) ? vocabulary[name] : undefined;
  if (word === undefined) return refuse("rcronctl", unknownWord(first));
  if (given.includes("--help") || given.includes("-h")) {
    await print(helpFor(name, word));
    return 0;
  }
  const parsed = parseOptions(name, word, given);
  if (parsed instanceof Problem) return refuse("rcronctl", parsed);
  const status = await word.run(parsed);
  if (typeof status === "number") return status;
  return status.code === "invalid" && status.where === undefined
    ? refuse("rcronctl", status)
    : fail("rcronctl", status);
}

/** The longest name of the table that the words begin with, and the words behind it. */
function splitWord(words: readonly string[]): [name: string, rest: readonly string[]] {
  const two = words.slice(0, 2).join(" ");
  return Object.hasOwn(vocabulary, two) ? [two, words.slice(2)] : [words[0] ?? "", words.slice(1)];
}

function parseOptions(name: string, word: Word, words: readonly string[]): Given | Problem {
  const options: Record<string, string | true> = {};
  const others: string[] = [];
  const invalid = (rule: string, near?: string) =>
    new Problem("invalid", rule, {
      hint: `${near === undefined ? "" : `did you mean ${near}? `}rcronctl ${name} --help`,
    });
  for (let at = 0; at < words.length; at++) {
    const text = words[at] ?? "";
    if (text === "--") {
      others.push(...words.slice(at + 1));
      break;
    }
    if (!text.startsWith("-") || text === "-") {
      others.push(text);
      continue;
    }
    const equals = text.indexOf("=");
    const key = (equals < 0 ? text : text.slice(0, equals)).replace(/^--/, "");
    const option = Object.hasOwn(word.options, key) ? word.options[key] : undefined;
    if (option === undefined) {
      const near = nearestWord(
        `--${key}`,
        Object.keys(word.options).map((each) => `--${each}`),
      );
      return invalid(`unknown option ${quoted(equals < 0 ? text : text.slice(0, equals))}`, near);
    }
    if (options[key] !== undefined) return invalid(`--${key} must be given once: got it twice`);
    const inline = equals < 0 ? undefined : text.slice(equals + 1);
    if (option.value === undefined) {
      if (inline !== undefined) return invalid(`--${key} takes no value: got ${quoted(inline)}`);
      options[key] = true;
      continue;
    }
    const value = inline ?? words[++at];
    if (value === undefined || value === "")
      return invalid(`--${key} must be followed by ${option.value}: got none`);
    options[key] = value;
  }
  return { options, words: others };
}

function help(): string {
  const rows = Object.entries(vocabulary).map(([name, { usage, summary }]) => {
    return `  rcronctl ${name}${usage === "" ? "" : ` ${usage}`}\n      ${summary}\n`;
  });
  return `Usage: rcronctl WORD [options]

Asks and steers rcron on this machine.

${rows.join("")}
  rcronctl WORD --help    all about one of them
  rcronctl --version

Exit status: 0 done, or yes; 1 it failed, or no; 2 wrong use.
`;
}

function helpFor(name: string, { usage, about, options }: Word): string {
  const rows = Object.entries(options).map(([key, { value, help: text }]): [string, string] => [
    `--${key}${value === undefined ? "" : ` ${value}`}`,
    text,
  ]);
  const width = Math.max(...rows.map(([option]) => option.length)) + 2;
  return `Usage: rcronctl ${name} [options]${usage === "" ? "" : ` ${usage}`}

${about}
${rows.map(([option, text]) => `  ${option.padEnd(width)}${text}\n`).join("")}`;
}

function unknownWord(word: string | undefined): Problem {
  const hint = "rcronctl --help lists the words";
  if (word === undefined) return new Problem("invalid", "no word given", { hint });
  const near = nearestWord(word, Object.keys(vocabulary));
  return new Problem("invalid", `unknown word ${quoted(word)}`, {
    hint: near === undefined ? hint : `did you mean ${near}? ${hint}`,
  });
}
